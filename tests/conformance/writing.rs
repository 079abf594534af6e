//! Objects come back byte for byte, and are replaced and deleted whole.

use std::io::Write;
use std::sync::Arc;

use futures::future::join_all;
use storage::backend::WriteOptions;
use storage::body::PartBody;
use storage::checksum::Crc64;
use storage::{ErrorKind, StorageBackend};

use crate::stores::{content, keys, part_size, put};

type Store = Arc<dyn StorageBackend>;

pub(crate) async fn sizes_around_a_part_come_back(store: Store) {
    let part = part_size(&*store);
    for len in [0, 1, part - 1, part, part + 1, 2 * part, 3 * part + 17] {
        let (key, data) = (format!("sizes/{len}"), content(len, len as u64));
        assert_eq!(store.write(&key, data.clone()).await.unwrap(), len as u64);
        assert!(store.read(&key).await.unwrap() == data, "{len} bytes came back as others");
        let head = store.head(&key).await.unwrap();
        assert_eq!((head.key.as_str(), head.size), (key.as_str(), len as u64));
        assert_eq!(head.checksum, Some(Crc64::of(&data)), "{len}");
        assert!(store.exists(&key).await.unwrap());
    }
}

pub(crate) async fn a_whole_object_is_confirmed(store: Store) {
    let data = content(1000, 1);
    let options = WriteOptions::replace();
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let stored = store.put("a/b", &PartBody::from_bytes(data.clone()), &options).await.unwrap();
    let head = store.head("a/b").await.unwrap();
    assert_eq!((stored.size, stored.checksum), (1000, Some(Crc64::of(&data))));
    assert!(stored.etag.is_some());
    assert_eq!(stored.etag, head.etag);
    assert_eq!(head.token, Some(options.token));
    assert!(head.modified.unwrap() > before);
    let listed = store.list("").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].size, &listed[0].etag), (1000, &head.etag));
}

pub(crate) async fn a_changed_source_writes_nothing(store: Store) {
    let len = 100_000;
    put(&*store, "kept", content(5, 0)).await;
    let mut source = tempfile::NamedTempFile::new().unwrap();
    source.write_all(&content(len, 1)).unwrap();
    let file = Arc::new(source.reopen().unwrap());
    let body = PartBody::from_file(file, "source".into(), 0, len as u64);
    body.checksum().await.unwrap();
    std::fs::write(source.path(), content(len, 2)).unwrap();
    for key in ["kept", "new"] {
        let error = store.put(key, &body, &WriteOptions::replace()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    }
    assert_eq!(store.read("kept").await.unwrap(), content(5, 0));
    assert_eq!(keys(&*store, "").await, ["kept"]);
}

pub(crate) async fn replaces_whole_while_it_is_read(store: Store) {
    let part = part_size(&*store);
    let values: Vec<_> = (0..4).map(|seed| content(part * (seed as usize % 2) + 1000 + seed as usize, seed)).collect();
    store.write("k", values[0].clone()).await.unwrap();
    let writing = async {
        for value in values.iter().cycle().take(16) {
            store.write("k", value.clone()).await.unwrap();
        }
    };
    let reading = async {
        for _ in 0..32 {
            let read = store.read("k").await.unwrap();
            assert!(values.contains(&read), "{} bytes that nobody wrote", read.len());
        }
    };
    tokio::join!(writing, reading);
    assert!(store.read("k").await.unwrap() == values[3]);
}

pub(crate) async fn one_of_many_writers_wins_whole(store: Store) {
    let part = part_size(&*store);
    let values: Vec<_> = (0..12).map(|seed| content(part * (seed as usize % 3) + 100, seed)).collect();
    let written = join_all(values.iter().map(|value| {
        let (store, value) = (store.clone(), value.clone());
        tokio::spawn(async move { store.write("deep/er/k", value).await })
    }))
    .await;
    let winner = store.read("deep/er/k").await.unwrap();
    for (outcome, value) in written.into_iter().zip(&values) {
        match outcome.unwrap() {
            Ok(size) => assert_eq!(size, value.len() as u64),
            // A writer whose object was replaced before it could be looked at says so.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
                assert!(*value != winner, "the winner was told that it lost");
            }
        }
    }
    assert!(values.contains(&winner));
    assert_eq!(keys(&*store, "").await, ["deep/er/k"]);
}

pub(crate) async fn deletes_as_often_as_asked(store: Store) {
    for key in ["d/e/one", "d/two"] {
        put(&*store, key, content(10, 0)).await;
    }
    for _ in 0..2 {
        store.delete("d/e/one").await.unwrap();
        store.delete("never/was").await.unwrap();
        store.delete("d").await.unwrap();
        assert_eq!(keys(&*store, "").await, ["d/two"]);
    }
    assert_eq!(store.head("d/e/one").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!store.exists("d/e/one").await.unwrap());
    put(&*store, "d/e/one", content(11, 0)).await;
    assert_eq!(store.head("d/e/one").await.unwrap().size, 11);
}
