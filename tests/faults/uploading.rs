//! Uploads that the server loses, refuses, or completes without saying so.

use crate::promises::{Fault, Job, PUTS, fault, hold};
use crate::support::faulty::{Action, Meanwhile, Operation, Response, Rule};

/// Answers with status 200 that confirm nothing.
fn hollow() -> Vec<(&'static str, Response)> {
    let started = "<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    vec![
        ("an error", Response::error(200, "InternalError")),
        ("a request to slow down", Response::error(200, "SlowDown")),
        ("nothing", Response::new(200)),
        ("a web page", Response::new(200).header("content-type", "text/html").body("<html><body>Log in</body></html>")),
        ("cut XML", Response::xml(200, started)),
        ("no ETag", Response::xml(200, &format!("{started}<Key>k</Key></CompleteMultipartUploadResult>"))),
    ]
}

#[test]
fn a_complete_that_confirms_nothing() {
    let mut faults: Vec<Fault> = Vec::new();
    for (what, answer) in hollow() {
        let (undone, done, always) = (answer.clone(), answer.clone(), answer);
        faults.push(fault(format!("200 with {what}, nothing done"), &[Job::PutFile], &[], move |_| {
            vec![Rule::first(1, Operation::Complete, Action::Answer(undone.clone()))]
        }));
        faults.push(fault(format!("200 with {what}, but done"), &[Job::PutFile], &[], move |_| {
            let done = done.clone();
            vec![Rule::first(1, Operation::Complete, Action::change(move |response| *response = done.clone()))]
        }));
        faults.push(fault(format!("always 200 with {what}"), &[Job::PutFile], &[5], move |_| {
            vec![Rule::always(Operation::Complete, Action::Answer(always.clone()))]
        }));
    }
    hold(&faults);
}

/// The answer is lost, and so is the first look at what is there; the next Complete then meets NoSuchUpload.
#[test]
fn a_complete_whose_answer_is_lost() {
    let lost = |looks_lost: usize| {
        fault(format!("a lost answer, and {looks_lost} lost looks"), &[Job::PutFile], &[], move |_| {
            vec![
                Rule::first(1, Operation::Complete, Action::Lose),
                // The first look is before anything is sent.
                Rule::nth(
                    if looks_lost > 0 { 2 } else { usize::MAX },
                    Operation::Head,
                    Action::refuse(503, "SlowDown"),
                ),
            ]
        })
    };
    let all_lost = fault("no look is ever answered again", &[Job::PutFile], &[5], |_| {
        vec![
            Rule::first(1, Operation::Complete, Action::Lose),
            Rule::from_nth(2, Operation::Head, Action::refuse(503, "SlowDown")),
        ]
    });
    let small = fault("the answer to every second file is lost", &[Job::PutDirectory], &[], |_| {
        [2, 4, 6].map(|nth| Rule::nth(nth, Operation::Put, Action::Lose)).into()
    });
    hold(&[lost(0), lost(1), all_lost, small]);
}

#[test]
fn conflicts() {
    hold(&[
        fault("409 once", PUTS, &[], |job: Job| {
            let operation = if job == Job::PutFile { Operation::Complete } else { Operation::Put };
            vec![Rule::first(1, operation, Action::refuse(409, "ConditionalRequestConflict"))]
        }),
        fault("409 always", PUTS, &[5], |job: Job| {
            let operation = if job == Job::PutFile { Operation::Complete } else { Operation::Put };
            vec![Rule::always(operation, Action::refuse(409, "ConditionalRequestConflict"))]
        }),
    ]);
}

#[test]
fn an_upload_that_is_aborted_meanwhile() {
    let aborted = |operation, nth| {
        fault(format!("aborted before {operation:?} {nth}"), &[Job::PutFile], &[5], move |_| {
            vec![Rule::nth(nth, operation, Action::Meanwhile(Meanwhile::AbortAll))]
        })
    };
    hold(&[aborted(Operation::Part, 1), aborted(Operation::Part, 3), aborted(Operation::Complete, 1)]);
}

#[test]
fn a_part_that_the_server_lost() {
    hold(&[
        fault("InvalidPart that names no part, once", &[Job::PutFile], &[5], |_| {
            vec![Rule::first(1, Operation::Complete, Action::refuse(400, "InvalidPart"))]
        }),
        fault("the second part is lost", &[Job::PutFile], &[5], |_| {
            vec![Rule::nth(1, Operation::Complete, Action::Meanwhile(Meanwhile::LosePart(2)))]
        }),
        fault("InvalidPart for ever", &[Job::PutFile], &[5], |_| {
            vec![Rule::always(Operation::Complete, Action::refuse(400, "InvalidPart"))]
        }),
    ]);
}

/// What the server says it got is another's.
#[test]
fn a_receipt_for_other_bytes() {
    let other = || Action::change(|response: &mut Response| response.set("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="));
    hold(&[
        fault("a wrong receipt once", &[Job::PutFile], &[], move |_| vec![Rule::nth(2, Operation::Part, other())]),
        fault("wrong receipts always", &[Job::PutFile], &[6], move |_| vec![Rule::always(Operation::Part, other())]),
    ]);
}
