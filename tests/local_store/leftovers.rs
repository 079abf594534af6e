//! Nothing stays behind: no partial file, no empty directory, whatever fails.

use std::fs;
use std::sync::Arc;

use futures::future::join_all;
use storage::backend::{Part, UploadId, WriteOptions};
use storage::body::PartBody;
use storage::{ErrorKind, StorageBackend};

use crate::bed::{Bed, Gate, in_another_process, one_at_a_time, zeros};

#[tokio::test]
async fn a_failed_write_leaves_nothing() {
    let bed = Bed::new();
    bed.put("old", b"old").await;
    let source = tempfile::NamedTempFile::new().unwrap();
    source.as_file().set_len(1 << 20).unwrap();
    let file = Arc::new(source.reopen().unwrap());
    let body = PartBody::from_file(file, "source".into(), 0, 1 << 20);
    body.checksum().await.unwrap();
    fs::write(source.path(), vec![1; 1 << 20]).unwrap();
    for key in ["old", "new/and/deep"] {
        let error = bed.store.put(key, &body, &WriteOptions::replace()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        let error = bed.store.put(key, &PartBody::from_bytes(zeros(3)), &WriteOptions::create()).await;
        assert_eq!(error.is_err(), key == "old");
    }
    assert_eq!(bed.everything(), ["new", "new/and", "new/and/deep", "old"]);
    assert_eq!(bed.read("old").await.unwrap(), "old");
}

#[test]
fn a_write_that_is_given_up_leaves_nothing() {
    one_at_a_time().block_on(async {
        let bed = Bed::new();
        // Zeros would be a hole, which adds nothing to the file's length.
        let body = PartBody::from_bytes(vec![7; 16 << 20].into());
        let options = WriteOptions::replace();
        let mut before_opening = Gate::shut();
        before_opening.reached().await;
        let mut put = bed.store.put("a/b/k", &body, &options);
        assert!(futures::poll!(&mut put).is_pending());
        let mut before_writing = Gate::shut();
        before_opening.open();
        before_writing.reached().await;
        assert!(futures::poll!(&mut put).is_pending());
        let mut after_a_piece = Gate::shut();
        before_writing.open();
        after_a_piece.reached().await;
        let len = fs::metadata(bed.partial().unwrap()).unwrap().len();
        assert!((1..16 << 20).contains(&len), "{len}");
        // The next piece is on its way when the write is given up, and arrives after that.
        assert!(futures::poll!(&mut put).is_pending());
        drop(put);
        assert!(bed.everything().is_empty(), "{:?}", bed.everything());
        let mut after_all = Gate::shut();
        after_a_piece.open();
        after_all.reached().await;
        after_all.open();
        assert!(bed.everything().is_empty(), "{:?}", bed.everything());
    });
}

#[tokio::test]
async fn a_cancelled_write_leaves_nothing() {
    let bed = Bed::new();
    bed.runtime().cancel.cancel();
    for len in [10, 1 << 20] {
        let error = bed.write("a/b/k", zeros(len)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        assert!(bed.everything().is_empty(), "{:?}", bed.everything());
    }
}

#[tokio::test]
async fn the_last_object_takes_its_directories_with_it() {
    let bed = Bed::new();
    for key in ["a/b/c/one", "a/b/two", "three"] {
        bed.put(key, b"x").await;
    }
    fs::create_dir(bed.path("by hand")).unwrap();
    bed.delete("a/b/c/one").await.unwrap();
    assert_eq!(bed.everything(), ["a", "a/b", "a/b/two", "by hand", "three"]);
    bed.delete("a/b/two").await.unwrap();
    bed.delete("three").await.unwrap();
    bed.delete("by hand").await.unwrap();
    assert_eq!(bed.everything(), ["by hand"]);
}

#[tokio::test]
async fn an_upload_is_one_partial_file_until_it_is_aborted() {
    let bed = Bed::new();
    let options = WriteOptions::replace();
    let upload = bed.begin("a/b/model.bin", &options).await.unwrap();
    let body = PartBody::from_bytes(zeros(10));
    bed.put_part("a/b/model.bin", &upload, Part { number: 2, offset: 10 }, &body).await.unwrap();
    let partial = bed.partial().unwrap();
    assert_eq!(partial, bed.path(&upload.0));
    assert!(upload.0.starts_with("a/b/.model.bin."), "{upload:?}");
    assert_eq!(fs::metadata(partial).unwrap().len(), 20, "no space is claimed beyond what was written");
    assert!(bed.keys().await.is_empty());
    for _ in 0..2 {
        bed.abort("a/b/model.bin", &upload).await.unwrap();
        assert!(bed.everything().is_empty());
    }
}

#[tokio::test]
async fn a_missing_part_is_noticed() {
    let bed = Bed::new();
    let options = WriteOptions::replace();
    let upload = bed.begin("k", &options).await.unwrap();
    let body = PartBody::from_bytes(zeros(10));
    let mut receipts = Vec::new();
    for (number, offset) in [(1, 0), (2, 10), (3, 20)] {
        receipts.push(bed.put_part("k", &upload, Part { number, offset }, &body).await.unwrap());
    }
    let error = bed.complete("k", &upload, &receipts[..2], &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity);
    assert!(error.to_string().ends_with("its parts have 20 bytes, but 30 were written"), "{error}");
    receipts.swap(0, 1);
    let error = bed.complete("k", &upload, &receipts, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    receipts.swap(0, 1);
    bed.complete("k", &upload, &receipts, &options).await.unwrap();
    assert_eq!(bed.everything(), ["k"]);
}

#[tokio::test]
async fn an_upload_id_leads_nowhere_else() {
    let bed = Bed::new();
    bed.put("d/victim", b"x").await;
    let real = bed.begin("d/k", &WriteOptions::replace()).await.unwrap();
    let outside = bed.outside(".x.strata-partial");
    fs::write(&outside, "x").unwrap();
    std::os::unix::fs::symlink(&outside, bed.path("d/.link.strata-partial")).unwrap();
    let body = PartBody::from_bytes(zeros(10));
    let options = WriteOptions::replace();
    let absolute = outside.display().to_string();
    for id in ["", "d/victim", "../.x.strata-partial", "d/../../.x.strata-partial", &absolute, "d/.link.strata-partial"]
    {
        let upload = UploadId(id.to_owned());
        bed.put_part("d/k", &upload, Part { number: 1, offset: 0 }, &body).await.unwrap_err();
        bed.complete("d/k", &upload, &[], &options).await.unwrap_err();
        assert_eq!(bed.abort("d/k", &upload).await.is_ok(), id == "d/.link.strata-partial", "{id}");
    }
    // An upload belongs to its object's directory.
    assert_eq!(bed.abort("e/k", &real).await.unwrap_err().kind(), ErrorKind::Invalid);
    bed.abort("d/k", &real).await.unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"x");
    assert_eq!(bed.everything(), ["d", "d/victim"]);
}

#[tokio::test]
async fn names_of_partial_files_are_kept_for_them() {
    let bed = Bed::new();
    for key in ["x.strata-partial", "d.strata-partial/x"] {
        let error = bed.write(key, zeros(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    bed.put("d/k", b"x").await;
    fs::write(bed.path("d/.k.abc.strata-partial"), "left by a crash").unwrap();
    fs::create_dir(bed.path("e.strata-partial")).unwrap();
    fs::write(bed.path("e.strata-partial/x"), "x").unwrap();
    assert_eq!(bed.keys().await, ["d/k"]);
    assert!(bed.store.list("e.strata-partial/").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_pruning_deleters_do_not_hinder_each_other() {
    let bed = Bed::new();
    let workers = (0..8).map(|worker| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            let key = format!("a/b/c/{worker}");
            for _ in 0..25 {
                store.write(&key, zeros(10)).await.unwrap();
                assert_eq!(store.read(&key).await.unwrap(), zeros(10));
                store.delete(&key).await.unwrap();
            }
        })
    });
    for outcome in join_all(workers).await {
        outcome.unwrap();
    }
    assert!(bed.everything().is_empty(), "{:?}", bed.everything());
}

/// Fewer removals than a writer has tries, so that it always wins in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_vanishes_before_its_first_file_is_made_again() {
    let bed = Bed::new();
    bed.put("kept", b"x").await;
    for _ in 0..100 {
        let directories = ["a/b/c", "a/b", "a"].map(|directory| bed.path(directory));
        let pruning = tokio::task::spawn_blocking(move || {
            for directory in directories.iter().cycle().take(90) {
                let _ = fs::remove_dir(directory);
            }
        });
        let (written, pruned) = tokio::join!(bed.write("a/b/c/k", zeros(10)), pruning);
        written.unwrap();
        pruned.unwrap();
        bed.delete("a/b/c/k").await.unwrap();
    }
    assert_eq!(bed.everything(), ["kept"]);
}

/// The limit on a file's size stands for a disk that fills in the midst of a write.
#[tokio::test]
async fn a_disk_that_fills_leaves_what_was_there() {
    let name = "leftovers::a_disk_that_fills_leaves_what_was_there";
    let program = std::env::current_exe().unwrap().display().to_string();
    // Blocks of 512 or 1,024 bytes; the signal would end the process before the write could fail.
    let limit = "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\"";
    if !in_another_process(name, "sh", &["-c", limit, &program], None) {
        return;
    }
    let bed = Bed::new();
    bed.write("d/old", zeros(100_000)).await.unwrap();
    for key in ["d/old", "d/new", "e/new"] {
        let body = PartBody::from_bytes(vec![1; 1_000_000].into());
        for error in [
            bed.store.put(key, &body, &WriteOptions::replace()).await.unwrap_err(),
            bed.write(key, vec![1; 1_000_000].into()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::LocalIo, "{error}");
            let expected = format!("cannot write '{key}' at {}: file too large", bed.endpoint());
            assert_eq!(error.to_string(), expected);
        }
    }
    assert_eq!(bed.everything(), ["d", "d/old"]);
    assert!(bed.read("d/old").await.unwrap() == zeros(100_000));
}
