//! What a measurement has put into the store, all of it under one prefix, and its removal.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use futures::{Stream, StreamExt, stream};

use crate::checkpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::Transfer;

/// What names under which measurements put their objects begin with.
pub const PREFIX: &str = crate::key::BENCH_PREFIX;
/// Removals at once.
const AT_ONCE: usize = 16;

/// The objects of one measurement.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Ended by nobody's token, so that it can clean up after an interruption.
    transfer: Transfer,
    prefix: String,
    /// Each name is a checkpoint, not a file.
    checkpoints: bool,
    /// Names that may be there.
    names: Mutex<BTreeSet<String>>,
    next: AtomicU32,
}

impl Shelf {
    pub(super) fn new(transfer: Transfer, checkpoints: bool) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{PREFIX}{}", &random[..12]);
        Shelf { transfer, prefix, checkpoints, names: Mutex::default(), next: AtomicU32::new(1) }
    }

    pub(super) fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// What all names begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The full name of the prefix.
    pub(super) fn uri(&self) -> String {
        self.transfer.store().uri(&self.prefix)
    }

    /// A name that was never used. From here on it is removed at the end.
    pub(super) fn place(&self) -> String {
        let name = format!("{}/{}", self.prefix, self.next.fetch_add(1, Relaxed));
        self.with(|names| names.insert(name.clone()));
        name
    }

    /// Removes what is under the name.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let store = self.transfer.store();
        if self.checkpoints {
            // It knows the uploads of a put that was interrupted.
            match checkpoint::remove(&self.transfer, name).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else {
            store.delete(name).await?;
        }
        self.with(|names| names.remove(name));
        Ok(())
    }

    /// Removes everything, what nobody knows of included: how many objects of that kind there were.
    pub(super) async fn clear(&self) -> Result<usize> {
        let names: Vec<String> = self.with(|names| names.iter().cloned().collect());
        if names.is_empty() && self.next.load(Relaxed) == 1 {
            return Ok(0);
        }
        let removed = stream::iter(names).map(|name| async move { self.remove(&name).await });
        let failed = first_failure(removed.buffer_unordered(AT_ONCE)).await;
        // What could not be removed keeps its claim, which alone knows the uploads.
        let kept: Vec<String> = self.with(|names| names.iter().map(|name| format!("{name}/")).collect());
        let is_kept = |key: &str| kept.iter().any(|name| key.starts_with(name));
        // Whatever a checkpoint of which nothing is known any more has left.
        let store = self.transfer.store();
        let outcome = async {
            let mut left = store.list(&format!("{}/", self.prefix)).await?;
            left.retain(|object| !is_kept(&object.key));
            let found = left.len();
            let removed = stream::iter(left).map(|object| async move { store.delete(&object.key).await });
            match first_failure(removed.buffer_unordered(AT_ONCE)).await {
                Some(error) => Err(error),
                None => Ok(found),
            }
        };
        match (outcome.await, failed) {
            (Err(error), _) | (Ok(_), Some(error)) => Err(self.left(error)),
            (Ok(found), None) => Ok(found),
        }
    }

    fn left(&self, error: Error) -> Error {
        error.hint_is(format!(
            "what was measured with may still be there: an hour from now, strata-ckpt rm --partial {} removes it",
            self.uri()
        ))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        work(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Of all outcomes: each removal has its turn, also after one has failed.
async fn first_failure(outcomes: impl Stream<Item = Result<()>>) -> Option<Error> {
    let failures: Vec<Error> = outcomes.filter_map(|outcome| async { outcome.err() }).collect().await;
    failures.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LocalStorage, key};
    use bytes::Bytes;
    use std::sync::Arc;

    #[tokio::test]
    async fn everything_under_the_prefix_goes_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let transfer = Transfer::new(Arc::new(LocalStorage::new(directory.path().join("store"))));
        let shelf = Shelf::new(transfer, false);
        let store = shelf.transfer().store().clone();
        store.write("mine", Bytes::from_static(b"x")).await.unwrap();
        let (a, b) = (shelf.place(), shelf.place());
        assert!(a != b && key::check(&a).is_ok());
        for name in [&a, &b, &format!("{a}x/.strata/put.json")] {
            store.write(name, Bytes::from_static(b"x")).await.unwrap();
        }
        shelf.remove(&a).await.unwrap();
        assert!(!store.exists(&a).await.unwrap() && store.exists(&b).await.unwrap());
        shelf.clear().await.unwrap();
        let left: Vec<String> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
        assert_eq!(left, ["mine"]);
    }
}
