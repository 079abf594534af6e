//! What was measured, cell by cell and as a whole.

use serde::Serialize;

use super::advice::{Page, Recommendation};
use super::figures::{Latency, Spread, curve, rounded};
use super::machine::Machine;
use super::plan::{Operation, Settings, Source};
use super::sizing::is_filled;
use super::stages::Stages;
use super::tally::{Figures, Runs};
use super::verdict::Bottleneck;

const GIB: f64 = (1u64 << 30) as f64;

/// The runs of one operation with one part size and concurrency.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// What was done.
    pub op: Operation,
    /// As `--part-size` takes it.
    pub part_size: String,
    /// As `-j` takes it.
    pub concurrency: String,
    /// Files that the bytes were in.
    pub files: u32,
    /// Where the bytes came from or went to.
    pub source: Source,
    /// Of each run.
    pub bytes: u64,
    /// How many there were.
    pub runs: u32,
    /// Throughput in bytes a second.
    pub bytes_per_second: Spread,
    /// From the beginning of a part or range to its end, its checksum included, in seconds.
    pub part_seconds: Latency,
    /// How many parts or ranges that were, over all runs.
    pub parts: u64,
    /// How long the store took to answer: from a request to its first byte, or from the last byte of a part to its
    /// confirmation; in seconds.
    pub first_byte_seconds: Latency,
    /// From the start of a run to its first byte, in seconds; the median.
    pub start_seconds: f64,
    /// Requests in flight, on average.
    pub in_flight: f64,
    /// Requests that failed and were repeated, over all runs.
    pub retries: u64,
    /// CPU time of this process for each GiB.
    pub cpu_seconds_per_gib: Option<f64>,
    /// How much of the cores that this process may use it used, in per cent.
    pub cpu_percent: Option<f64>,
    /// How busy all cores of the machine were, whoever kept them so, in per cent.
    pub machine_busy_percent: Option<f64>,
    /// Time that requests waited for an answer, of all time that they were on their way, in per cent.
    pub server_percent: f64,
    /// The most memory that this process had at once, all of it: also what it had before.
    pub peak_memory_bytes: Option<u64>,
    /// What it had before the run with that peak: the program itself, and what the allocator keeps of earlier runs.
    pub memory_before_bytes: Option<u64>,
    /// What [`peak_memory_bytes`](Self::peak_memory_bytes) belongs to: these runs, or, where the system does not let it be
    /// reset, everything so far.
    pub peak_memory_is_of_cell: bool,
    /// Each connection had two parts in a run at least; where their number was to be found, a run took a second at least.
    /// Else the figures say little of these settings.
    pub is_filled: bool,
    /// Quantiles and seconds of the parts, for a curve.
    #[serde(skip)]
    pub curve: Vec<(f64, f64)>,
    /// How it was run.
    #[serde(skip)]
    pub settings: Settings,
}

impl Cell {
    pub(super) fn of(runs: &Runs, (files, source, cores): (u32, Source, usize)) -> Self {
        let Runs { operation, settings, counts, each } = runs;
        let wall: f64 = each.iter().map(|run| run.time.as_secs_f64()).sum();
        let bytes: u64 = each.iter().map(|run| run.bytes).sum();
        let cpu = each.iter().map(|run| run.spent.cpu).sum::<Option<std::time::Duration>>();
        let cpu = cpu.map(|cpu| cpu.as_secs_f64());
        // Short runs have too few ticks to say; the long ones do.
        let busy: Vec<f64> = each.iter().filter_map(|run| run.spent.busy).collect();
        let busy = (!busy.is_empty()).then(|| 100.0 * busy.iter().sum::<f64>() / busy.len() as f64);
        let starts: Vec<f64> =
            each.iter().filter_map(|run| run.first_byte).map(|time| time.as_secs_f64() * 1e6).collect();
        let took = counts.took.as_secs_f64();
        let highest = each.iter().map(|run| run.spent).max_by_key(|spent| spent.peak);
        Cell {
            op: *operation,
            part_size: settings.part_size_text(),
            concurrency: settings.concurrency_text(),
            files,
            source,
            bytes: each.first().map_or(0, |run| run.bytes),
            runs: u32::try_from(each.len()).unwrap_or(u32::MAX),
            bytes_per_second: Spread::of(&each.iter().map(Figures::rate).collect::<Vec<_>>()),
            part_seconds: Latency::of(&counts.parts),
            parts: counts.parts.len(),
            first_byte_seconds: Latency::of(&counts.answers),
            start_seconds: Spread::of(&starts).median / 1e6,
            in_flight: rounded(took / wall.max(1e-6)),
            retries: counts.retries,
            cpu_seconds_per_gib: cpu.map(|cpu| rounded(cpu * GIB / bytes.max(1) as f64)),
            cpu_percent: cpu.map(|cpu| rounded(100.0 * cpu / (wall * cores as f64).max(1e-6))),
            machine_busy_percent: busy.map(rounded),
            server_percent: rounded(100.0 * counts.waited.as_secs_f64() / took.max(1e-6)),
            peak_memory_bytes: highest.and_then(|spent| spent.peak),
            memory_before_bytes: highest.and_then(|spent| spent.before),
            peak_memory_is_of_cell: each.iter().all(|run| run.spent.peak_is_own),
            is_filled: is_filled(
                settings.concurrency,
                counts.parts.len() / each.len().max(1) as u64,
                std::time::Duration::from_secs_f64(wall / each.len().max(1) as f64),
            ),
            curve: curve(&counts.parts),
            settings: *settings,
        }
    }
}

/// What was measured with.
#[derive(Clone, Debug, Serialize)]
pub struct Setup {
    /// The store's full name.
    pub uri: String,
    /// Its endpoint or directory.
    pub endpoint: String,
    /// Of each run.
    pub bytes: u64,
    /// Files that the bytes were in.
    pub files: u32,
    /// Where they came from and went to.
    pub source: Source,
    /// Runs of each cell.
    pub runs: u32,
    /// In both orders of time.
    pub machine: Machine,
}

/// Everything that was measured, and what it means.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was measured with.
    pub setup: Setup,
    /// Each operation with each pair of settings.
    pub cells: Vec<Cell>,
    /// The stages that bytes go through, each by itself.
    pub stages: Stages,
    /// What bounds each operation.
    pub bottlenecks: Vec<Bottleneck>,
    /// The same in one sentence.
    pub bottleneck: String,
    /// What to set.
    pub recommendation: Recommendation,
    /// What the documented throughput means here.
    pub page: Page,
}

/// The fastest cell of an operation.
pub fn best(cells: &[Cell], operation: Operation) -> Option<&Cell> {
    let of = cells.iter().filter(|cell| cell.op == operation);
    of.max_by(|a, b| a.bytes_per_second.median.total_cmp(&b.bytes_per_second.median))
}
