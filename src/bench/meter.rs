//! Listens to one run: latencies of its parts, the first byte, retries.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, Observer};

use super::plan::Operation;
use super::{Step, Watcher};

/// Longer ones count as this long.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// Significant digits that a latency keeps.
const DIGITS: u8 = 3;

/// What a run showed.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    /// From its start to its first byte.
    pub(super) first_byte: Option<Duration>,
    pub(super) retries: u64,
    /// From the beginning of a part to its end, in microseconds.
    pub(super) parts: Histogram<u64>,
    /// How long the store took to answer, in microseconds.
    pub(super) answers: Histogram<u64>,
    /// All parts one after the other.
    pub(super) took: Duration,
    /// All answers one after the other.
    pub(super) waited: Duration,
    /// Something was there already and did not have to be moved.
    pub(super) skipped: bool,
}

impl Counts {
    pub(super) fn new() -> Result<Self> {
        let histogram = || {
            Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS)
                .map_err(|error| Error::new(ErrorKind::Other, "no latencies can be counted").caused_by(error))
        };
        Ok(Counts {
            first_byte: None,
            retries: 0,
            parts: histogram()?,
            answers: histogram()?,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            skipped: false,
        })
    }

    /// With those of another run.
    pub(super) fn add(&mut self, other: &Counts) {
        // Both have the same bounds, so nothing is out of range.
        let _ = self.parts.add(&other.parts).and_then(|()| self.answers.add(&other.answers));
        self.retries += other.retries;
        self.took += other.took;
        self.waited += other.waited;
        self.skipped |= other.skipped;
    }
}

/// The observer of one run.
pub(super) struct Meter {
    direction: Direction,
    started: Mutex<Instant>,
    counts: Mutex<Counts>,
    watcher: Arc<dyn Watcher>,
}

impl Meter {
    pub(super) fn start(operation: Operation, watcher: Arc<dyn Watcher>) -> Result<Arc<Self>> {
        let direction = match operation {
            Operation::Put => Direction::Up,
            Operation::Get => Direction::Down,
        };
        Ok(Arc::new(Meter {
            direction,
            started: Mutex::new(Instant::now()),
            counts: Mutex::new(Counts::new()?),
            watcher,
        }))
    }

    /// The store is open; the run begins now.
    pub(super) fn begins(&self) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn elapsed(&self) -> Duration {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// What was seen so far.
    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Observer for Meter {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Moved { bytes } => {
                self.count(|counts| {
                    counts.first_byte.get_or_insert_with(|| self.elapsed());
                });
                self.watcher.step(&Step::Moved { bytes: *bytes });
            }
            Event::PartMoved { direction, waited, took, .. } if *direction == self.direction => self.count(|counts| {
                counts.parts.saturating_record(micros(*took));
                counts.answers.saturating_record(micros(*waited));
                counts.took += *took;
                counts.waited += *waited;
            }),
            Event::Retrying { .. } => {
                self.count(|counts| counts.retries += 1);
                self.watcher.step(&Step::Told(event));
            }
            Event::Resumed { .. } | Event::FileDone { moved: false, .. } => self.count(|counts| counts.skipped = true),
            Event::Warning { .. } | Event::VersionsKept => self.watcher.step(&Step::Told(event)),
            _ => {}
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Watcher for Nobody {
        fn step(&self, _: &Step<'_>) {}
    }

    #[test]
    fn counts_parts_of_its_own_direction() {
        let meter = Meter::start(Operation::Put, Arc::new(Nobody)).unwrap();
        for (direction, millis) in [(Direction::Up, 10), (Direction::Up, 30), (Direction::Down, 900)] {
            let (waited, took) = (Duration::from_millis(millis / 2), Duration::from_millis(millis));
            meter.event(&Event::PartMoved { direction, bytes: 1, waited, took });
        }
        let error = Error::cancelled();
        meter.event(&Event::Retrying { action: "put", key: "k", tries: 1, delay: Duration::ZERO, error: &error });
        meter.event(&Event::Moved { bytes: 5 });
        let counts = meter.counts();
        assert_eq!((counts.parts.len(), counts.retries, counts.skipped), (2, 1, false));
        assert_eq!((counts.took, counts.waited), (Duration::from_millis(40), Duration::from_millis(20)));
        assert!(counts.first_byte.is_some());
        assert!((29_900..=30_100).contains(&counts.parts.max()), "{}", counts.parts.max());
        let mut both = counts.clone();
        both.add(&counts);
        assert_eq!((both.parts.len(), both.retries), (4, 2));
    }
}
