//! Others are at work between the listing and the removal, at each request of the command where it matters.

use crate::support::bed::{Bed, faulty, local};
use crate::support::faulty::{Action, BUCKET, Faulty, Meanwhile, Operation, Response, Rule};
use crate::{complete, put};

/// Three checkpoints on a scripted server, the rules set afterwards.
fn filled() -> (Faulty, Bed) {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    put(&bed, &["epoch_1", "epoch_2", "epoch_3"]);
    (server, bed)
}

fn claim(state: &str, expires: &str) -> Vec<u8> {
    let writer = serde_json::json!({ "host": "node-17", "pid": 7, "tool": "t", "token": "x" });
    let since = "2026-01-01T00:00:00Z";
    serde_json::json!({ "version": 1, "state": state, "writer": writer, "since": since, "expires": expires })
        .to_string()
        .into_bytes()
}

fn uri(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}

#[test]
fn what_a_put_is_writing_is_left_alone() {
    let (server, bed) = filled();
    server.put_object("epoch_1/.strata/put.json", &claim("putting", "2999-01-01T00:00:00Z"));
    for arguments in [&["rm", "--keep-last", "1", "--dry-run"][..], &["rm", "--keep-last", "1", "--yes"]] {
        let said = bed.ok(arguments);
        assert_eq!(said.stdout_line(), uri("epoch_2"));
        assert!(
            said.stderr.contains("warning: 'epoch_1' is left alone: process 7 on node-17 is putting it"),
            "{}",
            said.stderr
        );
    }
    assert!(server.object("epoch_1/name.bin").is_some());
}

#[test]
fn what_a_newer_version_claims_is_left_alone() {
    let (server, bed) = filled();
    server.put_object("epoch_1/.strata/put.json", br#"{"version":2}"#);
    let said = bed.ok(["rm", "--keep-last", "1", "--yes"]);
    assert_eq!(said.stdout_line(), uri("epoch_2"));
    assert!(
        said.stderr.contains("'epoch_1' is left alone: its claim cannot be read: it is of version 2"),
        "{}",
        said.stderr
    );
}

/// Whoever finds such a commit finishes it, and then it is another checkpoint.
#[test]
fn what_is_about_to_be_replaced_is_left_alone() {
    let (server, bed) = filled();
    server.put_object("epoch_1/.strata/put.json", &claim("committing", "2026-01-01T00:00:00Z"));
    let said = bed.ok(["rm", "--keep-last", "1", "--yes"]);
    assert_eq!(said.stdout_line(), uri("epoch_2"));
    assert!(said.stderr.contains("'epoch_1' is left alone: a put of it was interrupted"), "{}", said.stderr);
    assert!(server.object("epoch_1/.strata/manifest.json").is_some());
}

/// `put --force` of `epoch_1` is done after it was listed: at the last look, and between that and the first write.
#[test]
fn what_was_replaced_since_is_another_checkpoint() {
    let (server, bed) = filled();
    let manifest = server.object("epoch_2/.strata/manifest.json").unwrap();
    let replaced = || Action::Meanwhile(Meanwhile::Put("epoch_1/.strata/manifest.json", manifest.clone()));
    let taken = || {
        let claim = claim("putting", "2999-01-01T00:00:00Z");
        Action::Meanwhile(Meanwhile::Put("epoch_1/.strata/put.json", claim))
    };
    let places = [
        (Operation::Head, "epoch_1/.strata/manifest.json", 1, replaced()),
        (Operation::Head, "epoch_1/.strata/manifest.json", 2, replaced()),
        (Operation::Get, "epoch_1/.strata/put.json", 2, taken()),
        (Operation::Head, "epoch_1/.strata/manifest.json", 2, taken()),
        (Operation::Put, "epoch_1/.strata/put.json", 1, taken()),
    ];
    for (operation, key, nth, action) in places {
        let (server, bed) = filled();
        let place = format!("{operation:?} {key} {nth} {action:?}");
        server.set_rules([Rule::nth(nth, operation, action).key(key)]);
        let said = bed.ok(["rm", "--keep-last", "1", "--yes"]);
        assert_eq!(said.stdout_line(), uri("epoch_2"), "{place}");
        assert!(said.stderr.contains("'epoch_1' is left alone: "), "{place}: {}", said.stderr);
        for key in ["epoch_1/.strata/manifest.json", "epoch_1/name.bin", "epoch_1/deep/empty.bin"] {
            assert!(server.object(key).is_some(), "{place}: {key} is gone");
        }
    }
    drop(bed);
}

/// What was the newest is no longer there, so that the next one is.
#[test]
fn nothing_goes_once_the_newest_is_gone() {
    let gone = || Action::Answer(Response::error(404, "NoSuchKey"));
    let (server, bed) = filled();
    server.set_rules([Rule::from_nth(2, Operation::Head, gone()).key("epoch_3/.strata/manifest.json")]);
    let said = bed.ok(["rm", "--keep-last", "1", "--yes"]);
    assert_eq!(said.stdout_line(), uri("epoch_1"), "while it was there");
    assert!(said.stderr.contains("'epoch_2' is left alone: 'epoch_3', the newest of its run, was"), "{}", said.stderr);
    server.heal();
    assert_eq!(complete(&bed), ["epoch_2", "epoch_3"]);
}

#[test]
fn several_at_once_do_not_hinder_each_other() {
    let bed = local();
    let names: Vec<String> = (1..=20).map(|number| format!("epoch_{number}")).collect();
    put(&bed, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let command = || {
        bed.command(["rm", "--keep-last", "3", "--yes"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let all: Vec<_> =
        [command(), command(), command()].into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let mut removed: Vec<String> = Vec::new();
    for output in all {
        let said = crate::support::bed::said(output);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        removed.extend(said.stdout_line().lines().map(str::to_owned));
    }
    removed.sort_unstable();
    let count = removed.len();
    removed.dedup();
    assert_eq!((removed.len(), count), (17, 17), "each of them once: {removed:?}");
    assert_eq!(complete(&bed), ["epoch_18", "epoch_19", "epoch_20"]);
}
