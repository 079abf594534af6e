//! `setup --check`: what it finds, what it says of it, that it leaves nothing behind, and what later commands make of what
//! it kept.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod interrupted;
mod local;
mod memory;
mod rights;
mod scripted;
mod trouble;

use std::collections::BTreeMap;

use serde_json::Value;

use support::bed::{Bed, Said};

/// All lines of a check under `--json`, by name.
struct Checked {
    said: Said,
    checks: BTreeMap<String, Value>,
}

impl Checked {
    fn outcome(&self, name: &str) -> &str {
        self.checks[name]["outcome"].as_str().unwrap()
    }

    fn detail(&self, name: &str) -> &str {
        self.checks[name]["detail"].as_str().unwrap()
    }

    fn hint(&self, name: &str) -> &str {
        self.checks[name]["hint"].as_str().unwrap_or_default()
    }

    /// The names with one of these outcomes. That a machine is slow is no outcome of a test: see [`is_far`].
    fn with(&self, outcomes: &[&str]) -> Vec<&str> {
        let is_one = |check: &&Value| outcomes.contains(&check["outcome"].as_str().unwrap()) && !is_far(check);
        let checks: Vec<&Value> = self.checks.values().filter(is_one).collect();
        checks.iter().map(|check| check["name"].as_str().unwrap()).collect()
    }
}

/// A round trip that took long; what that is, is tested with times that are given.
fn is_far(check: &Value) -> bool {
    check["name"] == "round trip" && check["outcome"] == "note"
}

fn checked(bed: &Bed, variables: &[(&str, &str)]) -> Checked {
    let mut command = bed.command(["--json", "setup", "--check"]);
    let said = support::bed::said(command.envs(variables.iter().copied()).output().unwrap());
    let lines = said.json_lines();
    let last = lines.last().expect("a summary");
    assert_eq!(last["type"], "checked", "{said:?}");
    let checks: BTreeMap<String, Value> = lines
        .iter()
        .filter(|line| line["type"] == "check")
        .map(|line| (line["name"].as_str().unwrap().to_owned(), line.clone()))
        .collect();
    let counted: u64 = ["good", "notes", "bad", "skipped"].iter().map(|name| last[name].as_u64().unwrap()).sum();
    assert_eq!((counted as usize, lines.len()), (checks.len(), checks.len() + 1), "each is told once");
    for check in checks.values() {
        assert!(!matches!(check["outcome"].as_str().unwrap(), "bad" | "note") || check["hint"].is_string(), "{check}");
        assert_eq!(check["outcome"] == "bad", check["kind"].is_string(), "{check}");
    }
    Checked { said, checks }
}

/// Where what was learnt is kept.
const KEPT: &str = "home/.local/state/strata-ckpt/endpoints";

/// The one file there, by its name and content.
fn kept(bed: &Bed) -> (String, String) {
    let mut files = support::bed::files_below(&bed.path(KEPT));
    assert_eq!(files.len(), 1);
    let (name, content) = files.pop_first().unwrap();
    (format!("{KEPT}/{name}"), String::from_utf8(content).unwrap())
}
