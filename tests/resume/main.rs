//! An interrupted command, run again, goes on where it stopped: on the real binary.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod get;
mod get_checkpoint;
mod get_planted;
mod journal;
mod outcomes;
mod put;
mod put_source;
mod stopped;
mod stragglers;
