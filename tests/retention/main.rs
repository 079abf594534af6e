//! `rm --keep-last`, `--keep-every`, `--older-than` and `put --keep-last`: what is kept, and that nothing else goes.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod after_put;
mod asking;
mod races;
mod rules;
mod terminal;
mod troubles;

use support::bed::{Bed, Said, local, minio};

fn both(test: impl Fn(&Bed)) {
    for bed in [local(), minio()] {
        test(&bed);
        bed.assert_nothing_left();
    }
}

/// Checkpoints of two files with as many bytes as their names have, together.
fn put(bed: &Bed, names: &[&str]) {
    for name in names {
        bed.write(&format!("source/{name}/name.bin"), name.as_bytes());
        bed.write(&format!("source/{name}/deep/empty.bin"), b"");
        bed.ok(["put", &format!("source/{name}"), name]);
    }
}

fn fails(bed: &Bed, arguments: &[&str], code: i32) -> Said {
    let said = bed.run(arguments);
    assert_eq!(said.code, Some(code), "{arguments:?} on {}: {}", bed.name(), said.stderr);
    said
}

/// Names of what is complete, and nothing else is there.
fn complete(bed: &Bed) -> Vec<String> {
    let lines = bed.ok(["--json", "ls"]).json_lines();
    let name = |line: &serde_json::Value| {
        assert_eq!(line["state"], "complete", "on {}: {line}", bed.name());
        line["name"].as_str().unwrap().to_owned()
    };
    lines.iter().map(name).collect()
}

/// Removes for real after a dry run that said the same, and says which keys.
fn prune(bed: &Bed, arguments: &[&str]) -> Vec<String> {
    let before = bed.stored_keys();
    let dry = bed.ok([&["rm", "--dry-run"], arguments].concat());
    let objects = bed.ok([&["rm", "--dry-run", "--json"], arguments].concat()).json_lines();
    assert_eq!(bed.stored_keys(), before, "a dry run removes nothing");
    let wet = bed.ok([&["rm", "--yes"], arguments].concat());
    assert_eq!(dry.stdout, wet.stdout, "the same lines on {}", bed.name());
    assert_eq!(dry.stderr.replace("would free", "freed"), wet.stderr, "the same bytes on {}", bed.name());
    let keys: Vec<String> = objects.iter().map(|object| object["key"].as_str().unwrap().to_owned()).collect();
    let lines: Vec<&str> = objects.iter().map(|object| object["uri"].as_str().unwrap()).collect();
    assert_eq!(lines.join("\n"), wet.stdout_line());
    for object in &objects {
        let bytes = object["key"].as_str().unwrap().len();
        assert_eq!((&object["files"], &object["bytes"]), (&2.into(), &bytes.into()), "{object}");
    }
    keys
}
