//! `put --keep-last`: only after its own commit, only beside it, and never itself.

use std::process::Stdio;

use crate::support::bed::{faulty, local, minio, said};
use crate::support::faulty::{Action, BUCKET, Faulty, Operation, Rule};
use crate::{both, complete, fails, put};

#[test]
fn what_is_older_beside_it_goes() {
    both(|bed| {
        put(bed, &["a/epoch_1", "a/epoch_2", "a/epoch_9", "b/epoch_1", "a/deep/epoch_1", "epoch_1"]);
        bed.write("new/m.bin", b"new");
        let said = bed.ok(["put", "new", "a/epoch_10", "--keep-last", "2"]);
        assert_eq!(said.stdout_line(), bed.uri("a/epoch_10"), "stdout is the URI alone");
        assert!(said.stderr.contains(&format!("removed {}\n", bed.uri("a/epoch_1"))), "{}", said.stderr);
        assert!(said.stderr.ends_with("freed 18 B\n"), "{}", said.stderr);
        assert_eq!(complete(bed), ["a/deep/epoch_1", "a/epoch_9", "a/epoch_10", "b/epoch_1", "epoch_1"]);

        // The store has it already.
        let lines = bed.ok(["--json", "put", "new", "a/epoch_10", "--keep-last", "1"]).json_lines();
        let told: Vec<_> =
            lines.iter().map(|line| (line["type"].as_str().unwrap(), line["key"].as_str().unwrap())).collect();
        assert_eq!(told, [("put", "a/epoch_10"), ("removed", "a/epoch_9")]);
        assert_eq!((&lines[1]["bytes"], &lines[1]["dry_run"]), (&9.into(), &false.into()));
        bed.ok(["put", "new", "epoch_2", "--keep-last", "1"]);
        assert_eq!(complete(bed), ["a/deep/epoch_1", "a/epoch_10", "b/epoch_1", "epoch_2"], "at the root too");
    });
}

#[test]
fn it_keeps_itself_whatever_its_number() {
    both(|bed| {
        put(bed, &["epoch_1", "epoch_7", "epoch_8", "epoch_9"]);
        bed.ok(["put", "source/epoch_1", "epoch_1", "--keep-last", "2"]);
        assert_eq!(complete(bed), ["epoch_1", "epoch_8", "epoch_9"]);
        bed.ok(["put", "source/epoch_7", "best", "--keep-last", "1"]);
        assert_eq!(complete(bed), ["best", "epoch_9"]);
    });
}

#[test]
fn what_is_not_committed_prunes_nothing() {
    for bed in [local(), minio()] {
        put(&bed, &["epoch_1", "epoch_2"]);
        bed.write("other/m.bin", b"other");
        fails(&bed, &["put", "other", "epoch_2", "--keep-last", "1"], 8);
        fails(&bed, &["put", "source/epoch_2", "epoch_2", "-n", "--keep-last", "1"], 8);
        fails(&bed, &["put", "other", "epoch_3", "--keep-last", "0"], 2);
        fails(&bed, &["put", "other/m.bin", "epoch_3", "--keep-last", "1"], 2);
        bed.ok(["put", "other", "epoch_3", "--rank", "0", "--world-size", "2", "--keep-last", "1"]);
        let kept = bed.ok(["--json", "ls"]).json_lines();
        assert_eq!(kept.iter().filter(|line| line["state"] == "complete").count(), 2, "{kept:?}");
        bed.write("more/n.bin", b"more");
        bed.ok(["put", "more", "epoch_3", "--rank", "1", "--world-size", "2", "--keep-last", "1"]);
        assert_eq!(complete(&bed), ["epoch_3"], "the last rank commits and prunes");
    }
}

#[test]
fn the_commit_comes_first() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    put(&bed, &["epoch_1"]);
    bed.write("new/m.bin", b"new");
    bed.ok(["put", "new", "epoch_2", "--keep-last", "1"]);
    let all = server.requests(Operation::Any);
    let place = |operation: Operation, key: &str| {
        all.iter().position(|request| operation.is(request) && request.key().as_deref() == Some(key)).unwrap()
    };
    let committed = place(Operation::Put, "epoch_2/.strata/manifest.json");
    let [manifest, file] =
        ["epoch_1/.strata/manifest.json", "epoch_1/name.bin"].map(|key| place(Operation::Delete, key));
    assert!(committed < manifest && manifest < file, "{committed} {manifest} {file}");
}

#[test]
fn what_cannot_be_pruned_is_a_warning_and_left_to_the_next() {
    let denied = || Action::refuse(403, "AccessDenied");
    let rules = [
        Rule::always(Operation::Delete, denied()),
        Rule::always(Operation::Get, denied()).key("epoch_1/.strata/manifest.json"),
        Rule::from_nth(3, Operation::List, denied()),
    ];
    for rule in rules {
        let server = Faulty::start([]);
        let bed = faulty(&server);
        put(&bed, &["epoch_1", "epoch_2"]);
        bed.write("new/m.bin", b"new");
        let told = format!("{rule:?}");
        server.set_rules([rule]);
        let said = bed.ok(["--json", "put", "new", "epoch_3", "--keep-last", "1"]);
        assert_eq!(said.json_lines().len(), 1, "{told}: {:?}", said.json_lines());
        let last: serde_json::Value = serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap();
        let message = last["message"].as_str().unwrap();
        assert_eq!(last["type"], "warning", "{told}");
        assert!(message.starts_with("'epoch_3' is committed, but older ones stay for now: "), "{told}: {message}");
        server.heal();
        assert_eq!(complete(&bed), ["epoch_1", "epoch_2", "epoch_3"], "{told}");
        bed.ok(["put", "new", "epoch_3", "--keep-last", "1"]);
        assert_eq!(complete(&bed), ["epoch_3"], "{told}");
    }
}

/// One word about it is enough, and what stays is as whole as before.
#[test]
fn without_the_right_to_remove_nothing_is_begun() {
    let bed = minio();
    put(&bed, &["epoch_1", "epoch_2", "epoch_3"]);
    bed.write("new/m.bin", b"new");
    let keys = bed.bucket().keys_without("s3:DeleteObject");
    let run = |arguments: &[&str]| {
        let mut command = bed.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", &keys.id).env("AWS_SECRET_ACCESS_KEY", &keys.secret);
        said(command.env("AWS_SESSION_TOKEN", keys.token.as_ref().unwrap()).output().unwrap())
    };
    let claims =
        || ["epoch_1", "epoch_2", "epoch_3"].map(|name| bed.bucket().read(&format!("{name}/.strata/put.json")));
    let before = claims();
    let told = run(&["put", "new", "epoch_4", "--keep-last", "1"]);
    assert_eq!((told.code, told.stderr.matches("warning:").count()), (Some(0), 1), "{told:?}");
    assert!(told.stderr.contains("s3:DeleteObject"), "{told:?}");
    let told = run(&["rm", "--keep-last", "1", "--yes"]);
    assert_eq!((told.code, told.stderr.matches("error: cannot remove").count()), (Some(7), 2), "{told:?}");
    assert!(told.stderr.contains("warning: not tried: 1 more"), "{told:?}");
    assert!(told.stderr.contains("error: 3 of 3 keys could not be removed"), "{told:?}");
    assert_eq!(run(&["rm", "epoch_2", "--yes"]).code, Some(7));

    assert!(claims() == before, "each claim says what it said");
    assert_eq!(complete(&bed), ["epoch_1", "epoch_2", "epoch_3", "epoch_4"]);
    assert_eq!(bed.ok(["--json", "ls", "--partial"]).json_lines().len(), 0);
    bed.ok(["rm", "--keep-last", "1", "--yes"]);
    assert_eq!(complete(&bed), ["epoch_4"]);
}

/// A preemption comes while the store takes its time: what was put is put, whether or not the removal can be given up in
/// time.
#[test]
fn a_signal_while_it_prunes_does_not_say_that_the_put_failed() {
    for answers_at_last in [true, false] {
        let server = Faulty::start([]);
        let bed = faulty(&server);
        put(&bed, &["epoch_1"]);
        bed.write("new/m.bin", b"new");
        let mut rules = vec![Rule::always(Operation::Delete, Action::Ignore)];
        if !answers_at_last {
            // The claim is taken, and then cannot be given up.
            rules.push(Rule::from_nth(2, Operation::Put, Action::Ignore).key("epoch_1/.strata/put.json"));
        }
        server.set_rules(rules);
        let mut command = bed.command(["put", "new", "epoch_2", "--keep-last", "1"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        server.await_requests(Operation::Delete, 1, &mut child);
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        let said = said(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.stdout_line()), (Some(0), format!("s3://{BUCKET}/epoch_2")), "{}", said.stderr);
        assert!(!said.stderr.contains("error: "), "{}", said.stderr);
        server.heal();
        assert_eq!(complete(&bed), ["epoch_1", "epoch_2"]);
    }
}

/// The checkpoint on whose account others would go is not there any more.
#[test]
fn nothing_goes_where_what_was_put_is_gone_again() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    put(&bed, &["epoch_1", "epoch_2"]);
    bed.write("new/m.bin", b"new");
    let hide = Action::change(|answer| {
        let text = String::from_utf8(answer.body.clone()).unwrap();
        answer.body = text.replace("epoch_3/m.bin", "epoch_3/x.bin").into_bytes();
        answer.set("content-length", answer.body.len().to_string());
    });
    server.set_rules([Rule::from_nth(2, Operation::List, hide)]);
    let said = bed.ok(["put", "new", "epoch_3", "--keep-last", "1"]);
    server.heal();
    assert!(said.stderr.contains("warning: 'epoch_3' is committed, but older ones stay for now"), "{}", said.stderr);
    assert_eq!(complete(&bed), ["epoch_1", "epoch_2", "epoch_3"]);
}
