//! Answers to a get that are not what was asked for.

use crate::promises::{FILE, Fault, GETS, Job, content, fault, hold};
use crate::support::faulty::{Action, Meanwhile, Operation, Place, Response, Rule};

fn wrong() -> Vec<(&'static str, Action)> {
    vec![
        ("a short body", Action::Cut(Place::Body(10))),
        ("no body", Action::Cut(Place::Body(0))),
        (
            "a short body without a length",
            Action::change(|response| {
                response.unframed = true;
                response.body.pop();
            }),
        ),
        (
            "a long body without a length",
            Action::change(|response| {
                response.unframed = true;
                response.body.push(7);
            }),
        ),
        ("silence inside the body", Action::Stall(Place::Body(10))),
        ("a flipped bit", Action::change(|response| response.body[3] ^= 1)),
    ]
}

/// Only of ranges; a small file is asked for whole.
fn wrong_ranges() -> Vec<(&'static str, Action)> {
    vec![
        (
            "200 in place of 206",
            Action::change(|response| {
                response.status = 200;
                response.remove("content-range");
                response.body = content().to_vec();
            }),
        ),
        ("no Content-Range", Action::change(|response| response.remove("content-range"))),
        ("another Content-Range", Action::change(|response| response.set("content-range", "bytes 1-10/11"))),
        ("nonsense for Content-Range", Action::change(|response| response.set("content-range", "bytes */11534336"))),
    ]
}

#[test]
fn wrong_answers_that_pass() {
    let once = |jobs, (what, action): (&'static str, Action)| {
        // A bit that flips in a range is only found where the whole does not fit: a plain file has no other checksum.
        let ends: &[i32] = if what == "a flipped bit" { &[6] } else { &[] };
        fault(format!("once: {what}"), jobs, ends, move |job: Job| vec![Rule::nth(2, job.hot(), action.clone())])
    };
    let mut faults: Vec<Fault> = wrong().into_iter().map(|one| once(GETS, one)).collect();
    faults.extend(wrong_ranges().into_iter().map(|one| once(&[Job::GetFile], one)));
    hold(&faults);
}

#[test]
fn wrong_answers_that_stay() {
    let always = |jobs, (what, action): (&'static str, Action)| {
        fault(format!("always: {what}"), jobs, &[5, 6], move |job: Job| vec![Rule::always(job.hot(), action.clone())])
    };
    let mut faults: Vec<Fault> = wrong().into_iter().map(|one| always(GETS, one)).collect();
    faults.extend(wrong_ranges().into_iter().map(|one| always(&[Job::GetFile], one)));
    hold(&faults);
}

/// Bytes of two objects are never mixed: it ends with the one, with the other, or with an error.
#[test]
fn an_object_that_is_replaced_between_two_ranges() {
    let replaced = |nth: usize| {
        // The first that is got is the place of a manifest.
        let nth = nth + 1;
        fault(format!("replaced before range {}", nth - 1), &[Job::GetFile], &[6], move |_| {
            let mut other = content().to_vec();
            other.iter_mut().for_each(|byte| *byte ^= 0x55);
            let put_back = Action::Meanwhile(Meanwhile::Put(FILE, content().to_vec()));
            vec![
                Rule::nth(nth, Operation::Get, Action::Meanwhile(Meanwhile::Put(FILE, other))),
                // Whoever looks again finds the first one.
                Rule::from_nth(2, Operation::Head, put_back),
            ]
        })
    };
    hold(&[replaced(1), replaced(2), replaced(3)]);
}

#[test]
fn an_etag_that_changes_or_is_missing() {
    let missing = || Action::change(|response: &mut Response| response.remove("etag"));
    let other = || Action::change(|response: &mut Response| response.set("etag", "\"other\""));
    hold(&[
        fault("no ETag in any answer", &[Job::GetFile], &[5, 6], move |_| {
            vec![Rule::always(Operation::Any, missing())]
        }),
        fault("no ETag once", &[Job::GetFile], &[5, 6], move |_| vec![Rule::nth(2, Operation::Get, missing())]),
        fault("another ETag once", &[Job::GetFile], &[5, 6], move |_| vec![Rule::nth(2, Operation::Get, other())]),
    ]);
}
