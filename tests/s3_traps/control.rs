//! Calls whose answers rusoto parses: they reach it only when `Client::root` has found them whole, since its parser
//! spins at 100 % CPU on XML that is cut after its first start tag.

use futures::future::join_all;
use storage::backend::{UploadId, WriteOptions};
use storage::{ErrorKind, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};
use crate::{PART, bounded, bytes, storage};

fn no_beginnings() -> Vec<(&'static str, Response)> {
    let started = "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    vec![
        ("XML cut after its first start tag", Response::xml(200, started)),
        ("XML cut inside the id", Response::xml(200, &format!("{started}<UploadId>upl"))),
        ("nothing", Response::new(200)),
        ("an error", Response::error(200, "InternalError")),
        ("a web page", Response::new(200).header("content-type", "text/html").body("<html><body>")),
    ]
}

#[test]
fn an_upload_that_did_not_begin_is_begun_again() {
    bounded(async {
        join_all(no_beginnings().into_iter().map(|(what, answer)| async move {
            let server = Faulty::start([Rule::first(1, Operation::Create, Action::Answer(answer.clone()))]);
            let stored = storage(&server).await.write("k", bytes(2 * PART)).await;
            stored.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(server.object("k").unwrap() == bytes(2 * PART), "{what}");

            let server = Faulty::start([Rule::always(Operation::Create, Action::Answer(answer))]);
            let error = storage(&server).await.write("k", bytes(2 * PART)).await.expect_err(what);
            assert_eq!((error.kind(), error.tries()), (ErrorKind::Unavailable, 3), "{what}: {error}");
        }))
        .await;
    });
}

#[test]
fn an_upload_without_an_id_is_an_error() {
    bounded(async {
        for id in ["", "<UploadId></UploadId>", "<UploadId/>"] {
            let answer = format!("<InitiateMultipartUploadResult><Key>k</Key>{id}</InitiateMultipartUploadResult>");
            let answer = Action::Answer(Response::xml(200, &answer));
            let server = Faulty::start([Rule::always(Operation::Create, answer)]);
            assert!(storage(&server).await.write("k", bytes(2 * PART)).await.is_err(), "{id:?}");
            assert!(server.requests(Operation::Part).is_empty(), "{id:?}");
        }
    });
}

/// A refusal says by its status alone what it is.
#[test]
fn a_refusal_that_is_cut_is_a_refusal() {
    bounded(async {
        for body in ["<Error>", "<Error><Code>AccessDen", "", "\u{fffd}"] {
            let refusal = Response::new(403).header("content-type", "application/xml").body(body);
            let server = Faulty::start([Rule::always(Operation::Any, Action::Answer(refusal))]);
            let store = storage(&server).await;
            let outcomes = [
                store.head("k").await.map(drop),
                store.read("k").await.map(drop),
                store.list("").await.map(drop),
                store.delete("k").await,
                store.write("k", bytes(10)).await.map(drop),
                store.begin("k", &WriteOptions::replace()).await.map(drop),
                store.abort("k", &UploadId("id".to_owned())).await,
            ];
            for (number, outcome) in outcomes.into_iter().enumerate() {
                let error = outcome.expect_err(body);
                assert_eq!((error.kind(), error.tries()), (ErrorKind::Denied, 1), "{body:?}, call {number}: {error}");
            }
        }
    });
}
