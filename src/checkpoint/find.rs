//! What a name stands for in the store: a file, a checkpoint, or a directory of plain files.

use bytes::Bytes;
use futures::future::try_join_all;

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::retry;
use crate::transfer::{is_committed, object_at};

use super::claim::Claim;
use super::manifest::{MAX_BYTES, Manifest, REPLACING};

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
    let (object, manifest) = futures::join!(object_at(store, name), ManifestSeen::at(store, name));
    if let Some(object) = object? {
        return Ok(Found::File(object));
    }
    let is_replaced = match manifest? {
        ManifestSeen::Committed(manifest, _) => return Ok(Found::Checkpoint(*manifest)),
        ManifestSeen::Replacing { .. } => true,
        ManifestSeen::Absent => false,
    };
    let mut objects = store.list(&format!("{name}/")).await?;
    let claim = match objects.iter().any(|object| object.key == Claim::key(name)) {
        true => Claim::read(store, name).await?,
        false => None,
    };
    objects.retain(|object| !is_ours(&object.key) && !is_folder(object));
    let being_put = claim.as_ref().is_some_and(Claim::is_unfinished);
    if objects.is_empty() && claim.is_none() && !is_replaced {
        return Err(Error::new(ErrorKind::NotFound, "it does not exist")
            .action("find")
            .on(name)
            .at(store.endpoint())
            .hint_is("strata-ckpt ls shows what is there"));
    }
    Ok(Found::Directory { objects, being_put })
}

/// The name of the innermost committed checkpoint that lies around `key`, which may also be the beginning of one. One
/// request for each `/` in it, all together; what may not be looked at counts as none.
///
/// # Errors
/// Those of the store.
pub async fn around<'a>(store: &dyn StorageBackend, key: &'a str) -> Result<Option<&'a str>> {
    let ancestors: Vec<&str> = key::ancestors(key).collect();
    let work = ancestors.iter().map(|name| async {
        match is_committed(store, name).await {
            Err(error) if error.kind() == ErrorKind::Denied => Ok(false),
            outcome => outcome,
        }
    });
    let committed = try_join_all(work).await?;
    Ok(ancestors.into_iter().zip(committed).rev().find_map(|(name, is)| is.then_some(name)))
}

fn is_ours(key: &str) -> bool {
    key.split('/').any(|part| part == key::RESERVED_DIRECTORY || part.ends_with(key::PARTIAL_SUFFIX))
}

/// What S3's console makes for an empty directory.
fn is_folder(object: &ObjectMeta) -> bool {
    object.size == 0 && object.key.ends_with('/')
}

/// The manifest of a checkpoint, `None` where there is none.
pub(crate) async fn read_manifest(store: &dyn StorageBackend, name: &str) -> Result<Option<Manifest>> {
    match ManifestSeen::at(store, name).await? {
        ManifestSeen::Committed(manifest, _) => Ok(Some(*manifest)),
        ManifestSeen::Absent | ManifestSeen::Replacing { .. } => Ok(None),
    }
}

/// What lies at a manifest's key, with the ETag by which it can be replaced.
#[derive(Clone, Debug)]
pub(crate) enum ManifestSeen {
    Absent,
    /// There is no checkpoint: the old one is gone and the new one not there yet, or never came.
    Replacing {
        etag: Option<String>,
        /// The token of the writer that put this here.
        by: String,
    },
    Committed(Box<Manifest>, Option<String>),
}

impl ManifestSeen {
    /// # Errors
    /// [`ErrorKind::Integrity`] when what lies there is no valid manifest.
    pub(crate) async fn at(store: &dyn StorageBackend, name: &str) -> Result<Self> {
        let Some((json, etag)) = read_bounded(store, &key::manifest_of(name), MAX_BYTES).await? else {
            return Ok(ManifestSeen::Absent);
        };
        match Manifest::from_json(&json) {
            Ok(manifest) => Ok(ManifestSeen::Committed(Box::new(manifest), etag)),
            Err(error) if error.code() == Some(REPLACING) => {
                Ok(ManifestSeen::Replacing { etag, by: error.key().unwrap_or_default().to_owned() })
            }
            Err(error) => Err(error.action("read the checkpoint").on(name)),
        }
    }
}

/// An object of at most `limit` bytes with its ETag, `None` where there is none.
pub(crate) async fn read_bounded(
    store: &dyn StorageBackend,
    key: &str,
    limit: u64,
) -> Result<Option<(Bytes, Option<String>)>> {
    let read = retry::run(store.runtime(), "read", key, || async {
        let body = store.open(key, None, None).await?;
        if body.meta.size > limit {
            return Err(Error::new(
                ErrorKind::Integrity,
                format!("it has {} bytes, more than {limit}", body.meta.size),
            ));
        }
        let etag = body.meta.etag.clone();
        Ok((body.collect().await?, etag))
    });
    match read.await {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == ErrorKind::NotFound && error.code() != Some("NoSuchBucket") => Ok(None),
        // A name that leaves no room for what would lie under it has nothing there.
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(None),
        Err(error) => Err(error),
    }
}
