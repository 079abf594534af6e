//! A bucket in another region: found from each of the ways to say so, by every command, and told once.

use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Request, Response, Rule};
use crate::{ok, run};

/// Who asks in the wrong region gets this; HEAD has no body.
fn elsewhere(refusal: Response) -> Rule {
    let judge = move |request: &Request| (request.region() != "eu-west-3").then(|| refusal.clone());
    Rule::always(Operation::Any, Action::judge(judge))
}

fn refusals() -> [(&'static str, Response); 4] {
    let malformed =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-3</Region></Error>";
    let told = |response: Response| response.header("x-amz-bucket-region", "eu-west-3");
    [
        ("301", told(Response::error(301, "PermanentRedirect"))),
        ("307", told(Response::error(307, "TemporaryRedirect"))),
        ("307 without a body", told(Response::new(307))),
        // HEAD has no body to name the region in, but AWS has the header on it.
        ("400", told(Response::xml(400, malformed))),
    ]
}

#[test]
fn every_answer_is_followed_by_every_command_and_told_once() {
    for (name, refusal) in refusals() {
        let server = Faulty::start([elsewhere(refusal)]);
        let warning = "the bucket 'checkpoints' is in region eu-west-3, not in us-east-1: set AWS_REGION=eu-west-3";
        let commands = [
            &["put", "epoch_1"][..],
            &["put", "single.bin"],
            &["ls"],
            &["get", "epoch_1", "to"],
            &["get", "single.bin", "back"],
            &["rm", "single.bin", "epoch_1"],
        ];
        for arguments in commands {
            // Each with a state directory of its own, since what is found out is remembered.
            let bed = bed::faulty(&server);
            for file in ["epoch_1/a.bin", "epoch_1/b.bin", "epoch_1/c.bin", "single.bin"] {
                bed.write(file, b"weights");
            }
            let said = ok(&bed, &[], arguments);
            assert_eq!(said.stderr.matches(warning).count(), 1, "{name} {arguments:?}: {said:?}");
        }
        assert_eq!(server.keys(), Vec::<String>::new(), "{name}");
    }
}

/// What one command found out the next one knows, whichever they are; a bucket that is at home again is found there.
#[test]
fn the_next_command_starts_in_the_region() {
    let refusal = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "eu-west-3");
    let server = Faulty::start([elsewhere(refusal)]);
    let bed = bed::faulty(&server);
    bed.write("single.bin", b"weights");
    let refused = || server.requests(Operation::Any).iter().filter(|request| request.region() != "eu-west-3").count();
    ok(&bed, &[], &["put", "single.bin"]);
    let first = refused();
    for arguments in [&["ls"][..], &["get", "single.bin", "back"], &["rm", "single.bin"]] {
        let said = ok(&bed, &[], arguments);
        assert!(!said.stderr.contains("is in region"), "{said:?}");
    }
    assert_eq!(refused(), first, "nobody asked in the wrong one again");
    server.set_rules([Rule::always(
        Operation::Any,
        Action::judge(|request| {
            let refusal = Response::error(400, "AuthorizationHeaderMalformed");
            (request.region() != "us-east-1").then(|| refusal.header("x-amz-bucket-region", "us-east-1"))
        }),
    )]);
    ok(&bed, &[], &["ls"]);
}

/// Only the body tells, as for a request that is no HEAD.
#[test]
fn the_body_alone_suffices() {
    let body =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-3</Region></Error>";
    let server = Faulty::start([elsewhere(Response::xml(400, body))]);
    let said = ok(&bed::faulty(&server), &[], &["ls"]);
    assert_eq!(said.stderr.matches("is in region eu-west-3, not in us-east-1: set AWS_REGION=").count(), 1, "{said:?}");
}

#[test]
fn a_region_that_is_wrong_as_well_is_an_error() {
    let judge = |request: &Request| {
        let next = if request.region() == "us-east-1" { "eu-west-3" } else { "us-east-1" };
        Some(Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", next))
    };
    let server = Faulty::start([Rule::always(Operation::Any, Action::judge(judge))]);
    let said = run(&bed::faulty(&server), &[], &["ls"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(server.requests(Operation::Any).len() < 5, "it is not followed in circles");
}
