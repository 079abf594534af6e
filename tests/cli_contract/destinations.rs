//! Where what was got goes.

use crate::support::bed::{Bed, local};

fn with_checkpoint() -> Bed {
    let bed = local();
    bed.write("epoch_9/model.bin", b"weights 9");
    bed.write("epoch_9/opt/state.pt", b"state");
    bed.ok(["put", "epoch_9"]);
    bed
}

#[test]
fn a_file_comes_back_at_its_own_path() {
    let bed = local();
    bed.write("runs/a/model.bin", b"weights");
    bed.ok(["put", "runs/a/model.bin"]);
    std::fs::remove_dir_all(bed.path("runs")).unwrap();
    assert_eq!(bed.ok(["get", "runs/a/model.bin"]).stdout_line(), "runs/a/model.bin");
    assert_eq!(bed.read("runs/a/model.bin"), b"weights");
}

#[test]
fn a_directory_takes_a_file_under_its_own_name() {
    let bed = local();
    bed.write("runs/model.bin", b"weights");
    bed.ok(["put", "runs/model.bin"]);
    std::fs::create_dir(bed.path("there")).unwrap();
    assert_eq!(bed.ok(["get", "runs/model.bin", "there"]).stdout_line(), "there/model.bin");
    assert_eq!(bed.ok(["get", "runs/model.bin", "new/"]).stdout_line(), "new/model.bin");
    assert_eq!(bed.ok(["get", "runs/model.bin", "new/name"]).stdout_line(), "new/name");
    std::fs::create_dir_all(bed.path("blocked/model.bin")).unwrap();
    assert_eq!(bed.run(["get", "runs/model.bin", "blocked"]).code, Some(8));
}

#[test]
fn a_checkpoint_goes_straight_into_its_destination() {
    let bed = with_checkpoint();
    for destination in ["new/place", "new/place/", "there"] {
        std::fs::create_dir_all(bed.path("there")).unwrap();
        assert_eq!(bed.ok(["get", "epoch_9", destination]).stdout_line(), destination);
        bed.assert_same_tree("epoch_9", destination);
    }
}

#[test]
fn a_checkpoint_is_no_stream_and_replaces_no_file() {
    let bed = with_checkpoint();
    bed.write("file", b"mine");
    assert_eq!(bed.run(["get", "epoch_9", "-"]).code, Some(2));
    assert_eq!(bed.run(["get", "epoch_9", "file"]).code, Some(8));
    assert_eq!(bed.read("file"), b"mine");
}

#[test]
fn latest_is_the_highest_number() {
    let bed = with_checkpoint();
    bed.write("in/model.bin", b"weights 10");
    bed.ok(["put", "in", "epoch_10"]);
    bed.ok(["put", "in", "runs/b/step_3"]);
    assert_eq!(bed.ok(["get", "--latest", "epoch_", "out"]).stdout_line(), "out");
    assert_eq!(bed.read("out/model.bin"), b"weights 10");
    assert_eq!(bed.ok(["get", "--latest", "runs/"]).stdout_line(), "runs/b/step_3");
    let store = format!("file://{}", bed.path("checkpoints/runs").display());
    assert_eq!(bed.ok(["get", "--latest", &store, "full"]).stdout_line(), "full");
    let said = bed.command(["get"]).env("STRATA_LATEST", "1").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim_end(), "epoch_10");
    assert_eq!(bed.run(["get", "--latest", "none/"]).code, Some(4));
    assert_eq!(bed.run(["get"]).code, Some(2));
}

#[test]
fn globs_choose_files() {
    let bed = with_checkpoint();
    bed.ok(["get", "epoch_9", "some", "--include", "*.pt"]);
    assert!(bed.path("some/opt/state.pt").exists() && !bed.path("some/model.bin").exists());
    bed.ok(["get", "epoch_9", "others", "--exclude", "*.pt"]);
    assert!(!bed.path("others/opt").exists() && bed.path("others/model.bin").exists());
    bed.ok(["put", "epoch_9", "partly", "--exclude", "opt/**"]);
    assert!(!bed.stored_keys().iter().any(|key| key.starts_with("partly/opt")));
    assert_eq!(bed.run(["get", "epoch_9/model.bin", "f", "--include", "*"]).code, Some(2), "a file has no files");
    assert_eq!(bed.run(["put", "epoch_9/model.bin", "--include", "*"]).code, Some(2));
    assert_eq!(bed.run(["get", "epoch_9", "bad", "--include", "["]).code, Some(2));
}

#[test]
fn a_directory_without_a_manifest_is_taken_only_as_it_is() {
    let bed = local();
    bed.write("checkpoints/plain/a.bin", b"a");
    bed.write("checkpoints/plain/b/c.bin", b"c");
    let said = bed.run(["get", "plain"]);
    assert_eq!(said.code, Some(4));
    assert!(said.stderr.contains("--unverified"), "{}", said.stderr);
    assert!(!bed.path("plain").exists());
    let said = bed.ok(["get", "plain", "--unverified"]);
    assert!(said.stderr.contains("not verified"), "{}", said.stderr);
    bed.assert_same_tree("checkpoints/plain", "plain");
    assert_eq!(bed.run(["get", "plain", "again", "--unverified", "--require-checksum"]).code, Some(6));
}

#[test]
fn a_directory_that_is_being_put_is_not_taken_even_so() {
    let bed = with_checkpoint();
    // As a kill just before the commit leaves it.
    let marker = String::from_utf8(bed.read("checkpoints/epoch_9/.strata/put.json")).unwrap();
    assert!(marker.contains("\"committed\""), "{marker}");
    bed.write("checkpoints/epoch_9/.strata/put.json", marker.replace("\"committed\"", "\"putting\"").as_bytes());
    std::fs::remove_file(bed.path("checkpoints/epoch_9/.strata/manifest.json")).unwrap();
    assert_eq!(bed.run(["get", "epoch_9", "out"]).code, Some(4));
    assert_eq!(bed.run(["get", "epoch_9", "out", "--unverified"]).code, Some(8));
    assert!(!bed.path("out").exists());
}
