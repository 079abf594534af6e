//! Moves training checkpoints between a machine and a store, fast and without ever losing or faking one.
pub mod backend;
pub mod body;
pub mod checkpoint;
pub mod checksum;
pub mod config;
mod disk;
pub mod error;
pub mod event;
pub mod key;
mod local;
mod multipart;
mod partial_file;
pub mod plan;
pub mod retry;
#[cfg(feature = "s3")]
pub mod s3;
pub mod transfer;

pub use backend::{ObjectMeta, StorageBackend};
pub use config::{Environment, PartSize, RuntimeConfig};
pub use error::{Error, ErrorKind, Result};
pub use local::LocalStorage;
#[cfg(feature = "s3")]
pub use s3::{Addressing, S3Config, S3Storage, StaticCredentials};
pub use transfer::{GetOptions, Got, Overwrite, Put, Transfer};
