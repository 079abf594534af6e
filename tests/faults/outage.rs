//! A MinIO that stops, dies and comes back under a transfer, and a network that is cut, freezes, or is slow.
//!
//! `STRATA_OUTAGE_MIB` is the size of what is moved (`just outage` moves 1 GiB).

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::bed::{self, Bed};
use crate::support::minio::{self, Bucket, Minio};
use crate::support::wire::{Way, Wire};

/// Longer than any transfer here takes, its outage included, on the busiest machine: it guards against what hangs.
const LIMIT: Duration = Duration::from_secs(600);

fn size() -> usize {
    std::env::var("STRATA_OUTAGE_MIB").ok().map_or(96, |mib| mib.parse().unwrap()) << 20
}

fn content(size: usize) -> Vec<u8> {
    (0..size / 8).flat_map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

/// The command at the end of a wire, in the middle of its work.
struct Running<'a> {
    wire: &'a Wire,
    told: Receiver<String>,
    seen: Vec<String>,
}

impl Running<'_> {
    /// Waits for an event of this type.
    fn wait_for(&mut self, kind: &str) {
        let kind = format!("\"type\":\"{kind}\"");
        while !self.seen.iter().any(|line| line.contains(&kind)) {
            match self.told.recv_timeout(LIMIT) {
                Ok(line) => self.seen.push(line),
                Err(error) => panic!("no {kind}: {error}: {:?}", self.seen),
            }
        }
    }
}

/// Puts and gets a file, and lets something happen when so many bytes have passed, and no more until it opens the wire.
fn survives(server: &'static Minio, size: usize, at: usize, happens: impl Fn(&mut Running<'_>)) -> Vec<String> {
    let bucket = server.bucket();
    let wire = Wire::start(server.endpoint());
    let mut environment = bucket.environment();
    environment.retain(|(name, _)| name != "S3_ENDPOINT");
    environment.push(("S3_ENDPOINT".to_owned(), wire.endpoint()));
    let bed = bed::with(environment);
    bed.write("model.bin", &content(size));
    let mut said = run(&bed, &wire, at, &["put", "model.bin"], &happens);
    assert_eq!(bucket.uploads(), Vec::<String>::new(), "{said:?}");
    assert_there(&bucket, size);
    said.extend(run(&bed, &wire, at, &["get", "model.bin", "got.bin"], &happens));
    assert!(bed.read("got.bin") == content(size), "{said:?}");
    bed.assert_nothing_left();
    assert_eq!(bed.journals(), Vec::<String>::new());
    said
}

fn assert_there(bucket: &Bucket, size: usize) {
    assert_eq!(bucket.objects(), [("model.bin".to_owned(), size as u64)]);
}

fn run(bed: &Bed, wire: &Wire, at: usize, arguments: &[&str], happens: &impl Fn(&mut Running<'_>)) -> Vec<String> {
    let mut command = bed.command(arguments);
    // A server may take its time to come back.
    command.args(["--json", "--stall-timeout", "3s", "--retries", "100", "-j", "4"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    wire.gate_after(at as u64);
    let mut child = command.spawn().unwrap();
    let (tell, told) = channel();
    let stderr = child.stderr.take().unwrap();
    thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut running = Running { wire, told, seen: Vec::new() };
    let begun = Instant::now();
    while !wire.reaches_gate(Duration::from_millis(100)) {
        assert!(begun.elapsed() < LIMIT && child.try_wait().unwrap().is_none(), "{:?}", running.seen);
    }
    happens(&mut running);
    let Running { told, mut seen, .. } = running;
    loop {
        match told.recv_timeout(LIMIT) {
            Ok(line) => seen.push(line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                panic!("{arguments:?} still runs: {seen:?}");
            }
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{arguments:?}: {seen:?}");
    seen
}

#[test]
fn a_server_that_dies_and_comes_back() {
    let server = minio::own();
    let said = survives(server, size(), size() / 3, |running| {
        server.signal(Signal::KILL);
        running.wire.open();
    });
    assert!(said.iter().any(|line| line.contains("\"type\":\"retry\"")), "it did not die in the middle: {said:?}");
}

#[test]
fn a_server_that_stops_and_goes_on() {
    let server = minio::own();
    survives(server, size(), size() / 3, |running| {
        server.signal(Signal::STOP);
        running.wire.open();
        running.wait_for("retry");
        server.signal(Signal::CONT);
    });
}

#[test]
fn a_network_that_is_cut_for_a_while() {
    survives(minio::shared(), size(), size() / 3, |running| {
        running.wire.set(Way::Cut);
        running.wire.open();
        running.wait_for("retry");
        running.wire.set(Way::Open);
    });
}

#[test]
fn a_network_that_freezes_for_a_while() {
    survives(minio::shared(), size(), size() / 3, |running| {
        running.wire.set(Way::Frozen);
        running.wire.open();
        running.wait_for("retry");
        running.wire.set(Way::Open);
    });
}

/// Each part takes longer than the stall timeout, but never stands still.
#[test]
fn a_slow_network_is_left_alone() {
    let said = survives(minio::shared(), 32 << 20, 0, |running| {
        running.wire.set(Way::Slow(4 << 20));
        running.wire.open();
    });
    assert!(!said.iter().any(|line| line.contains("\"type\":\"retry\"")), "{said:?}");
}
