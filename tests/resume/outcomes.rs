//! What a server may say at the end of an upload, other than that it is done.

use crate::put::{KEY, PUT, SIZE, again, ended_under, sent};
use crate::stopped::{assert_clean, content};
use crate::support::bed::{Said, faulty};
use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};
use rustix::process::Signal;

/// What came of a put under these rules: what it said, the parts that went, the uploads that were begun and aborted.
fn put(rules: Vec<Rule>, flags: &[&str]) -> (Said, Vec<u32>, [usize; 2]) {
    let server = Faulty::start(rules);
    let bed = faulty(&server);
    bed.write(KEY, &content(SIZE, 1));
    let said = bed.run(PUT.iter().chain(flags));
    if said.code == Some(0) {
        assert!(server.object(KEY).unwrap() == bed.read(KEY), "{}", said.stderr);
        assert_eq!(server.uploads(), Vec::<String>::new());
        assert_clean(&bed);
    }
    let uploads = [Operation::Create, Operation::Abort].map(|operation| server.requests(operation).len());
    (said, sent(&server), uploads)
}

fn invalid_part(inside: &str) -> Action {
    Action::Answer(Response::xml(400, &format!("<Error><Code>InvalidPart</Code><Message>m</Message>{inside}</Error>")))
}

#[test]
fn a_part_that_the_server_does_not_have_is_sent_again() {
    let named = invalid_part("<PartNumber>3</PartNumber>");
    for (answer, parts) in [(named, vec![3]), (invalid_part(""), vec![1, 2, 3, 4, 5])] {
        let (said, sent, uploads) = put(vec![Rule::nth(1, Operation::Complete, answer)], &[]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert_eq!((&sent[..5], &sent[5..], uploads), (&[1, 2, 3, 4, 5][..], &parts[..], [1, 0]));
    }
}

#[test]
fn parts_of_an_earlier_run_are_doubted_first() {
    // The first Complete of all is that of the second run.
    let rule = Rule::nth(1, Operation::Complete, invalid_part(""));
    let (server, bed, _) = ended_under(vec![rule], Signal::KILL);
    assert_eq!(again(&server, &bed).0, [3, 4, 5, 1, 2]);
}

#[test]
fn a_server_that_always_misses_parts_is_given_up_on() {
    let (said, sent, uploads) = put(vec![Rule::always(Operation::Complete, invalid_part(""))], &[]);
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert_eq!((sent.len(), uploads), (15, [1, 0]), "sent twice more, and kept");
}

#[test]
fn a_conflict_at_the_end_starts_that_upload_again() {
    let conflict = || Action::refuse(409, "ConditionalRequestConflict");
    let (said, sent, uploads) = put(vec![Rule::first(2, Operation::Complete, conflict())], &["-n"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!((sent.len(), uploads), (15, [3, 2]));
    let (said, sent, uploads) = put(vec![Rule::always(Operation::Complete, conflict())], &["-n"]);
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert_eq!((sent.len(), uploads), (20, [4, 3]), "bounded");
}

#[test]
fn an_upload_that_is_gone_starts_over_once() {
    let gone = || Action::refuse(404, "NoSuchUpload");
    for (rule, parts) in
        [(Rule::nth(3, Operation::Part, gone()), 3 + 5), (Rule::nth(1, Operation::Complete, gone()), 5 + 5)]
    {
        let (said, sent, uploads) = put(vec![rule], &[]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stderr.contains("has forgotten the unfinished upload"), "{}", said.stderr);
        assert_eq!((sent.len(), uploads[0]), (parts, 2));
    }
    let (said, sent, uploads) = put(vec![Rule::always(Operation::Part, gone())], &[]);
    assert_eq!(said.code, Some(5), "{}", said.stderr);
    assert_eq!((sent.len(), uploads[0]), (2, 2));
}

#[test]
fn an_end_whose_answer_was_lost_is_an_end() {
    for flags in [&[][..], &["-n"]] {
        let (said, sent, uploads) = put(vec![Rule::nth(1, Operation::Complete, Action::Lose)], flags);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert_eq!((sent.len(), uploads), (5, [1, 0]));
    }
}

#[test]
fn a_conflict_after_an_end_that_was_lost_is_no_other_writer() {
    // The first Complete worked, but nobody can see it for a while.
    let rules = vec![
        Rule::nth(1, Operation::Complete, Action::Lose),
        Rule::nth(2, Operation::Complete, Action::refuse(409, "ConditionalRequestConflict")),
        // The first is before the put.
        Rule::nth(2, Operation::Head, Action::refuse(403, "AccessDenied")),
        Rule::nth(3, Operation::Head, Action::refuse(403, "AccessDenied")),
    ];
    let (said, _, uploads) = put(rules, &["-n"]);
    assert_eq!((said.code, uploads[0]), (Some(0), 2), "{}", said.stderr);
}
