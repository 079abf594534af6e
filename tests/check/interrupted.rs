//! However a check ends, nothing of it is left.

use std::io::Read;
use std::process::Stdio;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Rule};

/// Where it is interrupted: while the server does not answer such a request.
const PLACES: [Operation; 4] = [Operation::Put, Operation::Part, Operation::Complete, Operation::Get];

#[test]
fn by_a_signal() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for place in PLACES {
            let server = Faulty::start([Rule::always(place, Action::Ignore)]);
            let bed = bed::faulty(&server);
            let mut command = bed.command(["setup", "--check", "--json"]);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            while server.requests(place).is_empty() {
                assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
                thread::yield_now();
            }
            kill_process(Pid::from_child(&child), signal).unwrap();
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{place:?}: {told}");
            let hint = if place == Operation::Put { "was removed from" } else { "removed from the store" };
            assert!(told.contains(hint), "{place:?}: {told}");
            assert_eq!((server.keys(), server.uploads()), (vec![], vec![]), "{place:?}");
        }
    }
}

/// The server does what it was asked for only after it was given up.
#[test]
fn a_write_that_comes_late_goes_as_well() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Late)]);
    let bed = bed::faulty(&server);
    let mut command = bed.command(["setup", "--check"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.requests(Operation::Put).is_empty() {
        thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // It begins to clean up, and the object appears.
    while server.requests(Operation::Delete).len() < 2 {
        thread::yield_now();
    }
    server.release();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn by_the_deadline() {
    let server = Faulty::start([Rule::always(Operation::Part, Action::Ignore)]);
    let bed = bed::faulty(&server);
    let said = bed.run(["setup", "--check", "--deadline", "2s"]);
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert!(said.stderr.contains("not done within the deadline"), "{}", said.stderr);
    assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));
}
