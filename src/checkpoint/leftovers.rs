//! What was abandoned: puts and removals that a claim says are not done, uploads and downloads that a journal of this
//! machine names, partial files of a local store, and what a check or a measurement that was killed tried with. Nothing else is a leftover: a
//! plain file without a manifest is somebody's data.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::{FutureExt, TryStreamExt};

use crate::backend::PartialFile;
use crate::error::{ErrorKind, Result};
use crate::event::Event;
use crate::key::RESERVED_DIRECTORY;
use crate::transfer::{Interrupted, Left, Transfer, interrupted};

use super::catalog::unfinished_in_words;
use super::checks::{self, Traces};
use super::claim::{Claim, ClaimState, KeptUpload, SeenClaim};
use super::find::ManifestSeen;
use super::group;
use super::lease::Lease;
use super::measured;
use super::remove::{Removed, preview_removal, remove_abandoned};

/// Ranks come one after the other, and none of them may be at work between two: what they put together counts as
/// abandoned only when nothing of it was written for so long.
const RANKS_MAY_COME: Duration = Duration::from_secs(3600);

/// Something that was begun and not ended.
#[derive(Clone, Debug)]
pub struct Leftover {
    /// The checkpoint's name, or the file's key.
    pub name: String,
    /// What it is.
    pub kind: LeftoverKind,
    /// What happened, as one line.
    pub why: String,
    /// Somebody is at it: it is listed and never removed.
    pub live: bool,
    /// Files in the store that go with it.
    pub files: u64,
    /// Their bytes, or those moved so far.
    pub bytes: u64,
    /// Multipart uploads.
    pub uploads: u64,
    what: What,
}

/// Kinds of leftovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A put or a removal of a checkpoint.
    Checkpoint,
    /// A multipart upload of a single file.
    Upload,
    /// A partial file or directory beside the destination of a get.
    Download,
    /// A partial file in a local store.
    PartialFile,
    /// What a check of the store tried with.
    Check,
    /// What a measurement of the store moved.
    Bench,
}

#[derive(Clone, Debug)]
enum What {
    /// By the ETag that its claim had.
    Claim {
        committed: bool,
        etag: String,
    },
    Journal(Box<Interrupted>),
    File(PartialFile),
    Check,
}

/// The leftovers of names that begin with `prefix`, in their order.
///
/// # Errors
/// Those of the store.
pub async fn leftovers(transfer: &Transfer, prefix: &str) -> Result<Vec<Leftover>> {
    let store = &**transfer.store();
    let suffix = Claim::key("");
    let (mut names, mut checks) = (Vec::new(), BTreeMap::new());
    let mut pages = store.pages(prefix);
    while let Some(page) = pages.try_next().await? {
        checks::collect(&mut checks, &page, store.now());
        let others = page.iter().filter(|object| checks::name_of(&object.key).is_none());
        names.extend(others.filter_map(|object| object.key.strip_suffix(&suffix)).map(str::to_owned));
    }
    let work = names.into_iter().map(|name| of_claim(transfer, name).boxed());
    let claims = group::all(&transfer.group(), Box::new(work)).await?;
    let mut uploads = HashSet::new();
    let mut found = Vec::new();
    for (leftover, ids) in claims.into_iter().flatten() {
        uploads.extend(ids);
        found.extend(leftover);
    }
    for left in interrupted(store, prefix).await? {
        let known = matches!(&left.left, Left::Upload(upload) if !uploads.insert(upload.0.clone()));
        if !known {
            found.push(of_journal(left));
        }
    }
    let expiry = store.runtime().claim_expiry;
    let is_old = |file: &PartialFile| {
        // A part may begin at any moment; an upload that nobody names is nobody's only after a while.
        file.modified.and_then(|at| store.now().duration_since(at).ok()).is_some_and(|age| age > expiry)
    };
    let files = store.partial_files(prefix).await?.into_iter();
    found.extend(files.filter(|file| !uploads.contains(&file.upload.0) && is_old(file)).map(of_file));
    for (name, traces) in checks {
        if !checks::is_in_a_checkpoint(store, &name).await? {
            let uploads = checks::uploads(store, &name, &traces.notes).await?;
            found.push(of_check(name, &traces, uploads.len() as u64));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What a claim names, and the ids of its uploads; nothing where all is done.
async fn of_claim(transfer: &Transfer, name: String) -> Result<Option<(Option<Leftover>, Vec<String>)>> {
    let store = &**transfer.store();
    let seen = match Claim::see(store, &Claim::key(&name)).await {
        // One name that cannot be looked into is in no other's way.
        Err(error) if error.kind() == ErrorKind::Integrity => {
            transfer.tell(&Event::Warning { message: &format!("'{name}' is left out: {error}") });
            return Ok(None);
        }
        seen => seen?,
    };
    let Some(SeenClaim { claim: Some(claim), etag }) = seen else { return Ok(None) };
    if !claim.is_unfinished() && claim.uploads.is_empty() {
        return Ok(None);
    }
    let (mut live, mut uploads) = (claim.is_live(store.now()), ids_of(&claim));
    let mut ranks = Vec::new();
    if claim.world_size > 1 {
        let below = format!("{name}/");
        for object in store.list(&format!("{below}{RESERVED_DIRECTORY}/rank-")).await? {
            // What is of the future, or of no time, is young.
            let is_old =
                object.modified.is_some_and(|at| store.now().duration_since(at).is_ok_and(|age| age >= RANKS_MAY_COME));
            live |= !is_old;
            if let Some(path) = object.key.strip_prefix(&below) {
                ranks.push(path.to_owned());
            }
            if let Some(rank) = Claim::see(store, &object.key).await?.and_then(|seen| seen.claim) {
                live |= rank.is_live(store.now());
                uploads.extend(ids_of(&rank));
            }
        }
    }
    let committed = matches!(ManifestSeen::at(store, &name).await?, ManifestSeen::Committed(..));
    let removal = match committed || live {
        true => Removed::default(),
        false => match preview_removal(transfer, &name).await {
            // One name that cannot be looked into is in nobody else's way.
            Err(error) if error.kind() == ErrorKind::Integrity => Removed::default(),
            outcome => outcome?,
        },
    };
    let leftover = Leftover {
        kind: LeftoverKind::Checkpoint,
        why: unfinished_in_words(&claim, store.now(), ranks.iter().map(String::as_str))
            .unwrap_or_else(|| "uploads of it could not be given up".to_owned()),
        live,
        files: removal.files,
        bytes: removal.bytes + claim.uploads.values().map(KeptUpload::sent_bytes).sum::<u64>(),
        uploads: uploads.len() as u64,
        what: What::Claim { committed, etag },
        name,
    };
    Ok(Some((Some(leftover), uploads)))
}

fn ids_of(claim: &Claim) -> Vec<String> {
    claim.all_uploads().values().map(|upload| upload.id().0).collect()
}

fn of_journal(left: Interrupted) -> Leftover {
    let (kind, why, uploads) = match &left.left {
        Left::Upload(_) => (LeftoverKind::Upload, "a put of it was interrupted".to_owned(), 1),
        Left::Download(partial) => {
            (LeftoverKind::Download, format!("a get of it was interrupted: '{}'", partial.display()), 0)
        }
    };
    let (name, bytes) = (left.key.clone(), left.bytes);
    Leftover { name, kind, why, live: false, files: 0, bytes, uploads, what: What::Journal(Box::new(left)) }
}

fn of_file(file: PartialFile) -> Leftover {
    let (name, bytes) = (file.key.clone(), file.size);
    let why = format!("a write of it was cut short: '{}'", file.upload.0);
    let kind = LeftoverKind::PartialFile;
    Leftover { name, kind, why, live: false, files: 0, bytes, uploads: 0, what: What::File(file) }
}

fn of_check(name: String, traces: &Traces, uploads: u64) -> Leftover {
    let Traces { files, bytes, live, .. } = *traces;
    let (kind, what) = match measured::is_name(&name) {
        true => (LeftoverKind::Bench, "a measurement"),
        false => (LeftoverKind::Check, "a check"),
    };
    let why = match live {
        true => format!("{what} of the store may be going on"),
        false => format!("{what} of the store was cut short"),
    };
    Leftover { name, kind, why, live, files, bytes, uploads, what: What::Check }
}

/// Removes a leftover as it was listed. One that is [`live`](Leftover::live) is left alone.
///
/// # Errors
/// [`ErrorKind::Exists`](crate::ErrorKind::Exists) when somebody has taken it up meanwhile; those of the store.
pub async fn remove_leftover(transfer: &Transfer, leftover: &Leftover) -> Result<()> {
    if leftover.live {
        return Ok(());
    }
    let store = &**transfer.store();
    match &leftover.what {
        What::Journal(left) => left.remove(store).await,
        What::File(file) => match store.partial_files(&file.key).await?.contains(file) {
            true => store.abort(&file.key, &file.upload).await,
            // Somebody writes to it, or it is gone.
            false => Ok(()),
        },
        What::Check => {
            if measured::is_name(&leftover.name) {
                measured::remove_checkpoints(transfer, &leftover.name).await?;
            }
            checks::remove(store, &leftover.name).await
        }
        What::Claim { committed: false, etag } => remove_abandoned(transfer, &leftover.name, etag).await.map(|_| ()),
        What::Claim { committed: true, etag } => {
            let Some(seen) = Claim::see(store, &Claim::key(&leftover.name)).await? else { return Ok(()) };
            let Some(earlier) = seen.claim.filter(|_| seen.etag == *etag) else { return Ok(()) };
            // The checkpoint stands; only what was to replace it is given up.
            let mut claim = Claim::new(ClaimState::Putting, earlier.files.clone(), store.now());
            claim.uploads = earlier.all_uploads();
            let key = Claim::key(&leftover.name);
            let lease = Lease::take(transfer.store(), &leftover.name, key, claim, Some(seen.etag)).await?;
            lease.end().await
        }
    }
}
