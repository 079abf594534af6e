//! How large a run has to be to show what its settings can do, and how long all of them take then.
//!
//! A run of eight parts is as fast with 64 connections as with 8, and one that is over before the number of connections was
//! found shows the way there and not the number. So it is tried until runs take a while, and each connection gets some parts.

use std::time::Duration;

use crate::config::{Concurrency, DEFAULT_PART_SIZE, PartSize};

use super::once::Run;
use super::plan::{DEFAULT_RUNS, Operation, Plan, Settings};

const MIB: u64 = 1 << 20;
/// Sizes that are chosen.
const SMALLEST: u64 = 16 * MIB;
const LARGEST: u64 = 1024 * MIB;
/// A warm-up that took less than this says too little of the speed.
const LONG_ENOUGH: Duration = Duration::from_secs(2);
/// From one warm-up to the next.
const STEP: u64 = 4;
/// Parts that each connection should have in a run, so that the beginning and the end of it weigh little.
const PARTS_WANTED: u64 = 4;
/// With fewer of them, a run says little of so many connections.
const PARTS_NEEDED: u64 = 2;
/// Finding the number of connections takes about as long.
const FINDING: Duration = Duration::from_secs(1);
/// How long one round of so many cells may take, and all rounds together; more cells take longer in proportion.
const ROUND: f64 = 29.0;
const ALL_ROUNDS: f64 = 60.0;
const CELLS: f64 = 8.0;

/// How fast a run of a warm-up was, and with how many requests in flight on average.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rate: f64,
    in_flight: f64,
}

impl Pace {
    pub(super) fn of(run: &Run) -> Self {
        let in_flight = run.counts.took.as_secs_f64() / run.time.as_secs_f64().max(1e-6);
        Pace { rate: run.rate().max(1.0), in_flight: in_flight.max(1.0) }
    }

    /// Bytes a second to expect: no connection carries more than it did.
    fn with(self, concurrency: Concurrency) -> f64 {
        match concurrency {
            Concurrency::Auto => self.rate,
            Concurrency::Fixed(n) => self.rate.min(self.rate / self.in_flight * n as f64),
        }
    }
}

/// What a warm-up showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paces {
    pub(super) put: Pace,
    /// Where gets are measured.
    pub(super) get: Option<Pace>,
}

/// How a measurement goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chosen {
    /// Of each run.
    pub(super) bytes: u64,
    /// Runs of each cell.
    pub(super) rounds: u32,
    /// About how long all runs take.
    pub(super) time: Duration,
}

/// The first warm-up of a plan.
pub(super) fn first_warm_up(plan: &Plan) -> u64 {
    plan.size.map_or(SMALLEST, |size| size.min(SMALLEST))
}

/// The warm-up after one of `bytes` whose longest run took `longest`; `None` where that was long enough.
pub(super) fn next_warm_up(plan: &Plan, bytes: u64, longest: Duration, memory: Option<u64>) -> Option<u64> {
    let most = plan.size.map_or(most(memory), |size| size.min(LARGEST));
    (longest < LONG_ENOUGH && bytes < most).then(|| (bytes * STEP).min(most))
}

/// What a warm-up is run with: what finds its own number of connections, or has the most of them.
pub(super) fn settings_of_warm_up(plan: &Plan) -> Settings {
    let connections = |settings: &Settings| match settings.concurrency {
        Concurrency::Auto => usize::MAX,
        Concurrency::Fixed(n) => n,
    };
    let all = plan.settings();
    let own = |settings: &Settings| (connections(settings), settings.part_size == PartSize::Auto);
    all.into_iter().max_by_key(own).unwrap_or(Settings::DEFAULT)
}

/// The size of runs, within an eighth of the memory, and how many of them there are.
pub(super) fn choose(plan: &Plan, paces: Paces, memory: Option<u64>) -> Chosen {
    let per_byte = seconds_per_byte(plan, paces);
    let share = share(plan);
    let bytes = plan.size.unwrap_or_else(|| {
        let fastest = paces.get.map_or(paces.put.rate, |get| get.rate.max(paces.put.rate));
        let wanted = filling(plan, PARTS_WANTED).max((fastest * LONG_ENOUGH.as_secs_f64()) as u64);
        let in_time = (ROUND * share / per_byte) as u64;
        wanted.min(in_time).clamp(SMALLEST, most(memory)) / SMALLEST * SMALLEST
    });
    let round = bytes as f64 * per_byte;
    let rounds = plan.runs.unwrap_or_else(|| ((ALL_ROUNDS * share / round) as u32).clamp(1, DEFAULT_RUNS));
    let time = Duration::try_from_secs_f64(round * f64::from(rounds)).unwrap_or(Duration::MAX);
    Chosen { bytes, rounds, time }
}

/// Whether one more round fits after `rounds` that took `elapsed`, where nobody says how many there are.
pub(super) fn another_fits(plan: &Plan, rounds: u32, elapsed: Duration) -> bool {
    let with_another = elapsed.as_secs_f64() * f64::from(rounds + 1) / f64::from(rounds.max(1));
    // The estimate that chose the size need not be exact.
    with_another <= ALL_ROUNDS * share(plan) * 1.25
}

/// Whether runs of `parts` parts and of this time are enough for a cell.
pub(super) fn is_filled(concurrency: Concurrency, parts: u64, time: Duration) -> bool {
    match concurrency {
        Concurrency::Fixed(1) => parts > 0,
        Concurrency::Fixed(n) => parts >= PARTS_NEEDED * n as u64,
        Concurrency::Auto => time >= FINDING,
    }
}

/// The most bytes of a run that are chosen: files are in memory twice.
fn most(memory: Option<u64>) -> u64 {
    memory.map_or(LARGEST, |memory| (memory / 8).clamp(SMALLEST, LARGEST))
}

/// Of the time that [`CELLS`] may take.
fn share(plan: &Plan) -> f64 {
    ((plan.settings().len() * plan.operations.len()) as f64 / CELLS).max(1.0)
}

/// Bytes with which each connection of every cell has so many parts.
fn filling(plan: &Plan, parts: u64) -> u64 {
    let of = |settings: Settings| match (settings.concurrency, settings.part_size) {
        (Concurrency::Auto, _) => 0,
        // Each file is a part at least.
        (Concurrency::Fixed(n), _) if u64::from(plan.files) >= parts.saturating_mul(n as u64) => 0,
        (Concurrency::Fixed(n), PartSize::Auto) => parts.saturating_mul(n as u64).saturating_mul(DEFAULT_PART_SIZE),
        (Concurrency::Fixed(n), PartSize::Fixed(bytes)) => parts.saturating_mul(n as u64).saturating_mul(bytes),
    };
    plan.settings().into_iter().map(of).max().unwrap_or(0)
}

/// What a round takes for each byte of its runs.
fn seconds_per_byte(plan: &Plan, paces: Paces) -> f64 {
    let of = |settings: Settings| {
        let each = plan.operations.iter().map(|operation| match operation {
            Operation::Put => paces.put,
            Operation::Get => paces.get.unwrap_or(paces.put),
        });
        each.map(|pace| 1.0 / pace.with(settings.concurrency)).sum::<f64>()
    };
    plan.settings().into_iter().map(of).sum::<f64>().max(1e-15)
}

#[cfg(test)]
mod tests {
    use super::super::plan::Source;
    use super::*;

    fn plan(concurrency: &[Concurrency]) -> Plan {
        Plan {
            size: None,
            part_sizes: vec![PartSize::Auto],
            concurrency: concurrency.to_vec(),
            operations: vec![Operation::Put, Operation::Get],
            runs: None,
            source: Source::Memory,
            files: 1,
        }
    }

    fn without_flags() -> Plan {
        plan(&[Concurrency::Auto, Concurrency::Fixed(4), Concurrency::Fixed(16), Concurrency::Fixed(64)])
    }

    fn paces(put: (f64, f64), get: (f64, f64)) -> Paces {
        let pace = |(rate, in_flight)| Pace { rate, in_flight };
        Paces { put: pace(put), get: Some(pace(get)) }
    }

    fn parts(bytes: u64) -> u64 {
        bytes / DEFAULT_PART_SIZE
    }

    /// 20 MB/s a connection up and 90 MB/s down.
    #[test]
    fn what_is_like_s3_is_measured_with_parts_for_every_connection() {
        let chosen = choose(&without_flags(), paces((1.2e9, 60.0), (2.0e9, 30.0)), None);
        assert!(is_filled(Concurrency::Fixed(64), parts(chosen.bytes), Duration::ZERO), "{chosen:?}");
        assert!((2..=3).contains(&chosen.rounds) && chosen.time <= Duration::from_secs(60), "{chosen:?}");
    }

    #[test]
    fn a_slow_network_is_not_measured_for_hours() {
        let chosen = choose(&without_flags(), paces((10e6, 8.0), (10e6, 8.0)), None);
        assert!(chosen.time <= Duration::from_secs(60), "{chosen:?}");
        assert!(!is_filled(Concurrency::Fixed(64), parts(chosen.bytes), Duration::MAX), "{chosen:?}");
        assert_eq!(choose(&without_flags(), paces((1e4, 1.0), (1e4, 1.0)), None).bytes, SMALLEST);
    }

    #[test]
    fn a_fast_store_within_memory() {
        let fast = paces((2e9, 8.0), (2e9, 8.0));
        assert_eq!(choose(&without_flags(), fast, None).bytes, LARGEST);
        assert_eq!(choose(&without_flags(), fast, Some(2048 * MIB)).bytes, 256 * MIB);
        assert_eq!(choose(&without_flags(), fast, Some(MIB)).bytes, SMALLEST);
        assert_eq!(choose(&without_flags(), fast, None).rounds, 3);
    }

    #[test]
    fn what_is_said_is_done() {
        let said = Plan { size: Some(5), runs: Some(70), ..without_flags() };
        let chosen = choose(&said, paces((1e9, 8.0), (1e9, 8.0)), Some(MIB));
        assert_eq!((chosen.bytes, chosen.rounds), (5, 70));
    }

    #[test]
    fn many_files_fill_connections_by_themselves() {
        assert_eq!(filling(&Plan { files: 256, ..without_flags() }, PARTS_WANTED), 0);
        assert_eq!(filling(&without_flags(), PARTS_NEEDED), 1024 * MIB);
    }

    #[test]
    fn it_is_warmed_up_until_that_takes_a_while() {
        let plan = without_flags();
        let quick = Duration::from_millis(400);
        let next = |bytes| next_warm_up(&plan, bytes, quick, None);
        assert_eq!([16, 64, 256, 1024].map(|n| next(n * MIB).unwrap_or(0) / MIB), [64, 256, 1024, 0]);
        assert_eq!(next_warm_up(&plan, 16 * MIB, LONG_ENOUGH, None), None);
        assert_eq!(next_warm_up(&plan, 16 * MIB, quick, Some(256 * MIB)), Some(32 * MIB));
        let small = Plan { size: Some(MIB), ..without_flags() };
        assert_eq!((first_warm_up(&small), next_warm_up(&small, MIB, quick, None)), (MIB, None));
    }

    #[test]
    fn the_warm_up_has_as_many_connections_as_will_be_needed() {
        let concurrency = |plan: &Plan| settings_of_warm_up(plan).concurrency;
        assert_eq!(concurrency(&without_flags()), Concurrency::Auto);
        assert_eq!(concurrency(&plan(&[Concurrency::Fixed(4), Concurrency::Fixed(64)])), Concurrency::Fixed(64));
    }

    #[test]
    fn rounds_end_where_another_would_take_too_long() {
        let plan = without_flags();
        assert!(another_fits(&plan, 1, Duration::from_secs(30)));
        assert!(!another_fits(&plan, 1, Duration::from_secs(50)));
    }
}
