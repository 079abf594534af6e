//! Removal: a note of what goes, then the manifest, then the files, then the note. A crash leaves no checkpoint that
//! looks whole, and nothing that has no name.

use std::collections::HashSet;

use futures::FutureExt;

use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::transfer::{Transfer, is_committed};

use super::fence::refuse_live;
use super::find::{Found, find, read_manifest};
use super::group;
use super::manifest::{Manifest, NEWER, Writer};
use super::marker::{Marker, MarkerState, valid_marker};

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
    let plan = removal_of(transfer, name).await?;
    let store = &**transfer.store();
    match plan {
        Removal::File { bytes } => {
            store.delete(name).await?;
            Ok(Removed { files: 1, bytes })
        }
        Removal::Checkpoint { files } => {
            let paths: Vec<String> = files.iter().map(|(path, _)| path.clone()).collect();
            Marker::new(MarkerState::Removing, Writer::this_process(), paths).write(store, name).await?;
            store.delete(&key::manifest_of(name)).await?;
            let keys = files.iter().map(|(path, _)| format!("{name}/{path}"));
            let work = keys.map(|key| async move { store.delete(&key).await }.boxed());
            group::all(&transfer.group(), Box::new(work)).await?;
            store.delete(&Marker::key(name)).await?;
            Ok(Removed { files: files.len() as u64, bytes: files.iter().map(|(_, size)| size).sum() })
        }
    }
}

/// What [`remove`] would take away.
///
/// # Errors
/// As [`remove`].
pub async fn preview_removal(transfer: &Transfer, name: &str) -> Result<Removed> {
    Ok(match removal_of(transfer, name).await? {
        Removal::File { bytes } => Removed { files: 1, bytes },
        Removal::Checkpoint { files } => {
            Removed { files: files.len() as u64, bytes: files.iter().map(|(_, size)| size).sum() }
        }
    })
}

enum Removal {
    File {
        bytes: u64,
    },
    /// Paths below the name, and sizes.
    Checkpoint {
        files: Vec<(String, u64)>,
    },
}

/// What says which files a checkpoint has.
enum Listed {
    Committed(Manifest),
    /// No manifest, and this many objects.
    Not(usize),
    /// A manifest that is not valid.
    Spoilt(Error),
}

async fn removal_of(transfer: &Transfer, name: &str) -> Result<Removal> {
    let store = &**transfer.store();
    let listed = match find(store, name).await {
        Ok(Found::File(object)) => {
            refuse_member(store, name).await?;
            return Ok(Removal::File { bytes: object.size });
        }
        Ok(Found::Checkpoint(manifest)) => Listed::Committed(manifest),
        Ok(Found::Directory { objects, .. }) => Listed::Not(objects.len()),
        Err(error) if error.kind() == ErrorKind::Integrity && error.code() != Some(NEWER) => Listed::Spoilt(error),
        Err(error) => return Err(error),
    };
    let marker = valid_marker(store, name).await?;
    refuse_live(name, "remove", marker.as_ref())?;
    refuse_inner(store, name).await?;
    let files = match (listed, marker.map(|marker| marker.files)) {
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
        (Listed::Not(files), None) => return Err(no_checkpoint(name, files)),
        (Listed::Spoilt(error), None) => {
            if store.list(&format!("{name}/")).await?.iter().any(|object| is_plain(&object.key)) {
                return Err(error.hint_is("nothing says which files are its own: remove them by name, then this again"));
            }
            Vec::new()
        }
    };
    Ok(Removal::Checkpoint { files })
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
async fn refuse_member(store: &dyn StorageBackend, key: &str) -> Result<()> {
    for ancestor in key::ancestors(key) {
        let path = &key[ancestor.len() + 1..];
        // A manifest that is not valid protects nothing.
        let manifest = match read_manifest(store, ancestor).await {
            Err(error) if error.kind() == ErrorKind::Integrity && error.code() != Some(NEWER) => None,
            outcome => outcome?,
        };
        if manifest.is_some_and(|manifest| manifest.files.iter().any(|file| file.path == path)) {
            return Err(damages(ancestor, key));
        }
    }
    Ok(())
}

/// Whatever lies inside a committed checkpoint may be a part of it.
async fn refuse_inner(store: &dyn StorageBackend, name: &str) -> Result<()> {
    for ancestor in key::ancestors(name) {
        if is_committed(store, ancestor).await? {
            return Err(damages(ancestor, name));
        }
    }
    Ok(())
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
