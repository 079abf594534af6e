//! Many files at once, as one piece of work: the first failure gives the others up, and they clean up before it is told.

use futures::future::BoxFuture;
use futures::{StreamExt, stream};

use crate::error::{Error, ErrorKind, Result};
use crate::transfer::Transfer;

/// What is to be done, made when its turn comes. Boxed, so that the compiler can tell that everything built on it may
/// move between threads.
pub(crate) type Work<'a, T> = Box<dyn Iterator<Item = BoxFuture<'a, Result<T>>> + Send + 'a>;

/// Runs `work` to its end, at most the store's concurrency at once, in order of the results' arrival. `group` is the
/// [`Transfer::group`] that every item moves its bytes with; it is given up when one of them fails.
pub(crate) async fn all<'a, T>(group: &Transfer, work: Work<'a, T>) -> Result<Vec<T>> {
    let mut running = stream::iter(work).buffer_unordered(group.store().runtime().concurrency.max(1));
    let mut done = Vec::new();
    let mut failed: Option<Error> = None;
    while let Some(outcome) = running.next().await {
        match outcome {
            Ok(value) => done.push(value),
            Err(error) => {
                group.give_up();
                failed = Some(first_cause(failed, error));
            }
        }
    }
    failed.map_or(Ok(done), Err)
}

/// The files that were given up because of another say nothing new.
fn first_cause(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if before.kind() != ErrorKind::Cancelled || error.kind() == ErrorKind::Cancelled => before,
        _ => error,
    }
}
