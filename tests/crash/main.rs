//! The command, killed or failed by the system at every call that changes something, then run again: byte for byte,
//! never a wrong final name, nothing left.
//!
//! strace does it, so there is no hook in the code. A test takes a sample of the calls; `STRATA_CRASH_SWEEP=all` takes
//! all of them (`just crash-sweep`).
#![cfg(all(feature = "s3", feature = "cli", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod errors;
mod job;
mod kills;
mod strace;

use std::env;

/// Whether every call has its turn.
fn is_full() -> bool {
    env::var_os("STRATA_CRASH_SWEEP").is_some_and(|which| which == "all")
}

/// Evenly spaced, the first and the last among them; all of them in a full sweep.
fn sample<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let len = all.len();
    if is_full() || len <= most {
        return all;
    }
    let wanted: Vec<usize> = (0..most).map(|i| i * (len - 1) / (most - 1).max(1)).collect();
    all.into_iter().enumerate().filter(|(i, _)| wanted.contains(i)).map(|(_, one)| one).collect()
}
