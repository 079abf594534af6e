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

    use storage::bench::{Latency, Settings, Source, Spread};

    fn cell(part_size: &str, concurrency: &str) -> Cell {
        let latency = Latency { p50: 0.123, p95: 0.2, p99: 0.3, max: 11.5 };
        Cell {
            op: storage::bench::Operation::Put,
            part_size: part_size.to_owned(),
            concurrency: concurrency.to_owned(),
            files: 1,
            source: Source::Memory,
            bytes: 1 << 28,
            runs: 2,
            bytes_per_second: Spread { median: 1e8, min: 1e8, max: 1e8, spread_percent: Some(12.0) },
            part_seconds: latency,
            parts: 64,
            first_byte_seconds: latency,
            start_seconds: 0.01,
            in_flight: 117.0,
            retries: 1000,
            cpu_seconds_per_gib: Some(0.5),
            cpu_percent: Some(20.0),
            machine_busy_percent: Some(30.0),
            server_percent: 10.0,
            peak_memory_bytes: Some(1000 << 20),
            memory_before_bytes: Some(20 << 20),
            peak_memory_is_of_cell: true,
            is_filled: true,
            curve: Vec::new(),
            settings: Settings::DEFAULT,
        }
    }

    fn many() -> Vec<Cell> {
        let parts = ["8MiB", "16MiB", "64MiB", "auto"];
        parts.iter().flat_map(|part| ["4", "16", "64", "128", "256", "auto"].map(|n| cell(part, n))).collect()
    }

    #[test]
    fn while_it_runs_the_table_fits_the_terminal() {
        let cells = many();
        for (width, height) in [(80, 21), (120, 21), (60, 5), (200, 50), (20, 2)] {
            let lines = live(&cells, 15, (width, height));
            assert!(lines.len() <= height, "{width}x{height}: {lines:#?}");
            assert!(width < 60 || lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:#?}");
            assert!(lines[0].starts_with("OP") && lines[0].contains("THROUGHPUT"));
            let newest = layout::lines(&columns(&cells[15..16], None)[..KEYS]);
            let words: Vec<&str> = newest[1].split_whitespace().collect();
            let is_newest = |line: &&String| line.split_whitespace().take(3).eq(words.iter().copied());
            assert_eq!(lines.iter().filter(is_newest).count(), 1, "{lines:#?}");
        }
        assert_eq!(live(&cells, 0, (200, 50)).len(), 1 + cells.len());
    }

    #[test]
    fn at_the_end_all_columns_are_there_at_any_width() {
        let cells = many();
        let change = Change {
            op: storage::bench::Operation::Put,
            part_size: "8MiB".to_owned(),
            concurrency: "4".to_owned(),
            before: 2e8,
            now: 1e8,
            percent: -50.0,
            slower: true,
        };
        for width in [80, 120] {
            let lines = layout::stacked(&columns(&cells, Some(std::slice::from_ref(&change))), KEYS, width);
            let plain: Vec<String> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
            assert!(plain.iter().all(|line| line.chars().count() <= width), "{plain:#?}");
            let all = plain.join("\n");
            assert!(HEADER.iter().chain(&["BASELINE", "-50% slower"]).all(|title| all.contains(title)), "{all}");
        }
    }

    #[test]
    fn cells_that_were_too_short_are_named() {
        let mut cells = vec![cell("8MiB", "64"), cell("8MiB", "4"), cell("16MiB", "auto")];
        assert_eq!(unfilled(&cells), None);
        cells.iter_mut().for_each(|cell| cell.is_filled = cell.concurrency == "4");
        let told = unfilled(&cells).unwrap();
        assert!(told.ends_with("of put 8MiB -j 64 (32 parts), put 16MiB -j auto (2.7 s)"), "{told}");
    }

    #[test]
    fn what_a_narrow_terminal_does_without_are_columns() {
        assert!(EXPENDABLE.iter().all(|title| HEADER[KEYS..].contains(title)));
        assert!(!EXPENDABLE.contains(&"THROUGHPUT"));
    }
}
