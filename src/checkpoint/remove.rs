//! Removal: a note of what goes, then the manifest, then the files, then the note. A crash leaves no checkpoint that
//! looks whole, and nothing that has no name.

use std::collections::HashSet;

use futures::FutureExt;

use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::transfer::{Transfer, is_committed};

use super::claim::{Claim, ClaimState, SeenClaim};
use super::fence::{held_by, overtaken};
use super::find::{Found, find, read_manifest};
use super::group;
use super::lease::{Lease, abort_all};
use super::manifest::{Manifest, NEWER};
use super::put::under_lease;
use super::rank::is_rank_claim;
use super::start::look_at_claim;

/// Objects that a store is told of at once; no more than S3 takes in a request.
const DELETED_TOGETHER: usize = 1000;

/// What a removal took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files, without our own.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes a checkpoint, the remainder of an interrupted put or removal, or a single file.
///
/// # Errors
/// [`ErrorKind::NotFound`] when nothing of that name is there, or only plain files under it;
/// [`ErrorKind::Exists`] for a file of a committed checkpoint, which would be damaged.
pub async fn remove(transfer: &Transfer, name: &str) -> Result<Removed> {
    let mut plan = removal_of(transfer, name).await?;
    // A writer that has decided and was paused would otherwise commit what is gone.
    if plan.is_decided() {
        look_at_claim(transfer, name).await?;
        plan = removal_of(transfer, name).await?;
    }
    carry_out(transfer, name, plan).await
}

/// Removes the remainder of an interrupted put or removal, as long as its claim is the one that was seen.
pub(super) async fn remove_abandoned(transfer: &Transfer, name: &str, etag: &str) -> Result<Removed> {
    let again = || overtaken(name, "somebody has taken it up again".to_owned());
    match removal_of(transfer, name).await? {
        Removal::Checkpoint { seen: Some(seen), .. } if seen.etag != etag => Err(again()),
        Removal::File { .. } | Removal::Checkpoint { seen: None, .. } => Err(again()),
        plan => carry_out(transfer, name, plan).await,
    }
}

/// The code of the error for a removal that another process was in the way of before anything was taken away.
pub(super) const NOT_BEGUN: &str = "RemovalNotBegun";

pub(super) async fn carry_out(transfer: &Transfer, name: &str, plan: Removal) -> Result<Removed> {
    let store = &**transfer.store();
    let removed = plan.removed();
    match plan {
        Removal::File { .. } => {
            store.delete(name).await?;
            Ok(removed)
        }
        Removal::Checkpoint { files, seen } => {
            let mut claim =
                Claim::new(ClaimState::Removing, files.into_iter().map(|(path, _)| path).collect(), store.now());
            let (etag, earlier) = seen.map(|seen| (seen.etag, seen.claim)).unzip();
            let earlier = earlier.flatten();
            claim.uploads = earlier.as_ref().map(Claim::all_uploads).unwrap_or_default();
            let group = transfer.group();
            match Lease::take(transfer.store(), name, Claim::key(name), claim.clone(), etag).await {
                Ok(lease) => {
                    let taken = under_lease(&group, &lease, take_away(&group, &lease)).await;
                    if taken.as_ref().is_err_and(|error| error.kind() == ErrorKind::Denied) {
                        give_back_untouched(store, &lease, earlier).await;
                    }
                    taken?;
                }
                // A full disk has no room for the claim, which is why somebody removes. That of the put names the same.
                Err(error) if error.is_disk_full() && names_all(earlier.as_ref(), &claim.files) => {
                    take_away_files(&group, name, &claim).await?;
                    store.delete(&Claim::key(name)).await?;
                }
                Err(error) if error.kind() == ErrorKind::Exists => return Err(error.code_is(NOT_BEGUN)),
                Err(error) => return Err(error),
            }
            Ok(removed)
        }
    }
}

/// After a refusal: the manifest goes first, so while it stands nothing is gone, and the checkpoint is what it was.
async fn give_back_untouched(store: &dyn StorageBackend, lease: &Lease, earlier: Option<Claim>) {
    if !store.exists(&key::manifest_of(lease.name())).await.unwrap_or(false) {
        return;
    }
    let committed = || Claim { state: ClaimState::Committed, expires: None, ..lease.claim() };
    lease.give_back(earlier.unwrap_or_else(committed)).await;
}

/// The claim of a put that is done, which is not renewed, and which names these files.
fn names_all(earlier: Option<&Claim>, files: &[String]) -> bool {
    let Some(earlier) = earlier.filter(|claim| claim.state == ClaimState::Committed && claim.world_size == 1) else {
        return false;
    };
    let named: HashSet<&String> = earlier.files.iter().collect();
    files.iter().all(|file| named.contains(file))
}

/// Removes the manifest, then the files that the claim names.
async fn take_away_files(group: &Transfer, name: &str, claim: &Claim) -> Result<()> {
    let store = &**group.store();
    store.delete(&key::manifest_of(name)).await?;
    delete_all(group, claim.files.iter().map(|path| format!("{name}/{path}")).collect()).await?;
    give_up_all(store, name, claim).await
}

/// Removes objects, many in a request and some requests at once.
pub(super) async fn delete_all(group: &Transfer, keys: Vec<String>) -> Result<()> {
    let store = &**group.store();
    let work = keys.chunks(DELETED_TOGETHER).map(|chunk| async move { store.delete_many(chunk).await }.boxed());
    group::all(group, Box::new(work)).await.map(|_| ())
}

/// Removes what the claim names, the manifest first and the claim last.
async fn take_away(group: &Transfer, lease: &Lease) -> Result<()> {
    let (store, name, claim) = (&**group.store(), lease.name(), lease.claim());
    lease.confirm().await?;
    take_away_files(group, name, &claim).await?;

    // A put that took the claim over while this process was paused has begun to put its own.
    lease.confirm().await?;
    let prefix = format!("{name}/");
    let ours = store.list(&format!("{name}/{}/", key::RESERVED_DIRECTORY)).await?;
    let ours = ours.iter().map(|object| object.key.as_str());
    for rank in ours.clone().filter(|key| key.strip_prefix(&prefix).is_some_and(is_rank_claim)) {
        if let Some(claim) = Claim::see(store, rank).await?.and_then(|seen| seen.claim) {
            give_up_all(store, name, &claim).await?;
        }
    }
    let claim_key = Claim::key(name);
    for key in ours.filter(|key| *key != claim_key) {
        store.delete(key).await?;
    }
    store.delete(&claim_key).await
}

/// Gives up the uploads of a claim, which is the last that names them.
async fn give_up_all(store: &dyn StorageBackend, name: &str, claim: &Claim) -> Result<()> {
    let uploads = claim.all_uploads();
    let uploads = uploads.iter().map(|(path, upload)| (format!("{name}/{path}"), upload.id()));
    match abort_all(store, uploads).await.len() {
        0 => Ok(()),
        kept => Err(Error::new(ErrorKind::Unavailable, format!("{kept} unfinished uploads of it stay in the store"))
            .action("remove")
            .on(name)
            .hint_is("run the same command again later")),
    }
}

/// What [`remove`] would take away.
///
/// # Errors
/// As [`remove`].
pub async fn preview_removal(transfer: &Transfer, name: &str) -> Result<Removed> {
    removal_of(transfer, name).await.map(|removal| removal.removed())
}

/// What is to be removed.
pub(super) enum Removal {
    File {
        bytes: u64,
    },
    /// Paths below the name, and sizes.
    Checkpoint {
        files: Vec<(String, u64)>,
        seen: Option<Box<SeenClaim>>,
    },
}

impl Removal {
    /// What goes with it.
    pub(super) fn removed(&self) -> Removed {
        match self {
            Removal::File { bytes } => Removed { files: 1, bytes: *bytes },
            Removal::Checkpoint { files, .. } => {
                Removed { files: files.len() as u64, bytes: files.iter().map(|(_, size)| size).sum() }
            }
        }
    }

    pub(super) fn is_of_checkpoint(&self) -> bool {
        matches!(self, Removal::Checkpoint { .. })
    }

    /// A commit was decided there and not carried out.
    pub(super) fn is_decided(&self) -> bool {
        let Removal::Checkpoint { seen: Some(seen), .. } = self else { return false };
        seen.claim.as_ref().is_some_and(|claim| claim.state == ClaimState::Committing)
    }
}

/// What says which files a checkpoint has.
enum Listed {
    Committed(Manifest),
    /// No manifest, and this many objects.
    Not(usize),
    /// A manifest that is not valid.
    Spoilt(Error),
}

pub(super) async fn removal_of(transfer: &Transfer, name: &str) -> Result<Removal> {
    let store = &**transfer.store();
    let listed = match find(store, name).await {
        Ok(Found::File(object)) => {
            refuse_member(transfer, name).await?;
            return Ok(Removal::File { bytes: object.size });
        }
        Ok(Found::Checkpoint(manifest)) => Listed::Committed(manifest),
        Ok(Found::Directory { objects, .. }) => Listed::Not(objects.len()),
        Err(error) if error.kind() == ErrorKind::Integrity && error.code() != Some(NEWER) => Listed::Spoilt(error),
        Err(error) => return Err(error),
    };
    let seen = Claim::see(store, &Claim::key(name)).await?;
    let claim = seen.as_ref().and_then(|seen| seen.claim.as_ref());
    if let Some(claim) = claim.filter(|claim| claim.is_live(store.now())) {
        return Err(held_by(name, "remove", claim));
    }
    refuse_inner(transfer, name).await?;
    let named = match claim {
        Some(claim) => Some(named_by(store, name, claim).await?),
        None => None,
    };
    let files = match (listed, named) {
        (Listed::Committed(manifest), named) => {
            // What the manifest names, and what an earlier put left under the name.
            let mut named: HashSet<String> = named.unwrap_or_default().into_iter().collect();
            for file in &manifest.files {
                named.remove(&file.path);
            }
            let mut files: Vec<(String, u64)> = manifest.files.into_iter().map(|file| (file.path, file.size)).collect();
            if !named.is_empty() {
                files.extend(named_and_there(store, name, named).await?);
            }
            files
        }
        (_, Some(named)) => named_and_there(store, name, named).await?,
        (Listed::Not(0), None) => Vec::new(),
        (Listed::Not(files), None) => return Err(no_checkpoint(name, files)),
        (Listed::Spoilt(error), None) => {
            if store.list(&format!("{name}/")).await?.iter().any(|object| is_plain(&object.key)) {
                return Err(error.hint_is("nothing says which files are its own: remove them by name, then this again"));
            }
            Vec::new()
        }
    };
    Ok(Removal::Checkpoint { files, seen: seen.map(Box::new) })
}

/// The files that a claim names, and those of the ranks that work under it.
async fn named_by(store: &dyn StorageBackend, name: &str, claim: &Claim) -> Result<Vec<String>> {
    let mut files = claim.files.clone();
    if claim.world_size > 1 {
        let prefix = format!("{name}/");
        for object in store.list(&format!("{name}/{}/", key::RESERVED_DIRECTORY)).await? {
            if object.key.strip_prefix(&prefix).is_some_and(is_rank_claim) {
                let rank = Claim::see(store, &object.key).await?.and_then(|seen| seen.claim);
                if let Some(rank) = rank.as_ref().filter(|rank| rank.is_live(store.now())) {
                    return Err(held_by(name, "remove", rank));
                }
                files.extend(rank.map(|rank| rank.files).unwrap_or_default());
            }
        }
    }
    Ok(files)
}

fn is_plain(key: &str) -> bool {
    key::check(key).is_ok()
}

/// Those of the named files that are there, with their sizes. Anything else under the name is somebody's data, and so is
/// what belongs to a checkpoint that was committed inside.
async fn named_and_there(
    store: &dyn StorageBackend,
    name: &str,
    named: impl IntoIterator<Item = String>,
) -> Result<Vec<(String, u64)>> {
    let named: HashSet<String> = named.into_iter().collect();
    let below = format!("{name}/");
    let manifest = key::manifest_of("");
    let objects = store.list(&below).await?;
    let paths = || objects.iter().filter_map(|object| Some((object.key.strip_prefix(&below)?, object.size)));
    let inner: HashSet<&str> = paths().filter_map(|(path, _)| path.strip_suffix(&manifest)).collect();
    let ours = |path: &str| named.contains(path) && !key::ancestors(path).any(|ancestor| inner.contains(ancestor));
    Ok(paths().filter(|(path, _)| ours(path)).map(|(path, size)| (path.to_owned(), size)).collect())
}

fn no_checkpoint(name: &str, files: usize) -> Error {
    Error::new(ErrorKind::NotFound, format!("it is no checkpoint but a directory of plain files ({files})"))
        .action("remove")
        .on(name)
        .hint_is("name the files to remove; strata-ckpt ls --files shows them")
}

/// A file that a committed checkpoint consists of is not removed alone.
async fn refuse_member(transfer: &Transfer, key: &str) -> Result<()> {
    let store = &**transfer.store();
    for ancestor in key::ancestors(key) {
        if is_member(store, ancestor, key).await? {
            return Err(damages(ancestor, key));
        }
    }
    let Some(enclosing) = transfer.enclosing().await? else { return Ok(()) };
    for name in enclosing.names() {
        if is_member(enclosing.above(), name, &enclosing.key_of(key)).await? {
            return Err(damages(&enclosing.above().uri(name), key));
        }
    }
    Ok(())
}

/// Whether the checkpoint `name` has the file `key`. A manifest that is not valid protects nothing.
async fn is_member(store: &dyn StorageBackend, name: &str, key: &str) -> Result<bool> {
    let manifest = match read_manifest(store, name).await {
        Err(error) if error.kind() == ErrorKind::Integrity && error.code() != Some(NEWER) => None,
        outcome => outcome?,
    };
    let path = key.strip_prefix(name).and_then(|path| path.strip_prefix('/')).unwrap_or_default();
    // Where a link leads past our own directory, so does the path.
    let is_ours = path.split('/').next() == Some(key::RESERVED_DIRECTORY);
    Ok(manifest.is_some_and(|manifest| is_ours || manifest.files.iter().any(|file| file.path == path)))
}

/// Whatever lies inside a committed checkpoint may be a part of it.
async fn refuse_inner(transfer: &Transfer, name: &str) -> Result<()> {
    for ancestor in key::ancestors(name) {
        if is_committed(&**transfer.store(), ancestor).await? {
            return Err(damages(ancestor, name));
        }
    }
    match transfer.enclosing().await? {
        None => Ok(()),
        Some(enclosing) => Err(damages(&enclosing.uri(), name)),
    }
}

fn damages(checkpoint: &str, key: &str) -> Error {
    Error::new(
        ErrorKind::Exists,
        format!("it lies inside the committed checkpoint '{checkpoint}', which would be damaged"),
    )
    .action("remove")
    .on(key)
    .hint_is(format!("remove the whole checkpoint: strata-ckpt rm {checkpoint}"))
}
