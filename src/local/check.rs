//! What a local store rests on, tried in a directory of its own inside the store's, which is removed again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use tempfile::TempDir;

use super::LocalStorage;
use super::note::Note;
use crate::backend::{Copied, StorageBackend};
use crate::body::blocking;
use crate::check::{Check, PREFIX, Sheet, Tell};
use crate::checksum::Crc64;
use crate::config::{MIB, RuntimeConfig};
use crate::disk::{share, sync_handle};
use crate::error::{Error, ErrorKind, Result};

const ORDER: [&str; 9] = [
    "directory",
    "writing",
    "syncing",
    "renaming",
    "attributes",
    "names",
    "free space",
    "shared blocks",
    "put and get",
];
/// Less is soon full.
const LITTLE: u64 = 1024 * MIB;

impl LocalStorage {
    /// Tries everything that transfers with the store rest on, and tells of each check as it is done. All of it happens in
    /// a directory whose name begins with [`PREFIX`], inside the store's, or inside the first one above it that exists; it
    /// is removed again. The store's own directory is not made.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`]. What is wrong is no error but a [`Bad`](crate::check::Outcome::Bad) check.
    pub async fn check(&self, tell: Tell<'_>) -> Result<Vec<Check>> {
        let mut sheet = Sheet::new(&ORDER, tell);
        let root = self.root.clone();
        let place = blocking(move || Ok(existing(&root))).await?;
        let Some(scratch) = directory(&mut sheet, &self.root, place).await? else {
            sheet.skip_until("", "there is no directory to try it in");
            return Ok(sheet.into_checks());
        };
        let steps: [Step; 6] = [syncing, renaming, attributes, names, free_space, shared_blocks];
        for step in steps {
            self.go_on_checking()?;
            for check in tried(step, scratch.path()).await? {
                sheet.add(check);
            }
        }
        self.go_on_checking()?;
        put_and_get(&mut sheet, scratch.path(), &self.runtime).await;
        Ok(sheet.into_checks())
    }

    fn go_on_checking(&self) -> Result<()> {
        match self.runtime.cancel.is_cancelled() {
            true => Err(Error::cancelled().hint_is("nothing is left of what was tried")),
            false => Ok(()),
        }
    }
}

type Step = fn(&mut Sheet<'_>, &Path);

/// What a step finds, on a thread that may wait for a disk.
async fn tried(step: Step, scratch: &Path) -> Result<Vec<Check>> {
    let scratch = scratch.to_owned();
    blocking(move || {
        let mut nobody = |_: &Check| {};
        let mut sheet = Sheet::new(&ORDER, &mut nobody);
        step(&mut sheet, &scratch);
        Ok(sheet.into_checks())
    })
    .await
}

/// The store's directory, or the first above it that exists.
fn existing(root: &Path) -> Option<PathBuf> {
    root.ancestors().find(|path| fs::symlink_metadata(path).is_ok()).map(Path::to_owned)
}

/// Where to try; `None` where nothing can be made there.
async fn directory(sheet: &mut Sheet<'_>, root: &Path, place: Option<PathBuf>) -> Result<Option<TempDir>> {
    const NAME: &str = "directory";
    let Some(place) = place else {
        sheet.bad(NAME, &Error::new(ErrorKind::LocalIo, "there is nothing above it either"));
        return Ok(None);
    };
    let shown = root.display();
    if !place.is_dir() {
        let why = format!("{} is no directory", place.display());
        sheet.bad(NAME, &Error::new(ErrorKind::LocalIo, why).hint_is("set CHECKPOINT_DIR to a directory"));
        return Ok(None);
    }
    match place == root {
        true => sheet.good(NAME, shown.to_string()),
        false => {
            let hint =
                format!("the first put makes it in {}; check CHECKPOINT_DIR if it should be there", place.display());
            sheet.note(NAME, format!("{shown} is not there yet"), hint);
        }
    }
    let made = blocking(move || {
        Ok(tempfile::Builder::new().prefix(PREFIX).tempdir_in(&place).map_err(|error| (place, error)))
    });
    match made.await? {
        Ok(scratch) => {
            sheet.good("writing", "files can be made there");
            Ok(Some(scratch))
        }
        Err((place, error)) => {
            sheet.bad("writing", &local(format!("write in '{}'", place.display()), error));
            Ok(None)
        }
    }
}

/// A missing directory is a local trouble here, not something missing in the store.
fn local(action: String, error: io::Error) -> Error {
    Error::local(action, error).kind_is(ErrorKind::LocalIo)
}

fn judge(sheet: &mut Sheet<'_>, name: &'static str, detail: &str, tried: io::Result<()>) {
    match tried {
        Ok(()) => sheet.good(name, detail),
        Err(error) => sheet.bad(name, &local(name.to_owned(), error)),
    }
}

fn written(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    Ok(file)
}

fn syncing(sheet: &mut Sheet<'_>, scratch: &Path) {
    let started = Instant::now();
    let tried = written(&scratch.join("synced"), b"content")
        .and_then(|file| sync_handle(&file))
        .and_then(|()| sync_handle(&File::open(scratch)?));
    let took = started.elapsed().as_secs_f64() * 1e3;
    judge(sheet, "syncing", &format!("a file and its directory reach the disk in {took:.1} ms"), tried);
}

/// As a file gets its name: over what is there, and only where nothing is.
fn renaming(sheet: &mut Sheet<'_>, scratch: &Path) {
    let tried = || {
        let (new, old) = (scratch.join("new"), scratch.join("old"));
        written(&new, b"new")?;
        written(&old, b"old")?;
        fs::rename(&new, &old)?;
        match fs::read(&old)?.as_slice() {
            b"new" => Ok(()),
            _ => Err(io::Error::other("a file that was replaced has its old content")),
        }
    };
    judge(sheet, "renaming", "a file is replaced at once", tried());
}

/// Where checksums and the tokens of writes are kept.
fn attributes(sheet: &mut Sheet<'_>, scratch: &Path) {
    const NAME: &str = "attributes";
    let tried = || {
        let file = written(&scratch.join("noted"), b"content")?;
        let metadata = file.metadata()?;
        Ok(Note::write(&file, &metadata, Crc64::of(b"content"), "check")? && Note::read(&file, &metadata).is_some())
    };
    match tried() {
        Ok(true) => sheet.good(NAME, "checksums are kept with the files"),
        Ok(false) => sheet.note(
            NAME,
            "the file system keeps no user attributes",
            "files by themselves have no checksum there; those of checkpoints have them in their manifest",
        ),
        Err(error) => sheet.bad(NAME, &local("keep a checksum".to_owned(), error)),
    }
}

fn names(sheet: &mut Sheet<'_>, scratch: &Path) {
    const NAME: &str = "names";
    match written(&scratch.join("Case"), b"") {
        Ok(_) if scratch.join("cASE").exists() => sheet.note(
            NAME,
            "the file system does not tell upper from lower case",
            "keys that differ in nothing else are one file there",
        ),
        Ok(_) => sheet.good(NAME, "upper and lower case are told apart"),
        Err(error) => sheet.bad(NAME, &local("write".to_owned(), error)),
    }
}

fn free_space(sheet: &mut Sheet<'_>, scratch: &Path) {
    const NAME: &str = "free space";
    match rustix::fs::statvfs(scratch) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let detail = format!("{:.1} GiB", free as f64 / (1024 * MIB) as f64);
            match free < LITTLE {
                true => sheet.note(NAME, detail, "make room there, or set CHECKPOINT_DIR to a larger disk"),
                false => sheet.good(NAME, detail),
            }
        }
        Err(errno) => sheet.bad(NAME, &local("ask for free space".to_owned(), errno.into())),
    }
}

fn shared_blocks(sheet: &mut Sheet<'_>, scratch: &Path) {
    const NAME: &str = "shared blocks";
    let tried = || {
        let from = written(&scratch.join("from"), &[1; 8192])?;
        let to = written(&scratch.join("to"), b"")?;
        Ok(share(&from, 0..8192, &to, 0))
    };
    match tried() {
        Ok(Copied::Whole) => sheet.good(NAME, "copies on the same disk take no room"),
        // Nothing is wrong with it.
        Ok(_) => sheet.good(NAME, "not on this file system: copies take their time and room"),
        Err(error) => sheet.bad(NAME, &local("write".to_owned(), error)),
    }
}

/// The whole way, in a store of its own.
async fn put_and_get(sheet: &mut Sheet<'_>, scratch: &Path, runtime: &RuntimeConfig) {
    const NAME: &str = "put and get";
    let store = LocalStorage::with_config(scratch.join("store"), runtime.clone());
    let content = Bytes::from_static(b"content");
    let outcome = async {
        store.write("a/object", content.clone()).await?;
        let got = store.read("a/object").await?;
        store.delete("a/object").await?;
        Ok::<_, Error>(got)
    };
    match outcome.await {
        Ok(got) if got == content => sheet.good(NAME, "what was put came back and was removed"),
        Ok(_) => sheet.bad(NAME, &Error::new(ErrorKind::Integrity, "other bytes came back than were put")),
        Err(error) => sheet.bad(NAME, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;

    async fn checked(store: &LocalStorage) -> Vec<Check> {
        let mut told = Vec::new();
        let checks = store.check(&mut |check| told.push(check.clone())).await.unwrap();
        assert_eq!(checks, told);
        checks
    }

    #[tokio::test]
    async fn nothing_is_left_and_nothing_touched() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mine"), "x").unwrap();
        let checks = checked(&LocalStorage::new(directory.path())).await;
        assert!(
            checks.iter().all(|check| check.outcome != Outcome::Bad && check.outcome != Outcome::Skipped),
            "{checks:?}"
        );
        let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
        assert_eq!(names, ORDER);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

        let missing = directory.path().join("not/yet");
        let checks = checked(&LocalStorage::new(&missing)).await;
        assert_eq!((checks[0].name, checks[0].outcome), ("directory", Outcome::Note));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "it is not made");
    }

    #[tokio::test]
    async fn a_file_in_its_place_is_bad_and_the_rest_is_skipped() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "x").unwrap();
        let checks = checked(&LocalStorage::new(&file)).await;
        assert_eq!((checks[0].outcome, checks[0].kind), (Outcome::Bad, Some(ErrorKind::LocalIo)));
        assert!(checks[1..].iter().all(|check| check.outcome == Outcome::Skipped) && checks.len() == ORDER.len());
    }

    #[tokio::test]
    async fn an_interrupted_one_ends() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = RuntimeConfig::default();
        runtime.cancel.cancel();
        let store = LocalStorage::with_config(directory.path(), runtime);
        assert_eq!(store.check(&mut |_| {}).await.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
