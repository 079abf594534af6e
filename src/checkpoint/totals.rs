//! What a store holds, by state.

use super::catalog::{Entry, State};

/// Sums over entries of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Checkpoints that can be got.
    pub complete: Total,
    /// What unfinished puts and removals left. Uploads in progress are not in it: listings do not show them.
    pub partial: Total,
    /// Checkpoints of which something is missing or wrong.
    pub damaged: Total,
    /// Files that belong to no checkpoint.
    pub plain: Total,
}

/// A sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Entries: checkpoints, or files by themselves.
    pub entries: u64,
    /// Bytes that are there. Manifests and claims do not count.
    pub bytes: u64,
}

impl Totals {
    /// Those of `entries`.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut totals = Totals::default();
        for entry in entries {
            let (total, bytes) = match entry {
                Entry::File(file) => (&mut totals.plain, file.size),
                Entry::Checkpoint(checkpoint) => {
                    let total = match checkpoint.state {
                        State::Complete => &mut totals.complete,
                        State::Partial => &mut totals.partial,
                        State::Damaged => &mut totals.damaged,
                    };
                    (total, checkpoint.bytes_there)
                }
            };
            total.entries += 1;
            total.bytes = total.bytes.saturating_add(bytes);
        }
        totals
    }
}
