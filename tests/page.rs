//! The snippet of the user's documentation runs as it stands there, with the page's variables and five permissions.
#![cfg(feature = "s3")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;
use std::process::Command;

/// `cargo test` builds the examples beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/page");
    assert!(built.is_file(), "{} is not built: run cargo build --example page", built.display());
    built
}

#[test]
fn the_snippet_of_the_page_writes_its_checkpoint() {
    let bucket = support::minio::shared().bucket_named("my-checkpoint-bucket");
    let directory = tempfile::tempdir().unwrap();
    let ran =
        Command::new(example()).env_clear().envs(bucket.environment()).current_dir(directory.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(bucket.objects(), [("checkpoints/epoch_10/model.bin".to_owned(), 1024)]);
    assert_eq!(bucket.read("checkpoints/epoch_10/model.bin"), vec![0; 1024]);
}

#[test]
fn dotenv_serves_as_well_as_the_environment() {
    let bucket = support::minio::shared_tls().bucket_named("my-checkpoint-bucket");
    let directory = tempfile::tempdir().unwrap();
    let lines: String = bucket.environment().iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
    std::fs::write(directory.path().join(".env"), lines).unwrap();
    let ran = Command::new(example()).env_clear().current_dir(directory.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(bucket.object_keys(), ["checkpoints/epoch_10/model.bin"]);
}
