//! `rm` of several keys in one bucket, and of checkpoints of many files.

use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Request, Response, Rule};

/// What the first request teaches counts for all keys, and is told once.
#[test]
fn the_region_is_learnt_once_for_all_keys() {
    let moved = Response::new(301).header("x-amz-bucket-region", "eu-west-3");
    let server = Faulty::start([Rule::first(1, Operation::Any, Action::Answer(moved))]);
    let bed = bed::faulty(&server);
    for key in ["a", "b", "c"] {
        server.put_object(key, b"content");
    }
    let said = bed.ok(["rm", "a", "b", "c"]);
    assert_eq!(
        said.stderr.matches("is in region eu-west-3, not in us-east-1: set AWS_REGION=").count(),
        1,
        "{}",
        said.stderr
    );
    // The first key's requests may be under way together.
    let all = server.requests(Operation::Any);
    let first = all.iter().position(|one| one.method == "DELETE").unwrap();
    assert!(all[first..].iter().all(|one| one.header("authorization").unwrap().contains("eu-west-3")));
    assert!(["a", "b", "c"].iter().all(|key| server.object(key).is_none()));
}

const FILES: usize = 1500;

/// A committed checkpoint of many files on a server that removes many in a request.
fn with_checkpoint(server: &Faulty) -> Bed {
    server.deletes_many();
    let bed = bed::faulty(server);
    (0..FILES).for_each(|number| bed.write(&format!("run/{number:04} & <more>.bin"), &[number as u8]));
    bed.ok(["put", "run", "--no-progress"]);
    bed
}

#[test]
fn a_checkpoint_goes_in_a_request_a_thousand() {
    let server = Faulty::start([]);
    let bed = with_checkpoint(&server);
    bed.ok(["rm", "run"]);
    assert_eq!(server.keys(), Vec::<String>::new());
    assert_eq!(server.requests(Operation::DeleteMany).len(), 2);
}

#[test]
fn a_key_that_is_refused_is_named() {
    let refuse = Action::change(|response| {
        let refusal =
            "<Error><Key>run/0007 &amp; &lt;more&gt;.bin</Key><Code>AccessDenied</Code><Message>no</Message></Error>";
        *response = Response::xml(200, &format!("<DeleteResult>{refusal}</DeleteResult>"));
    });
    let server = Faulty::start([Rule::always(Operation::DeleteMany, refuse)]);
    let bed = with_checkpoint(&server);
    let said = bed.run(["rm", "run"]);
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert!(said.stderr.contains("cannot remove 'run/0007 & <more>.bin'"), "{}", said.stderr);
}

#[test]
fn a_key_that_may_be_removed_later_is_tried_again_alone() {
    let slow_down = Action::change(|response| {
        let refusal = "<Error><Key>run/0007 &amp; &lt;more&gt;.bin</Key><Code>SlowDown</Code></Error>";
        *response = Response::xml(200, &format!("<DeleteResult>{refusal}</DeleteResult>"));
    });
    let server = Faulty::start([Rule::first(1, Operation::DeleteMany, slow_down)]);
    let bed = with_checkpoint(&server);
    // One request after the other: the first has the key that is refused.
    bed.ok(["rm", "run", "-j", "1"]);
    assert_eq!(server.keys(), Vec::<String>::new());
    let asked = server.requests(Operation::DeleteMany);
    let keys = |request: &Request| String::from_utf8_lossy(&request.body).matches("<Key>").count();
    let mut counts: Vec<usize> = asked.iter().map(keys).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 500, 1000]);
}

#[test]
fn a_server_that_does_not_know_the_call_is_asked_for_each() {
    let server = Faulty::start([]);
    let bed = bed::faulty(&server);
    (0..20).for_each(|number| bed.write(&format!("run/{number}.bin"), &[number]));
    bed.ok(["put", "run", "--no-progress"]);
    bed.ok(["rm", "run"]);
    assert_eq!(server.keys(), Vec::<String>::new());
    assert!(server.requests(Operation::Delete).len() >= 20);
}
