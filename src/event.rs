//! What the library tells while it works. It never prints: an [`Observer`] renders these.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::straggler::Pace;

/// Something that happened during a transfer.
#[non_exhaustive]
#[derive(Debug)]
pub enum Event<'a> {
    /// More work is known: this many files and bytes on top of what was announced before.
    Planned {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// Bytes moved for the first time. A retry never counts the same byte twice, so the sum is a high-water mark.
    Moved {
        /// Bytes.
        bytes: u64,
    },
    /// Bytes that an earlier run moved, that were checked, and that count as done now without having moved.
    Resumed {
        /// The key.
        key: &'a str,
        /// Bytes.
        bytes: u64,
    },
    /// So many more bytes, or fewer where negative, were handed on whole, as a part or a small object, and wait for the
    /// store to confirm them.
    Unconfirmed {
        /// Bytes.
        bytes: i64,
    },
    /// Bytes that went more than once: tries that failed, parts that were given up for being slow, and parts that were
    /// on their way when an earlier run ended.
    Again {
        /// Bytes.
        bytes: u64,
    },
    /// One request of a transfer is done: a part or a small object is in the store, or a range came out of it. What
    /// failed before it succeeded does not count.
    PartMoved {
        /// Which way.
        direction: Direction,
        /// Bytes that it carried.
        bytes: u64,
        /// How long the store took to answer: to the first byte of what was asked for, or to its confirmation after
        /// the last byte was handed on.
        waited: Duration,
        /// From its beginning, the reading of a source for its checksum included, to its end.
        took: Duration,
    },
    /// A try failed and will be repeated.
    Retrying {
        /// What was tried, as a verb phrase.
        action: &'a str,
        /// The key.
        key: &'a str,
        /// The number of the try that failed, from 1.
        tries: u32,
        /// How long until the next.
        delay: Duration,
        /// Why it failed.
        error: &'a Error,
    },
    /// A file is at its destination and verified.
    FileDone {
        /// The key.
        key: &'a str,
        /// Its size in bytes.
        bytes: u64,
        /// False where the destination already held the same content and nothing was moved.
        moved: bool,
    },
    /// A checkpoint became visible.
    Committed {
        /// The checkpoint's name.
        key: &'a str,
        /// Files in it.
        files: u64,
        /// Bytes in it.
        bytes: u64,
    },
    /// So many objects of a listing have come so far.
    Listed {
        /// Objects.
        objects: u64,
    },
    /// The store keeps old versions: what is removed is hidden, and its bytes stay. Told once for each store.
    VersionsKept,
    /// Something a person should know that is no failure, as one line.
    Warning {
        /// The line, without a trailing period.
        message: &'a str,
    },
}

/// Which way bytes move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the store.
    Up,
    /// Out of the store.
    Down,
}

/// Receives [`Event`]s, possibly from several threads at once; it should return quickly.
pub trait Observer: Send + Sync {
    /// Called for each event.
    fn event(&self, event: &Event<'_>);
}

/// Ignores every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// The high-water mark of one range: tells the observer of each byte once, and of bytes that go again.
pub(crate) struct HighWater {
    mark: Mutex<Mark>,
    observer: Arc<dyn Observer>,
}

#[derive(Debug, Default)]
struct Mark {
    /// Bytes that the observer knows of.
    counted: u64,
    /// Bytes that went before, in this run or an earlier one.
    gone: u64,
    /// How far the current try has come.
    at: u64,
    /// Where the current try began, and when; `None` while nothing is on its way.
    current: Option<(u64, Instant)>,
    /// When it came as far as it has.
    since: Option<Instant>,
    /// Bytes that the observer knows to wait for the store.
    unconfirmed: i64,
}

impl HighWater {
    /// Of a range that nobody has moved yet.
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Arc<Self> {
        HighWater::with(observer, Mark::default())
    }

    /// Of a range that an earlier run began to move: all of its bytes go again.
    pub(crate) fn begun_before(observer: Arc<dyn Observer>) -> Arc<Self> {
        HighWater::with(observer, Mark { gone: u64::MAX, ..Mark::default() })
    }

    /// Of a range of which the observer was told already: [`Event::Resumed`].
    pub(crate) fn resumed(observer: Arc<dyn Observer>) -> Arc<Self> {
        HighWater::with(observer, Mark { counted: u64::MAX, gone: u64::MAX, ..Mark::default() })
    }

    fn with(observer: Arc<dyn Observer>, mark: Mark) -> Arc<Self> {
        Arc::new(HighWater { mark: Mutex::new(mark), observer })
    }

    /// A try begins, at this byte of the range.
    pub(crate) fn begins(&self, from: u64) {
        self.waits_for(0);
        let mut mark = self.mark();
        let now = Instant::now();
        (mark.at, mark.current, mark.since) = (from, Some((from, now)), Some(now));
    }

    /// How long nothing has moved.
    pub(crate) fn rested(&self) -> Duration {
        self.mark().since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The try has failed; until the next begins nothing is on its way.
    pub(crate) fn rests(&self) {
        self.waits_for(0);
        self.mark().current = None;
    }

    /// All bytes were handed on; until the try ends, the store is to confirm them.
    pub(crate) fn handed_on(&self, bytes: u64) {
        self.waits_for(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn waits_for(&self, bytes: i64) {
        let before = std::mem::replace(&mut self.mark().unconfirmed, bytes);
        if before != bytes {
            self.observer.event(&Event::Unconfirmed { bytes: bytes - before });
        }
    }

    /// How fast the current try is.
    pub(crate) fn pace(&self) -> Option<Pace> {
        let mark = self.mark();
        let (from, since) = mark.current?;
        Some(Pace { time: since.elapsed(), bytes: mark.at.saturating_sub(from) })
    }

    fn mark(&self) -> MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current try has moved `bytes` of the range. No more than before: it is a new try, from the range's start.
    pub(crate) fn reached(&self, bytes: u64) {
        let mut mark = self.mark();
        let from = if bytes > mark.at { mark.at } else { 0 };
        let again = bytes.min(mark.gone).saturating_sub(from);
        let moved = bytes.saturating_sub(mark.counted);
        (mark.at, mark.since) = (bytes, Some(Instant::now()));
        mark.gone = mark.gone.max(bytes);
        mark.counted = mark.counted.max(bytes);
        drop(mark);
        if moved > 0 {
            self.observer.event(&Event::Moved { bytes: moved });
        }
        if again > 0 {
            self.observer.event(&Event::Again { bytes: again });
        }
    }
}

impl Drop for HighWater {
    fn drop(&mut self) {
        self.waits_for(0);
    }
}

impl std::fmt::Debug for HighWater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HighWater").field("mark", &self.mark).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[derive(Default)]
    struct Sums(AtomicU64, AtomicU64);

    impl Observer for Sums {
        fn event(&self, event: &Event<'_>) {
            match event {
                Event::Moved { bytes } => self.0.fetch_add(*bytes, Relaxed),
                Event::Again { bytes } => self.1.fetch_add(*bytes, Relaxed),
                _ => 0,
            };
        }
    }

    /// What is told as moved, and as moved again.
    fn told(mark: fn(Arc<dyn Observer>) -> Arc<HighWater>, steps: &[u64]) -> (u64, u64) {
        let sums = Arc::new(Sums::default());
        let mark = mark(sums.clone());
        steps.iter().for_each(|bytes| mark.reached(*bytes));
        (sums.0.load(Relaxed), sums.1.load(Relaxed))
    }

    #[test]
    fn each_byte_is_told_once_and_again_for_each_try_more() {
        assert_eq!(told(HighWater::new, &[3, 6, 10]), (10, 0));
        assert_eq!(told(HighWater::new, &[3, 6, 3, 6, 10]), (10, 6));
        assert_eq!(told(HighWater::new, &[10, 10, 10]), (10, 20), "one step a try");
        assert_eq!(told(HighWater::new, &[3, 6, 3, 3, 10]), (10, 9));
    }

    #[test]
    fn what_waits_is_told_until_the_try_ends() {
        #[derive(Default)]
        struct Waiting(std::sync::atomic::AtomicI64);
        impl Observer for Waiting {
            fn event(&self, event: &Event<'_>) {
                if let Event::Unconfirmed { bytes } = event {
                    self.0.fetch_add(*bytes, Relaxed);
                }
            }
        }
        let waiting = Arc::new(Waiting::default());
        let mark = HighWater::new(waiting.clone());
        let ends: [fn(&HighWater); 2] = [HighWater::rests, |mark| mark.begins(0)];
        for end in ends {
            mark.handed_on(10);
            assert_eq!(waiting.0.load(Relaxed), 10);
            end(&mark);
            assert_eq!(waiting.0.load(Relaxed), 0);
        }
        mark.handed_on(7);
        drop(mark);
        assert_eq!(waiting.0.load(Relaxed), 0);
    }

    #[test]
    fn what_an_earlier_run_moved_goes_again() {
        assert_eq!(told(HighWater::begun_before, &[3, 10]), (10, 10));
        assert_eq!(told(HighWater::begun_before, &[3, 3, 10]), (10, 13));
        assert_eq!(told(HighWater::resumed, &[3, 10]), (0, 10));
    }
}
