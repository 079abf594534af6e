//! On get every range counts only when it is checked, and only the bad one is fetched again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::bytes;
use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Place, Response, Rule};

const MIB: usize = 1 << 20;
const PART: usize = 5 * MIB;

type Fault = fn(&mut Response);

/// What may come in place of a range.
const FAULTS: [(&str, Fault); 9] = [
    ("a flipped bit", |response| response.body[PART / 2] ^= 1),
    ("a short body", |response| {
        response.set("content-length", PART.to_string());
        response.unframed = true;
        response.body.truncate(PART / 2);
    }),
    ("a short body without a length", |response| {
        response.unframed = true;
        response.body.truncate(PART - 1);
    }),
    ("a long body without a length", |response| {
        response.unframed = true;
        response.body.push(7);
    }),
    ("200 for 206", |response| {
        response.status = 200;
        response.remove("content-range");
        response.body = bytes(11 * MIB);
    }),
    ("no Content-Range", |response| response.remove("content-range")),
    ("another Content-Range", |response| response.set("content-range", "bytes 1-5242880/11534336")),
    ("another size", |response| {
        let (_, placed) = response.headers.iter().find(|(name, _)| name == "content-range").unwrap();
        let placed = String::from_utf8(placed.clone()).unwrap().replace("/11534336", "/99999999");
        response.set("content-range", placed);
    }),
    ("no ETag", |response| response.remove("etag")),
];

/// A checkpoint of one file in three parts.
fn stored(rules: impl IntoIterator<Item = Rule>) -> (Faulty, Bed) {
    let server = Faulty::start([]);
    let bed = bed::faulty(&server);
    bed.write("run/model.bin", &bytes(11 * MIB));
    bed.ok(["put", "run", "run", "--part-size", "5MiB"]);
    rules.into_iter().for_each(|rule| server.add(rule));
    (server, bed)
}

fn ranges(server: &Faulty) -> usize {
    server.requests(Operation::Get).iter().filter(|get| get.path().ends_with("model.bin")).count()
}

fn is_part(response: &Response) -> bool {
    response.status == 206 && response.body.len() == PART
}

#[test]
fn only_the_bad_range_is_fetched_again() {
    for (what, fault) in FAULTS {
        let fresh = AtomicBool::new(true);
        let (server, bed) = stored([Rule::always(
            Operation::Get,
            Action::change(move |response| {
                if is_part(response) && fresh.swap(false, Ordering::Relaxed) {
                    fault(response);
                }
            }),
        )]);
        let said = bed.run(["get", "run", "back", "--json"]);
        assert_eq!(said.code, Some(0), "{what}: {}", said.stderr);
        assert_eq!(ranges(&server), 4, "{what}: three ranges, one of them twice");
        bed.assert_same_tree("run", "back");
        bed.assert_nothing_left();
    }
}

#[test]
fn what_stays_bad_never_gets_its_name() {
    // A body of another length is gone on with from where it was right.
    for (what, fault) in FAULTS.into_iter().filter(|(what, _)| !what.contains("body")) {
        let bad = Action::change(move |response| {
            if is_part(response) {
                fault(response);
            }
        });
        let (_server, bed) = stored([Rule::always(Operation::Get, bad)]);
        let said = bed.run(["get", "run", "back", "--retries", "2", "--no-resume"]);
        // Bytes that differ are damage; answers that make no sense may pass.
        let expected = if ["a flipped bit", "another size"].contains(&what) { 6 } else { 5 };
        assert_eq!(said.code, Some(expected), "{what}: {}", said.stderr);
        assert!(!bed.path("back").exists(), "{what}");
        bed.write("back/model.bin", b"before");
        assert_eq!(bed.run(["get", "run", "back", "--retries", "2", "--no-resume"]).code, Some(expected), "{what}");
        assert_eq!(bed.read("back/model.bin"), b"before", "{what}");
    }
}

/// Another ETag is another object, whose bytes are not mixed with those before.
#[test]
fn another_etag_is_another_object() {
    let other = Action::change(|response| {
        if is_part(response) {
            response.set("etag", "\"other\"");
        }
    });
    let (_server, bed) = stored([Rule::always(Operation::Get, other)]);
    let said = bed.run(["get", "run", "back", "--no-resume"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert!(!bed.path("back").exists());
}

#[test]
fn an_object_that_is_replaced_between_two_ranges_is_not_mixed() {
    // A manifest is looked for first; then the first range waits in the middle while the object is replaced.
    let server = Faulty::start([Rule::nth(2, Operation::Get, Action::Stall(Place::Body(100)))]);
    let bed = bed::faulty(&server);
    server.put_object("k", &bytes(11 * MIB));
    thread::scope(|scope| {
        let getting = scope.spawn(|| bed.run(["get", "k", "file", "--part-size", "5MiB", "-j", "1", "--no-resume"]));
        while server.count(Operation::Get) < 2 {
            thread::sleep(Duration::from_millis(5));
        }
        server.put_object("k", &vec![9; 11 * MIB]);
        server.release();
        let said = getting.join().unwrap();
        assert_eq!(said.code, Some(6), "{}", said.stderr);
        assert!(said.stderr.contains("replaced while it was being read"), "{}", said.stderr);
    });
    assert!(!bed.path("file").exists());
    bed.assert_nothing_left();
}
