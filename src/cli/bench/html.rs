//! `--html`: one page that needs nothing else. What comes from elsewhere, such as names, is escaped by the template.

use askama::Template;
use storage::bench::{Cell, Operation};
use storage::{Error, ErrorKind, Result};

use super::{Measured, chart, table};
use crate::cli::units::rate_of;

/// `templates/bench.html`.
#[derive(Template)]
#[template(path = "bench.html")]
struct Page<'a> {
    version: &'static str,
    time: &'a str,
    uri: &'a str,
    facts: Vec<String>,
    bottleneck: &'a str,
    page: &'a str,
    why: &'a str,
    env: String,
    maps: Vec<Map>,
    charts: Vec<Chart>,
    rows: Vec<Row>,
    has_baseline: bool,
}

/// Part sizes by concurrency, of one operation.
struct Map {
    op: String,
    /// What no colour and the full colour mean.
    slowest: String,
    fastest: String,
    concurrency: Vec<String>,
    rows: Vec<MapRow>,
}

struct MapRow {
    part_size: String,
    cells: Vec<Spot>,
}

/// A cell of the map; its text is empty where it was not measured.
struct Spot {
    rate: String,
    spread: String,
    /// 0 to 100: from the slowest to the fastest of the map.
    heat: u32,
}

/// Latency curves of one operation and part size.
struct Chart {
    title: String,
    svg: String,
    legend: Vec<Key>,
}

struct Key {
    /// A piece of the curve, as SVG.
    line: String,
    label: String,
}

struct Row {
    cells: [String; 13],
    baseline: String,
    slower: bool,
}

/// The page.
pub(super) fn page(measured: &Measured) -> Result<String> {
    let Measured { report, changes, time, .. } = measured;
    let row = |cell: &Cell| {
        let changes = changes.as_deref().unwrap_or_default();
        let baseline = anstream::adapter::strip_str(&table::change_of(cell, changes)).to_string();
        Row { cells: table::row(cell), slower: baseline.ends_with("slower"), baseline }
    };
    let operations = [Operation::Put, Operation::Get];
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        time,
        uri: &report.setup.uri,
        facts: table::facts(report),
        bottleneck: &report.bottleneck,
        page: &report.page.text,
        why: &report.recommendation.why,
        env: report.recommendation.env.join("\n"),
        maps: operations.into_iter().filter_map(|op| map(&report.cells, op)).collect(),
        charts: charts(&report.cells)?,
        rows: report.cells.iter().map(row).collect(),
        has_baseline: changes.is_some(),
    };
    page.render().map_err(|error| Error::new(ErrorKind::Other, format!("the page cannot be made: {error}")))
}

/// Each value once, in order.
fn distinct<'a>(cells: &[&'a Cell], of: impl Fn(&'a Cell) -> &'a str) -> Vec<&'a str> {
    let mut all = Vec::new();
    for value in cells.iter().map(|cell| of(cell)) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn map(cells: &[Cell], op: Operation) -> Option<Map> {
    let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.op == op).collect();
    let rates = || cells.iter().map(|cell| cell.bytes_per_second.median);
    let (slowest, fastest) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    let concurrency = distinct(&cells, |cell| &cell.concurrency);
    let spot = |part_size: &str, n: &str| {
        let found = cells.iter().find(|cell| cell.part_size == part_size && cell.concurrency == n);
        let Some(cell) = found else { return Spot { rate: String::new(), spread: String::new(), heat: 0 } };
        let rate = cell.bytes_per_second.median;
        // A cell by itself is the fastest that there is.
        let heat = if fastest > slowest { (rate - slowest) / (fastest - slowest) } else { 1.0 };
        Spot { rate: rate_of(rate), spread: table::spread(cell), heat: percent(heat) }
    };
    let rows = distinct(&cells, |cell| &cell.part_size).into_iter().map(|part_size| MapRow {
        part_size: part_size.to_owned(),
        cells: concurrency.iter().map(|n| spot(part_size, n)).collect(),
    });
    Some(Map {
        op: op.to_string(),
        slowest: rate_of(slowest),
        fastest: rate_of(fastest),
        rows: rows.collect(),
        concurrency: concurrency.iter().map(|n| (*n).to_owned()).collect(),
    })
}

fn percent(part: f64) -> u32 {
    (part.clamp(0.0, 1.0) * 100.0).round() as u32
}

fn charts(cells: &[Cell]) -> Result<Vec<Chart>> {
    let mut charts = Vec::new();
    for op in [Operation::Put, Operation::Get] {
        let of_op: Vec<&Cell> = cells.iter().filter(|cell| cell.op == op).collect();
        let slowest = of_op.iter().map(|cell| cell.part_seconds.max).fold(0.0, f64::max);
        for part_size in distinct(&of_op, |cell| &cell.part_size) {
            let shown: Vec<&Cell> = of_op.iter().copied().filter(|cell| cell.part_size == part_size).collect();
            let key =
                |(index, cell): (usize, &&Cell)| Key { line: chart::sample(index), label: cell.concurrency.clone() };
            charts.push(Chart {
                title: format!("{op}, parts {part_size}"),
                svg: chart::latencies(&shown, slowest)?,
                legend: shown.iter().enumerate().map(key).collect(),
            });
        }
    }
    Ok(charts)
}
