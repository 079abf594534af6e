//! `rm` of several keys in one bucket.

use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};

/// What the first request teaches counts for all keys, and is told once.
#[test]
fn the_region_is_learnt_once_for_all_keys() {
    let malformed = Response::xml(
        400,
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-3</Region></Error>",
    );
    let server = Faulty::start([Rule::first(1, Operation::Any, Action::Answer(malformed))]);
    let bed = bed::faulty(&server);
    for key in ["a", "b", "c"] {
        server.put_object(key, b"content");
    }
    let said = bed.ok(["rm", "a", "b", "c"]);
    assert_eq!(said.stderr.matches("eu-west-3").count(), 1, "{}", said.stderr);
    let all = server.requests(Operation::Any);
    let of_old = all.iter().filter(|one| one.header("authorization").unwrap().contains("us-east-1")).count();
    assert!(all.len() > 5 && of_old == 1, "{of_old} of {}", all.len());
    assert!(["a", "b", "c"].iter().all(|key| server.object(key).is_none()));
}
