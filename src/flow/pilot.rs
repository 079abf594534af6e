//! How many requests should be in flight, found by measuring: many more while that pays, then as few as do not cost
//! throughput, tried again from time to time; halved where the server asks for less.
//!
//! Gain is believed soon and its absence late: a short window sees requests that begin together wait and move together,
//! and a few connections too many for a moment cost little.
//!
//! S3 gives a connection some 20 MB/s up and 90 MB/s down, so a hundred help; a small server on the same machine is
//! fastest with a handful, and more of them only wait there. Latency needs no watch of its own: by Little's law it is the
//! requests in flight divided by the throughput, so more of them without more throughput is latency that rises for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// Requests in flight at the beginning.
const FIRST: usize = 8;
/// Requests in flight at the beginning where most of them are small: each spends its time waiting for its answer.
const FIRST_OF_SMALL: usize = 32;
/// What processes that begin together begin with in sum.
const FIRST_TOGETHER: u32 = 64;
/// Never fewer than this without the server asking for it: while one request waits for its answer, another moves.
const FEWEST: usize = 4;
/// The first step up is as large as this, and those after one that brought nearly as much; the others double.
const LEAP: usize = 4;
/// So large a share of what so many more requests could bring.
const NEARLY: f64 = 0.6;
/// After a change, new connections fill buffers, which looks like throughput; so long nothing is measured.
pub(super) const SETTLE: Duration = Duration::from_millis(30);
/// How long is measured, give or take a fifth, so that processes that began together do not stay in step.
const WINDOW: Duration = Duration::from_millis(100);
/// In how many windows more requests may show that they bring something.
const PATIENCE: u32 = 4;
/// When to look again where there was nothing to measure.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Many more requests must bring so much.
const PAYS: f64 = 1.15;
/// Fewer are as good down to this share of the throughput.
const AS_GOOD: f64 = 0.96;
/// A small step up must bring so much.
const BETTER: f64 = 1.04;
/// Windows between two tries of another number.
const HELD: u32 = 12;
/// After a refusal, the number is left alone for so long.
const CALM: Duration = Duration::from_secs(2);
/// Refusals that come together are one.
const TOGETHER: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Pilot {
    limit: usize,
    most: usize,
    /// The most to begin with.
    share: usize,
    phase: Phase,
    refused: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    limit: usize,
    /// Work a second.
    rate: f64,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Many more each time; `before` is what fewer brought.
    Climbing { before: Option<Measured>, windows: u32 },
    /// Halved each time; `best` is what more brought.
    Descending { best: Measured },
    /// Left alone for some windows, in which the throughput is watched.
    Holding { best: Measured, windows: u32 },
    /// A little more than `best`.
    StepUp { best: Measured },
    /// A little less than `best`.
    StepDown { best: Measured },
}

impl Pilot {
    pub(super) fn new(most: usize) -> Self {
        let phase = Phase::Climbing { before: None, windows: 0 };
        Pilot { limit: FIRST.min(most), most, share: most, phase, refused: None }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Most requests will be small.
    pub(super) fn begin_with_small(&mut self) -> usize {
        if matches!(self.phase, Phase::Climbing { before: None, .. }) {
            self.limit = FIRST_OF_SMALL.min(self.share);
        }
        self.limit
    }

    pub(super) fn begin_as_one_of(&mut self, sharers: u32) -> usize {
        let share = usize::try_from(FIRST_TOGETHER / sharers.max(1)).unwrap_or(FIRST);
        self.share = share.clamp(1, self.most);
        self.limit = self.limit.min(self.share);
        self.limit
    }

    /// How long to measure.
    pub(super) fn window(&self) -> Duration {
        WINDOW.mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    /// The server asked for less, or did not answer in time.
    pub(super) fn refused(&mut self, now: Instant) -> usize {
        if self.refused.is_none_or(|last| now - last >= TOGETHER) {
            self.refused = Some(now);
            self.limit = (self.limit / 2).max(1);
            self.phase = Phase::Holding { best: Measured { limit: self.limit, rate: 0.0 }, windows: 0 };
        }
        self.limit
    }

    /// All slots were in use for a window, and this was done in it, as work a second.
    pub(super) fn measured(&mut self, rate: f64, now: Instant) -> usize {
        if self.refused.is_some_and(|last| now - last < CALM) {
            return self.limit;
        }
        let here = Measured { limit: self.limit, rate };
        (self.limit, self.phase) = match self.phase {
            Phase::Climbing { before: Some(before), windows } if rate < before.rate * PAYS => match windows + 1 {
                windows if windows < PATIENCE => (self.limit, Phase::Climbing { before: Some(before), windows }),
                _ if before.limit > FIRST => self.fewer(before),
                _ => hold(before),
            },
            Phase::Climbing { before, .. } if self.limit < self.most => {
                let brought_all =
                    |before: Measured| rate / before.rate >= NEARLY * self.limit as f64 / before.limit as f64;
                let step = if before.is_none_or(brought_all) { LEAP } else { 2 };
                ((self.limit * step).min(self.most), Phase::Climbing { before: Some(here), windows: 0 })
            }
            Phase::Climbing { .. } => hold(here),
            Phase::Descending { best } if rate >= best.rate * AS_GOOD => {
                self.fewer(Measured { limit: here.limit, rate: best.rate.max(rate) })
            }
            Phase::Descending { best } => hold(best),
            Phase::Holding { best, windows } => {
                // The newest counts most: a network is not the same for hours.
                let rate = if best.rate == 0.0 { rate } else { best.rate * 0.7 + rate * 0.3 };
                let best = Measured { limit: self.limit, rate };
                match windows + 1 {
                    HELD if self.limit < self.most => {
                        ((self.limit + self.limit.div_ceil(4)).min(self.most), Phase::StepUp { best })
                    }
                    windows if windows >= 2 * HELD && self.limit > FEWEST => {
                        ((self.limit - self.limit.div_ceil(5)).max(FEWEST), Phase::StepDown { best })
                    }
                    windows => (self.limit, Phase::Holding { best, windows: windows % (2 * HELD) }),
                }
            }
            Phase::StepUp { best } if rate >= best.rate * BETTER => hold_for(here, HELD - 2),
            Phase::StepUp { best } => hold_for(best, HELD),
            Phase::StepDown { best } if rate >= best.rate => hold(here),
            Phase::StepDown { best } => hold(best),
        };
        self.limit
    }

    /// Half as many as `best`, if that is not too few.
    fn fewer(&self, best: Measured) -> (usize, Phase) {
        match best.limit / 2 {
            half if half >= FEWEST => (half, Phase::Descending { best }),
            _ => hold(best),
        }
    }
}

fn hold(best: Measured) -> (usize, Phase) {
    hold_for(best, 0)
}

/// As after so many windows already.
fn hold_for(best: Measured, windows: u32) -> (usize, Phase) {
    (best.limit, Phase::Holding { best, windows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(pilot: &mut Pilot, rate: f64) -> usize {
        (0..PATIENCE).find_map(|_| {
            let before = pilot.limit();
            Some(pilot.measured(rate, Instant::now())).filter(|now| *now != before)
        });
        pilot.limit()
    }

    /// The number that a server leads to whose throughput is `of(requests in flight)`, after each window.
    fn path(windows: usize, of: impl Fn(usize) -> f64) -> Vec<usize> {
        let mut pilot = Pilot::new(256);
        let mut next = || {
            let rate = of(pilot.limit());
            window(&mut pilot, rate)
        };
        (0..windows).map(|_| next()).collect()
    }

    #[test]
    fn a_server_that_gives_each_connection_its_own_is_met_with_many() {
        assert_eq!(path(3, |n| n as f64 * 20e6), [32, 128, 256]);
        assert_eq!(path(3, |n| (n as f64).powf(0.25)), [32, 64, 128]);
        let capped = path(60, |n| (n as f64 * 20e6).min(2.5e9));
        assert!(capped.iter().skip(9).all(|n| (100..=160).contains(n)), "{capped:?}");
    }

    #[test]
    fn a_server_on_the_same_machine_is_met_with_few() {
        // More than eight only wait there.
        let path = path(60, |n| 1e9 * (n as f64 / 8.0).min(1.0) / (1.0 + (n as f64 - 8.0).max(0.0) / 100.0));
        assert_eq!(path[..2], [32, 8]);
        assert!(path[2..].iter().all(|n| (6..=11).contains(n)), "{path:?}");
    }

    #[test]
    fn no_gain_is_believed_only_after_a_while() {
        let mut pilot = Pilot::new(256);
        assert_eq!(pilot.measured(1e9, Instant::now()), 32);
        assert_eq!(pilot.measured(1e9, Instant::now()), 32);
        assert_eq!(pilot.measured(1.2e9, Instant::now()), 64);
        let three: Vec<usize> = (0..4).map(|_| pilot.measured(1e9, Instant::now())).collect();
        assert_eq!(three, [64, 64, 64, 16], "with 32 it was as fast, perhaps with fewer too");
    }

    #[test]
    fn the_number_follows_a_network_that_changes() {
        let mut pilot = Pilot::new(256);
        for _ in 0..40 {
            let rate = (pilot.limit() as f64 * 20e6).min(320e6);
            window(&mut pilot, rate);
        }
        let before = pilot.limit();
        for _ in 0..400 {
            let rate = pilot.limit() as f64 * 20e6;
            window(&mut pilot, rate);
        }
        assert!(before <= 24 && pilot.limit() > 2 * before, "{before} {}", pilot.limit());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_halve_the_number_once_and_nothing_grows_for_a_while() {
        let mut pilot = Pilot::new(256);
        for _ in 0..2 {
            let rate = pilot.limit() as f64;
            window(&mut pilot, rate);
        }
        assert_eq!(pilot.limit(), 128);
        for _ in 0..9 {
            assert_eq!(pilot.refused(Instant::now()), 64, "those that come together are one");
        }
        tokio::time::advance(TOGETHER).await;
        assert_eq!(pilot.refused(Instant::now()), 32);
        for _ in 0..99 {
            assert_eq!(window(&mut pilot, 1e12), 32);
        }
        for _ in 0..9 {
            tokio::time::advance(TOGETHER).await;
            pilot.refused(Instant::now());
        }
        assert_eq!(pilot.limit(), 1);
    }

    #[test]
    fn a_hundred_processes_begin_with_a_hundred_requests() {
        assert_eq!([1, 4, 8, 16, 100].map(|n| Pilot::new(256).begin_as_one_of(n)), [8, 8, 8, 4, 1]);
        assert_eq!(Pilot::new(2).begin_as_one_of(1), 2);
        let mut small = Pilot::new(256);
        assert_eq!((small.begin_with_small(), small.begin_as_one_of(32)), (32, 2));
        let mut small = Pilot::new(256);
        assert_eq!((small.begin_as_one_of(32), small.begin_with_small()), (2, 2));
    }

    proptest! {
        #[test]
        fn the_number_stays_within_its_bounds(most in 1usize..300, rates in proptest::collection::vec(0.0f64..1e10, 1..200)) {
            let mut pilot = Pilot::new(most);
            for rate in rates {
                let limit = window(&mut pilot, rate);
                prop_assert!((1..=most).contains(&limit));
                prop_assert_eq!(limit, pilot.limit());
            }
        }
    }
}
