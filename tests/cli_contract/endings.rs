//! Interrupted, terminated, out of time: quickly gone, nothing left behind, an exit code that says which.

use std::io::{ErrorKind, Write};
use std::process::{Child, ChildStdin, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::bed::{Bed, local};

/// A put of stdin that has read what there is, and waits for more.
fn waiting_put(bed: &Bed, flags: &[&str]) -> (Child, ChildStdin) {
    let arguments = [&["put", "-", "k", "--part-size", "5MiB"], flags].concat();
    let mut command = bed.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Far more than a pipe holds: when it is gone, the command is at work. One with a deadline may be over by then.
    match stdin.write_all(&vec![1; 12 << 20]) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe && flags.contains(&"--deadline") => {}
        written => written.unwrap(),
    }
    (child, stdin)
}

#[test]
fn signals_end_it_with_their_codes() {
    for (signal, code, text) in [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "terminated")] {
        let bed = local();
        let (child, stdin) = waiting_put(&bed, &[]);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(&format!("error: {text}\nhint: run the same command again")), "{stderr}");
        assert!(output.stdout.is_empty());
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
        bed.assert_nothing_left();
    }
}

#[test]
fn the_deadline_is_exit_5() {
    let bed = local();
    let (child, stdin) = waiting_put(&bed, &["--json", "--deadline", "300ms"]);
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    let error: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&error["code"], &error["kind"]), (&5.into(), &"deadline".into()));
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
    bed.assert_nothing_left();
}

#[test]
fn a_command_in_time_is_not_held_back() {
    let bed = local();
    bed.write("f", b"content");
    bed.ok(["put", "f", "--deadline", "1h"]);
}
