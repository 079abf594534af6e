//! An object into a file: ranges written in place into a partial file beside the destination, verified, then renamed.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use crate::body::{PIECE, blocking};
use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, HighWater};
use crate::key;
use crate::partial_file::PartialFile;
use crate::plan::Plan;
use crate::retry;

use super::upload::threads;
use super::verify::Foreign;
use super::{GetOptions, Got, Overwrite, SourceFile, Transfer};

/// A range that arrives wrong this often is wrong in the store, not on its way.
const MISMATCHES_ALLOWED: u32 = 3;

/// What the object must turn out to be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Size, and the ranges that are fetched.
    pub(crate) plan: Plan,
    /// Of the whole.
    pub(crate) checksum: Option<Crc64>,
    /// Of the whole as well, where there is no `checksum`.
    pub(crate) foreign: Option<Foreign>,
    /// Of each range of the plan; empty where they are not known.
    pub(crate) parts: Vec<Crc64>,
    /// The ETag that every range must belong to.
    pub(crate) pin: Option<String>,
}

impl Expected {
    /// There is something to compare the content with.
    pub(super) fn is_verifiable(&self) -> bool {
        self.checksum.is_some() || self.foreign.is_some()
    }
}

impl Transfer {
    /// Gets one object as a file, and the directories above it. The destination changes only when everything is there
    /// and verified; where it already has the same content, nothing is fetched. A link at the destination is replaced,
    /// not followed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without the object; [`ErrorKind::Exists`] under [`Overwrite::Refuse`];
    /// [`ErrorKind::Integrity`] when the bytes are not the stored ones, or the object is replaced meanwhile;
    /// [`ErrorKind::LocalIo`] when the file cannot be written.
    pub async fn get_file(&self, key: &str, destination: &Path, options: &GetOptions) -> Result<Got> {
        key::check(key)?;
        let meta = self.store().head(key).await?;
        let expected = self.expect(&meta, self.ranges_of(meta.size)).await?;
        self.tell(&Event::Planned { files: 1, bytes: meta.size });
        self.fetch(key, &expected, destination, options).await
    }

    /// Fetches an object of which it is known what it must be.
    pub(crate) async fn fetch(
        &self,
        key: &str,
        expected: &Expected,
        destination: &Path,
        options: &GetOptions,
    ) -> Result<Got> {
        if let Some(got) = self.already_here(key, expected, destination, options).await? {
            return Ok(got);
        }
        self.check_verifiable(key, expected, options)?;
        self.fetch_new(key, expected, destination, options.overwrite).await
    }

    async fn fetch_new(&self, key: &str, expected: &Expected, to: &Path, overwrite: Overwrite) -> Result<Got> {
        if self.is_given_up() {
            return Err(Error::cancelled().action("get").on(key));
        }
        let destination = to.to_owned();
        // Awaited whatever happens meanwhile, as is the commit: a thread that is left alone with them would make or
        // rename a file after everybody else has cleaned up.
        let partial = blocking(move || PartialFile::create(&destination)).await?;
        let target = &Target { file: partial.file().clone(), name: to.to_string_lossy().into() };
        let checksum = self.unless_given_up("get", key, self.fetch_ranges(key, expected, target)).await?;
        let verifying = self.verify_file(key, expected, checksum, &target.file, &target.name);
        self.unless_given_up("verify", key, verifying).await?;
        blocking(move || partial.commit(overwrite == Overwrite::Refuse)).await?;
        let size = expected.plan.size();
        self.tell(&Event::FileDone { key, bytes: size, moved: true });
        Ok(Got { size, checksum, verified: expected.is_verifiable(), moved: true })
    }

    /// Fetches every range into the target; the checksum of the whole.
    async fn fetch_ranges(&self, key: &str, expected: &Expected, target: &Target) -> Result<Crc64> {
        let sums: Vec<(Crc64, u64)> = stream::iter(expected.plan.ranges())
            .map(|(part, range)| {
                async move {
                    let _slot = self.slots.acquire().await.map_err(|_| Error::cancelled())?;
                    let sum = expected.parts.get(part.number as usize - 1).copied();
                    self.fetch_range(key, range, sum, expected, target).await
                }
                .boxed()
            })
            .buffered(self.store().runtime().in_flight())
            .try_collect()
            .await?;
        Ok(sums.iter().fold(Crc64::EMPTY, |whole, (sum, len)| whole.combine(*sum, *len)))
    }

    /// What a get would answer if the destination has the content already.
    async fn already_here(
        &self,
        key: &str,
        expected: &Expected,
        destination: &Path,
        options: &GetOptions,
    ) -> Result<Option<Got>> {
        let Ok(there) = std::fs::symlink_metadata(destination) else { return Ok(None) };
        let kind = there.file_type();
        if !kind.is_file() && !kind.is_symlink() {
            let what = if kind.is_dir() { "a directory" } else { "no regular file" };
            return Err(Error::new(ErrorKind::Exists, format!("'{}' is {what}", destination.display()))
                .action("get")
                .on(key)
                .hint_is("choose another destination; - writes to stdout"));
        }
        if options.overwrite == Overwrite::Refuse {
            return Err(Error::new(ErrorKind::Exists, format!("'{}' exists already", destination.display()))
                .action("get")
                .on(key)
                .hint_is("choose another destination, or leave out --no-clobber to replace it"));
        }
        if !expected.is_verifiable() || !kind.is_file() || there.len() != expected.plan.size() {
            return Ok(None);
        }
        let comparing = async {
            let ours = SourceFile::open(destination).await?;
            let checksum = ours.checksums(expected.plan, threads()).await?.1;
            self.verify_file(key, expected, checksum, &ours.file, &ours.name).await.map(|()| checksum)
        };
        let Ok(checksum) = self.unless_given_up("get", key, comparing).await else { return Ok(None) };
        self.tell(&Event::FileDone { key, bytes: there.len(), moved: false });
        Ok(Some(Got { size: there.len(), checksum, verified: true, moved: false }))
    }

    /// Warns, or fails where the caller requires it, when there is no checksum to compare with.
    pub(super) fn check_verifiable(&self, key: &str, expected: &Expected, options: &GetOptions) -> Result<()> {
        if expected.is_verifiable() {
            return Ok(());
        }
        if options.require_checksum {
            return Err(Error::new(ErrorKind::Integrity, "the store holds no checksum of it")
                .action("verify")
                .on(key)
                .hint_is("leave out --require-checksum to compare only size and ETag"));
        }
        let message = format!("the store holds no checksum of '{key}': only its size and ETag are compared");
        self.tell(&Event::Warning { message: &message });
        Ok(())
    }

    /// Fetches one range into the partial file. A broken connection goes on where it stopped; bytes with a wrong
    /// checksum are fetched again from the range's start.
    async fn fetch_range(
        &self,
        key: &str,
        range: Range<u64>,
        sum: Option<Crc64>,
        expected: &Expected,
        target: &Target,
    ) -> Result<(Crc64, u64)> {
        let len = range.end - range.start;
        let progress = HighWater::new(self.store().runtime().observer.clone());
        let state =
            Mutex::new(RangeWriter { target, start: range.start, digest: Crc64Digest::new(), mismatches: 0, progress });
        retry::run(self.store().runtime(), "get", key, || async {
            let mut writer = state.lock().await;
            if writer.digest.len() < len {
                self.fill(key, &range, expected, &mut writer).await?;
            }
            let got = writer.digest.value();
            if sum.is_some_and(|sum| sum != got) {
                writer.digest = Crc64Digest::new();
                writer.mismatches += 1;
                return Err(match writer.mismatches < MISMATCHES_ALLOWED {
                    true => mismatch(key).retryable(None),
                    false => mismatch(key),
                });
            }
            Ok((got, len))
        })
        .await
    }

    async fn fill(
        &self,
        key: &str,
        range: &Range<u64>,
        expected: &Expected,
        writer: &mut RangeWriter<'_>,
    ) -> Result<()> {
        let size = expected.plan.size();
        let from = range.start + writer.digest.len();
        let whole = from == 0 && range.end == size;
        let asked = (!whole).then_some(from..range.end);
        let body = self.store().open(key, asked, expected.pin.as_deref()).await?;
        if body.meta.size != size {
            return Err(Error::new(
                ErrorKind::Integrity,
                format!("it has {} bytes, not the {size} expected", body.meta.size),
            )
            .hint_is("it was replaced or damaged: strata-ckpt ls shows the state of a checkpoint"));
        }
        let mut bytes = body.bytes;
        let (mut batch, mut batched) = (Vec::new(), 0);
        while let Some(piece) = bytes.try_next().await? {
            batched += piece.len();
            batch.push(piece);
            if batched >= PIECE {
                writer.write(std::mem::take(&mut batch)).await?;
                batched = 0;
            }
        }
        writer.write(batch).await?;
        match writer.digest.len() == range.end - range.start {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Unavailable, "the answer ended early").retryable(None)),
        }
    }

    /// One range in memory, verified where the store vouches for it.
    pub(super) async fn fetch_bytes(&self, key: &str, range: Range<u64>, pin: Option<&str>) -> Result<Bytes> {
        let asked = &range;
        let fetched = retry::run(self.store().runtime(), "get", key, || async move {
            let _slot = self.slots.acquire().await.map_err(|_| Error::cancelled())?;
            self.store().open(key, Some(asked.clone()), pin).await?.collect().await
        })
        .await?;
        self.tell(&Event::Moved { bytes: fetched.len() as u64 });
        Ok(fetched)
    }
}

/// Where ranges are written.
struct Target {
    file: Arc<File>,
    name: Arc<str>,
}

/// A range that grows from its start.
struct RangeWriter<'a> {
    target: &'a Target,
    start: u64,
    digest: Crc64Digest,
    mismatches: u32,
    progress: Arc<HighWater>,
}

impl RangeWriter<'_> {
    async fn write(&mut self, batch: Vec<Bytes>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (file, name) = (self.target.file.clone(), self.target.name.clone());
        let (start, mut digest) = (self.start, self.digest.clone());
        self.digest = blocking(move || {
            for piece in batch {
                file.write_all_at(&piece, start + digest.len())
                    .map_err(|error| Error::local(format!("write '{name}'"), error))?;
                digest.update(&piece);
            }
            Ok(digest)
        })
        .await?;
        self.progress.reached(self.digest.len());
        Ok(())
    }
}

pub(super) fn mismatch(key: &str) -> Error {
    Error::new(ErrorKind::Integrity, "the bytes do not have the checksum that was stored with them")
        .action("get")
        .on(key)
        .hint_is("the stored object is damaged, or the way to it is: try again, then another checkpoint")
}
