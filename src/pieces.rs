//! A range of a file in small pieces: what lies in the page cache is read at once, what does not by a thread that may
//! wait for the disk, and holes are not read at all.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::body::changed;
use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, Result};

/// Bytes read and handed on at once: they stay in the processor's cache until they are summed and sent.
pub(crate) const PIECE: usize = 256 << 10;
/// Buffers that are kept for reuse: fresh ones cost more in page faults than reading the page cache.
const KEPT_BUFFERS: usize = 64;
/// How far ahead of a piece that is not in the page cache the disk is asked to read, in bytes.
const AHEAD: u64 = 2 << 20;
/// What a hole reads as.
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Whether there is nothing but zeros.
pub(crate) fn are_zeros(bytes: &[u8]) -> bool {
    // The first bytes tell nearly always.
    bytes.iter().take(16).all(|byte| *byte == 0) && bytes.chunks(PIECE).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

/// One reading of a range of a file.
#[derive(Debug)]
pub(crate) struct FilePieces {
    file: Arc<File>,
    at: u64,
    end: u64,
    waiting: Waiting,
}

/// What a read of the file may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing: the file system lies in memory.
    Never,
    /// The disk, unless the kernel says otherwise.
    ForDisk,
    /// The disk, and the kernel cannot say when.
    Unknown,
}

impl FilePieces {
    /// The bytes `range` of `file`.
    pub(crate) fn new(file: Arc<File>, range: Range<u64>) -> Self {
        let waiting = if lies_in_memory(&file) { Waiting::Never } else { Waiting::ForDisk };
        FilePieces { file, at: range.start, end: range.end, waiting }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    /// The checksum of what is left, where that is one hole.
    pub(crate) fn all_zeros(&self) -> Option<Crc64> {
        is_hole(&self.file, self.at..self.end).then(|| Crc64::of_zeros(self.end - self.at))
    }

    /// The next piece, all of a hole if the caller knows it to be one; `None` at the end.
    pub(crate) fn next_zeros(&mut self) -> Option<Bytes> {
        let len = self.next_len();
        self.at += len as u64;
        (len > 0).then(|| Bytes::from_static(&ZEROS[..len]))
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Those of the disk; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when the file ends before the range does.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let len = self.next_len();
        if len == 0 {
            return Ok(None);
        }
        let mut buffer = Buffer::take();
        let read = self.read_without_waiting(&mut buffer.0[..len])?;
        if read < len {
            let (file, at) = (self.file.clone(), self.at + read as u64);
            let reading = tokio::task::spawn_blocking(move || {
                ask_ahead(&file, at);
                file.read_exact_at(&mut buffer.0[read..len], at)?;
                Ok::<_, io::Error>(buffer)
            });
            buffer = reading.await.map_err(io::Error::other)??;
        }
        self.at += len as u64;
        Ok(Some(Bytes::from_owner(buffer).slice(..len)))
    }

    fn next_len(&self) -> usize {
        usize::try_from(self.end - self.at).unwrap_or(PIECE).min(PIECE)
    }

    /// What can be had of the next piece without waiting for a disk.
    fn read_without_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.waiting {
            Waiting::Never => self.file.read_exact_at(buffer, self.at).map(|()| buffer.len()),
            Waiting::Unknown => Ok(0),
            Waiting::ForDisk => match read_cached(&self.file, buffer, self.at) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.waiting = Waiting::Unknown;
                    Ok(0)
                }
                outcome => outcome,
            },
        }
    }
}

/// A buffer of [`PIECE`] bytes that goes back to where it came from.
struct Buffer(Box<[u8]>);

static BUFFERS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

impl Buffer {
    fn take() -> Self {
        let kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer(kept.unwrap_or_else(|| vec![0; PIECE].into_boxed_slice()))
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = BUFFERS.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_BUFFERS {
            kept.push(std::mem::take(&mut self.0));
        }
    }
}

/// The checksum of a range of a file. May block.
pub(crate) fn checksum_of(file: &File, name: &str, offset: u64, len: u64) -> Result<Crc64> {
    if is_hole(file, offset..offset.saturating_add(len)) {
        return Ok(Crc64::of_zeros(len));
    }
    let mut digest = Crc64Digest::new();
    let mut buffer = Buffer::take();
    while digest.len() < len {
        let n = usize::try_from(len - digest.len()).unwrap_or(PIECE).min(PIECE);
        let read = file.read_exact_at(&mut buffer.0[..n], offset + digest.len());
        read.map_err(|error| failed_to_read(name, error))?;
        digest.update(&buffer.0[..n]);
    }
    Ok(digest.value())
}

/// Why the source of a put could not be read.
pub(crate) fn failed_to_read(name: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => changed(name, "it became shorter"),
        _ => Error::local("read", error).on(name),
    }
}

/// Bytes of the page cache; none where they are not there.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    match preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(read),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        // Kernels and file systems that do not know the flag, each in its own words.
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Has the disk read on while the piece is on its way. That it cannot is no trouble.
fn ask_ahead(file: &File, from: u64) {
    #[cfg(not(target_vendor = "apple"))]
    let _ = rustix::fs::fadvise(file, from, std::num::NonZeroU64::new(AHEAD), rustix::fs::Advice::WillNeed);
    #[cfg(target_vendor = "apple")]
    let _ = (file, from, AHEAD);
}

/// On a file system in memory no read waits for a disk, and no kernel says so.
#[cfg(target_os = "linux")]
fn lies_in_memory(file: &File) -> bool {
    /// `statfs(2)`.
    const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];
    rustix::fs::fstatfs(file)
        .is_ok_and(|system| u32::try_from(system.f_type).is_ok_and(|kind| IN_MEMORY.contains(&kind)))
}

#[cfg(not(target_os = "linux"))]
fn lies_in_memory(_: &File) -> bool {
    false
}

/// Whether the file has no data in a range that it is long enough for.
fn is_hole(file: &File, range: Range<u64>) -> bool {
    let Ok(metadata) = file.metadata() else { return false };
    let is_sparse = metadata.blocks().saturating_mul(512) < metadata.len();
    !range.is_empty() && range.end <= metadata.len() && is_sparse && data_after(file, range.start) >= range.end
}

/// Where the first data at or after `offset` is. Only file systems that are known to tell the truth of what is not on the
/// disk yet are asked: ext4, XFS, Btrfs, tmpfs (`statfs(2)`). OpenZFS has called fresh data a hole
/// (<https://github.com/openzfs/zfs/issues/15526>).
#[cfg(target_os = "linux")]
fn data_after(file: &File, offset: u64) -> u64 {
    const TRUSTED: [u32; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];
    let kind = rustix::fs::fstatfs(file).ok().and_then(|system| u32::try_from(system.f_type).ok());
    if !kind.is_some_and(|kind| TRUSTED.contains(&kind)) {
        return offset;
    }
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => data,
        // No data up to the end.
        Err(rustix::io::Errno::NXIO) => u64::MAX,
        Err(_) => offset,
    }
}

#[cfg(not(target_os = "linux"))]
fn data_after(_: &File, offset: u64) -> u64 {
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hole_is_known_without_a_look_at_it() {
        const PART: u64 = 3 * PIECE as u64 + 5;
        let file = Arc::new(tempfile::tempfile().unwrap());
        file.set_len(4 * PART).unwrap();
        file.write_all_at(b"data", 2 * PART + 100_000).unwrap();
        let zeros = Crc64::of(&vec![0; PART as usize]);
        for part in 0..4 {
            let pieces = FilePieces::new(file.clone(), part * PART..(part + 1) * PART);
            // A file system without holes has none to know.
            if let Some(known) = pieces.all_zeros() {
                assert_eq!(known, zeros);
                assert_ne!(part, 2);
            }
            let mut with_data = vec![0; PART as usize];
            if part == 2 {
                with_data[100_000..100_004].copy_from_slice(b"data");
            }
            assert_eq!(checksum_of(&file, "f", part * PART, PART).unwrap(), Crc64::of(&with_data));
        }
        assert!(!is_hole(&file, 3 * PART..5 * PART), "what lies behind the end is no hole");
    }

    #[tokio::test]
    async fn pieces_cover_the_range_and_an_end_that_comes_early_is_told() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..2 * PIECE + 9).map(|i| (i % 251) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        let mut pieces = FilePieces::new(file.clone(), 1..bytes.len() as u64);
        let mut all = Vec::new();
        while let Some(piece) = pieces.next().await.unwrap() {
            all.extend_from_slice(&piece);
        }
        assert!(pieces.is_at_end() && all == bytes[1..]);
        let mut beyond = FilePieces::new(file, 0..bytes.len() as u64 + 1);
        let error = loop {
            match beyond.next().await {
                Ok(piece) => assert!(piece.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
