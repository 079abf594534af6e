//! Servers that do not do what they are asked for, and do not say so; servers that may not.

use super::{fill, support};
use support::bed::faulty;
use support::faulty::{Action, Faulty, Operation, Response, Rule};

#[test]
fn encryption_that_is_not_confirmed_is_a_failure() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    fill(&bed);
    for source in ["small.bin", "large.bin", "run"] {
        let said = bed.run(["put", source, "--sse", "AES256", "--part-size", "5MiB"]);
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        assert!(said.stderr.contains("does not encrypt as it was told to"), "{}", said.stderr);
    }
    assert_eq!(server.uploads(), Vec::<String>::new());
    // A directory's claim is the first to tell, before any file.
    assert_eq!(server.keys(), ["large.bin", "run/.strata/put.json", "small.bin"]);
    assert_eq!(bed.journals(), Vec::<String>::new());
    // Without the flag all is well.
    for source in ["small.bin", "large.bin", "run"] {
        bed.ok(["put", source]);
    }
}

#[test]
fn another_key_than_the_one_asked_for_is_a_failure() {
    let other = |response: &mut Response| {
        response.set("x-amz-server-side-encryption", "aws:kms");
        response.set("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-east-1:111122223333:key/other");
    };
    let server = Faulty::start([Rule::always(Operation::Any, Action::change(other))]);
    let bed = faulty(&server);
    bed.write("small.bin", b"small");
    let said = bed.run(["put", "small.bin", "--sse-kms-key-id", "mine"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("key/other"), "{}", said.stderr);
    bed.ok(["put", "small.bin", "--sse-kms-key-id", "alias/mine"]);
}

#[test]
fn a_key_that_may_not_be_used() {
    let message = "User: arn:aws:iam::111122223333:user/ci is not authorized to perform: kms:GenerateDataKey on resource: \
                   arn:aws:kms:us-east-1:111122223333:key/1 because no identity-based policy allows it";
    let denied = Response::xml(403, &format!("<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"));
    for operation in [Operation::Put, Operation::Create] {
        let server = Faulty::start([Rule::always(operation, Action::Answer(denied.clone()))]);
        let bed = faulty(&server);
        fill(&bed);
        let source = if operation == Operation::Put { "small.bin" } else { "large.bin" };
        let said = bed.run(["put", source, "--sse-kms-key-id", "k", "--part-size", "5MiB"]);
        assert_eq!(said.code, Some(7), "{}", said.stderr);
        for words in ["not authorized to perform: kms:GenerateDataKey", "kms:GenerateDataKey and kms:Decrypt"] {
            assert!(said.stderr.contains(words), "{}", said.stderr);
        }
    }
}

#[test]
fn a_key_that_is_not_there() {
    for code in ["KMS.NotFoundException", "KMS.DisabledException", "KMS.KMSInvalidStateException"] {
        let server = Faulty::start([Rule::always(Operation::Put, Action::refuse(400, code))]);
        let bed = faulty(&server);
        bed.write("small.bin", b"small");
        let said = bed.run(["put", "small.bin", "--sse-kms-key-id", "k"]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("the KMS key cannot be used"), "{}", said.stderr);
    }
}
