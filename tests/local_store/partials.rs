//! Partial files: found again by the next writer, locked while they are written to, never somebody else's.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::symlink;

use storage::StorageBackend;
use storage::backend::{Part, WriteOptions};
use storage::body::PartBody;

use crate::bed::{Bed, Gate, one_at_a_time, zeros};

#[tokio::test]
async fn an_upload_that_is_begun_again_goes_on() {
    let bed = Bed::new();
    let options = WriteOptions::replace();
    let upload = bed.begin("d/k", &options).await.unwrap();
    assert_eq!(upload.0, format!("d/.k.{}.strata-partial", options.token));
    let body = PartBody::from_bytes(zeros(10));
    let first = bed.put_part("d/k", &upload, Part { number: 1, offset: 0 }, &body).await.unwrap();
    // As after a kill between the store's answer and its being noted.
    assert_eq!(bed.begin("d/k", &options).await.unwrap(), upload);
    let second = bed.put_part("d/k", &upload, Part { number: 2, offset: 10 }, &body).await.unwrap();
    bed.complete("d/k", &upload, &[first, second], &options).await.unwrap();
    assert_eq!(bed.read("d/k").await.unwrap(), zeros(20));
    assert_eq!(bed.everything(), ["d", "d/k"]);
}

#[tokio::test]
async fn a_token_leads_nowhere_else() {
    let bed = Bed::new();
    for token in ["", "../../outside", "a/b", "\0", "whole", &"f".repeat(300)] {
        let options = WriteOptions { token: token.to_owned(), ..WriteOptions::replace() };
        let upload = bed.begin("d/k", &options).await.unwrap();
        assert_eq!(bed.begin("d/k", &options).await.unwrap(), upload, "{token:?}");
        assert_eq!(bed.everything(), ["d", &upload.0], "{token:?}");
        bed.abort("d/k", &upload).await.unwrap();
    }
    assert_eq!(fs::read_dir(bed.outside("")).unwrap().count(), 1);
}

#[tokio::test]
async fn what_an_earlier_write_left_is_overwritten() {
    let bed = Bed::new();
    bed.put("k", b"old").await;
    fs::write(bed.path(".k.whole.strata-partial"), vec![1; 1000]).unwrap();
    bed.put("k", b"new").await;
    assert_eq!(bed.read("k").await.unwrap(), "new");
    assert_eq!(bed.everything(), ["k"]);
}

#[tokio::test]
async fn what_is_planted_is_not_written_to() {
    let bed = Bed::new();
    let outside = bed.outside("victim");
    fs::write(&outside, "mine").unwrap();
    let options = WriteOptions::replace();
    let names = [".k.whole.strata-partial".to_owned(), format!(".k.{}.strata-partial", options.token)];
    fs::create_dir_all(bed.path("")).unwrap();
    symlink(&outside, bed.path(&names[0])).unwrap();
    fs::hard_link(&outside, bed.path(&names[1])).unwrap();
    bed.put("k", b"whole").await;
    let upload = bed.begin("k", &options).await.unwrap();
    let part =
        bed.put_part("k", &upload, Part { number: 1, offset: 0 }, &PartBody::from_bytes(zeros(9))).await.unwrap();
    bed.complete("k", &upload, &[part], &options).await.unwrap();
    assert_eq!(bed.read("k").await.unwrap(), zeros(9));
    assert_eq!(fs::read(&outside).unwrap(), b"mine");
    let mut left = vec!["k".to_owned()];
    left.extend(names);
    left.sort();
    assert_eq!(bed.everything(), left, "what was planted is left where it is");
}

#[test]
fn a_part_on_its_way_can_be_seen() {
    // A gate stops the part after its file was opened and before it is written.
    one_at_a_time().block_on(async {
        let bed = Bed::new();
        let upload = bed.begin("k", &WriteOptions::replace()).await.unwrap();
        let body = PartBody::from_bytes(vec![7; 8 << 20].into());
        let mut sending = bed.put_part("k", &upload, Part { number: 1, offset: 0 }, &body);
        let mut before_opening = Gate::shut();
        before_opening.reached().await;
        assert!(futures::poll!(&mut sending).is_pending());
        let mut before_writing = Gate::shut();
        before_opening.open();
        before_writing.reached().await;
        assert!(futures::poll!(&mut sending).is_pending());
        let lock = || File::open(bed.path(&upload.0)).unwrap().try_lock();
        assert!(matches!(lock(), Err(TryLockError::WouldBlock)));
        before_writing.open();
        sending.await.unwrap();
        // Another test may start a process, which has all locks of this one until its first instruction.
        while lock().is_err() {
            tokio::task::yield_now().await;
        }
    });
}
