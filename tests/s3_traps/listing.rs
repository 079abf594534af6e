//! ListObjectsV2, parsed by `list`: rusoto reads a key of one space as empty, fails on control characters, does not
//! decode, and spins on XML that is cut.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use storage::{ErrorKind, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};
use crate::{bounded, storage};

async fn listed(server: &Faulty) -> Vec<String> {
    storage(server).await.list("").await.unwrap().into_iter().map(|object| object.key).collect()
}

#[test]
fn every_key_survives_a_server_that_encodes() {
    bounded(async {
        let server = Faulty::start([]);
        let mut keys = vec![
            " ",
            "  a ",
            "\u{1}\u{7f}",
            "new\nline\ttab\r",
            "a+b",
            "a%20b",
            "a%2Fb/c",
            "<&>\"'",
            "ü/\u{1F600}",
            "]]>",
        ];
        for key in &keys {
            server.put_object(key, b"content");
        }
        keys.sort_unstable();
        assert_eq!(listed(&server).await, keys);
        let request = server.requests(Operation::List).pop().unwrap();
        assert_eq!(request.param("encoding-type"), Some("url"));
    });
}

/// Servers that leave `encoding-type` out of account say so by leaving it out of the answer.
#[test]
fn every_key_survives_a_server_that_does_not_encode() {
    bounded(async {
        let object = |key: &str| {
            format!(
                "<Contents><Key>{key}</Key><Size>7</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>"
            )
        };
        let inside: String =
            [" ", "+", "%20", "&amp;", "&#10;", "<![CDATA[<]]>", "\u{fc}"].iter().map(|key| object(key)).collect();
        let page = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{inside}</ListBucketResult>");
        let server = Faulty::start([Rule::always(Operation::List, Action::Answer(Response::xml(200, &page)))]);
        assert_eq!(listed(&server).await, [" ", "+", "%20", "&", "\n", "<", "\u{fc}"]);
    });
}

#[test]
fn a_listing_that_is_none_is_an_error() {
    bounded(async {
        for (what, answer) in [
            ("cut after the first start tag", Response::xml(200, "<ListBucketResult>")),
            ("cut inside a key", Response::xml(200, "<ListBucketResult><Contents><Key>epoch_1/mo")),
            ("empty", Response::new(200)),
            ("an error", Response::error(200, "InternalError")),
            ("a web page", Response::new(200).header("content-type", "text/html").body("<html></html>")),
            ("without an end", Response::xml(200, "<ListBucketResult></ListBucketResult>")),
            (
                "a page without a next",
                Response::xml(200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"),
            ),
        ] {
            let server = Faulty::start([Rule::always(Operation::List, Action::Answer(answer.clone()))]);
            let error = storage(&server).await.list("").await.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error}");

            let server = Faulty::start([Rule::first(1, Operation::List, Action::Answer(answer))]);
            server.put_object("k", b"content");
            assert_eq!(listed(&server).await, ["k"], "{what}: the next try is whole");
        }
    });
}

#[test]
fn pages_are_followed_to_the_end_and_never_round_and_round() {
    bounded(async {
        let server = Faulty::start([]);
        let keys: Vec<String> = (0..2_500).map(|number| format!("epoch_{number:04}/model bin")).collect();
        for key in &keys {
            server.put_object(key, b"");
        }
        assert_eq!(listed(&server).await, keys);
        assert_eq!(server.requests(Operation::List).len(), 3);

        let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                    <NextContinuationToken>again</NextContinuationToken></ListBucketResult>";
        let server = Faulty::start([Rule::always(Operation::List, Action::Answer(Response::xml(200, page)))]);
        let error = storage(&server).await.list("").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");

        // Pages without an object and without an end, each with a token of its own.
        let count = AtomicU32::new(0);
        let another = Action::change(move |response| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            response.body = page.replace("again", &format!("again-{number}")).into_bytes();
        });
        let server = Faulty::start([Rule::always(Operation::List, another)]);
        let error = storage(&server).await.list("").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    });
}

#[test]
fn the_next_page_is_fetched_while_one_is_worked_on() {
    bounded(async {
        let server = Faulty::start([]);
        for number in 0..2_500 {
            server.put_object(&format!("{number:04}"), b"");
        }
        let store = storage(&server).await;
        let mut pages = store.pages("");
        for asked in 2..=3 {
            assert_eq!(pages.try_next().await.unwrap().map(|page| page.len()), Some(1000));
            // Nobody asks for a page meanwhile.
            while server.count(Operation::List) < asked {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(pages.try_next().await.unwrap().map(|page| page.len()), Some(500));
        assert!(pages.try_next().await.unwrap().is_none());
        assert_eq!(server.requests(Operation::List).len(), 3);
    });
}
