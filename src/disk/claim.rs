//! Partial files that the next run finds again: a name that says what they are for, and a lock that says whether
//! somebody is at it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Directory, partial_name};

/// How often a partial file that is renamed away while it is claimed is looked for again.
const TRIES: u32 = 16;

/// A partial file of this process, locked until it is dropped; then it is also removed, unless it was renamed or kept.
#[derive(Debug)]
pub(crate) struct Claim {
    directory: Directory,
    name: String,
    file: Arc<File>,
    how: Claimed,
    remove: bool,
}

/// Under which name a partial file was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The one that the next run looks for; what an earlier run wrote is still in it.
    Again,
    /// One that nobody else knows, since the other is in use or is no file of ours.
    Once,
}

impl Claim {
    /// Claims the partial file for `name` and `what` in `directory`. Its length and content are those it had.
    pub(crate) fn file_for(directory: &Directory, name: &str, what: &str) -> io::Result<Self> {
        Claim::of(directory, name, what, open_file)
    }

    /// The same for a directory.
    pub(crate) fn directory_for(directory: &Directory, name: &str, what: &str) -> io::Result<Self> {
        Claim::of(directory, name, what, open_directory)
    }

    /// The file of an upload that several processes may write to, one after the other or at once: the same one for the
    /// same `what`, not locked. Only a new one is removed when it is dropped.
    pub(crate) fn shared_file_for(directory: &Directory, name: &str, what: &str) -> io::Result<Self> {
        let fixed = partial_name(name, what);
        let file = match open_file(directory, OsStr::new(&fixed), true) {
            Ok(file) => return Ok(Claim::new(directory, fixed, file, Claimed::Again)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_file(directory, OsStr::new(&fixed), false)
            }
            Err(error) => return Err(error),
        };
        match file {
            Ok(file) if is_trusted(&rustix::fs::fstat(&file)?) => {
                let mut claim = Claim::new(directory, fixed, file, Claimed::Again);
                claim.remove = false;
                Ok(claim)
            }
            Err(error) if !is_odd(&error) => Err(error),
            _ => Claim::once(directory, name, open_file),
        }
    }

    fn of(
        directory: &Directory,
        name: &str,
        what: &str,
        open: fn(&Directory, &OsStr, bool) -> io::Result<File>,
    ) -> io::Result<Self> {
        let fixed = partial_name(name, what);
        if let Some(file) = claim_fixed(directory, OsStr::new(&fixed), open)? {
            return Ok(Claim::new(directory, fixed, file, Claimed::Again));
        }
        Claim::once(directory, name, open)
    }

    fn once(
        directory: &Directory,
        name: &str,
        open: fn(&Directory, &OsStr, bool) -> io::Result<File>,
    ) -> io::Result<Self> {
        loop {
            let random = partial_name(name, &format!("{:016x}", fastrand::u64(..)));
            match open(directory, OsStr::new(&random), true) {
                Ok(file) => {
                    // Nobody else knows the name; locked like the others for whoever tidies up.
                    let _ = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Claim::new(directory, random, file, Claimed::Once));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn new(directory: &Directory, name: String, file: File, how: Claimed) -> Self {
        Claim { directory: directory.clone(), name, file: Arc::new(file), how, remove: true }
    }

    /// The open file. Whoever has a clone of it holds the lock.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its name now.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn how(&self) -> Claimed {
        self.how
    }

    /// Where it was claimed.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// The directory that it lies in.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The claimed directory itself.
    pub(crate) fn opened(&self) -> io::Result<Directory> {
        self.directory.child(OsStr::new(&self.name), false)
    }

    /// Removes the partial file or directory for `name` and `what`, unless somebody is at it.
    pub(crate) fn forget(directory: &Directory, name: &str, what: &str) {
        let fixed = partial_name(name, what);
        let Ok(Some(there)) = directory.look(OsStr::new(&fixed)) else { return };
        let open = match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile => open_file,
            FileType::Directory => open_directory,
            _ => return,
        };
        if let Ok(Some(file)) = claim_fixed(directory, OsStr::new(&fixed), open) {
            drop(Claim::new(directory, fixed, file, Claimed::Again));
        }
    }

    /// Leaves it for the next run.
    pub(crate) fn keep(mut self) {
        self.remove = false;
    }

    /// Gives it its final name; without `replace` only where nothing has that. On failure it is removed.
    pub(crate) fn rename(mut self, to: &OsStr, replace: bool) -> io::Result<()> {
        let name = OsStr::new(&self.name);
        // Somebody may have removed it and put something unfinished under its name.
        match is_at(&self.directory, name, &rustix::fs::fstat(&self.file)?) {
            Ok(true) => self.directory.rename(name, to, replace)?,
            Ok(false) => return Err(io::Error::other("its partial file was removed or replaced meanwhile")),
            Err(error) => return Err(error),
        }
        self.remove = false;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let name = OsStr::new(&self.name);
        let is_ours = || is_at(&self.directory, name, &rustix::fs::fstat(&self.file)?);
        if !self.remove || !is_ours().unwrap_or(false) {
            return;
        }
        // Whoever finds what cannot be removed overwrites it.
        let _ = match self.file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            true => self
                .opened()
                .and_then(|opened| opened.clear(&|_| false))
                .and_then(|_| self.directory.remove_directory(name)),
            false => self.directory.remove_file(name),
        };
    }
}

/// The file or directory with this very name, locked; `None` where it is in use, or is not one that we would have made.
fn claim_fixed(
    directory: &Directory,
    name: &OsStr,
    open: impl Fn(&Directory, &OsStr, bool) -> io::Result<File>,
) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        let file = match open(directory, name, false) {
            Ok(file) => file,
            Err(error) if is_odd(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        // Also on a file system without locks nobody would know that it is in use.
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let ours = rustix::fs::fstat(&file)?;
        // Who held it before may have given it its final name while we waited for the lock.
        if is_at(directory, name, &ours)? {
            return Ok(is_trusted(&ours).then_some(file));
        }
    }
    Ok(None)
}

/// A file that this user made, under one name only: what is written to it is seen nowhere else.
fn is_trusted(there: &Stat) -> bool {
    let owner = there.st_uid == rustix::process::geteuid().as_raw();
    match FileType::from_raw_mode(there.st_mode) {
        FileType::RegularFile => owner && there.st_nlink == 1,
        FileType::Directory => owner,
        _ => false,
    }
}

fn is_at(directory: &Directory, name: &OsStr, file: &Stat) -> io::Result<bool> {
    let there = directory.look(name)?;
    Ok(there.is_some_and(|there| (there.st_dev, there.st_ino) == (file.st_dev, file.st_ino)))
}

/// What has the name is no file of ours: a link, a directory, a device, somebody else's.
fn is_odd(error: &io::Error) -> bool {
    use Errno as E;
    let odd = [E::LOOP, E::MLINK, E::ISDIR, E::NOTDIR, E::ACCESS, E::PERM, E::NXIO, E::NODEV, E::TXTBSY, E::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|errno| odd.contains(&errno))
}

fn open_file(directory: &Directory, name: &OsStr, new: bool) -> io::Result<File> {
    let mut flags = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    flags.set(OFlags::EXCL, new);
    Ok(rustix::fs::openat(directory.file(), name, flags, Mode::from_raw_mode(0o666))?.into())
}

fn open_directory(directory: &Directory, name: &OsStr, new: bool) -> io::Result<File> {
    match rustix::fs::mkdirat(directory.file(), name, Mode::from_raw_mode(0o777)) {
        Err(Errno::EXIST) if !new => {}
        outcome => outcome?,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory.file(), name, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    const NAME: &str = ".k.w.strata-partial";

    fn root() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        (temporary, directory)
    }

    fn claim(directory: &Directory) -> Claim {
        Claim::file_for(directory, "k", "w").unwrap()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_kept_is_found_again_and_what_was_not_is_gone() {
        let (temporary, directory) = root();
        let first = claim(&directory);
        first.file().as_ref().write_all(b"half").unwrap();
        first.keep();
        let again = claim(&directory);
        assert_eq!((again.how(), again.path()), (Claimed::Again, temporary.path().join(NAME)));
        assert_eq!(again.file().metadata().unwrap().len(), 4);
        drop(again);
        assert!(names(temporary.path()).is_empty());
    }

    #[test]
    fn one_that_is_in_use_is_left_alone() {
        let (temporary, directory) = root();
        let first = claim(&directory);
        first.file().as_ref().write_all(b"first").unwrap();
        let file = first.file().clone();
        first.keep();
        let second = claim(&directory);
        assert_eq!(second.how(), Claimed::Once, "the file is still open somewhere");
        Claim::forget(&directory, "k", "w");
        drop(second);
        assert_eq!(std::fs::read(temporary.path().join(NAME)).unwrap(), b"first");
        drop(file);
        Claim::forget(&directory, "k", "w");
        assert!(names(temporary.path()).is_empty());
    }

    /// Between the opening and the lock its owner gives it the final name.
    #[test]
    fn a_file_that_got_its_final_name_meanwhile_is_not_taken() {
        let (temporary, directory) = root();
        claim(&directory).keep();
        let owner = std::cell::Cell::new(Some(claim(&directory)));
        let opening = |directory: &Directory, name: &OsStr, new: bool| {
            let opened = open_file(directory, name, new);
            if let Some(owner) = owner.take() {
                owner.file().as_ref().write_all(b"whole").unwrap();
                owner.rename(OsStr::new("k"), true).unwrap();
            }
            opened
        };
        let taken = claim_fixed(&directory, OsStr::new(NAME), opening).unwrap().unwrap();
        assert_eq!(taken.metadata().unwrap().len(), 0, "a new one");
        assert_ne!(taken.metadata().unwrap().ino(), std::fs::metadata(temporary.path().join("k")).unwrap().ino());
        assert_eq!(std::fs::read(temporary.path().join("k")).unwrap(), b"whole");
    }

    #[test]
    fn what_is_planted_under_the_name_is_not_written_to() {
        let (temporary, directory) = root();
        let outside = temporary.path().join("outside");
        std::fs::write(&outside, "mine").unwrap();
        let at = temporary.path().join(NAME);
        let plants: [&dyn Fn(); 5] = [
            &|| symlink(&outside, &at).unwrap(),
            &|| symlink("nowhere", &at).unwrap(),
            &|| std::fs::hard_link(&outside, &at).unwrap(),
            &|| std::fs::create_dir(&at).unwrap(),
            // Not by another process: between its start and its first instruction it has all locks of this one.
            &|| rustix::fs::mknodat(rustix::fs::CWD, &at, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap(),
        ];
        for plant in plants {
            plant();
            let claim = claim(&directory);
            assert_eq!(claim.how(), Claimed::Once);
            claim.file().as_ref().write_all(b"ours").unwrap();
            claim.rename(OsStr::new("k"), true).unwrap();
            assert_eq!(std::fs::read(temporary.path().join("k")).unwrap(), b"ours");
            let shared = Claim::shared_file_for(&directory, "k", "w").unwrap();
            assert_ne!(shared.name(), NAME);
            drop(shared);
            assert_eq!(names(temporary.path()), [NAME, "k", "outside"], "what was planted is left where it is");
            assert_eq!(std::fs::read(&outside).unwrap(), b"mine");
            if at.is_dir() { std::fs::remove_dir(&at).unwrap() } else { std::fs::remove_file(&at).unwrap() }
        }
    }

    #[test]
    fn what_somebody_put_in_its_place_gets_no_final_name() {
        let (temporary, directory) = root();
        let ours = claim(&directory);
        std::fs::remove_file(ours.path()).unwrap();
        std::fs::write(ours.path(), "not ours").unwrap();
        ours.rename(OsStr::new("k"), true).unwrap_err();
        assert_eq!(names(temporary.path()), [NAME], "nor is it removed");
    }

    #[test]
    fn a_directory_goes_with_all_that_is_in_it() {
        let (temporary, directory) = root();
        let kept = Claim::directory_for(&directory, "k", "w").unwrap();
        std::fs::create_dir_all(kept.path().join("a/b")).unwrap();
        assert_eq!(Claim::directory_for(&directory, "k", "w").unwrap().how(), Claimed::Once, "it is locked");
        kept.keep();
        let again = Claim::directory_for(&directory, "k", "w").unwrap();
        assert!(again.how() == Claimed::Again && again.path().join("a/b").is_dir());
        drop(again);
        assert!(names(temporary.path()).is_empty());
    }

    #[test]
    fn an_upload_is_opened_by_many_and_removed_only_while_it_is_new() {
        let (temporary, directory) = root();
        let shared = || Claim::shared_file_for(&directory, "k", "w").unwrap();
        drop(shared());
        assert!(names(temporary.path()).is_empty());
        shared().keep();
        let (one, two) = (shared(), shared());
        assert_eq!((one.name(), two.name()), (NAME, NAME));
        drop((one, two));
        assert_eq!(names(temporary.path()), [NAME]);
    }
}
