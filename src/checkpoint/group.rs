//! Many files at once, as one piece of work: the first failure gives the others up, and they clean up before it is told.

use std::future::Future;

use futures::{StreamExt, stream};

use crate::error::{Error, ErrorKind, Result};
use crate::transfer::Transfer;

/// Runs `work` for every item, at most the store's concurrency at once, in order of the results' arrival.
/// `work` gets a transfer of its own group, which is given up when one item fails.
pub(crate) async fn for_each<I, T, F, Fut>(transfer: &Transfer, items: I, work: F) -> Result<Vec<T>>
where
    I: IntoIterator,
    F: Fn(Transfer, I::Item) -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let group = transfer.group();
    let mut running = stream::iter(items)
        .map(|item| work(group.clone(), item))
        .buffer_unordered(transfer.store().runtime().concurrency.max(1));
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
