//! The commit, once it is decided and the claim says so: the same steps for the writer and for whoever finds that writer
//! gone. Each step is conditional and may be repeated.
//!
//! A writer that is paused between its last look and the manifest could otherwise commit what another has replaced
//! meanwhile; so the decision itself is a conditional write of the claim, and after it no file is replaced any more. A
//! decision that cannot be carried out is undone by changing what the paused writer's next step depends on.

use bytes::Bytes;
use futures::FutureExt;

use crate::backend::{Precondition, StorageBackend, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::multipart;
use crate::transfer::{Transfer, complete_held, object_at};

use super::claim::{Commit, HeldFile};
use super::fence::{committed_by, confirm_files, overtaken};
use super::find::{ManifestSeen, read_bounded, read_manifest};
use super::group;
use super::manifest::{FileEntry, MAX_BYTES, Manifest};

/// The code of the error for a held upload that the store has forgotten; its key is the file's path.
pub(super) const UPLOAD_GONE: &str = "UploadGone";

/// Carries the commit out. Success means that its manifest, or one of the same content, stands; true where that is its
/// own, so that all its uploads were completed.
///
/// # Errors
/// [`ErrorKind::Exists`] when it can never be finished: another checkpoint is committed, or a file is not what it was.
pub(super) async fn finish(transfer: &Transfer, name: &str, commit: &Commit) -> Result<bool> {
    let store = &**transfer.store();
    let is_replaced = |etag: &Option<String>| etag.is_some() && *etag == commit.replaces;
    let old = match ManifestSeen::at(store, name).await? {
        ManifestSeen::Committed(_, etag) if is_replaced(&etag) => etag,
        ManifestSeen::Committed(theirs, _) if is_same(&theirs, &commit.manifest) => {
            return Ok(theirs.writer.token == commit.manifest.writer.token);
        }
        ManifestSeen::Committed(theirs, _) => return Err(committed_by(name, &theirs, " with other content")),
        ManifestSeen::Replacing { etag: Some(etag), by } if by == commit.manifest.writer.token => {
            return carry_out(transfer, name, commit, Precondition::Match(etag)).await;
        }
        ManifestSeen::Replacing { etag, .. } if is_replaced(&etag) => etag,
        ManifestSeen::Absent if commit.replaces.is_none() => {
            return carry_out(transfer, name, commit, Precondition::Absent).await;
        }
        ManifestSeen::Replacing { .. } | ManifestSeen::Absent => {
            return Err(overtaken(name, "another put or removal of it was faster".to_owned()));
        }
    };
    confirm_held(transfer, name, commit).await?;
    let way = clear_the_way(store, name, &commit.manifest.writer.token, old).await?;
    carry_out(transfer, name, commit, Precondition::Match(way)).await
}

async fn carry_out(transfer: &Transfer, name: &str, commit: &Commit, precondition: Precondition) -> Result<bool> {
    let store = &**transfer.store();
    confirm_ranks(transfer, name, commit).await?;
    let group = transfer.group();
    let work = commit.held.iter().map(|(path, file)| appear(store, name, path, file, &commit.manifest).boxed());
    group::all(&group, Box::new(work)).await?;
    confirm_files(transfer, name, &commit.manifest.files).await?;
    write_manifest(store, name, &commit.manifest, precondition).await.map(|()| true)
}

/// After a commit was carried out whose claim somebody else has: it stands where all of it is there. Where that was a
/// removal, the manifest must not stand over nothing.
///
/// # Errors
/// [`ErrorKind::Exists`] where it does not stand.
pub(super) async fn confirm_stands(transfer: &Transfer, name: &str, manifest: &Manifest) -> Result<()> {
    let store = &**transfer.store();
    let etag = match ManifestSeen::at(store, name).await? {
        // Replaced by a later put, which found ours complete.
        ManifestSeen::Committed(theirs, _) if theirs.writer.token != manifest.writer.token => return Ok(()),
        ManifestSeen::Replacing { .. } => return Ok(()),
        ManifestSeen::Absent => return Err(overtaken(name, "it was removed meanwhile".to_owned())),
        ManifestSeen::Committed(_, etag) => etag,
    };
    match confirm_files(transfer, name, &manifest.files).await {
        Err(error) if error.kind() == ErrorKind::Exists => {
            let nobodys = uuid::Uuid::new_v4().simple().to_string();
            clear_the_way(store, name, &nobodys, etag).await.map(drop)?;
            Err(error)
        }
        outcome => outcome,
    }
}

/// Makes sure that nobody, the writer itself included, goes on with a decision that cannot be carried out.
pub(super) async fn undo(transfer: &Transfer, name: &str, commit: &Commit) -> Result<()> {
    let store = &**transfer.store();
    let nobodys = uuid::Uuid::new_v4().simple().to_string();
    let outcome = match ManifestSeen::at(store, name).await? {
        // The old checkpoint stands, under another ETag from now on.
        ManifestSeen::Committed(_, etag) if etag.is_some() && etag == commit.replaces => {
            rewrite_manifest(store, name, etag, &nobodys).await
        }
        ManifestSeen::Replacing { etag, by } if by == commit.manifest.writer.token || etag == commit.replaces => {
            clear_the_way(store, name, &nobodys, etag).await.map(drop)
        }
        ManifestSeen::Absent if commit.replaces.is_none() => clear_the_way(store, name, &nobodys, None).await.map(drop),
        _ => return Ok(()),
    };
    match outcome {
        // Somebody else has changed it.
        Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
        outcome => outcome,
    }
}

/// Puts a note in the manifest's place, so that there is no checkpoint until the new one is there. An object that is
/// replaced under a condition, and not deleted: not every server deletes under one, and a writer that was paused here
/// must not take away what another has committed since.
async fn clear_the_way(store: &dyn StorageBackend, name: &str, token: &str, old: Option<String>) -> Result<String> {
    let body = PartBody::from_bytes(Bytes::from(Manifest::replacing(token)));
    let options = WriteOptions::under(old.map_or(Precondition::Absent, Precondition::Match));
    let sent = multipart::put_whole(store, &key::manifest_of(name), &body, &options).await;
    let sent = sent.map_err(|error| lost_to_another(name, error))?;
    sent.etag.ok_or_else(|| Error::new(ErrorKind::Other, "the server gives objects no ETag").on(name))
}

/// The same manifest with a field that readers ignore.
async fn rewrite_manifest(store: &dyn StorageBackend, name: &str, etag: Option<String>, token: &str) -> Result<()> {
    let key = key::manifest_of(name);
    let Some((json, _)) = read_bounded(store, &key, MAX_BYTES).await? else { return Ok(()) };
    let Ok(mut manifest) = serde_json::from_slice::<serde_json::Value>(&json) else { return Ok(()) };
    manifest["rewritten"] = token.into();
    let body = PartBody::from_bytes(Bytes::from(manifest.to_string()));
    let options = WriteOptions::under(etag.map_or(Precondition::Absent, Precondition::Match));
    multipart::put_whole(store, &key, &body, &options).await.map(drop)
}

/// Fails while the old checkpoint still stands where something that was held cannot take its place any more.
async fn confirm_held(transfer: &Transfer, name: &str, commit: &Commit) -> Result<()> {
    let store = &**transfer.store();
    let work = commit.held.iter().map(|(path, file)| {
        async move {
            let there = object_at(store, &format!("{name}/{path}")).await?;
            let etag = there.as_ref().and_then(|object| object.etag.clone());
            let is_there = there.is_some_and(|object| object.token.as_deref() == Some(&file.held.token));
            match is_there || etag == file.replaces {
                true => Ok(()),
                false => Err(overtaken(name, format!("'{path}' was replaced or removed meanwhile"))),
            }
        }
        .boxed()
    });
    group::all(&transfer.group(), Box::new(work)).await.map(|_| ())
}

/// Fails where a rank has taken its manifest back since it was read.
async fn confirm_ranks(transfer: &Transfer, name: &str, commit: &Commit) -> Result<()> {
    let store = &**transfer.store();
    let work = commit.ranks.iter().map(|(key, etag)| {
        async move {
            match object_at(store, key).await?.is_some_and(|object| object.etag == *etag) {
                true => Ok(()),
                false => Err(overtaken(name, format!("'{}' was replaced meanwhile", key::file_name(key)))),
            }
        }
        .boxed()
    });
    group::all(&transfer.group(), Box::new(work)).await.map(|_| ())
}

async fn appear(
    store: &dyn StorageBackend,
    name: &str,
    path: &str,
    file: &HeldFile,
    manifest: &Manifest,
) -> Result<()> {
    let precondition = file.replaces.clone().map_or(Precondition::Absent, Precondition::Match);
    let key = format!("{name}/{path}");
    match complete_held(store, &key, &file.held, &precondition).await {
        Ok(_) => Ok(()),
        // The upload is gone: completed by another finisher on a store that keeps no tokens, or given up for good.
        Err(error) if error.kind() == ErrorKind::NotFound || error.code() == Some("NoSuchUpload") => {
            let there = object_at(store, &key).await?;
            let entry = manifest.files.iter().find(|entry| entry.path == path);
            let is_it = |entry: &&FileEntry| {
                there.as_ref().is_some_and(|object| {
                    object.size == entry.size
                        && object.etag != file.replaces
                        && object.checksum.is_none_or(|checksum| checksum == entry.crc64nvme)
                })
            };
            match entry.filter(is_it) {
                Some(_) => Ok(()),
                None => Err(overtaken(path, "its upload is gone".to_owned()).code_is(UPLOAD_GONE)),
            }
        }
        Err(error) => Err(lost_to_another(name, error)),
    }
}

fn lost_to_another(name: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Exists => overtaken(name, "another put or removal of it was faster".to_owned()),
        _ => error,
    }
}

/// This is the moment in which the checkpoint appears.
async fn write_manifest(
    store: &dyn StorageBackend,
    name: &str,
    manifest: &Manifest,
    precondition: Precondition,
) -> Result<()> {
    let body = PartBody::from_bytes(Bytes::from(manifest.to_json()?));
    let options = WriteOptions::under(precondition);
    match multipart::put_whole(store, &key::manifest_of(name), &body, &options).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Exists => match read_manifest(store, name).await? {
            Some(theirs) if is_same(&theirs, manifest) => Ok(()),
            Some(theirs) => Err(committed_by(name, &theirs, " with other content")),
            None => Err(lost_to_another(name, error)),
        },
        Err(error) => Err(error),
    }
}

/// The same files with the same content, put together in the same way.
fn is_same(a: &Manifest, b: &Manifest) -> bool {
    let content = |manifest: &Manifest| -> Vec<_> {
        manifest.files.iter().map(|file| (file.path.clone(), file.size, file.crc64nvme)).collect()
    };
    a.meta == b.meta && a.world_size == b.world_size && content(a) == content(b)
}
