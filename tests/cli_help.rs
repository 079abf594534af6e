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
    for command in ["put", "get", "ls", "rm", "bench", "setup", "completions"] {
        insta::assert_snapshot!(format!("help_{command}"), help(&[command, "--help"]));
    }
}

/// Every variable that the help names is explained in `.env.example`, and every one there means something.
#[test]
fn every_variable_has_its_example() {
    let example = include_str!("../.env.example");
    let commands = ["put", "get", "ls", "rm", "bench", "setup"];
    let helps: String = commands.iter().map(|command| help(&[command, "--help"])).chain([help(&["--help"])]).collect();
    let words: Vec<&str> = helps.split_whitespace().collect();
    let named: Vec<&str> =
        words.windows(2).filter(|pair| pair[0] == "[env:").map(|pair| pair[1].trim_end_matches(']')).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in &named {
        assert!(example.contains(&format!("{name}=")), "{name} is not in .env.example");
    }
    let examples = example.lines().filter_map(|line| line.trim_start_matches('#').split_once('='));
    for (name, _) in examples.filter(|(name, _)| name.starts_with("STRATA_")) {
        assert!(named.contains(&name), "{name} of .env.example is no variable");
    }
}
