//! Ranges are exact, a pin holds one content, and what is not there is not found.

use std::sync::Arc;

use futures::TryStreamExt;
use storage::{ErrorKind, StorageBackend};

use crate::stores::{content, part_size, put};

type Store = Arc<dyn StorageBackend>;

pub(crate) async fn ranges_are_exact(store: Store) {
    let len = 700_001;
    let data = content(len, 0);
    store.write("k", data.clone()).await.unwrap();
    let end = len as u64;
    for range in [0..1, 0..end, 1..end, end - 1..end, 5..6, 262_143..262_145, 262_144..524_288, 1000..600_000] {
        let expected = data.slice(range.start as usize..range.end as usize);
        assert!(store.read_range("k", range.clone()).await.unwrap() == expected, "{range:?}");
        let opened = store.open("k", Some(range.clone()), None).await.unwrap();
        assert_eq!((&opened.range, opened.meta.size), (&range, end));
        let pieces: Vec<_> = opened.bytes.try_collect().await.unwrap();
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        assert!(pieces.concat() == expected, "{range:?}");
    }
    let whole = store.open("k", None, None).await.unwrap();
    assert_eq!(whole.range, 0..end);
    assert!(whole.collect().await.unwrap() == data);

    put(&*store, "empty", content(0, 0)).await;
    let whole = store.open("empty", None, None).await.unwrap();
    assert_eq!((whole.range.clone(), whole.meta.size), (0..0, 0));
    assert!(whole.collect().await.unwrap().is_empty());
}

pub(crate) async fn ranges_outside_are_refused(store: Store) {
    put(&*store, "k", content(100, 0)).await;
    put(&*store, "empty", content(0, 0)).await;
    #[allow(clippy::reversed_empty_ranges)]
    let ranges = [("k", 0..101), ("k", 99..200), ("k", 100..101), ("k", 5000..5001), ("k", 7..3), ("empty", 0..1)];
    for (key, range) in ranges {
        let error = store.read_range(key, range.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{range:?} of {key}: {error}");
    }
}

pub(crate) async fn a_pin_holds_one_content(store: Store) {
    let part = part_size(&*store);
    let data = content(part + 10, 1);
    store.write("k", data.clone()).await.unwrap();
    let etag = store.head("k").await.unwrap().etag.unwrap();
    let pinned = store.open("k", Some(5..20), Some(&etag)).await.unwrap();
    assert_eq!(pinned.meta.etag.as_ref(), Some(&etag));
    assert_eq!(pinned.collect().await.unwrap(), data.slice(5..20));

    store.write("k", content(part + 10, 2)).await.unwrap();
    let error = store.open("k", Some(5..20), Some(&etag)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    let now = store.head("k").await.unwrap().etag.unwrap();
    assert_ne!(now, etag);
    assert!(store.open("k", None, Some(&now)).await.unwrap().collect().await.unwrap() == content(part + 10, 2));

    store.delete("k").await.unwrap();
    assert_eq!(store.open("k", None, Some(&now)).await.unwrap_err().kind(), ErrorKind::NotFound);
}

pub(crate) async fn what_is_missing_is_not_found(store: Store) {
    put(&*store, "d/there", content(1, 0)).await;
    // A directory is no object; nothing is below an object.
    for key in ["missing", "d/missing", "no/where", "d", "d/there/below"] {
        for error in [
            store.read(key).await.unwrap_err(),
            store.read_range(key, 0..1).await.unwrap_err(),
            store.head(key).await.unwrap_err(),
            store.open(key, None, None).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains(key), "{error}");
        }
        assert!(!store.exists(key).await.unwrap());
    }
}
