//! The measurement itself: warm up, take the stages, then every cell in every round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{PartSize, RuntimeConfig};
use crate::error::{Error, Result};
use crate::event::Event;

use super::advice::{page, recommend};
use super::machine::Machine;
use super::once::{Bench, Run};
use super::plan::{Operation, Plan, Settings, Source, order};
use super::report::{Cell, Report, Setup};
use super::sample::{Sample, Scratch};
use super::shelf::Shelf;
use super::stages::{self, Stages};
use super::verdict::{bottlenecks, sentence};
use super::{OpenStore, Step, Watcher};

const MIB: u64 = 1 << 20;
/// Enough to open connections and to wake a server.
const WARM_UP: u64 = 16 * MIB;
/// The same where that took less than [`TOO_QUICK`], which says too little of the speed.
const WARM_UP_AGAIN: u64 = 128 * MIB;
const TOO_QUICK: Duration = Duration::from_millis(300);
/// How long the runs should take together where nobody says how large they are.
const AIM: Duration = Duration::from_secs(30);
/// No further round begins after this where nobody says how many there are.
const ENOUGH: Duration = Duration::from_secs(60);
/// Sizes that are chosen.
const SMALLEST: u64 = 16 * MIB;
const LARGEST: u64 = 1024 * MIB;

/// What was run so far.
struct Tally<'a> {
    plan: &'a Plan,
    source: Source,
    cores: usize,
    runs: Vec<((Operation, Settings), Vec<Run>)>,
}

impl Tally<'_> {
    fn add(&mut self, operation: Operation, settings: Settings, run: Run) {
        match self.runs.iter_mut().find(|(cell, _)| *cell == (operation, settings)) {
            Some((_, runs)) => runs.push(run),
            None => self.runs.push(((operation, settings), vec![run])),
        }
    }

    /// Puts before gets, settings as the plan has them.
    fn cells(&self) -> Result<Vec<Cell>> {
        let mut cells = Vec::new();
        for operation in [Operation::Put, Operation::Get] {
            for settings in self.plan.settings() {
                if let Some((_, runs)) = self.runs.iter().find(|(cell, _)| *cell == (operation, settings)) {
                    cells.push(Cell::of(operation, settings, (self.plan.files, self.source, self.cores), runs)?);
                }
            }
        }
        Ok(cells)
    }
}

/// Measures everything that the plan names.
pub(super) async fn sweep(
    plan: &Plan,
    runtime: &RuntimeConfig,
    stores: &dyn OpenStore,
    watcher: &Arc<dyn Watcher>,
    shelf: &Shelf,
) -> Result<Report> {
    let bench = Bench { runtime, stores, watcher };
    let machine = Machine::this();
    let (rate, answer_seconds) = warm_up(plan, &bench, shelf).await?;
    let bytes = plan.size.unwrap_or_else(|| fitting(plan, rate, machine.memory_bytes));

    let scratch = scratch(plan.source, bytes, watcher)?;
    watcher.step(&Step::Preparing { what: "taking the stages apart", bytes: 0 });
    let (sample, written) = Sample::write(&scratch, "sample", plan.file_sizes(bytes), &runtime.cancel).await?;
    let on_disk = scratch.source == Source::File;
    let per_second = |time: Duration| (bytes as f64 / time.as_secs_f64().max(1e-6)).round();
    let mut stages = Stages {
        disk_read_bytes_per_second: match on_disk {
            true => Some(per_second(sample.read_time(&runtime.cancel).await?)),
            false => None,
        },
        disk_write_bytes_per_second: on_disk.then(|| per_second(written)),
        checksum_bytes_per_second: stages::checksum().await?,
        answer_seconds,
        wire: Vec::new(),
    };

    let tally = Tally { plan, source: scratch.source, cores: machine.cores, runs: Vec::new() };
    let (cells, runs) = rounds(tally, &bench, shelf, (&sample, &scratch)).await?;
    stages.wire = stages::wires(&cells);
    let store = shelf.transfer().store();
    let (uri, endpoint) = (store.uri(""), store.endpoint());
    let bottlenecks = bottlenecks(&cells, &stages, uri.starts_with("file:"));
    Ok(Report {
        bottleneck: sentence(&bottlenecks),
        bottlenecks,
        recommendation: recommend(&cells),
        page: page(&cells),
        stages,
        setup: Setup { uri, endpoint, bytes, files: plan.files, source: scratch.source, runs, machine },
        cells,
    })
}

/// Opens what there is to open, on both sides; bytes a second of the slower way, and how long a question takes.
async fn warm_up(plan: &Plan, bench: &Bench<'_>, shelf: &Shelf) -> Result<(f64, f64)> {
    let all = plan.settings();
    let settings = all.iter().copied().find(|settings| *settings == Settings::DEFAULT).or(all.first().copied());
    let settings = settings.unwrap_or(Settings::DEFAULT);
    let most = plan.size.unwrap_or(u64::MAX);
    let (mut slowest, mut answer) = (f64::MAX, 0.0);
    for (n, bytes) in [WARM_UP.min(most), WARM_UP_AGAIN.min(most)].into_iter().enumerate() {
        bench.watcher.step(&Step::Preparing { what: "warming up", bytes: bytes * plan.operations.len() as u64 });
        let scratch = scratch(plan.source, bytes, bench.watcher)?;
        let sizes = plan.file_sizes(bytes);
        let (sample, _) = Sample::write(&scratch, "warm", sizes, &bench.runtime.cancel).await?;
        let name = shelf.place();
        let run = bench.put(settings, &sample, &name).await?;
        if n == 0 {
            answer = stages::answer(shelf.transfer(), &name).await?;
        }
        let mut longest = run.time;
        slowest = run.rate();
        if plan.operations.contains(&Operation::Get) {
            let run = bench.get(settings, &sample, &scratch, &name).await?;
            longest = longest.max(run.time);
            slowest = slowest.min(run.rate());
        }
        shelf.remove(&name).await?;
        // A size that is given is measured, however long it takes: nothing has to be estimated.
        if longest > TOO_QUICK || plan.size.is_some() {
            break;
        }
    }
    Ok((slowest, answer))
}

/// A size with which all runs together take about [`AIM`] at this rate, and which fits into memory eight times.
fn fitting(plan: &Plan, rate: f64, memory: Option<u64>) -> u64 {
    let runs = plan.settings().len() as f64 * plan.operations.len() as f64 * f64::from(plan.most_runs());
    let bytes = (rate * AIM.as_secs_f64() / runs.max(1.0)) as u64;
    let most = memory.map_or(LARGEST, |memory| (memory / 8).clamp(SMALLEST, LARGEST));
    bytes.clamp(SMALLEST, most) / SMALLEST * SMALLEST
}

fn scratch(wanted: Source, bytes: u64, watcher: &Arc<dyn Watcher>) -> Result<Scratch> {
    let scratch = Scratch::make(wanted, bytes)?;
    if scratch.source != wanted {
        let message = "/dev/shm has no room for the files: those in the working directory are measured, with its disk";
        watcher.step(&Step::Told(&Event::Warning { message }));
    }
    Ok(scratch)
}

/// Every cell in every round, as many rounds as time allows; the cells, and how many rounds that were.
async fn rounds(
    mut tally: Tally<'_>,
    bench: &Bench<'_>,
    shelf: &Shelf,
    (sample, scratch): (&Sample, &Scratch),
) -> Result<(Vec<Cell>, u32)> {
    let plan = tally.plan;
    let (settings, gets) = (plan.settings(), plan.operations.contains(&Operation::Get));
    let puts = plan.operations.contains(&Operation::Put);
    let prepared = if puts { Vec::new() } else { prepare(plan, bench, shelf, sample).await? };
    let all = u32::try_from(settings.len() * plan.operations.len()).unwrap_or(u32::MAX);
    bench.watcher.step(&Step::Settled { bytes: sample.bytes(), runs: all.saturating_mul(plan.most_runs()) });
    let (started, mut rounds) = (Instant::now(), 0);
    while rounds < plan.most_runs() && (plan.runs.is_some() || rounds == 0 || started.elapsed() < ENOUGH) {
        for settings in order(settings.len(), rounds).into_iter().filter_map(|index| settings.get(index).copied()) {
            let there = prepared.iter().find(|(part_size, _)| *part_size == settings.part_size);
            let name = match there {
                Some((_, name)) => name.clone(),
                None => {
                    let name = shelf.place();
                    began(bench, Operation::Put, settings, sample);
                    let run = bench.put(settings, sample, &name).await?;
                    ran(&mut tally, bench, Operation::Put, settings, run)?;
                    name
                }
            };
            if gets {
                began(bench, Operation::Get, settings, sample);
                let run = bench.get(settings, sample, scratch, &name).await?;
                ran(&mut tally, bench, Operation::Get, settings, run)?;
            }
            if there.is_none() {
                shelf.remove(&name).await?;
            }
        }
        rounds += 1;
    }
    Ok((tally.cells()?, rounds))
}

/// For gets alone: one object for each part size, since stores are fastest where ranges are the parts that were put.
async fn prepare(plan: &Plan, bench: &Bench<'_>, shelf: &Shelf, sample: &Sample) -> Result<Vec<(PartSize, String)>> {
    let mut prepared: Vec<(PartSize, String)> = Vec::new();
    for settings in plan.settings() {
        if prepared.iter().all(|(part_size, _)| *part_size != settings.part_size) {
            bench.watcher.step(&Step::Preparing { what: "putting what is got", bytes: sample.bytes() });
            let name = shelf.place();
            bench.put(settings, sample, &name).await?;
            prepared.push((settings.part_size, name));
        }
    }
    Ok(prepared)
}

fn began(bench: &Bench<'_>, operation: Operation, settings: Settings, sample: &Sample) {
    bench.watcher.step(&Step::Began { operation, settings, bytes: sample.bytes() });
}

fn ran(tally: &mut Tally<'_>, bench: &Bench<'_>, operation: Operation, settings: Settings, run: Run) -> Result<()> {
    let (bytes, seconds) = (run.bytes, run.time.as_secs_f64());
    tally.add(operation, settings, run);
    bench.watcher.step(&Step::Ran { operation, settings, bytes, seconds, cells: &tally.cells()? });
    match bench.runtime.cancel.is_cancelled() {
        true => Err(Error::cancelled()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Concurrency;

    #[test]
    fn a_size_is_chosen_that_takes_about_half_a_minute() {
        let plan = Plan {
            size: None,
            part_sizes: vec![PartSize::Auto],
            concurrency: vec![Concurrency::Auto, Concurrency::Fixed(4)],
            operations: vec![Operation::Put, Operation::Get],
            runs: Some(3),
            source: Source::Memory,
            files: 1,
        };
        assert_eq!(fitting(&plan, 100.0 * MIB as f64, None), 240 * MIB);
        assert_eq!(fitting(&plan, 0.5 * MIB as f64, None), SMALLEST);
        assert_eq!(fitting(&plan, 1e12, None), LARGEST);
        assert_eq!(fitting(&plan, 1e12, Some(1024 * MIB)), 128 * MIB);
    }
}
