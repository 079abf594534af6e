//! The traps that a client of S3 can fall into, those of rusoto above all: each against a server that sets it.
//!
//! Every test here is red with rusoto's own transport and parsing; a comment says which piece of `src/s3/` makes it
//! green. A test that would hang or spin without that piece fails after [`LIMIT`] instead.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod complete;
mod control;
mod endpoint;
mod headers;
mod identity;
mod listing;
mod reading;
mod removing;
mod retries;
mod secrets;
mod silence;

use std::panic;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use storage::{RuntimeConfig, S3Config, S3Storage, StaticCredentials};
use support::faulty::{BUCKET, Faulty};

/// Longer than any of these tests takes on the busiest machine: it guards against those that hang.
const LIMIT: Duration = Duration::from_secs(600);
/// Answers that never come are given up after this, where a test is about that.
const PATIENCE: Duration = Duration::from_secs(1);
/// Smaller than S3 allows, so that multipart tests move little.
const PART: usize = 64 << 10;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Runs a test, and fails it at [`LIMIT`] even if it spins and never yields.
fn bounded(test: impl Future<Output = ()> + Send + 'static) {
    let (done, ended) = channel();
    let worker = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test);
        let _ = done.send(());
    });
    match ended.recv_timeout(LIMIT) {
        Ok(()) | Err(RecvTimeoutError::Disconnected) => {
            if let Err(panicked) = worker.join() {
                panic::resume_unwind(panicked);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("still running after {LIMIT:?}"),
    }
}

/// The server's bucket, with two retries.
async fn storage(server: &Faulty) -> S3Storage {
    storage_with(config(server), runtime()).await
}

async fn storage_with(config: S3Config, runtime: RuntimeConfig) -> S3Storage {
    S3Storage::with_config(config, runtime).await.unwrap()
}

fn config(server: &Faulty) -> S3Config {
    S3Config {
        endpoint: Some(server.endpoint()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(StaticCredentials::new(ID, SECRET, None)),
        ..S3Config::new(BUCKET)
    }
}

fn runtime() -> RuntimeConfig {
    RuntimeConfig { part_size: storage::PartSize::Fixed(PART as u64), retries: 2, ..RuntimeConfig::default() }
}

fn bytes(len: usize) -> bytes::Bytes {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}
