//! The help of every command, at a fixed width; it depends on nothing else.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::bed::local;

fn help(arguments: &[&str]) -> String {
    let bed = local();
    let mut command = bed.command(arguments);
    let variables =
        [("COLUMNS", "100"), ("STRATA_PART_SIZE", "16MiB"), ("STRATA_JSON", "1"), ("AWS_PROFILE", "secret")];
    let output = command.envs(variables).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn of_the_whole() {
    insta::assert_snapshot!("help", help(&["--help"]));
}

#[test]
fn of_each_command() {
    for command in ["put", "get", "ls", "rm", "completions"] {
        insta::assert_snapshot!(format!("help_{command}"), help(&[command, "--help"]));
    }
}
