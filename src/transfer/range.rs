//! One range of an object: fetched into its place in a file, however often that takes, or into memory.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::body::{PIECE, blocking};
use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, HighWater};
use crate::retry;
use crate::straggler;

use super::Transfer;
use super::download::{Expected, mismatch};
use super::landing::Landing;

/// A range that arrives wrong this often is wrong in the store, not on its way.
const MISMATCHES_ALLOWED: u32 = 3;

impl Transfer {
    /// Fetches one range into the partial file, in a slot that the caller holds. After a broken connection, and after
    /// one that is far slower than the others, it goes on where it stopped; bytes with a wrong checksum are fetched
    /// again from the range's start.
    pub(super) async fn fetch_range(
        &self,
        key: &str,
        number: u32,
        range: Range<u64>,
        expected: &Expected,
        landing: &Landing,
    ) -> Result<Crc64> {
        let observer = self.store().runtime().observer.clone();
        let progress = match landing.was_begun(number) {
            true => HighWater::begun_before(observer),
            false => HighWater::new(observer),
        };
        let target = Target::File { file: landing.file.clone(), name: landing.name.clone() };
        self.read_range(key, number, range, expected, target, progress).await
    }

    /// Reads one range, keeps nothing of it, and fails where it is not what it must be.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when its checksum is another, however often it is read.
    pub(crate) async fn check_range(
        &self,
        key: &str,
        number: u32,
        range: Range<u64>,
        expected: &Expected,
    ) -> Result<()> {
        let _slot = self.slots.acquire().await.map_err(|_| Error::cancelled())?;
        let progress = HighWater::new(self.store().runtime().observer.clone());
        self.read_range(key, number, range, expected, Target::Nowhere, progress).await.map(|_| ())
    }

    async fn read_range(
        &self,
        key: &str,
        number: u32,
        range: Range<u64>,
        expected: &Expected,
        target: Target,
        progress: Arc<HighWater>,
    ) -> Result<Crc64> {
        let since = Instant::now();
        let len = range.end - range.start;
        let sum = expected.sum_of(number);
        let mark = progress.clone();
        let state = Mutex::new(RangeWriter {
            target,
            start: range.start,
            digest: Crc64Digest::new(),
            mismatches: 0,
            progress,
            turn: Arc::default(),
            waited: Duration::ZERO,
        });
        let one_try = || async {
            let mut writer = state.lock().await;
            if writer.digest.len() < len {
                // One that has failed is not slow while it waits for the next.
                self.fill(key, &range, expected, &mut writer).await.inspect_err(|_| mark.rests())?;
            }
            let got = writer.digest.value();
            if sum.is_some_and(|sum| sum != got) {
                mark.rests();
                writer.digest = Crc64Digest::new();
                writer.mismatches += 1;
                return Err(match writer.mismatches < MISMATCHES_ALLOWED {
                    true => mismatch(key).retryable(None),
                    false => mismatch(key),
                });
            }
            Ok(got)
        };
        let (runtime, action) = (self.store().runtime(), format!("get range {number} of"));
        let told = || straggler::tell(&*runtime.observer, &action, key, self.store().endpoint());
        let got = self.race.run(&mark, since, told, || retry::run(runtime, "get", key, one_try)).await?;
        let waited = state.lock().await.waited;
        self.tell(&Event::PartMoved { direction: Direction::Down, bytes: len, waited, took: since.elapsed() });
        Ok(got)
    }

    async fn fill(&self, key: &str, range: &Range<u64>, expected: &Expected, writer: &mut RangeWriter) -> Result<()> {
        writer.progress.begins(writer.digest.len());
        let size = expected.plan.size();
        let from = range.start + writer.digest.len();
        let whole = from == 0 && range.end == size;
        let asked = (!whole).then_some(from..range.end);
        let since = Instant::now();
        let body = self.store().open(key, asked, expected.pin.as_deref()).await?;
        writer.waited = since.elapsed();
        if body.meta.size != size {
            let message = format!("it has {} bytes, not the {size} expected", body.meta.size);
            let error = Error::new(ErrorKind::Integrity, message)
                .hint_is("it was replaced or damaged: strata-ckpt ls shows the state of a checkpoint");
            // Where the ETag is the expected one, the answer is wrong and not the object.
            return Err(if expected.pin.is_some() { error.retryable(None) } else { error });
        }
        let mut bytes = body.bytes;
        let (mut batch, mut batched) = (Vec::new(), 0);
        while let Some(piece) = bytes.try_next().await? {
            if piece.is_empty() {
                continue;
            }
            batched += piece.len();
            writer.progress.reached(writer.digest.len() + batched as u64);
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
            let since = Instant::now();
            let body = self.store().open(key, Some(asked.clone()), pin).await?;
            let waited = since.elapsed();
            Ok((body.collect().await?, waited, since.elapsed()))
        })
        .await?;
        let (fetched, waited, took) = fetched;
        let bytes = fetched.len() as u64;
        self.tell(&Event::Moved { bytes });
        self.tell(&Event::PartMoved { direction: Direction::Down, bytes, waited, took });
        Ok(fetched)
    }
}

/// Where the bytes of a range go.
#[derive(Clone)]
enum Target {
    /// To their place in a file, which has a name in errors.
    File { file: Arc<File>, name: Arc<str> },
    /// They are only summed.
    Nowhere,
}

/// A range that grows from its start.
struct RangeWriter {
    target: Target,
    start: u64,
    digest: Crc64Digest,
    mismatches: u32,
    progress: Arc<HighWater>,
    /// How long the last answer took to begin.
    waited: Duration,
    /// Held by the thread that writes, also where nobody waits for it any more: what an earlier try still writes is
    /// overwritten by the next, never the other way round.
    turn: Arc<Mutex<()>>,
}

impl RangeWriter {
    async fn write(&mut self, batch: Vec<Bytes>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let (target, start, mut digest) = (self.target.clone(), self.start, self.digest.clone());
        let turn = self.turn.clone().lock_owned().await;
        self.digest = blocking(move || {
            let _turn = turn;
            for piece in batch {
                if let Target::File { file, name } = &target {
                    file.write_all_at(&piece, start + digest.len())
                        .map_err(|error| Error::local("write", error).on(&**name))?;
                }
                digest.update(&piece);
            }
            Ok(digest)
        })
        .await?;
        Ok(())
    }
}
