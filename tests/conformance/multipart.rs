//! The stateless multipart calls.

use std::sync::Arc;

use bytes::Bytes;
use storage::backend::{PartReceipt, UploadId, WriteOptions};
use storage::checksum::Crc64;
use storage::{ErrorKind, StorageBackend};

use crate::stores::{content, keys, part_size, parts, put};

type Store = Arc<dyn StorageBackend>;

/// Sends all parts of `data` in the order of `numbers` and returns the receipts sorted.
async fn send(store: &Store, key: &str, upload: &UploadId, data: &Bytes, numbers: &[usize]) -> Vec<PartReceipt> {
    let parts = parts(data, part_size(&**store));
    let mut receipts = Vec::new();
    for number in numbers {
        let (part, body) = &parts[number - 1];
        let receipt = store.put_part(key, upload, *part, body).await.unwrap();
        assert_eq!((receipt.number, receipt.size), (part.number, body.len()));
        assert_eq!(receipt.checksum, body.checksum().await.unwrap());
        receipts.push(receipt);
    }
    receipts.sort_by_key(|receipt| receipt.number);
    receipts
}

pub(crate) async fn parts_come_in_any_order(store: Store) {
    let data = content(2 * part_size(&*store) + 7, 1);
    let options = WriteOptions::replace();
    let upload = store.begin("dir/k", &options).await.unwrap();
    let receipts = send(&store, "dir/k", &upload, &data, &[3, 1, 2]).await;
    let stored = store.complete("dir/k", &upload, &receipts, &options).await.unwrap();
    assert_eq!((stored.size, stored.checksum), (data.len() as u64, Some(Crc64::of(&data))));
    let head = store.head("dir/k").await.unwrap();
    assert_eq!((head.size, head.checksum), (data.len() as u64, Some(Crc64::of(&data))));
    assert_eq!((head.etag, head.token), (stored.etag, Some(options.token)));
    assert!(store.read("dir/k").await.unwrap() == data);
    assert_eq!(keys(&*store, "").await, ["dir/k"]);
}

pub(crate) async fn a_part_sent_again_counts_once(store: Store) {
    let part = part_size(&*store);
    let (old, new) = (content(2 * part + 7, 1), content(2 * part + 7, 2));
    let options = WriteOptions::replace();
    let upload = store.begin("k", &options).await.unwrap();
    send(&store, "k", &upload, &old, &[1, 2]).await;
    let receipts = send(&store, "k", &upload, &new, &[3, 2, 1]).await;
    store.complete("k", &upload, &receipts, &options).await.unwrap();
    assert!(store.read("k").await.unwrap() == new);
    assert_eq!(store.head("k").await.unwrap().checksum, Some(Crc64::of(&new)));
}

pub(crate) async fn aborted_leaves_nothing(store: Store) {
    let data = content(part_size(&*store) + 1, 1);
    let options = WriteOptions::replace();
    let upload = store.begin("a/b/k", &options).await.unwrap();
    let receipts = send(&store, "a/b/k", &upload, &data, &[1, 2]).await;
    for _ in 0..2 {
        store.abort("a/b/k", &upload).await.unwrap();
    }
    store.complete("a/b/k", &upload, &receipts, &options).await.unwrap_err();
    let (part, body) = &parts(&data, part_size(&*store))[0];
    store.put_part("a/b/k", &upload, *part, body).await.unwrap_err();
    assert!(keys(&*store, "").await.is_empty());
}

pub(crate) async fn abort_works_after_cancel(store: Store) {
    let data = content(part_size(&*store) + 1, 1);
    let options = WriteOptions::replace();
    let upload = store.begin("k", &options).await.unwrap();
    send(&store, "k", &upload, &data, &[1]).await;
    store.runtime().cancel.cancel();
    let (part, body) = &parts(&data, part_size(&*store))[1];
    let error = store.put_part("k", &upload, *part, body).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    store.abort("k", &upload).await.unwrap();
}

pub(crate) async fn nothing_shows_before_complete(store: Store) {
    put(&*store, "old", content(3, 0)).await;
    let data = content(part_size(&*store) + 1, 1);
    let options = WriteOptions::replace();
    let (old, new) = (store.begin("old", &options).await.unwrap(), store.begin("new", &options).await.unwrap());
    let old_receipts = send(&store, "old", &old, &data, &[1, 2]).await;
    send(&store, "new", &new, &data, &[1, 2]).await;
    assert_eq!(keys(&*store, "").await, ["old"]);
    assert_eq!(store.read("old").await.unwrap(), content(3, 0));
    assert!(!store.exists("new").await.unwrap());
    store.abort("new", &new).await.unwrap();
    store.complete("old", &old, &old_receipts, &options).await.unwrap();
    assert!(store.read("old").await.unwrap() == data);
    assert_eq!(keys(&*store, "").await, ["old"]);
}

pub(crate) async fn complete_twice_is_one_write(store: Store) {
    let data = content(part_size(&*store) + 1, 1);
    let options = WriteOptions::create();
    let upload = store.begin("k", &options).await.unwrap();
    let receipts = send(&store, "k", &upload, &data, &[1, 2]).await;
    let first = store.complete("k", &upload, &receipts, &options).await.unwrap();
    // As after a lost answer: the token tells that the object is this very write.
    let again = store.complete("k", &upload, &receipts, &options).await.unwrap();
    assert_eq!((again.size, again.etag), (first.size, first.etag));
    let other = WriteOptions::create();
    store.complete("k", &upload, &receipts, &other).await.unwrap_err();
    assert!(store.read("k").await.unwrap() == data);
}
