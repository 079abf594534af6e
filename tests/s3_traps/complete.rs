//! CompleteMultipartUpload: whatever the answer says, an object is reported exactly where there is one.

use futures::future::join_all;
use storage::backend::{Part, PartReceipt, UploadId, WriteOptions};
use storage::body::PartBody;
use storage::{ErrorKind, S3Storage, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Response, Rule};
use crate::{PART, bounded, bytes, storage};

/// Answers with status 200 that confirm nothing.
fn hollow() -> Vec<(&'static str, Response)> {
    let started = "<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    vec![
        ("an error", Response::error(200, "InternalError")),
        ("a request to slow down", Response::error(200, "SlowDown")),
        ("nothing", Response::new(200)),
        ("spaces that kept the connection alive", Response::xml(200, "   \n \n")),
        ("a web page", Response::new(200).header("content-type", "text/html").body("<html><body>Log in</body></html>")),
        ("XML cut after its first start tag", Response::xml(200, started)),
        ("XML cut inside an element", Response::xml(200, &format!("{started}<ETag>\"a"))),
        ("no ETag", Response::xml(200, &format!("{started}<Key>k</Key></CompleteMultipartUploadResult>"))),
        ("another document", Response::xml(200, "<ListBucketResult></ListBucketResult>")),
    ]
}

/// `complete` reads the body and wants the root element and an ETag; what confirms nothing is tried again.
#[test]
fn a_hollow_answer_is_no_success() {
    bounded(async {
        join_all(hollow().into_iter().map(|(what, answer)| async move {
            let server = Faulty::start([Rule::first(1, Operation::Complete, Action::Answer(answer))]);
            let data = bytes(2 * PART + 1);
            storage(&server).await.write("k", data.clone()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(server.object("k").is_some_and(|there| there == data), "{what}");
            assert_eq!(server.requests(Operation::Complete).len(), 2, "{what}");
        }))
        .await;
    });
}

/// The same, for ever: an error in bounded time, nothing there, nothing left behind.
#[test]
fn hollow_answers_for_ever_are_an_error() {
    bounded(async {
        join_all(hollow().into_iter().map(|(what, answer)| async move {
            let server = Faulty::start([Rule::always(Operation::Complete, Action::Answer(answer))]);
            let error = storage(&server).await.write("k", bytes(2 * PART)).await.expect_err(what);
            assert_eq!((error.kind(), error.tries()), (ErrorKind::Unavailable, 3), "{what}: {error}");
            assert_eq!((server.object("k"), server.uploads()), (None, Vec::new()), "{what}");
        }))
        .await;
    });
}

/// `settle` looks for the token of this very write before it asks again.
#[test]
fn a_hollow_answer_after_the_deed_is_settled_by_looking() {
    bounded(async {
        join_all(hollow().into_iter().map(|(what, answer)| async move {
            let hollow = Action::change(move |response| *response = answer.clone());
            let server = Faulty::start([Rule::first(1, Operation::Complete, hollow)]);
            let data = bytes(2 * PART);
            storage(&server).await.write("k", data.clone()).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(server.object("k").is_some_and(|there| there == data), "{what}");
            assert_eq!(server.requests(Operation::Complete).len(), 1, "{what}");
        }))
        .await;
    });
}

/// An upload with two parts, ready to be completed.
async fn uploaded(store: &S3Storage, key: &str, options: &WriteOptions) -> (UploadId, Vec<PartReceipt>) {
    let upload = store.begin(key, options).await.unwrap();
    let mut receipts = Vec::new();
    for number in 1..=2u32 {
        let part = Part { number, offset: u64::from(number - 1) * PART as u64 };
        let body = PartBody::from_bytes(bytes(PART));
        receipts.push(store.put_part(key, &upload, part, &body).await.unwrap());
    }
    (upload, receipts)
}

/// The answer is lost, and so is the first look; the next Complete then meets NoSuchUpload, or 412 with a condition.
/// Neither is taken for what it says before `settle` has found another's token there.
#[test]
fn a_lost_answer_is_settled_by_the_token() {
    bounded(async {
        for (options, looks_lost) in [
            (WriteOptions::replace(), 0),
            (WriteOptions::replace(), 1),
            (WriteOptions::create(), 0),
            (WriteOptions::create(), 1),
        ] {
            let server = Faulty::start([
                Rule::first(1, Operation::Complete, Action::Lose),
                Rule::first(looks_lost, Operation::Head, Action::refuse(503, "ServiceUnavailable")),
            ]);
            let store = storage(&server).await;
            let (upload, receipts) = uploaded(&store, "k", &options).await;
            let stored = store.complete("k", &upload, &receipts, &options).await.unwrap();
            assert_eq!(stored.size, 2 * PART as u64);
            assert_eq!(server.object("k").map(|object| object.len()), Some(2 * PART));
            assert_eq!(server.requests(Operation::Complete).len(), 1 + looks_lost, "{options:?}");
        }
    });
}

/// The same bytes from another writer are another write.
#[test]
fn a_412_that_is_anothers_is_a_refusal() {
    bounded(async {
        let same: Vec<u8> = [bytes(PART), bytes(PART)].concat();
        for there in [&same[..], b"something else"] {
            let server = Faulty::start([]);
            let store = storage(&server).await;
            let options = WriteOptions::create();
            let (upload, receipts) = uploaded(&store, "k", &options).await;
            server.put_object("k", there);
            let error = store.complete("k", &upload, &receipts, &options).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
            assert_eq!(server.object("k").as_deref(), Some(there));
            // After a true 412 the upload is still alive.
            assert_eq!(server.uploads(), ["k"]);
            store.abort("k", &upload).await.unwrap();
            assert!(server.uploads().is_empty());
        }
    });
}

/// An upload that a lifecycle rule aborted is no success, whoever's object stands there.
#[test]
fn an_upload_that_was_aborted_meanwhile_is_no_success() {
    bounded(async {
        for there in [None, Some(&b"older"[..])] {
            let server = Faulty::start([]);
            if let Some(older) = there {
                server.put_object("k", older);
            }
            let store = storage(&server).await;
            let options = WriteOptions::replace();
            let (upload, receipts) = uploaded(&store, "k", &options).await;
            store.abort("k", &upload).await.unwrap();
            let error = store.complete("k", &upload, &receipts, &options).await.unwrap_err();
            assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
            assert_eq!(server.object("k").as_deref(), there);
        }
    });
}

/// The proof by HEAD compares size and checksum of the whole.
#[test]
fn an_object_that_is_not_what_was_sent_is_an_integrity_error() {
    bounded(async {
        type Lie = fn(&mut Response);
        let lies: [Lie; 2] = [
            |response| response.set("content-length", "7"),
            |response| response.set("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ];
        for lie in lies {
            let server = Faulty::start([Rule::always(Operation::Head, Action::change(lie))]);
            let error = storage(&server).await.write("k", bytes(2 * PART)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        }
    });
}

/// rusoto's CompletedPart has no field for it, and MinIO and AWS refuse a Complete without.
#[test]
fn every_part_and_the_whole_carry_their_checksum() {
    bounded(async {
        let server = Faulty::start([]);
        storage(&server).await.write("k", bytes(3 * PART)).await.unwrap();
        let complete = server.requests(Operation::Complete).pop().unwrap();
        assert!(complete.header("x-amz-checksum-crc64nvme").is_some());
        let body = String::from_utf8(complete.body).unwrap();
        assert_eq!(body.matches("<ChecksumCRC64NVME>").count(), 3);
        let parts = server.requests(Operation::Part);
        assert!(parts.iter().all(|part| part.header("x-amz-checksum-crc64nvme").is_some()));
        let create = server.requests(Operation::Create).pop().unwrap();
        assert_eq!(create.header("x-amz-checksum-algorithm"), Some("CRC64NVME"));
        assert_eq!(create.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    });
}
