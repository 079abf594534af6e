//! How fast a store is: a sweep over part sizes and concurrencies, what bounds it, and what to set.
//!
//! Each run is a transfer as the command line makes it, on a store that is opened for it, of bytes that nobody has seen
//! before, under a prefix of its own ([`PREFIX`]) that is removed at the end, also after an interruption.
//!
//! ```no_run
//! # async fn example(stores: &dyn storage::bench::OpenStore, watcher: std::sync::Arc<dyn storage::bench::Watcher>)
//! # -> storage::Result<()> {
//! use storage::bench::{self, Operation, Plan, Source};
//! use storage::{Concurrency, PartSize, RuntimeConfig};
//!
//! let plan = Plan {
//!     size: Some(256 << 20),
//!     part_sizes: vec![PartSize::Auto],
//!     concurrency: vec![Concurrency::Auto, Concurrency::Fixed(16)],
//!     operations: vec![Operation::Put, Operation::Get],
//!     runs: Some(3),
//!     source: Source::Memory,
//!     files: 1,
//! };
//! let report = bench::run(&plan, &RuntimeConfig::default(), stores, watcher).await?;
//! let lines = report.recommendation.env;
//! # Ok(())
//! # }
//! ```

mod advice;
mod baseline;
mod figures;
mod machine;
mod meter;
mod once;
mod plan;
mod report;
mod sample;
mod shelf;
mod sizing;
mod stages;
mod sweep;
mod tally;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::backend::StorageBackend;
use crate::config::{PATIENT_CANCEL_GRACE, RuntimeConfig};
use crate::error::{ErrorKind, Result};
use crate::event::{Event, Silent};
use crate::transfer::Transfer;

pub use advice::{PAGE_BYTES_PER_SECOND, Page, Recommendation};
pub use baseline::{Baseline, Change, RanWith};
pub use figures::{Latency, Spread};
pub use machine::Machine;
pub use plan::{DEFAULT_RUNS, MOST_BYTES, MOST_FILES, MOST_RUNS, MOST_SETTINGS, Operation, Plan, Settings, Source};
pub use report::{Cell, Report, Setup, best};
pub use shelf::PREFIX;
pub use stages::{Stages, Wire};
pub use verdict::{Bottleneck, Bound};

use shelf::Shelf;

/// How often in succession nothing was found in the store after an interruption when nothing comes any more, and how long
/// it is waited before each look.
const LAST_LOOKS: u32 = 4;
/// How often a checkpoint is looked at again that a put of ours seems to be writing.
const LOOKS_WHILE_HELD: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Opens the store that is measured, again and again.
#[async_trait]
pub trait OpenStore: Send + Sync {
    /// A store that runs as `runtime` says and shares no connection with those opened before.
    ///
    /// # Errors
    /// Those of the store.
    async fn open(&self, runtime: RuntimeConfig) -> Result<Arc<dyn StorageBackend>>;
}

/// Something that happened during a measurement.
#[non_exhaustive]
#[derive(Debug)]
pub enum Step<'a> {
    /// Something is prepared that is no run, in words such as `warming up`.
    Preparing {
        /// What.
        what: &'static str,
        /// Bytes that will move for it; 0 where none do.
        bytes: u64,
    },
    /// It is known how much there is to do.
    Settled {
        /// Bytes of each run.
        bytes: u64,
        /// Runs in all.
        runs: u32,
        /// About how long they take.
        time: Duration,
    },
    /// A run begins.
    Began {
        /// What it does.
        operation: Operation,
        /// How.
        settings: Settings,
        /// Bytes that it moves.
        bytes: u64,
    },
    /// Bytes moved.
    Moved {
        /// Bytes.
        bytes: u64,
    },
    /// A run has ended.
    Ran {
        /// What it did.
        operation: Operation,
        /// How.
        settings: Settings,
        /// Bytes that it moved.
        bytes: u64,
        /// How long it took, in seconds.
        seconds: f64,
        /// All cells, as far as they were measured.
        cells: &'a [Cell],
    },
    /// So many bytes more were put, for a run or for what precedes them.
    Stored {
        /// Bytes.
        bytes: u64,
    },
    /// A transfer tells of a retry, a warning, or of versions that the store keeps.
    Told(&'a Event<'a>),
}

/// Told of each [`Step`], possibly from several threads at once; it should return quickly.
pub trait Watcher: Send + Sync {
    /// Called for each step.
    fn step(&self, step: &Step<'_>);
}

/// Measures a store. Fire [`RuntimeConfig::cancel`] to end it early; what it put is removed all the same before this
/// returns. A future that is dropped instead leaves that in the store.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a plan that is out of bounds ([`Plan::check`]); [`ErrorKind::LocalIo`] without room for the
/// files; [`ErrorKind::Cancelled`]; those of the store, also where what was put could not be removed.
pub async fn run(
    plan: &Plan,
    runtime: &RuntimeConfig,
    stores: &dyn OpenStore,
    watcher: Arc<dyn Watcher>,
) -> Result<Report> {
    plan.check()?;
    let undisturbed = RuntimeConfig {
        cancel: CancellationToken::new(),
        observer: Arc::new(Silent),
        state_dir: None,
        resume: false,
        ..runtime.clone()
    };
    let runtime = &RuntimeConfig { cancel_grace: PATIENT_CANCEL_GRACE, ..runtime.clone() };
    let shelf = Shelf::new(Transfer::new(stores.open(undisturbed).await?), plan.files > 1);
    let outcome = sweep::sweep(plan, runtime, stores, &watcher, &shelf).await;
    let mut removed = shelf.clear().await;
    if outcome.is_err() {
        let (mut quiet, mut held) = (0, 0);
        while quiet < LAST_LOOKS && held < LOOKS_WHILE_HELD {
            // A server may still carry out what it was asked for before it was given up.
            tokio::time::sleep(BETWEEN_LOOKS).await;
            removed = shelf.clear().await;
            match &removed {
                Ok(0) => quiet += 1,
                Ok(_) => quiet = 0,
                // The last word of a put that was ended is still on its way.
                Err(error) if error.kind() == ErrorKind::Exists => held += 1,
                Err(_) => break,
            }
        }
    }
    let removed = removed.map(drop);
    match (outcome, removed) {
        (Ok(report), removed) => removed.map(|()| report),
        (Err(error), Ok(())) if error.kind() == ErrorKind::Cancelled => {
            Err(error.hint_is("what was measured with is removed from the store; a measurement always starts over"))
        }
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(left)) => {
            let hint = left.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
            watcher.step(&Step::Told(&Event::Warning { message: &format!("{left}{hint}") }));
            Err(error)
        }
    }
}

#[cfg(test)]
mod testing {
    use super::*;
    use crate::config::{parse_concurrency, parse_part_size};

    /// A cell with this throughput; all else is ordinary.
    pub(super) fn cell(op: Operation, part_size: &str, concurrency: &str, rate: f64) -> Cell {
        let settings = Settings {
            part_size: parse_part_size(part_size).unwrap(),
            concurrency: parse_concurrency(concurrency).unwrap(),
        };
        let latency = Latency { p50: 0.1, p95: 0.2, p99: 0.3, max: 0.4 };
        Cell {
            op,
            part_size: part_size.to_owned(),
            concurrency: concurrency.to_owned(),
            files: 1,
            source: Source::Memory,
            bytes: 1 << 28,
            runs: 3,
            bytes_per_second: Spread { median: rate, min: rate, max: rate, spread_percent: Some(2.0) },
            part_seconds: latency,
            parts: 96,
            first_byte_seconds: latency,
            start_seconds: 0.01,
            in_flight: 4.0,
            retries: 0,
            cpu_seconds_per_gib: Some(0.5),
            cpu_percent: Some(20.0),
            machine_busy_percent: Some(30.0),
            server_percent: 10.0,
            peak_memory_bytes: Some(30 << 20),
            memory_before_bytes: Some(20 << 20),
            peak_memory_is_of_cell: true,
            is_filled: true,
            curve: vec![(0.0, 0.05), (0.5, 0.1), (1.0, 0.4)],
            settings,
        }
    }
}
