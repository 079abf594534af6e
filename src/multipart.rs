//! One object through the multipart calls of a store: parts in flight, receipts in order, completed or aborted.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::backend::{Part, PartReceipt, StorageBackend, Stored, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::plan;

/// How long a failed transfer may still take to give its upload up, which may be while the server is overloaded.
const ABORT_TIMEOUT: Duration = Duration::from_secs(30);
/// The same where somebody waits for the end.
const ABORT_TIMEOUT_WHEN_CANCELLED: Duration = Duration::from_millis(1_500);

/// One object's way into the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) key: &'a str,
    pub(crate) options: &'a WriteOptions,
    /// Requests in flight over all objects.
    pub(crate) slots: &'a Semaphore,
    /// Gives this object up.
    pub(crate) cancel: &'a CancellationToken,
}

/// Parts to come. Boxed, so that the compiler can tell that everything built on them may move between threads.
pub(crate) type Parts<'a> = BoxStream<'a, Result<BoxFuture<'a, Result<(Part, PartBody)>>>>;

/// Sends the parts that `parts` yields, at most `slots` at once, and makes the object out of them.
/// Each item is a future, so that a part is read and summed only when its turn comes. `unchanged` is asked when all
/// parts are there and nothing is committed yet. On failure, or when `cancel` fires, the upload is aborted.
pub(crate) async fn upload<B: StorageBackend + ?Sized>(
    store: &B,
    job: Job<'_>,
    parts: Parts<'_>,
    unchanged: BoxFuture<'_, Result<()>>,
) -> Result<Sent> {
    let Job { options, .. } = job;
    begun(store, job, parts, unchanged, async |upload, receipts| {
        let stored = complete(store, job.key, &upload, &receipts, options).await?;
        let (size, checksum) = review(&receipts)?;
        let parts = receipts.iter().map(|receipt| receipt.checksum).collect();
        Ok(Sent { size, checksum, parts, etag: stored.etag })
    })
    .await
}

/// [`upload`] without its end: the upload and its receipts, in order.
pub(crate) async fn hold<B: StorageBackend + ?Sized>(
    store: &B,
    job: Job<'_>,
    parts: Parts<'_>,
    unchanged: BoxFuture<'_, Result<()>>,
) -> Result<(UploadId, Vec<PartReceipt>)> {
    begun(store, job, parts, unchanged, async |upload, receipts| Ok((upload, receipts))).await
}

/// Makes the object out of all its parts, which are reviewed first.
pub(crate) async fn complete<B: StorageBackend + ?Sized>(
    store: &B,
    key: &str,
    upload: &UploadId,
    receipts: &[PartReceipt],
    options: &WriteOptions,
) -> Result<Stored> {
    let (size, checksum) = review(receipts)?;
    let stored = store.complete(key, upload, receipts, options).await?;
    confirm(key, size, checksum, &stored)?;
    Ok(stored)
}

async fn begun<B: StorageBackend + ?Sized, T>(
    store: &B,
    job: Job<'_>,
    parts: Parts<'_>,
    unchanged: BoxFuture<'_, Result<()>>,
    end: impl AsyncFnOnce(UploadId, Vec<PartReceipt>) -> Result<T>,
) -> Result<T> {
    let Job { key, cancel, .. } = job;
    let upload = begin(store, job).await?;
    let sending = async {
        let mut receipts = send_parts(store, job, &upload, parts).await?;
        unchanged.await?;
        receipts.sort_by_key(|receipt| receipt.number);
        end(upload.clone(), receipts).await
    };
    let outcome = tokio::select! {
        biased;
        outcome = sending => outcome,
        () = cancel.cancelled() => Err(Error::cancelled().action("put").on(key)),
    };
    if outcome.is_err() {
        give_up(store, job, &upload).await;
    }
    outcome
}

/// Aborts the upload. Where that fails, somebody should know: its parts cost money until a lifecycle rule ends them.
async fn give_up<B: StorageBackend + ?Sized>(store: &B, job: Job<'_>, upload: &UploadId) {
    let soon = async {
        store.runtime().cancel.cancelled().await;
        tokio::time::sleep(ABORT_TIMEOUT_WHEN_CANCELLED).await;
    };
    let aborted = tokio::select! {
        aborted = tokio::time::timeout(ABORT_TIMEOUT, store.abort(job.key, upload)) => matches!(aborted, Ok(Ok(()))),
        () = soon => false,
    };
    if !aborted {
        let message = format!("the unfinished upload of '{}' could not be aborted and stays in the store", job.key);
        store.runtime().observer.event(&Event::Warning { message: &message });
    }
}

/// Begins the upload. Where that is given up meanwhile, the answer is awaited a little longer: an upload whose id nobody
/// has learnt could never be aborted.
async fn begin<B: StorageBackend + ?Sized>(store: &B, job: Job<'_>) -> Result<UploadId> {
    let beginning = store.begin(job.key, job.options);
    tokio::pin!(beginning);
    tokio::select! {
        biased;
        upload = &mut beginning => return upload,
        () = job.cancel.cancelled() => {}
    }
    let late = async {
        let upload = beginning.await?;
        store.abort(job.key, &upload).await
    };
    let _ = tokio::time::timeout(ABORT_TIMEOUT_WHEN_CANCELLED, late).await;
    Err(Error::cancelled().action("put").on(job.key))
}

async fn send_parts<B: StorageBackend + ?Sized>(
    store: &B,
    job: Job<'_>,
    upload: &UploadId,
    mut parts: Parts<'_>,
) -> Result<Vec<PartReceipt>> {
    let (mut receipts, mut flying, mut ended) = (Vec::new(), FuturesUnordered::new(), false);
    loop {
        tokio::select! {
            Some(receipt) = flying.next() => receipts.push(receipt?),
            part = parts.next(), if !ended && flying.len() < store.runtime().in_flight() => match part {
                Some(part) => flying.push(send_part(store, job, upload, part?)),
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
    part: BoxFuture<'_, Result<(Part, PartBody)>>,
) -> Result<PartReceipt> {
    let _slot = job.slots.acquire().await.map_err(|_| Error::cancelled())?;
    let (part, body) = part.await?;
    store.put_part(job.key, upload, part, &body).await
}

/// An object that was sent and confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    pub(crate) checksum: Crc64,
    pub(crate) parts: Vec<Crc64>,
    pub(crate) etag: Option<String>,
}

/// One object in one request.
pub(crate) async fn put_whole<B: StorageBackend + ?Sized>(
    store: &B,
    key: &str,
    body: &PartBody,
    options: &WriteOptions,
) -> Result<Sent> {
    let stored = store.put(key, body, options).await?;
    confirm(key, body.len(), body.checksum(), &stored)?;
    Ok(Sent { size: body.len(), checksum: body.checksum(), parts: vec![body.checksum()], etag: stored.etag })
}

/// [`StorageBackend::write`].
pub(crate) async fn write<B: StorageBackend + ?Sized>(store: &B, key: &str, data: Bytes) -> Result<u64> {
    let runtime = store.runtime();
    let size = data.len() as u64;
    let plan = plan::Plan::new(size, runtime.part_size, &store.capabilities())
        .map_err(|error| error.action("write").on(key))?;
    let options = WriteOptions::replace();
    if plan.parts() == 1 {
        return Ok(put_whole(store, key, &PartBody::from_bytes(data), &options).await?.size);
    }
    let slots = Semaphore::new(runtime.in_flight());
    let parts = stream::iter(plan.ranges()).map(|(part, range)| {
        let bytes = data.slice(plan::as_indices(&range));
        Ok(async move { Ok((part, crate::body::blocking(move || Ok(PartBody::from_bytes(bytes))).await?)) }.boxed())
    });
    let job = Job { key, options: &options, slots: &slots, cancel: &runtime.cancel };
    Ok(upload(store, job, parts.boxed(), std::future::ready(Ok(())).boxed()).await?.size)
}

/// The receipts cover the object without gap: size and checksum of the whole.
pub(crate) fn review(receipts: &[PartReceipt]) -> Result<(u64, Crc64)> {
    let mut whole = (0, Crc64::EMPTY);
    for (receipt, expected) in receipts.iter().zip(1u32..) {
        if receipt.number != expected {
            return Err(Error::new(
                ErrorKind::Other,
                format!("part {expected} has no receipt; the upload is given up"),
            ));
        }
        whole = (whole.0 + receipt.size, whole.1.combine(receipt.checksum, receipt.size));
    }
    Ok(whole)
}

/// What the store says it has is what was sent.
fn confirm(key: &str, size: u64, checksum: Crc64, stored: &Stored) -> Result<()> {
    if stored.size == size && stored.checksum.is_none_or(|theirs| theirs == checksum) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Integrity,
        format!(
            "the store holds {} bytes with checksum {:?}, sent were {size} bytes with {checksum:?}",
            stored.size, stored.checksum
        ),
    )
    .action("put")
    .on(key)
    .hint_is("the object is not what was sent: run the same command again, and have the store checked"))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::*;
    use crate::backend::{Capabilities, ListPage, ObjectBody, ObjectMeta};
    use crate::config::RuntimeConfig;

    /// Answers a begin only when it is told to.
    #[derive(Debug, Default)]
    struct SlowToBegin {
        runtime: RuntimeConfig,
        asked: Notify,
        answer: Notify,
        aborted: Mutex<Vec<UploadId>>,
    }

    fn never<T>() -> Result<T> {
        Err(Error::new(ErrorKind::Other, "not asked for in this test"))
    }

    #[async_trait]
    impl StorageBackend for SlowToBegin {
        fn runtime(&self) -> &RuntimeConfig {
            &self.runtime
        }
        fn capabilities(&self) -> Capabilities {
            Capabilities { part_size: 1..=u64::MAX, max_parts: 10, max_object_size: u64::MAX }
        }
        fn uri(&self, path: &str) -> String {
            path.to_owned()
        }
        fn endpoint(&self) -> String {
            String::new()
        }
        async fn delete(&self, _: &str) -> Result<()> {
            never()
        }
        async fn head(&self, _: &str) -> Result<ObjectMeta> {
            never()
        }
        async fn open(&self, _: &str, _: Option<Range<u64>>, _: Option<&str>) -> Result<ObjectBody> {
            never()
        }
        async fn list_page(&self, _: &str, _: Option<&str>) -> Result<ListPage> {
            never()
        }
        async fn put(&self, _: &str, _: &PartBody, _: &WriteOptions) -> Result<Stored> {
            never()
        }
        async fn begin(&self, _: &str, _: &WriteOptions) -> Result<UploadId> {
            self.asked.notify_one();
            self.answer.notified().await;
            Ok(UploadId("late".to_owned()))
        }
        async fn put_part(&self, _: &str, _: &UploadId, _: Part, _: &PartBody) -> Result<PartReceipt> {
            never()
        }
        async fn complete(&self, _: &str, _: &UploadId, _: &[PartReceipt], _: &WriteOptions) -> Result<Stored> {
            never()
        }
        async fn abort(&self, _: &str, upload: &UploadId) -> Result<()> {
            self.aborted.lock().unwrap().push(upload.clone());
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_upload_that_began_while_it_was_given_up_is_aborted() {
        let store = SlowToBegin::default();
        let (options, slots, cancel) = (WriteOptions::replace(), Semaphore::new(1), CancellationToken::new());
        let job = Job { key: "k", options: &options, slots: &slots, cancel: &cancel };
        let uploading = upload(&store, job, stream::empty().boxed(), std::future::ready(Ok(())).boxed());
        let giving_up = async {
            store.asked.notified().await;
            cancel.cancel();
            // The upload is polled before this is polled again.
            tokio::task::yield_now().await;
            store.answer.notify_one();
        };
        let (outcome, ()) = futures::future::join(uploading, giving_up).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(*store.aborted.lock().unwrap(), [UploadId("late".to_owned())]);
    }
}
