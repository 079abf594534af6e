//! A directory that stays the same one whatever happens to the path that led to it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::sync_handle;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open directory. What is below it is reached name by name, and no symbolic link is followed on the way: one that
/// somebody plants or swaps in meanwhile leads nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    file: Arc<File>,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory at a path that the caller trusts: links in it are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = rustix::fs::openat(CWD, path, FLAGS, Mode::empty())?;
        Ok(Directory { file: Arc::new(file.into()), path: path.to_owned() })
    }

    /// The path that led here.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether both are the same one.
    pub(crate) fn is(&self, other: &Directory) -> bool {
        let of = |directory: &Directory| rustix::fs::fstat(&directory.file).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        of(self).is_some() && of(self) == of(other)
    }

    /// The directory `name` in this one, made first where `make` says so and it is missing.
    pub(crate) fn child(&self, name: &OsStr, make: bool) -> io::Result<Self> {
        check_name(name)?;
        if make {
            match rustix::fs::mkdirat(&self.file, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => self.sync()?,
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let file = match rustix::fs::openat(&self.file, name, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(file) => file,
            // Some systems say this of a link.
            Err(Errno::LOOP | Errno::MLINK) => return Err(Errno::NOTDIR.into()),
            Err(errno) => return Err(errno.into()),
        };
        Ok(Directory { file: Arc::new(file.into()), path: self.path.join(name) })
    }

    /// What has this name, if anything: a link itself, not its target.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok(Some(there)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens the file `name` to read it, if it is a regular one.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        check_name(name)?;
        // NONBLOCK so that a FIFO does not wait for its writer; regular files know no such thing.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.file, name, flags, Mode::empty())?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Renames in this directory; without `replace` only where nothing has the name `to`.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(rustix::fs::renameat(&self.file, from, &self.file, to)?);
        }
        match rustix::fs::renameat_with(&self.file, from, &self.file, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.rename_where_free(from, to),
            outcome => Ok(outcome?),
        }
    }

    /// For file systems without the flag: a hard link never replaces; directories have none, but are never replaced by
    /// one that has files in it.
    fn rename_where_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match rustix::fs::linkat(&self.file, from, &self.file, to, AtFlags::empty()) {
            Ok(()) => Ok(rustix::fs::unlinkat(&self.file, from, AtFlags::empty())?),
            Err(Errno::PERM) if self.look(to)?.is_none() => Ok(rustix::fs::renameat(&self.file, from, &self.file, to)?),
            Err(Errno::PERM) => Err(Errno::EXIST.into()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes its entries last.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_handle(&self.file)
    }

    /// Removes everything below it but the files that `keep` names, by their paths below it, and the directories that
    /// those lie in. Links are removed, never followed. True where nothing is left.
    pub(crate) fn clear(&self, keep: &dyn Fn(&Path) -> bool) -> io::Result<bool> {
        self.clear_below(Path::new(""), keep)
    }

    fn clear_below(&self, relative: &Path, keep: &dyn Fn(&Path) -> bool) -> io::Result<bool> {
        let mut is_empty = true;
        for name in self.names()? {
            let path = relative.join(&name);
            let removed = match self.child(&name, false) {
                Ok(child) if child.clear_below(&path, keep)? => self.remove(&name, AtFlags::REMOVEDIR)?,
                Ok(_) => false,
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    !keep(&path) && self.remove(&name, AtFlags::empty())?
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                Err(error) => return Err(error),
            };
            is_empty &= removed;
        }
        Ok(is_empty)
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Removes one entry; one that is gone is as good.
    fn remove(&self, name: &OsStr, flags: AtFlags) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.file, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.remove(name, AtFlags::empty()).map(|_| ())
    }

    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.remove(name, AtFlags::REMOVEDIR).map(|_| ())
    }
}

/// One name, that leads neither up nor further down.
fn check_name(name: &OsStr) -> io::Result<()> {
    let bytes = name.as_bytes();
    match bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') {
        true => Err(io::ErrorKind::InvalidInput.into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::create_dir(temporary.path().join("root")).unwrap();
        let directory = Directory::open(&temporary.path().join("root")).unwrap();
        (temporary, directory)
    }

    fn child(directory: &Directory, name: &str, make: bool) -> io::Result<Directory> {
        directory.child(OsStr::new(name), make)
    }

    #[test]
    fn no_name_leads_out() {
        let (temporary, root) = root();
        std::fs::create_dir(temporary.path().join("outside")).unwrap();
        symlink(temporary.path().join("outside"), root.path().join("link")).unwrap();
        for name in ["", ".", "..", "/", "../outside", "link", "link/x", "a/b"] {
            assert!(child(&root, name, true).is_err(), "{name}");
        }
        assert_eq!(std::fs::read_dir(temporary.path().join("outside")).unwrap().count(), 0);
        assert!(
            child(&root, "a", false).is_err() && child(&root, "a", true).is_ok() && child(&root, "a", false).is_ok()
        );
    }

    #[test]
    fn what_was_opened_stays_when_its_path_leads_elsewhere() {
        let (temporary, root) = root();
        let inside = child(&root, "a", true).unwrap();
        std::fs::rename(root.path().join("a"), root.path().join("moved")).unwrap();
        symlink(temporary.path(), root.path().join("a")).unwrap();
        child(&inside, "made", true).unwrap();
        assert!(root.path().join("moved/made").is_dir() && !temporary.path().join("made").exists());
    }

    #[test]
    fn a_rename_that_may_not_replace_does_not() {
        let (_temporary, root) = root();
        let path = |name: &str| root.path().join(name);
        let by_flag = |from: &str, to: &str| root.rename(OsStr::new(from), OsStr::new(to), false);
        let by_link = |from: &str, to: &str| root.rename_where_free(OsStr::new(from), OsStr::new(to));
        for rename in [&by_flag as &dyn Fn(&str, &str) -> io::Result<()>, &by_link] {
            std::fs::write(path("from"), "new").unwrap();
            std::fs::write(path("to"), "old").unwrap();
            std::fs::create_dir_all(path("d")).unwrap();
            std::fs::create_dir_all(path("e")).unwrap();
            assert_eq!(rename("from", "to").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(rename("d", "e").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(path("to")).unwrap(), b"old");
            rename("from", "free").unwrap();
            rename("d", "free directory").unwrap();
            assert!(std::fs::read(path("free")).unwrap() == b"new" && !path("from").exists() && !path("d").exists());
            std::fs::remove_file(path("free")).unwrap();
            std::fs::remove_dir(path("free directory")).unwrap();
        }
    }

    #[test]
    fn clearing_keeps_what_it_is_told_and_follows_nothing() {
        let (temporary, root) = root();
        std::fs::write(temporary.path().join("outside"), "x").unwrap();
        for path in ["kept/deep/a", "kept/deep/b", "gone/x/y", "c"] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        symlink(temporary.path(), root.path().join("link")).unwrap();
        root.clear(&|path| path == Path::new("kept/deep/a")).unwrap();
        let left: Vec<_> =
            walkdir::WalkDir::new(root.path()).min_depth(1).into_iter().map(|e| e.unwrap().into_path()).collect();
        assert_eq!(left, ["kept", "kept/deep", "kept/deep/a"].map(|path| root.path().join(path)));
        root.clear(&|_| false).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(temporary.path().join("outside").exists());
    }
}
