//! The body of a request, and how far it has moved.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};

/// Bytes handed to the connection at once: small enough that 3 kB/s are seen to move within the default stall timeout.
const SLICE: usize = 64 << 10;

/// What a request carries. Cheap to clone, so that each try has its own.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Empty,
    Bytes(Bytes),
    Part(PartBody),
}

impl Payload {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Payload::Empty => 0,
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Part(part) => part.len(),
        }
    }

    /// The body of one try, and the view of it that the sender keeps. The clock starts after `head_start`.
    pub(super) fn start(&self, head_start: Duration) -> (Sending, Arc<Moving>) {
        let left = self.len();
        let pieces = match self {
            Payload::Empty => futures::stream::empty().boxed(),
            Payload::Bytes(bytes) => futures::stream::iter([Ok(bytes.clone())]).boxed(),
            Payload::Part(part) => part.pieces(),
        };
        let moving = Arc::new(Moving {
            born: Instant::now(),
            last: AtomicU64::new(millis(head_start)),
            done: AtomicBool::new(left == 0),
            failed: Mutex::new(None),
        });
        (Sending { pieces, piece: Bytes::new(), left, moving: moving.clone() }, moving)
    }
}

/// A body on its way into the connection.
pub(super) struct Sending {
    pieces: BoxStream<'static, Result<Bytes>>,
    piece: Bytes,
    left: u64,
    moving: Arc<Moving>,
}

impl Sending {
    fn fail(&mut self, error: Error) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        *self.moving.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Poll::Ready(Some(Err(io::Error::other("the source of the body failed"))))
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        while self.piece.is_empty() {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.pieces).poll_next(cx)) {
                Some(Ok(piece)) if piece.len() as u64 <= self.left => self.piece = piece,
                Some(Err(error)) => return self.fail(error.not_retryable()),
                Some(Ok(_)) | None => {
                    return self
                        .fail(Error::new(ErrorKind::Integrity, "the source has another length than was announced"));
                }
            }
        }
        let end = self.piece.len().min(SLICE);
        let slice = self.piece.split_to(end);
        self.left -= slice.len() as u64;
        self.moving.moved(self.left == 0);
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// How far the body of a request has moved.
pub(super) struct Moving {
    born: Instant,
    /// Milliseconds from `born` to the last movement.
    last: AtomicU64,
    done: AtomicBool,
    failed: Mutex<Option<Error>>,
}

impl Moving {
    fn moved(&self, done: bool) {
        self.last.fetch_max(millis(self.born.elapsed()), Ordering::Relaxed);
        self.done.store(done, Ordering::Release);
    }

    /// The body was handed over to its last byte.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// The error that the source failed with, which stands above whatever became of the connection.
    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Resolves when the body has stood still for `stall`, or the answer has not begun `first_byte` after its end.
    pub(super) async fn silence(&self, stall: Duration, first_byte: Duration) -> Error {
        loop {
            let done = self.is_done();
            let patience = if done { first_byte } else { stall };
            let deadline = self.born + Duration::from_millis(self.last.load(Ordering::Relaxed)) + patience;
            let now = Instant::now();
            if now < deadline {
                // Which of the two counts may change meanwhile.
                sleep_until(deadline.min(now + stall.min(first_byte).max(Duration::from_millis(1)))).await;
                continue;
            }
            let what = if done { "no answer began within" } else { "the upload stood still for" };
            return timed_out(what, patience);
        }
    }
}

/// A time that ran out: `what` and how long it was.
pub(super) fn timed_out(what: &str, patience: Duration) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what} {}", humantime::format_duration(patience))).retryable(None)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_body_has_an_exact_length_and_comes_in_slices() {
        let bytes: Bytes = (0..3 * SLICE + 5).map(|i| i as u8).collect();
        for payload in [Payload::Bytes(bytes.clone()), Payload::Part(PartBody::from_bytes(bytes.clone()))] {
            let (mut body, moving) = payload.start(Duration::ZERO);
            assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
            let mut all = Vec::new();
            while let Some(frame) = body.frame().await {
                let slice = frame.unwrap().into_data().unwrap();
                assert!(slice.len() <= SLICE);
                all.extend_from_slice(&slice);
                assert_eq!(moving.is_done(), all.len() == bytes.len());
            }
            assert_eq!(all, bytes);
        }
        assert!(Payload::Empty.start(Duration::ZERO).1.is_done());
    }

    #[tokio::test]
    async fn an_error_of_the_source_is_kept() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"0123456789").unwrap();
        let source = Arc::new(file.reopen().unwrap());
        let part = PartBody::from_file(source, "model.bin".into(), 0, 10);
        file.as_file().set_len(3).unwrap();
        let (mut body, moving) = Payload::Part(part).start(Duration::ZERO);
        assert!(body.frame().await.unwrap().is_err());
        let error = moving.take_failure().unwrap();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Integrity, false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_moves_slowly_is_left_alone_and_what_stands_still_is_not() {
        let (mut body, moving) = Payload::Bytes(vec![0; 4 * SLICE].into()).start(Duration::ZERO);
        let slow = async {
            for _ in 0..4 {
                tokio::time::sleep(SECOND * 9).await;
                body.frame().await;
            }
        };
        let watched = async {
            let error = moving.silence(SECOND * 10, SECOND * 60).await;
            (error.to_string(), Instant::now())
        };
        let start = Instant::now();
        let ((), (text, end)) = tokio::join!(slow, watched);
        assert_eq!((text.as_str(), end - start), ("no answer began within 1m", SECOND * (36 + 60)));
        let (_body, moving) = Payload::Bytes(vec![0; 4].into()).start(SECOND * 5);
        let start = Instant::now();
        assert_eq!(moving.silence(SECOND * 10, SECOND).await.to_string(), "the upload stood still for 10s");
        assert_eq!(start.elapsed(), SECOND * 15, "after the head start that connecting has");

        let (mut body, moving) = Payload::Bytes(vec![0; 4].into()).start(Duration::ZERO);
        let start = Instant::now();
        let (_, error) = tokio::join!(body.frame(), moving.silence(SECOND * 30, SECOND));
        assert_eq!(error.to_string(), "no answer began within 1s");
        assert!(start.elapsed() <= SECOND * 2, "not after the time that a body may take: {:?}", start.elapsed());
    }
}
