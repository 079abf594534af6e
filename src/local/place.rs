//! Where a key lies on disk, and its directories: made, checked for links, synced, pruned.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::{Directory, is_partial, make_directories, sync_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::key;

/// How long a rename of another process into the same directory is waited for.
const LONGEST_TURN: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The place of one key below the store's directory.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: Arc<Path>,
    pub(super) key: Arc<str>,
}

impl Place {
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no key, and for names of partial files.
    pub(super) fn new(root: &Arc<Path>, key: &str) -> Result<Self> {
        key::check_shape(key)?;
        if root.components().any(|part| is_ours(part.as_os_str())) {
            return Err(Error::invalid(format!(
                "the store's directory '{}' has a name that strata-ckpt keeps for itself ({}, *{})",
                root.display(),
                key::RESERVED_DIRECTORY,
                key::PARTIAL_SUFFIX
            ))
            .hint_is("name a directory outside of it as the store"));
        }
        if key.split('/').any(is_partial) {
            return Err(Error::invalid(format!(
                "the key '{}' has a name that is kept for files being written (*{})",
                key.escape_default(),
                key::PARTIAL_SUFFIX
            ))
            .hint_is("choose another name"));
        }
        Ok(Place { root: root.clone(), key: key.into() })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.join(&*self.key)
    }

    /// The directories between the store's and the object, as a key; empty for none.
    pub(super) fn directory_key(&self) -> &str {
        above(&self.key)
    }

    pub(super) fn directory(&self) -> PathBuf {
        if self.directory_key().is_empty() { self.root.to_path_buf() } else { self.root.join(self.directory_key()) }
    }

    /// Whether the key's directories are there, made if `create` says so. With `create`, false means that another
    /// process removed one of them again meanwhile.
    pub(super) fn directories(&self, action: &str, create: bool) -> Result<bool> {
        if !store_exists(&self.root, action).map_err(|error| self.described(action, error))? {
            if !create {
                return Ok(false);
            }
            make_directories(&self.root).map_err(|error| self.failed("make the store's directory for", error))?;
        }
        for directory in key::ancestors(&self.key) {
            match self.directory_at(directory, action, create) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    if create {
                        // Those above were looked at; below this one may be someone else's.
                        self.prune_from(above(directory));
                    }
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    fn directory_at(&self, directory: &str, action: &str, create: bool) -> Result<bool> {
        let path = self.root.join(directory);
        let mut found = fs::symlink_metadata(&path);
        if create && found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            found = match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => fs::symlink_metadata(&path),
            };
        }
        match found {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(found) if found.is_symlink() => Err(self.through_a_link(action, directory)),
            Ok(_) if create => Err(self.clash(action, format!("'{directory}' is a file, so nothing can be below it"))),
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if !create && is_missing(&error) => Ok(false),
            Err(error) => Err(self.failed(action, error)),
        }
    }

    /// The key's directory, reached without following a link below the store's own.
    pub(super) fn open_directory(&self) -> io::Result<Directory> {
        let mut directory = Directory::open(&self.root)?;
        for name in self.directory_key().split('/').filter(|name| !name.is_empty()) {
            directory = directory.child(OsStr::new(name), false)?;
        }
        Ok(directory)
    }

    /// Removes the key's directories that are empty, innermost first, and returns the innermost that stays.
    /// Only after [`directories`](Self::directories) found no link among them.
    pub(super) fn prune(&self) -> PathBuf {
        self.prune_from(self.directory_key())
    }

    fn prune_from(&self, directory: &str) -> PathBuf {
        let mut left = directory;
        while !left.is_empty() {
            match fs::remove_dir(self.root.join(left)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return self.root.join(left),
                _ => left = above(left),
            }
        }
        self.root.to_path_buf()
    }

    /// Waits until no other process renames into the key's directory; until the file is closed none does. On file
    /// systems without locks there are no turns. A process that was stopped at its turn keeps others waiting for a while
    /// and not for ever.
    pub(super) fn take_turn(&self) -> io::Result<Option<fs::File>> {
        let directory = fs::File::open(self.directory())?;
        let asked = Instant::now();
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Some(directory)),
                Err(fs::TryLockError::WouldBlock) if asked.elapsed() < LONGEST_TURN => {
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                Err(fs::TryLockError::WouldBlock) => {
                    let message = "another process holds a lock on the directory and does not go on";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(fs::TryLockError::Error(_)) => return Ok(None),
            }
        }
    }

    /// Makes entries of the key's directories last, from the innermost up to the store's own: one above may be new
    /// and not yet synced by whoever made it. Those that are clean cost next to nothing.
    pub(super) fn sync_directories(&self) -> io::Result<()> {
        let innermost = self.directory();
        for directory in innermost.ancestors() {
            sync_directory(directory)?;
            if directory == &*self.root {
                break;
            }
        }
        Ok(())
    }

    /// Removes the object, and its directories where they become empty.
    pub(super) fn delete(&self) -> Result<()> {
        if !self.directories("delete", false)? {
            return Ok(());
        }
        let path = self.path();
        match fs::symlink_metadata(&path) {
            // A directory is no object.
            Ok(found) if found.is_dir() => return Ok(()),
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(self.failed("delete", error)),
        }
        match fs::remove_file(&path) {
            Err(error) if !is_missing(&error) => return Err(self.failed("delete", error)),
            _ => {}
        }
        sync_directory(&self.prune()).map_err(|error| self.failed("delete", error))
    }

    /// An error about this key.
    pub(super) fn error(&self, kind: ErrorKind, action: &str, message: impl Into<String>) -> Error {
        self.described(action, Error::new(kind, message))
    }

    /// Adds what was being done, to which key, in which store.
    pub(super) fn described(&self, action: &str, error: Error) -> Error {
        error.action(action).on(&*self.key).at(self.root.display().to_string())
    }

    pub(super) fn not_found(&self, action: &str) -> Error {
        self.error(ErrorKind::NotFound, action, "no such object")
    }

    /// A failed system call on this key's file or directories.
    pub(super) fn failed(&self, action: &str, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
                self.clash(action, "a directory with this name is there").caused_by(error)
            }
            io::ErrorKind::NotADirectory => self.clash(action, "a part of its path is a file").caused_by(error),
            io::ErrorKind::InvalidFilename => self
                .error(ErrorKind::Invalid, action, "a name in it is too long for the file system")
                .hint_is("most take 255 bytes between two '/'")
                .caused_by(error),
            _ => self.described(action, Error::local(action, error)),
        }
    }

    /// One name would be a file and a directory at once.
    pub(super) fn clash(&self, action: &str, message: impl Into<String>) -> Error {
        self.error(ErrorKind::Exists, action, message).hint_is(
            "one name cannot be an object and a directory at once: choose another key, or remove what is there",
        )
    }

    fn through_a_link(&self, action: &str, directory: &str) -> Error {
        let message = format!("'{directory}' is a symbolic link, and the store follows none to directories");
        self.error(ErrorKind::LocalIo, action, message)
            .hint_is("put a real directory there, or use the link's target as the store")
    }
}

fn is_ours(name: &OsStr) -> bool {
    name == key::RESERVED_DIRECTORY || name.as_encoded_bytes().ends_with(key::PARTIAL_SUFFIX.as_bytes())
}

/// The key's directory; empty for none.
fn above(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The error says that nothing can be at the path, rather than that looking failed.
pub(super) fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

/// Whether the store's own directory is there.
pub(super) fn store_exists(root: &Path, action: &str) -> Result<bool> {
    match fs::metadata(root) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(Error::invalid("the store's directory is a file")
            .action(action)
            .hint_is("name a directory as the store")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::local(action, error)),
    }
}
