//! Bad input: one clear line, a hint, the right exit code, nothing written. The texts are kept as snapshots.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use support::bed::{Bed, local, local_within_reach};

/// What was typed, the exit code, and all that was said, one case after the other.
struct Transcript<'a> {
    bed: &'a Bed,
    text: String,
}

impl<'a> Transcript<'a> {
    fn new(bed: &'a Bed) -> Self {
        Transcript { bed, text: String::new() }
    }

    fn of<S: AsRef<OsStr>>(&mut self, variables: &[(&str, &str)], arguments: &[S]) {
        let mut command = self.bed.command(arguments);
        command.envs(variables.iter().copied());
        self.record(variables, &mut command);
    }

    fn record(&mut self, variables: &[(&str, &str)], command: &mut Command) {
        let set: String = variables.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        let typed: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.stdout.is_empty(), "a failure prints no data: {typed:?}");
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{typed:?}");
        writeln!(self.text, "$ {set}strata-ckpt {}\n{said}exit {code}\n", typed.join(" ")).unwrap();
    }

    fn check(self, name: &str) {
        let text = self.text.replace(&self.bed.path("").display().to_string(), "/DIR/");
        let directory = self.bed.path("").file_name().unwrap().to_str().unwrap().to_owned();
        let text = text.replace(&directory, "DIR");
        assert!(!text.contains("panicked") && !text.contains("os error"), "{text}");
        insta::assert_snapshot!(name, text);
        assert!(!self.bed.path("checkpoints").exists(), "nothing is written");
    }
}

#[test]
fn sources() {
    let bed = local();
    std::fs::create_dir_all(bed.path("directory")).unwrap();
    bed.write("file", b"x");
    // Not by binding one: the address of a socket is short, the name of a temporary directory may be long.
    mknodat(CWD, bed.path("socket"), FileType::Socket, Mode::RUSR, 0).unwrap();
    assert!(Command::new("mkfifo").arg(bed.path("fifo")).status().unwrap().success());
    std::os::unix::fs::symlink("nothing", bed.path("dangling")).unwrap();
    let mut transcript = Transcript::new(&bed);
    for source in ["missing.bin", "missing/dir/model.bin", "dangling", "fifo", "socket", "/dev/null", "file/below"] {
        transcript.of(&[], &["put", source, "key"]);
    }
    let not_utf8 = OsString::from_vec(b"model-\xff.bin".to_vec());
    std::fs::write(bed.path("").join(&not_utf8), b"x").unwrap();
    transcript.of(&[], &[OsStr::new("put"), &not_utf8, OsStr::new("key")]);
    transcript.of(&[], &["put", "."]);
    transcript.of(&[], &["put", ".", "all"]);
    transcript.of(&[], &["put", "/usr/bin"]);
    transcript.of(&[], &["put", "-"]);
    transcript.of(&[], &["put", "-", "runs/"]);
    transcript.of(&[], &["put", "file", "--meta", "step=1"]);
    transcript.of(&[], &["put", "directory", "--meta", "a=1", "--meta", "b=1", "--meta", "a=2"]);
    transcript.of(&[("STRATA_INCLUDE", "*.bin")], &["put", "file"]);
    transcript.check("sources");
}

/// Root may read everything, so the command runs as somebody else where the test is root.
#[test]
fn files_and_directories_without_permission() {
    let bed = local_within_reach();
    let binary = bed.path("strata-ckpt");
    // By another process: a file that a thread of this one holds open for writing cannot be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_strata-ckpt")).arg(&binary).status().unwrap();
    assert!(copied.success());
    bed.write("secret.bin", b"x");
    bed.write("closed/model.bin", b"x");
    bed.write("run/model.bin", b"x");
    let mode = |path: &str, mode| std::fs::set_permissions(bed.path(path), PermissionsExt::from_mode(mode)).unwrap();
    for (path, bits) in [("", 0o777), ("strata-ckpt", 0o755), ("secret.bin", 0), ("closed", 0), ("run/model.bin", 0)] {
        mode(path, bits);
    }
    let somebody = rustix::process::geteuid().is_root();
    let mut transcript = Transcript::new(&bed);
    for source in ["secret.bin", "closed/model.bin", "closed", "run"] {
        let mut command = Command::new(&binary);
        command.args(["put", source]).env_clear().env("CHECKPOINT_DIR", "store").current_dir(bed.path(""));
        if somebody {
            command.uid(65_534).gid(65_534);
        }
        transcript.record(&[], &mut command);
    }
    mode("closed", 0o755);
    transcript.check("permissions");
}

#[test]
fn keys() {
    let bed = local();
    bed.write("f", b"x");
    let long = "k".repeat(1025);
    let mut transcript = Transcript::new(&bed);
    for key in ["", "/abs/key", "a/../b", "a//b", "./a", "a/.strata/b", "-", "s3://", "gs://b/k", "file://rel"] {
        transcript.of(&[], &["put", "f", key]);
    }
    transcript.of(&[], &["get", &long]);
    transcript.of(&[], &["rm", ""]);
    transcript.of(&[], &["--prefix", "../up", "ls"]);
    let text = transcript.text.replace(&long, "kkk...");
    Transcript { text, bed: &bed }.check("keys");
}

#[test]
fn what_is_not_there() {
    let bed = local();
    let mut transcript = Transcript::new(&bed);
    for arguments in [
        &["get", "epoch_1"][..],
        &["get"],
        &["get", "--latest"],
        &["get", "--latest", "runs/"],
        &["ls", "epoch_"],
        &["rm", "epoch_1"],
        &["rm", "epoch_1", "epoch_2"],
        &["--json", "get", "epoch_1"],
    ] {
        transcript.of(&[], arguments);
    }
    transcript.check("what_is_not_there");
}

#[test]
fn numbers_and_choices() {
    let bed = local();
    let mut transcript = Transcript::new(&bed);
    for (flag, value) in [
        ("--part-size", "tiny"),
        ("--part-size", "1MiB"),
        ("--part-size", "6GiB"),
        ("-j", "0"),
        ("-j", "many"),
        ("--max-memory", "-1"),
        ("--bwlimit", "1KiB"),
        ("--bwlimit", "fast"),
        ("--retries", "-1"),
        ("--retries", "1.5"),
        ("--stall-timeout", "0s"),
        ("--deadline", "tomorrow"),
        ("--backend", "gcs"),
        ("--addressing-style", "host"),
    ] {
        transcript.of(&[], &["ls", flag, value]);
    }
    for (variable, value) in [
        ("STRATA_PART_SIZE", "tiny"),
        ("STRATA_CONCURRENCY", "0"),
        ("STRATA_RETRIES", "-1"),
        ("STRATA_DEADLINE", "tomorrow"),
        ("STRATA_JSON", "maybe"),
        ("STORAGE_BACKEND", "gcs"),
        ("STRATA_ADDRESSING_STYLE", "host"),
    ] {
        transcript.of(&[(variable, value)], &["ls"]);
    }
    transcript.of(&[], &["put", "f", "--meta", "step"]);
    transcript.of(&[], &["put", "f", "--metta", "step=1"]);
    transcript.of(&[], &["put", "a", "b", "c"]);
    transcript.of(&[], &["put"]);
    transcript.of(&[], &["--json", "put"]);
    transcript.of(&[], &["push", "a"]);
    transcript.check("numbers_and_choices");
}

#[test]
fn retention() {
    let bed = local();
    bed.write("run/file", b"x");
    let mut transcript = Transcript::new(&bed);
    for arguments in [
        &["rm"][..],
        &["rm", "--keep-last", "0"],
        &["rm", "--keep-last", "-1", "runs/"],
        &["rm", "--keep-last", "all"],
        &["rm", "--keep-every", "0"],
        &["rm", "--keep-every", "1.5"],
        &["rm", "--older-than", "0s"],
        &["rm", "--older-than", "tomorrow"],
        &["rm", "--partial", "--keep-last", "3"],
        &["rm", "--keep-last", "3", "--yes", ""],
        &["rm", "--partial", "--yes", "runs/", "/"],
        &["rm", "--keep-last", "3", "--yes", "s3://bucket/"],
        &["put", "run", "--keep-last", "0"],
        &["put", "run/file", "--keep-last", "3"],
        &["put", "-", "key", "--keep-last", "3"],
    ] {
        transcript.of(&[], arguments);
    }
    transcript.of(&[("STRATA_RM_KEEP_LAST", "0")], &["rm", "epoch_1"]);
    transcript.of(&[("STRATA_RM_KEEP_LAST", "3")], &["rm"]);
    transcript.of(&[("STRATA_RM_PARTIAL", "1")], &["rm", "epoch_1"]);
    transcript.of(&[("STRATA_PUT_KEEP_LAST", "0")], &["put", "run"]);
    transcript.of(&[("STRATA_PUT_KEEP_LAST", "3")], &["put", "run/file"]);
    transcript.check("retention");
}

#[test]
fn bench() {
    let bed = local();
    bed.write("text.json", b"hello\n");
    bed.write("empty.json", b"");
    bed.write("array.json", b"[\n{}\n]\n");
    bed.write("other.json", b"{\"type\":\"put\",\"uri\":\"x\"}\n");
    std::fs::create_dir_all(bed.path("directory")).unwrap();
    let mut transcript = Transcript::new(&bed);
    for arguments in [
        &["--size", "0"][..],
        &["--size", "big"],
        &["--size", "2TiB"],
        &["--size", "3", "--files", "4"],
        &["--size", "1TiB", "--part-size", "5MiB"],
        &["--runs", "0"],
        &["--runs", "101"],
        &["--runs", "-1"],
        &["--files", "0"],
        &["--files", "10001"],
        &["--part-size", "8MiB,1MiB"],
        &["--part-size", "8MiB,"],
        &["-j", "4,0"],
        &["--op", "copy"],
        &["--source", "disk"],
        &["--tolerance", "100%"],
        &["--tolerance", "10%"],
        &["--baseline", "missing.json"],
        &["--baseline", "text.json"],
        &["--baseline", "empty.json"],
        &["--baseline", "array.json"],
        &["--baseline", "other.json"],
        &["--html", "directory"],
        &["--html", "missing/bench.html"],
        &["epoch_1"],
    ] {
        transcript.of(&[], &[&["bench"], arguments].concat());
    }
    transcript.of(&[("STRATA_BENCH_RUNS", "0")], &["bench"]);
    transcript.of(&[("STRATA_CONCURRENCY", "4,0")], &["bench"]);
    transcript.of(&[], &["ls", "-j", "4,16"]);
    transcript.of(&[("STRATA_PART_SIZE", "8MiB,16MiB")], &["ls"]);
    transcript.check("bench");
}

#[test]
fn setup() {
    let bed = local();
    bed.write(".env", b"");
    let s3 = [("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", "my-ckpts"), ("S3_ENDPOINT", "http://127.0.0.1:1")];
    let amazon = &s3[..2];
    let mut transcript = Transcript::new(&bed);
    for arguments in [
        &["--transition-after-epochs", "30"][..],
        &["--expire-after-epochs", "30"],
        &["--transition-after-epochs", "119", "--epoch-duration", "5h"],
        &["--transition-after-epochs", "120", "--epoch-duration", "6h", "--expire-after-epochs", "120"],
        &["--transition-after-epochs", "4000000000", "--epoch-duration", "6h"],
        &["--transition-after-epochs", "2000000000", "--epoch-duration", "2d"],
        &["--transition-after-epochs", "0", "--epoch-duration", "6h"],
        &["--transition-after-epochs", "40", "--epoch-duration", "1d", "--storage-class", "GLACIER"],
        &["--transition-after-epochs", "40", "--epoch-duration", "1d", "--storage-class", "COLD"],
        &["--storage-class", "STANDARD_IA"],
        &["--epoch-duration", "0s"],
        &["--abort-days", "0"],
        &["--abort-days", "-1"],
        &["--noncurrent-days", "soon"],
        &["--iam-policy", "--kms-key", "alias/ckpts"],
        &["--kms-key", "k"],
        &["--iam-policy", "--env"],
        &["--check", "--abort-days", "3"],
        &["--force"],
        &["--prefix", "../up", "--iam-policy"],
    ] {
        transcript.of(amazon, &[&["setup"], arguments].concat());
    }
    transcript.of(&[("STRATA_EPOCH_DURATION", "often")], &["setup", "--backend", "s3"]);
    transcript.of(&[("STORAGE_BACKEND", "s3")], &["setup"]);
    transcript.of(&[], &["setup", "--iam-policy"]);
    transcript.of(&[], &["setup", "--expire-after-epochs", "3"]);
    transcript.of(&[], &["setup", "--env"]);
    transcript.of(&[], &["setup", "--env", "--env-file", "no/such/directory/.env"]);
    transcript.of(&[("AWS_ACCESS_KEY_ID", "AKID")], &["setup", "--env", "--force"]);
    transcript.of(&s3, &["setup", "epoch_1"]);
    transcript.check("setup");
}

#[test]
fn stores() {
    let bed = local();
    bed.write("broken.env", b"AWS_SECRET_ACCESS_KEY=abc def ghi\n");
    bed.write("file", b"x");
    let mut transcript = Transcript::new(&bed);
    transcript.of(&[("STORAGE_BACKEND", "s3")], &["ls"]);
    transcript.of(&[("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", "Not_A_Bucket")], &["ls"]);
    transcript.of(&[], &["ls", "s3://ab"]);
    transcript.of(&[], &["ls", "--env-file", "missing.env"]);
    transcript.of(&[], &["ls", "--env-file", "broken.env"]);
    transcript.of(&[("CHECKPOINT_DIR", "file")], &["put", "file"]);
    transcript.check("stores");
}

#[test]
fn destinations() {
    let bed = local();
    bed.write("store/run/model.bin", b"x");
    bed.write("store/file", b"x");
    std::fs::create_dir_all(bed.path("there/file")).unwrap();
    std::fs::create_dir_all(bed.path("file")).unwrap();
    bed.write("taken", b"mine");
    let store = [("CHECKPOINT_DIR", "store")];
    let mut transcript = Transcript::new(&bed);
    for arguments in [
        &["get", "file"][..],
        &["get", "file", "there"],
        &["get", "file", "taken", "-n"],
        &["get", "file", "taken/below"],
        &["get", "file", "/dev/null"],
        &["get", "file", "out", "--require-checksum"],
        &["get", "file", "out", "--include", "*"],
        &["get", "run"],
        &["get", "run", "taken", "--unverified"],
        &["get", "run", "-", "--unverified"],
        &["get", "run", "out", "--unverified", "--include", "*.pt"],
        &["get", "run", "out", "--unverified", "--include", "["],
    ] {
        transcript.of(&store, arguments);
    }
    assert_eq!(bed.read("taken"), b"mine");
    assert!(!bed.path("out").exists());
    transcript.check("destinations");
}
