//! How much may be open at once: each file and each connection is a descriptor, of which a process has a limited number.

use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

use crate::lane;

/// What a process has open beside its transfers: standard streams, the runtime, journals of directories, idle connections.
const RESERVED: u64 = 24;
/// What one file on its way has open at most: source or partial file, journal, connection, and directories that are synced.
const EACH: u64 = 6;

/// What a lane has open for itself.
const EACH_LANE: u64 = 3;

/// Files and requests in flight for which descriptors suffice, at least 1. Asked once.
pub(crate) fn suffice_for() -> usize {
    static SUFFICE: OnceLock<usize> = OnceLock::new();
    *SUFFICE.get_or_init(|| match getrlimit(Resource::Nofile).current {
        Some(limit) => bound(limit.saturating_sub(EACH_LANE * lane::count() as u64)),
        None => usize::MAX,
    })
}

fn bound(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(RESERVED) / EACH).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_mean_few_files() {
        assert_eq!([0, 29, 36, 64, 1024].map(bound), [1, 1, 2, 6, 166]);
        assert_eq!(bound(u64::MAX - 1), usize::try_from((u64::MAX - 1 - RESERVED) / EACH).unwrap());
    }
}
