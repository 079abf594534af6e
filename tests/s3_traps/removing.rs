//! `rm` of several keys in one bucket.

use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};

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
    assert_eq!(said.stderr.matches("is in region eu-west-3").count(), 1, "{}", said.stderr);
    // The first key's requests may be under way together.
    let all = server.requests(Operation::Any);
    let first = all.iter().position(|one| one.method == "DELETE").unwrap();
    assert!(all[first..].iter().all(|one| one.header("authorization").unwrap().contains("eu-west-3")));
    assert!(["a", "b", "c"].iter().all(|key| server.object(key).is_none()));
}
