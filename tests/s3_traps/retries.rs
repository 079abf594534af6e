//! What is tried again, and how: rusoto tries nothing again, and signs with the machine's clock.

use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use storage::{ErrorKind, RuntimeConfig, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Place, Request, Response, Rule};
use crate::{PART, bounded, bytes, config, runtime, storage, storage_with};

/// When a request says that it was signed, in seconds since 1970.
fn signed_at(request: &Request) -> u64 {
    let date = request.header("x-amz-date").unwrap();
    let at = |range| &date[range];
    let text = format!("{}-{}-{}T{}:{}:{}Z", at(0..4), at(4..6), at(6..8), at(9..11), at(11..13), at(13..15));
    humantime::parse_rfc3339(&text).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn passing_troubles() -> Vec<(&'static str, Action)> {
    vec![
        ("InternalError", Action::refuse(500, "InternalError")),
        ("SlowDown", Action::refuse(503, "SlowDown")),
        ("too many requests", Action::Answer(Response::new(429))),
        (
            "a gateway's page",
            Action::Answer(Response::new(502).header("content-type", "text/html").body("<html></html>")),
        ),
        ("a connection closed before the answer", Action::Lose),
        ("a connection closed before the body was read", Action::Reset),
        ("half a header", Action::Cut(Place::Head(30))),
        ("not HTTP", Action::Raw(b"\0\0\0\0\n\n".to_vec())),
    ]
}

#[test]
fn passing_troubles_pass() {
    bounded(async {
        join_all(passing_troubles().into_iter().map(|(what, action)| async move {
            let rules = [Operation::Put, Operation::Create, Operation::Head, Operation::Get, Operation::List];
            let rules = rules.into_iter().chain([Operation::Delete, Operation::Complete]);
            let mut rules: Vec<Rule> = rules.map(|operation| Rule::first(1, operation, action.clone())).collect();
            rules.push(Rule::first(1, Operation::Part, action.clone()).part(2));
            let server = Faulty::start(rules);
            let store = storage(&server).await;
            let data = bytes(3 * PART);
            store.write("parts", data.clone()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            store.write("whole", data.slice(..10)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(store.read("parts").await.unwrap() == data, "{what}: each try sends the whole body");
            assert_eq!(store.list("").await.unwrap().len(), 2, "{what}");
            store.delete("whole").await.unwrap();
            assert!(!store.exists("whole").await.unwrap(), "{what}");
            // Nobody knows the id of an upload that was begun and whose answer was lost; that is what lifecycle rules
            // are for.
            let lost = matches!(action, Action::Lose | Action::Cut(_));
            assert_eq!(server.uploads().len(), usize::from(lost), "{what}");
        }))
        .await;
    });
}

/// The server waited for a body that was slow to come: not the client's mistake, although a 400.
#[test]
fn a_body_that_came_too_slowly_is_sent_again() {
    bounded(async {
        let timeout = || Action::refuse(400, "RequestTimeout");
        let server =
            Faulty::start([Rule::first(1, Operation::Put, timeout()), Rule::first(1, Operation::Part, timeout())]);
        let store = storage(&server).await;
        store.write("whole", bytes(10)).await.unwrap();
        store.write("parts", bytes(2 * PART)).await.unwrap();
        assert!(server.object("parts").unwrap() == bytes(2 * PART));
    });
}

#[test]
fn refusals_are_final() {
    bounded(async {
        for (status, code, kind) in [
            (403, "AccessDenied", ErrorKind::Denied),
            (403, "InvalidAccessKeyId", ErrorKind::Denied),
            (403, "SignatureDoesNotMatch", ErrorKind::Denied),
            (404, "NoSuchBucket", ErrorKind::NotFound),
            (501, "NotImplemented", ErrorKind::Other),
        ] {
            let server = Faulty::start([Rule::always(Operation::Any, Action::refuse(status, code))]);
            let error = storage(&server).await.write("k", bytes(10)).await.unwrap_err();
            assert_eq!((error.kind(), error.tries(), error.code()), (kind, 1, Some(code)), "{error}");
        }
    });
}

/// The server's Retry-After is waited for, and each try has a time and a signature of its own.
#[test]
fn each_try_is_signed_anew_and_waits_as_long_as_the_server_asks() {
    bounded(async {
        let slow = Response::error(503, "SlowDown").header("retry-after", "2");
        let server = Faulty::start([Rule::first(1, Operation::Put, Action::Answer(slow))]);
        storage(&server).await.write("k", bytes(10)).await.unwrap();
        let puts = server.requests(Operation::Put);
        assert_eq!(puts.len(), 2);
        assert!(signed_at(&puts[1]) >= signed_at(&puts[0]) + 2);
        assert_ne!(puts[0].header("authorization"), puts[1].header("authorization"));
        assert_eq!(puts[0].body, puts[1].body);
    });
}

/// Twenty minutes ahead, when it answers.
fn skewed() -> Response {
    let theirs = SystemTime::now() + Duration::from_secs(20 * 60);
    Response::error(403, "RequestTimeTooSkewed").header("date", httpdate::fmt_http_date(theirs))
}

/// The signer takes the time as an argument, so the server's clock can be used.
#[test]
fn a_clock_that_is_off_is_corrected() {
    bounded(async {
        for with_code in [true, false] {
            let answer = move |response: &mut Response| {
                *response = skewed();
                if !with_code {
                    // As in the answer to a HEAD.
                    response.body.clear();
                }
            };
            let server = Faulty::start([Rule::first(1, Operation::Any, Action::change(answer))]);
            server.put_object("k", b"content");
            storage(&server).await.head("k").await.unwrap();
            let heads = server.requests(Operation::Head);
            assert_eq!(heads.len(), 2);
            // The header has whole seconds, and both were signed a moment ago.
            let corrected = signed_at(&heads[1]) - signed_at(&heads[0]);
            assert!(corrected >= 1_190, "{corrected}");
        }
    });
}

/// Two requests at once are signed with the wrong time; whichever is refused last must not take that for its own fault.
#[test]
fn a_clock_that_is_off_is_corrected_for_requests_at_once() {
    bounded(async {
        // Both of them are there before either is answered.
        let both = Barrier::new(2);
        let refuse = move |request: &Request| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            (signed_at(request) < now + 10 * 60).then(|| {
                both.wait();
                skewed()
            })
        };
        let server = Faulty::start([Rule::always(Operation::Any, Action::judge(refuse))]);
        server.put_object("k", b"content");
        let store = storage(&server).await;
        let (one, two) = tokio::join!(store.read("k"), store.read("k"));
        assert_eq!((one.unwrap(), two.unwrap()), ("content".into(), "content".into()));
    });
}

/// OpenStack's gateway gives its empty answers the type of a web page.
#[test]
fn an_empty_answer_is_no_web_page() {
    bounded(async {
        let typed = Action::change(|response| {
            if response.body.is_empty() {
                *response = std::mem::replace(response, Response::new(500)).header("content-type", "text/html");
            }
        });
        let server = Faulty::start([Rule::always(Operation::Any, typed)]);
        let store = storage(&server).await;
        store.write("k", bytes(2 * PART)).await.unwrap();
        store.delete("k").await.unwrap();
        assert_eq!(server.object("k"), None);
    });
}

/// The region that the server names is taken over, once.
#[test]
fn a_bucket_in_another_region_is_followed() {
    bounded(async {
        let named = Response::xml(
            400,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-3</Region></Error>",
        );
        let header = Response::error(301, "PermanentRedirect").header("x-amz-bucket-region", "eu-west-3");
        let bodiless = Response::new(301).header("x-amz-bucket-region", "eu-west-3");
        for answer in [named, header, bodiless] {
            let server = Faulty::start([Rule::first(1, Operation::Any, Action::Answer(answer.clone()))]);
            let store = storage(&server).await;
            store.write("k", bytes(10)).await.unwrap();
            let last = server.requests(Operation::Put).pop().unwrap();
            assert!(last.header("authorization").unwrap().contains("/eu-west-3/s3/aws4_request"));

            let server = Faulty::start([Rule::always(Operation::Any, Action::Answer(answer))]);
            let error = storage(&server).await.write("k", bytes(10)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(server.requests(Operation::Any).len() <= 3);
        }
    });
}

/// What the server says it got is compared with what was sent.
#[test]
fn a_part_that_arrived_changed_is_sent_again() {
    bounded(async {
        let other = |response: &mut Response| response.set("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        let server = Faulty::start([Rule::first(1, Operation::Part, Action::change(other))]);
        storage(&server).await.write("k", bytes(2 * PART)).await.unwrap();
        assert!(server.object("k").unwrap() == bytes(2 * PART));
        assert_eq!(server.requests(Operation::Part).len(), 3);

        for operation in [Operation::Part, Operation::Any] {
            let server = Faulty::start([Rule::always(operation, Action::change(other))]);
            let size = if operation == Operation::Part { 2 * PART } else { 10 };
            let error = storage(&server).await.write("k", bytes(size)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        }
    });
}

/// An idle connection that the server has closed meanwhile is no failure of the next request.
#[test]
fn a_closed_idle_connection_costs_no_error() {
    bounded(async {
        let once = RuntimeConfig { retries: 1, ..runtime() };
        let server =
            Faulty::start([Rule::always(Operation::Head, Action::change(|response| response.unframed = true))]);
        server.put_object("k", b"content");
        let store = storage_with(config(&server), once).await;
        for _ in 0..5 {
            assert_eq!(store.head("k").await.unwrap().size, 7);
        }
    });
}

/// No permission is never taken for absence.
#[test]
fn a_forbidden_look_is_not_absence() {
    bounded(async {
        let server = Faulty::start([Rule::always(Operation::Head, Action::Answer(Response::new(403)))]);
        let error = storage(&server).await.exists("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    });
}
