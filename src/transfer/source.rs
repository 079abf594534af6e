//! A local file that is being put: opened once, recognised again.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::body::{self, Guard, blocking};
use crate::checksum::Crc64;
use crate::error::{Error, Result};
use crate::pieces::checksum_of;
use crate::plan::Plan;

/// An open regular file and what it looked like then.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    pub(crate) file: Arc<File>,
    pub(crate) name: Arc<str>,
    pub(crate) size: u64,
    path: PathBuf,
    stamp: Stamp,
}

/// Changes whenever a file is written to, replaced or truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl SourceFile {
    /// Opens a regular file, or a link to one.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let name: Arc<str> = path.to_string_lossy().into();
            let fail = |error| Error::local(format!("read '{name}'"), error);
            // Looked at before it is opened: opening a FIFO would wait for a writer.
            refuse_special(&path, &std::fs::metadata(&path).map_err(fail)?)?;
            let file = File::open(&path).map_err(fail)?;
            let metadata = file.metadata().map_err(fail)?;
            refuse_special(&path, &metadata)?;
            Ok(SourceFile { file: Arc::new(file), name, size: metadata.len(), path, stamp: Stamp::of(&metadata) })
        })
        .await
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the file is no longer the one that was opened.
    pub(crate) async fn check_unchanged(&self) -> Result<()> {
        let guard = self.guard();
        blocking(move || guard()).await
    }

    /// [`check_unchanged`](Self::check_unchanged) for a thread that may block.
    pub(crate) fn guard(&self) -> Guard {
        let (path, name, stamp) = (self.path.clone(), self.name.clone(), self.stamp);
        Arc::new(move || match std::fs::metadata(&path) {
            Ok(now) if Stamp::of(&now) == stamp => Ok(()),
            Ok(now) if Stamp::of(&now).inode != stamp.inode => Err(body::changed(&name, "another file took its place")),
            Ok(_) => Err(body::changed(&name, "it was written to")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(body::changed(&name, "it was removed")),
            Err(error) => Err(Error::local(format!("read '{name}'"), error)),
        })
    }

    /// The checksums of the parts and of the whole, read on `threads` threads.
    pub(crate) async fn checksums(&self, plan: Plan, threads: usize) -> Result<(Vec<Crc64>, Crc64)> {
        checksums(&self.file, &self.name, plan, threads).await
    }
}

/// The checksums of a file's parts and of the whole, read on `threads` threads.
pub(super) async fn checksums(
    file: &Arc<File>,
    name: &Arc<str>,
    plan: Plan,
    threads: usize,
) -> Result<(Vec<Crc64>, Crc64)> {
    let parts: Vec<(Crc64, u64)> = stream::iter(plan.ranges())
        .map(|(_, range)| {
            let (file, name) = (file.clone(), name.clone());
            let len = range.end - range.start;
            blocking(move || Ok((checksum_of(&file, &name, range.start, len)?, len))).boxed()
        })
        .buffered(threads)
        .try_collect()
        .await?;
    let whole = parts.iter().fold(Crc64::EMPTY, |whole, (part, len)| whole.combine(*part, *len));
    Ok((parts.into_iter().map(|(part, _)| part).collect(), whole))
}

/// Only regular files have an end and can be read twice.
pub(crate) fn refuse_special(path: &Path, metadata: &Metadata) -> Result<()> {
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Error::invalid(format!("'{}' is {what}, not a regular file", path.display())).hint_is(
        "put regular files, directories of them, or - for a stream; --exclude leaves single names of a directory out",
    ))
}
