//! What is at a key before anything is written there.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::try_join_all;
use futures::{FutureExt, TryStreamExt};

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;

use super::Transfer;

/// What was told already, so that a checkpoint of a thousand files does not tell it a thousand times.
#[derive(Debug, Default)]
pub(super) struct Told {
    goes_again: AtomicBool,
    stays: AtomicBool,
}

impl Transfer {
    /// Whether an object is to be written again although its content may be the same: it is not encrypted as it should be.
    pub(crate) fn goes_again(&self, key: &str, there: &ObjectMeta) -> bool {
        let Some(deviation) = there.deviation.as_ref().filter(|deviation| deviation.matters) else { return false };
        if !self.told.goes_again.swap(true, Ordering::Relaxed) {
            let message =
                format!("'{key}' is {} in the store: what is not as it was asked for is sent again", deviation.what);
            self.tell(&Event::Warning { message: &message });
        }
        true
    }

    /// Tells of an object whose content is the same and which stays, although it is not as it would be written now.
    pub(crate) fn stays_as_it_is(&self, key: &str, there: &ObjectMeta) {
        let Some(deviation) = &there.deviation else { return };
        if !self.told.stays.swap(true, Ordering::Relaxed) {
            let message = format!(
                "'{key}' is {} in the store already: what has the same content stays as it is; remove it first to store it anew",
                deviation.what
            );
            self.tell(&Event::Warning { message: &message });
        }
    }
}

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
