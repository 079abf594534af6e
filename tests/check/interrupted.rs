//! However a check ends, nothing of it is left.

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Request, Rule};

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
            server.await_requests(place, 1, &mut child);
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
    let server = Arc::new(Faulty::start([Rule::nth(1, Operation::Put, Action::Late)]));
    // Once it was removed, as far as the server knows, it appears; only then is the removal answered.
    let weak = Arc::downgrade(&server);
    let appear = Action::change(move |_| {
        let Some(server) = weak.upgrade() else { return };
        server.release();
        server.await_object("/object");
    });
    server.add(Rule::first(1, Operation::Delete, appear).key("/object"));
    let bed = bed::faulty(&server);
    let mut command = bed.command(["setup", "--check"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.await_requests(Operation::Put, 1, &mut child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
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

/// Nobody can clean up after that; what is left is nobody's data.
#[test]
fn by_a_kill() {
    let server = Faulty::start([Rule::always(Operation::Part, Action::Ignore)]);
    let bed = bed::faulty(&server);
    let mut child = bed.command(["setup", "--check"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.await_requests(Operation::Part, 1, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    server.heal();
    let left = server.keys();
    assert!(!left.is_empty(), "there is something to be found");
    assert_eq!(server.uploads().len(), 1, "and an upload");

    // A name that only looks like it, and a checkpoint that somebody made of such a thing.
    server.put_object(".strata-check-list/mine", b"mine");
    bed.write("run/.strata-check-0123456789ab/object", b"mine as well");
    bed.ok(["put", "run"]);
    let said = bed.ok(["ls", "--json"]);
    let listed = said.json_lines();
    let keys: Vec<&str> = listed.iter().filter_map(|line| line["key"].as_str()).collect();
    assert_eq!(keys, [".strata-check-list/mine"], "{listed:?}");
    let totals: serde_json::Value = serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&totals["type"], &totals["plain"]["entries"]), (&"totals".into(), &1.into()), "{said:?}");
    assert!(listed.iter().any(|line| line["name"] == "run" && line["state"] == "complete"), "{listed:?}");

    // The server's objects are of January.
    let partial = bed.ok(["ls", "--partial", "--json"]).json_lines();
    assert_eq!(partial.len(), 1, "{partial:?}");
    let name = left[0].split('/').next().unwrap();
    let told = (&partial[0]["kind"], &partial[0]["name"], &partial[0]["live"], &partial[0]["files"]);
    assert_eq!(told, (&"check".into(), &name.into(), &false.into(), &left.len().into()));
    assert_eq!(partial[0]["uploads"], 1, "{partial:?}");
    // Notes that no check has written.
    for (number, note) in ["{}", "", r#"{"path": "../mine", "upload": "x"}"#].into_iter().enumerate() {
        server.put_object(&format!("{name}/upload-{}.json", number + 10), note.as_bytes());
    }
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(server.uploads(), Vec::<String>::new());
    let aborted: Vec<String> = server.requests(Operation::Abort).iter().filter_map(Request::key).collect();
    assert!(aborted.iter().all(|key| key.starts_with(&format!("{name}/"))), "{aborted:?}");
    let mut kept = server.keys();
    kept.retain(|key| !key.starts_with("run/.strata/"));
    assert_eq!(kept, [".strata-check-list/mine", "run/.strata-check-0123456789ab/object"]);
    bed.ok(["ls", "--verify"]);
}

#[test]
fn what_may_be_going_on_is_shown_and_left_alone() {
    let bed = bed::local();
    let place = "checkpoints/.strata-check-aB3456";
    bed.write(&format!("{place}/store/a/object"), b"content");
    let partial = bed.ok(["ls", "--partial", "--json"]).json_lines();
    assert_eq!((partial.len(), &partial[0]["live"]), (1, &true.into()), "{partial:?}");
    let said = bed.ok(["rm", "--partial", "--yes"]);
    assert!(said.stderr.contains("is left alone: a check of the store may be going on"), "{said:?}");
    assert!(bed.path(place).exists());

    let object = std::fs::File::open(bed.path(&format!("{place}/store/a/object"))).unwrap();
    object.set_modified(SystemTime::now() - Duration::from_secs(3601)).unwrap();
    bed.ok(["rm", "--partial", "--yes"]);
    assert!(!bed.path(place).exists(), "with its directories");
}
