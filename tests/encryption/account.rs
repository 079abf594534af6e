//! Two headers on every request of every command; those of writes on writes alone.

use super::{fill, support};
use support::bed::{Bed, faulty};
use support::faulty::{Action, Faulty, Operation, Request, Response, Rule};

const OWNER: &str = "111122223333";
const FLAGS: [&str; 4] = ["--request-payer", "requester", "--expected-bucket-owner", OWNER];

/// Every command that sends requests, and every kind of request.
fn everything(bed: &Bed, flags: &[&str]) {
    fill(bed);
    let lines: [&[&str]; 9] = [
        &["put", "small.bin"],
        &["put", "large.bin", "--part-size", "5MiB"],
        &["put", "run", "--part-size", "5MiB"],
        &["put", "run"],
        &["ls"],
        &["ls", "--verify"],
        &["ls", "--partial"],
        &["get", "run", "back"],
        &["rm", "run", "small.bin"],
    ];
    for line in lines {
        bed.ok(line.iter().chain(flags));
    }
}

#[test]
fn on_every_request() {
    let server = Faulty::start([]);
    server.deletes_many();
    let bed = faulty(&server);
    // An upload that is begun and given up.
    server.add(Rule::first(1, Operation::Part, Action::refuse(400, "InvalidPartSize")).key("large.bin"));
    bed.write("large.bin", &super::content(6 << 20, 3));
    assert_eq!(bed.run(["put", "large.bin", "--part-size", "5MiB"].iter().chain(&FLAGS)).code, Some(1));
    bed.ok(["rm", "--partial", "--yes"].iter().chain(&FLAGS));
    everything(&bed, &FLAGS);
    bed.ok(["setup", "--check"].iter().chain(&FLAGS));
    use Operation::*;
    for kind in [Put, Get, Head, Delete, DeleteMany, List, Create, Part, Complete, Abort] {
        assert!(!server.requests(kind).is_empty(), "{kind:?} was not asked");
    }
    for request in server.requests(Any) {
        let what = format!("{} {}", request.method, request.target);
        assert_eq!(request.header("x-amz-request-payer"), Some("requester"), "{what}");
        assert_eq!(request.header("x-amz-expected-bucket-owner"), Some(OWNER), "{what}");
        let signed = request.header("authorization").unwrap();
        assert!(signed.contains("x-amz-expected-bucket-owner;") && signed.contains("x-amz-request-payer"), "{what}");
    }
}

/// One that is about to be made has no owner yet.
#[test]
fn not_on_the_making_of_a_bucket() {
    let missing = |operation| Rule::always(operation, Action::refuse(404, "NoSuchBucket"));
    let server = Faulty::start([missing(Operation::HeadBucket), missing(Operation::List)]);
    let bed = faulty(&server);
    bed.run(["setup"].iter().chain(&FLAGS));
    for request in server.requests(Operation::Any) {
        let makes = Operation::CreateBucket.is(&request);
        assert_eq!(request.header("x-amz-expected-bucket-owner").is_none(), makes, "{request:?}");
    }
    assert_eq!(server.requests(Operation::CreateBucket).len(), 1);
}

#[test]
fn from_variables_and_nowhere_without_them() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    bed.ok(["ls"]);
    let plain = server.requests(Operation::Any).len();
    let mut command = bed.command(["ls"]);
    command.envs([("STRATA_REQUEST_PAYER", "Requester"), ("STRATA_EXPECTED_BUCKET_OWNER", OWNER)]);
    assert!(command.output().unwrap().status.success());
    for (number, request) in server.requests(Operation::Any).iter().enumerate() {
        let has = ["x-amz-request-payer", "x-amz-expected-bucket-owner"].map(|name| request.header(name).is_some());
        assert_eq!(has, [number >= plain; 2]);
    }
}

fn is_about_an_object_of_ours(request: &Request) -> bool {
    request.key().is_some_and(|key| key.contains("/.strata/"))
}

#[test]
fn what_belongs_to_writes_goes_with_writes() {
    let encrypts = |response: &mut Response| response.set("x-amz-server-side-encryption", "aws:kms");
    let server = Faulty::start([Rule::always(Operation::Any, Action::change(encrypts))]);
    let bed = faulty(&server);
    let flags = ["--sse-kms-key-id", "alias/a", "--storage-class", "GLACIER_IR", "--metadata", "team=vision"];
    fill(&bed);
    for source in ["small.bin", "large.bin", "run"] {
        bed.ok(["put", source, "--part-size", "5MiB"].iter().chain(&flags));
    }
    let mut begun = [0; 2];
    for request in server.requests(Operation::Any) {
        let what = format!("{} {}", request.method, request.target);
        let found = [
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-storage-class",
            "x-amz-meta-team",
        ]
        .map(|name| request.header(name));
        let writes = Operation::Create.is(&request) || Operation::Put.is(&request);
        let expected = match (writes, is_about_an_object_of_ours(&request)) {
            (false, _) => [None; 4],
            (true, true) => [Some("aws:kms"), Some("alias/a"), None, None],
            (true, false) => [Some("aws:kms"), Some("alias/a"), Some("GLACIER_IR"), Some("vision")],
        };
        assert_eq!(found, expected, "{what}");
        begun[usize::from(Operation::Create.is(&request))] += 1;
    }
    assert!(begun[1] >= 2, "the uploads of two files in parts");
}

#[test]
fn a_bucket_of_somebody_else() {
    let server = Faulty::start([Rule::always(Operation::Any, Action::refuse(403, "AccessDenied"))]);
    let bed = faulty(&server);
    bed.write("small.bin", b"small");
    let lines: [&[&str]; 4] = [&["ls"], &["get", "a", "b"], &["put", "small.bin"], &["rm", "a"]];
    for line in lines {
        let said = bed.run(line.iter().chain(&FLAGS));
        assert_eq!(said.code, Some(7), "{line:?}: {}", said.stderr);
        assert!(said.stderr.contains("or it does not belong to the account 111122223333"), "{line:?}: {}", said.stderr);
    }
}

#[test]
fn a_restoring_command_needs_them_too() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    bed.write("small.bin", b"small");
    let said = bed.ok(["put", "small.bin"].iter().chain(&FLAGS));
    let command = "strata-ckpt get --request-payer requester --expected-bucket-owner 111122223333 small.bin";
    assert!(said.stderr.contains(command), "{}", said.stderr);
}
