//! Odd headers: `for_rusoto` hands over only those that it reads and that are sane, since rusoto panics on others.

use storage::StorageBackend;

use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{PART, bounded, bytes, storage};

/// A header that is not ASCII, a boolean in Python's spelling, and numbers that are none.
const ODD: [(&str, &[u8]); 8] = [
    ("x-amz-meta-author", b"J\xc3\xbcrgen"),
    ("server", b"gate\xffway"),
    ("x-amz-delete-marker", b"True"),
    ("x-amz-server-side-encryption-bucket-key-enabled", b"True"),
    ("x-amz-missing-meta", b"several"),
    ("x-amz-mp-parts-count", b"-"),
    ("x-amz-tagging-count", b"1.5"),
    ("x-amz-version-id", b"\xe9"),
];

#[test]
fn odd_headers_hurt_nothing() {
    bounded(async {
        for (name, value) in ODD {
            let odd = Action::change(move |response| response.set(name, value));
            let server = Faulty::start([Rule::always(Operation::Any, odd)]);
            let store = storage(&server).await;
            let data = bytes(2 * PART);
            store.write("parts", data.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            store.write("whole", bytes(10)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(store.read("parts").await.unwrap() == data, "{name}");
            assert_eq!(store.head("whole").await.unwrap().size, 10, "{name}");
            assert_eq!(store.list("").await.unwrap().len(), 2, "{name}");
            store.delete("whole").await.unwrap();
            assert!(!store.exists("whole").await.unwrap(), "{name}");
        }
    });
}

/// Headers that are needed, and odd: never a panic, never a wrong size.
#[test]
fn a_size_that_is_none_is_an_error() {
    bounded(async {
        for value in [&b"True"[..], b"-1", b"1.0", b"99999999999999999999", b"\xc3\xa9"] {
            let odd = Action::change(move |response| response.set("content-length", value));
            let server = Faulty::start([Rule::always(Operation::Head, odd)]);
            server.put_object("k", b"content");
            assert!(storage(&server).await.head("k").await.is_err(), "{value:?}");
        }
    });
}
