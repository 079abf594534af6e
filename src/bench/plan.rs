//! What is measured: the cells of a sweep, within bounds, and the order of their runs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::{Concurrency, PartSize};
use crate::error::{Error, Result};

/// The most bytes of a run: 1 TiB.
pub const MOST_BYTES: u64 = 1 << 40;
/// The most runs of a cell.
pub const MOST_RUNS: u32 = 100;
/// The most files of a run.
pub const MOST_FILES: u32 = 10_000;
/// The most pairs of part size and concurrency.
pub const MOST_SETTINGS: usize = 64;
/// Runs of a cell where nobody says how many.
pub const DEFAULT_RUNS: u32 = 3;
/// S3's bound for the parts of an upload.
const MOST_PARTS: u64 = 10_000;

/// Which way bytes are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Into the store.
    Put,
    /// Out of the store.
    Get,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Put => "put",
            Operation::Get => "get",
        })
    }
}

/// Where the bytes of a put come from, and those of a get go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Files in memory (`/dev/shm`), so that no disk is measured.
    Memory,
    /// Files in the working directory, which leave the page cache before each put: the disk is measured as well.
    File,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Memory => "memory",
            Source::File => "file",
        })
    }
}

/// How a cell transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Size of parts and ranges.
    pub part_size: PartSize,
    /// Requests in flight.
    pub concurrency: Concurrency,
}

impl Settings {
    /// What is used where nothing is set.
    pub const DEFAULT: Settings = Settings { part_size: PartSize::Auto, concurrency: Concurrency::Auto };

    /// The part size as flags and variables write it: `auto`, `8MiB`.
    pub fn part_size_text(self) -> String {
        match self.part_size {
            PartSize::Auto => "auto".to_owned(),
            PartSize::Fixed(bytes) => {
                let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
                match units.into_iter().find(|(unit, _)| bytes % unit == 0) {
                    Some((unit, name)) => format!("{}{name}", bytes / unit),
                    None => bytes.to_string(),
                }
            }
        }
    }

    /// The concurrency as flags and variables write it: `auto`, `16`.
    pub fn concurrency_text(self) -> String {
        match self.concurrency {
            Concurrency::Auto => "auto".to_owned(),
            Concurrency::Fixed(n) => n.to_string(),
        }
    }
}

/// A sweep: each part size with each concurrency, in each operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of a run, 1 to [`MOST_BYTES`]; `None`: as many as fill every cell, within a minute or so and an eighth of the
    /// memory.
    pub size: Option<u64>,
    /// Part sizes.
    pub part_sizes: Vec<PartSize>,
    /// Requests in flight.
    pub concurrency: Vec<Concurrency>,
    /// What is measured; a get fetches what the put of the same settings has put just before, where both are measured.
    pub operations: Vec<Operation>,
    /// Runs of each cell, 1 to [`MOST_RUNS`]; `None`: [`DEFAULT_RUNS`], or fewer where they would take more than
    /// a minute for eight cells.
    pub runs: Option<u32>,
    /// Where bytes come from and go to.
    pub source: Source,
    /// The files that the bytes of a run are in, 1 to [`MOST_FILES`]. More than one are a directory: one checkpoint.
    pub files: u32,
}

impl Plan {
    /// Each pair of part size and concurrency once, in the order given.
    pub fn settings(&self) -> Vec<Settings> {
        let mut all = Vec::new();
        for part_size in &self.part_sizes {
            for concurrency in &self.concurrency {
                let settings = Settings { part_size: *part_size, concurrency: *concurrency };
                if !all.contains(&settings) {
                    all.push(settings);
                }
            }
        }
        all
    }

    /// Runs of each cell.
    pub fn most_runs(&self) -> u32 {
        self.runs.unwrap_or(DEFAULT_RUNS)
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming what is out of bounds, and which these are.
    pub fn check(&self) -> Result<()> {
        let settings = self.settings().len();
        if settings == 0 || self.operations.is_empty() {
            return Err(
                Error::invalid("there is nothing to measure").hint_is("name a part size, a concurrency, an operation")
            );
        }
        if settings > MOST_SETTINGS {
            return Err(Error::invalid(format!("{settings} pairs of part size and concurrency are too many"))
                .hint_is(format!("at most {MOST_SETTINGS} are measured at once: shorten the lists")));
        }
        if !(1..=MOST_RUNS).contains(&self.most_runs()) {
            return Err(Error::invalid(format!("{} runs cannot be measured", self.most_runs()))
                .hint_is(format!("--runs takes 1 to {MOST_RUNS}; 3 show how much figures vary")));
        }
        if !(1..=MOST_FILES).contains(&self.files) {
            return Err(Error::invalid(format!("{} files cannot be measured", self.files))
                .hint_is(format!("--files takes 1 to {MOST_FILES}")));
        }
        match self.size {
            Some(size) => self.check_size(size),
            None => Ok(()),
        }
    }

    fn check_size(&self, size: u64) -> Result<()> {
        if size == 0 {
            return Err(
                Error::invalid("nothing can be measured with 0 bytes").hint_is("--size takes 1 B to 1 TiB: 256MiB")
            );
        }
        if size > MOST_BYTES {
            return Err(Error::invalid(format!("{size} bytes are too many for a run"))
                .hint_is("--size takes at most 1TiB; 1GiB is enough to see how fast a store is"));
        }
        if size < self.files.into() {
            return Err(Error::invalid(format!("{size} bytes are too few for {} files", self.files))
                .hint_is("raise --size, or lower --files: each file has one byte at least"));
        }
        for part_size in &self.part_sizes {
            if let PartSize::Fixed(bytes) = part_size
                && (size / u64::from(self.files)).div_ceil(*bytes) > MOST_PARTS
            {
                let shown = Settings { part_size: *part_size, ..Settings::DEFAULT }.part_size_text();
                return Err(Error::invalid(format!("a file of --size has more than 10,000 parts of {shown}"))
                    .hint_is("raise --part-size or --files, or lower --size"));
            }
        }
        Ok(())
    }

    /// Sizes of the files that `size` bytes are in; the first ones are a byte longer where they do not come out even.
    pub(super) fn file_sizes(&self, size: u64) -> Vec<u64> {
        let files = u64::from(self.files);
        (0..files).map(|n| size / files + u64::from(n < size % files)).collect()
    }
}

/// The order in which round number `round`, from 0, goes over `cells` cells: every other one backwards, so that what
/// grows better or worse with time favours none.
pub(super) fn order(cells: usize, round: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cells).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            size: Some(64 << 20),
            part_sizes: vec![PartSize::Auto],
            concurrency: vec![Concurrency::Auto],
            operations: vec![Operation::Put],
            runs: None,
            source: Source::Memory,
            files: 1,
        }
    }

    #[test]
    fn cells_are_all_pairs_once() {
        let (small, large) = (PartSize::Fixed(8 << 20), PartSize::Fixed(16 << 20));
        let (few, many) = (Concurrency::Fixed(4), Concurrency::Auto);
        let plan = Plan { part_sizes: vec![small, large, small], concurrency: vec![few, many], ..plan() };
        let pairs: Vec<_> = plan.settings().iter().map(|s| (s.part_size_text(), s.concurrency_text())).collect();
        let pairs: Vec<_> = pairs.iter().map(|(part, concurrency)| (part.as_str(), concurrency.as_str())).collect();
        assert_eq!(pairs, [("8MiB", "4"), ("8MiB", "auto"), ("16MiB", "4"), ("16MiB", "auto")]);
    }

    #[test]
    fn every_other_round_goes_backwards() {
        assert_eq!((order(3, 0), order(3, 1), order(3, 2)), (vec![0, 1, 2], vec![2, 1, 0], vec![0, 1, 2]));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        plan().check().unwrap();
        let many = (1..=65).map(Concurrency::Fixed).collect();
        for (bad, text) in [
            (Plan { size: Some(0), ..plan() }, "0 bytes"),
            (Plan { size: Some((1 << 40) + 1), ..plan() }, "too many for a run"),
            (Plan { runs: Some(0), ..plan() }, "0 runs"),
            (Plan { runs: Some(101), ..plan() }, "101 runs"),
            (Plan { files: 0, ..plan() }, "0 files"),
            (Plan { files: 9, size: Some(8), ..plan() }, "too few for 9 files"),
            (Plan { operations: vec![], ..plan() }, "nothing to measure"),
            (Plan { concurrency: many, ..plan() }, "too many"),
            (
                Plan { size: Some(1 << 40), part_sizes: vec![PartSize::Fixed(5 << 20)], ..plan() },
                "10,000 parts of 5MiB",
            ),
        ] {
            let error = bad.check().unwrap_err();
            assert!(error.to_string().contains(text) && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn files_share_the_bytes() {
        let plan = Plan { files: 3, ..plan() };
        assert_eq!(plan.file_sizes(11), [4, 4, 3]);
    }

    #[test]
    fn settings_are_written_as_flags_read_them() {
        for text in ["auto", "8MiB", "1GiB", "5121KiB", "5242881"] {
            let part_size = crate::config::parse_part_size(text).unwrap();
            assert_eq!(Settings { part_size, ..Settings::DEFAULT }.part_size_text(), text);
        }
    }
}
