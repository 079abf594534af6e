//! Where something that is got goes: the place itself, and what is written beside it until it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use crate::disk::{Claim, Claimed, Directory, make_directories, parent_of, sync_handle};
use crate::error::{Error, ErrorKind, Result};

/// The place of one file or new directory.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// This path. Links above it are followed: whoever typed it knows them.
    At(PathBuf),
    /// `path`, with `/`, below an open directory, which people know as `shown`. No link on the way is followed: whoever
    /// wrote the path may be anybody.
    Below { root: Directory, shown: PathBuf, path: String },
}

/// What is at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum There {
    File { size: u64 },
    Link,
    Directory,
    Special,
}

impl Destination {
    /// The path for people.
    pub(crate) fn shown(&self) -> PathBuf {
        match self {
            Destination::At(path) => path.clone(),
            Destination::Below { shown, path, .. } => shown.join(path),
        }
    }

    /// The path on the disk while it is written to, which stands for it in a journal.
    pub(crate) fn absolute(&self) -> PathBuf {
        let path = match self {
            Destination::At(path) => path.clone(),
            Destination::Below { root, path, .. } => root.path().join(path),
        };
        std::path::absolute(&path).unwrap_or(path)
    }

    /// What is there. May block.
    pub(crate) fn look(&self) -> Result<Option<There>> {
        let Some(directory) = self.directory()? else { return Ok(None) };
        let there = directory.look(self.name()?).map_err(|error| self.failed("look at", error))?;
        Ok(there.map(|there| match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile => There::File { size: u64::try_from(there.st_size).unwrap_or_default() },
            FileType::Symlink => There::Link,
            FileType::Directory => There::Directory,
            _ => There::Special,
        }))
    }

    /// The regular file that is there, to read it. May block.
    pub(crate) fn open(&self) -> Result<Option<File>> {
        let Some(directory) = self.directory()? else { return Ok(None) };
        directory.open_file(self.name()?).map(Some).map_err(|error| self.failed("read", error))
    }

    /// Claims the partial file that `what` names, and makes the directories above it. May block.
    pub(crate) fn partial_file(&self, what: &str) -> Result<Partial> {
        let directory = self.make_directory()?;
        let name = self.name()?.to_owned();
        let claim = Claim::file_for(&directory, &name.to_string_lossy(), what);
        Ok(Partial { claim: claim.map_err(|error| self.failed("write", error))?, name, destination: self.clone() })
    }

    /// Claims the partial directory that `what` names, and makes the directories above it. May block.
    pub(crate) fn partial_directory(&self, what: &str) -> Result<(Partial, Directory)> {
        let directory = self.make_directory()?;
        let name = self.name()?.to_owned();
        let failed = |error| self.failed("create", error);
        let claim = Claim::directory_for(&directory, &name.to_string_lossy(), what).map_err(failed)?;
        let opened = claim.opened().map_err(failed)?;
        Ok((Partial { claim, name, destination: self.clone() }, opened))
    }

    /// Removes the partial file or directory that an earlier run left, unless somebody is at it. May block.
    pub(crate) fn forget_partial(&self, what: &str) {
        let (Ok(Some(directory)), Ok(name)) = (self.directory(), self.name()) else { return };
        Claim::forget(&directory, &name.to_string_lossy(), what);
    }

    fn name(&self) -> Result<&OsStr> {
        let name = match self {
            Destination::At(path) => path.file_name(),
            Destination::Below { path, .. } => Path::new(path).file_name(),
        };
        name.ok_or_else(|| {
            Error::new(ErrorKind::Exists, format!("'{}' is a directory", self.shown().display()))
                .hint_is("choose another destination")
        })
    }

    /// The directory that it lies in, where there is one.
    fn directory(&self) -> Result<Option<Directory>> {
        match self {
            Destination::At(path) => match Directory::open(&parent_of(path)) {
                Ok(directory) => Ok(Some(directory)),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(None)
                }
                Err(error) => Err(self.failed("look at", error)),
            },
            Destination::Below { .. } => self.below(false),
        }
    }

    fn make_directory(&self) -> Result<Directory> {
        if let Some(directory) = self.below(true)? {
            return Ok(directory);
        }
        let parent = parent_of(&self.shown());
        make_directories(&parent).and_then(|()| Directory::open(&parent)).map_err(|error| {
            let action = format!("create the directory '{}'", parent.display());
            match error.kind() {
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                    Error::new(ErrorKind::Exists, "a file is in its place")
                        .action(action)
                        .hint_is("choose another destination, or move the file away")
                        .caused_by(error)
                }
                _ => writing(action, error),
            }
        })
    }

    /// The directory that a path below an open one leads to; `None` for other paths, and where it is missing.
    fn below(&self, make: bool) -> Result<Option<Directory>> {
        let Destination::Below { root, shown, path } = self else { return Ok(None) };
        let (mut directory, mut shown) = (root.clone(), shown.clone());
        for name in parent_of(Path::new(path)).iter().filter(|name| *name != ".") {
            shown.push(name);
            directory = match directory.child(name, make) {
                Ok(child) => child,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(in_the_way(&directory, name, &shown));
                }
                Err(error) => return Err(writing(format!("create the directory '{}'", shown.display()), error)),
            };
        }
        Ok(Some(directory))
    }

    fn failed(&self, action: &str, error: io::Error) -> Error {
        writing(format!("{action} '{}'", self.shown().display()), error)
    }
}

/// A file or directory beside its destination; removed when dropped before it is committed or kept.
#[derive(Debug)]
pub(crate) struct Partial {
    claim: Claim,
    name: OsString,
    destination: Destination,
}

impl Partial {
    pub(crate) fn file(&self) -> &Arc<File> {
        self.claim.file()
    }

    /// Whether the next run looks for it under the same name.
    pub(crate) fn is_found_again(&self) -> bool {
        self.claim.how() == Claimed::Again
    }

    /// Where it lies now.
    pub(crate) fn path(&self) -> PathBuf {
        let path = self.claim.path();
        std::path::absolute(&path).unwrap_or(path)
    }

    /// Leaves it for the next run.
    pub(crate) fn keep(self) {
        self.claim.keep();
    }

    /// Makes it durable and gives it its final name; with `refuse` only where nothing has that name.
    /// Whatever fails, what was there before keeps its name and content.
    pub(crate) fn commit(self, refuse: bool) -> Result<()> {
        let Partial { claim, name, destination } = self;
        let shown = destination.shown();
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => exists(&shown),
            _ => writing(format!("write '{}'", shown.display()), error),
        };
        sync_handle(claim.file()).map_err(fail)?;
        let directory = claim.directory().clone();
        // It would appear wherever that directory is now.
        if !destination.directory()?.is_some_and(|now| now.is(&directory)) {
            let message = format!("'{}' was moved or replaced meanwhile", parent_of(&shown).display());
            return Err(Error::new(ErrorKind::LocalIo, message).hint_is("run the same command again"));
        }
        claim.rename(&name, !refuse).map_err(fail)?;
        directory.sync().map_err(|error| writing(format!("make '{}' last", shown.display()), error))
    }
}

/// Something that is there already.
pub(crate) fn exists(shown: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("'{}' exists already", shown.display()))
        .hint_is("choose another destination, or leave out --no-clobber to replace it")
}

fn in_the_way(directory: &Directory, name: &OsStr, shown: &Path) -> Error {
    let is_link = directory
        .look(name)
        .is_ok_and(|there| there.is_some_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::Symlink));
    let what = if is_link { "a link" } else { "a file" };
    Error::new(ErrorKind::Exists, format!("'{}' is {what} where a directory is needed", shown.display()))
        .hint_is("remove it, or choose another destination")
}

/// A failed local write. That something is missing there says nothing of the store.
fn writing(action: String, error: io::Error) -> Error {
    let error = Error::local(action, error);
    match error.kind() {
        ErrorKind::NotFound => error.kind_is(ErrorKind::LocalIo),
        _ => error,
    }
}
