//! The object that holds a claim: each write of it is conditional on the one before.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::backend::{Precondition, StorageBackend, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::multipart;

use super::claim::Claim;
use super::fence::overtaken_by;

/// A claim of this process, and how much of what it should say is in the store.
pub(super) struct ClaimFile {
    store: Arc<dyn StorageBackend>,
    name: String,
    key: String,
    current: Mutex<Current>,
    written: tokio::sync::Mutex<Written>,
}

/// What the claim should say.
struct Current {
    claim: Claim,
    revision: u64,
    /// It is given up: it gets no new expiry.
    last: bool,
}

/// What it says.
struct Written {
    etag: String,
    revision: u64,
}

impl ClaimFile {
    /// Nothing is written yet.
    pub(super) fn new(store: Arc<dyn StorageBackend>, name: &str, key: String, claim: Claim) -> Self {
        ClaimFile {
            store,
            name: name.to_owned(),
            key,
            current: Mutex::new(Current { claim, revision: 1, last: false }),
            written: tokio::sync::Mutex::new(Written { etag: String::new(), revision: 0 }),
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What the claim says or will say.
    pub(super) fn claim(&self) -> Claim {
        self.lock().claim.clone()
    }

    /// Looks at it without a copy, which may have the parts of thousands of uploads.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Claim) -> T) -> T {
        look(&self.lock().claim)
    }

    /// Changes the claim with the next write of it.
    pub(super) fn note(&self, change: impl FnOnce(&mut Claim)) {
        let mut current = self.lock();
        change(&mut current.claim);
        current.revision += 1;
    }

    /// Writes what the claim should say now, unless another task has done so meanwhile. `first` is what the first write
    /// rests on.
    ///
    /// A write that was begun goes on where its caller is dropped or cancelled, and the next one waits for it: what
    /// became of one that was given up half way, nobody would know.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when another process has the claim; [`ErrorKind::Cancelled`] when the caller's token fired.
    pub(super) async fn write(self: &Arc<Self>, first: Option<Precondition>) -> Result<()> {
        let runtime = self.store.runtime();
        let last = self.lock().last;
        let cancelled = || Error::cancelled().action("put").on(&*self.key);
        if runtime.cancel.is_cancelled() && !last {
            return Err(cancelled());
        }
        // Without its answer nobody could give the claim up.
        let is_awaited = first.is_some() || last;
        let file = self.clone();
        let writing = Unstoppable(Some(Box::pin(async move { file.bring_up_to_date(first).await })));
        let too_late = async {
            runtime.cancel.cancelled().await;
            if is_awaited {
                tokio::time::sleep(runtime.cancel_grace).await;
            }
        };
        tokio::select! {
            biased;
            outcome = writing => outcome,
            () = too_late => Err(cancelled()),
        }
    }

    /// The same for the last time: from here on the claim is not renewed.
    pub(super) async fn write_last(self: &Arc<Self>) -> Result<()> {
        self.lock().last = true;
        self.write(None).await
    }

    async fn bring_up_to_date(&self, first: Option<Precondition>) -> Result<()> {
        let wanted = self.lock().revision;
        let mut written = self.written.lock().await;
        if written.revision >= wanted {
            return Ok(());
        }
        let (json, revision) = {
            let mut current = self.lock();
            if current.claim.is_unfinished() && !current.last {
                current.claim.renew(self.store.runtime().claim_expiry, self.store.now());
            }
            (current.claim.to_json()?, current.revision)
        };
        let body = PartBody::from_bytes(Bytes::from(json));
        let is_first = first.is_some();
        let mut precondition = first.unwrap_or_else(|| Precondition::Match(written.etag.clone()));
        loop {
            let options = WriteOptions { even_cancelled: true, ..WriteOptions::under(precondition.clone()) };
            match multipart::put_whole(&*self.store, &self.key, &body, &options).await {
                Ok(sent) => {
                    let no_etag = || Error::new(ErrorKind::Other, "the server gives objects no ETag").on(&*self.key);
                    *written = Written { etag: sent.etag.ok_or_else(no_etag)?, revision };
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Exists && !is_first => {
                    // A write of ours whose answer was lost may have arrived all the same.
                    let again = self.seen_as_ours().await?.map(Precondition::Match);
                    match again.filter(|again| *again != precondition) {
                        Some(again) => precondition = again,
                        None => return Err(overtaken_by(&*self.store, &self.name).await),
                    }
                }
                Err(error) if error.kind() == ErrorKind::Exists => {
                    return Err(overtaken_by(&*self.store, &self.name).await);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The ETag of the claim that lies there, where it is this process's own.
    pub(super) async fn seen_as_ours(&self) -> Result<Option<String>> {
        let token = self.lock().claim.writer.token.clone();
        let seen = Claim::see(&*self.store, &self.key).await?;
        Ok(seen
            .filter(|seen| seen.claim.as_ref().is_some_and(|claim| claim.writer.token == token))
            .map(|seen| seen.etag))
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that goes on by itself where whoever waits for it does not any more.
struct Unstoppable(Option<Pin<Box<dyn Future<Output = Result<()>> + Send>>>);

impl Future for Unstoppable {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let outcome = ready!(work.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Unstoppable {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}
