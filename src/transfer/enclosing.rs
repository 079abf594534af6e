//! Committed checkpoints that the store itself lies in: its prefix or its directory is that of one, or is inside one.
//! Keys do not tell, since they begin below.

use std::sync::Arc;

use futures::future::try_join_all;

use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::key;

use super::Transfer;
use super::existing::is_committed;

/// Checkpoints around a store.
#[derive(Debug)]
pub(crate) struct Enclosing {
    /// What the store is a part of.
    above: Arc<dyn StorageBackend>,
    /// The store's own root there.
    root: String,
    /// Names of the checkpoints there, the outermost first; at least one.
    names: Vec<String>,
}

impl Enclosing {
    pub(crate) fn above(&self) -> &dyn StorageBackend {
        &*self.above
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What a key of the store is above it.
    pub(crate) fn key_of(&self, key: &str) -> String {
        format!("{}/{key}", self.root)
    }

    /// The full name of the innermost.
    pub(crate) fn uri(&self) -> String {
        self.above.uri(self.names.last().map(String::as_str).unwrap_or_default())
    }
}

impl Transfer {
    /// The committed checkpoints that the store lies in, `None` where it lies in none. They are looked for once: one
    /// question for each component of a prefix, all together; none where there is no prefix.
    pub(crate) async fn enclosing(&self) -> Result<Option<&Enclosing>> {
        self.enclosing.get_or_try_init(|| look(&**self.store())).await.map(Option::as_ref)
    }

    /// # Errors
    /// [`ErrorKind::Exists`] where the store lies in a committed checkpoint, in which nothing is put.
    pub(crate) async fn refuse_enclosed(&self, key: &str) -> Result<()> {
        match self.enclosing().await? {
            None => Ok(()),
            Some(enclosing) => {
                let uri = enclosing.uri();
                Err(Error::new(ErrorKind::Exists, format!("it would lie inside the committed checkpoint '{uri}'"))
                    .action("put")
                    .on(key)
                    .hint_is(format!("choose another place, or remove the checkpoint first: strata-ckpt rm {uri}")))
            }
        }
    }
}

async fn look(store: &dyn StorageBackend) -> Result<Option<Enclosing>> {
    let Some((above, root)) = store.above().await? else { return Ok(None) };
    let candidates: Vec<&str> = key::ancestors(&root).chain([root.as_str()]).collect();
    let work = candidates.iter().map(|name| async {
        match is_committed(&*above, name).await {
            // Permissions often end at the root: what lies above it is nobody's business then.
            Err(error) if *name != root && is_out_of_reach(&error) => Ok(false),
            outcome => outcome,
        }
    });
    let committed = try_join_all(work).await?;
    let names: Vec<String> =
        candidates.iter().zip(committed).filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect();
    Ok((!names.is_empty()).then_some(Enclosing { above, root, names }))
}

/// It cannot be looked at, which is not to say that looking failed.
fn is_out_of_reach(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::LocalIo)
}
