//! An earlier measurement, as `--json` printed it, to compare with.

use serde::{Deserialize, Serialize};

use crate::config::{Concurrency, DEFAULT_PART_SIZE, PartSize, parse_concurrency, parse_part_size};
use crate::error::{Error, Result};

use super::figures::{Spread, rounded};
use super::plan::{Operation, Plan, Source};
use super::report::Cell;

/// An earlier measurement.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// The store that was measured, where the file says.
    pub uri: Option<String>,
    cells: Vec<Earlier>,
}

#[derive(Clone, Debug, Deserialize)]
struct Earlier {
    op: Operation,
    part_size: String,
    concurrency: String,
    files: u32,
    source: Source,
    bytes: u64,
    bytes_per_second: Spread,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    BenchCell(Earlier),
    Bench {
        uri: Option<String>,
    },
    #[serde(other)]
    Other,
}

/// What an earlier measurement was run with, so that it can be run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanWith {
    /// Bytes of a run.
    pub size: u64,
    /// Part sizes.
    pub part_sizes: Vec<PartSize>,
    /// Requests in flight.
    pub concurrency: Vec<Concurrency>,
    /// Operations.
    pub operations: Vec<Operation>,
    /// Where bytes came from.
    pub source: Source,
    /// Files of a run.
    pub files: u32,
}

/// A cell beside its former self.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The operation.
    pub op: Operation,
    /// As `--part-size` takes it.
    pub part_size: String,
    /// As `-j` takes it.
    pub concurrency: String,
    /// Bytes a second then.
    pub before: f64,
    /// Bytes a second now.
    pub now: f64,
    /// Now against then; negative is slower.
    pub percent: f64,
    /// Slower by more than what is tolerated.
    pub slower: bool,
}

impl Baseline {
    /// Reads the lines of an earlier measurement; others are passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a line is no JSON object, or none is a cell.
    pub fn parse(text: &str) -> Result<Self> {
        let mut baseline = Baseline::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            if line.trim_start().starts_with('[') {
                return Err(Error::invalid("it is an array, and bench --json prints an object a line"));
            }
            let line: Line = serde_json::from_str(line).map_err(|error| {
                Error::invalid(format!("line {} is no result of bench: {error}", index + 1)).caused_by(error)
            })?;
            match line {
                Line::BenchCell(cell) => {
                    let rate = cell.bytes_per_second.median;
                    if !rate.is_finite() || rate <= 0.0 {
                        return Err(Error::invalid(format!("line {} has no throughput", index + 1)));
                    }
                    baseline.cells.push(cell);
                }
                Line::Bench { uri } => baseline.uri = uri,
                Line::Other => {}
            }
        }
        match baseline.cells.is_empty() {
            true => Err(Error::invalid("it has no line of the type bench_cell")),
            false => Ok(baseline),
        }
    }

    /// How it was run.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a setting in it is none.
    pub fn ran_with(&self) -> Result<RanWith> {
        let bad = |why: String| Error::invalid(why);
        let (mut part_sizes, mut concurrency, mut operations) = (Vec::new(), Vec::new(), Vec::new());
        for cell in &self.cells {
            add(&mut part_sizes, parse_part_size(&cell.part_size).map_err(bad)?);
            add(&mut concurrency, parse_concurrency(&cell.concurrency).map_err(bad)?);
            add(&mut operations, cell.op);
        }
        let Some(first) = self.cells.first() else { return Err(bad("it has no cells".to_owned())) };
        let Earlier { bytes: size, files, source, .. } = *first;
        Ok(RanWith { size, part_sizes, concurrency, operations, source, files })
    }

    /// Whether a measurement of this plan can be compared at all.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when it can not.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        let settings = plan.settings();
        let planned = |then: &Earlier| {
            plan.operations.contains(&then.op)
                && (plan.files, plan.source) == (then.files, then.source)
                && plan.size.is_none_or(|size| size == then.bytes)
                && settings.iter().any(|settings| {
                    is_same_part_size(&settings.part_size_text(), &then.part_size)
                        && settings.concurrency_text() == then.concurrency
                })
        };
        match self.cells.iter().any(planned) {
            true => Ok(()),
            false => Err(nothing_in_common()),
        }
    }

    /// The cells that both measurements have. `tolerance`: how much slower is no matter, in per cent.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when they have none in common.
    pub fn compare(&self, cells: &[Cell], tolerance: f64) -> Result<Vec<Change>> {
        let same = |cell: &Cell, then: &Earlier| {
            (cell.op, cell.files, cell.source, cell.bytes) == (then.op, then.files, then.source, then.bytes)
                && is_same_part_size(&cell.part_size, &then.part_size)
                && cell.concurrency == then.concurrency
        };
        let change = |cell: &Cell| {
            // Where the baseline has both names of a part size, the same name counts.
            let all = || self.cells.iter().filter(|then| same(cell, then));
            let then = all().find(|then| cell.part_size == then.part_size).or_else(|| all().next())?;
            let (before, now) = (then.bytes_per_second.median, cell.bytes_per_second.median);
            Some(Change {
                op: cell.op,
                part_size: cell.part_size.clone(),
                concurrency: cell.concurrency.clone(),
                before,
                now,
                percent: rounded(100.0 * (now / before - 1.0)),
                slower: now < before * (1.0 - tolerance / 100.0),
            })
        };
        let changes: Vec<Change> = cells.iter().filter_map(change).collect();
        match changes.is_empty() {
            true => Err(nothing_in_common()),
            false => Ok(changes),
        }
    }
}

/// No cell of the two measurements is the same.
fn nothing_in_common() -> Error {
    Error::invalid("has no cell of the same operation, settings, size, files and source")
        .hint_is("leave these flags out: what is not said is then measured as it was for the baseline")
}

/// `auto` is 8 MiB for whatever a run can have in so few parts.
fn is_same_part_size(one: &str, other: &str) -> bool {
    let bytes = |text: &str| match parse_part_size(text) {
        Ok(PartSize::Auto) => Some(DEFAULT_PART_SIZE),
        Ok(PartSize::Fixed(bytes)) => Some(bytes),
        Err(_) => None,
    };
    one == other || bytes(one).is_some_and(|bytes_of_one| Some(bytes_of_one) == bytes(other))
}

fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::cell;
    use super::*;

    fn saved(cells: &[Cell]) -> String {
        let line = |cell: &Cell| {
            let mut value = serde_json::to_value(cell).unwrap();
            value["type"] = "bench_cell".into();
            format!("{value}\n")
        };
        cells.iter().map(line).collect()
    }

    #[test]
    fn slower_than_tolerated_is_told_apart() {
        let then = [cell(Operation::Put, "auto", "4", 100e6), cell(Operation::Get, "8MiB", "auto", 100e6)];
        let text = saved(&then) + "{\"type\":\"bench\",\"uri\":\"s3://b\"}\n{\"type\":\"new\"}\n";
        let baseline = Baseline::parse(&text).unwrap();
        assert_eq!(baseline.uri.as_deref(), Some("s3://b"));
        let now = [cell(Operation::Put, "auto", "4", 81e6), cell(Operation::Get, "8MiB", "auto", 79e6)];
        let changes = baseline.compare(&now, 20.0).unwrap();
        let seen: Vec<_> = changes.iter().map(|change| (change.op, change.percent, change.slower)).collect();
        assert_eq!(seen, [(Operation::Put, -19.0, false), (Operation::Get, -21.0, true)]);
        assert!(baseline.compare(&[cell(Operation::Get, "auto", "4", 1e6)], 20.0).is_err());
    }

    #[test]
    fn it_can_be_run_again_as_it_was() {
        let then = [cell(Operation::Put, "auto", "4", 1e6), cell(Operation::Put, "8MiB", "4", 1e6)];
        let ran = Baseline::parse(&saved(&then)).unwrap().ran_with().unwrap();
        assert_eq!(
            (ran.part_sizes, ran.concurrency),
            (vec![PartSize::Auto, PartSize::Fixed(8 << 20)], vec![Concurrency::Fixed(4)])
        );
        assert_eq!((ran.operations, ran.size, ran.files), (vec![Operation::Put], 1 << 28, 1));
    }

    #[test]
    fn auto_and_eight_mebibytes_are_the_same_parts() {
        let baseline = Baseline::parse(&saved(&[cell(Operation::Put, "8MiB", "4", 100e6)])).unwrap();
        let changes = baseline.compare(&[cell(Operation::Put, "auto", "4", 50e6)], 20.0).unwrap();
        assert!(changes[0].slower);
        assert!(baseline.compare(&[cell(Operation::Put, "16MiB", "4", 50e6)], 20.0).is_err());
    }

    #[test]
    fn what_is_no_baseline_is_refused() {
        let zero = saved(&[cell(Operation::Put, "auto", "4", 0.0)]);
        for text in ["", "hello", "{\"type\":\"bench_cell\"}", "{\"type\":\"put\"}", "[]", "{}", &zero] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
    }
}
