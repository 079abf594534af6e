//! `--force` replaces a committed checkpoint, and nobody ever sees a mixture of the two.

use crate::support::bed::{Bed, faulty, local, minio};
use crate::support::faulty::{Action, Faulty, Operation, Rule};
use crate::{bytes, claim, fails, killed, start, state_of, wait_until};

const MIB: usize = 1 << 20;

fn old_and_new(bed: &Bed) {
    for (side, seed) in [("old", 1), ("new", 2)] {
        bed.write(&format!("{side}/a.bin"), &bytes(1000, seed));
        bed.write(&format!("{side}/model.bin"), &bytes(6 * MIB, seed));
        bed.write(&format!("{side}/same.bin"), b"the same");
    }
    bed.write("old/gone.bin", b"of the old one only");
    bed.write("new/more/come.bin", b"of the new one only");
    bed.ok(["put", "old", "run", "--part-size", "5MiB"]);
}

#[test]
fn other_content_needs_force() {
    for bed in [local(), minio()] {
        old_and_new(&bed);
        let said = fails(&bed, &["put", "new", "run"], 8);
        assert!(said.stderr.contains("--force"), "{}", said.stderr);
        let said = bed.ok(["--json", "put", "new", "run", "--force", "--part-size", "5MiB"]);
        assert_eq!(said.json_lines()[0]["moved_files"], 3, "the same file stays");
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("new", "back");
        let plain: Vec<String> = bed.stored_keys().into_iter().filter(|key| !key.contains(".strata")).collect();
        assert_eq!(plain, ["run/a.bin", "run/model.bin", "run/more/come.bin", "run/same.bin"]);
        assert_eq!(bed.ok(["--json", "put", "new", "run", "--force"]).json_lines()[0]["changed"], false);
        fails(&bed, &["put", "new", "run", "--force", "--no-clobber"], 2);
        bed.assert_nothing_left();
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    }
}

/// Until everything has been sent the old checkpoint stands.
#[test]
fn the_old_one_stands_until_the_new_one_is_all_there() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    old_and_new(&bed);
    let stuck = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&stuck);
    bed.write("old/a.bin", b"old");
    bed.ok(["put", "old", "run"]);
    bed.write("new/a.bin", &bytes(6 * MIB, 2));
    let child = start(bed.command(["put", "new", "run", "--force", "--part-size", "5MiB"]));
    wait_until("the second part", || stuck.count(Operation::Part) == 2);
    assert_eq!(state_of(&bed, "run").0, "complete");
    killed(child);
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("old", "back");
    bed.ok(["put", "new", "run", "--force", "--part-size", "5MiB"]);
    assert_eq!(stuck.uploads(), Vec::<String>::new());
    std::fs::remove_dir_all(bed.path("back")).unwrap();
    bed.ok(["get", "run", "back"]);
    bed.assert_same_tree("new", "back");
}

/// Killed at each step of the change: there is the old one, or none, or the new one, and anybody finishes it, also who
/// wanted something else.
#[test]
fn a_change_that_was_cut_short_is_finished_by_anybody() {
    let steps = [
        (Operation::Put, ".strata/manifest.json", 2),
        (Operation::Complete, "run/a.bin", 1),
        (Operation::Head, "run/model.bin", 4),
        (Operation::Put, ".strata/manifest.json", 3),
        (Operation::Delete, "run/gone.bin", 1),
    ];
    for (operation, key, nth) in steps {
        for finisher in ["new", "old"] {
            let server = Faulty::start([Rule::nth(nth, operation, Action::Ignore).key(key)]);
            let bed = faulty(&server);
            old_and_new(&bed);
            let child = start(bed.command(["put", "new", "run", "--force", "--part-size", "5MiB"]));
            wait_until("the step", || {
                let at = server.requests(operation);
                at.iter().filter(|request| request.key().unwrap().ends_with(key)).count() >= nth
            });
            killed(child);
            let (state, _) = state_of(&bed, "run");
            match state.as_str() {
                "partial" => drop(fails(&bed, &["get", "run", "nothing"], 4)),
                "complete" => {
                    bed.ok(["get", "run", "seen"]);
                    let is_old = bed.read("seen/a.bin") == bed.read("old/a.bin");
                    bed.assert_same_tree(if is_old { "old" } else { "new" }, "seen");
                }
                other => panic!("{other} after {operation:?} {key}"),
            }
            let said = bed.run(["put", finisher, "run"]);
            let expected = if finisher == "new" { 0 } else { 8 };
            assert_eq!(said.code, Some(expected), "{finisher} after {operation:?} {key} {nth}: {}", said.stderr);
            bed.ok(["get", "run", "back"]);
            bed.assert_same_tree("new", "back");
            assert_eq!(claim(&server)["state"], "committed");
            assert_eq!(server.uploads(), Vec::<String>::new());
        }
    }
}

#[test]
fn other_values_alone_need_force_too() {
    for bed in [local(), minio()] {
        bed.write("run/a.bin", b"a");
        bed.ok(["put", "run", "--meta", "step=1"]);
        fails(&bed, &["put", "run", "--meta", "step=2"], 8);
        bed.ok(["put", "run", "--meta", "step=2", "--force"]);
        let listed = bed.ok(["--json", "ls", "run"]).json_lines();
        assert_eq!(listed[0]["meta"]["step"], "2");
        bed.assert_nothing_left();
    }
}

/// A lifecycle rule has aborted the uploads of a change that was cut short when the old manifest was gone already.
#[test]
fn a_change_whose_uploads_are_gone_is_in_nobodys_way() {
    let server = Faulty::start([Rule::nth(1, Operation::Complete, Action::Ignore).key("run/a.bin")]);
    let bed = faulty(&server);
    old_and_new(&bed);
    let child = start(bed.command(["put", "new", "run", "--force", "--part-size", "5MiB"]));
    wait_until("the completion", || {
        server.requests(Operation::Complete).iter().any(|at| at.key().unwrap() == "run/a.bin")
    });
    killed(child);
    server.abort_all();
    for side in ["old", "new"] {
        bed.ok(["put", side, "run", "--force", "--part-size", "5MiB"]);
        bed.ok(["get", "run", &format!("back_{side}")]);
        bed.assert_same_tree(side, &format!("back_{side}"));
    }
    assert_eq!(server.uploads(), Vec::<String>::new());
}

/// An empty file takes the place of one that is not.
#[test]
fn empty_files_are_replaced_and_replace() {
    for bed in [local(), minio()] {
        bed.write("old/a.bin", b"");
        bed.write("old/b.bin", b"content");
        bed.write("new/a.bin", b"content");
        bed.write("new/b.bin", b"");
        bed.ok(["put", "old", "run"]);
        bed.ok(["put", "new", "run", "--force"]);
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("new", "back");
        bed.assert_nothing_left();
    }
}
