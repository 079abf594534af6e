//! `Precondition::Absent` holds at the moment of the write, whoever else writes.

use std::sync::Arc;

use futures::future::join_all;
use storage::backend::{Precondition, WriteOptions};
use storage::body::PartBody;
use storage::{ErrorKind, StorageBackend};

use crate::stores::{content, keys, part_size, parts, put};

type Store = Arc<dyn StorageBackend>;

pub(crate) async fn absent_refuses_what_is_there(store: Store) {
    let create = |seed| {
        let store = store.clone();
        async move { store.put("k", &PartBody::from_bytes(content(100, seed)), &WriteOptions::create()).await }
    };
    create(1).await.unwrap();
    let error = create(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    assert_eq!(store.read("k").await.unwrap(), content(100, 1));
    store.delete("k").await.unwrap();
    create(3).await.unwrap();
    assert_eq!(store.read("k").await.unwrap(), content(100, 3));
    assert_eq!(keys(&*store, "").await, ["k"]);
}

pub(crate) async fn one_of_many_creators_wins(store: Store) {
    let creating = (0..16).map(|seed| {
        let store = store.clone();
        tokio::spawn(async move {
            let body = PartBody::from_bytes(content(1000, seed));
            store.put("claim", &body, &WriteOptions::create()).await.map(|_| seed)
        })
    });
    let mut winners = Vec::new();
    for outcome in join_all(creating).await {
        match outcome.unwrap() {
            Ok(seed) => winners.push(seed),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Exists, "{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(store.read("claim").await.unwrap(), content(1000, winners[0]));
}

pub(crate) async fn complete_keeps_its_condition(store: Store) {
    let part = part_size(&*store);
    let data = content(part + 5, 1);
    let options = WriteOptions::create();
    let upload = store.begin("k", &options).await.unwrap();
    let mut receipts = Vec::new();
    for (part, body) in parts(&data, part) {
        receipts.push(store.put_part("k", &upload, part, &body).await.unwrap());
    }
    put(&*store, "k", content(3, 2)).await;
    let error = store.complete("k", &upload, &receipts, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    store.abort("k", &upload).await.unwrap();
    assert_eq!(store.read("k").await.unwrap(), content(3, 2));
    assert_eq!(keys(&*store, "").await, ["k"]);
}

pub(crate) async fn match_replaces_only_what_was_seen(store: Store) {
    let options =
        |etag: &str| WriteOptions { precondition: Precondition::Match(etag.to_owned()), ..WriteOptions::replace() };
    let body = |seed| PartBody::from_bytes(content(100, seed));
    put(&*store, "k", content(100, 1)).await;
    let seen = store.head("k").await.unwrap().etag.unwrap();
    store.put("k", &body(2), &options(&seen)).await.unwrap();
    let error = store.put("k", &body(3), &options(&seen)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    assert_eq!(store.read("k").await.unwrap(), content(100, 2));
    store.delete("k").await.unwrap();
    let error = store.put("k", &body(4), &options(&seen)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    assert_eq!(keys(&*store, "").await, Vec::<String>::new());
}

pub(crate) async fn complete_replaces_only_what_was_seen(store: Store) {
    let part = part_size(&*store);
    let data = content(part + 5, 1);
    put(&*store, "k", content(3, 2)).await;
    let seen = store.head("k").await.unwrap().etag.unwrap();
    for replaced in [true, false] {
        let options = WriteOptions { precondition: Precondition::Match(seen.clone()), ..WriteOptions::replace() };
        let upload = store.begin("k", &options).await.unwrap();
        let mut receipts = Vec::new();
        for (part, body) in parts(&data, part) {
            receipts.push(store.put_part("k", &upload, part, &body).await.unwrap());
        }
        if replaced {
            store.complete("k", &upload, &receipts, &options).await.unwrap();
            assert_eq!(store.read("k").await.unwrap(), data);
        } else {
            let error = store.complete("k", &upload, &receipts, &options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
            store.abort("k", &upload).await.unwrap();
        }
    }
}
