//! Servers that say nothing: rusoto waits for ever, `Moving::silence`, `next_piece` and `Timed` do not.

use std::time::Duration;

use storage::{Error, ErrorKind, RuntimeConfig, S3Config, S3Storage, StorageBackend};

use crate::support::faulty::{Action, Faulty, Operation, Place, Rule};
use crate::{PATIENCE, bounded, bytes, config, runtime, storage_with};

/// Each test shortens only the time that it is about, so that a busy machine runs into no other.
fn for_answers() -> RuntimeConfig {
    RuntimeConfig { first_byte_timeout: PATIENCE, ..runtime() }
}

fn for_bodies() -> RuntimeConfig {
    RuntimeConfig { stall_timeout: PATIENCE, ..runtime() }
}

async fn once(server: &Faulty, runtime: RuntimeConfig) -> S3Storage {
    storage_with(config(server), RuntimeConfig { retries: 0, ..runtime }).await
}

fn timed_out(error: &Error, text: &str) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(text) && error.is_retryable(), "{error}");
}

#[test]
fn no_answer_ends_after_the_first_byte_timeout() {
    bounded(async {
        let server = Faulty::start([Rule::always(Operation::Any, Action::Ignore)]);
        let store = once(&server, for_answers()).await;
        let (read, head, write) = tokio::join!(store.read("k"), store.head("k"), store.write("k", bytes(100)));
        for error in [read.unwrap_err(), head.unwrap_err(), write.unwrap_err()] {
            timed_out(&error, "no answer began within 1s");
        }
    });
}

#[test]
fn half_a_header_ends_after_the_first_byte_timeout() {
    bounded(async {
        let server = Faulty::start([Rule::always(Operation::Any, Action::Stall(Place::Head(12)))]);
        let store = once(&server, for_answers()).await;
        timed_out(&store.read("k").await.unwrap_err(), "no answer began within 1s");
    });
}

#[test]
fn a_silent_answer_is_asked_for_again() {
    bounded(async {
        for (silent, impatient) in [
            (Action::Ignore, for_answers()),
            (Action::Stall(Place::Head(12)), for_answers()),
            (Action::Stall(Place::Body(3)), for_bodies()),
        ] {
            let server = Faulty::start([Rule::first(1, Operation::Get, silent)]);
            server.put_object("k", b"content");
            // A busy machine may take longer than that as well.
            let store = storage_with(config(&server), RuntimeConfig { retries: 20, ..impatient }).await;
            assert_eq!(store.read("k").await.unwrap(), "content");
            assert!(server.requests(Operation::Get).len() >= 2);
        }
    });
}

#[test]
fn a_body_that_stands_still_ends_after_the_stall_timeout() {
    bounded(async {
        let server = Faulty::start([Rule::always(Operation::Any, Action::Stall(Place::Body(3)))]);
        server.put_object("k", b"content");
        let store = once(&server, for_bodies()).await;
        timed_out(&store.read("k").await.unwrap_err(), "the download stood still for 1s");
        timed_out(&store.list("").await.unwrap_err(), "the download stood still for 1s");
    });
}

#[test]
fn an_upload_that_nobody_reads_ends_after_the_stall_timeout() {
    bounded(async {
        let server = Faulty::start([Rule::always(Operation::Put, Action::Deaf)]);
        let runtime = RuntimeConfig { part_size: storage::PartSize::Auto, ..for_bodies() };
        let store = once(&server, runtime).await;
        // More than the kernel's buffers of a loopback connection take.
        let error = store.write("k", vec![7; 8 << 20].into()).await.unwrap_err();
        timed_out(&error, "the upload stood still for 1s");
        server.release();
    });
}

#[test]
fn no_connection_ends_after_the_connect_timeout() {
    bounded(async {
        // An address of TEST-NET-1 (RFC 5737), where nobody answers; some machines refuse at once, which is as good.
        let settings = S3Config { endpoint: Some("http://192.0.2.1:9".to_owned()), ..config(&Faulty::start([])) };
        let runtime = RuntimeConfig { retries: 0, connect_timeout: Duration::from_millis(200), ..runtime() };
        let error = storage_with(settings, runtime).await.head("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
}
