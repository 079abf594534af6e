//! Flag, environment, `.env`, default.

use crate::support::bed::{Bed, Said, local, minio};
use std::process::Command;

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { code: output.status.code(), stdout: output.stdout, stderr }
}

fn put(bed: &Bed) -> Command {
    bed.write("f", b"content");
    bed.command(["put", "f"])
}

#[test]
fn the_order_of_sources() {
    let bed = local();
    bed.write(".env", b"CHECKPOINT_PREFIX=dotenv\nCHECKPOINT_DIR=elsewhere\n");
    let prefix_of = |command: &mut Command| said(command).stdout_line();
    let uri = |prefix: &str| format!("file://{}", bed.path("elsewhere").join(prefix).join("f").display());
    assert_eq!(prefix_of(&mut put(&bed)), uri("dotenv"));
    assert_eq!(prefix_of(put(&bed).env("CHECKPOINT_PREFIX", "")), uri("dotenv"), "empty is unset");
    assert_eq!(prefix_of(put(&bed).env("CHECKPOINT_PREFIX", "real")), uri("real"));
    assert_eq!(prefix_of(put(&bed).env("CHECKPOINT_PREFIX", "real").args(["--prefix", "flag"])), uri("flag"));
}

#[test]
fn a_file_that_is_named_replaces_dotenv_and_has_to_exist() {
    let bed = local();
    bed.write(".env", b"CHECKPOINT_PREFIX=dotenv\n");
    bed.write("other.env", b"CHECKPOINT_PREFIX='other'\n");
    assert_eq!(said(put(&bed).args(["--env-file", "other.env"])).stdout_line(), bed.uri("other/f"));
    assert_eq!(said(put(&bed).env("STRATA_ENV_FILE", "other.env")).stdout_line(), bed.uri("other/f"));
    for missing in [said(put(&bed).args(["--env-file", "none"])), said(put(&bed).env("STRATA_ENV_FILE", "none"))] {
        assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    }
}

#[test]
fn a_bad_variable_matters_unless_a_flag_wins() {
    let bed = local();
    let bad = said(put(&bed).env("STRATA_RETRIES", "many"));
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.starts_with("error: STRATA_RETRIES: 'many'"), "{}", bad.stderr);
    assert_eq!(said(put(&bed).env("STRATA_RETRIES", "many").args(["--retries", "2"])).code, Some(0));
    assert_eq!(said(put(&bed).env("STRATA_DRY_RUN", "many")).code, Some(0), "put has no such flag");
}

#[test]
fn help_and_completions_need_no_usable_settings() {
    let bed = local();
    bed.write(".env", b"this is 'no environment");
    for arguments in [["put", "--help"], ["completions", "bash"], ["--version", "ls"]] {
        let said = said(bed.command(arguments).env("STRATA_RETRIES", "many"));
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!(bed.run(["ls"]).code, Some(2));
}

#[test]
fn the_backend_is_chosen_and_checked() {
    let bed = local();
    let nowhere = said(put(&bed).env("STORAGE_BACKEND", "s3"));
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("CHECKPOINT_BUCKET") && nowhere.stderr.contains("--bucket"), "{}", nowhere.stderr);
    for unknown in [said(put(&bed).env("STORAGE_BACKEND", "gcs")), said(put(&bed).args(["--backend", "gcs"]))] {
        assert_eq!(unknown.code, Some(2));
        assert!(unknown.stderr.contains("local, s3"), "{}", unknown.stderr);
    }
}

#[test]
fn a_bound_on_bandwidth_changes_no_byte() {
    for bed in [local(), minio()] {
        let content: Vec<u8> = (0..(12 << 20) + 1).map(|i| (i % 251) as u8).collect();
        bed.write("model.bin", &content);
        const BOUND: [&str; 4] = ["--bwlimit", "512MiB/s", "--part-size", "5MiB"];
        bed.ok(["put", "model.bin"].iter().chain(&BOUND));
        bed.ok(["get", "model.bin", "back.bin"].iter().chain(&BOUND));
        assert!(bed.read("back.bin") == content, "on {}", bed.name());
        bed.ok_with_input(["put", "-", "stream"].iter().chain(&BOUND), &content);
        assert!(bed.ok(["get", "stream", "-"].iter().chain(&BOUND)).stdout == content, "on {}", bed.name());
    }
}
