//! The bytes of one part: a range of a file or a buffer, read for each try anew, and their checksum.

use std::fs::File;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, try_unfold};
use tokio::sync::OwnedSemaphorePermit;

use crate::checksum::{Crc64, Crc64Digest};
use crate::error::{Error, ErrorKind, Result};
use crate::event::HighWater;
use crate::pieces::{FilePieces, PIECE, failed_to_read};
use crate::throttle::Throttle;

/// Asked before a body's last piece is handed out; an error ends the body instead.
pub(crate) type Guard = Arc<dyn Fn() -> Result<()> + Send + Sync>;

/// A part's bytes, which can be read again for every try, so that nothing is held in memory for a retry.
#[derive(Clone, Debug)]
pub struct PartBody {
    source: Source,
    /// Of the first reading to its end; all others must agree.
    checksum: Arc<OnceLock<Crc64>>,
    progress: Option<Arc<HighWater>>,
    guard: Option<HiddenGuard>,
    throttle: Option<Throttle>,
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
        PartBody::from_source(Source::Bytes(bytes))
    }

    /// The bytes `offset..offset + len` of a file, which is not read yet. `name` stands in errors.
    pub fn from_file(file: Arc<File>, name: Arc<str>, offset: u64, len: u64) -> Self {
        PartBody::from_source(Source::File { file, name, offset, len })
    }

    fn from_source(source: Source) -> Self {
        PartBody { source, checksum: Arc::default(), progress: None, guard: None, throttle: None, _memory: None }
    }

    pub(crate) fn with_progress(mut self, progress: Arc<HighWater>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The same bytes for another purpose than to be sent.
    /// Its pieces wait for their turn.
    pub(crate) fn paced(mut self, throttle: Option<&Throttle>) -> Self {
        self.throttle = throttle.cloned();
        self
    }

    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn unobserved(&self) -> Self {
        PartBody { progress: None, guard: None, throttle: None, ..self.clone() }
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

    /// The checksum of the bytes: that of the first reading, or of one that is made now where there was none.
    /// Who needs it only after the bytes were sent saves a reading by asking then.
    ///
    /// # Errors
    /// [`ErrorKind::LocalIo`] when the file cannot be read; [`ErrorKind::Integrity`] when it ends before the range does.
    pub async fn checksum(&self) -> Result<Crc64> {
        if let Some(known) = self.checksum.get() {
            return Ok(*known);
        }
        let sum = match &self.source {
            Source::Bytes(bytes) => Crc64::of(bytes),
            Source::File { file, name, offset, len } => {
                let mut pieces = FilePieces::new(file.clone(), *offset..*offset + *len);
                match pieces.all_zeros() {
                    Some(zeros) => zeros,
                    None => {
                        let mut digest = Crc64Digest::new();
                        while let Some(piece) = pieces.next().await.map_err(|error| failed_to_read(name, error))? {
                            digest.update(&piece);
                        }
                        digest.value()
                    }
                }
            }
        };
        self.agree(sum)
    }

    /// All readings have the same checksum, or the source changed.
    fn agree(&self, sum: Crc64) -> Result<Crc64> {
        match *self.checksum.get_or_init(|| sum) == sum {
            true => Ok(sum),
            false => Err(changed(self.name(), "it was written to")),
        }
    }

    /// The file and the range of it that the part is, if it is one.
    pub(crate) fn file(&self) -> Option<(&Arc<File>, Range<u64>)> {
        match &self.source {
            Source::Bytes(_) => None,
            Source::File { file, offset, len, .. } => Some((file, *offset..*offset + *len)),
        }
    }

    /// All of it reached its place without being read here, where it has this checksum.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when that is not the checksum of an earlier reading, or the source changed.
    pub(crate) fn was_copied(&self, sum: Crc64) -> Result<()> {
        self.agree(sum)?;
        if let Some(HiddenGuard(guard)) = &self.guard {
            guard()?;
        }
        if let Some(progress) = &self.progress {
            progress.begins(0);
            progress.reached(self.len());
        }
        Ok(())
    }

    fn name(&self) -> &str {
        match &self.source {
            Source::Bytes(_) => "memory",
            Source::File { name, .. } => name,
        }
    }

    /// The bytes in pieces of at most 256 KiB, read while they are taken. The last piece is handed out only if all of
    /// them have the checksum of the first reading, if there was one; else they give it.
    ///
    /// The stream fails with [`ErrorKind::Integrity`] when a file changed since, [`ErrorKind::LocalIo`] when it cannot
    /// be read.
    pub fn pieces(&self) -> BoxStream<'static, Result<Bytes>> {
        if let Some(progress) = &self.progress {
            progress.begins(0);
        }
        let reading = match &self.source {
            Source::Bytes(bytes) => Reading::Bytes(bytes.clone()),
            Source::File { file, offset, len, .. } => {
                let pieces = FilePieces::new(file.clone(), *offset..*offset + *len);
                match pieces.all_zeros() {
                    Some(zeros) => Reading::Zeros(pieces, zeros),
                    None => Reading::File(pieces, Box::default()),
                }
            }
        };
        let (mut sent, len) = (0, self.len());
        let progress = self.progress.clone();
        let pieces = try_unfold((reading, self.clone()), |(reading, body)| reading.next(body)).boxed();
        let pieces = match &self.throttle {
            Some(throttle) => throttle.pace(pieces),
            None => pieces,
        };
        pieces
            .map_ok(move |piece: Bytes| {
                sent += piece.len() as u64;
                if let Some(progress) = &progress {
                    progress.reached(sent);
                    if sent == len {
                        progress.handed_on(len);
                    }
                }
                piece
            })
            .boxed()
    }
}

/// One reading of a part.
enum Reading {
    Bytes(Bytes),
    File(FilePieces, Box<Crc64Digest>),
    /// Nothing but a hole, which has a known checksum as long as it is one.
    Zeros(FilePieces, Crc64),
}

type Next = Option<(Bytes, (Reading, PartBody))>;

impl Reading {
    async fn next(mut self, body: PartBody) -> Result<Next> {
        let piece = match &mut self {
            Reading::Bytes(rest) => {
                let piece = rest.split_to(rest.len().min(PIECE));
                return Ok((!piece.is_empty()).then_some((piece, (self, body))));
            }
            Reading::File(pieces, digest) => {
                let piece = pieces.next().await.map_err(|error| failed_to_read(body.name(), error))?;
                let Some(piece) = piece else { return Ok(None) };
                digest.update(&piece);
                if pieces.is_at_end() {
                    body.agree(digest.value())?;
                }
                piece
            }
            Reading::Zeros(pieces, sum) => {
                let before = pieces.is_at_end() || pieces.all_zeros().is_some();
                let Some(piece) = pieces.next_zeros() else { return Ok(None) };
                if !before {
                    return Err(changed(body.name(), "it was written to"));
                }
                if pieces.is_at_end() {
                    body.agree(*sum)?;
                }
                piece
            }
        };
        if let (Reading::File(pieces, _) | Reading::Zeros(pieces, _), Some(HiddenGuard(guard))) = (&self, &body.guard)
            && pieces.is_at_end()
        {
            guard()?;
        }
        Ok(Some((piece, (self, body))))
    }
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
    use std::os::unix::fs::FileExt;

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
            let from_file = PartBody::from_file(file, "f".into(), 0, len as u64);
            let from_bytes = PartBody::from_bytes(bytes.clone().into());
            assert_eq!(from_file.checksum().await.unwrap(), from_bytes.checksum().await.unwrap());
            for body in [&from_file, &from_file, &from_bytes, &from_bytes] {
                assert_eq!(collect(body).await.unwrap(), bytes, "{len}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_is_caught_before_its_last_piece() {
        let (keep, file) = file_of(&vec![7; 2 * PIECE]);
        let body = PartBody::from_file(file, "model.bin".into(), 0, 2 * PIECE as u64);
        body.checksum().await.unwrap();
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
        let body = PartBody::from_file(file, "model.bin".into(), 0, 2 * PIECE as u64).guarded(guard);
        let mut pieces = body.pieces();
        assert!(pieces.next().await.unwrap().is_ok());
        assert_eq!(pieces.next().await.unwrap().unwrap_err().kind(), ErrorKind::Integrity);
    }
}
