//! GetObject: exactly the bytes that were asked for, or an error.

use futures::future::join_all;
use storage::{ErrorKind, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Place, Response, Rule};
use crate::{bounded, bytes, storage};

const SIZE: usize = 10_000;
const FROM: usize = 2_000;
const TO: usize = 7_000;

fn content() -> Vec<u8> {
    bytes(SIZE).to_vec()
}

/// Answers to a request for `FROM..TO` that are not those bytes.
fn wrong_ranges() -> Vec<(&'static str, Action)> {
    let whole = || Response::new(200).header("etag", "\"e\"").body(content());
    vec![
        ("an ignored Range", Action::Answer(whole())),
        (
            "an ignored Range, without a length",
            Action::change(move |response| {
                *response = Response { unframed: true, ..whole() };
            }),
        ),
        ("a body that ends early", Action::Cut(Place::Body(100))),
        ("no body", Action::Cut(Place::Body(0))),
        ("half a header", Action::Cut(Place::Head(20))),
        ("no answer", Action::Lose),
        (
            "a body that ends early, without a length",
            Action::change(|response| {
                response.unframed = true;
                response.body.truncate(100);
            }),
        ),
        (
            "a body that is too long, without a length",
            Action::change(|response| {
                response.unframed = true;
                response.body.push(7);
            }),
        ),
        ("no Content-Range", Action::change(|response| response.remove("content-range"))),
        ("other bytes", Action::change(|response| response.set("content-range", "bytes 2001-7000/10000"))),
        (
            "fewer bytes",
            Action::change(|response| {
                response.set("content-range", "bytes 2000-6998/10000");
                response.body.pop();
            }),
        ),
        ("nonsense for Content-Range", Action::change(|response| response.set("content-range", "bytes */10000"))),
        ("a web page", Action::Answer(Response::new(200).header("content-type", "text/html").body("<html></html>"))),
        ("another protocol", Action::Raw(b"220 mail.example.com ESMTP\r\n".to_vec())),
    ]
}

/// `placed` checks status, Content-Range and length, `counted` every byte; rusoto does neither.
#[test]
fn a_wrong_range_is_asked_for_again() {
    bounded(async {
        join_all(wrong_ranges().into_iter().map(|(what, action)| async move {
            let server = Faulty::start([Rule::first(1, Operation::Get, action)]);
            server.put_object("k", &content());
            let got = storage(&server).await.read_range("k", FROM as u64..TO as u64).await;
            assert!(got.unwrap_or_else(|error| panic!("{what}: {error}")) == content()[FROM..TO], "{what}");
            assert_eq!(server.requests(Operation::Get).len(), 2, "{what}");
        }))
        .await;
    });
}

#[test]
fn a_range_that_stays_wrong_is_an_error() {
    bounded(async {
        join_all(wrong_ranges().into_iter().map(|(what, action)| async move {
            let server = Faulty::start([Rule::always(Operation::Get, action)]);
            server.put_object("k", &content());
            let error = storage(&server).await.read_range("k", FROM as u64..TO as u64).await.expect_err(what);
            assert_eq!((error.kind(), error.tries()), (ErrorKind::Unavailable, 3), "{what}: {error}");
        }))
        .await;
    });
}

/// A whole object without a length cannot be told from one that was cut; with one it is counted.
#[test]
fn a_whole_object_that_ends_early_is_no_success() {
    bounded(async {
        let cuts = [
            Action::Cut(Place::Body(SIZE - 1)),
            Action::change(|response| {
                response.unframed = true;
                response.body.truncate(SIZE - 1);
            }),
        ];
        for action in cuts {
            let server = Faulty::start([Rule::first(1, Operation::Get, action.clone())]);
            server.put_object("k", &content());
            assert!(storage(&server).await.read("k").await.unwrap() == content(), "{action:?}");
            let server = Faulty::start([Rule::always(Operation::Get, action.clone())]);
            server.put_object("k", &content());
            let error = storage(&server).await.read("k").await.expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{action:?}: {error}");
        }
    });
}

/// The checksum of the whole, which the server holds, is compared with the bytes that arrived.
#[test]
fn a_flipped_bit_is_caught() {
    bounded(async {
        let flip = || Action::change(|response| response.body[SIZE / 2] ^= 1);
        let server = Faulty::start([Rule::first(1, Operation::Get, flip())]);
        server.put_object("k", &content());
        assert!(storage(&server).await.read("k").await.unwrap() == content());
        let server = Faulty::start([Rule::always(Operation::Get, flip())]);
        server.put_object("k", &content());
        let error = storage(&server).await.read("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    });
}

/// A pinned read takes no other object's bytes: neither after a 412, nor from a server that ignores If-Match.
#[test]
fn an_object_that_was_replaced_is_not_mixed() {
    bounded(async {
        let server = Faulty::start([]);
        server.put_object("k", &content());
        let store = storage(&server).await;
        let pin = store.head("k").await.unwrap().etag.unwrap();
        assert!(store.open("k", Some(0..10), Some(&pin)).await.is_ok());
        server.put_object("k", b"the replacement, no longer the same");
        let error = store.open("k", Some(0..10), Some(&pin)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Integrity, false), "{error}");

        let ignores = Action::Answer(
            Response::new(206).header("etag", "\"other\"").header("content-range", "bytes 0-2/35").body("the"),
        );
        let server = Faulty::start([Rule::always(Operation::Get, ignores)]);
        let error = storage(&server).await.open("k", Some(0..3), Some(&pin)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Integrity, false), "{error}");
    });
}
