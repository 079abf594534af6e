//! Files that are being written, beside the place where they will appear.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tempfile::TempPath;

use super::note::Note;
use super::object;
use super::place::{Place, is_missing};
use crate::backend::{Precondition, Stored, UploadId, WriteOptions};
use crate::checksum::Crc64;
use crate::disk::{is_partial, partial_prefix};
use crate::error::{ErrorKind, Result};
use crate::key;

/// How often directories that a concurrent delete prunes are made again.
const TRIES: u32 = 100;

/// A partial file that is open for writing.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    pub(super) place: Place,
    file: Arc<File>,
    path: PathBuf,
}

/// A partial file that is removed, with directories that it leaves empty, unless it is committed or kept.
#[derive(Debug)]
pub(super) struct Partial {
    staging: Staging,
    remove: Option<TempPath>,
}

impl Partial {
    /// An empty partial file for the object, and the directories it needs.
    ///
    /// Fails early where the object could not be put in its place as things are; the last word has the commit.
    pub(super) fn create(place: &Place, precondition: &Precondition) -> Result<Self> {
        let prefix = partial_prefix(key::file_name(&place.key));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(key::PARTIAL_SUFFIX).permissions(Permissions::from_mode(0o666));
        for _ in 0..TRIES {
            if !place.directories("write", true)? {
                continue;
            }
            let made = check_vacant(place, precondition).and_then(|()| match builder.tempfile_in(place.directory()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                outcome => outcome.map(Some).map_err(|error| place.failed("write", error)),
            });
            match made {
                Ok(Some(file)) => {
                    let (file, remove) = file.into_parts();
                    let staging = Staging { place: place.clone(), file: Arc::new(file), path: remove.to_path_buf() };
                    return Ok(Partial { staging, remove: Some(remove) });
                }
                Ok(None) => {}
                Err(error) => {
                    place.prune();
                    return Err(error);
                }
            }
        }
        Err(place.error(ErrorKind::LocalIo, "write", "its directory is removed as often as it is made"))
    }

    pub(super) fn staging(&self) -> &Staging {
        &self.staging
    }

    /// Leaves the file for later calls, under this name.
    pub(super) fn keep(mut self) -> UploadId {
        if let Some(mut path) = self.remove.take() {
            path.disable_cleanup(true);
        }
        let name = self.staging.path.file_name().unwrap_or_default().to_string_lossy();
        match self.staging.place.directory_key() {
            "" => UploadId(name.into_owned()),
            directory => UploadId(format!("{directory}/{name}")),
        }
    }

    /// Makes the object out of the file, which holds `size` bytes with `checksum`.
    pub(super) fn commit(mut self, size: u64, checksum: Crc64, options: &WriteOptions) -> Result<Stored> {
        let stored = self.staging.complete(size, checksum, options)?;
        if let Some(mut path) = self.remove.take() {
            path.disable_cleanup(true);
        }
        Ok(stored)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = self.remove.take() {
            drop(path);
            self.staging.place.prune();
        }
    }
}

impl Staging {
    /// The partial file of an upload that was begun.
    pub(super) fn open(place: &Place, upload: &UploadId) -> Result<Self> {
        let gone = || place.error(ErrorKind::NotFound, "write", "this upload was completed or given up already");
        let path = path_of(place, upload)?;
        if !place.directories("write", false)? {
            return Err(gone());
        }
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => Ok(Staging { place: place.clone(), file: Arc::new(File::from(file)), path }),
            Err(Errno::NOENT) => Err(gone()),
            Err(errno) => Err(place.failed("write", errno.into())),
        }
    }

    /// Writes `bytes` at `offset`.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.place.failed("write", error))
    }

    /// Makes the object out of the file if it holds exactly `size` bytes; `checksum` is remembered. On failure the file
    /// stays, and so does what was in its place.
    pub(super) fn complete(&self, size: u64, checksum: Crc64, options: &WriteOptions) -> Result<Stored> {
        let place = &self.place;
        let failed = |error| place.failed("write", error);
        // The clock's own nanoseconds, and on network file systems the last word on the time. A file system that
        // refuses keeps the time of the last write, which serves as well.
        let _ = self.file.set_modified(SystemTime::now());
        let metadata = self.file.metadata().map_err(failed)?;
        if metadata.len() != size {
            let message = format!("its parts have {size} bytes, but {} were written", metadata.len());
            return Err(place.error(ErrorKind::Integrity, "write", message));
        }
        let noted = Note::write(&self.file, &metadata, checksum, &options.token).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;

        // Held until the rename is done: nobody else's comes between the look and it.
        let _turn = place.take_turn().map_err(failed)?;
        if let Precondition::Match(etag) = &options.precondition {
            let there = object::open(place).map(|(_, meta)| meta.etag);
            match there {
                Ok(now) if now.as_ref() == Some(etag) => {}
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => return Err(replaced(place)),
            }
        }
        let mut from = TempPath::try_from_path(&self.path).map_err(failed)?;
        from.disable_cleanup(true);
        let moved = match options.precondition {
            Precondition::None | Precondition::Match(_) => from.persist(place.path()),
            Precondition::Absent => from.persist_noclobber(place.path()),
        };
        moved.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => exists(place),
            _ => failed(error.error),
        })?;
        place.sync_directories().map_err(failed)?;
        Ok(Stored { size, etag: Some(object::etag(&metadata)), checksum: noted.then_some(checksum) })
    }
}

/// Removes the partial file of an upload, and directories that it leaves empty.
pub(super) fn abort(place: &Place, upload: &UploadId) -> Result<()> {
    let path = path_of(place, upload)?;
    if !place.directories("give up the upload of", false)? {
        return Ok(());
    }
    match fs::remove_file(path) {
        Ok(()) => {
            place.prune();
            Ok(())
        }
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(place.failed("give up the upload of", error)),
    }
}

/// Where an upload's partial file is: in the directory of its object, whatever the name says.
fn path_of(place: &Place, upload: &UploadId) -> Result<PathBuf> {
    let (directory, name) = upload.0.rsplit_once('/').unwrap_or(("", &upload.0));
    if directory == place.directory_key() && name.starts_with('.') && is_partial(name) && !name.contains('\0') {
        return Ok(place.root.join(&upload.0));
    }
    let message = format!("'{}' is no upload of this object", upload.0.escape_default());
    Err(place.error(ErrorKind::Invalid, "write", message))
}

fn check_vacant(place: &Place, precondition: &Precondition) -> Result<()> {
    match fs::symlink_metadata(place.path()) {
        Ok(found) if found.is_dir() => Err(place.failed("write", io::ErrorKind::IsADirectory.into())),
        Ok(_) if *precondition == Precondition::Absent => Err(exists(place)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(place.failed("write", error)),
        _ => Ok(()),
    }
}

fn exists(place: &Place) -> crate::Error {
    place.error(ErrorKind::Exists, "write", "it is there already").hint_is("choose another key, or allow replacing it")
}

fn replaced(place: &Place) -> crate::Error {
    place
        .error(ErrorKind::Exists, "write", "another object is there already")
        .hint_is("another writer was faster: look at what is there, then run the same command again")
}
