//! One test a fault: the command meets it while it puts or gets a file or a directory, and keeps its promises.
//! `docs/reliability.md` has the list.
#![cfg(all(feature = "s3", feature = "cli", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod fetching;
mod hostile;
mod identity;
mod limits;
mod network;
mod outage;
mod promises;
mod uploading;
