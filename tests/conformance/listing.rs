//! Listings: prefixes are strings, not directories, and order is that of bytes.

use std::sync::Arc;

use storage::StorageBackend;

use crate::stores::{content, keys, put};

type Store = Arc<dyn StorageBackend>;

async fn fill(store: &Store, names: &[&str]) {
    for name in names {
        put(&**store, name, content(name.len(), 0)).await;
    }
}

pub(crate) async fn prefixes_are_strings(store: Store) {
    let all = ["epoch_1/a", "epoch_1/deep/b", "epoch_10/x", "epoch_2", "other/epoch_1/c"];
    fill(&store, &all).await;
    for (prefix, expected) in [
        ("", &all[..]),
        ("e", &all[..4]),
        ("epoch_1", &all[..3]),
        ("epoch_1/", &all[..2]),
        ("epoch_1/d", &all[1..2]),
        ("epoch_1/deep", &all[1..2]),
        ("epoch_1/deep/", &all[1..2]),
        ("epoch_10", &all[2..3]),
        ("epoch_10/x", &all[2..3]),
        ("epoch_2", &all[3..4]),
        ("other/", &all[4..]),
        ("other/epoch_1/c", &all[4..]),
        ("epoch_2/", &[]),
        ("epoch_1/a/", &[]),
        ("epoch_3", &[]),
        ("Epoch", &[]),
        ("nowhere/", &[]),
        ("epoch_1/nowhere/x", &[]),
        ("epoch_1//", &[]),
        ("../", &[]),
        ("epoch_1/../", &[]),
        ("./", &[]),
    ] {
        assert_eq!(keys(&*store, prefix).await, expected, "{prefix:?}");
    }
    for object in store.list("").await.unwrap() {
        assert_eq!(object.size, object.key.len() as u64);
        assert!(object.etag.is_some() && object.modified.is_some());
        assert_eq!(object.etag, store.head(&object.key).await.unwrap().etag);
    }
}

pub(crate) async fn order_is_of_bytes(store: Store) {
    // '.' and '-' are before '/', '0' after it, and capitals before small letters: no order of directories.
    let mut names = [
        "a/b",
        "a.b",
        "a-b/c",
        "a0",
        "a/b.c",
        "a/b-c/d",
        "a/b0",
        "A/z",
        "Z",
        "z",
        "\u{e9}",
        "e\u{301}",
        "\u{ffff}",
        "\u{10000}",
        "10",
        "9",
        "_",
    ];
    fill(&store, &names).await;
    names.sort_unstable();
    assert_eq!(keys(&*store, "").await, names);
    let within: Vec<_> = names.iter().filter(|name| name.starts_with("a/b")).copied().collect();
    assert_eq!(keys(&*store, "a/b").await, within);
}

pub(crate) async fn an_empty_store_lists_nothing(store: Store) {
    for prefix in ["", "a", "a/", "a/b/c"] {
        assert!(keys(&*store, prefix).await.is_empty());
    }
    assert!(!store.exists("a").await.unwrap());
    store.delete("a/b").await.unwrap();
    fill(&store, &["a/b"]).await;
    store.delete("a/b").await.unwrap();
    assert!(keys(&*store, "").await.is_empty());
}
