//! One object through the multipart calls of a store: parts in flight, receipts in order, completed or given up.

mod complete;
mod send;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::backend::{StorageBackend, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::checksum::Crc64;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::flow::Flow;
use crate::lane;
use crate::plan;
use crate::straggler::Race;

pub(crate) use complete::{as_told, complete, review};
pub(crate) use send::{Parts, Unwatched, Watch, send_parts};

/// How long a failed transfer may still take to give its upload up, which may be while the server is overloaded.
const ABORT_TIMEOUT: Duration = Duration::from_secs(30);
const NO_ANSWER: &str = "the store did not answer in time";

/// One object's way into the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) key: &'a str,
    pub(crate) options: &'a WriteOptions,
    /// Requests in flight over all objects.
    pub(crate) flow: &'a Arc<Flow>,
    /// What the parts are compared with.
    pub(crate) race: &'a Arc<Race>,
    /// The store, where parts may go over lanes.
    pub(crate) lanes: Option<&'a Arc<dyn StorageBackend>>,
    /// Parts lie in memory from the moment they are made: no more of them are made than are about to go.
    pub(crate) in_memory: bool,
    /// Gives this object up.
    pub(crate) cancel: &'a CancellationToken,
}

/// An object that was sent and confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) size: u64,
    pub(crate) checksum: Crc64,
    pub(crate) parts: Vec<Crc64>,
    pub(crate) etag: Option<String>,
}

/// Sends the parts that `parts` yields, as many at once as there are slots, and makes the object out of them.
/// Each item is a future, so that a part is read and summed only when its turn comes. On failure, or when `cancel`
/// fires, the upload is aborted: its parts cannot be had again.
pub(crate) async fn upload<B: StorageBackend + ?Sized>(store: &B, job: Job<'_>, parts: Parts<'_>) -> Result<Sent> {
    let Job { key, options, cancel, .. } = job;
    let upload = begin(store, job).await?;
    let sending = async {
        let mut receipts = send_parts(store, job, &upload, &Unwatched, parts).await?;
        receipts.sort_by_key(|receipt| receipt.number);
        let stored = complete(store, key, &upload, &receipts, options).await?;
        as_told(key, &stored)?;
        Ok(Sent { etag: stored.etag, ..review(&receipts)? })
    };
    let outcome = tokio::select! {
        biased;
        outcome = sending => outcome,
        () = cancel.cancelled() => Err(Error::cancelled().action("put").on(key)),
    };
    if outcome.is_err() {
        give_up(store, key, &upload).await;
    }
    outcome
}

/// Aborts the upload; true where it is gone. Otherwise somebody should know: its parts cost money until a lifecycle rule
/// ends them.
pub(crate) async fn give_up<B: StorageBackend + ?Sized>(store: &B, key: &str, upload: &UploadId) -> bool {
    let soon = async {
        store.runtime().cancel.cancelled().await;
        tokio::time::sleep(store.runtime().cancel_grace).await;
    };
    abort_before(store, key, upload, soon).await
}

/// The same, as long as `over` is not there.
async fn abort_before<B: StorageBackend + ?Sized>(
    store: &B,
    key: &str,
    upload: &UploadId,
    over: impl Future<Output = ()>,
) -> bool {
    // A part that is still on its way could bring the upload's storage back.
    let aborting = async {
        lane::settled().await;
        store.abort(key, upload).await
    };
    let why_not = tokio::select! {
        aborted = tokio::time::timeout(ABORT_TIMEOUT, aborting) => match aborted {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.message().to_owned(),
            Err(_) => NO_ANSWER.to_owned(),
        },
        () = over => NO_ANSWER.to_owned(),
    };
    warn(store, &format!("the unfinished upload of '{key}' could not be aborted and stays in the store: {why_not}"));
    false
}

fn warn<B: StorageBackend + ?Sized>(store: &B, message: &str) {
    store.runtime().observer.event(&Event::Warning { message });
}

/// Begins the upload. Where that is given up meanwhile, the answer is awaited a little longer: an upload whose id nobody
/// has learnt can never be aborted, and somebody should know.
pub(crate) async fn begin<B: StorageBackend + ?Sized>(store: &B, job: Job<'_>) -> Result<UploadId> {
    let beginning = store.begin(job.key, job.options);
    tokio::pin!(beginning);
    tokio::select! {
        biased;
        upload = &mut beginning => return upload,
        () = job.cancel.cancelled() => {}
    }
    let over = tokio::time::sleep(store.runtime().cancel_grace);
    tokio::pin!(over);
    tokio::select! {
        biased;
        begun = beginning => if let Ok(upload) = begun {
            abort_before(store, job.key, &upload, over).await;
        },
        () = &mut over => warn(
            store,
            &format!(
                "an upload of '{}' may have begun and stays in the store, under an id that nobody knows: {NO_ANSWER}",
                job.key
            ),
        ),
    }
    Err(Error::cancelled().action("put").on(job.key))
}

/// One object in one request.
pub(crate) async fn put_whole<B: StorageBackend + ?Sized>(
    store: &B,
    key: &str,
    body: &PartBody,
    options: &WriteOptions,
) -> Result<Sent> {
    let stored = store.put(key, body, options).await?;
    let checksum = body.checksum().await?;
    complete::confirm(key, body.len(), checksum, &stored)?;
    as_told(key, &stored)?;
    Ok(Sent { size: body.len(), checksum, parts: vec![checksum], etag: stored.etag })
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
    let flow = Flow::new(runtime);
    let parts = stream::iter(plan.ranges()).map(|(part, range)| {
        let bytes = data.slice(plan::as_indices(&range));
        Ok(async move { Ok((part, PartBody::from_bytes(bytes))) }.boxed())
    });
    let race = Arc::default();
    let job = Job {
        key,
        options: &options,
        flow: &flow,
        race: &race,
        lanes: None,
        in_memory: false,
        cancel: &runtime.cancel,
    };
    Ok(upload(store, job, parts.boxed()).await?.size)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use tokio::sync::Notify;

    use super::*;
    use crate::backend::{Capabilities, ObjectBody, ObjectMeta, Part, PartReceipt, Stored};
    use crate::config::RuntimeConfig;
    use crate::error::ErrorKind;
    use crate::event::Observer;

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
            Capabilities { part_size: 1..=u64::MAX, max_parts: 10, max_object_size: u64::MAX, conditional_writes: None }
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
        fn pages<'a>(&'a self, _: &'a str) -> BoxStream<'a, Result<Vec<ObjectMeta>>> {
            stream::once(async { never() }).boxed()
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

    #[derive(Debug, Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Observer for Warnings {
        fn event(&self, event: &Event<'_>) {
            if let Event::Warning { message } = event {
                self.0.lock().unwrap().push((*message).to_owned());
            }
        }
    }

    /// Begins an upload, gives it up before the answer, and lets that come or not; the warnings.
    async fn given_up_while_it_begins(store: &mut SlowToBegin, answers: bool) -> Vec<String> {
        let warnings = Arc::new(Warnings::default());
        store.runtime.observer = warnings.clone();
        let (options, cancel) = (WriteOptions::replace(), CancellationToken::new());
        let (flow, race) = (Flow::new(&store.runtime), Arc::default());
        let job = Job {
            key: "k",
            options: &options,
            flow: &flow,
            race: &race,
            lanes: None,
            in_memory: false,
            cancel: &cancel,
        };
        let uploading = upload(&*store, job, stream::empty().boxed());
        let giving_up = async {
            store.asked.notified().await;
            cancel.cancel();
            // The upload is polled before this is polled again.
            tokio::task::yield_now().await;
            if answers {
                store.answer.notify_one();
            }
        };
        let (outcome, ()) = futures::future::join(uploading, giving_up).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        warnings.0.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn an_upload_that_began_while_it_was_given_up_is_aborted() {
        let mut store = SlowToBegin::default();
        assert_eq!(given_up_while_it_begins(&mut store, true).await, Vec::<String>::new());
        assert_eq!(*store.aborted.lock().unwrap(), [UploadId("late".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_may_have_begun_is_told_of() {
        let mut store = SlowToBegin::default();
        let told = given_up_while_it_begins(&mut store, false).await;
        let expected = "an upload of 'k' may have begun and stays in the store, under an id that nobody knows: the store \
                        did not answer in time";
        assert_eq!(told, [expected]);
        assert_eq!(*store.aborted.lock().unwrap(), []);
    }
}
