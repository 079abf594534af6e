//! What a checkpoint is: a directory of files that becomes visible at once, by its manifest, which is written last.

mod catalog;
mod filter;
mod find;
mod get;
mod group;
pub mod manifest;
mod marker;
mod put;
mod remove;
mod walk;

pub use catalog::{CheckpointEntry, Entry, Member, State, latest, list};
pub use filter::Filter;
pub use find::{Found, find};
pub use get::{CheckpointGot, GetCheckpoint, get, get_unverified};
pub use manifest::Manifest;
pub use put::{CheckpointPut, PutCheckpoint, put};
pub use remove::{Removed, preview_removal, remove};
