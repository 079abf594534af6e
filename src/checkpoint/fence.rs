//! What keeps a writer that was paused, and lost its claim meanwhile, from damaging what another has put: every write is
//! conditional on what was seen before, and every file is looked at once more before the manifest is written.

use std::collections::HashMap;

use futures::FutureExt;

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::{Transfer, object_at};

use super::claim::Claim;
use super::find::read_manifest;
use super::group;
use super::manifest::{FileEntry, Manifest};

/// More files than this are looked at by a listing, a thousand in a request, before each is looked at alone.
const FEW: usize = 4;

/// Fails where one of the files is not what was sent. A file whose ETag is that of its writing is what was sent.
pub(super) async fn confirm_files(transfer: &Transfer, name: &str, files: &[FileEntry]) -> Result<()> {
    let store = &**transfer.store();
    let listed = if files.len() > FEW { store.list(&format!("{name}/")).await? } else { Vec::new() };
    let listed: HashMap<&str, &ObjectMeta> = listed.iter().map(|object| (object.key.as_str(), object)).collect();
    let is_listed = |file: &FileEntry| {
        let object = listed.get(format!("{name}/{}", file.path).as_str());
        object.is_some_and(|object| object.size == file.size && object.etag.is_some() && object.etag == file.etag)
    };
    let rest = files.iter().filter(|file| !is_listed(file));
    let work = rest.map(|file| confirm_file(store, name, file).boxed());
    group::all(&transfer.group(), Box::new(work)).await.map(|_| ())
}

async fn confirm_file(store: &dyn StorageBackend, name: &str, file: &FileEntry) -> Result<()> {
    let same = object_at(store, &format!("{name}/{}", file.path)).await?.is_some_and(|object| {
        object.size == file.size
            && match object.checksum {
                Some(checksum) => checksum == file.crc64nvme,
                None => object.etag.is_none() || file.etag.is_none() || object.etag == file.etag,
            }
    });
    match same {
        true => Ok(()),
        false => Err(overtaken(name, format!("'{}' was replaced or removed meanwhile", file.path))),
    }
}

/// The name is taken by a writer that is at work.
pub(super) fn held_by(name: &str, action: &str, claim: &Claim) -> Error {
    let until = claim.expires.as_deref().unwrap_or("now");
    Error::new(ErrorKind::Exists, format!("{}, with a claim until {until}", claim.holder()))
        .action(action)
        .on(name)
        .hint_is("wait until it is done; if it is gone for good, run the same command again after that time")
}

pub(super) fn overtaken(name: &str, what: String) -> Error {
    Error::new(ErrorKind::Exists, what).action("put the checkpoint").on(name).hint_is(
        "one name takes one put at a time: see what is there (strata-ckpt ls), then run the same command again",
    )
}

/// The code of the error for a committed checkpoint of other content.
pub(super) const OTHER_CONTENT: &str = "OtherContent";

/// Another was first, and `how` its content differs.
pub(super) fn other_content(name: &str, manifest: &Manifest, how: &str) -> Error {
    committed_by(name, manifest, how).code_is(OTHER_CONTENT)
}

/// Another was first; `how` its content differs.
pub(super) fn committed_by(name: &str, manifest: &Manifest, how: &str) -> Error {
    let Manifest { created, writer, .. } = manifest;
    Error::new(ErrorKind::Exists, format!("it was committed at {created} by {}{how}", writer.host))
        .action("put the checkpoint")
        .on(name)
        .hint_is(format!("put under another name, or replace it with --force, or remove it: strata-ckpt rm {name}"))
}

/// Says who has the name now that it is no longer ours.
pub(super) async fn overtaken_by(store: &dyn StorageBackend, name: &str) -> Error {
    if let Ok(Some(manifest)) = read_manifest(store, name).await {
        return committed_by(name, &manifest, "");
    }
    match Claim::read(store, name).await {
        Ok(Some(claim)) if claim.is_unfinished() => {
            overtaken(name, format!("another put or removal of it took over: {}", claim.holder()))
        }
        Ok(None) => overtaken(name, "it was removed meanwhile".to_owned()),
        _ => overtaken(name, "another put or removal of it took over".to_owned()),
    }
}
