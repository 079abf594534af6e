//! The commit, once it is decided and the claim says so: the same steps for the writer and for whoever finds that writer
//! gone. Each step is conditional and may be repeated.
//!
//! A writer that is paused between its last look and the manifest could otherwise commit what another has replaced
//! meanwhile; so the decision itself is a conditional write of the claim, and after it no file is replaced any more.

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
use super::find::{ManifestSeen, read_manifest};
use super::group;
use super::manifest::Manifest;

/// Carries the commit out. Success means that its manifest, or one of the same content, stands.
///
/// # Errors
/// [`ErrorKind::Exists`] when it can never be finished: another checkpoint is committed, or a file is not what it was.
pub(super) async fn finish(transfer: &Transfer, name: &str, commit: &Commit) -> Result<()> {
    let store = &**transfer.store();
    let precondition = match ManifestSeen::at(store, name).await? {
        ManifestSeen::Committed(theirs, _) if is_same(&theirs, &commit.manifest) => return Ok(()),
        ManifestSeen::Committed(_, etag) if etag.is_some() && etag == commit.replaces => {
            Precondition::Match(clear_the_way(store, name, etag).await?)
        }
        ManifestSeen::Committed(theirs, _) => return Err(committed_by(name, &theirs, " with other content")),
        ManifestSeen::Replacing(Some(etag)) => Precondition::Match(etag),
        ManifestSeen::Replacing(None) | ManifestSeen::Absent => Precondition::Absent,
    };
    confirm_ranks(transfer, name, commit).await?;
    let group = transfer.group();
    let work = commit.held.iter().map(|(path, file)| appear(store, name, path, file).boxed());
    group::all(&group, Box::new(work)).await?;
    confirm_files(transfer, name, &commit.manifest.files).await?;
    write_manifest(store, name, &commit.manifest, precondition).await
}

/// Puts a note in the place of the old manifest, so that there is no checkpoint until the new one is there. An object
/// that is replaced under a condition, and not deleted: not every server deletes under one, and a writer that was paused
/// here must not take away what another has committed since.
async fn clear_the_way(store: &dyn StorageBackend, name: &str, old: Option<String>) -> Result<String> {
    let body = PartBody::from_bytes(Bytes::from(Manifest::replacing()));
    let options = WriteOptions::under(old.map_or(Precondition::Absent, Precondition::Match));
    let sent = multipart::put_whole(store, &key::manifest_of(name), &body, &options).await;
    let sent = sent.map_err(|error| lost_to_another(name, error))?;
    sent.etag.ok_or_else(|| Error::new(ErrorKind::Other, "the server gives objects no ETag").on(name))
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

async fn appear(store: &dyn StorageBackend, name: &str, path: &str, file: &HeldFile) -> Result<()> {
    let precondition = file.replaces.clone().map_or(Precondition::Absent, Precondition::Match);
    let key = format!("{name}/{path}");
    complete_held(store, &key, &file.held, &precondition).await.map_err(|error| lost_to_another(name, error))?;
    Ok(())
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

/// The same files with the same content.
fn is_same(a: &Manifest, b: &Manifest) -> bool {
    let content = |manifest: &Manifest| -> Vec<_> {
        manifest.files.iter().map(|file| (file.path.clone(), file.size, file.crc64nvme)).collect()
    };
    content(a) == content(b)
}
