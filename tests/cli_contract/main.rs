//! The contract of the command line, on the local store: names, overwriting, listing, output, exit codes.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod destinations;
mod enclosed;
mod endings;
mod listing;
mod names;
mod output;
mod overwriting;
mod removing;
mod settings;
