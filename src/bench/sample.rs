//! What is moved: files of random bytes, different in each run, in memory or on a disk.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::body::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::key::BENCH_PREFIX;

use super::plan::Source;

/// Where files are memory.
const MEMORY: &str = "/dev/shm";
/// What is left free beside the files.
const MARGIN: u64 = 64 << 20;
/// What is locked in a directory as long as its process is there.
const LOCK: &str = "lock";
const BLOCK: usize = 1 << 20;
/// Each piece of this size is made different for each run, so that no store finds one that it knows.
const STAMP_EVERY: u64 = 64 << 10;
const STAMP: usize = 16;

/// A directory for the files, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: TempDir,
    /// Where it really is.
    pub(super) source: Source,
    /// Tells others that it is in use.
    _lock: File,
}

impl Scratch {
    /// With room for `bytes`. Where the memory has none it is on the disk.
    pub(super) fn make(wanted: Source, bytes: u64) -> Result<Self> {
        let needed = bytes.saturating_add(MARGIN);
        if wanted == Source::Memory
            && free(Path::new(MEMORY)).is_some_and(|free| free >= needed)
            && let Ok((directory, lock)) = directory_in(Path::new(MEMORY))
        {
            return Ok(Scratch { directory, source: Source::Memory, _lock: lock });
        }
        if let Some(free) = free(Path::new(".")).filter(|free| *free < needed) {
            let (needed, free) = (needed.div_ceil(1 << 20), free >> 20);
            return Err(Error::new(
                ErrorKind::LocalIo,
                format!("the working directory has room for {free} MiB, and {needed} MiB are needed"),
            )
            .hint_is("lower --size, or run it where there is room"));
        }
        let (directory, lock) = directory_in(Path::new("."))
            .map_err(|error| Error::local("make a directory for the files to measure with", error))?;
        Ok(Scratch { directory, source: Source::File, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn directory_in(parent: &Path) -> std::io::Result<(TempDir, File)> {
    remove_abandoned(parent);
    let directory = tempfile::Builder::new().prefix(BENCH_PREFIX).tempdir_in(parent)?;
    // It has its name only when it is locked, so that nobody takes it for abandoned.
    let unnamed = directory.path().join("lock-to-be");
    let lock = File::create_new(&unnamed)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    std::fs::rename(unnamed, directory.path().join(LOCK))?;
    Ok((directory, lock))
}

/// Removes such directories of ours whose processes are gone. What cannot be removed is left.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_named = entry.file_name().to_string_lossy().starts_with(BENCH_PREFIX);
        let path = entry.path();
        let is_own = || {
            let metadata = path.symlink_metadata();
            metadata.is_ok_and(|of| of.is_dir() && of.uid() == rustix::process::geteuid().as_raw())
        };
        if is_named && is_own() && is_abandoned(&path.join(LOCK)) {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

fn is_abandoned(lock: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(lock) = rustix::fs::open(lock, flags, Mode::empty()) else { return false };
    flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
}

fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}

/// The files that are put.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// The directory that holds nothing else.
    pub(super) directory: PathBuf,
    files: Vec<(PathBuf, u64)>,
    on_disk: bool,
}

impl Sample {
    /// Writes files of these sizes, and tells how long the disk took.
    pub(super) async fn write(
        scratch: &Scratch,
        name: &str,
        sizes: Vec<u64>,
        cancel: &CancellationToken,
    ) -> Result<(Self, Duration)> {
        let (directory, on_disk, cancel) = (scratch.path(name), scratch.source == Source::File, cancel.clone());
        blocking(move || {
            std::fs::create_dir(&directory).map_err(|error| Error::local("make a directory to measure with", error))?;
            let files = sizes.into_iter().enumerate();
            let files: Vec<_> = files.map(|(n, size)| (directory.join(format!("sample-{n:05}.bin")), size)).collect();
            let mut random = fastrand::Rng::new();
            let mut took = Duration::ZERO;
            for (path, size) in &files {
                took += write_random(path, *size, &mut random, &cancel).map_err(|error| told("write", path, error))?;
            }
            Ok((Sample { directory, files, on_disk }, took))
        })
        .await
    }

    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }

    /// The only file, where there is one.
    pub(super) fn single(&self) -> Option<&Path> {
        match &*self.files {
            [(path, _)] => Some(path),
            _ => None,
        }
    }

    /// Makes the content another one; on a disk it leaves the page cache.
    pub(super) async fn renew(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || {
            let mut random = fastrand::Rng::new();
            for (path, size) in &this.files {
                stamp(path, *size, &mut random, this.on_disk).map_err(|error| told("write", path, error))?;
            }
            Ok(())
        })
        .await
    }

    /// How long it takes to read everything from the disk, in order.
    pub(super) async fn read_time(&self, cancel: &CancellationToken) -> Result<Duration> {
        self.renew().await?;
        let (this, cancel) = (self.clone(), cancel.clone());
        blocking(move || {
            let (started, mut buffer) = (Instant::now(), vec![0; BLOCK]);
            for (path, _) in &this.files {
                read_all(path, &mut buffer, &cancel).map_err(|error| told("read", path, error))?;
            }
            Ok(started.elapsed())
        })
        .await
    }
}

/// Returns how long writing took, without the making of the bytes.
fn write_random(
    path: &Path,
    size: u64,
    random: &mut fastrand::Rng,
    cancel: &CancellationToken,
) -> std::io::Result<Duration> {
    let mut file = File::create_new(path)?;
    let mut block = vec![0; BLOCK];
    let (mut left, mut took) = (size, Duration::ZERO);
    while left > 0 {
        unless_cancelled(cancel)?;
        let n = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        random.fill(&mut block[..n]);
        let started = Instant::now();
        file.write_all(&block[..n])?;
        took += started.elapsed();
        left -= n as u64;
    }
    let started = Instant::now();
    file.sync_data()?;
    Ok(took + started.elapsed())
}

fn stamp(path: &Path, size: u64, random: &mut fastrand::Rng, on_disk: bool) -> std::io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let mut mark = [0; STAMP];
    for at in (0..size).step_by(usize::try_from(STAMP_EVERY).unwrap_or(usize::MAX)) {
        random.fill(&mut mark);
        let n = usize::try_from(size - at).unwrap_or(STAMP).min(STAMP);
        file.write_all_at(&mark[..n], at)?;
    }
    if on_disk {
        // Only pages that are on the disk leave the cache.
        file.sync_data()?;
        forget(&file);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn forget(file: &File) {
    // A file system without a page cache has nothing to forget.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn forget(_: &File) {}

fn read_all(path: &Path, buffer: &mut [u8], cancel: &CancellationToken) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    while file.read(buffer)? > 0 {
        unless_cancelled(cancel)?;
    }
    Ok(())
}

fn unless_cancelled(cancel: &CancellationToken) -> std::io::Result<()> {
    match cancel.is_cancelled() {
        true => Err(std::io::ErrorKind::Interrupted.into()),
        false => Ok(()),
    }
}

fn told(action: &str, path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::Interrupted => Error::cancelled(),
        _ => Error::local(format!("{action} '{}'", path.display()), error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_content_is_another_one_after_each_renewal_and_gone_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let (directory, lock) = directory_in(parent.path()).unwrap();
        let scratch = Scratch { directory, source: Source::File, _lock: lock };
        let (sample, _) = Sample::write(&scratch, "s", vec![200_000, 5], &CancellationToken::new()).await.unwrap();
        assert_eq!((sample.bytes(), sample.single()), (200_005, None));
        let pieces = || {
            let files = sample.files.iter().map(|(path, _)| std::fs::read(path).unwrap());
            files.flat_map(|bytes| bytes.chunks(65_536).map(<[u8]>::to_vec).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let before = pieces();
        sample.renew().await.unwrap();
        let after = pieces();
        assert_eq!(before.len(), 5);
        assert!(before.iter().zip(&after).all(|(a, b)| a != b && a.len() == b.len()));
        sample.read_time(&CancellationToken::new()).await.unwrap();
        let path = scratch.path("");
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn directories_of_processes_that_are_gone_are_removed_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let (in_use, lock) = directory_in(parent.path()).unwrap();
        let make = |name: &str, file: &str| {
            let directory = parent.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join(file), "x").unwrap();
            directory
        };
        let gone = make(".strata-bench-killed", LOCK);
        let kept = [make(".strata-bench-unlocked", "1"), make("mine", LOCK)];
        let (second, _second_lock) = directory_in(parent.path()).unwrap();
        assert!(!gone.exists() && in_use.path().exists() && second.path().exists());
        assert!(kept.iter().all(|directory| directory.exists()));
        drop(lock);
        remove_abandoned(parent.path());
        assert!(!in_use.path().exists());
    }
}
