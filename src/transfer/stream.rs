//! Streams: stdin cut into parts as it comes, an object written to stdout in order, both within `max_memory`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::{Part, WriteOptions};
use crate::body::{PartBody, blocking};
use crate::config::{DEFAULT_PART_SIZE, PartSize};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, HighWater};
use crate::key;
use crate::multipart::{self, Job};
use crate::plan::{Plan, stream_part_size};

use super::existing::{object_at, refuse_directory};
use super::upload::{exists, precondition};
use super::verify::StreamDigest;
use super::{GetOptions, Got, Overwrite, Put, Transfer};

/// A stream is cut into no smaller parts, on any store: S3's bound, and enough for a long stream.
const SMALLEST_PART: u64 = 5 << 20;

/// Ranges that are fetched before their turn to be written, at most.
const MOST_AHEAD: usize = 32;

/// What memory is counted in, so that any size fits a semaphore's permits.
const MEMORY_UNIT: u64 = 64 << 10;

impl Transfer {
    /// Puts everything that `reader` yields, up to the store's limits. At most
    /// [`RuntimeConfig::max_memory`](crate::RuntimeConfig::max_memory) bytes of it are in memory.
    ///
    /// # Errors
    /// As [`put_file`](Self::put_file); [`ErrorKind::LocalIo`] when the stream fails;
    /// nothing is stored then.
    pub async fn put_stream<R>(&self, reader: R, key: &str, overwrite: Overwrite) -> Result<Put>
    where
        R: AsyncRead + Send + Unpin,
    {
        key::check(key)?;
        let store = &**self.store();
        if overwrite == Overwrite::Refuse && object_at(store, key).await?.is_some() {
            return Err(exists(key));
        }
        futures::try_join!(refuse_directory(store, key), self.refuse_enclosed(key))?;
        let options = WriteOptions { precondition: precondition(overwrite), ..WriteOptions::replace() };
        let mut pieces = PartReader::new(self, reader);
        let part_size = pieces.part_size(1);
        // The first part may never come; those after it are awaited under the token by the upload itself.
        let first = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::cancelled().action("put").on(key)),
            first = pieces.next() => first?,
        };
        let sent = match first {
            None => multipart::put_whole(store, key, &PartBody::from_bytes(Bytes::new()), &options).await?,
            Some((_, body)) if pieces.ended => multipart::put_whole(store, key, &body, &options).await?,
            Some(first) => {
                let rest = stream::try_unfold(pieces, |mut pieces| {
                    async move { Ok(pieces.next().await?.map(|part| (part, pieces))) }.boxed()
                });
                let parts = stream::once(async { Ok(first) }).chain(rest).map_ok(|part| async { Ok(part) }.boxed());
                let Transfer { store, flow, race, cancel, .. } = self;
                let job = Job { key, options: &options, flow, race, lanes: Some(store), in_memory: true, cancel };
                multipart::upload(&**store, job, parts.boxed()).await?
            }
        };
        self.tell(&Event::FileDone { key, bytes: sent.size, moved: true });
        Ok(sent.into_put(part_size))
    }

    /// Writes an object to `writer` in order, while ranges ahead of it are fetched, within
    /// [`RuntimeConfig::max_memory`](crate::RuntimeConfig::max_memory) bytes. The checksum can be compared only at the
    /// end, after the bytes were handed on.
    ///
    /// # Errors
    /// As [`get_file`](Self::get_file); [`ErrorKind::LocalIo`] when the writer fails.
    pub async fn get_stream<W>(&self, key: &str, mut writer: W, options: &GetOptions) -> Result<Got>
    where
        W: AsyncWrite + Send + Unpin,
    {
        key::check(key)?;
        let meta = self.store().head(key).await?;
        let expected = self.expect(&meta, self.ranges_of(meta.size)).await?;
        self.check_verifiable(key, &expected, options)?;
        self.tell(&Event::Planned { files: 1, bytes: expected.plan.size() });
        let max_memory = self.store().runtime().max_memory.max(MEMORY_UNIT);
        let range_size = expected.plan.part_size().min(max_memory);
        let ahead = usize::try_from(max_memory / range_size).unwrap_or(usize::MAX);
        let ahead = ahead.clamp(1, self.store().runtime().in_flight().min(MOST_AHEAD));
        let ranges = Plan::existing(expected.plan.size(), range_size).ranges().filter(|(_, range)| !range.is_empty());
        let mut pieces = stream::iter(ranges)
            .map(|(_, range)| self.fetch_bytes(key, range, expected.pin.as_deref()).boxed())
            .buffered(ahead);
        let failed = |error| Error::local(format!("write '{key}' to the output"), error);
        let (mut digest, mut size) = (StreamDigest::new(&expected), 0);
        while let Some(piece) = pieces.try_next().await? {
            digest = blocking({
                let piece = piece.clone();
                move || Ok(digest.with(&piece))
            })
            .await?;
            size += piece.len() as u64;
            writer.write_all(&piece).await.map_err(failed)?;
        }
        writer.flush().await.map_err(failed)?;
        let checksum = digest.crc64();
        let verified = self.verify_stream(key, &expected, digest).await.map_err(|error| match error.kind() {
            ErrorKind::Integrity => error.hint_is("what was written to the output is wrong: discard it and try again"),
            _ => error,
        })?;
        if options.require_checksum && !verified {
            return Err(Error::new(ErrorKind::Integrity, "what was written to the output could not be verified")
                .action("get")
                .on(key)
                .hint_is("get it into a file, which is read again for its checksum"));
        }
        self.tell(&Event::FileDone { key, bytes: size, moved: true });
        Ok(Got { size, checksum, verified, moved: true })
    }
}

/// Cuts a stream into parts; each holds its share of the memory until it has been sent.
struct PartReader<'a, R> {
    transfer: &'a Transfer,
    reader: R,
    memory: Arc<Semaphore>,
    number: u32,
    offset: u64,
    /// The stream's end was seen.
    ended: bool,
}

impl<'a, R: AsyncRead + Send + Unpin> PartReader<'a, R> {
    fn new(transfer: &'a Transfer, reader: R) -> Self {
        let units = (transfer.store.runtime().max_memory / MEMORY_UNIT).clamp(1, u32::MAX.into());
        let memory = Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(Semaphore::MAX_PERMITS)));
        PartReader { transfer, reader, memory, number: 0, offset: 0, ended: false }
    }

    fn part_size(&self, number: u32) -> u64 {
        let runtime = self.transfer.store.runtime();
        let first = match runtime.part_size {
            PartSize::Auto => DEFAULT_PART_SIZE,
            PartSize::Fixed(bytes) => bytes,
        };
        // A quarter of the memory: one part is read while others are on their way.
        let allowed = self.transfer.store.capabilities().part_size;
        let largest = (runtime.max_memory / 4).clamp(SMALLEST_PART.max(*allowed.start()), *allowed.end());
        stream_part_size(number, first.min(largest), largest)
    }

    async fn reserve(&mut self, bytes: u64) -> Result<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(MEMORY_UNIT).min(self.transfer.store.runtime().max_memory / MEMORY_UNIT).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        self.memory.clone().acquire_many_owned(units).await.map_err(|_| Error::cancelled())
    }

    async fn next(&mut self) -> Result<Option<(Part, PartBody)>> {
        if self.ended {
            return Ok(None);
        }
        let limits = self.transfer.store.capabilities();
        if self.number == limits.max_parts || self.offset >= limits.max_object_size {
            return Err(Error::invalid(format!(
                "the stream is longer than {} bytes in {} parts",
                self.offset, self.number
            ))
            .hint_is("raise --max-memory and --part-size, or split the stream"));
        }
        let size = self.part_size(self.number + 1);
        let memory = self.reserve(size).await?;
        let mut buffer = BytesMut::with_capacity(usize::try_from(size).unwrap_or(usize::MAX));
        let mut limited = (&mut self.reader).take(size);
        while (buffer.len() as u64) < size {
            let n =
                limited.read_buf(&mut buffer).await.map_err(|error| Error::local("read the input stream", error))?;
            if n == 0 {
                self.ended = true;
                break;
            }
        }
        if buffer.is_empty() {
            return Ok(None);
        }
        let bytes = buffer.freeze();
        self.number += 1;
        let part = Part { number: self.number, offset: self.offset };
        self.offset += bytes.len() as u64;
        let observer = self.transfer.mover.clone();
        self.transfer.tell(&Event::Planned { files: u64::from(self.number == 1), bytes: bytes.len() as u64 });
        let body = PartBody::from_bytes(bytes).paced(self.transfer.throttle());
        Ok(Some((part, body.with_progress(HighWater::new(observer)).holding(memory))))
    }
}
