//! What `rm` removes.

use crate::support::bed::{Bed, local};

fn filled() -> Bed {
    let bed = local();
    bed.write("d/x", b"1234");
    bed.ok(["put", "d", "epoch_1"]);
    bed.ok(["put", "d/x", "file"]);
    bed
}

#[test]
fn files_and_checkpoints_go_and_are_printed() {
    let bed = filled();
    let planned = bed.ok(["rm", "--dry-run", "epoch_1/", "file"]);
    assert_eq!(planned.stdout_line(), format!("{}\n{}", bed.uri("epoch_1"), bed.uri("file")));
    assert_eq!(bed.ok(["ls", "--json"]).json_lines().len(), 2, "a dry run removes nothing");
    let removed = bed.ok(["rm", "epoch_1/", "file", "file"]);
    assert_eq!(removed.stdout, planned.stdout);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_exit_4_and_the_others_go() {
    let bed = filled();
    for arguments in [vec!["rm", "--dry-run", "none"], vec!["rm", "none"], vec!["rm", "none", "no", "epoch_1"]] {
        let said = bed.run(&arguments);
        assert_eq!(said.code, Some(4), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!(bed.stored_keys(), ["file"]);
}

#[test]
fn several_kinds_of_failure_are_exit_3() {
    let bed = filled();
    let said = bed.run(["rm", "none", "epoch_1/x", "file"]);
    assert_eq!(said.code, Some(3), "missing, and part of a checkpoint: {}", said.stderr);
    assert_eq!(said.stdout_line(), bed.uri("file"));
    assert!(said.stderr.ends_with("error: 2 of 3 keys could not be removed\n"), "{}", said.stderr);
}

#[test]
fn objects_for_programs() {
    let bed = filled();
    let line = &bed.ok(["rm", "--json", "epoch_1"]).json_lines()[0];
    assert_eq!(
        (&line["type"], &line["key"], &line["uri"]),
        (&"removed".into(), &"epoch_1".into(), &bed.uri("epoch_1").into())
    );
    assert_eq!((&line["files"], &line["bytes"], &line["dry_run"]), (&1.into(), &4.into(), &false.into()));
}
