//! The table of cells, and what is said below it.

use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use storage::bench::{Cell, Change, Report, Stages};

use super::Measured;
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

/// Everything, for a terminal.
pub(super) fn all(measured: &Measured) -> Vec<String> {
    let Measured { report, changes, .. } = measured;
    let Report { cells, bottleneck, recommendation, page, .. } = report;
    let mut lines = cells_and(cells, changes.as_deref());
    lines.push(String::new());
    lines.extend(facts(report));
    lines.push(format!("bottleneck: {bottleneck}"));
    lines.push(page.text.clone());
    lines.push(format!("recommended for .env ({}):", recommendation.why));
    lines.extend(recommendation.env.iter().cloned());
    lines
}

/// The table alone.
pub(super) fn cells(cells: &[Cell]) -> Vec<String> {
    cells_and(cells, None)
}

fn cells_and(cells: &[Cell], changes: Option<&[Change]>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADER);
    cells.iter().for_each(|cell| {
        table.add_row(row(cell));
    });
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let Some(changes) = changes else { return lines };
    let told = cells.iter().map(|cell| change_of(cell, changes));
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let told = std::iter::once("BASELINE".to_owned()).chain(told);
    lines.into_iter().zip(told).map(|(line, told)| format!("{line:width$}  {told}")).collect()
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
        format!("±{:.0}%", cell.bytes_per_second.spread_percent),
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
    if !report.cells.iter().all(|cell| cell.peak_memory_is_of_cell) {
        lines.push("memory is the peak of the whole command: this system does not let it be reset".to_owned());
    }
    let idle = |cell: &&Cell| {
        let runs = u64::from(cell.runs.max(1));
        cell.concurrency.parse::<u64>().is_ok_and(|n| n > cell.parts / runs)
    };
    if let Some(cell) = report.cells.iter().find(idle) {
        let parts = cell.parts / u64::from(cell.runs.max(1));
        lines.push(format!(
            "{} connections had only {parts} parts to move in each run: a larger --size would tell more",
            cell.concurrency
        ));
    }
    lines
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
            "{way}, {}: {} while bytes move, {} on each connection; {:.0}% of the time goes into waiting for answers",
            wire.op,
            rate_of(wire.network_bytes_per_second),
            rate_of(wire.connection_bytes_per_second),
            wire.server_percent
        ));
    }
    lines
}
