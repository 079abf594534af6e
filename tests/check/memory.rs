//! What was learnt spares requests, and does no harm where it is old or wrong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

use super::{checked, kept};
use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Request, Response, Rule, Sums};

const MIB: usize = 1 << 20;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

/// A bed with a file of three parts and a directory of two files.
fn bed_on(server: &Faulty) -> Bed {
    let bed = bed::faulty(server);
    bed.write("large", &bytes(11 * MIB));
    bed.write("run/a.bin", &bytes(1000));
    bed.write("run/b.bin", &bytes(2000));
    bed
}

/// Requests of a command; what it said on stderr.
fn requests(server: &Faulty, bed: &Bed, arguments: &[&str]) -> (Vec<Request>, String) {
    let before = server.requests(Operation::Any).len();
    let said = bed.ok([arguments, &["--no-progress", "--part-size", "5MiB", "-j", "1"]].concat());
    (server.requests(Operation::Any).split_off(before), said.stderr)
}

/// The requests of a put, without and with what a check has kept.
fn first_and_later(server: &Faulty, arguments: &[&str]) -> [(Vec<Request>, String); 2] {
    let first = requests(server, &bed_on(server), arguments);
    server.keys().iter().for_each(|key| server.remove_object(key));
    let bed = bed_on(server);
    checked(&bed, &[]);
    let later = requests(server, &bed, arguments);
    assert_eq!(first.1.matches("warning:").count(), later.1.matches("warning:").count(), "told as well: {}", later.1);
    [first, later]
}

/// How many of them write something: looks at what is there go side by side, and teach each other by chance.
fn writes(requests: &[Request]) -> usize {
    let operations = [Operation::Put, Operation::Create, Operation::Part, Operation::Complete];
    requests.iter().filter(|request| operations.iter().any(|operation| operation.is(request))).count()
}

fn is_spare(request: &Request) -> bool {
    Operation::Part.is(request) && request.body.len() == 1
}

fn has_sum(request: &Request) -> bool {
    request.header("x-amz-checksum-crc64nvme").is_some()
}

fn has_its_md5(request: &Request) -> bool {
    request.header("content-md5") == Some(&BASE64.encode(Md5::digest(&request.body)))
}

#[test]
fn what_a_server_refuses_is_not_sent_again() {
    for arguments in [&["put", "large"][..], &["put", "run"], &["put", "run/a.bin"]] {
        let server = Faulty::start([]);
        server.sums(Sums::Refused(501, "NotImplemented"));
        let [(first, told), (later, _)] = first_and_later(&server, arguments);
        let (first, all) = (writes(&first), writes(&later));
        assert!(all < first, "{arguments:?}: {first} and {all}");
        assert!(told.contains("refuses CRC-64 checksums: what is sent is checked by Content-MD5"), "{told}");
        let mut bodies = later.iter().filter(|request| Operation::Put.is(request) || Operation::Part.is(request));
        assert!(bodies.all(has_its_md5));
    }
}

#[test]
fn what_was_tried_is_not_tried_again() {
    let server = Faulty::start([]);
    server.sums(Sums::Ignored);
    let [(first, _), (later, told)] = first_and_later(&server, &["put", "large"]);
    assert_eq!(first.iter().filter(|request| is_spare(request)).count(), 1);
    assert_eq!(later.iter().filter(|request| is_spare(request)).count(), 0);
    assert_eq!(writes(&later) + 1, writes(&first));
    assert!(told.contains("does not confirm CRC-64 checksums"), "{told}");
    assert!(later.iter().filter(|request| Operation::Part.is(request)).all(has_its_md5));
}

#[test]
fn a_server_that_is_known_to_keep_checksums_gets_no_md5_where_that_is_a_reading_more() {
    let server = Faulty::start([]);
    let [(first, _), (later, _)] = first_and_later(&server, &["put", "run/a.bin"]);
    let put = |requests: &[Request]| requests.iter().find(|request| Operation::Put.is(request)).unwrap().clone();
    assert!(has_its_md5(&put(&first)) && has_sum(&put(&first)));
    assert!(put(&later).header("content-md5").is_none() && has_sum(&put(&later)));
}

#[test]
fn a_server_that_does_not_know_it_is_not_asked_to_remove_many() {
    let server = Faulty::start([]);
    let count = |bed: &Bed| {
        bed.ok(["put", "run"]);
        let (requests, _) = requests(&server, bed, &["rm", "run"]);
        requests.iter().filter(|request| Operation::DeleteMany.is(request)).count()
    };
    assert!(count(&bed_on(&server)) > 0);
    let bed = bed_on(&server);
    checked(&bed, &[]);
    assert_eq!(count(&bed), 0);
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn a_bucket_is_looked_for_where_it_was_found() {
    let moved = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "eu-west-1");
    // The question for the bucket, and the first listing.
    let server = Faulty::start([Rule::first(2, Operation::Any, Action::Answer(moved.clone()))]);
    let bed = bed_on(&server);
    let found = checked(&bed, &[]);
    assert_eq!((found.said.code, found.outcome("bucket")), (Some(0), "note"), "{}", found.said.stderr);
    assert!(found.hint("bucket").contains("AWS_REGION=eu-west-1"));
    assert!(kept(&bed).1.contains("\"region\": \"eu-west-1\""));
    let region = |request: &Request| {
        let authorization = request.header("authorization").unwrap().to_owned();
        authorization.split('/').nth(2).unwrap().to_owned()
    };
    let (asked, _) = requests(&server, &bed, &["ls"]);
    assert_eq!(asked.iter().map(region).collect::<Vec<_>>(), ["eu-west-1"]);
    // Another region that is named is another question.
    let mut command = bed.command(["ls", "--region", "us-west-2"]);
    assert!(command.output().unwrap().status.success());
    assert_eq!(region(server.requests(Operation::Any).last().unwrap()), "us-west-2");

    // It is not there any more, and the server says where, or does not.
    let (path, text) = kept(&bed);
    let back = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "us-east-1");
    for refusal in [Action::Answer(back), Action::refuse(403, "SignatureDoesNotMatch"), Action::Reset] {
        server.set_rules([Rule::first(1, Operation::Any, refusal.clone())]);
        // Where the server says it, that is kept.
        bed.write(&path, text.as_bytes());
        let (asked, told) = requests(&server, &bed, &["ls"]);
        let regions: Vec<String> = asked.iter().map(region).collect();
        let again = if matches!(refusal, Action::Reset) { "eu-west-1" } else { "us-east-1" };
        assert_eq!(regions, ["eu-west-1", again], "{refusal:?}");
        assert!(!told.contains("set AWS_REGION"), "{told}");
    }
}

/// Where nobody answers at all, as for a region that does not exist.
#[test]
fn a_region_that_leads_nowhere_is_left() {
    let server = Faulty::start([]);
    let bed = bed_on(&server);
    checked(&bed, &[]);
    let (path, text) = kept(&bed);
    bed.write(&path, text.replace("us-east-1\",\n    \"crc64", "xx-nowhere-1\",\n    \"crc64").as_bytes());
    assert!(kept(&bed).1.contains("xx-nowhere-1"));
    server.set_rules([Rule::nth(1, Operation::Any, Action::refuse(403, "AccessDenied"))]);
    bed.ok(["ls"]);
    assert!(!server.requests(Operation::Any).last().unwrap().header("authorization").unwrap().contains("xx-nowhere-1"));
}

/// Each body is checked by something, and the user told what it was.
#[test]
fn a_server_that_is_no_longer_what_it_was() {
    for (then, now) in [
        (Sums::Kept, Sums::Ignored),
        (Sums::Kept, Sums::Refused(501, "NotImplemented")),
        (Sums::Ignored, Sums::Kept),
        (Sums::Unheeded, Sums::Kept),
        (Sums::Unheeded, Sums::Ignored),
        (Sums::Refused(501, "NotImplemented"), Sums::Kept),
        (Sums::Ignored, Sums::Refused(400, "InvalidArgument")),
    ] {
        let server = Faulty::start([]);
        server.sums(then);
        let bed = bed_on(&server);
        checked(&bed, &[]);
        server.sums(now);
        for source in ["large", "run", "run/a.bin"] {
            let key = format!("{}-there", source.replace('/', "-"));
            let (sent, told) = requests(&server, &bed, &["put", source, &key, "--retries", "0"]);
            let refused = |request: &Request| matches!(now, Sums::Refused(..)) && has_sum(request);
            let mut writes = sent.iter().filter(|request| Operation::Put.is(request) || Operation::Part.is(request));
            // A part that nobody had checked goes once more, with its MD5.
            let covered = |write: &&Request| match now {
                Sums::Kept => has_sum(write) || has_its_md5(write),
                _ => has_its_md5(write),
            };
            let again = |write: &Request| {
                sent.iter().any(|other| has_its_md5(other) && other.target == write.target && other.body == write.body)
            };
            assert!(
                writes.all(|write| is_spare(write) || refused(write) || covered(&write) || again(write)),
                "{then:?} to {now:?}, {source}"
            );
            // A kept checksum is no reason for a word, and neither is one that is not even sent.
            let is_told = told.contains("CRC-64 checksums: what is sent is checked by Content-MD5");
            assert!(is_told || now == Sums::Kept, "{then:?} to {now:?}, {source}: {told}");
            assert!(told.matches("warning:").count() <= 1, "{told}");
        }
        assert!(server.object("large-there").unwrap() == bytes(11 * MIB));
        assert!(server.uploads().is_empty());
        bed.ok(["get", "run-there", "back", "--require-checksum"]);
        bed.assert_same_tree("run", "back");
    }
}

#[test]
fn what_is_old_or_damaged_is_as_nothing() {
    let server = Faulty::start([]);
    server.sums(Sums::Refused(501, "NotImplemented"));
    let [(first, _), (later, _)] = first_and_later(&server, &["put", "run/a.bin"]);
    assert!(writes(&later) < writes(&first));
    let bed = bed_on(&server);
    checked(&bed, &[]);
    let (path, text) = kept(&bed);
    let learnt = text.split("\"learnt\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for changed in [
        text.replace(&learnt, "2020-01-01T00:00:00Z"),
        text.replace(&learnt, "2999-01-01T00:00:00Z"),
        text.replace("\"version\": 1", "\"version\": 2"),
        text[..text.len() / 2].to_owned(),
        "\0".to_owned(),
        String::new(),
    ] {
        bed.write(&path, changed.as_bytes());
        server.remove_object("run/a.bin");
        let (sent, _) = requests(&server, &bed, &["put", "run/a.bin"]);
        assert_eq!(writes(&sent), writes(&first), "{changed}");
    }
}
