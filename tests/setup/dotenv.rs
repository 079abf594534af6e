//! `setup --env`.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::support::bed::{Bed, local, said, with};
use super::{setup, told};

const SECRET: &str = "canary/s3cr3t+$HOME='xy'\\\"#=";

fn bed_with_keys() -> Bed {
    let pairs = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", "my-ckpts"),
        ("CHECKPOINT_PREFIX", "runs/a b"),
        ("AWS_REGION", "eu-west-1"),
        ("S3_ENDPOINT", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    with(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// What another command takes from the file alone.
fn uri(bed: &Bed, arguments: &[&str]) -> String {
    let mut command = bed.command([&["setup", "--iam-policy"], arguments].concat());
    for name in ["STORAGE_BACKEND", "CHECKPOINT_BUCKET", "CHECKPOINT_PREFIX", "AWS_REGION"] {
        command.env_remove(name);
    }
    said(command.output().unwrap()).stdout_line()
}

#[test]
fn it_is_written_once_for_its_owner_alone_and_read_back() {
    let bed = bed_with_keys();
    let dry = setup(&bed, &["--env", "--dry-run"]);
    assert!(dry.code == Some(0) && !bed.path(".env").exists(), "{dry:?}");
    let said = setup(&bed, &["--env"]);
    insta::assert_snapshot!("env_written", told(&said, &[]));
    for text in [&dry.stdout, &said.stdout, said.stderr.as_bytes(), dry.stderr.as_bytes()] {
        assert!(!String::from_utf8_lossy(text).contains("canary"), "a secret is never printed");
    }
    let mode = bed.path(".env").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let policy = uri(&bed, &[]);
    assert!(policy.contains("arn:aws:s3:::my-ckpts/runs/a b/*"), "{policy}");

    bed.write(".env", b"CHECKPOINT_BUCKET=mine\n");
    let refused = setup(&bed, &["--env"]);
    assert_eq!((refused.code, bed.read(".env")), (Some(8), b"CHECKPOINT_BUCKET=mine\n".to_vec()));
    assert_eq!(setup(&bed, &["--env", "--force"]).code, Some(0));
    assert_ne!(bed.read(".env"), b"CHECKPOINT_BUCKET=mine\n");
    let left: Vec<_> = std::fs::read_dir(bed.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".env"], "nothing is left beside it");
}

#[test]
fn what_is_dropped_is_named_without_its_value() {
    let bed = bed_with_keys();
    let former = b"CHECKPOINT_BUCKET=mine\nSTRATA_RETRIES=3\nexport WANDB_API_KEY='canary\nNOT_A_NAME=x'\n# OLD=1\n";
    for (flags, left) in [(&["--env", "--force", "--dry-run"][..], true), (&["--env", "--force"], false)] {
        bed.write(".env", former);
        let said = setup(&bed, flags);
        let stdout = String::from_utf8_lossy(&said.stdout).into_owned();
        let told = "; 2 settings of the former are dropped: STRATA_RETRIES, WANDB_API_KEY\n";
        assert!(said.code == Some(0) && stdout.contains(told), "{said:?}");
        assert!(!stdout.contains("canary") && !stdout.contains("NOT_A_NAME"), "{stdout}");
        assert_eq!(bed.read(".env") == former, left);
    }
    bed.write(".env", b"CHECKPOINT_BUCKET=mine\n");
    assert!(!String::from_utf8_lossy(&setup(&bed, &["--env", "--force"]).stdout).contains("dropped"));
}

#[test]
fn a_link_is_not_replaced_by_a_file() {
    let bed = bed_with_keys();
    bed.write("shared/team.env", b"CHECKPOINT_BUCKET=mine\n");
    std::os::unix::fs::symlink("shared/team.env", bed.path(".env")).unwrap();
    let said = setup(&bed, &["--env", "--force"]);
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stderr.contains("is a symbolic link to 'shared/team.env'"), "{said:?}");
    assert!(bed.path(".env").is_symlink());
    assert_eq!(bed.read("shared/team.env"), b"CHECKPOINT_BUCKET=mine\n");
}

/// A FIFO would be waited for, and a device would be gone for all; a directory is no better.
#[test]
fn only_a_regular_file_is_replaced() {
    let bed = bed_with_keys();
    mkfifoat(CWD, bed.path("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(bed.path("socket")).unwrap();
    std::fs::create_dir(bed.path("directory")).unwrap();
    for (name, what) in [("fifo", "a FIFO"), ("socket", "a socket"), ("directory", "a directory")] {
        let before = bed.path(name).symlink_metadata().unwrap().ino();
        let by_flag = setup(&bed, &["--env", "--force", "--env-file", name]);
        let mut by_variables = bed.command(["setup"]);
        by_variables.envs([("STRATA_SETUP_ENV", "1"), ("STRATA_SETUP_FORCE", "1"), ("STRATA_ENV_FILE", name)]);
        for said in [by_flag, setup(&bed, &["--env", "--env-file", name]), said(by_variables.output().unwrap())] {
            assert_eq!((said.code, said.stdout.len()), (Some(2), 0), "{said:?}");
            assert!(said.stderr.contains(&format!("'{name}' is {what}, and only a regular file")), "{said:?}");
        }
        assert_eq!(bed.path(name).symlink_metadata().unwrap().ino(), before, "{name} is still there");
    }
    std::fs::rename(bed.path("fifo"), bed.path(".env")).unwrap();
    assert_eq!(setup(&bed, &["--env", "--force"]).code, Some(2));
}

#[test]
fn a_bucket_that_is_not_named_is_missed() {
    let bed = local();
    let said = setup(&bed, &["--env", "--backend", "s3"]);
    assert!(
        said.code == Some(0) && said.stderr.contains("no bucket is named: set CHECKPOINT_BUCKET in '.env'"),
        "{said:?}"
    );
    let named = setup(&bed, &["--env", "--force", "--backend", "s3", "--bucket", "b-1"]);
    assert!(named.code == Some(0) && !named.stderr.contains("no bucket"), "{named:?}");
}

#[test]
fn another_file_and_no_keys() {
    let bed = local();
    let said = setup(
        &bed,
        &["--env", "--env-file", "team.env", "--backend", "s3", "--bucket", "b-1", "--region", "us-west-2"],
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    let text = String::from_utf8(bed.read("team.env")).unwrap();
    for line in ["STORAGE_BACKEND=s3", "CHECKPOINT_BUCKET=b-1", "AWS_REGION=us-west-2", "#AWS_SECRET_ACCESS_KEY="] {
        assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
    }
    assert!(uri(&bed, &["--env-file", "team.env"]).contains("arn:aws:s3:::b-1"));
    assert!(!bed.path(".env").exists());
}

#[test]
fn a_repository_that_does_not_ignore_it_is_told_of() {
    let bed = bed_with_keys();
    let path = std::env::var_os("PATH").unwrap();
    // Run by git itself, as in a hook, this would have its variables, which name another repository.
    let git = Command::new("git").args(["init", "--quiet"]).arg(bed.path("")).env_clear().env("PATH", &path).status();
    assert!(git.unwrap().success());
    let run = || said(bed.command(["setup", "--env", "--force"]).env("PATH", &path).output().unwrap());
    assert!(run().stderr.contains("add it to .gitignore"));
    bed.write(".gitignore", b".env\n");
    assert!(!run().stderr.contains("gitignore"));
}
