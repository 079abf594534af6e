//! One range of an object: fetched into its place in a file, however often that takes, or into memory.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::backend::Copied;
use crate::body::blocking;
use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, HighWater};
use crate::lane;
use crate::pieces::{FilePieces, are_zeros};
use crate::retry;
use crate::straggler;

use super::Transfer;
use super::download::{Expected, mismatch};
use super::landing::Landing;

/// A range that arrives wrong this often is wrong in the store, not on its way.
const MISMATCHES_ALLOWED: u32 = 3;
/// Bytes that are written at once, or more where more arrive at once: what TLS hands on is small.
const BATCH: usize = 128 << 10;
/// How often others on a lane go first while another lane writes to the same file, before it is waited for.
const YIELDS: u32 = 4;

/// A range, and what it must turn out to be.
#[derive(Clone, Debug)]
struct Wanted {
    key: Arc<str>,
    /// Of the range, from 1.
    number: u32,
    range: Range<u64>,
    /// Of the object, in bytes.
    size: u64,
    pin: Option<String>,
    sum: Option<Crc64>,
}

impl Wanted {
    fn of(key: &str, number: u32, range: Range<u64>, expected: &Expected) -> Self {
        let (size, pin) = (expected.plan.size(), expected.pin.clone());
        Wanted { key: key.into(), number, range, size, pin, sum: expected.sum_of(number) }
    }

    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }
}

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
        let progress = match landing.was_begun(number) {
            true => HighWater::begun_before(self.mover.clone()),
            false => HighWater::new(self.mover.clone()),
        };
        let (file, name) = (landing.file.clone(), landing.name.clone());
        let (is_empty, len, turn) = (landing.is_new(), expected.plan.size(), landing.turn.clone());
        let target = Target::File { file, name, is_empty, len, turn };
        self.read_range(Wanted::of(key, number, range, expected), target, progress).await
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
        let _slot = self.flow.slot().await?;
        let progress = HighWater::new(self.mover.clone());
        self.read_range(Wanted::of(key, number, range, expected), Target::Nowhere, progress).await.map(|_| ())
    }

    async fn read_range(&self, wanted: Wanted, target: Target, progress: Arc<HighWater>) -> Result<Crc64> {
        let transfer = self.clone();
        lane::run(async move { transfer.read_range_here(wanted, target, progress).await }).await
    }

    async fn read_range_here(&self, wanted: Wanted, target: Target, progress: Arc<HighWater>) -> Result<Crc64> {
        let (since, len, key) = (Instant::now(), wanted.len(), &*wanted.key);
        let mark = progress.clone();
        let state = Mutex::new(RangeWriter {
            target,
            start: wanted.range.start,
            digest: Crc64Digest::new(),
            mismatches: 0,
            progress,
            waited: Duration::ZERO,
            turn: Arc::default(),
        });
        let one_try = || async {
            let mut writer = state.lock().await;
            if writer.digest.len() < len {
                // One that has failed is not slow while it waits for the next.
                self.fill(&wanted, &mut writer).await.inspect_err(|_| mark.rests())?;
            }
            let got = writer.digest.value();
            if wanted.sum.is_some_and(|sum| sum != got) {
                mark.rests();
                writer.begins_anew();
                return Err(match writer.mismatches < MISMATCHES_ALLOWED {
                    true => mismatch(key).retryable(None),
                    false => mismatch(key),
                });
            }
            Ok(got)
        };
        let (runtime, action) = (self.store().runtime(), format!("get range {} of", wanted.number));
        let told = || straggler::tell(&*runtime.observer, &action, key, self.store().endpoint());
        let got = self.race.run(&mark, since, told, || retry::run(runtime, "get", key, one_try)).await?;
        let waited = state.lock().await.waited;
        self.tell(&Event::PartMoved { direction: Direction::Down, bytes: len, waited, took: since.elapsed() });
        Ok(got)
    }

    async fn fill(&self, wanted: &Wanted, writer: &mut RangeWriter) -> Result<()> {
        let Wanted { key, range, size, pin, .. } = wanted;
        writer.progress.begins(writer.digest.len());
        let from = range.start + writer.digest.len();
        let whole = from == 0 && range.end == *size;
        let asked = (!whole).then_some(from..range.end);
        let since = Instant::now();
        if self.copy(wanted, writer).await? {
            return Ok(());
        }
        let body = self.store().open(key, asked, pin.as_deref()).await?;
        writer.waited = since.elapsed();
        self.flow.answered(writer.waited);
        if body.meta.size != *size {
            let message = format!("it has {} bytes, not the {size} expected", body.meta.size);
            let error = Error::new(ErrorKind::Integrity, message)
                .hint_is("it was replaced or damaged: strata-ckpt ls shows the state of a checkpoint");
            // Where the ETag is the expected one, the answer is wrong and not the object.
            return Err(if pin.is_some() { error.retryable(None) } else { error });
        }
        let mut bytes = self.paced(body).bytes;
        let (mut batch, mut batched) = (Vec::new(), 0);
        while let Some(piece) = bytes.try_next().await? {
            if piece.is_empty() {
                continue;
            }
            batched += piece.len();
            writer.progress.reached(writer.digest.len() + batched as u64);
            batch.push(piece);
            if batched >= BATCH {
                writer.write(&mut batch).await?;
                batched = 0;
            }
        }
        writer.write(&mut batch).await?;
        match writer.digest.len() == wanted.len() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Unavailable, "the answer ended early").retryable(None)),
        }
    }

    /// Has the store put the range in its place by itself, where it can; what is there then is summed.
    async fn copy(&self, wanted: &Wanted, writer: &mut RangeWriter) -> Result<bool> {
        let Target::File { file, name, is_empty, .. } = &mut writer.target else { return Ok(false) };
        let Wanted { key, range, pin, .. } = wanted;
        let is_begun = !writer.digest.is_empty() || writer.mismatches > 0;
        if is_begun {
            return Ok(false);
        }
        // A copy does not tell how far it is: it is not slow, and whatever becomes of it, something may be there.
        writer.progress.rests();
        let was_empty = std::mem::replace(is_empty, false);
        let copied = self.store().copy_into(key, range.clone(), pin.as_deref(), file).await?;
        writer.progress.begins(0);
        match copied {
            Copied::Whole => {}
            Copied::Spoilt => return Ok(false),
            Copied::Not => {
                *is_empty = was_empty;
                return Ok(false);
            }
        }
        let mut pieces = FilePieces::new(file.clone(), range.clone());
        let failed = |error| Error::local("read", error).on(&**name);
        while let Some(piece) = pieces.next().await.map_err(failed)? {
            writer.digest.update(&piece);
            writer.progress.reached(writer.digest.len());
        }
        Ok(true)
    }

    /// One range in memory, verified where the store vouches for it.
    pub(super) async fn fetch_bytes(&self, key: &str, range: Range<u64>, pin: Option<&str>) -> Result<Bytes> {
        let asked = &range;
        let fetched = retry::run(self.store().runtime(), "get", key, || async move {
            let _slot = self.flow.slot().await?;
            let since = Instant::now();
            let transfer = self.clone();
            let (store, key, range, pin) = (self.store.clone(), key.to_owned(), asked.clone(), pin.map(str::to_owned));
            lane::run(async move {
                let body = transfer.paced(store.open(&key, Some(range), pin.as_deref()).await?);
                let waited = since.elapsed();
                Ok((body.collect().await?, waited, since.elapsed()))
            })
            .await
        })
        .await?;
        let (fetched, waited, took) = fetched;
        let bytes = fetched.len() as u64;
        self.flow.answered(waited);
        self.mover.event(&Event::Moved { bytes });
        self.tell(&Event::PartMoved { direction: Direction::Down, bytes, waited, took });
        Ok(fetched)
    }
}

/// Where the bytes of a range go.
#[derive(Clone)]
enum Target {
    /// To their place in a file, which has a name in errors and will be `len` bytes long. Where it is empty so far,
    /// zeros need not be written. One thread at a time writes: others would spin in the kernel for the file's lock.
    File { file: Arc<File>, name: Arc<str>, is_empty: bool, len: u64, turn: Arc<std::sync::Mutex<()>> },
    /// They are only summed.
    Nowhere,
}

impl Target {
    /// Zeros have to be written from here on.
    fn is_written_to(&mut self) {
        if let Target::File { is_empty, .. } = self {
            *is_empty = false;
        }
    }

    /// Another thread is writing.
    fn is_busy(&self) -> bool {
        matches!(self, Target::File { turn, .. } if turn.try_lock().is_err())
    }

    /// Writes the pieces of `batch`. May block.
    fn write(&self, batch: &[Bytes], offset: u64) -> Result<()> {
        let Target::File { file, name, is_empty, len, turn } = self else { return Ok(()) };
        let written = match *is_empty && batch.iter().all(|piece| are_zeros(piece)) {
            true => leave_out(file, *len),
            false => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                write_all_at(file, batch, offset)
            }
        };
        written.map_err(|error| Error::local("write", error).on(&**name))
    }
}

/// Nothing is written of what is zero: the file has a hole there.
fn leave_out(file: &File, len: u64) -> io::Result<()> {
    match file.metadata()?.len() == len {
        true => Ok(()),
        false => file.set_len(len),
    }
}

fn write_all_at(file: &File, batch: &[Bytes], mut offset: u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match rustix::io::pwritev(file, left, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
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
    /// What was written is wrong.
    fn begins_anew(&mut self) {
        self.digest = Crc64Digest::new();
        self.mismatches += 1;
        self.target.is_written_to();
    }

    /// Writes and sums the pieces of `batch`, and takes them out of it: on a lane at once, so that their buffers are
    /// used again while they are in the processor's cache.
    async fn write(&mut self, batch: &mut Vec<Bytes>) -> Result<()> {
        let offset = self.start + self.digest.len();
        if lane::number() > 0 {
            for _ in 0..YIELDS {
                if !self.target.is_busy() {
                    break;
                }
                // There may be something else to do meanwhile.
                tokio::task::yield_now().await;
            }
            self.target.write(batch, offset)?;
            batch.drain(..).for_each(|piece| self.digest.update(&piece));
            return Ok(());
        }
        let (target, mut digest, batch) = (self.target.clone(), self.digest.clone(), std::mem::take(batch));
        let turn = self.turn.clone().lock_owned().await;
        // Where this is dropped meanwhile, the thread goes on.
        let before = target.clone();
        self.target.is_written_to();
        self.digest = blocking(move || {
            let _turn = turn;
            target.write(&batch, offset)?;
            batch.iter().for_each(|piece| digest.update(piece));
            Ok(digest)
        })
        .await?;
        self.target = before;
        Ok(())
    }
}
