//! What a source is called in the store.

use crate::support::bed::local;

#[test]
fn a_relative_source_is_its_own_key() {
    let bed = local();
    bed.write("epoch_10/model.bin", b"weights");
    for source in ["epoch_10/model.bin", "./epoch_10/./model.bin"] {
        assert_eq!(bed.ok(["put", source]).stdout_line(), bed.uri("epoch_10/model.bin"));
    }
    assert_eq!(bed.stored_keys(), ["epoch_10/model.bin"]);
}

#[test]
fn an_absolute_source_needs_a_key_and_says_what_to_type() {
    let bed = local();
    bed.write("my model.bin", b"weights");
    let source = bed.path("my model.bin").display().to_string();
    for typed in [source.as_str(), "../x/../my model.bin"] {
        let said = bed.run(["put", typed]);
        let code = if typed == source { 2 } else { 4 };
        assert_eq!(said.code, Some(code), "{}", said.stderr);
    }
    let said = bed.run(["put", &source]);
    assert!(said.stderr.contains(&format!("strata-ckpt put '{source}' 'my model.bin'")), "{}", said.stderr);
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
    bed.ok(["put", &source, "a/b"]);
    assert_eq!(bed.stored_keys(), ["a/b"]);
}

#[test]
fn a_key_that_ends_in_a_slash_takes_a_file_under_its_own_name() {
    let bed = local();
    bed.write("in/model.bin", b"weights");
    assert_eq!(bed.ok(["put", "in/model.bin", "runs/a/"]).stdout_line(), bed.uri("runs/a/model.bin"));
    assert_eq!(bed.ok(["put", "in", "runs/b/"]).stdout_line(), bed.uri("runs/b"), "a directory is the key itself");
}

#[test]
fn the_prefix_stands_before_every_key() {
    let bed = local();
    bed.write("model.bin", b"weights");
    let said = bed.ok(["--prefix", "/team/run_7/", "put", "model.bin"]);
    assert_eq!(said.stdout_line(), bed.uri("team/run_7/model.bin"));
    assert!(said.stderr.contains("restore with: strata-ckpt get --prefix /team/run_7/ model.bin"), "{}", said.stderr);
    let output = bed.command(["ls", "--json"]).env("CHECKPOINT_PREFIX", "team/run_7").output().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["key"], "model.bin");
}

#[test]
fn a_full_name_wins_over_the_environment() {
    let bed = local();
    bed.write("model.bin", b"weights");
    let uri = format!("file://{}", bed.path("other store/model.bin").display());
    let mut command = bed.command(["put", "model.bin", &uri]);
    let output = command.env("STORAGE_BACKEND", "s3").env("CHECKPOINT_PREFIX", "p").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), uri);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("restore with: strata-ckpt get '{uri}'")));
    assert_eq!(bed.read("other store/model.bin"), b"weights");
    assert_eq!(bed.ok(["get", &uri, "-"]).stdout, b"weights");
    assert_eq!(bed.ok(["get", &uri, "back/"]).stdout_line(), "back/model.bin");
}

#[test]
fn the_store_is_no_source() {
    let bed = local();
    bed.write("model.bin", b"weights");
    bed.ok(["put", "model.bin", "run/model.bin"]);
    for arguments in [["put", ".", "all"], ["put", "checkpoints", "all"], ["put", "checkpoints/../checkpoints/", "all"]]
    {
        let said = bed.run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
    }
    bed.ok(["put", "checkpoints/run", "copy"]);
    assert!(bed.stored_keys().contains(&"copy/model.bin".to_owned()));
}

#[test]
fn stdin_needs_a_whole_key() {
    let bed = local();
    for arguments in [vec!["put", "-"], vec!["put", "-", "runs/"], vec!["put", "-", "k", "--meta", "a=b"]] {
        assert_eq!(bed.run(&arguments).code, Some(2), "{arguments:?}");
    }
    bed.ok_with_input(["put", "-", "k"], b"content");
    assert_eq!(bed.ok(["get", "k", "-"]).stdout, b"content");
}

#[test]
fn a_key_is_checked_before_anything_happens() {
    let bed = local();
    bed.write("f", b"x");
    let long = "k".repeat(1025);
    for key in ["", "/abs", "a/../b", "../a", "a//b", "./a", &long, ".strata/x", "-", "s3://", "gs://b/k", "file://rel"]
    {
        for arguments in [["put", "f", key], ["get", key, "out"], ["rm", key, "f"]] {
            let said = bed.run(arguments);
            assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.stderr);
        }
    }
    assert!(!bed.path("checkpoints").exists() && !bed.path("out").exists());
}
