//! What is sent is checked on its way up, whatever a server knows of checksums, and the user is told what is not covered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

use crate::bytes;
use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Request, Response, Rule, Sums};
use crate::support::minio;

const MIB: usize = 1 << 20;
/// Servers that take no CRC-64.
const WITHOUT: [Sums; 5] = [
    Sums::Ignored,
    Sums::Refused(501, "NotImplemented"),
    Sums::Refused(400, "NotImplemented"),
    Sums::Refused(400, "InvalidArgument"),
    Sums::Refused(400, "InvalidRequest"),
];

fn writes(server: &Faulty) -> Vec<Request> {
    [server.requests(Operation::Put), server.requests(Operation::Part)].concat()
}

/// The body by which it is tried whether a server looks at Content-MD5, in place of a part.
fn is_spare(request: &Request) -> bool {
    request.body.len() == 1 && request.param("partNumber").is_some()
}

fn has_sum(request: &Request) -> bool {
    request.headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum-crc"))
}

/// A bed with a checkpoint of two files in `run`, one of them of three parts.
fn bed_with_run(server: &Faulty) -> Bed {
    let bed = bed::faulty(server);
    bed.write("run/model.bin", &bytes(11 * MIB));
    bed.write("run/small.bin", &bytes(1000));
    bed
}

fn put_run(bed: &Bed) -> String {
    bed.ok(["put", "run", "run", "--part-size", "5MiB", "-j", "1", "--no-progress"]).stderr
}

#[test]
fn servers_without_checksums_get_content_md5() {
    for sums in WITHOUT {
        let server = Faulty::start([]);
        server.sums(sums);
        let bed = bed_with_run(&server);
        let stderr = put_run(&bed);
        assert_eq!(stderr.matches("warning:").count(), 1, "told once: {stderr}");
        assert!(stderr.contains("checked by Content-MD5"), "{stderr}");
        for write in writes(&server) {
            let md5 = BASE64.encode(Md5::digest(&write.body));
            let refused = sums != Sums::Ignored && has_sum(&write);
            // With a wrong MD5, to see whether it is looked at.
            assert!(is_spare(&write) || refused || write.header("content-md5") == Some(&md5), "{sums:?}: {write:?}");
        }
        if sums != Sums::Ignored {
            let last = writes(&server).into_iter().rev().take(4);
            assert!(last.into_iter().all(|write| !has_sum(&write)), "what was refused is not sent again: {sums:?}");
            assert!(server.requests(Operation::Complete).iter().all(|one| !has_sum(one)), "{sums:?}");
        }
        bed.ok(["get", "run", "back", "--require-checksum"]);
        bed.assert_same_tree("run", "back");
        assert!(server.uploads().is_empty());
    }
}

/// Whether it is worth a reading to send MD5 is tried, with a part that is in nobody's way.
#[test]
fn a_server_that_checks_nothing_gets_no_md5_and_the_user_is_told() {
    let server = Faulty::start([]);
    server.sums(Sums::Unheeded);
    let bed = bed::faulty(&server);
    bed.write("model.bin", &bytes(11 * MIB));
    let stderr = bed.ok(["put", "model.bin", "--part-size", "5MiB", "-j", "1", "--no-progress"]).stderr;
    assert_eq!(stderr.matches("warning:").count(), 1, "told once: {stderr}");
    assert!(stderr.contains("it checks nothing of what is sent"), "{stderr}");
    let parts = server.requests(Operation::Part);
    let (spare, sent): (Vec<_>, Vec<_>) = parts.iter().partition(|part| is_spare(part));
    assert_eq!((spare.len(), spare[0].body.len(), sent.len()), (1, 1, 3));
    assert!(sent.iter().all(|part| part.header("content-md5").is_none()));
    assert!(server.object("model.bin").unwrap() == bytes(11 * MIB), "the spare byte is no part of it");
    assert!(server.uploads().is_empty());
}

/// A single file that nothing vouches for is got with a warning.
#[test]
fn what_is_not_covered_is_said() {
    let server = Faulty::start([]);
    server.sums(Sums::Refused(501, "NotImplemented"));
    let bed = bed::faulty(&server);
    bed.write("file", &bytes(1000));
    bed.ok(["put", "file", "k"]);
    let said = bed.ok(["get", "k", "back"]);
    assert!(said.stderr.contains("holds no checksum of 'k'"), "{}", said.stderr);
    assert_eq!(bed.run(["get", "k", "other", "--require-checksum"]).code, Some(6));
    assert!(bed.read("back") == bytes(1000));
}

/// One reading and no more where CRC-64 is known to be kept.
#[test]
fn a_server_that_keeps_checksums_gets_no_md5() {
    for sums in [Sums::Kept, Sums::Demanded] {
        let server = Faulty::start([]);
        server.sums(sums);
        let bed = bed_with_run(&server);
        let stderr = put_run(&bed);
        assert!(!stderr.contains("warning:"), "{stderr}");
        let all = writes(&server);
        assert!(all.iter().all(has_sum));
        let with_md5 = all.iter().filter(|write| write.header("content-md5").is_some()).count();
        assert!(with_md5 <= 1, "only the first, before the server has answered: {with_md5}");
    }
}

/// It promises for the upload what it does not do for the parts.
#[test]
fn a_promise_that_is_not_kept_is_noticed() {
    let strip = Action::change(|response| response.remove("x-amz-checksum-crc64nvme"));
    let server = Faulty::start([Rule::always(Operation::Part, strip)]);
    let bed = bed::faulty(&server);
    bed.write("file", &bytes(11 * MIB));
    let said = bed.ok(["put", "file", "k", "--part-size", "5MiB", "-j", "1", "--no-progress"]);
    assert_eq!(said.stderr.matches("does not confirm CRC-64").count(), 1, "{}", said.stderr);
    let mut covered: Vec<String> = server
        .requests(Operation::Part)
        .iter()
        .filter(|part| part.header("content-md5").is_some() && !is_spare(part))
        .map(|part| part.param("partNumber").unwrap().to_owned())
        .collect();
    covered.sort();
    assert_eq!(covered, ["1", "2", "3"], "every part is checked by something");
    assert!(server.object("k").unwrap() == bytes(11 * MIB));
}

#[test]
fn a_bit_flipped_on_the_way_up_is_noticed_and_sent_again() {
    for sums in [Sums::Kept, Sums::Ignored, Sums::Refused(501, "NotImplemented")] {
        for operation in [Operation::Put, Operation::Part] {
            let flip = || Action::alter(|request| request.body[500] ^= 1);
            let server = Faulty::start([Rule::nth(3, operation, flip())]);
            server.sums(sums);
            let bed = bed_with_run(&server);
            bed.write("run/other.bin", &bytes(2000));
            put_run(&bed);
            assert!(server.object("run/model.bin").unwrap() == bytes(11 * MIB), "{sums:?}");
            assert!(server.object("run/small.bin").unwrap() == bytes(1000), "{sums:?}");
            assert!(server.object("run/other.bin").unwrap() == bytes(2000), "{sums:?}");
        }
    }
}

/// Every version is kept for a day; nothing of ours minds.
#[test]
fn a_bucket_with_object_lock_takes_it_all() {
    let bed = bed::on(minio::shared().locked_bucket());
    bed.write("run/model.bin", &bytes(11 * MIB));
    bed.write("run/small.bin", &bytes(1000));
    put_run(&bed);
    let said = bed.ok(["put", "run", "run", "--json"]);
    assert_eq!(said.json_lines()[0]["changed"], false);
    bed.ok(["get", "run", "back", "--require-checksum"]);
    bed.assert_same_tree("run", "back");
    bed.ok(["rm", "run"]);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
    bed.assert_nothing_left();
}

/// One refusal that says nothing is no reason to go without checksums for ever.
#[test]
fn a_single_400_is_not_taken_for_a_server_without_checksums() {
    let server = Faulty::start([Rule::nth(1, Operation::Head, Action::Answer(Response::new(400)))]);
    server.put_object("k", &bytes(1000));
    let bed = bed::faulty(&server);
    bed.ok(["get", "k", "file", "--require-checksum"]);
    assert!(bed.read("file") == bytes(1000));
}
