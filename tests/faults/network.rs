//! Connections, proxies and servers that are in trouble: what passes, and what stays.

use crate::promises::{ALL, Fault, Job, PUTS, content, environment, fault, hold, run};
use crate::support::bed;
use crate::support::faulty::{Action, Operation, Place, Response, Rule};
use crate::support::nobody::Nobody;

/// What happens to a request, and may happen to any.
fn troubles() -> Vec<(&'static str, Action)> {
    let with_header =
        |status, code, name, value: &str| Action::Answer(Response::error(status, code).header(name, value));
    vec![
        ("a reset before the body", Action::Reset),
        ("a reset inside the body", Action::ResetInside(20)),
        ("a reset after the body", Action::Lose),
        ("half a header", Action::Cut(Place::Head(20))),
        ("500", Action::refuse(500, "InternalError")),
        ("503 SlowDown", Action::refuse(503, "SlowDown")),
        ("503 SlowDown with Retry-After", with_header(503, "SlowDown", "retry-after", "1")),
        ("429", Action::refuse(429, "TooManyRequests")),
        ("429 with Retry-After", with_header(429, "TooManyRequests", "retry-after", "1")),
        (
            "a proxy's page",
            Action::Answer(Response::new(502).header("content-type", "text/html").body("<html></html>")),
        ),
        (
            "a page that says 200",
            Action::Answer(Response::new(200).header("content-type", "text/html").body("<html></html>")),
        ),
        ("no HTTP", Action::Raw(b"220 mail.example.com ESMTP\r\n".to_vec())),
    ]
}

/// Told only after some seconds each time.
fn silences() -> Vec<(&'static str, Action)> {
    vec![
        ("silence before the header", Action::Ignore),
        ("silence inside the header", Action::Stall(Place::Head(20))),
        ("a half-open connection", Action::Deaf),
    ]
}

/// One that is given up soon.
fn silent(
    what: String,
    jobs: &'static [Job],
    ends: &'static [i32],
    rules: impl Fn(Job) -> Vec<Rule> + Sync + 'static,
) -> Fault {
    Fault { silent: true, ..fault(what, jobs, ends, rules) }
}

/// Once on what moves the bytes, once on every other kind of request.
#[test]
fn troubles_that_pass() {
    let faults: Vec<Fault> = troubles()
        .into_iter()
        .map(|(what, action)| {
            fault(format!("once: {what}"), ALL, &[], move |job: Job| {
                let others = [Operation::Head, Operation::List, Operation::Complete, Operation::Delete];
                let others = others.into_iter().filter(|other| *other != job.hot());
                let others = others.map(|operation| Rule::first(1, operation, action.clone()));
                others.chain([Rule::nth(2, job.hot(), action.clone())]).collect()
            })
        })
        .collect();
    hold(&faults);
}

#[test]
fn silences_that_pass() {
    let faults: Vec<Fault> = silences()
        .into_iter()
        .map(|(what, action)| {
            silent(format!("once: {what}"), ALL, &[], move |job: Job| {
                let others = if job == Job::PutFile { Operation::Complete } else { Operation::List };
                vec![Rule::first(1, others, action.clone()), Rule::nth(2, job.hot(), action.clone())]
            })
        })
        .collect();
    hold(&faults);
}

#[test]
fn silences_that_stay() {
    let faults: Vec<Fault> = silences()
        .into_iter()
        .map(|(what, action)| {
            silent(format!("always: {what}"), &[Job::PutFile, Job::GetDirectory], &[5], move |job: Job| {
                vec![Rule::always(job.hot(), action.clone())]
            })
        })
        .collect();
    hold(&faults);
}

/// The answer to the very first request of an upload: what was begun and not answered nobody can name.
#[test]
fn troubles_at_the_beginning_of_an_upload() {
    let faults: Vec<Fault> = troubles()
        .into_iter()
        .chain(silences())
        .map(|(what, action)| Fault {
            nameless_upload: true,
            ..silent(format!("at the beginning of an upload: {what}"), &[Job::PutFile], &[], move |_| {
                vec![Rule::first(1, Operation::Create, action.clone())]
            })
        })
        .collect();
    hold(&faults);
}

/// For ever: an exit code, and then the same command again.
#[test]
fn troubles_that_stay() {
    let faults: Vec<Fault> = troubles()
        .into_iter()
        .map(|(what, action)| {
            fault(format!("always: {what}"), ALL, &[5], move |job: Job| vec![Rule::always(job.hot(), action.clone())])
        })
        .collect();
    hold(&faults);
}

/// The server waited for a body that came too slowly: not the client's mistake, although a 400.
#[test]
fn a_body_that_came_too_slowly() {
    let slow = || Action::refuse(400, "RequestTimeout");
    hold(&[
        fault("once: RequestTimeout", PUTS, &[], move |job: Job| vec![Rule::nth(2, job.hot(), slow())]),
        fault("always: RequestTimeout", PUTS, &[5], move |job: Job| vec![Rule::always(job.hot(), slow())]),
    ]);
}

#[test]
fn storms() {
    let storm = |status, code: &'static str| {
        fault(format!("a storm of {code}"), ALL, &[], move |_| {
            // Fewer than may be repeated, so that none meets more of them than that.
            let all = [Operation::Head, Operation::List, Operation::Get, Operation::Put];
            let all = all.into_iter().chain([Operation::Create, Operation::Part, Operation::Complete]);
            all.map(|operation| Rule::first(3, operation, Action::refuse(status, code))).collect()
        })
    };
    hold(&[storm(503, "SlowDown"), storm(500, "InternalError"), storm(429, "TooManyRequests")]);
}

#[test]
fn connections_that_the_server_closes_when_they_are_idle() {
    hold(&[fault("every connection is closed after one answer", ALL, &[], |_| {
        vec![Rule::always(Operation::Any, Action::HangUp)]
    })]);
}

#[test]
fn a_bucket_in_another_region() {
    let malformed = || {
        let inside =
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-3</Region></Error>";
        Action::Answer(Response::xml(400, inside).header("x-amz-bucket-region", "eu-west-3"))
    };
    let moved =
        |status, code: &str| Action::Answer(Response::error(status, code).header("x-amz-bucket-region", "eu-west-3"));
    for action in [malformed(), moved(301, "PermanentRedirect"), moved(307, "TemporaryRedirect")] {
        let (once, always) = (action.clone(), action);
        hold(&[
            fault(format!("once: {once:?}"), ALL, &[], move |_| vec![Rule::first(1, Operation::Any, once.clone())]),
            fault(format!("always: {always:?}"), ALL, &[2, 5, 7], move |_| {
                vec![Rule::always(Operation::Any, always.clone())]
            }),
        ]);
    }
}

#[test]
fn odd_headers() {
    let odd: [(&str, &[u8]); 4] = [
        ("x-amz-meta-author", b"J\xc3\xbcrgen"),
        ("server", b"gate\xffway"),
        ("x-amz-delete-marker", b"True"),
        ("x-amz-version-id", b"\xe9"),
    ];
    let faults: Vec<Fault> = odd
        .into_iter()
        .map(|(name, value)| {
            fault(format!("{name} is odd"), ALL, &[], move |_| {
                vec![Rule::always(Operation::Any, Action::change(move |response| response.set(name, value)))]
            })
        })
        .collect();
    hold(&faults);
}

/// A bit flips on the way up, once or always.
#[test]
fn a_bit_flipped_on_the_way_up() {
    hold(&[
        fault("once: a flipped bit", PUTS, &[], |job: Job| vec![Rule::nth(2, job.hot(), Action::Flip)]),
        fault("always: a flipped bit", PUTS, &[6], |job: Job| vec![Rule::always(job.hot(), Action::Flip)]),
    ]);
}

#[test]
fn nobody_listens() {
    let nobody = Nobody::bind();
    let bed = bed::with(environment(&nobody.endpoint()));
    bed.write("model.bin", content());
    for arguments in [&["put", "model.bin"][..], &["get", "model.bin", "got.bin"], &["ls"], &["rm", "model.bin"]] {
        let said = run(&bed, arguments);
        assert_eq!(said.code, Some(5), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains("hint: ") && !bed.path("got.bin").exists(), "{}", said.stderr);
    }
    bed.assert_nothing_left();
}
