//! What transfers of this machine left behind that nobody takes up: by their journals.

use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::backend::{StorageBackend, UploadId};
use crate::body::blocking;
use crate::disk::{is_partial, parent_of, sync_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{self, Abandoned, Record};

/// A transfer of a file that was interrupted.
#[derive(Clone, Debug)]
pub(crate) struct Interrupted {
    pub(crate) key: String,
    /// Bytes that it has moved.
    pub(crate) bytes: u64,
    pub(crate) left: Left,
    journal: Abandoned,
}

/// What there is to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Upload(UploadId),
    Download(PathBuf),
}

/// Those between this machine and the store, of keys that begin with `prefix`.
pub(crate) async fn interrupted(store: &dyn StorageBackend, prefix: &str) -> Result<Vec<Interrupted>> {
    let Some(state_dir) = store.runtime().state_dir.clone() else { return Ok(Vec::new()) };
    let journals = blocking(move || Ok(journal::abandoned(&state_dir))).await?;
    let (endpoint, root) = (store.endpoint(), format!("{}/", store.uri("")));
    let of_this_store = |journal: &Abandoned| match journal.subject.as_slice() {
        [_, at, uri, _] if *at == endpoint => uri.strip_prefix(&root).map(str::to_owned),
        _ => None,
    };
    let journals = journals.into_iter().filter_map(|journal| Some((of_this_store(&journal)?, journal)));
    Ok(journals.filter(|(key, _)| key.starts_with(prefix)).filter_map(|(key, journal)| of(key, journal)).collect())
}

fn of(key: String, journal: Abandoned) -> Option<Interrupted> {
    let left = match journal.records.first()? {
        Record::Upload { id, .. } => Left::Upload(UploadId(id.clone())),
        Record::Download { partial, .. } => Left::Download(partial.clone()),
        _ => return None,
    };
    let bytes = |record: &Record| match record {
        Record::Part { size, .. } => *size,
        _ => 0,
    };
    let bytes = match &left {
        Left::Upload(_) => journal.records.iter().map(bytes).sum(),
        Left::Download(partial) => std::fs::symlink_metadata(partial).map_or(0, |there| there.len()),
    };
    Some(Interrupted { key, bytes, left, journal })
}

impl Interrupted {
    /// Gives the upload up, or removes the partial file, and the journal.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::Exists`] when a process has taken it up.
    pub(crate) async fn remove(&self, store: &dyn StorageBackend) -> Result<()> {
        let (journal, key) = (self.journal.clone(), self.key.clone());
        let locked = blocking(move || match journal.lock() {
            Ok(Some(lock)) => Ok(Some((lock, journal.path))),
            Ok(None) => Err(Error::new(ErrorKind::Exists, "a process has taken it up again").action("remove").on(key)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::local(format!("read '{}'", journal.path.display()), error)),
        });
        let Some((lock, journal)) = locked.await? else { return Ok(()) };
        if let Left::Upload(upload) = &self.left {
            store.abort(&self.key, upload).await?;
        }
        let left = self.left.clone();
        blocking(move || {
            if let Left::Download(partial) = &left {
                remove_partial(partial)?;
            }
            let removed = std::fs::remove_file(&journal);
            drop(lock);
            removed.map_err(|error| Error::local(format!("remove '{}'", journal.display()), error))
        })
        .await
    }
}

/// Removes a partial file or directory, and nothing that has another name.
fn remove_partial(partial: &Path) -> Result<()> {
    let failed = |error| Error::local(format!("remove '{}'", partial.display()), error);
    if !partial.file_name().and_then(|name| name.to_str()).is_some_and(is_partial) {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(partial, flags, Mode::empty());
    // Held until it is gone, so that no process begins to write to it.
    let _held = match opened {
        Ok(opened) if rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err() => {
            return Err(Error::new(ErrorKind::Exists, "a process writes to it")
                .action(format!("remove '{}'", partial.display())));
        }
        opened => opened,
    };
    match std::fs::symlink_metadata(partial) {
        Ok(there) if there.is_dir() => std::fs::remove_dir_all(partial).map_err(failed)?,
        Ok(_) => std::fs::remove_file(partial).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    sync_directory(&parent_of(partial)).map_err(failed)
}
