//! What to set, and what the documented throughput means here.

use serde::Serialize;

use crate::config::{Concurrency, DEFAULT_PART_SIZE, PartSize};

use super::plan::{Operation, Settings};
use super::report::{Cell, best};

/// The throughput that the documentation of Strata names: 200 MB/s, in bytes a second.
pub const PAGE_BYTES_PER_SECOND: f64 = 200e6;
/// Faster by less than this is no reason to set anything, however little the runs differ; in per cent.
const LEAST_GAIN: f64 = 5.0;
/// The checkpoint of the example: 10 GB.
const EXAMPLE_BYTES: f64 = 10e9;

/// Settings, and why these.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// As `--part-size` takes it.
    pub part_size: String,
    /// As `-j` takes it.
    pub concurrency: String,
    /// Lines for a `.env` file.
    pub env: Vec<String>,
    /// One sentence.
    pub why: String,
}

/// The settings that are fastest in all operations together; the defaults unless others are faster by more than the runs
/// differ, and fewer connections unless more are.
pub(super) fn recommend(cells: &[Cell]) -> Recommendation {
    let mut candidates: Vec<Settings> = Vec::new();
    for cell in cells {
        if !candidates.contains(&cell.settings) {
            candidates.push(cell.settings);
        }
    }
    let (mut chosen, mut why) = (Settings::DEFAULT, String::new());
    let default = candidates.iter().copied().find(|settings| is_default(*settings));
    let scored = |settings: Settings| (settings, score(cells, settings));
    let fastest = candidates.iter().copied().map(scored).max_by(|(_, a), (_, b)| a.total_cmp(b));
    if let Some((fastest, top)) = fastest {
        let margin = 1.0 + spread(cells, fastest).max(LEAST_GAIN) / 100.0;
        let as_good = |settings: &Settings| top <= score(cells, *settings) * margin;
        // One that varies much may be faster the next time.
        let varies = default.map_or(0.0, |default| spread(cells, default));
        let within = |default: Settings| top <= score(cells, default) * (1.0 + varies / 100.0);
        if default.is_some_and(|default| as_good(&default) || within(default)) {
            why = "nothing that was tried is faster than the defaults by more than the runs differ".to_owned();
        } else {
            // In the order in which they were given, which is from few to many where people write it.
            chosen = candidates.iter().copied().filter(as_good).min_by_key(weight).unwrap_or(fastest);
            why = match default {
                Some(default) => {
                    let gain = 100.0 * (score(cells, chosen) / score(cells, default).max(1e-9) - 1.0);
                    format!("{gain:.0}% faster than the defaults")
                }
                None => "the fastest that was tried; the defaults (auto) were not".to_owned(),
            };
        }
    }
    let (part_size, concurrency) = (chosen.part_size_text(), chosen.concurrency_text());
    let env = vec![format!("STRATA_PART_SIZE={part_size}"), format!("STRATA_CONCURRENCY={concurrency}")];
    Recommendation { part_size, concurrency, env, why }
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
    own.map(|cell| cell.bytes_per_second.spread_percent).fold(0.0, f64::max)
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

    fn recommended(cells: &[(&str, f64, f64)]) -> (String, String) {
        let both = |(concurrency, put, get): &(&str, f64, f64)| {
            [cell(Operation::Put, "auto", concurrency, *put), cell(Operation::Get, "auto", concurrency, *get)]
        };
        let cells: Vec<Cell> = cells.iter().flat_map(both).collect();
        let Recommendation { concurrency, why, .. } = recommend(&cells);
        (concurrency, why)
    }

    #[test]
    fn the_defaults_stay_unless_others_are_faster_by_more_than_chance() {
        assert_eq!(recommended(&[("auto", 100.0, 100.0), ("16", 104.0, 104.0)]).0, "auto");
        let (concurrency, why) = recommended(&[("auto", 100.0, 100.0), ("16", 150.0, 150.0)]);
        assert_eq!((concurrency.as_str(), why.as_str()), ("16", "50% faster than the defaults"));
        assert_eq!(recommended(&[("auto", 100.0, 100.0), ("16", 150.0, 60.0)]).0, "auto", "both operations count");
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
        let lines = recommend(&[cell(Operation::Get, "16MiB", "32", 1e8)]).env;
        assert_eq!(lines, ["STRATA_PART_SIZE=16MiB", "STRATA_CONCURRENCY=32"]);
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
