//! A claim that this process holds: renewed while it works, and the journal of its uploads for other hosts.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::backend::{PartReceipt, Precondition, StorageBackend, UploadId};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::transfer::{Earlier, Left, UploadLog, interrupted};

use super::claim::{Claim, ClaimState, KeptUpload};
use super::claim_file::ClaimFile;
use super::fence::overtaken_by;

/// A claim is renewed so often within its expiry, so that two renewals may fail.
const RENEWALS: u32 = 3;

/// A held claim.
pub(super) struct Lease {
    store: Arc<dyn StorageBackend>,
    name: String,
    file: Arc<ClaimFile>,
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
        let file = Arc::new(ClaimFile::new(store.clone(), name, key, claim));
        file.write(Some(seen.map_or(Precondition::Absent, Precondition::Match))).await?;
        Ok(Lease { store: store.clone(), name: name.to_owned(), file })
    }

    /// The name of the checkpoint.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What the claim says or will say.
    pub(super) fn claim(&self) -> Claim {
        self.file.claim()
    }

    /// Changes the claim; it is in the store when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when another process has taken it over.
    pub(super) async fn change(&self, change: impl FnOnce(&mut Claim)) -> Result<()> {
        self.note(change);
        self.file.write(None).await
    }

    /// Changes the claim with the next write of it.
    fn note(&self, change: impl FnOnce(&mut Claim)) {
        self.file.note(change);
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
        self.file.with(|claim| matches!(claim.state, ClaimState::Committing | ClaimState::Committed))
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
        match self.file.seen_as_ours().await? {
            Some(_) => Ok(()),
            None => Err(overtaken_by(&*self.store, &self.name).await),
        }
    }

    /// Gives the claim up where the work is not done, so that anybody can go on at once. Also after the caller's token
    /// fired. Where it fails, the claim expires.
    pub(super) async fn release(&self) {
        self.note(|claim| claim.expires = None);
        self.say_last().await;
    }

    /// The last word of a writer that has failed. Somebody may wait for its end.
    async fn say_last(&self) {
        let _ = tokio::time::timeout(self.store.runtime().cancel_grace, self.file.write_last()).await;
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
        self.say_last().await;
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
        let _ = self.file.write_last().await;
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
        self.file.write(None).await
    }

    fn path_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.name).and_then(|path| path.strip_prefix('/')).unwrap_or(key)
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("key", &self.file.key()).finish_non_exhaustive()
    }
}

#[async_trait]
impl UploadLog for Lease {
    fn earlier(&self, key: &str) -> Option<Earlier> {
        self.file.with(|claim| claim.uploads.get(self.path_of(key)).map(KeptUpload::to_earlier))
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
