//! Stores that do not answer: nothing goes that was not seen in full.

use crate::support::bed::{Bed, faulty};
use crate::support::faulty::{Action, BUCKET, Faulty, Operation, Rule};
use crate::{complete, fails, put};

fn filled() -> (Faulty, Bed) {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    put(&bed, &["epoch_1", "epoch_2", "epoch_3"]);
    (server, bed)
}

fn uri(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}

/// One that may not be read is not one that is not there: else `epoch_2` would be the newest, and all would shift.
#[test]
fn what_cannot_be_seen_in_full_removes_nothing() {
    let denied = || Action::refuse(403, "AccessDenied");
    let rules: [(Rule, i32); 6] = [
        (Rule::always(Operation::Get, denied()).key("epoch_3/.strata/manifest.json"), 7),
        (Rule::always(Operation::Get, denied()).key("epoch_1/.strata/manifest.json"), 7),
        (Rule::always(Operation::Get, denied()).key("epoch_2/.strata/put.json"), 7),
        (Rule::always(Operation::List, denied()), 7),
        (Rule::from_nth(2, Operation::List, denied()), 7),
        (Rule::always(Operation::List, Action::refuse(503, "SlowDown")), 5),
    ];
    for (rule, code) in rules {
        let (server, bed) = filled();
        let before = server.keys();
        server.set_rules([rule]);
        for arguments in [
            &["rm", "--keep-last", "1", "--yes", "--retries", "0"][..],
            &["rm", "--keep-last", "1", "--dry-run", "--retries", "0"],
        ] {
            let said = fails(&bed, arguments, code);
            assert!(said.stdout.is_empty(), "{}", said.stderr);
        }
        assert_eq!(server.keys(), before);
    }
}

#[test]
fn one_that_cannot_be_removed_is_in_no_others_way() {
    let (server, bed) = filled();
    put(&bed, &["epoch_4"]);
    server.set_rules([
        Rule::always(Operation::Delete, Action::refuse(403, "AccessDenied")).key("epoch_1/.strata/manifest.json")
    ]);
    let said = fails(&bed, &["rm", "--keep-last", "1", "--yes"], 7);
    assert_eq!(said.stdout_line(), format!("{}\n{}", uri("epoch_2"), uri("epoch_3")));
    assert!(said.stderr.contains("error: 1 of 3 keys could not be removed"), "{}", said.stderr);
    server.heal();
    assert_eq!(complete(&bed), ["epoch_1", "epoch_4"], "nothing of it was taken away");
    assert_eq!(bed.ok(["rm", "--keep-last", "1", "--yes"]).stdout_line(), uri("epoch_1"));
    assert!(server.keys().iter().all(|key| key.starts_with("epoch_4/")), "{:?}", server.keys());
}

/// The manifest goes first, so that what is left of a removal that was cut short is no checkpoint.
#[test]
fn what_a_removal_left_is_no_checkpoint_and_goes_with_partial() {
    let (server, bed) = filled();
    server.set_rules([Rule::always(Operation::Delete, Action::refuse(403, "AccessDenied")).key("epoch_1/name.bin")]);
    fails(&bed, &["rm", "--keep-last", "1", "--yes"], 7);
    server.heal();
    let states: Vec<String> =
        bed.ok(["--json", "ls"]).json_lines().iter().map(|line| line["state"].to_string()).collect();
    assert_eq!(states, ["\"partial\"", "\"complete\""]);
    assert_eq!(bed.ok(["rm", "--keep-last", "1", "--yes"]).stderr, "nothing to remove\n");
    bed.ok(["rm", "--partial", "--yes"]);
    assert_eq!(complete(&bed), ["epoch_3"]);
    assert!(server.keys().iter().all(|key| key.starts_with("epoch_3/")), "{:?}", server.keys());
}

/// Ages are those by the store's clock: a machine that is ten months ahead removes nothing that is an hour old.
#[test]
fn a_clock_that_is_wrong_ages_nothing() {
    // Its objects are of 03:04:05 on that day.
    let dated =
        |time: &'static str| Rule::always(Operation::Any, Action::change(move |response| response.set("date", time)));
    let server = Faulty::start([dated("Fri, 02 Jan 2026 04:00:00 GMT")]);
    let bed = faulty(&server);
    put(&bed, &["epoch_1", "epoch_2", "epoch_3"]);
    let said = bed.ok(["rm", "--older-than", "7d", "--yes"]);
    assert!(said.stderr.contains("nothing to remove"), "{said:?}");

    let claim = serde_json::json!({
        "version": 1, "state": "putting", "writer": { "host": "h", "pid": 1, "tool": "t", "token": "x" },
        "since": "2026-01-02T03:59:00Z", "expires": "2026-01-02T04:04:00Z", "files": ["a"],
    });
    server.put_object("epoch_4/.strata/put.json", claim.to_string().as_bytes());
    server.put_object("epoch_4/a", b"a");
    let said = bed.ok(["rm", "--partial", "--yes"]);
    assert!(said.stderr.contains("'epoch_4' is left alone"), "{said:?}");

    server.set_rules([dated("Fri, 09 Jan 2026 04:00:00 GMT")]);
    assert_eq!(bed.ok(["rm", "--older-than", "7d", "--yes"]).stdout_line().lines().count(), 2);
    assert!(!bed.ok(["rm", "--partial", "--yes"]).stderr.contains("left alone"));
    assert_eq!(complete(&bed), ["epoch_3"]);
}
