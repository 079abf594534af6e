//! The S3 backend against a real MinIO, as an identity with exactly the five permissions.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use storage::backend::{Part, Precondition, WriteOptions};
use storage::body::PartBody;
use storage::checksum::Crc64;
use storage::{Environment, ErrorKind, Overwrite, RuntimeConfig, S3Config, S3Storage, StorageBackend, Transfer};
use support::minio::{self, Bucket};
use support::nobody::{NO_HOST, Nobody};
use tokio::io::AsyncReadExt;

const MIB: usize = 1 << 20;

/// The bucket with some variables changed; an empty value unsets one.
async fn storage_with(bucket: &Bucket, changes: &[(&str, &str)]) -> storage::Result<S3Storage> {
    let mut variables = bucket.environment();
    for (name, value) in changes {
        variables.retain(|(other, _)| other != name);
        variables.push(((*name).to_owned(), (*value).to_owned()));
    }
    let environment = Environment::from_pairs(variables);
    let name = environment.get("CHECKPOINT_BUCKET").unwrap();
    let config = S3Config::from_environment(&name, &environment)?;
    S3Storage::with_config(config, RuntimeConfig::from_environment(&environment)?).await
}

async fn storage(bucket: &Bucket) -> S3Storage {
    storage_with(bucket, &[]).await.unwrap()
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn sizes_come_back_byte_for_byte() {
    for server in [minio::shared(), minio::shared_tls()] {
        let bucket = server.bucket();
        let store = storage(&bucket).await;
        for len in [0, 1, 100_000, 8 * MIB, 8 * MIB + 1, 17 * MIB + 3] {
            let data = bytes(len);
            assert_eq!(store.write("epoch_10/model.bin", data.clone()).await.unwrap(), len as u64);
            assert!(bucket.read("epoch_10/model.bin") == data, "{len}: another client reads it");
            assert!(store.read("epoch_10/model.bin").await.unwrap() == data, "{len}");
            let meta = store.head("epoch_10/model.bin").await.unwrap();
            assert_eq!((meta.size, meta.checksum), (len as u64, Some(Crc64::of(&data))), "{len}");
            assert!(meta.token.is_some() && meta.modified.is_some() && meta.etag.is_some());
        }
        assert!(bucket.uploads().is_empty());
    }
}

#[tokio::test]
async fn keys_may_be_odd() {
    let bucket = minio::shared().bucket();
    let store = storage_with(&bucket, &[("CHECKPOINT_PREFIX", "/runs/ü b/")]).await.unwrap();
    let mut keys = vec![
        "a b",
        " ",
        "a+b",
        "a%2Fb",
        "100%",
        "ü/\u{1F600}",
        "u\u{308}",
        "new\nline",
        "back\\slash",
        "q?x=1&y#z",
        "\"'<&>",
        "..a/b..",
        ".hidden",
        "~$!*(),;:@[]{}|^`",
        "\u{1}\u{7f}",
    ];
    let long = "x".repeat(200) + "/" + &"y".repeat(200);
    keys.push(&long);
    for key in &keys {
        store.write(key, Bytes::from((*key).to_owned())).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    let mut sorted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    sorted.sort();
    let listed: Vec<String> = store.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, sorted);
    let full: Vec<String> = sorted.iter().map(|key| format!("runs/ü b/{key}")).collect();
    assert_eq!(bucket.object_keys(), full, "another client sees the same names");
    for key in &keys {
        assert_eq!(store.read(key).await.unwrap(), key.as_bytes(), "{key:?}");
        store.delete(key).await.unwrap();
    }
    assert!(bucket.objects().is_empty());
    assert_eq!(store.uri("k"), format!("s3://{}/runs/ü b/k", bucket.name()));
}

#[tokio::test]
async fn the_prefix_counts_towards_the_longest_key() {
    let bucket = minio::shared().bucket();
    let store = storage_with(&bucket, &[("CHECKPOINT_PREFIX", "runs")]).await.unwrap();
    let error = store.write(&"x".repeat(1020), Bytes::new()).await.unwrap_err();
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Invalid, 1));
    for key in ["", "/a", "a//b", "../a", "a/"] {
        assert_eq!(store.head(key).await.unwrap_err().kind(), ErrorKind::Invalid, "{key:?}");
    }
}

#[tokio::test]
async fn ranges_are_exact_and_pinned() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    let data = bytes(100_000);
    store.write("k", data.clone()).await.unwrap();
    for range in [0..1, 0..100_000, 99_999..100_000, 500..500, 0..0, 100_000..100_000, 12_345..67_890] {
        let got = store.read_range("k", range.clone()).await.unwrap();
        assert!(got == data.slice(range.start as usize..range.end as usize), "{range:?}");
    }
    #[allow(clippy::reversed_empty_ranges)]
    for range in [0..100_001, 99_999..200_000, 100_000..100_001, 200_000..200_001, 200_000..200_000, 5..4] {
        let error = store.read_range("k", range.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{range:?}: {error}");
    }
    let etag = store.head("k").await.unwrap().etag.unwrap();
    let body = store.open("k", Some(10..20), Some(&etag)).await.unwrap();
    assert_eq!((body.meta.size, body.meta.etag.as_deref()), (100_000, Some(etag.as_str())));
    assert_eq!(body.collect().await.unwrap(), data.slice(10..20));
    store.write("k", bytes(50_000)).await.unwrap();
    let error = store.open("k", Some(10..20), Some(&etag)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Integrity, false), "{error}");
}

#[tokio::test]
async fn only_one_creates() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    let create = WriteOptions::create();
    store.put("k", &PartBody::from_bytes(bytes(10)), &create).await.unwrap();
    let again = store.put("k", &PartBody::from_bytes(bytes(10)), &create).await.unwrap();
    assert_eq!(again.size, 10, "the same write repeated is one write");
    let error = store.put("k", &PartBody::from_bytes(bytes(9)), &WriteOptions::create()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    assert_eq!(bucket.read("k").len(), 10);

    let whole = bytes(5 * MIB + 1);
    let options = WriteOptions::create();
    assert_eq!(options.precondition, Precondition::Absent);
    let upload = store.begin("m", &options).await.unwrap();
    let other = store.begin("m", &options).await.unwrap();
    let mut receipts = Vec::new();
    for (number, range) in [(2, 5 * MIB..5 * MIB + 1), (1, 0..5 * MIB)] {
        let (part, body) = (Part { number, offset: range.start as u64 }, PartBody::from_bytes(whole.slice(range)));
        receipts.push(store.put_part("m", &upload, part, &body).await.unwrap());
        store.put_part("m", &other, part, &body).await.unwrap();
    }
    receipts.sort_by_key(|receipt| receipt.number);
    let stored = store.complete("m", &upload, &receipts, &options).await.unwrap();
    assert_eq!((stored.size, stored.checksum), (whole.len() as u64, Some(Crc64::of(&whole))));
    let lost = store.complete("m", &upload, &receipts, &options).await.unwrap();
    assert_eq!(lost, stored, "a success whose answer was lost is recognised");
    let error = store.complete("m", &other, &receipts, &WriteOptions::create()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    store.abort("m", &other).await.unwrap();
    store.abort("m", &other).await.unwrap();
    assert!(bucket.uploads().is_empty());
}

#[tokio::test]
async fn an_upload_that_was_aborted_is_no_success() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    let options = WriteOptions::replace();
    let upload = store.begin("m", &options).await.unwrap();
    let body = PartBody::from_bytes(bytes(3));
    let part = Part { number: 1, offset: 0 };
    let receipt = store.put_part("m", &upload, part, &body).await.unwrap();
    store.abort("m", &upload).await.unwrap();
    let error = store.complete("m", &upload, std::slice::from_ref(&receipt), &options).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("NoSuchUpload")), "{error}");
    let error = store.put_part("m", &upload, part, &body).await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
    assert!(!store.exists("m").await.unwrap());
}

#[tokio::test]
async fn a_source_that_changes_fails_the_part_and_nothing_is_repeated() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes(2 * MIB)).unwrap();
    let source = Arc::new(file.reopen().unwrap());
    let body = PartBody::from_file(source, "model.bin".into(), 0, 2 * MIB as u64);
    std::fs::write(file.path(), bytes(MIB)).unwrap();
    let error = store.put("k", &body, &WriteOptions::replace()).await.unwrap_err();
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Integrity, 1), "{error}");
    assert!(error.to_string().contains("changed while it was being put"), "{error}");
    assert!(bucket.objects().is_empty());
}

#[tokio::test]
async fn listings_have_no_end_at_a_thousand() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    let keys: Vec<String> = (0..1003).map(|i| format!("d/{i:04}")).collect();
    for some in keys.chunks(32) {
        try_join_all(some.iter().map(|key| store.write(key, Bytes::from_static(b"x")))).await.unwrap();
    }
    store.write("e", Bytes::new()).await.unwrap();
    let listed: Vec<String> = store.list("d/").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, keys);
    assert_eq!(store.list("d/00").await.unwrap().len(), 100);
    assert!(store.list("absent/").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_there() {
    let bucket = minio::shared().bucket();
    let store = storage(&bucket).await;
    store.delete("absent").await.unwrap();
    assert!(!store.exists("absent").await.unwrap());
    let endpoint = store.endpoint();
    let error = store.read("absent").await.unwrap_err();
    let text = format!("cannot read 'absent' at {endpoint}: there is no such object in bucket '{}'", bucket.name());
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, text));
    let nowhere = storage_with(&bucket, &[("CHECKPOINT_BUCKET", "no-such-bucket-at-all")]).await.unwrap();
    // With the five permissions on another bucket, MinIO does not tell whether one exists.
    for error in [nowhere.list("").await.unwrap_err(), nowhere.head("k").await.unwrap_err()] {
        assert!(matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound), "{error}");
        assert!(error.to_string().contains("no-such-bucket-at-all") && error.hint().is_some(), "{error}");
    }
}

#[tokio::test]
async fn endpoints_as_people_write_them_work() {
    let bucket = minio::shared().bucket();
    let plain = bucket.server().endpoint().to_owned();
    let bare = plain.trim_start_matches("http://").to_owned();
    let loud = format!("HTTP://LOCALHOST:{}/", bare.rsplit(':').next().unwrap());
    for endpoint in [format!("{plain}/"), bare, loud] {
        let store = storage_with(&bucket, &[("S3_ENDPOINT", &endpoint)]).await.unwrap();
        store.write("k", Bytes::from(endpoint.clone())).await.unwrap();
        assert_eq!(store.read("k").await.unwrap(), endpoint);
    }
}

/// With time enough: a command that is told to stop has two seconds, and says what it could not do in them.
#[tokio::test]
async fn a_stream_that_is_cancelled_leaves_no_upload() {
    let bucket = minio::shared().bucket();
    let environment = Environment::from_pairs(bucket.environment());
    let config = S3Config::from_environment(bucket.name(), &environment).unwrap();
    let runtime = RuntimeConfig { cancel_grace: Duration::from_secs(600), ..RuntimeConfig::default() };
    let cancel = runtime.cancel.clone();
    let store = Arc::new(S3Storage::with_config(config, runtime).await.unwrap());
    // More than one part, and the end never comes.
    let (_open, waiting) = tokio::io::duplex(1);
    let reader = Cursor::new(bytes(20 * MIB)).chain(waiting);
    let putting = tokio::spawn(async move { Transfer::new(store).put_stream(reader, "k", Overwrite::Replace).await });
    while bucket.uploads().is_empty() {
        assert!(!putting.is_finished(), "it ended by itself");
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    assert_eq!(putting.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!((bucket.uploads(), bucket.objects()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn wrong_settings_say_what_to_do() {
    let bucket = minio::shared().bucket();
    let secret = "hunter2hunter2";
    let (nobody, no_host) = (Nobody::bind(), format!("http://{NO_HOST}"));
    for (changes, kind, word) in [
        (&[("AWS_SECRET_ACCESS_KEY", secret)][..], ErrorKind::Denied, "AWS_SECRET_ACCESS_KEY"),
        (&[("AWS_ACCESS_KEY_ID", "AKIANOBODY")], ErrorKind::Denied, "AWS_ACCESS_KEY_ID"),
        (&[("S3_ENDPOINT", &nobody.endpoint())], ErrorKind::Unavailable, "S3_ENDPOINT"),
        (&[("S3_ENDPOINT", &no_host)], ErrorKind::Unavailable, "S3_ENDPOINT"),
    ] {
        let store = storage_with(&bucket, changes).await.unwrap();
        let error = store.write("k", bytes(5)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.hint().unwrap().contains(word), "{error}: {:?}", error.hint());
        assert!(error.tries() <= 3, "{error}");
        assert!(!format!("{error} {error:?} {store:?}").contains(secret));
    }
    let secure = bucket.server().endpoint().replace("http", "https");
    let store = storage_with(&bucket, &[("S3_ENDPOINT", &secure)]).await.unwrap();
    let error = store.head("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.hint().unwrap().contains("http://"), "{error}");
    assert!(bucket.objects().is_empty());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let bucket = minio::shared_tls().bucket();
    let store = storage_with(&bucket, &[("AWS_CA_BUNDLE", "")]).await.unwrap();
    let error = store.write("k", bytes(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.tries()), (ErrorKind::Denied, 1), "{error}");
    assert!(error.hint().unwrap().contains("AWS_CA_BUNDLE"));
}
