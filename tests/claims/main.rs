//! One name, one winner: claims and their expiry, writers that were paused, `--force`, ranks.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod cancelled;
mod force;
mod leftovers;
mod paused;
mod ranks;
mod takeover;

use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::bed::{Bed, Said, said};
use support::faulty::{Faulty, Operation};

/// Longer than anything waited for here takes on the busiest machine: it guards against what hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// Looks again and again until `ready` says so.
fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Said {
    said(child.wait_with_output().unwrap())
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

fn killed(mut child: Child) -> Output {
    child.kill().unwrap();
    child.wait_with_output().unwrap()
}

fn fails(bed: &Bed, arguments: &[&str], code: i32) -> Said {
    let said = bed.run(arguments);
    assert_eq!(said.code, Some(code), "{arguments:?} on {}: {}", bed.name(), said.stderr);
    said
}

fn state_of(bed: &Bed, name: &str) -> (String, String) {
    let lines = bed.ok(["--json", "ls", name]).json_lines();
    let field = |name: &str| lines[0][name].as_str().unwrap_or_default().to_owned();
    (field("state"), field("why"))
}

/// Bytes that are not all the same.
fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 % 251 + seed) as u8).collect()
}

/// The claim of `run` on a scripted server.
fn claim(server: &Faulty) -> serde_json::Value {
    serde_json::from_slice(&server.object("run/.strata/put.json").unwrap()).unwrap()
}

/// Makes the claim look like one of another machine.
fn of_another_machine(server: &Faulty, expires: &str) {
    let mut claim = claim(server);
    claim["writer"]["host"] = "node-17".into();
    claim["process"]["space"] = "another boot".into();
    claim["expires"] = expires.into();
    server.put_object("run/.strata/put.json", claim.to_string().as_bytes());
}

fn count(server: &Faulty, operation: Operation) -> usize {
    server.count(operation)
}
