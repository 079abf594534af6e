//! What has to be said before anything goes.

use std::process::Stdio;

use crate::support::bed::local;
use crate::{complete, fails, put};

#[test]
fn without_a_terminal_yes_is_needed() {
    let bed = local();
    put(&bed, &["epoch_1", "epoch_2"]);
    let said = fails(&bed, &["rm", "--keep-last", "1"], 2);
    assert!(said.stderr.contains("hint: add --yes"), "{}", said.stderr);
    fails(&bed, &["--json", "rm", "--keep-last", "1"], 2);
    assert_eq!(complete(&bed), ["epoch_1", "epoch_2"]);
    let said = bed.ok(["rm", "--keep-last", "2"]);
    assert_eq!((said.stdout_line().as_str(), said.stderr.as_str()), ("", "nothing to remove\n"), "nobody is asked");
    bed.ok(["rm", "--keep-last", "1", "--yes"]);
    assert_eq!(complete(&bed), ["epoch_2"]);
}

/// A variable adds to what is typed, which only ever keeps more, and turns no `rm KEY` into something else.
#[test]
fn a_variable_alone_selects_nothing() {
    let bed = local();
    put(&bed, &["epoch_1", "epoch_2", "epoch_3", "run/epoch_1", "run/epoch_2"]);
    let run = |arguments: &[&str]| {
        let mut command = bed.command(arguments);
        command.envs([("STRATA_RM_KEEP_LAST", "1"), ("STRATA_PUT_KEEP_LAST", "1"), ("STRATA_YES", "1")]);
        crate::support::bed::said(command.stdin(Stdio::null()).output().unwrap())
    };
    assert_eq!(run(&["rm"]).code, Some(2));
    assert_eq!(run(&["rm", "run"]).code, Some(4), "it is no prefix");
    assert_eq!(run(&["rm", "epoch_1"]).stdout_line(), bed.uri("epoch_1"));
    assert_eq!(complete(&bed), ["epoch_2", "epoch_3", "run/epoch_1", "run/epoch_2"]);
    assert_eq!(run(&["rm", "--keep-every", "2"]).stdout_line(), bed.uri("run/epoch_1"), "both rules keep");
    assert_eq!(run(&["rm", "--partial"]).code, Some(0));
    assert_eq!(complete(&bed), ["epoch_2", "epoch_3", "run/epoch_2"]);
    assert_eq!(run(&["put", "source/epoch_3", "epoch_4"]).code, Some(0));
    assert_eq!(complete(&bed), ["epoch_4", "run/epoch_2"], "of put it does what the flag does");
}
