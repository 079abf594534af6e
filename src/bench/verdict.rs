//! What bounds the throughput, in one sentence.

use serde::Serialize;

use super::plan::{Operation, Source};
use super::report::{Cell, best};
use super::stages::Stages;

/// So busy is a bound, in per cent.
const CPU_FULL: f64 = 85.0;
/// Of the whole machine, where others work as well.
const MACHINE_FULL: f64 = 92.0;
/// So near to what the disk does alone is the disk.
const NEAR_DISK: f64 = 0.7;
/// So much waiting is the server, in per cent.
const MOSTLY_WAITING: f64 = 50.0;

/// What bounds an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// This process uses the cores that it may use.
    Cpu,
    /// All cores are busy, most of them with something else: perhaps the server, where it is on this machine.
    CpuOfOthers,
    /// The disk of the working directory.
    Disk,
    /// The disk that the store is on.
    StoreDisk,
    /// Requests wait for the server's answers more than they move bytes.
    Server,
    /// More connections were faster up to the most that were tried.
    Connections,
    /// The network, or what the server takes in and gives out.
    Network,
}

/// What bounds one operation in its fastest cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// The operation.
    pub op: Operation,
    /// What it is.
    pub bound: Bound,
    /// The figure that says so.
    pub why: String,
}

/// The bottlenecks of both operations.
pub(super) fn bottlenecks(cells: &[Cell], stages: &Stages, is_local: bool) -> Vec<Bottleneck> {
    let of = |op| best(cells, op).map(|cell| bottleneck(cell, cells, stages, is_local));
    [Operation::Put, Operation::Get].into_iter().filter_map(of).collect()
}

fn bottleneck(cell: &Cell, cells: &[Cell], stages: &Stages, is_local: bool) -> Bottleneck {
    let op = cell.op;
    let found = |bound, why: String| Bottleneck { op, bound, why };
    if let Some(percent) = cell.cpu_percent.filter(|percent| *percent >= CPU_FULL) {
        return found(Bound::Cpu, format!("{percent:.0}% of the cores in use"));
    }
    if let Some(disk) = near_disk(cell, stages) {
        return found(Bound::Disk, format!("{disk:.0}% of what it does alone"));
    }
    if let Some(busy) = cell.machine_busy_percent.filter(|busy| *busy >= MACHINE_FULL) {
        let own = cell.cpu_percent.map(|own| format!(", {own:.0}% by strata-ckpt itself")).unwrap_or_default();
        return found(Bound::CpuOfOthers, format!("{busy:.0}% busy{own}"));
    }
    let waiting = cell.server_percent;
    if is_local {
        let cores =
            cell.cpu_percent.map_or("the cores are free".to_owned(), |own| format!("{own:.0}% of the cores in use"));
        return found(Bound::StoreDisk, cores);
    }
    if waiting >= MOSTLY_WAITING {
        return found(
            Bound::Server,
            format!("{waiting:.0}% of the time of a request, {}", millis(cell.first_byte_seconds.p50)),
        );
    }
    if grows(cell, cells) {
        let connections = match cell.concurrency.as_str() {
            "auto" => format!("{:.0}, which auto took on average,", cell.in_flight),
            fixed => fixed.to_owned(),
        };
        return found(Bound::Connections, format!("{connections} were faster than fewer"));
    }
    found(Bound::Network, format!("{:.0} connections at once, {:.0}% waiting for answers", cell.in_flight, waiting))
}

/// In per cent of the disk's own rate.
fn near_disk(cell: &Cell, stages: &Stages) -> Option<f64> {
    let disk = match (cell.source, cell.op) {
        (Source::Memory, _) => None,
        (Source::File, Operation::Put) => stages.disk_read_bytes_per_second,
        (Source::File, Operation::Get) => stages.disk_write_bytes_per_second,
    }?;
    let near = cell.bytes_per_second.median / disk.max(1.0);
    (near >= NEAR_DISK).then_some(100.0 * near)
}

/// The fastest has the most connections of its part size, and is faster than those with fewer by more than chance. `auto`
/// has as many as it had on average.
fn grows(cell: &Cell, cells: &[Cell]) -> bool {
    let connections = |cell: &Cell| cell.concurrency.parse::<f64>().unwrap_or(cell.in_flight);
    let own = connections(cell);
    let of_same = |other: &&Cell| {
        other.op == cell.op && other.part_size == cell.part_size && other.concurrency != cell.concurrency
    };
    let (fewer, more): (Vec<&Cell>, Vec<&Cell>) =
        cells.iter().filter(of_same).partition(|other| connections(other) < own);
    let margin = 1.0 + cell.bytes_per_second.spread_percent.unwrap_or(0.0).max(5.0) / 100.0;
    more.is_empty()
        && !fewer.is_empty()
        && fewer.iter().all(|other| other.bytes_per_second.median * margin < cell.bytes_per_second.median)
}

fn millis(seconds: f64) -> String {
    format!("{:.0} ms each", seconds * 1000.0)
}

/// All of them in one sentence.
pub(super) fn sentence(bottlenecks: &[Bottleneck]) -> String {
    let one = |bottleneck: &Bottleneck| {
        let Bottleneck { op, bound, why } = bottleneck;
        let what = match bound {
            Bound::Cpu => "the CPU of this machine",
            Bound::CpuOfOthers => "the CPU of this machine, which others use as well",
            Bound::Disk => "the disk of the working directory",
            Bound::StoreDisk => "the disk that the store is on",
            Bound::Server => "the server's answer time",
            Bound::Connections => "what one connection carries: more of them would help",
            Bound::Network => "the network, or what the server takes and gives at once",
        };
        format!("{op} is bounded by {what} ({why})")
    };
    let all: Vec<String> = bottlenecks.iter().map(one).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::cell;
    use super::*;

    fn bound(change: impl FnOnce(&mut Cell), stages: &Stages, is_local: bool) -> Bound {
        let mut one = cell(Operation::Put, "auto", "16", 100e6);
        change(&mut one);
        bottlenecks(&[one], stages, is_local)[0].bound
    }

    #[test]
    fn each_bound_has_its_figure() {
        let stages = Stages::default();
        assert_eq!(bound(|cell| cell.cpu_percent = Some(90.0), &stages, false), Bound::Cpu);
        assert_eq!(bound(|cell| cell.machine_busy_percent = Some(99.0), &stages, false), Bound::CpuOfOthers);
        assert_eq!(bound(|cell| cell.server_percent = 60.0, &stages, false), Bound::Server);
        assert_eq!(bound(|cell| cell.server_percent = 60.0, &stages, true), Bound::StoreDisk);
        assert_eq!(bound(|_| (), &stages, false), Bound::Network);
        let slow = Stages { disk_read_bytes_per_second: Some(110e6), ..Stages::default() };
        assert_eq!(bound(|cell| cell.source = Source::File, &slow, false), Bound::Disk);
        assert_eq!(bound(|_| (), &slow, false), Bound::Network, "memory is no disk");
    }

    #[test]
    fn what_grows_to_the_end_is_bounded_by_connections() {
        let cells = |rates: [f64; 3]| {
            ["4", "16", "64"]
                .iter()
                .zip(rates)
                .map(|(n, rate)| cell(Operation::Get, "auto", n, rate))
                .collect::<Vec<_>>()
        };
        let found = |cells: &[Cell]| bottlenecks(cells, &Stages::default(), false)[0].bound;
        assert_eq!(found(&cells([50e6, 100e6, 200e6])), Bound::Connections);
        assert_eq!(found(&cells([50e6, 200e6, 202e6])), Bound::Network, "that is chance");
        assert_eq!(found(&cells([50e6, 200e6, 100e6])), Bound::Network);
        let with_auto = |in_flight| {
            let auto = Cell { in_flight, ..cell(Operation::Get, "auto", "auto", 400e6) };
            [cells([50e6, 100e6, 200e6]), vec![auto]].concat()
        };
        assert_eq!(found(&with_auto(120.0)), Bound::Connections, "auto took more than any other");
        assert_eq!(found(&with_auto(20.0)), Bound::Network, "auto was faster with fewer");
    }

    #[test]
    fn one_sentence() {
        let cells = [cell(Operation::Put, "auto", "4", 1e8), cell(Operation::Get, "auto", "4", 1e8)];
        let text = sentence(&bottlenecks(&cells, &Stages::default(), false));
        assert_eq!(
            text,
            "put is bounded by the network, or what the server takes and gives at once (4 connections at once, 10% waiting \
             for answers); get is bounded by the network, or what the server takes and gives at once (4 connections at \
             once, 10% waiting for answers)"
        );
    }
}
