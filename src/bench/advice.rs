//! What to set, and what the documented throughput means here.

use serde::Serialize;

use crate::config::{Concurrency, DEFAULT_PART_SIZE, PartSize};

use super::plan::{Operation, Settings};
use super::report::{Cell, best};

/// The throughput that the documentation of Strata names: 200 MB/s, in bytes a second.
pub const PAGE_BYTES_PER_SECOND: f64 = 200e6;
/// Faster by less than this is no reason to set anything, however little the runs differ; in per cent.
const LEAST_GAIN: f64 = 5.0;
/// The same where nobody knows how much they differ.
const LEAST_GAIN_OF_ONE_RUN: f64 = 25.0;
/// The checkpoint of the example: 10 GB.
const EXAMPLE_BYTES: f64 = 10e9;

/// Settings, and why these; or why there are none.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// As `--part-size` takes it; `None` where what was measured shows nothing.
    pub part_size: Option<String>,
    /// As `-j` takes it; `None` likewise.
    pub concurrency: Option<String>,
    /// Lines for a `.env` file; none where there is nothing to recommend.
    pub env: Vec<String>,
    /// One sentence.
    pub why: String,
}

impl Recommendation {
    fn none(why: &str) -> Self {
        Recommendation { part_size: None, concurrency: None, env: Vec::new(), why: why.to_owned() }
    }

    fn of(settings: Settings, why: String) -> Self {
        let (part_size, concurrency) = (settings.part_size_text(), settings.concurrency_text());
        let env = vec![format!("STRATA_PART_SIZE={part_size}"), format!("STRATA_CONCURRENCY={concurrency}")];
        Recommendation { part_size: Some(part_size), concurrency: Some(concurrency), env, why }
    }
}

/// The settings that are fastest in all operations together, with as few connections as do as well; the defaults unless
/// others are faster by more than runs differ.
pub(super) fn recommend(cells: &[Cell]) -> Recommendation {
    let mut candidates: Vec<Settings> = Vec::new();
    for cell in cells {
        if !candidates.contains(&cell.settings) {
            candidates.push(cell.settings);
        }
    }
    let scored = |settings: Settings| (settings, score(cells, settings));
    let fastest = candidates.iter().copied().map(scored).max_by(|(_, a), (_, b)| a.total_cmp(b));
    let slowest = candidates.iter().copied().map(scored).min_by(|(_, a), (_, b)| a.total_cmp(b));
    let (Some((fastest, top)), Some((slowest, _))) = (fastest, slowest) else {
        return Recommendation::none("nothing was measured");
    };
    if candidates.len() == 1 {
        return Recommendation::none("only one setting was tried");
    }
    let default = candidates.iter().copied().find(|settings| is_default(*settings));
    let compared = default.unwrap_or(slowest);
    // In the order in which they were given, which is from few to many where people write it.
    let as_good = |settings: &Settings| top <= score(cells, *settings) * (1.0 + margin(cells, fastest) / 100.0);
    let good = candidates.iter().copied().filter(as_good).filter(|settings| is_faster(cells, *settings, compared));
    let chosen = good.min_by_key(weight);
    let is_short = |settings: Settings| cells.iter().any(|cell| cell.settings == settings && !cell.is_filled);
    if chosen.is_some_and(|chosen| is_short(chosen) || is_short(compared)) {
        return Recommendation::none("the runs that differ were too short to say so: a larger --size does");
    }
    match (chosen, default) {
        (Some(chosen), Some(default)) => {
            let gain = 100.0 * (score(cells, chosen) / score(cells, default).max(1e-9) - 1.0);
            Recommendation::of(chosen, format!("{gain:.0}% faster than the defaults"))
        }
        (Some(chosen), None) => {
            Recommendation::of(chosen, "the fastest that was tried; the defaults (auto) were not".to_owned())
        }
        (None, _) if is_of_one_run(cells) => {
            Recommendation::none("one run of each cell does not show differences of less than 25%: --runs 3 does")
        }
        (None, Some(_)) => Recommendation::of(
            Settings::DEFAULT,
            "nothing that was tried is faster than the defaults by more than the runs differ".to_owned(),
        ),
        (None, None) => Recommendation::none("what was tried differs by no more than the runs do"),
    }
}

/// Faster than the other by more than what the runs of both spread.
fn is_faster(cells: &[Cell], settings: Settings, than: Settings) -> bool {
    let (low, high) = (1.0 - spread(cells, settings) / 100.0, 1.0 + spread(cells, than) / 100.0);
    let (own, other) = (score(cells, settings), score(cells, than));
    own > other * (1.0 + least_gain(cells) / 100.0) && own * low > other * high
}

/// Less than this is no gain, in per cent.
fn least_gain(cells: &[Cell]) -> f64 {
    if is_of_one_run(cells) { LEAST_GAIN_OF_ONE_RUN } else { LEAST_GAIN }
}

/// Within so many per cent, settings are as good as these.
fn margin(cells: &[Cell], settings: Settings) -> f64 {
    spread(cells, settings).max(least_gain(cells))
}

/// How much the runs of a cell differ is then unknown.
fn is_of_one_run(cells: &[Cell]) -> bool {
    cells.iter().any(|cell| cell.bytes_per_second.spread_percent.is_none())
}

/// What is used where nothing is set, or the same in figures.
fn is_default(settings: Settings) -> bool {
    let part_size = matches!(settings.part_size, PartSize::Auto | PartSize::Fixed(DEFAULT_PART_SIZE));
    part_size && settings.concurrency == Concurrency::Auto
}

/// How many connections, then how large the parts.
fn weight(settings: &Settings) -> (usize, u64) {
    let connections = match settings.concurrency {
        // It takes no more than it needs.
        Concurrency::Auto => 0,
        Concurrency::Fixed(n) => n,
    };
    let part = match settings.part_size {
        PartSize::Auto => 0,
        PartSize::Fixed(bytes) => bytes,
    };
    (connections, part)
}

/// The geometric mean, over the operations, of the throughput as a part of the best one.
fn score(cells: &[Cell], settings: Settings) -> f64 {
    let mut product = 1.0;
    let mut count = 0;
    for op in [Operation::Put, Operation::Get] {
        let own = cells.iter().find(|cell| cell.op == op && cell.settings == settings);
        if let (Some(own), Some(best)) = (own, best(cells, op)) {
            product *= own.bytes_per_second.median / best.bytes_per_second.median.max(1e-9);
            count += 1;
        }
    }
    if count == 0 { 0.0 } else { product.powf(1.0 / f64::from(count)) }
}

fn spread(cells: &[Cell], settings: Settings) -> f64 {
    let own = cells.iter().filter(|cell| cell.settings == settings);
    own.filter_map(|cell| cell.bytes_per_second.spread_percent).fold(0.0, f64::max)
}

/// What 200 MB/s means here.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// 200 MB/s.
    pub bytes_per_second: f64,
    /// How many times that each operation reached: `put`, `get`.
    pub put_times: Option<f64>,
    /// The same of gets.
    pub get_times: Option<f64>,
    /// One sentence.
    pub text: String,
}

/// Compares the best cells with the documented throughput.
pub(super) fn page(cells: &[Cell]) -> Page {
    let times = |op| Some(best(cells, op)?.bytes_per_second.median / PAGE_BYTES_PER_SECOND);
    let (put, get) = (times(Operation::Put), times(Operation::Get));
    let example = |times: f64| seconds(EXAMPLE_BYTES / (times * PAGE_BYTES_PER_SECOND).max(1.0));
    let each = [(Operation::Put, put), (Operation::Get, get)];
    let each = each.into_iter().filter_map(|(op, times)| Some((op, times?)));
    let reached: Vec<String> = each.clone().map(|(op, times)| format!("{op} reaches {times:.2} times that")).collect();
    let example: Vec<String> = each.map(|(op, times)| format!("{} to {op}", example(times))).collect();
    let text = format!(
        "the documented 200 MB/s on this machine: {}; a checkpoint of 10 GB takes {}, and 50 s at 200 MB/s",
        reached.join(", "),
        example.join(" and ")
    );
    let short = |times: Option<f64>| times.map(super::figures::rounded);
    Page { bytes_per_second: PAGE_BYTES_PER_SECOND, put_times: short(put), get_times: short(get), text }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.1} s"),
        10.0..600.0 => format!("{seconds:.0} s"),
        _ => format!("{:.0} min", seconds / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::cell;
    use super::*;

    fn cells(of: &[(&str, f64, f64)]) -> Vec<Cell> {
        let both = |(concurrency, put, get): &(&str, f64, f64)| {
            [cell(Operation::Put, "auto", concurrency, *put), cell(Operation::Get, "auto", concurrency, *get)]
        };
        of.iter().flat_map(both).collect()
    }

    /// With this spread of every cell; what comes out as `-j`, or `none`.
    fn with_spread(of: &[(&str, f64, f64)], spread: Option<f64>) -> (String, String) {
        let mut cells = cells(of);
        cells.iter_mut().for_each(|cell| cell.bytes_per_second.spread_percent = spread);
        let Recommendation { concurrency, why, env, .. } = recommend(&cells);
        assert_eq!(env.len(), if concurrency.is_some() { 2 } else { 0 });
        (concurrency.unwrap_or_else(|| "none".to_owned()), why)
    }

    fn recommended(of: &[(&str, f64, f64)]) -> (String, String) {
        with_spread(of, Some(2.0))
    }

    #[test]
    fn the_defaults_stay_unless_others_are_faster_by_more_than_chance() {
        assert_eq!(recommended(&[("auto", 100.0, 100.0), ("16", 104.0, 104.0)]).0, "auto");
        let (concurrency, why) = recommended(&[("auto", 100.0, 100.0), ("16", 150.0, 150.0)]);
        assert_eq!((concurrency.as_str(), why.as_str()), ("16", "50% faster than the defaults"));
        assert_eq!(recommended(&[("auto", 100.0, 100.0), ("16", 150.0, 60.0)]).0, "auto", "both operations count");
        let wide = [("auto", 100.0, 100.0), ("16", 125.0, 125.0)];
        assert_eq!(with_spread(&wide, Some(10.0)).0, "16");
        assert_eq!(with_spread(&wide, Some(15.0)).0, "auto", "115 and 106 may come of either");
        let few = [("auto", 100.0, 100.0), ("4", 106.0, 106.0), ("16", 124.0, 124.0)];
        assert_eq!(
            with_spread(&few, Some(8.0)).0,
            "16",
            "4 is as good as chance allows, and within it of the defaults"
        );
    }

    #[test]
    fn nothing_is_recommended_from_too_little() {
        assert_eq!(recommended(&[("16", 100.0, 100.0)]), ("none".to_owned(), "only one setting was tried".to_owned()));
        assert_eq!(recommended(&[("4", 100.0, 100.0), ("16", 104.0, 104.0)]).0, "none");
        let (concurrency, why) = with_spread(&[("auto", 100.0, 100.0), ("16", 124.0, 124.0)], None);
        assert!(concurrency == "none" && why.contains("25%"), "{why}");
        assert_eq!(with_spread(&[("auto", 100.0, 100.0), ("16", 126.0, 126.0)], None).0, "16");
        let mut short = cells(&[("auto", 100.0, 100.0), ("16", 150.0, 150.0)]);
        short[0].is_filled = false;
        assert!(recommend(&short).why.contains("too short") && recommend(&short).env.is_empty());
    }

    #[test]
    fn eight_mebibytes_are_the_default_in_figures() {
        let cells = [cell(Operation::Put, "8MiB", "auto", 100.0), cell(Operation::Put, "16MiB", "auto", 101.0)];
        assert_eq!(recommend(&cells).env, ["STRATA_PART_SIZE=auto", "STRATA_CONCURRENCY=auto"]);
    }

    #[test]
    fn fewer_connections_where_more_are_no_faster() {
        assert_eq!(recommended(&[("64", 101.0, 100.0), ("16", 100.0, 100.0), ("4", 50.0, 50.0)]).0, "16");
    }

    #[test]
    fn lines_for_dotenv() {
        let cells = [cell(Operation::Get, "16MiB", "32", 1e8), cell(Operation::Get, "8MiB", "32", 5e7)];
        assert_eq!(recommend(&cells).env, ["STRATA_PART_SIZE=16MiB", "STRATA_CONCURRENCY=32"]);
    }

    #[test]
    fn the_page_in_this_machines_terms() {
        let cells = [cell(Operation::Put, "auto", "4", 400e6), cell(Operation::Get, "auto", "4", 100e6)];
        assert_eq!(
            page(&cells).text,
            "the documented 200 MB/s on this machine: put reaches 2.00 times that, get reaches 0.50 times that; a \
             checkpoint of 10 GB takes 25 s to put and 100 s to get, and 50 s at 200 MB/s"
        );
    }
}
