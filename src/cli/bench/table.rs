//! The table of cells, and what is said below it.

use anstyle::Style;
use storage::bench::{Cell, Change, Report, Stages};

use super::Measured;
use super::layout::{self, Column};
use crate::cli::output::BAD;
use crate::cli::quote::visible;
use crate::cli::units::{rate_of, size};

const HEADER: [&str; 13] = [
    "OP",
    "PARTS",
    "CONN",
    "THROUGHPUT",
    "SPREAD",
    "P50",
    "P95",
    "P99",
    "MAX",
    "FIRST BYTE",
    "RETRIES",
    "CPU-S/GIB",
    "MEMORY",
];

/// Columns that say which cell a row is.
const KEYS: usize = 3;
/// Where the comparison with a baseline stands: beside the throughput.
const BASELINE_AT: usize = 5;
/// What a narrow terminal does without while it runs, the first one first.
const EXPENDABLE: [&str; 9] = ["MAX", "P95", "CPU-S/GIB", "MEMORY", "RETRIES", "FIRST BYTE", "P99", "SPREAD", "P50"];

/// Everything, within this width.
pub(super) fn all(measured: &Measured, width: usize) -> Vec<String> {
    let Measured { report, changes, .. } = measured;
    let Report { cells, bottleneck, recommendation, page, .. } = report;
    let mut lines = layout::stacked(&columns(cells, changes.as_deref()), KEYS, width);
    lines.push(String::new());
    lines.extend(facts(report));
    lines.push(format!("bottleneck: {bottleneck}"));
    lines.push(page.text.clone());
    lines.push(match recommendation.env.is_empty() {
        true => format!("nothing is recommended: {}", recommendation.why),
        false => format!("recommended for .env ({}):", recommendation.why),
    });
    lines.extend(recommendation.env.iter().cloned());
    lines
}

/// The cells while it runs, within this width and so many lines: the row `newest` and those above it, or all of them.
pub(super) fn live(cells: &[Cell], newest: usize, (width, height): (usize, usize)) -> Vec<String> {
    let rows = height.saturating_sub(1).min(cells.len());
    let first = (newest + 1).saturating_sub(rows);
    let columns = columns(&cells[first..first + rows], None);
    layout::lines(&layout::narrowed(columns, &EXPENDABLE, width))
}

fn columns(cells: &[Cell], changes: Option<&[Change]>) -> Vec<Column> {
    let rows: Vec<[String; HEADER.len()]> = cells.iter().map(row).collect();
    let column = |(index, title): (usize, &'static str)| Column {
        title,
        is_right: index >= KEYS,
        values: rows.iter().map(|row| row[index].clone()).collect(),
    };
    let mut columns: Vec<Column> = HEADER.into_iter().enumerate().map(column).collect();
    if let Some(changes) = changes {
        let values = cells.iter().map(|cell| change_of(cell, changes)).collect();
        columns.insert(BASELINE_AT, Column { title: "BASELINE", is_right: true, values });
    }
    columns
}

/// How a cell stands to the baseline.
pub(super) fn change_of(cell: &Cell, changes: &[Change]) -> String {
    let same = |change: &&Change| {
        (change.op, &change.part_size, &change.concurrency) == (cell.op, &cell.part_size, &cell.concurrency)
    };
    match changes.iter().find(same) {
        None => "-".to_owned(),
        Some(change) => {
            let (style, word) = if change.slower { (BAD, " slower") } else { (Style::new(), "") };
            format!("{style}{:+.0}%{word}{style:#}", change.percent)
        }
    }
}

/// A cell in the order of [`HEADER`].
pub(super) fn row(cell: &Cell) -> [String; 13] {
    let concurrency = match cell.concurrency.as_str() {
        "auto" => format!("auto ({:.0})", cell.in_flight),
        number => number.to_owned(),
    };
    let [p50, p95, p99, max] = latencies(cell);
    [
        cell.op.to_string(),
        cell.part_size.clone(),
        concurrency,
        rate_of(cell.bytes_per_second.median),
        spread(cell),
        p50,
        p95,
        p99,
        max,
        millis(cell.first_byte_seconds.p50),
        cell.retries.to_string(),
        cell.cpu_seconds_per_gib.map_or("-".to_owned(), |seconds| format!("{seconds:.2}")),
        cell.peak_memory_bytes.map_or("-".to_owned(), size),
    ]
}

/// `±3%`, or nothing where one run cannot show any.
pub(super) fn spread(cell: &Cell) -> String {
    cell.bytes_per_second.spread_percent.map_or("-".to_owned(), |percent| format!("±{percent:.0}%"))
}

fn latencies(cell: &Cell) -> [String; 4] {
    let latency = &cell.part_seconds;
    [latency.p50, latency.p95, latency.p99, latency.max].map(millis)
}

/// `0.4 ms`, `12 ms`, `1.2 s`.
pub(super) fn millis(seconds: f64) -> String {
    match seconds {
        ..0.01 => format!("{:.1} ms", seconds * 1000.0),
        0.01..1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.1} s"),
    }
}

/// What was measured with, and the stages.
pub(super) fn facts(report: &Report) -> Vec<String> {
    let setup = &report.setup;
    let machine = &setup.machine;
    let files = if setup.files == 1 { String::new() } else { format!(" in {} files", setup.files) };
    let processor = machine.processor.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
    let memory = machine.memory_bytes.map(|bytes| format!(", {} of memory", size(bytes))).unwrap_or_default();
    let mut lines = vec![
        format!("store: {} at {}", visible(&setup.uri), visible(&setup.endpoint)),
        format!("runs: {} of {}{files}, from and to {}", setup.runs, size(setup.bytes), setup.source),
        format!("machine: {} cores{processor}{memory}, {} {}", machine.cores, machine.os, machine.arch),
    ];
    let way = if setup.uri.starts_with("file:") { "store" } else { "network" };
    lines.extend(stages(&report.stages, way));
    lines.extend(memory_in_words(&report.cells));
    lines.extend(unfilled(&report.cells));
    lines
}

/// What the column of memory is.
fn memory_in_words(cells: &[Cell]) -> Option<String> {
    if !cells.iter().all(|cell| cell.peak_memory_is_of_cell) {
        return Some("memory: the peak of the process so far, as this system does not let it be reset".to_owned());
    }
    let before = || cells.iter().filter_map(|cell| cell.memory_before_bytes);
    let (least, most) = (before().min().map(size)?, before().max().map(size)?);
    let before = if least == most { least } else { format!("{least} to {most}") };
    Some(format!("memory: the peak of the process in a cell's runs; {before} of it were there before them"))
}

/// The cells whose runs were too short to say much.
fn unfilled(cells: &[Cell]) -> Option<String> {
    let one = |cell: &&Cell| {
        let runs = u64::from(cell.runs.max(1));
        let had = match cell.concurrency.as_str() {
            "auto" => millis(cell.bytes as f64 / cell.bytes_per_second.median.max(1.0)),
            _ => match cell.parts / runs {
                1 => "1 part".to_owned(),
                parts => format!("{parts} parts"),
            },
        };
        let Cell { op, part_size, concurrency, .. } = cell;
        format!("{op} {part_size} -j {concurrency} ({had})")
    };
    let all: Vec<String> = cells.iter().filter(|cell| !cell.is_filled).map(|cell| one(&cell)).collect();
    (!all.is_empty()).then(|| {
        format!(
            "too few bytes: each connection should have two parts a run, and auto takes a second to find its number; a \
             larger --size would tell more of {}",
            all.join(", ")
        )
    })
}

/// Each stage by itself; `way` is what the bytes of a connection go through.
fn stages(stages: &Stages, way: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((read, written)) = stages.disk_read_bytes_per_second.zip(stages.disk_write_bytes_per_second) {
        lines.push(format!("disk: reads {}, writes {}, in order", rate_of(read), rate_of(written)));
    } else {
        lines.push("disk: not measured, as the bytes are in memory (--source file measures it)".to_owned());
    }
    lines.push(format!("checksum: {} on one core", rate_of(stages.checksum_bytes_per_second)));
    lines.push(format!("server: answers the shortest question in {}", millis(stages.answer_seconds)));
    for wire in &stages.wire {
        lines.push(format!(
            "{way}, {}: {}, {} a connection, as the fastest cell shows without the server's time, which is {:.0}%",
            wire.op,
            rate_of(wire.network_bytes_per_second),
            rate_of(wire.connection_bytes_per_second),
            wire.server_percent
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_narrow_terminal_does_without_are_columns() {
        assert!(EXPENDABLE.iter().all(|title| HEADER[KEYS..].contains(title)));
        assert!(!EXPENDABLE.contains(&"THROUGHPUT"));
    }
}
