//! How files and streams move: plan, pipeline, verification. Knows stores only as [`StorageBackend`].

mod download;
mod earlier;
mod enclosing;
mod existing;
mod held;
mod kept;
mod landing;
mod leftovers;
mod range;
mod resumable;
mod source;
mod stream;
mod upload;
mod verify;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::backend::{ObjectBody, StorageBackend};
use crate::checksum::Crc64;
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::flow::{Counting, Flow};
use crate::lane;
use crate::straggler::Race;
use crate::throttle::Throttle;

pub(crate) use download::Expected;
pub(crate) use enclosing::Enclosing;
pub(crate) use existing::{is_committed, object_at, refuse_clash};
pub(crate) use held::{Earlier, Held, HeldPart, SendOptions, SentFile, UploadLog, complete_held};
pub(crate) use landing::can_go_on;
pub(crate) use leftovers::{Interrupted, Left, interrupted};
pub(crate) use source::{SourceFile, Stamp, refuse_special};
pub(crate) use upload::threads;

/// Moves files and streams to and from one store. Clones share the limit on requests in flight,
/// so that many files at once keep to [`RuntimeConfig::concurrency`](crate::RuntimeConfig::concurrency) together.
#[derive(Clone)]
pub struct Transfer {
    store: Arc<dyn StorageBackend>,
    flow: Arc<Flow>,
    race: Arc<Race>,
    /// Told of what moves, for the flow to count.
    mover: Arc<dyn Observer>,
    cancel: CancellationToken,
    /// What was told of objects that are not as the store's settings say.
    told: Arc<existing::Told>,
    /// The checkpoints that the store lies in, once somebody has asked.
    enclosing: Arc<OnceCell<Option<Enclosing>>>,
}

impl Transfer {
    /// Transfers with the store's own [`RuntimeConfig`](crate::RuntimeConfig).
    pub fn new(store: Arc<dyn StorageBackend>) -> Self {
        let flow = Flow::new(store.runtime());
        let mover = Arc::new(Counting { flow: flow.clone(), observer: store.runtime().observer.clone() });
        let cancel = store.runtime().cancel.clone();
        Transfer { store, flow, race: Arc::default(), mover, cancel, told: Arc::default(), enclosing: Arc::default() }
    }

    /// The number of requests in flight.
    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn StorageBackend> {
        &self.store
    }

    /// The same, with a token of its own that gives up this group of files and no other.
    pub(crate) fn group(&self) -> Self {
        Transfer { cancel: self.cancel.child_token(), ..self.clone() }
    }

    /// Gives up all files of this group.
    pub(crate) fn give_up(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Ends `work` when this group is given up. Only for work that leaves nothing behind when it is dropped.
    pub(crate) async fn unless_given_up<T>(
        &self,
        action: &str,
        key: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {}
            outcome = work => return outcome,
        }
        lane::settled().await;
        Err(Error::cancelled().action(action).on(key))
    }

    pub(crate) fn throttle(&self) -> Option<&Throttle> {
        self.store.runtime().bandwidth.as_ref()
    }

    /// The same answer, whose bytes wait for their turn.
    pub(crate) fn paced(&self, body: ObjectBody) -> ObjectBody {
        match self.throttle() {
            Some(throttle) => ObjectBody { bytes: throttle.pace(body.bytes), ..body },
            None => body,
        }
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.store.runtime().observer.event(event);
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer").field("store", &self.store).field("flow", &self.flow).finish_non_exhaustive()
    }
}

/// What to do when the destination exists and differs. Equal content is never moved again and is a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Replace it atomically, as `cp` does.
    #[default]
    Replace,
    /// Leave it and fail with [`ErrorKind::Exists`](crate::ErrorKind::Exists), even where the content is equal.
    Refuse,
}

/// How an object is got.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// What to do when the destination exists.
    pub overwrite: Overwrite,
    /// Fail with [`ErrorKind::Integrity`](crate::ErrorKind::Integrity) where the store holds no checksum to compare
    /// with; otherwise that is an [`Event::Warning`].
    pub require_checksum: bool,
}

/// What a put did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Size of the object in bytes.
    pub size: u64,
    /// Checksum of the object.
    pub checksum: Crc64,
    /// Size of every part but the last, in bytes. Parts of a stream grow after a thousand.
    pub part_size: u64,
    /// Checksums of the parts.
    pub parts: Vec<Crc64>,
    /// The object's ETag, if the store told it.
    pub etag: Option<String>,
    /// False where the store already held the same content.
    pub moved: bool,
}

/// What a get did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Size of the file in bytes.
    pub size: u64,
    /// Checksum of the bytes that were written.
    pub checksum: Crc64,
    /// True where the store or the manifest held a checksum to compare with.
    pub verified: bool,
    /// False where the destination already held the same content.
    pub moved: bool,
}
