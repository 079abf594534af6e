//! What a checkpoint is: a directory of files that becomes visible at once, by its manifest, which is written last.

mod again;
mod catalog;
mod checks;
mod claim;
mod claim_file;
mod commit;
mod fence;
mod filter;
mod find;
mod fold;
mod get;
mod group;
mod lease;
mod leftovers;
pub mod manifest;
mod measured;
mod number;
mod place;
mod process;
mod prune;
mod put;
mod rank;
mod remove;
mod retention;
mod sample;
mod start;
mod surroundings;
mod totals;
mod verify;
mod walk;

pub use catalog::{CheckpointEntry, Detail, Entry, Member, State, latest, list};
pub use filter::Filter;
pub use find::{Found, around, find};
pub use fold::PlainFile;
pub use get::{CheckpointGot, GetCheckpoint, get, get_unverified};
pub use leftovers::{Leftover, LeftoverKind, leftovers, remove_leftover};
pub use manifest::Manifest;
pub use prune::{Pruned, Surplus, remove_surplus, surplus, surplus_beside};
pub use put::{CheckpointPut, PutCheckpoint, put};
pub use rank::{MAX_WORLD_SIZE, Rank};
pub use remove::{Removed, preview_removal, remove};
pub use retention::Retention;
pub use sample::Sample;
pub use totals::{Total, Totals};
pub use verify::{Extent, Verified, verify};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::{GetOptions, Overwrite, Transfer};
    use std::num::NonZeroU64;
    use std::path::Path;

    fn sendable<T: Send>(_: T) {}

    /// Programs that link the library spawn its calls; this compiles only while they can.
    #[allow(dead_code)]
    fn every_call_can_be_spawned(transfer: &Transfer, manifest: &Manifest, one: &Surplus) {
        let path = Path::new("x");
        sendable(transfer.put_file(path, "k", Overwrite::Replace));
        sendable(transfer.put_stream(tokio::io::empty(), "k", Overwrite::Replace));
        sendable(transfer.get_file("k", path, &GetOptions::default()));
        sendable(transfer.get_stream("k", tokio::io::sink(), &GetOptions::default()));
        sendable(put(transfer, path, "k", &PutCheckpoint::default()));
        sendable(get(transfer, "k", manifest, path, &GetCheckpoint::default()));
        sendable(get_unverified(transfer, "k", &[], path, &GetCheckpoint::default()));
        sendable(find(&**transfer.store(), "k"));
        sendable(around(&**transfer.store(), "k"));
        sendable(list(&**transfer.store(), "", Detail::Files));
        sendable(latest(&**transfer.store(), ""));
        sendable(remove(transfer, "k"));
        sendable(verify(transfer, &mut [], Sample::ALL));
        sendable(leftovers(transfer, ""));
        sendable(surplus(transfer, &[], &Retention::default()));
        sendable(remove_surplus(transfer, one));
        sendable(surplus_beside(transfer, "k", NonZeroU64::MIN));
    }
}
