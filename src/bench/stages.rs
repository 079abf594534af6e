//! The stages that bytes go through, each by itself: disk, checksum, server, network.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;

use crate::body::blocking;
use crate::checksum::Crc64;
use crate::error::Result;
use crate::transfer::Transfer;

use super::figures::rounded;
use super::plan::Operation;
use super::report::{Cell, best};

/// Enough to be beyond every cache.
const SUMMED: usize = 64 << 20;
/// How long checksums are taken at least.
const SUMMING: Duration = Duration::from_millis(100);
/// Questions to the server.
const QUESTIONS: usize = 7;

/// Each stage by itself. Rates are bytes a second.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stages {
    /// The disk of the working directory read in order, its page cache emptied before; `None` where the bytes are in memory.
    pub disk_read_bytes_per_second: Option<f64>,
    /// The same written, until it is on the disk.
    pub disk_write_bytes_per_second: Option<f64>,
    /// CRC-64/NVME of memory, on one core.
    pub checksum_bytes_per_second: f64,
    /// The shortest question there is (HEAD of an object), one at a time: the way there and back, and the server's own time;
    /// in seconds, the median.
    pub answer_seconds: f64,
    /// The fastest cell of each operation, taken apart.
    pub wire: Vec<Wire>,
}

/// The way to the store in an operation's fastest cell: calculated from it, not measured by itself.
#[derive(Clone, Debug, Serialize)]
pub struct Wire {
    /// The operation.
    pub op: Operation,
    /// What one connection carries without the time in which it waits for the server.
    pub connection_bytes_per_second: f64,
    /// The throughput of the cell without that time: what all of them would carry if the server answered at once.
    pub network_bytes_per_second: f64,
    /// Time spent waiting for the server's answers, in per cent.
    pub server_percent: f64,
}

impl Wire {
    fn of(cell: &Cell) -> Self {
        let rate = cell.bytes_per_second.median;
        // Where almost everything is waiting, the rest is too short to be measured.
        let network = rate / (1.0 - cell.server_percent / 100.0).max(0.01);
        Wire {
            op: cell.op,
            connection_bytes_per_second: (network / cell.in_flight.max(1.0)).round(),
            network_bytes_per_second: network.round(),
            server_percent: cell.server_percent,
        }
    }
}

/// The ways of both operations.
pub(super) fn wires(cells: &[Cell]) -> Vec<Wire> {
    [Operation::Put, Operation::Get].into_iter().filter_map(|op| best(cells, op)).map(Wire::of).collect()
}

/// Bytes a second of CRC-64/NVME on one core.
pub(super) async fn checksum() -> Result<f64> {
    blocking(|| {
        let mut buffer = vec![0; SUMMED];
        fastrand::Rng::new().fill(&mut buffer);
        let buffer = Bytes::from(buffer);
        let (started, mut summed) = (Instant::now(), 0u64);
        while summed == 0 || started.elapsed() < SUMMING {
            std::hint::black_box(Crc64::of(&buffer));
            summed += SUMMED as u64;
        }
        Ok((summed as f64 / started.elapsed().as_secs_f64()).round())
    })
    .await
}

/// Seconds that the shortest question takes.
pub(super) async fn answer(transfer: &Transfer, key: &str) -> Result<f64> {
    let mut times = Vec::with_capacity(QUESTIONS);
    // The first opens a connection.
    for _ in 0..=QUESTIONS {
        let started = Instant::now();
        transfer.store().exists(key).await?;
        times.push(started.elapsed());
    }
    times.remove(0);
    times.sort_unstable();
    Ok(rounded(times[QUESTIONS / 2].as_secs_f64() * 1000.0) / 1000.0)
}
