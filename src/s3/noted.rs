//! The versions and delete markers that a client's own requests make, for one that has to take them away again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Method};

use super::answer::header;
use super::request::Outgoing;

/// A version of an object, by which it alone is removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    /// The key as the server knows it.
    pub(super) key: String,
    pub(super) id: String,
}

/// What a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object { bytes: u64 },
    DeleteMarker,
}

/// What there is of them. Nothing is noted before [`begin`](Noted::begin): transfers have no use for it.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    begun: bool,
    seen: bool,
    left: BTreeMap<Version, Kind>,
}

impl Noted {
    pub(super) fn begin(&self) {
        self.state().begun = true;
    }

    /// Whether the bucket was seen to keep versions.
    pub(super) fn any_seen(&self) -> bool {
        self.state().seen
    }

    /// Takes the version from the answer to what was done.
    pub(super) fn answer(&self, outgoing: &Outgoing, headers: &HeaderMap) {
        let Some(id) = header(headers, "x-amz-version-id").filter(|_| self.state().begun) else { return };
        if outgoing.asks("versionId") || outgoing.asks("partNumber") {
            return;
        }
        let Some(key) = outgoing.key() else { return };
        match outgoing.method {
            // What an upload makes, and a copy, has the size of something else.
            Method::PUT => self.add(key, id, Kind::Object { bytes: outgoing.body.len() }),
            Method::POST => self.add(key, id, Kind::Object { bytes: 0 }),
            Method::DELETE => self.add(key, id, Kind::DeleteMarker),
            _ => {}
        }
    }

    pub(super) fn add(&self, key: String, id: &str, kind: Kind) {
        let mut state = self.state();
        if state.begun {
            state.seen = true;
            state.left.insert(Version { key, id: id.to_owned() }, kind);
        }
    }

    /// The size of those versions of an object whose answer did not tell it.
    pub(super) fn size_is(&self, key: &str, size: u64) {
        for (version, kind) in &mut self.state().left {
            if let Kind::Object { bytes: bytes @ 0 } = kind
                && version.key == key
            {
                *bytes = size;
            }
        }
    }

    pub(super) fn is_removed(&self, version: &Version) {
        self.state().left.remove(version);
    }

    pub(super) fn left(&self) -> Vec<(Version, Kind)> {
        self.state().left.iter().map(|(version, kind)| (version.clone(), *kind)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
