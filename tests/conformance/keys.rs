//! What is a key, and what is none.

use std::sync::Arc;

use storage::backend::{Part, UploadId, WriteOptions};
use storage::body::PartBody;
use storage::{ErrorKind, Result, StorageBackend};

use crate::stores::{content, keys};

type Store = Arc<dyn StorageBackend>;

pub(crate) async fn odd_names_are_names(store: Store) {
    let longest = format!("{}/{}/{}", "x".repeat(255), "y".repeat(255), "z".repeat(200));
    let mut odd = vec![
        "odd/ ",
        "odd/ leading and trailing ",
        "odd/a b",
        "odd/a+b",
        "odd/a%2Fb",
        "odd/a%",
        "odd/..dots..",
        "odd/.hidden",
        "odd/...",
        "odd/trailing.",
        "odd/caf\u{e9}",
        "odd/cafe\u{301}",
        "odd/\u{1f600}/\u{4e2d}\u{6587}",
        "odd/new\nline",
        "odd/tab\tand\rreturn",
        "odd/back\\slash",
        "odd/quote'\"`",
        "odd/&<>?#=;:@*$!~^{}[]()|,",
        "odd/.strata/manifest.json",
        "odd/-",
        "-",
        ".strata/x",
        &longest,
    ];
    for (key, seed) in odd.iter().zip(0..) {
        store.write(key, content(10, seed)).await.unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    for (key, seed) in odd.iter().zip(0..) {
        assert_eq!(store.read(key).await.unwrap(), content(10, seed), "{key:?}");
        assert_eq!(keys(&*store, key).await.first().map(String::as_str), Some(*key));
    }
    let listed = keys(&*store, "").await;
    odd.sort_unstable();
    assert_eq!(listed, odd);
    for key in &odd {
        store.delete(key).await.unwrap();
        assert_eq!(store.head(key).await.unwrap_err().kind(), ErrorKind::NotFound, "{key:?}");
    }
    assert!(keys(&*store, "").await.is_empty());
}

pub(crate) async fn no_key_is_refused_by_every_call(store: Store) {
    fn refused<T: std::fmt::Debug>(key: &str, call: &str, outcome: Result<T>) {
        let error = outcome.expect_err(&format!("{call} took {key:?}"));
        assert_eq!(error.kind(), ErrorKind::Invalid, "{call} of {key:?}: {error}");
        assert!(error.hint().is_some() || key.len() > 1024, "{call} of {key:?} without a hint");
        assert!(!error.to_string().contains(['\0', '\n']), "{error}");
    }
    let long = "x/".repeat(512) + "x";
    let body = PartBody::from_bytes(content(3, 0));
    let options = WriteOptions::replace();
    let upload = UploadId("none".to_owned());
    for key in ["", "/", "/etc/x", "a/", "a//b", ".", "..", "../x", "a/../../x", "a/..", "./a", "a/.", "a\0b", &long] {
        refused(key, "read", store.read(key).await);
        refused(key, "read_range", store.read_range(key, 0..1).await);
        refused(key, "write", store.write(key, content(3, 0)).await);
        refused(key, "delete", store.delete(key).await);
        refused(key, "exists", store.exists(key).await);
        refused(key, "head", store.head(key).await);
        refused(key, "open", store.open(key, None, None).await);
        refused(key, "put", store.put(key, &body, &options).await);
        refused(key, "begin", store.begin(key, &options).await);
        refused(key, "put_part", store.put_part(key, &upload, Part { number: 1, offset: 0 }, &body).await);
        refused(key, "complete", store.complete(key, &upload, &[], &options).await);
        refused(key, "abort", store.abort(key, &upload).await);
    }
    assert!(keys(&*store, "").await.is_empty());
}
