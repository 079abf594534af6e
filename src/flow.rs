//! How many requests are in flight: slots that all files of a command share. Their number is fixed, or found by
//! measuring ([`pilot`]).

mod pilot;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::{Concurrency, RuntimeConfig};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::retry::RetryBudget;
use pilot::Pilot;

/// What a request counts for beside its bytes, in bytes: small objects are held up by requests and not by bytes.
const REQUEST: u64 = 128 << 10;

/// Files of fewer bytes than this take longer to be answered than to move.
const SMALL: u64 = 1 << 20;
/// So many are needed to make a difference.
const MANY: u64 = 32;
/// What a new connection takes at once of what is to be sent, in bytes: what waits in the kernel on both sides.
const BURST: u64 = 512 << 10;

/// Slots for requests.
pub(crate) struct Flow {
    slots: Semaphore,
    limit: AtomicUsize,
    /// Slots that go away when they are given back.
    surplus: AtomicUsize,
    /// Bytes that moved, and what requests count for.
    work: AtomicU64,
    /// Of these, bytes that the store has yet to confirm: some servers take in all that comes and work it off later.
    unconfirmed: AtomicI64,
    /// `None` where the number of slots is fixed.
    pilot: Option<Mutex<Watched>>,
    budget: RetryBudget,
    born: Instant,
    /// Microseconds from `born` until which there is nothing to decide.
    quiet: AtomicU64,
}

/// What was done until then.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    handed_on: u64,
    unconfirmed: i64,
}

impl Reading {
    fn done(self) -> f64 {
        self.handed_on as f64 - self.unconfirmed as f64
    }
}

struct Watched {
    pilot: Pilot,
    /// Where the window began; `None` while requests settle after a change.
    window: Option<Reading>,
    refusals: u64,
    /// How long answers take to begin.
    first_byte: Duration,
    begun: bool,
}

/// A request's leave to be in flight, until dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Flow>);

impl Flow {
    /// As `runtime` says.
    pub(crate) fn new(runtime: &RuntimeConfig) -> Arc<Self> {
        let most = runtime.in_flight();
        let (limit, pilot) = match runtime.concurrency {
            Concurrency::Auto => {
                let mut pilot = Pilot::new(most);
                pilot.begin_as_one_of(runtime.begun_together);
                (pilot.limit(), Some(pilot))
            }
            Concurrency::Fixed(_) => (most, None),
        };
        let watched = |pilot| Watched { pilot, window: None, refusals: 0, first_byte: Duration::ZERO, begun: false };
        Arc::new(Flow {
            slots: Semaphore::new(limit),
            limit: AtomicUsize::new(limit),
            surplus: AtomicUsize::new(0),
            work: AtomicU64::new(0),
            unconfirmed: AtomicI64::new(0),
            pilot: pilot.map(|pilot| Mutex::new(watched(pilot))),
            budget: runtime.retry_budget.clone(),
            born: Instant::now(),
            quiet: AtomicU64::new(0),
        })
    }

    /// So many files of so many bytes in all are about to move.
    pub(crate) fn plan(&self, files: u64, bytes: u64) {
        let are_small = files > MANY && bytes / files < SMALL;
        if let Some(pilot) = self.pilot.as_ref().filter(|_| are_small) {
            let limit = lock(pilot).pilot.begin_with_small();
            self.change_to(limit);
        }
    }

    /// One of `sharers` processes that begin at the same moment: together they begin with few requests.
    pub(crate) fn begin_as_one_of(&self, sharers: u32) {
        if let Some(pilot) = &self.pilot {
            let limit = lock(pilot).pilot.begin_as_one_of(sharers);
            self.change_to(limit);
        }
    }

    /// Slots that there are at this moment.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), which does not happen: slots are never closed.
    pub(crate) async fn slot(self: &Arc<Self>) -> Result<Slot> {
        let permit = self.slots.acquire().await.map_err(|_| Error::cancelled())?;
        permit.forget();
        Ok(Slot(self.clone()))
    }

    /// An answer took so long to begin.
    pub(crate) fn answered(&self, after: Duration) {
        if let Some(pilot) = &self.pilot {
            let mut watched = lock(pilot);
            watched.first_byte = (watched.first_byte * 3 + after) / 4;
        }
    }

    /// Bytes moved.
    pub(crate) fn moved(&self, bytes: u64) {
        let work = self.work.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Some(pilot) = &self.pilot else { return };
        let now = Instant::now();
        if micros(now - self.born) < self.quiet.load(Ordering::Relaxed) {
            return;
        }
        // Whoever holds it decides.
        let Ok(mut watched) = pilot.try_lock() else { return };
        // Another thread may have decided since the look at the clock.
        if micros(now - self.born) < self.quiet.load(Ordering::Relaxed) {
            return;
        }
        let unconfirmed = self.unconfirmed.load(Ordering::Relaxed);
        self.decide(&mut watched, Reading { at: now, handed_on: work, unconfirmed });
    }

    /// So many bytes more, or fewer, wait for the store.
    fn waits(&self, bytes: i64) {
        self.unconfirmed.fetch_add(bytes, Ordering::Relaxed);
    }

    fn decide(&self, watched: &mut Watched, reading: Reading) {
        let now = reading.at;
        if !std::mem::replace(&mut watched.begun, true) {
            return self.rest(now, pilot::SETTLE);
        }
        let refusals = self.budget.refusals();
        let limit = if std::mem::replace(&mut watched.refusals, refusals) < refusals {
            watched.pilot.refused(now)
        } else if self.surplus.load(Ordering::Relaxed) > 0 || self.slots.available_permits() > 0 {
            // More or fewer are in flight than should be: this says nothing of the number that should.
            watched.window = None;
            return self.rest(now, pilot::LOOK_AGAIN);
        } else {
            let Some(before) = watched.window else {
                watched.window = Some(reading);
                return self.rest(now, watched.pilot.window());
            };
            // Where what was handed on in this window mostly waits, nobody knows yet what becomes of it.
            let handed_on = reading.handed_on.saturating_sub(before.handed_on) as f64;
            if (reading.unconfirmed - before.unconfirmed) as f64 > handed_on / 2.0 {
                watched.window = Some(reading);
                return self.rest(now, watched.pilot.window());
            }
            let time = now - before.at;
            let rate = (reading.done() - before.done()).max(0.0) / time.as_secs_f64().max(1e-6);
            watched.pilot.measured(rate, now)
        };
        watched.window = Some(reading);
        let before = self.limit();
        if limit == before {
            return self.rest(now, watched.pilot.window());
        }
        self.change_to(limit);
        if watched.first_byte.is_zero() {
            // Bytes on their way up are counted when they are handed on: new connections take some at once and then
            // send them, which is as if they had begun to count late.
            let burst = BURST * limit.saturating_sub(before) as u64;
            watched.window = Some(Reading { handed_on: reading.handed_on + burst, ..reading });
            self.rest(now, watched.pilot.window());
        } else {
            watched.window = None;
            self.rest(now, pilot::SETTLE.max(watched.first_byte.mul_f64(1.2)));
        }
    }

    fn rest(&self, now: Instant, time: Duration) {
        self.quiet.store(micros(now - self.born + time), Ordering::Relaxed);
    }

    fn change_to(&self, limit: usize) {
        let before = self.limit.swap(limit, Ordering::Relaxed);
        if limit >= before {
            // What should have gone away may stay.
            let wanted = limit - before;
            let mut stay = 0;
            let _ = self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |surplus| {
                stay = surplus.min(wanted);
                Some(surplus - stay)
            });
            self.slots.add_permits(wanted - stay);
        } else {
            let gone = self.slots.forget_permits(before - limit);
            self.surplus.fetch_add(before - limit - gone, Ordering::Relaxed);
        }
    }

    fn give_back(&self) {
        self.moved(REQUEST);
        let is_surplus = |surplus: usize| surplus.checked_sub(1);
        if self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_surplus).is_err() {
            self.slots.add_permits(1);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("limit", &self.limit()).finish_non_exhaustive()
    }
}

/// An observer that counts for a flow what it hears of.
pub(crate) struct Counting {
    pub(crate) flow: Arc<Flow>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Observer for Counting {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Moved { bytes } | Event::Again { bytes } => self.flow.moved(*bytes),
            Event::Unconfirmed { bytes } => self.flow.waits(*bytes),
            _ => {}
        }
        self.observer.event(event);
    }
}

fn lock(pilot: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    pilot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(concurrency: Concurrency) -> Arc<Flow> {
        Flow::new(&RuntimeConfig { concurrency, ..RuntimeConfig::default() })
    }

    #[tokio::test]
    async fn a_fixed_number_stays() {
        let flow = flow(Concurrency::Fixed(2));
        let (one, two) = (flow.slot().await.unwrap(), flow.slot().await.unwrap());
        assert_eq!(flow.slots.available_permits(), 0);
        flow.moved(1 << 40);
        drop((one, two));
        assert_eq!((flow.limit(), flow.slots.available_permits()), (2, 2));
    }

    #[tokio::test]
    async fn slots_in_use_go_away_when_they_are_given_back() {
        let flow = flow(Concurrency::Auto);
        let all = flow.limit();
        let mut held = Vec::new();
        for _ in 0..all {
            held.push(flow.slot().await.unwrap());
        }
        flow.change_to(2);
        flow.change_to(3);
        assert_eq!(flow.surplus.load(Ordering::Relaxed), all - 3);
        held.truncate(3);
        assert_eq!((flow.surplus.load(Ordering::Relaxed), flow.slots.available_permits()), (0, 0));
        held.clear();
        assert_eq!(flow.slots.available_permits(), 3);
        flow.change_to(1);
        assert_eq!(flow.slots.available_permits(), 1);
    }
}
