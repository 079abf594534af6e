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
use super::sizing::{self, Chosen, Pace, Paces};
use super::stages::{self, Stages};
use super::tally::Tally;
use super::verdict::{bottlenecks, sentence};
use super::{OpenStore, Step, Watcher};

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
    watcher.step(&Step::Preparing { what: "looking at the store", bytes: 0 });
    bench.look(shelf.prefix()).await?;
    let (paces, answer_seconds) = warm_up(plan, &bench, shelf, machine.memory_bytes).await?;
    let chosen = sizing::choose(plan, paces, machine.memory_bytes);
    let bytes = chosen.bytes;

    let scratch = scratch(plan, bytes, watcher)?;
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

    let tally = Tally::new(plan, scratch.source, machine.cores);
    let (cells, runs) = rounds(tally, chosen, &bench, shelf, (&sample, &scratch)).await?;
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

/// Opens what there is to open, on both sides, until a run takes a while; how fast they were, and how long a question takes.
async fn warm_up(plan: &Plan, bench: &Bench<'_>, shelf: &Shelf, memory: Option<u64>) -> Result<(Paces, f64)> {
    let settings = sizing::settings_of_warm_up(plan);
    let (mut bytes, mut answer) = (sizing::first_warm_up(plan), None);
    loop {
        bench.watcher.step(&Step::Preparing { what: "warming up", bytes: bytes * plan.operations.len() as u64 });
        let scratch = scratch(plan, bytes, bench.watcher)?;
        let sizes = plan.file_sizes(bytes);
        let (sample, _) = Sample::write(&scratch, "warm", sizes, &bench.runtime.cancel).await?;
        let name = shelf.place();
        let put = bench.put(settings, &sample, &name).await?;
        let seconds = match answer {
            None => stages::answer(shelf.transfer(), &name).await?,
            Some(seconds) => seconds,
        };
        answer = Some(seconds);
        let get = match plan.operations.contains(&Operation::Get) {
            true => Some(bench.get(settings, &sample, &scratch, &name).await?),
            false => None,
        };
        shelf.remove(&name).await?;
        let paces = Paces { put: Pace::of(&put), get: get.as_ref().map(Pace::of) };
        let longest = get.map_or(put.time, |get| get.time.max(put.time));
        match sizing::next_warm_up(plan, bytes, longest, memory) {
            Some(next) => bytes = next,
            None => return Ok((paces, seconds)),
        }
    }
}

/// With room for what is put and, where gets are measured, for what is got.
fn scratch(plan: &Plan, bytes: u64, watcher: &Arc<dyn Watcher>) -> Result<Scratch> {
    let copies = if plan.operations.contains(&Operation::Get) { 2 } else { 1 };
    let scratch = Scratch::make(plan.source, bytes.saturating_mul(copies))?;
    if scratch.source != plan.source {
        let message = "/dev/shm has no room for the files: those in the working directory are measured, with its disk";
        watcher.step(&Step::Told(&Event::Warning { message }));
    }
    Ok(scratch)
}

/// Every cell in every round, as many rounds as time allows; the cells, and how many rounds that were.
async fn rounds(
    mut tally: Tally<'_>,
    chosen: Chosen,
    bench: &Bench<'_>,
    shelf: &Shelf,
    (sample, scratch): (&Sample, &Scratch),
) -> Result<(Vec<Cell>, u32)> {
    let plan = tally.plan();
    let (settings, gets) = (plan.settings(), plan.operations.contains(&Operation::Get));
    let puts = plan.operations.contains(&Operation::Put);
    let prepared = if puts { Vec::new() } else { prepare(plan, bench, shelf, sample).await? };
    let all = u32::try_from(settings.len() * plan.operations.len()).unwrap_or(u32::MAX);
    let Chosen { rounds: most, time, .. } = chosen;
    bench.watcher.step(&Step::Settled { bytes: sample.bytes(), runs: all.saturating_mul(most), time });
    let (started, mut rounds) = (Instant::now(), 0);
    let fits = |rounds| plan.runs.is_some() || rounds == 0 || sizing::another_fits(plan, rounds, started.elapsed());
    while rounds < most && fits(rounds) {
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
    Ok((tally.into_cells(), rounds))
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
    tally.add(operation, settings, &run)?;
    bench.watcher.step(&Step::Ran { operation, settings, bytes, seconds, cells: tally.cells() });
    match bench.runtime.cancel.is_cancelled() {
        true => Err(Error::cancelled()),
        false => Ok(()),
    }
}
