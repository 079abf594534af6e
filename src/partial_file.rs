//! A file that is being written: beside its destination, under a name of its own, gone unless it is committed.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::disk::{make_directories, parent_of, partial_prefix, sync_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::key::PARTIAL_SUFFIX;

/// A partial file; removed when dropped before [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct PartialFile {
    file: Arc<File>,
    beside: NamedTempFile,
    destination: PathBuf,
}

impl PartialFile {
    /// Creates one in the destination's directory, and that directory where it is missing.
    pub(crate) fn create(destination: &Path) -> Result<Self> {
        let directory = make_parent_of(destination)?;
        let fail = |error| writing(format!("write in '{}'", directory.display()), error);
        let beside = Builder::new()
            .prefix(&prefix_for(destination))
            .suffix(PARTIAL_SUFFIX)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&directory)
            .map_err(fail)?;
        let file = Arc::new(beside.as_file().try_clone().map_err(fail)?);
        Ok(PartialFile { file, beside, destination: destination.to_owned() })
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Makes it durable and gives it its final name; with `refuse` only where nothing has that name.
    /// Whatever fails, the old file keeps its name and content.
    pub(crate) fn commit(self, refuse: bool) -> Result<()> {
        let PartialFile { file, beside, destination } = self;
        let fail = |error| writing(format!("write '{}'", destination.display()), error);
        file.sync_all().map_err(fail)?;
        let renamed = match refuse {
            true => beside.persist_noclobber(&destination),
            false => beside.persist(&destination),
        };
        match renamed {
            Ok(_) => sync_entry_of(&destination),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&destination)),
            Err(failed) => Err(fail(failed.error)),
        }
    }
}

/// A directory that is being filled beside its destination; removed when dropped before [`commit`](Self::commit).
#[derive(Debug)]
pub(crate) struct PartialDirectory {
    beside: TempDir,
    destination: PathBuf,
}

impl PartialDirectory {
    pub(crate) fn create(destination: &Path) -> Result<Self> {
        let directory = make_parent_of(destination)?;
        let beside = Builder::new()
            .prefix(&prefix_for(destination))
            .suffix(PARTIAL_SUFFIX)
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&directory)
            .map_err(|error| writing(format!("create a directory in '{}'", directory.display()), error))?;
        Ok(PartialDirectory { beside, destination: destination.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.beside.path()
    }

    /// Gives it its final name, where nothing has it.
    pub(crate) fn commit(self) -> Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let PartialDirectory { beside, destination } = self;
        let fail = |error: io::Error| Error::local(format!("create '{}'", destination.display()), error);
        sync_directory(beside.path()).map_err(fail)?;
        match renameat_with(CWD, beside.path(), CWD, &destination, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => return Err(exists(&destination)),
            // A filesystem without the flag: plain rename never replaces a directory that has files in it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                std::fs::rename(beside.path(), &destination).map_err(fail)?;
            }
            Err(errno) => return Err(fail(errno.into())),
        }
        let _ = beside.keep();
        sync_entry_of(&destination)
    }
}

fn exists(destination: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("'{}' exists already", destination.display()))
        .hint_is("choose another destination, or leave out --no-clobber to replace it")
}

/// A failed local write. That something is missing there says nothing of the store.
fn writing(action: String, error: io::Error) -> Error {
    let error = Error::local(action, error);
    match error.kind() {
        ErrorKind::NotFound => error.kind_is(ErrorKind::LocalIo),
        _ => error,
    }
}

fn prefix_for(destination: &Path) -> String {
    partial_prefix(&destination.file_name().map(|name| name.to_string_lossy()).unwrap_or_default())
}

fn make_parent_of(destination: &Path) -> Result<PathBuf> {
    let directory = parent_of(destination);
    make_directories(&directory).map_err(|error| {
        let action = format!("create the directory '{}'", directory.display());
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::Exists, "a file is in its place")
                    .action(action)
                    .hint_is("choose another destination, or move the file away")
                    .caused_by(error)
            }
            _ => writing(action, error),
        }
    })?;
    Ok(directory)
}

fn sync_entry_of(destination: &Path) -> Result<()> {
    sync_directory(&parent_of(destination))
        .map_err(|error| Error::local(format!("make '{}' last", destination.display()), error))
}
