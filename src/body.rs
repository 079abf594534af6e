//! The bytes of one part: a range of a file or a buffer, with the checksum that was taken before they are sent.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use tokio::sync::OwnedSemaphorePermit;

use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::event::HighWater;

/// Bytes read and handed on at once. Fresh megabyte buffers cost more in page faults than reading the cache twice.
pub(crate) const PIECE: usize = 256 << 10;

/// Asked before a body's last piece is handed out; an error ends the body instead.
pub(crate) type Guard = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// A part's bytes, which can be read again for every try, so that nothing is held in memory for a retry.
#[derive(Clone, Debug)]
pub struct PartBody {
    source: Source,
    checksum: Crc64,
    progress: Option<Arc<HighWater>>,
    guard: Option<HiddenGuard>,
    /// Memory reserved for `source`, given back with the last clone.
    _memory: Option<Arc<OwnedSemaphorePermit>>,
}

#[derive(Clone)]
struct HiddenGuard(Guard);

impl std::fmt::Debug for HiddenGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Bytes),
    File { file: Arc<File>, name: Arc<str>, offset: u64, len: u64 },
}

impl PartBody {
    /// A part that lies in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let checksum = Crc64::of(&bytes);
        PartBody { source: Source::Bytes(bytes), checksum, progress: None, guard: None, _memory: None }
    }

    /// The bytes `offset..offset + len` of a file, read once now for their checksum and once more for each try.
    /// `name` stands in errors.
    ///
    /// # Errors
    /// [`ErrorKind::LocalIo`] when the file cannot be read; [`ErrorKind::Integrity`] when it ends before the range does.
    pub async fn from_file(file: Arc<File>, name: Arc<str>, offset: u64, len: u64) -> Result<Self> {
        let (again, again_name) = (file.clone(), name.clone());
        let checksum = blocking(move || checksum_of(&again, &again_name, offset, len)).await?;
        Ok(PartBody {
            source: Source::File { file, name, offset, len },
            checksum,
            progress: None,
            guard: None,
            _memory: None,
        })
    }

    pub(crate) fn with_progress(mut self, progress: Arc<HighWater>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The same bytes for another purpose than to be sent.
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn unobserved(&self) -> Self {
        PartBody { progress: None, guard: None, ..self.clone() }
    }

    pub(crate) fn progress(&self) -> Option<&Arc<HighWater>> {
        self.progress.as_ref()
    }

    /// The try that [`pieces`](Self::pieces) began has failed, so that it does not count as slow while it waits.
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn rests(&self) {
        if let Some(progress) = &self.progress {
            progress.rests();
        }
    }

    /// A file is asked `guard` as well before its last piece is handed out.
    pub(crate) fn guarded(mut self, guard: Guard) -> Self {
        self.guard = Some(HiddenGuard(guard));
        self
    }

    pub(crate) fn holding(mut self, memory: OwnedSemaphorePermit) -> Self {
        self._memory = Some(Arc::new(memory));
        self
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match &self.source {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File { len, .. } => *len,
        }
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The checksum that was taken when the part was made.
    pub fn checksum(&self) -> Crc64 {
        self.checksum
    }

    /// The bytes in pieces of at most 256 KiB, read while they are taken. The last piece is handed out only if all of
    /// them still have the checksum.
    ///
    /// The stream fails with [`ErrorKind::Integrity`] when a file changed since, [`ErrorKind::LocalIo`] when it cannot
    /// be read.
    pub fn pieces(&self) -> BoxStream<'static, Result<Bytes>> {
        let len = self.len();
        let progress = self.progress.clone();
        if let Some(progress) = &progress {
            progress.begins(0);
        }
        let tell = move |sent: u64| {
            if let Some(progress) = &progress {
                progress.reached(sent);
            }
        };
        match &self.source {
            Source::Bytes(bytes) => {
                let hold = self.clone();
                let pieces = try_unfold((bytes.clone(), hold), move |(mut rest, hold)| {
                    let piece = rest.split_to(rest.len().min(PIECE));
                    tell(len - rest.len() as u64);
                    async move { Ok((!piece.is_empty()).then_some((piece, (rest, hold)))) }
                });
                pieces.boxed()
            }
            Source::File { file, name, offset, .. } => {
                let start = Reader {
                    file: file.clone(),
                    name: name.clone(),
                    at: *offset,
                    end: offset + len,
                    digest: Crc64Digest::new(),
                    guard: self.guard.clone(),
                };
                let expected = self.checksum;
                let pieces = try_unfold(start, move |reader| async move {
                    if reader.at == reader.end {
                        return Ok(None);
                    }
                    blocking(move || reader.next(expected)).await.map(Some)
                });
                let mut sent = 0;
                pieces
                    .map_ok(move |piece: Bytes| {
                        sent += piece.len() as u64;
                        tell(sent);
                        piece
                    })
                    .boxed()
            }
        }
    }
}

/// The second pass over a range of a file.
struct Reader {
    file: Arc<File>,
    name: Arc<str>,
    at: u64,
    end: u64,
    digest: Crc64Digest,
    guard: Option<HiddenGuard>,
}

impl Reader {
    fn next(mut self, expected: Crc64) -> Result<(Bytes, Reader)> {
        let mut piece = BytesMut::zeroed(usize::try_from(self.end - self.at).unwrap_or(PIECE).min(PIECE));
        read_exact(&self.file, &self.name, &mut piece, self.at)?;
        self.at += piece.len() as u64;
        self.digest.update(&piece);
        if self.at == self.end && self.digest.value() != expected {
            return Err(changed(&self.name, "it was written to"));
        }
        if let Some(HiddenGuard(guard)) = self.guard.as_ref().filter(|_| self.at == self.end) {
            guard()?;
        }
        Ok((piece.freeze(), self))
    }
}

/// The checksum of a range of a file.
pub(crate) fn checksum_of(file: &File, name: &str, offset: u64, len: u64) -> Result<Crc64> {
    let mut digest = Crc64Digest::new();
    let mut buffer = vec![0; usize::try_from(len).unwrap_or(PIECE).min(PIECE)];
    while digest.len() < len {
        let n = usize::try_from(len - digest.len()).unwrap_or(PIECE).min(PIECE);
        read_exact(file, name, &mut buffer[..n], offset + digest.len())?;
        digest.update(&buffer[..n]);
    }
    Ok(digest.value())
}

pub(crate) fn read_exact(file: &File, name: &str, buffer: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => changed(name, "it became shorter"),
        _ => Error::local("read", error).on(name),
    })
}

/// The source is no longer what it was when the transfer began.
pub(crate) fn changed(name: &str, how: &str) -> Error {
    Error::new(ErrorKind::Integrity, format!("'{name}' changed while it was being put: {how}"))
        .hint_is("put a checkpoint only after it has been written completely, then run the same command again")
}

/// Runs `work` where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::new(ErrorKind::Other, "a worker thread stopped unexpectedly").caused_by(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    async fn collect(body: &PartBody) -> Result<Vec<u8>> {
        body.pieces()
            .try_fold(Vec::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
    }

    fn file_of(bytes: &[u8]) -> (tempfile::NamedTempFile, Arc<File>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let again = Arc::new(file.reopen().unwrap());
        (file, again)
    }

    #[tokio::test]
    async fn both_sources_give_the_same_bytes_again_and_again() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
            let (_keep, file) = file_of(&bytes);
            let from_file = PartBody::from_file(file, "f".into(), 0, len as u64).await.unwrap();
            let from_bytes = PartBody::from_bytes(bytes.clone().into());
            assert_eq!(from_file.checksum(), from_bytes.checksum());
            for body in [&from_file, &from_file, &from_bytes, &from_bytes] {
                assert_eq!(collect(body).await.unwrap(), bytes, "{len}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_is_caught_before_its_last_piece() {
        let (keep, file) = file_of(&vec![7; 2 * PIECE]);
        let body = PartBody::from_file(file, "model.bin".into(), 0, 2 * PIECE as u64).await.unwrap();
        keep.as_file().write_all_at(b"x", 3).unwrap();
        let mut pieces = body.pieces();
        assert!(pieces.next().await.unwrap().is_ok());
        let error = pieces.next().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "'model.bin' changed while it was being put: it was written to");
        keep.as_file().set_len(5).unwrap();
        assert_eq!(collect(&body).await.unwrap_err().kind(), ErrorKind::Integrity);
    }

    #[tokio::test]
    async fn a_guard_is_asked_before_the_last_piece() {
        let (_keep, file) = file_of(&vec![7; 2 * PIECE]);
        let guard: Guard = Arc::new(|| Err(changed("model.bin", "it grew")));
        let body = PartBody::from_file(file, "model.bin".into(), 0, 2 * PIECE as u64).await.unwrap().guarded(guard);
        let mut pieces = body.pieces();
        assert!(pieces.next().await.unwrap().is_ok());
        assert_eq!(pieces.next().await.unwrap().unwrap_err().kind(), ErrorKind::Integrity);
    }
}
