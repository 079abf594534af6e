//! What the library tells while it works. It never prints: an [`Observer`] renders these.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Error;

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
    /// Something a person should know that is no failure, as one line.
    Warning {
        /// The line, without a trailing period.
        message: &'a str,
    },
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

/// The high-water mark of one range: tells the observer only of bytes that it has not counted yet.
pub(crate) struct HighWater {
    mark: AtomicU64,
    observer: Arc<dyn Observer>,
}

impl HighWater {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(HighWater { mark: AtomicU64::new(0), observer })
    }

    /// The current try has moved `bytes` of the range.
    pub(crate) fn reached(&self, bytes: u64) {
        let before = self.mark.fetch_max(bytes, Ordering::Relaxed);
        if bytes > before {
            self.observer.event(&Event::Moved { bytes: bytes - before });
        }
    }
}

impl std::fmt::Debug for HighWater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HighWater({})", self.mark.load(Ordering::Relaxed))
    }
}
