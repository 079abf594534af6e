//! Files that are being written, beside the place where they will appear.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::note::Note;
use super::object;
use super::place::{Place, is_missing};
use crate::backend::{Copied, PartReceipt, Precondition, Stored, UploadId, WriteOptions};
use crate::checksum::Crc64;
use crate::disk::{Claim, Directory, is_partial, make_hole, partial_name, share};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::name_of;
use crate::key;
use crate::pieces::{are_zeros, checksum_of};

/// How often directories that a concurrent delete prunes are made again.
const TRIES: u32 = 100;
/// How often other writers of an upload are waited for: somebody who looks for leftovers holds it for a moment.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// In the name of the partial file of an object that is written in one request.
const WHOLE: &str = "whole";

/// A partial file that is open for writing.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    pub(super) place: Place,
    file: Arc<File>,
    directory: Directory,
    name: Arc<str>,
}

/// A partial file that is removed, with directories that it leaves empty, unless it is committed or kept.
#[derive(Debug)]
pub(super) struct Partial {
    staging: Staging,
    claim: Option<Claim>,
    /// It was committed or kept.
    done: bool,
}

impl Partial {
    /// An empty partial file for an object that is written in one request, and the directories it needs. What an
    /// earlier writer left unfinished is overwritten.
    ///
    /// Fails early where the object could not be put in its place as things are; the last word has the commit.
    pub(super) fn whole(place: &Place, precondition: &Precondition) -> Result<Self> {
        let partial = Partial::create(place, precondition, |directory, name| Claim::file_for(directory, name, WHOLE))?;
        partial.staging.file.set_len(0).map_err(|error| place.failed("write", error))?;
        Ok(partial)
    }

    /// The partial file of the upload that `options` names, with what it holds already if it was begun before; else as
    /// [`whole`](Self::whole).
    pub(super) fn upload(place: &Place, options: &WriteOptions) -> Result<Self> {
        let what = what_of(&options.token);
        Partial::create(place, &options.precondition, |directory, name| Claim::shared_file_for(directory, name, &what))
    }

    fn create(
        place: &Place,
        precondition: &Precondition,
        claim: impl Fn(&Directory, &str) -> io::Result<Claim>,
    ) -> Result<Self> {
        for _ in 0..TRIES {
            if !place.directories("write", true)? {
                continue;
            }
            let made = check_vacant(place, precondition).and_then(|()| {
                let claimed =
                    place.open_directory().and_then(|directory| claim(&directory, key::file_name(&place.key)));
                match claimed {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    outcome => outcome.map(Some).map_err(|error| place.failed("write", error)),
                }
            });
            match made {
                Ok(Some(claim)) => {
                    let staging = Staging {
                        place: place.clone(),
                        file: claim.file().clone(),
                        directory: claim.directory().clone(),
                        name: claim.name().into(),
                    };
                    return Ok(Partial { staging, claim: Some(claim), done: false });
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
        self.done = true;
        if let Some(claim) = self.claim.take() {
            claim.keep();
        }
        id_of(self.staging.place.directory_key(), &self.staging.name)
    }

    /// Makes the object out of the file, which holds `size` bytes with `checksum`.
    pub(super) fn commit(mut self, size: u64, checksum: Crc64, options: &WriteOptions) -> Result<Stored> {
        let Partial { staging, claim, done } = &mut self;
        staging.seal(size, checksum, options, |to, replace| {
            let claim = claim.take().ok_or(io::ErrorKind::NotFound)?;
            claim.rename(to, replace)?;
            *done = true;
            Ok(())
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done {
            drop(self.claim.take());
            self.staging.place.prune();
        }
    }
}

impl Staging {
    /// The partial file of an upload that was begun. As long as it is open, everybody can see that it is in use.
    pub(super) fn open(place: &Place, upload: &UploadId) -> Result<Self> {
        let gone = || {
            place
                .error(ErrorKind::NotFound, "write", "this upload was completed or given up already")
                .code_is("NoSuchUpload")
        };
        let name = name_of_upload(place, upload)?;
        if !place.directories("write", false)? {
            return Err(gone());
        }
        let directory = match place.open_directory() {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gone()),
            Err(error) => return Err(place.failed("write", error)),
        };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(directory.file(), name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Err(gone()),
            Err(errno) => return Err(place.failed("write", errno.into())),
        };
        // For whoever looks for leftovers. Where it fails, somebody removes the file just now, or locks do not exist.
        let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared);
        Ok(Staging { place: place.clone(), file: Arc::new(file), directory, name: name.into() })
    }

    /// Writes `bytes` at `offset`; zeros become a hole where the file system has holes.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if are_zeros(bytes) && make_hole(&self.file, offset, bytes.len() as u64) {
            return Ok(());
        }
        self.file.write_all_at(bytes, offset).map_err(|error| self.place.failed("write", error))
    }

    /// Makes the file at least `len` bytes long: a hole at its end did not. Never shorter, whoever else writes to it.
    pub(super) fn reach(&self, len: u64) -> Result<()> {
        let failed = |error| self.place.failed("write", error);
        match len.checked_sub(1) {
            Some(last) if self.file.metadata().map_err(failed)?.len() < len => {
                self.file.write_all_at(&[0], last).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// Has the file share a range of `from`; its checksum as it is there now. `None` where the file system cannot.
    pub(super) fn share(&self, from: &File, range: Range<u64>, offset: u64) -> Result<Option<Crc64>> {
        let len = range.end - range.start;
        match share(from, range, &self.file, offset) {
            Copied::Whole => checksum_of(&self.file, &self.place.key, offset, len).map(Some),
            // It is written over.
            Copied::Spoilt | Copied::Not => Ok(None),
        }
    }

    /// Makes the object out of the file if it holds exactly `size` bytes; `checksum` is remembered. On failure the file
    /// stays, and so does what was in its place.
    pub(super) fn complete(&self, size: u64, checksum: Crc64, options: &WriteOptions) -> Result<Stored> {
        self.refuse_other_writers()?;
        self.seal(size, checksum, options, |to, replace| self.directory.rename(OsStr::new(&*self.name), to, replace))
    }

    /// A process that was stopped while it wrote a part would go on in the object: its upload is as good as gone.
    fn refuse_other_writers(&self) -> Result<()> {
        for _ in 0..LOOKS {
            match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => std::thread::sleep(BETWEEN_LOOKS),
                // Ours alone, or there are no locks.
                _ => return Ok(()),
            }
        }
        let message = "another process writes to this upload and does not go on";
        Err(self.place.error(ErrorKind::NotFound, "write", message).code_is("NoSuchUpload"))
    }

    fn seal(
        &self,
        size: u64,
        checksum: Crc64,
        options: &WriteOptions,
        rename: impl FnOnce(&OsStr, bool) -> io::Result<()>,
    ) -> Result<Stored> {
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

        // Held until the rename is done: nobody else's comes between the look and it. That nothing is there is looked at
        // by the rename itself.
        let turn = match options.precondition {
            Precondition::Absent => None,
            Precondition::None | Precondition::Match(_) => place.take_turn().map_err(failed)?,
        };
        if let Precondition::Match(etag) = &options.precondition {
            let there = object::open(place).map(|(_, meta)| meta.etag);
            match there {
                Ok(now) if now.as_ref() == Some(etag) => {}
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => return Err(replaced(place)),
            }
        }
        let may_replace = options.precondition != Precondition::Absent;
        rename(OsStr::new(key::file_name(&place.key)), may_replace).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists if !may_replace => exists(place),
            _ => failed(error),
        })?;
        drop(turn);
        place.sync_directories().map_err(failed)?;
        Ok(Stored { size, etag: Some(object::etag(&metadata)), checksum: noted.then_some(checksum), deviation: None })
    }
}

/// Whether the partial file of an upload has these bytes at `offset`.
pub(super) fn holds(place: &Place, upload: &UploadId, offset: u64, receipt: &PartReceipt) -> Result<bool> {
    let name = name_of_upload(place, upload)?;
    if !place.directories("write", false)? {
        return Ok(false);
    }
    let file = match place.open_directory().and_then(|directory| directory.open_file(OsStr::new(name))) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return Ok(false),
        Err(error) => return Err(place.failed("write", error)),
    };
    match checksum_of(&file, &place.key, offset, receipt.size) {
        Ok(checksum) => Ok(checksum == receipt.checksum),
        // It ends before the part does.
        Err(error) if error.kind() == ErrorKind::Integrity => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the partial file of an upload, and directories that it leaves empty.
pub(super) fn abort(place: &Place, upload: &UploadId) -> Result<()> {
    const ACTION: &str = "give up the upload of";
    let name = name_of_upload(place, upload)?;
    if !place.directories(ACTION, false)? {
        return Ok(());
    }
    match place.open_directory().and_then(|directory| directory.remove_file(OsStr::new(name))) {
        Ok(()) => {
            place.prune();
            Ok(())
        }
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(place.failed(ACTION, error)),
    }
}

/// The upload that is begun with this token.
pub(super) fn upload_of(place: &Place, token: &str) -> UploadId {
    id_of(place.directory_key(), &partial_name(key::file_name(&place.key), &what_of(token)))
}

fn id_of(directory: &str, name: &str) -> UploadId {
    match directory {
        "" => UploadId(name.to_owned()),
        _ => UploadId(format!("{directory}/{name}")),
    }
}

/// A token is anybody's text; a name is of one shape.
fn what_of(token: &str) -> Cow<'_, str> {
    let is_plain = (1..=64).contains(&token.len()) && token.bytes().all(|c| c.is_ascii_hexdigit());
    if is_plain { token.into() } else { name_of(&[token.to_owned()]).into() }
}

/// The name of an upload's partial file: in the directory of its object, whatever the id says.
fn name_of_upload<'a>(place: &Place, upload: &'a UploadId) -> Result<&'a str> {
    let (directory, name) = upload.0.rsplit_once('/').unwrap_or(("", &upload.0));
    if directory == place.directory_key() && name.starts_with('.') && is_partial(name) && !name.contains('\0') {
        return Ok(name);
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

fn exists(place: &Place) -> Error {
    place.error(ErrorKind::Exists, "write", "it is there already").hint_is("choose another key, or allow replacing it")
}

fn replaced(place: &Place) -> Error {
    place
        .error(ErrorKind::Exists, "write", "another object is there already")
        .hint_is("another writer was faster: look at what is there, then run the same command again")
}
