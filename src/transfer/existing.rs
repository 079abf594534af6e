//! What is at a key before anything is written there.

use futures::future::try_join_all;
use futures::{FutureExt, TryStreamExt};

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::key;

/// The object at `key`, `None` where there is none. A missing permission is an error, never `None`.
pub(crate) async fn object_at(store: &dyn StorageBackend, key: &str) -> Result<Option<ObjectMeta>> {
    match store.head(key).await {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == ErrorKind::NotFound && error.code() != Some("NoSuchBucket") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a checkpoint is committed under this name. A name that leaves no room for a manifest has none.
pub(crate) async fn is_committed(store: &dyn StorageBackend, name: &str) -> Result<bool> {
    match object_at(store, &key::manifest_of(name)).await {
        Err(error) if error.kind() == ErrorKind::Invalid => Ok(false),
        outcome => Ok(outcome?.is_some()),
    }
}

/// A name is an object or a directory, never both: MinIO hides what lies under an object's name, a filesystem refuses
/// it. Nothing is written inside a committed checkpoint either.
///
/// # Errors
/// [`ErrorKind::Exists`] when an object stands where `key` needs a directory, or `key` lies in a committed checkpoint.
pub(crate) async fn refuse_clash(store: &dyn StorageBackend, key: &str) -> Result<()> {
    try_join_all(key::ancestors(key).map(|ancestor| refuse_ancestor(store, key, ancestor).boxed())).await?;
    Ok(())
}

async fn refuse_ancestor(store: &dyn StorageBackend, key: &str, ancestor: &str) -> Result<()> {
    let (object, committed) = futures::try_join!(object_at(store, ancestor), is_committed(store, ancestor))?;
    let (what, hint) = if object.is_some() {
        (format!("'{ancestor}' is a file in the store, so nothing can be put under it"), "remove the file first")
    } else if committed {
        (format!("it would lie inside the committed checkpoint '{ancestor}'"), "remove the checkpoint first")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Exists, what)
        .action("put")
        .on(key)
        .hint_is(format!("choose another key, or {hint}: strata-ckpt rm {ancestor}")))
}

/// [`refuse_clash`], and no directory stands at `key` itself.
pub(crate) async fn refuse_directory(store: &dyn StorageBackend, key: &str) -> Result<()> {
    let below = format!("{key}/");
    let clash = refuse_clash(store, key);
    let mut pages = store.pages(&below).try_filter(|page| std::future::ready(!page.is_empty()));
    let (first, ()) = futures::try_join!(pages.try_next(), clash)?;
    match first {
        None => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Exists, "a directory of that name is in the store")
            .action("put")
            .on(key)
            .hint_is("choose another key, or remove what is there first: strata-ckpt ls shows it")),
    }
}
