//! `setup`: the bucket, its lifecycle and policy, and `.env`, by the real binary, against servers that hold all of it, a
//! part of it, or something else than what they were told.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod amazon;
mod causes;
mod dotenv;
mod local;
mod meanwhile;
mod minio;
mod policy;
mod rights;
mod script;
mod scripted;

use support::bed::{Bed, Said};

/// All that was said of the steps, one stream after the other, with what differs from run to run replaced. What the check
/// at the end says is a matter of its own.
fn told(said: &Said, replaced: &[(&str, &str)]) -> String {
    let stdout = String::from_utf8(said.stdout.clone()).unwrap();
    let is_check = |line: &&str| {
        ["good", "note", "bad", "skipped"]
            .iter()
            .any(|outcome| line.get(25..).is_some_and(|rest| rest.starts_with(outcome)))
    };
    let (checks, steps): (Vec<&str>, Vec<&str>) = stdout.lines().partition(is_check);
    let names: Vec<String> = checks.iter().map(|line| format!("hint: {}: ", line[..23].trim_end())).collect();
    let of_check = |line: &str| {
        line.contains(" is fit for use")
            || line.starts_with("complete ")
            || names.iter().any(|name| line.starts_with(name))
    };
    let stderr = said.stderr.lines().filter(|line| !line.starts_with("warning: the server at ") && !of_check(line));
    let lines = |lines: Vec<&str>| lines.into_iter().map(|line| format!("{line}\n")).collect::<String>();
    let text = format!("exit {}\n{}---\n{}", said.code.unwrap(), lines(steps), lines(stderr.collect()));
    replaced.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// The states of the steps, by their names, as `--json` has them.
fn states(said: &Said) -> Vec<(String, String)> {
    let text = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
    let steps = said.json_lines().into_iter().filter(|line| line["type"] == "setup_step");
    steps.map(|line| (text(&line, "step"), text(&line, "state"))).collect()
}

/// The state of one step.
fn state(said: &Said, step: &str) -> String {
    let found = states(said).into_iter().find(|(name, _)| name == step);
    found.unwrap_or_else(|| panic!("no {step} in {said:?}")).1
}

/// The last line.
fn summary(said: &Said) -> serde_json::Value {
    let last = said.json_lines().pop().unwrap();
    assert_eq!(last["type"], "setup");
    last
}

fn setup(bed: &Bed, arguments: &[&str]) -> Said {
    bed.run([&["setup"], arguments].concat())
}
