//! A claim that this process holds: renewed while it works, and the journal of its uploads for other hosts.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::backend::{PartReceipt, Precondition, StorageBackend, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::multipart;
use crate::transfer::{Earlier, Left, UploadLog, interrupted};

use super::claim::{Claim, ClaimState, KeptUpload};
use super::fence::overtaken_by;

/// A claim is renewed so often within its expiry, so that two renewals may fail.
const RENEWALS: u32 = 3;
/// How long the last word of an interrupted writer may take; whoever sent SIGTERM waits for it.
const LAST_WORD: Duration = Duration::from_millis(1_400);

/// A held claim. Every write of it is conditional on the one before, so that who lost it learns so.
pub(super) struct Lease {
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
}

/// What it says.
struct Written {
    etag: String,
    revision: u64,
}

impl Lease {
    /// Writes `claim` at `key`, in place of what was `seen` there.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when another process was faster.
    pub(super) async fn take(
        store: &Arc<dyn StorageBackend>,
        name: &str,
        key: String,
        claim: Claim,
        seen: Option<String>,
    ) -> Result<Self> {
        let lease = Lease {
            store: store.clone(),
            name: name.to_owned(),
            key,
            current: Mutex::new(Current { claim, revision: 1 }),
            written: tokio::sync::Mutex::new(Written { etag: String::new(), revision: 0 }),
        };
        let first = seen.map_or(Precondition::Absent, Precondition::Match);
        lease.write(Some(first), false).await?;
        Ok(lease)
    }

    /// The name of the checkpoint.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the claim says or will say.
    pub(super) fn claim(&self) -> Claim {
        self.lock().claim.clone()
    }

    /// Changes the claim; it is in the store when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when another process has taken it over.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Claim)) -> Result<()> {
        self.note(change);
        self.write(None, false).await
    }

    /// Changes the claim with the next write of it.
    fn note(&self, change: impl FnOnce(&mut Claim)) {
        let mut current = self.lock();
        change(&mut current.claim);
        current.revision += 1;
    }

    /// Renews the claim in time until another process has taken it over, and returns that.
    pub(super) async fn keep(&self) -> Error {
        let expiry = self.store.runtime().claim_expiry;
        loop {
            tokio::time::sleep(expiry / RENEWALS).await;
            match self.change(|_| {}).await {
                // Whoever took over finishes what was decided, and so does this process: each step is conditional.
                Err(error) if error.kind() == ErrorKind::Exists && self.is_decided() => {
                    return std::future::pending().await;
                }
                Err(error) if error.kind() == ErrorKind::Exists => return error,
                // The store may be away for a while; whoever takes the claim over meanwhile is noticed then.
                _ => {}
            }
        }
    }

    fn is_decided(&self) -> bool {
        matches!(self.lock().claim.state, ClaimState::Committing | ClaimState::Committed)
    }

    /// An upload that the store does not have any more is nobody's to go on with.
    pub(super) async fn forget(&self, path: &str) {
        let upload = self.claim().all_uploads().remove(path);
        let upload = upload.map(|upload| (format!("{}/{path}", self.name), upload.id()));
        abort_all(&*self.store, upload.into_iter()).await;
        self.note(|claim| {
            claim.uploads.remove(path);
        });
    }

    /// Fails when another process has taken the claim over.
    pub(super) async fn confirm(&self) -> Result<()> {
        match self.seen_as_ours().await? {
            Some(_) => Ok(()),
            None => Err(overtaken_by(&*self.store, &self.name).await),
        }
    }

    /// Gives the claim up where the work is not done, so that anybody can go on at once. Also after the caller's token
    /// fired. Where it fails, the claim expires.
    pub(super) async fn release(&self) {
        self.note(|claim| claim.expires = None);
        let _ = tokio::time::timeout(LAST_WORD, self.write(None, true)).await;
    }

    /// Nothing more is to be done for the uploads of the commit that was decided.
    pub(super) fn held_are_completed(&self) {
        self.note(|claim| {
            if let Some(commit) = claim.commit.take() {
                claim.uploads.retain(|path, _| !commit.held.contains_key(path));
            }
        });
    }

    /// A decision that cannot be carried out is taken back; its uploads may go on in another put.
    pub(super) async fn take_back(&self) -> Result<()> {
        self.change(|claim| {
            claim.uploads = claim.all_uploads();
            claim.state = ClaimState::Putting;
            claim.commit = None;
        })
        .await
    }

    /// The claim says again what it said before this process took it: nothing was done under it. Where that cannot be
    /// written, it stays as it is.
    pub(super) async fn give_back(&self, earlier: Claim) {
        self.note(|claim| *claim = earlier);
        let _ = tokio::time::timeout(LAST_WORD, self.write(None, true)).await;
    }

    /// Gives up what was sent of files that are not there, after the work has failed for good.
    /// Not those of a commit that was decided.
    pub(super) async fn give_up_uploads(&self) {
        if self.is_decided() {
            return;
        }
        let uploads = self.claim().all_uploads();
        let left = uploads.iter().map(|(path, upload)| (format!("{}/{path}", self.name), upload.id()));
        let kept = abort_all(&*self.store, left).await;
        self.note(|claim| {
            claim.uploads.retain(|_, upload| kept.contains(&upload.id().0));
        });
        let _ = self.write(None, true).await;
    }

    /// The work is done: uploads that nobody took up are given up, and the claim says only what was put.
    pub(super) async fn end(&self) -> Result<()> {
        self.end_but(|_| false).await
    }

    /// [`end`](Self::end), where the uploads of some files are still needed.
    pub(super) async fn end_but(&self, is_needed: impl Fn(&str) -> bool) -> Result<()> {
        let left = self.claim().all_uploads();
        let left = left
            .iter()
            .filter(|(path, _)| !is_needed(path))
            .map(|(path, upload)| (format!("{}/{path}", self.name), upload.id()));
        let kept = abort_all(&*self.store, left).await;
        self.note(|claim| {
            claim.state = ClaimState::Committed;
            claim.expires = None;
            claim.uploads = claim.all_uploads();
            claim.uploads.retain(|path, upload| is_needed(path) || kept.contains(&upload.id().0));
            claim.commit = None;
        });
        self.write(None, false).await
    }

    /// Writes what the claim should say now, unless another task has done so meanwhile.
    async fn write(&self, first: Option<Precondition>, last: bool) -> Result<()> {
        let wanted = self.lock().revision;
        let mut written = self.written.lock().await;
        if written.revision >= wanted {
            return Ok(());
        }
        let (json, revision) = {
            let mut current = self.lock();
            if current.claim.is_unfinished() && !last {
                current.claim.renew(self.store.runtime().claim_expiry, self.store.now());
            }
            (current.claim.to_json()?, current.revision)
        };
        let body = PartBody::from_bytes(Bytes::from(json));
        let is_first = first.is_some();
        let mut precondition = first.unwrap_or_else(|| Precondition::Match(written.etag.clone()));
        loop {
            let options = WriteOptions { even_cancelled: last, ..WriteOptions::under(precondition.clone()) };
            match multipart::put_whole(&*self.store, &self.key, &body, &options).await {
                Ok(sent) => {
                    let no_etag = || Error::new(ErrorKind::Other, "the server gives objects no ETag").on(&*self.key);
                    *written = Written { etag: sent.etag.ok_or_else(no_etag)?, revision };
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Exists && !is_first => {
                    // A write of ours that was given up half way may have arrived all the same.
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
    async fn seen_as_ours(&self) -> Result<Option<String>> {
        let token = self.lock().claim.writer.token.clone();
        let seen = Claim::see(&*self.store, &self.key).await?;
        Ok(seen
            .filter(|seen| seen.claim.as_ref().is_some_and(|claim| claim.writer.token == token))
            .map(|seen| seen.etag))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.name).and_then(|path| path.strip_prefix('/')).unwrap_or(key)
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("key", &self.key).finish_non_exhaustive()
    }
}

#[async_trait]
impl UploadLog for Lease {
    fn earlier(&self, key: &str) -> Option<Earlier> {
        self.lock().claim.uploads.get(self.path_of(key)).map(KeptUpload::to_earlier)
    }

    async fn begun(&self, key: &str, upload: &Earlier) -> Result<()> {
        let path = self.path_of(key).to_owned();
        self.change(|claim| {
            claim.uploads.insert(path, KeptUpload::of(upload));
        })
        .await
    }

    fn part(&self, key: &str, receipt: &PartReceipt) {
        self.note(|claim| {
            if let Some(upload) = claim.uploads.get_mut(self.path_of(key)) {
                upload.add(receipt);
            }
        });
    }

    fn ended(&self, key: &str) {
        self.note(|claim| {
            claim.uploads.remove(self.path_of(key));
        });
    }
}

/// Gives uploads up as far as the store lets, and the journals of this machine that name them; where that fails somebody
/// should know. The ids of those that stay.
pub(super) async fn abort_all(
    store: &dyn StorageBackend,
    uploads: impl Iterator<Item = (String, UploadId)>,
) -> HashSet<String> {
    let (mut gone, mut kept) = (HashSet::new(), HashSet::new());
    for (key, upload) in uploads {
        match store.abort(&key, &upload).await {
            Ok(()) => drop(gone.insert(upload.0)),
            Err(error) => {
                let message = format!("an unfinished upload stays in the store: {error}");
                store.runtime().observer.event(&Event::Warning { message: &message });
                kept.insert(upload.0);
            }
        }
    }
    if gone.is_empty() {
        return kept;
    }
    let journals = interrupted(store, "").await.unwrap_or_default().into_iter();
    for journal in journals.filter(|journal| matches!(&journal.left, Left::Upload(id) if gone.contains(&id.0))) {
        // One that a process has taken up is that process's business.
        let _ = journal.remove(store).await;
    }
    kept
}
