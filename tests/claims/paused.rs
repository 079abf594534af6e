//! A writer that was paused past the expiry of its claim wakes up after another committed, and damages nothing.

use std::process::Child;

use rustix::process::Signal;

use crate::support::bed::{Bed, faulty};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{bytes, claim, ended, signal, start, wait_until};

const MIB: usize = 1 << 20;

/// Two directories of the same names and sizes with other content.
fn two_writers(bed: &Bed) {
    for (side, seed) in [("one", 1), ("two", 2)] {
        for name in ["a.bin", "b.bin", "c/d.bin"] {
            bed.write(&format!("{side}/{name}"), &bytes(1000, seed));
        }
        bed.write(&format!("{side}/model.bin"), &bytes(6 * MIB, seed));
    }
}

const FLAGS: [&str; 4] = ["--part-size", "5MiB", "--claim-expiry", "1s"];

/// The first writer, stopped where the server does not answer it.
fn stopped(server: &Faulty, bed: &Bed, at: impl Fn(&Faulty) -> bool) -> Child {
    let child = start(bed.command(["put", "one", "run"].iter().chain(&FLAGS)));
    wait_until("the place to stop at", || at(server));
    signal(&child, Signal::STOP);
    child
}

/// The second writer, as soon as the claim of the first has expired.
fn other(bed: &Bed) -> crate::Said {
    loop {
        let said = bed.run(["put", "two", "run"].iter().chain(&FLAGS));
        if !(said.code == Some(8) && said.stderr.contains("with a claim until")) {
            return said;
        }
    }
}

fn asked(server: &Faulty, operation: Operation, key: &str, times: usize) -> bool {
    server.requests(operation).iter().filter(|request| request.key().unwrap().ends_with(key)).count() >= times
}

/// Every place at which the first writer can be stopped before its commit is decided: the second one wins.
#[test]
fn who_lost_the_name_changes_nothing_any_more() {
    let state = "run/.strata/put.json";
    let places: [(Operation, &str, usize); 5] = [
        (Operation::Put, "run/a.bin", 1),
        (Operation::Part, "run/model.bin", 2),
        (Operation::Complete, "run/model.bin", 1),
        (Operation::Create, "run/model.bin", 1),
        // The upload is kept in the claim before its first part is sent.
        (Operation::Put, state, 2),
    ];
    for (operation, key, nth) in places {
        let server = Faulty::start([Rule::nth(nth, operation, Action::Late).key(key)]);
        let bed = faulty(&server);
        two_writers(&bed);
        let paused = stopped(&server, &bed, |server| asked(server, operation, key, nth));
        let winner = other(&bed);
        assert_eq!(winner.code, Some(0), "{operation:?} {key}: {}", winner.stderr);
        signal(&paused, Signal::CONT);
        server.release();
        let loser = ended(paused);
        assert_eq!(loser.code, Some(8), "{operation:?} {key}: {}", loser.stderr);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert!(loser.stderr.contains("it was committed at 2"), "{operation:?} {key}: {}", loser.stderr);
        assert!(loser.stderr.contains(&format!(" by {host}")), "{}", loser.stderr);
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("two", "back");
    }
}

/// Stopped after the commit was decided: no file may be replaced any more, so the second writer finishes the first one's.
#[test]
fn a_commit_that_was_decided_is_finished_by_whoever_finds_it() {
    for (operation, key) in [(Operation::Head, "run/a.bin"), (Operation::Put, "manifest.json")] {
        let server = Faulty::start([Rule::nth(1, operation, Action::Late).key(key)]);
        let bed = faulty(&server);
        two_writers(&bed);
        let paused = stopped(&server, &bed, |server| asked(server, operation, key, 1));
        assert_eq!(claim(&server)["state"], "committing");
        let loser = other(&bed);
        assert_eq!(loser.code, Some(8), "{operation:?} {key}: {}", loser.stderr);
        assert!(loser.stderr.contains("it was committed at 2"), "{}", loser.stderr);
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("one", "back");
        signal(&paused, Signal::CONT);
        server.release();
        let winner = ended(paused);
        assert_eq!(winner.code, Some(0), "{operation:?} {key}: {}", winner.stderr);
        std::fs::remove_dir_all(bed.path("back")).unwrap();
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("one", "back");
        assert_eq!(claim(&server)["state"], "committed");
    }
}

/// The same content twice is two successes, whoever was paused.
#[test]
fn the_same_content_is_two_successes() {
    let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Late).key("run/a.bin")]);
    let bed = faulty(&server);
    two_writers(&bed);
    let paused = stopped(&server, &bed, |server| asked(server, Operation::Put, "run/a.bin", 1));
    std::fs::remove_dir_all(bed.path("two")).unwrap();
    for name in ["a.bin", "b.bin", "c/d.bin", "model.bin"] {
        bed.write(&format!("two/{name}"), &bed.read(&format!("one/{name}")));
    }
    assert_eq!(other(&bed).code, Some(0));
    signal(&paused, Signal::CONT);
    server.release();
    let again = ended(paused);
    assert!([Some(0), Some(8)].contains(&again.code), "{}", again.stderr);
    assert_eq!(bed.run(["put", "one", "run"]).code, Some(0));
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("one", "back");
}

/// A file of an interrupted put is good for the second writer as it is; the first one, which is about to replace it,
/// wakes up and sees the very same ETag.
#[test]
fn what_the_winner_found_good_is_not_replaced() {
    let server = Faulty::start([Rule::nth(1, Operation::Complete, Action::Late).key("run/a.bin")]);
    let bed = faulty(&server);
    two_writers(&bed);
    server.put_object("run/a.bin", &bed.read("two/a.bin"));
    for (operation, nth) in [(Operation::Part, 1), (Operation::Put, 1)] {
        server.add(Rule::nth(nth, operation, Action::Late).key("run/a.bin"));
    }
    let paused = stopped(&server, &bed, |server| {
        [Operation::Part, Operation::Put, Operation::Complete].iter().any(|at| asked(server, *at, "run/a.bin", 1))
    });
    assert_eq!(other(&bed).code, Some(0));
    signal(&paused, Signal::CONT);
    server.release();
    assert_eq!(ended(paused).code, Some(8));
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("two", "back");
}

/// Stopped before its manifest, while somebody removes the checkpoint that others have finished: nothing is left that
/// looks like one.
#[test]
fn what_was_removed_meanwhile_is_not_committed() {
    for put_again in [false, true] {
        let server = Faulty::start([Rule::nth(1, Operation::Put, Action::Late).key("manifest.json")]);
        let bed = faulty(&server);
        two_writers(&bed);
        let paused = stopped(&server, &bed, |server| asked(server, Operation::Put, "manifest.json", 1));
        wait_until("the removal", || bed.run(["rm", "run"]).code == Some(0));
        if put_again {
            bed.ok(["put", "two", "run"].iter().chain(&FLAGS));
        }
        signal(&paused, Signal::CONT);
        server.release();
        let loser = ended(paused);
        assert_eq!(loser.code, Some(8), "{}", loser.stderr);
        if put_again {
            bed.ok(["get", "run", "back"]);
            bed.assert_same_tree("two", "back");
        } else {
            assert_eq!(bed.run(["get", "run", "back"]).code, Some(4));
        }
        bed.ok(["rm", "run"]);
        assert_eq!(server.keys(), Vec::<String>::new());
    }
}

/// Both replace with --force; the first wakes up when the second has cleared the way for its own manifest.
#[test]
fn two_replacements_do_not_mix() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    two_writers(&bed);
    bed.write("old/a.bin", b"old");
    bed.ok(["put", "old", "run"]);
    // The note of the first replacement is the second manifest, its own the third; the note of the second the fifth.
    server.add(Rule::nth(2, Operation::Put, Action::Late).key("manifest.json"));
    let force = |side: &str| bed.command(["put", side, "run", "--force"].iter().chain(&FLAGS));
    let paused = start(force("one"));
    wait_until("the manifest of the first", || asked(&server, Operation::Put, "manifest.json", 3));
    signal(&paused, Signal::STOP);
    let winner = loop {
        let said = ended(start(force("two")));
        if !(said.code == Some(8) && said.stderr.contains("with a claim until")) {
            break said;
        }
    };
    assert_eq!(winner.code, Some(0), "{}", winner.stderr);
    signal(&paused, Signal::CONT);
    server.release();
    let first = ended(paused);
    assert!([Some(0), Some(8)].contains(&first.code), "{}", first.stderr);
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("two", "back");
}
