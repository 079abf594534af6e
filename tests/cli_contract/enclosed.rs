//! A store whose directory or prefix is a committed checkpoint, or lies in one: keys do not tell, and nothing is damaged.

use crate::support::bed::{Bed, faulty, local, minio};
use crate::support::faulty::{Action, Faulty, Operation, Rule};

fn refused(bed: &Bed, arguments: &[&str], code: i32) {
    let before = bed.stored_keys();
    let said = bed.run(arguments);
    assert_eq!(said.code, Some(code), "{arguments:?} on {}: {}", bed.name(), said.stderr);
    if code == 8 {
        assert!(said.stderr.contains("inside the committed checkpoint"), "{}", said.stderr);
    }
    assert_eq!(bed.stored_keys(), before, "{arguments:?}");
}

fn with_checkpoint(bed: &Bed) {
    bed.write("in/w.bin", b"weights");
    bed.write("in/deep/x.bin", b"more");
    bed.write("other", b"other");
    bed.ok(["put", "in", "runs/e1"]);
}

#[test]
fn a_path_into_a_checkpoint_changes_nothing_of_it() {
    let bed = local();
    with_checkpoint(&bed);
    bed.write("checkpoints/runs/e1/deep/stray", b"of somebody");
    std::os::unix::fs::symlink(bed.path("checkpoints/runs"), bed.path("link")).unwrap();
    std::os::unix::fs::symlink(bed.path("checkpoints/runs/e1/.strata"), bed.path("ours")).unwrap();
    let link = |name: &str| format!("file://{}", bed.path(name).display());
    for (uri, code) in [
        (bed.uri("runs/e1/w.bin"), 8),
        (bed.uri("runs/e1/deep/x.bin"), 8),
        (link("link/e1/w.bin"), 8),
        (link("ours/manifest.json"), 8),
        (bed.uri("runs/e1/.strata/manifest.json"), 2),
        (bed.uri("runs/e1/.strata/put.json"), 2),
        (bed.uri("runs/.e1.strata-partial/x"), 2),
    ] {
        refused(&bed, &["rm", &uri], code);
        refused(&bed, &["rm", "--dry-run", &uri], code);
        refused(&bed, &["put", "other", &uri], code);
        refused(&bed, &["put", "in", &uri], code);
    }
    refused(&bed, &["put", "other", &bed.uri("runs/e1/new")], 8);
    refused(&bed, &["put", "in", &bed.uri("runs/e1/deep/new"), "--rank", "0", "--world-size", "2"], 8);
    let said = bed.command(["put", "-", &bed.uri("runs/e1/new")]).output().unwrap();
    assert_eq!(said.status.code(), Some(8), "{said:?}");
    bed.ok(["ls", "--verify"]);

    // What is no part of it may go, as it may by its key.
    bed.ok(["rm", &bed.uri("runs/e1/deep/stray")]);
    bed.ok(["put", "in", &bed.uri("runs/e2")]);
    bed.ok(["rm", &bed.uri("runs/e1")]);
    bed.ok(["rm", &bed.uri("runs/e2")]);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}

#[test]
fn a_prefix_into_a_checkpoint_changes_nothing_of_it() {
    for bed in [local(), minio()] {
        with_checkpoint(&bed);
        for (prefix, key) in [("runs/e1", "w.bin"), ("runs/e1/deep", "x.bin")] {
            refused(&bed, &["--prefix", prefix, "rm", key], 8);
            refused(&bed, &["--prefix", prefix, "put", "other", key], 8);
            refused(&bed, &["--prefix", prefix, "put", "in", "new"], 8);
        }
        refused(&bed, &["--prefix", "runs/e1/.strata", "rm", "manifest.json"], 2);
        bed.ok(["ls", "--verify"]);
        bed.ok(["--prefix", "runs", "rm", "e1"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new(), "on {}", bed.name());
    }
}

/// One question for each component of the prefix, however many files there are, and none without a prefix. Rights may end
/// at the prefix.
#[test]
fn what_it_costs() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    bed.write("one", b"content");
    (0..20).for_each(|number| bed.write(&format!("many/{number}"), b"content"));
    let asked = |arguments: &[&str]| {
        let before = server.requests(Operation::Any).len();
        bed.ok(arguments);
        server.requests(Operation::Any).len() - before
    };
    let without = asked(&["put", "one", "a"]);
    assert_eq!(asked(&["--prefix", "runs", "put", "one", "a"]), without + 1);
    assert_eq!(asked(&["--prefix", "runs/b", "put", "one", "a"]), without + 2);
    let without = asked(&["put", "many", "c"]);
    assert_eq!(asked(&["--prefix", "runs", "put", "many", "c"]), without + 1);

    server.add(Rule::always(Operation::Head, Action::refuse(403, "AccessDenied")).key("runs/.strata/manifest.json"));
    assert_eq!(asked(&["--prefix", "runs/b", "rm", "a"]), asked(&["rm", "a"]) + 2);
    bed.ok(["--prefix", "runs/d", "put", "one", "a"]);
}
