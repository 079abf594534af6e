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

/// `rm --keep-last 3 "$RUN"` without a RUN.
#[test]
fn an_empty_key_selects_nothing() {
    let bed = local();
    put(&bed, &["a/epoch_1", "a/epoch_2", "b/epoch_1", "b/epoch_2"]);
    for key in ["", "/"] {
        for selection in [&["--keep-last", "1"][..], &["--keep-every", "9"], &["--older-than", "1s"], &["--partial"]] {
            let said = fails(&bed, &[&["rm", "--yes"], selection, &["a/", key]].concat(), 2);
            assert!(said.stderr.contains("would select the whole store"), "{}", said.stderr);
        }
    }
    assert_eq!(complete(&bed).len(), 4);
    bed.ok(["rm", "--yes", "--keep-last", "1"]);
    assert_eq!(complete(&bed), ["a/epoch_2", "b/epoch_2"], "no key at all is everything");
}

#[test]
fn the_variable_of_partial_leaves_keys_and_selections_as_they_are() {
    let bed = local();
    put(&bed, &["epoch_1", "epoch_2", "epoch_3"]);
    let claim = String::from_utf8(bed.read("checkpoints/epoch_1/.strata/put.json")).unwrap();
    bed.write("checkpoints/cut/.strata/put.json", claim.replace("\"committed\"", "\"putting\"").as_bytes());
    let run = |arguments: &[&str]| {
        let mut command = bed.command(arguments);
        command.envs([("STRATA_RM_PARTIAL", "1"), ("STRATA_YES", "1")]);
        crate::support::bed::said(command.output().unwrap())
    };
    assert_eq!(run(&["rm", "epoch_1"]).stdout_line(), bed.uri("epoch_1"));
    assert_eq!(run(&["rm", "epoch_"]).code, Some(4), "it is no prefix");
    assert_eq!(run(&["rm", "--keep-last", "1"]).stdout_line(), bed.uri("epoch_2"));
    assert_eq!(bed.ok(["ls", "--partial", "--json"]).json_lines().len(), 1);
    assert!(run(&["rm"]).stdout_line().starts_with(&bed.uri("cut")), "there is nothing else that it could mean");
    assert_eq!(complete(&bed), ["epoch_3"]);
}
