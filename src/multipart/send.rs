//! Parts in flight: as many at once as there are slots, their receipts as they come.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::time::Instant;

use super::Job;
use crate::backend::{Part, PartReceipt, StorageBackend, UploadId};
use crate::body::PartBody;
use crate::error::Result;
use crate::event::{Direction, Event};
use crate::lane;
use crate::straggler::{self, Race};

/// Parts to come. Boxed, so that the compiler can tell that everything built on them may move between threads.
pub(crate) type Parts<'a> = BoxStream<'a, Result<BoxFuture<'a, Result<(Part, PartBody)>>>>;

/// Told of each part before its first byte goes, and when the store has it.
#[async_trait]
pub(crate) trait Watch: Sync {
    async fn started(&self, part: u32);
    async fn done(&self, receipt: &PartReceipt);
}

/// Takes no notice.
pub(crate) struct Unwatched;

#[async_trait]
impl Watch for Unwatched {
    async fn started(&self, _: u32) {}
    async fn done(&self, _: &PartReceipt) {}
}

/// Sends the parts that `parts` yields; the receipts in order of their arrival.
pub(crate) async fn send_parts<B: StorageBackend + ?Sized>(
    store: &B,
    job: Job<'_>,
    upload: &UploadId,
    watch: &dyn Watch,
    mut parts: Parts<'_>,
) -> Result<Vec<PartReceipt>> {
    let (mut receipts, mut flying, mut ended) = (Vec::new(), FuturesUnordered::new(), false);
    let in_flight = store.runtime().in_flight();
    loop {
        let most = if job.in_memory { in_flight.min(job.flow.limit() + 1) } else { in_flight };
        tokio::select! {
            Some(receipt) = flying.next() => receipts.push(receipt?),
            part = parts.next(), if !ended && flying.len() < most => match part {
                Some(part) => flying.push(send_part(store, job, upload, watch, part?)),
                None => ended = true,
            },
            else => return Ok(receipts),
        }
    }
}

async fn send_part<B: StorageBackend + ?Sized>(
    store: &B,
    job: Job<'_>,
    upload: &UploadId,
    watch: &dyn Watch,
    part: BoxFuture<'_, Result<(Part, PartBody)>>,
) -> Result<PartReceipt> {
    let slot = job.flow.slot().await?;
    let since = Instant::now();
    let (part, body) = part.await?;
    watch.started(part.number).await;
    let receipt = match job.lanes {
        Some(store) => {
            let (store, race, key, upload) = (store.clone(), job.race.clone(), job.key.to_owned(), upload.clone());
            let body = body.clone();
            lane::run(async move { carry(&*store, &race, &key, &upload, part, &body, since).await }).await?
        }
        None => carry(store, job.race, job.key, upload, part, &body, since).await?,
    };
    let waited = body.progress().map_or(Duration::ZERO, |mark| mark.rested());
    let (direction, bytes) = (Direction::Up, receipt.size);
    store.runtime().observer.event(&Event::PartMoved { direction, bytes, waited, took: since.elapsed() });
    // Noted before the next part goes, so that one that ends the upload costs no part that is there.
    watch.done(&receipt).await;
    drop(slot);
    Ok(receipt)
}

/// Sends one part; on another connection where it lags behind the others.
async fn carry<B: StorageBackend + ?Sized>(
    store: &B,
    race: &Race,
    key: &str,
    upload: &UploadId,
    part: Part,
    body: &PartBody,
    since: Instant,
) -> Result<PartReceipt> {
    let Some(mark) = body.progress() else { return store.put_part(key, upload, part, body).await };
    let action = format!("send part {} of", part.number);
    let told = || straggler::tell(&*store.runtime().observer, &action, key, store.endpoint());
    race.run(mark, since, told, || store.put_part(key, upload, part, body)).await
}
