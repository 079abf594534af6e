//! Servers that MinIO is too good to be.

use std::time::{Duration, SystemTime};

use super::{checked, kept};
use crate::support::bed;
use crate::support::faulty::{Action, Faulty, Operation, Request, Response, Rule, Sums};

fn drop_headers(request: &mut Request, names: &[&str]) {
    request.headers.retain(|(name, _)| !names.contains(&name.as_str()));
}

fn dated(offset_seconds: i64) -> Rule {
    let by = Duration::from_secs(offset_seconds.unsigned_abs());
    let change = move |response: &mut Response| {
        let now = SystemTime::now();
        let theirs = if offset_seconds < 0 { now - by } else { now + by };
        response.set("date", httpdate::fmt_http_date(theirs));
    };
    Rule::always(Operation::Any, Action::change(change))
}

#[test]
fn a_server_that_can_all_but_what_nobody_needs() {
    let server = Faulty::start([dated(0)]);
    server.deletes_many();
    let bed = bed::faulty(&server);
    let checked = checked(&bed, &[]);
    // It asks nobody who may see a lifecycle.
    assert_eq!(checked.with(&["note"]), ["other rights", "server-side copy"], "{:?}", checked.checks);
    assert_eq!((checked.said.code, checked.with(&["bad", "skipped"])), (Some(0), vec![]));
    assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));
    let ours = server.requests(Operation::Any);
    let keys: Vec<String> = ours.iter().filter_map(Request::key).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with(".strata-check-")), "nothing else is touched");
}

#[test]
fn conditions_that_are_not_heeded() {
    for (operation, what) in [
        (Operation::Put, "not heeded: If-None-Match, If-Match"),
        (Operation::Complete, "not heeded: If-None-Match at the end of an upload"),
    ] {
        let ignore = Action::alter(|request| drop_headers(request, &["if-none-match", "if-match"]));
        let server = Faulty::start([Rule::always(operation, ignore)]);
        let bed = bed::faulty(&server);
        let checked = checked(&bed, &[]);
        assert_eq!((checked.said.code, checked.outcome("conditional writes")), (Some(0), "note"));
        assert_eq!(checked.detail("conditional writes"), what);
        assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));

        // Who puts a directory there has to know.
        bed.write("run/model.bin", b"weights");
        let said = bed.ok(["put", "run"]);
        let warning = "warning: the store does not heed conditional writes: if another process puts 'run' meanwhile";
        assert_eq!(said.stderr.matches(warning).count(), 1, "{}", said.stderr);
        assert!(!bed.ok(["put", "run/model.bin", "file"]).stderr.contains("warning:"));
    }
}

#[test]
fn checksums_that_are_not_kept() {
    for (sums, detail, hint, fact) in [
        (Sums::Ignored, "CRC-64/NVME is not kept; a wrong Content-MD5 is refused", "manifest", "ignored"),
        (Sums::Unheeded, "CRC-64/NVME is not kept; a wrong Content-MD5 is accepted", "checks nothing", "ignored"),
        (Sums::Refused(501, "NotImplemented"), "CRC-64/NVME is refused; a wrong Content-MD5 is refused", "", "refused"),
    ] {
        let server = Faulty::start([]);
        server.sums(sums);
        let bed = bed::faulty(&server);
        let checked = checked(&bed, &[]);
        assert_eq!((checked.said.code, checked.outcome("checksums")), (Some(0), "note"), "{sums:?}");
        assert_eq!(checked.detail("checksums"), detail);
        assert!(checked.hint("checksums").contains(hint));
        assert!(kept(&bed).1.contains(&format!("\"crc64\": \"{fact}\"")));
        assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));
    }
}

/// It sends back what it was sent, and has not looked.
#[test]
fn a_server_that_confirms_what_it_has_not_checked() {
    let blind = Action::alter(|request| drop_headers(request, &["x-amz-checksum-crc64nvme"]));
    let server = Faulty::start([Rule::always(Operation::Put, blind).key("/wrong-checksum")]);
    let bed = bed::faulty(&server);
    let checked = checked(&bed, &[]);
    assert_eq!((checked.with(&["bad"]), checked.said.code), (vec!["checksums"], Some(6)));
    assert!(!kept(&bed).1.contains("\"kept\""), "that it keeps them is not remembered");
    assert_eq!(server.keys(), Vec::<String>::new());
}

/// A server that is busy has not looked at anything.
#[test]
fn one_hiccup_hides_no_server_that_does_not_look() {
    let busy = || Action::refuse(503, "SlowDown");
    let blind = Action::alter(|request| drop_headers(request, &["x-amz-checksum-crc64nvme"]));
    let server = Faulty::start([
        Rule::first(1, Operation::Put, busy()).key("/wrong-checksum"),
        Rule::always(Operation::Put, blind).key("/wrong-checksum"),
    ]);
    let blind = checked(&bed::faulty(&server), &[]);
    assert_eq!((blind.with(&["bad"]), blind.said.code), (vec!["checksums"], Some(6)));

    // The first part of all is the spare one with a wrong MD5.
    for action in [busy(), Action::Reset] {
        let server = Faulty::start([Rule::first(1, Operation::Part, action)]);
        server.sums(Sums::Unheeded);
        let bed = bed::faulty(&server);
        let checked = checked(&bed, &[]);
        assert_eq!(checked.detail("checksums"), "CRC-64/NVME is not kept; a wrong Content-MD5 is accepted");
        assert!(!kept(&bed).1.contains("\"content_md5\": true"), "{}", kept(&bed).1);
    }
}

#[test]
fn what_no_answer_said_of_checksums_is_not_known() {
    let busy = Action::refuse(503, "SlowDown");
    let server = Faulty::start([Rule::always(Operation::Put, busy).key("/wrong-checksum")]);
    let bed = bed::faulty(&server);
    let checked = checked(&bed, &[]);
    assert_eq!((checked.said.code, checked.outcome("checksums")), (Some(0), "note"));
    assert!(checked.detail("checksums").contains("CRC-64/NVME is refused is not known"), "{:?}", checked.checks);
    assert!(!kept(&bed).1.contains("\"crc64\": \"kept\""), "{}", kept(&bed).1);
}

#[test]
fn other_bytes_than_were_put() {
    let flip = |response: &mut Response| {
        response.remove("x-amz-checksum-crc64nvme");
        response.body.iter_mut().for_each(|byte| *byte ^= 1);
    };
    let server = Faulty::start([Rule::always(Operation::Get, Action::change(flip))]);
    let checked = checked(&bed::faulty(&server), &[]);
    assert_eq!(checked.said.code, Some(6));
    assert!(checked.with(&["bad"]).contains(&"s3:GetObject"));
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn a_listing_that_is_late() {
    let empty = "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>";
    // The first is that of the introduction, the third that of the removal.
    let server = Faulty::start([Rule::nth(2, Operation::List, Action::Answer(Response::xml(200, empty)))]);
    let checked = checked(&bed::faulty(&server), &[]);
    assert_eq!((checked.said.code, checked.outcome("listing")), (Some(0), "note"));
    assert_eq!(checked.detail("listing"), "a new object was not listed at once");
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn clocks() {
    for (offset, outcome, detail) in [
        (2, "good", "within a few seconds of the server's"),
        (60, "note", "1m behind the server's"),
        (-7200, "note", "2h ahead of the server's; requests carry the server's time"),
    ] {
        let server = Faulty::start([dated(offset)]);
        let checked = checked(&bed::faulty(&server), &[]);
        assert_eq!(checked.said.code, Some(0), "{}", checked.said.stderr);
        assert_eq!(checked.outcome("clock"), outcome, "{offset}");
        // A second may pass in between.
        let (wanted, got) = (detail.split(' ').next_back(), checked.detail("clock").split(' ').next_back());
        assert!(checked.detail("clock") == detail || (offset != 2 && wanted == got), "{}", checked.detail("clock"));
    }
    let refuse = Rule::always(Operation::Any, Action::refuse(403, "RequestTimeTooSkewed"));
    let checked = checked(&bed::faulty(&Faulty::start([refuse])), &[]);
    assert_eq!(checked.with(&["bad"]), ["identity"]);
    assert_eq!(checked.said.code, Some(7));
}

#[test]
fn removal_one_by_one_and_versions() {
    let version = Action::change(|response| response.set("x-amz-version-id", "v1"));
    let server = Faulty::start([Rule::always(Operation::Head, version)]);
    let checked = checked(&bed::faulty(&server), &[]);
    assert_eq!(checked.said.code, Some(0));
    assert_eq!((checked.outcome("batch removal"), checked.outcome("versions")), ("note", "note"));
    assert_eq!(checked.detail("versions"), "the bucket keeps older versions");
}

#[test]
fn a_server_that_fails_half_way() {
    let server = Faulty::start([Rule::always(Operation::Complete, Action::refuse(500, "InternalError"))]);
    let bed = bed::faulty(&server);
    let checked = checked(&bed, &[]);
    assert_eq!((checked.with(&["bad"]), checked.said.code), (vec!["multipart"], Some(5)));
    assert_eq!((checked.outcome("round trip"), checked.outcome("clean-up")), ("skipped", "good"));
    assert_eq!((server.keys(), server.uploads()), (vec![], vec![]));

    // What cannot be removed is named.
    let server = Faulty::start([Rule::from_nth(2, Operation::Delete, Action::refuse(500, "InternalError"))]);
    let checked = super::checked(&bed::faulty(&server), &[]);
    assert_eq!((checked.outcome("clean-up"), checked.said.code), ("bad", Some(5)));
    assert!(
        checked.hint("clean-up").contains("remove s3://checkpoints/.strata-check-"),
        "{}",
        checked.hint("clean-up")
    );
}

#[test]
fn something_that_is_no_s3() {
    let page = Response::new(200).header("content-type", "text/html").body("<html>Welcome</html>");
    let server = Faulty::start([Rule::always(Operation::Any, Action::Answer(page))]);
    let checked = checked(&bed::faulty(&server), &[]);
    assert_eq!(checked.with(&["bad"]), ["service"]);
    assert!(checked.detail("service").contains("a web page came back"), "{}", checked.detail("service"));
    assert_eq!(server.requests(Operation::Put).len(), 0);
}

#[test]
fn a_server_that_wants_the_bucket_in_the_hosts_name() {
    let refuse = Action::refuse(403, "SecondLevelDomainForbidden");
    let server = Faulty::start([Rule::always(Operation::Any, refuse)]);
    let checked = checked(&bed::faulty(&server), &[]);
    assert_eq!((checked.with(&["bad"]), checked.said.code), (vec!["bucket"], Some(2)));
    assert!(checked.hint("bucket").contains("--addressing-style virtual"));
}
