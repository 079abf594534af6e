//! What a name stands for in the store: a file, a checkpoint, or a directory of plain files.

use bytes::Bytes;

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::retry;
use crate::transfer::object_at;

use super::manifest::{MAX_BYTES, Manifest};
use super::marker::Marker;

/// What stands at a name.
#[derive(Clone, Debug)]
pub enum Found {
    /// An object of exactly that key.
    File(ObjectMeta),
    /// A committed checkpoint.
    Checkpoint(Manifest),
    /// Objects under the name, but no manifest.
    Directory {
        /// The objects, without our own.
        objects: Vec<ObjectMeta>,
        /// A put or a removal is going on there, or was interrupted.
        being_put: bool,
    },
}

/// Looks a name up.
///
/// # Errors
/// [`ErrorKind::NotFound`] when nothing is there; [`ErrorKind::Integrity`] when its manifest is not valid.
pub async fn find(store: &dyn StorageBackend, name: &str) -> Result<Found> {
    key::check(name)?;
    let (object, manifest) = futures::join!(object_at(store, name), read_manifest(store, name));
    if let Some(object) = object? {
        return Ok(Found::File(object));
    }
    if let Some(manifest) = manifest? {
        return Ok(Found::Checkpoint(manifest));
    }
    let mut objects = store.list(&format!("{name}/")).await?;
    let marker = match objects.iter().any(|object| object.key == Marker::key(name)) {
        true => Marker::read(store, name).await?,
        false => None,
    };
    objects.retain(|object| key::check(&object.key).is_ok());
    let being_put = marker.as_ref().is_some_and(Marker::is_unfinished);
    if objects.is_empty() && marker.is_none() {
        return Err(Error::new(ErrorKind::NotFound, "it does not exist")
            .action("find")
            .on(name)
            .at(store.endpoint())
            .hint_is("strata-ckpt ls shows what is there"));
    }
    Ok(Found::Directory { objects, being_put })
}

/// The manifest of a checkpoint, `None` where there is none.
pub(crate) async fn read_manifest(store: &dyn StorageBackend, name: &str) -> Result<Option<Manifest>> {
    let Some(json) = read_bounded(store, &key::manifest_of(name), MAX_BYTES).await? else { return Ok(None) };
    Manifest::from_json(&json).map(Some).map_err(|error| error.action("read the checkpoint").on(name))
}

/// An object of at most `limit` bytes, `None` where there is none.
pub(crate) async fn read_bounded(store: &dyn StorageBackend, key: &str, limit: u64) -> Result<Option<Bytes>> {
    let read = retry::run(store.runtime(), "read", key, || async {
        let body = store.open(key, None, None).await?;
        if body.meta.size > limit {
            return Err(Error::new(
                ErrorKind::Integrity,
                format!("it has {} bytes, more than {limit}", body.meta.size),
            ));
        }
        body.collect().await
    });
    match read.await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound && error.code() != Some("NoSuchBucket") => Ok(None),
        // A name that leaves no room for what would lie under it has nothing there.
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(None),
        Err(error) => Err(error),
    }
}
