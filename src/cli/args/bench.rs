//! `bench`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use storage::bench::Source;
use storage::config::parse_size;

/// Measure how fast the store is, and what to set
#[derive(Debug, Args)]
#[command(after_help = "\
Without flags, puts and gets with auto, 4, 16 and 64 requests in flight are measured, for about a minute in all, in \
two or three runs each; cells for which these were too small are named. What is not given is chosen so, or is as it \
was for the baseline. Everything is moved under a prefix of its own, .strata-bench-..., which is removed at the end, \
also after Ctrl-C; as many bytes as --size are in the store at a time. What a kill leaves, rm --partial removes an \
hour later. A bucket that keeps old versions keeps all of it, which is said.

Throughput is the median of the runs, ± how far the furthest lies from it. Latencies are those of parts and ranges. First \
byte is how long the store takes to answer: from a request to its first byte, or from the last byte of a part to its \
confirmation.

Examples:
  strata-ckpt bench
  strata-ckpt bench --part-size 8MiB,16MiB,64MiB -j 4,16,64,auto --html bench.html
  strata-ckpt bench --json > baseline.json
  strata-ckpt bench --baseline baseline.json --tolerance 10%     exit 10 where it is slower")]
pub(crate) struct BenchArgs {
    /// Bytes of each run; by default as many as give each connection some parts, within a minute or so in all and an eighth
    /// of the memory: 16MiB to 1GiB
    #[arg(long, allow_negative_numbers = true, env = "STRATA_BENCH_SIZE", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) size: Option<u64>,

    /// What is measured; by default both
    #[arg(long, env = "STRATA_BENCH_OP", value_enum, ignore_case = true)]
    pub(crate) op: Option<Op>,

    /// Runs of each cell, 1 to 100; by default 3, fewer where eight cells would take more than a minute; one shows no spread
    #[arg(long, allow_negative_numbers = true, env = "STRATA_BENCH_RUNS", value_name = "N", value_parser = parse_count)]
    pub(crate) runs: Option<u32>,

    /// Where bytes are put from and got to: memory (/dev/shm) by default, or files in the working directory, with its disk
    #[arg(long, env = "STRATA_BENCH_SOURCE", value_enum, ignore_case = true)]
    pub(crate) source: Option<Place>,

    /// Files that the bytes of a run are in, 1 to 10000; more than one are put as a directory. By default 1
    #[arg(long, allow_negative_numbers = true, env = "STRATA_BENCH_FILES", value_name = "N", value_parser = parse_count)]
    pub(crate) files: Option<u32>,

    /// Write a page with heat maps and latency curves that is readable without network
    #[arg(long, env = "STRATA_BENCH_HTML", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,

    /// Compare with what an earlier bench printed under --json; exit 10 where a cell is slower
    #[arg(long, env = "STRATA_BENCH_BASELINE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) baseline: Option<PathBuf>,

    /// How much slower than the baseline is no matter
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_BENCH_TOLERANCE",
        value_name = "PERCENT",
        default_value = "20%",
        value_parser = parse_percent
    )]
    pub(crate) tolerance: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Op {
    Put,
    Get,
    Both,
}

/// Where bytes come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    Memory,
    File,
}

impl From<Place> for Source {
    fn from(place: Place) -> Self {
        match place {
            Place::Memory => Source::Memory,
            Place::File => Source::File,
        }
    }
}

fn parse_count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is not a whole number"))
}

fn parse_percent(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(percent) if (0.0..100.0).contains(&percent) => Ok(percent),
        _ => Err(format!("'{text}' is not a percentage from 0% to below 100%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        assert_eq!((parse_percent("20%"), parse_percent("0"), parse_percent("7.5 %")), (Ok(20.0), Ok(0.0), Ok(7.5)));
        for text in ["100%", "-1", "NaN", "inf", "", "%", "a lot"] {
            assert!(parse_percent(text).is_err(), "{text}");
        }
    }
}
