//! Many files at once, as one piece of work: the first failure gives the others up, and they clean up before it is told.

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::transfer::Transfer;

/// What is to be done, made when its turn comes. Boxed, so that the compiler can tell that everything built on it may
/// move between threads.
pub(crate) type Work<'a, T> = Box<dyn Iterator<Item = BoxFuture<'a, Result<T>>> + Send + 'a>;

/// Runs `work` to its end, at most twice as many at once as requests are in flight, in order of the results' arrival. `group` is the
/// [`Transfer::group`] that every item moves its bytes with; it is given up when one of them fails.
pub(crate) async fn all<'a, T>(group: &Transfer, mut work: Work<'a, T>) -> Result<Vec<T>> {
    let most = group.store().runtime().in_flight();
    let mut running = FuturesUnordered::new();
    let mut done = Vec::new();
    let mut failed: Option<Error> = None;
    loop {
        // As many wait for their turn as have it, so that none stands idle between two files.
        let limit = (group.flow().limit() * 2).min(most);
        while running.len() < limit && !group.is_given_up() {
            let Some(next) = work.next() else { break };
            running.push(next);
        }
        let Some(outcome) = running.next().await else { break };
        match outcome {
            Ok(value) => done.push(value),
            Err(error) => {
                group.give_up();
                failed = Some(first_cause(failed, error));
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        // Given up from outside between two items.
        None if group.is_given_up() => Err(Error::cancelled()),
        None => Ok(done),
    }
}

/// The files that were given up because of another say nothing new.
fn first_cause(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if before.kind() != ErrorKind::Cancelled || error.kind() == ErrorKind::Cancelled => before,
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt;

    use super::*;
    use crate::{Concurrency, LocalStorage, RuntimeConfig};

    #[tokio::test]
    async fn nothing_more_is_begun_after_a_failure() {
        let runtime = RuntimeConfig { concurrency: Concurrency::Fixed(3), ..RuntimeConfig::default() };
        let transfer = Transfer::new(Arc::new(LocalStorage::with_config("/nonexistent", runtime)));
        let (group, begun) = (transfer.group(), AtomicUsize::new(0));
        let work = (0..100).map(|number| {
            begun.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Err(Error::new(ErrorKind::Integrity, "the first failed")),
                    _ => Err::<(), _>(Error::cancelled()),
                }
            }
            .boxed()
        });
        let error = all(&group, Box::new(work)).await.unwrap_err();
        assert_eq!(error.to_string(), "the first failed", "the others say nothing new");
        assert_eq!(begun.load(Ordering::Relaxed), 3);
        assert!(!transfer.is_given_up(), "another group goes on");
        assert!(all(&group, Box::new(std::iter::once(async { Ok(()) }.boxed()))).await.is_err(), "this one does not");
    }
}
