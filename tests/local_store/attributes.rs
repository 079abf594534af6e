//! The stored checksum and token, and when they are believed; modes.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::Duration;

use futures::TryStreamExt;
use storage::backend::WriteOptions;
use storage::body::PartBody;
use storage::checksum::Crc64;
use storage::{ErrorKind, StorageBackend};

use crate::bed::{Bed, zeros};

/// Overwrites one byte in place; the time of modification stays where `keep_time` says so.
fn flip(path: &std::path::Path, at: u64, keep_time: bool) {
    let file = File::options().write(true).open(path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(b"\x01", at).unwrap();
    file.set_modified(if keep_time { time } else { time + Duration::from_secs(1) }).unwrap();
}

#[tokio::test]
async fn damage_is_found_by_the_stored_checksum() {
    let bed = Bed::new();
    for len in [1000, 200_000] {
        bed.write("k", zeros(len)).await.unwrap();
        let etag = bed.head("k").await.unwrap().etag;
        flip(&bed.path("k"), 500, true);
        let error = bed.read("k").await.unwrap_err();
        assert_eq!((error.kind(), error.tries()), (ErrorKind::Integrity, 1), "{error}");
        assert_eq!(
            error.to_string(),
            format!("cannot read 'k' at {}: the bytes that arrived do not have the stored checksum", bed.endpoint())
        );
        let head = bed.head("k").await.unwrap();
        assert_eq!((head.checksum, head.etag), (Some(Crc64::of(&zeros(len))), etag));
    }
}

#[tokio::test]
async fn an_edit_by_another_tool_makes_the_checksum_unknown() {
    let bed = Bed::new();
    bed.write("k", zeros(1000)).await.unwrap();
    let before = bed.head("k").await.unwrap();
    flip(&bed.path("k"), 500, false);
    let head = bed.head("k").await.unwrap();
    assert_eq!((head.size, head.checksum, head.token), (1000, None, None));
    assert_ne!(head.etag, before.etag);
    assert_eq!(bed.read("k").await.unwrap()[500], 1);
    assert!(bed.store.open("k", None, before.etag.as_deref()).await.is_err());

    fs::write(bed.path("by hand"), "abc").unwrap();
    let head = bed.head("by hand").await.unwrap();
    assert_eq!((head.size, head.checksum, head.token), (3, None, None));
}

#[tokio::test]
async fn writing_the_same_again_is_a_new_content() {
    let bed = Bed::new();
    bed.put("k", b"same").await;
    let first = bed.head("k").await.unwrap();
    bed.put("k", b"same").await;
    let second = bed.head("k").await.unwrap();
    assert_eq!(first.checksum, second.checksum);
    assert_ne!(first.etag, second.etag);
    assert_ne!(first.token, second.token);
}

#[tokio::test]
async fn modes_are_those_of_ordinary_files() {
    let bed = Bed::new();
    bed.put("d/put", b"x").await;
    bed.write("d/multipart", zeros(100_000)).await.unwrap();
    fs::create_dir(bed.path("plain")).unwrap();
    fs::write(bed.path("plain/file"), "x").unwrap();
    let mode = |key: &str| fs::metadata(bed.path(key)).unwrap().permissions().mode();
    assert_eq!(mode("d/put"), mode("plain/file"));
    assert_eq!(mode("d/multipart"), mode("plain/file"));
    assert_eq!(mode("d"), mode("plain"));
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_no_success() {
    let bed = Bed::new();
    for shorter in [true, false] {
        bed.write("k", zeros(1 << 20)).await.unwrap();
        let mut body = bed.open("k", None, None).await.unwrap();
        assert!(body.bytes.try_next().await.unwrap().is_some());
        let file = File::options().write(true).open(bed.path("k")).unwrap();
        if shorter {
            file.set_len(1000).unwrap();
        } else {
            flip(&bed.path("k"), 10, false);
        }
        let error = body.bytes.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_reader_keeps_what_it_opened_when_the_object_is_replaced() {
    let bed = Bed::new();
    bed.write("k", zeros(1 << 20)).await.unwrap();
    let inode = fs::metadata(bed.path("k")).unwrap().ino();
    let body = bed.open("k", None, None).await.unwrap();
    bed.put("k", b"new").await;
    assert_ne!(fs::metadata(bed.path("k")).unwrap().ino(), inode);
    assert!(body.collect().await.unwrap() == zeros(1 << 20));
    bed.store.put("k", &PartBody::from_bytes(zeros(5)), &WriteOptions::replace()).await.unwrap();
    assert_eq!(bed.read("k").await.unwrap(), zeros(5));
}
