//! A checkpoint is whole or not there, whatever lies around it, on both stores.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::process::Stdio;

use support::bed::{Bed, Said, local, minio};

fn both(test: impl Fn(&Bed)) {
    for bed in [local(), minio()] {
        test(&bed);
        bed.assert_nothing_left();
    }
}

/// What another tool, a lifecycle rule or a crash would have left in the store.
fn plant(bed: &Bed, key: &str, content: &[u8]) {
    if bed.name() == "MinIO" {
        bed.bucket().write(key, content);
    } else {
        bed.write(&format!("checkpoints/{key}"), content);
    }
}

fn lose(bed: &Bed, key: &str) {
    if bed.name() == "MinIO" {
        bed.bucket().delete(key);
    } else {
        fs::remove_file(bed.path(&format!("checkpoints/{key}"))).unwrap();
    }
}

fn marker(state: &str, files: &[&str]) -> Vec<u8> {
    let writer = serde_json::json!({ "host": "h", "pid": 1, "tool": "t", "token": "x" });
    let since = "2026-01-01T00:00:00Z";
    serde_json::json!({ "version": 1, "state": state, "writer": writer, "since": since, "files": files })
        .to_string()
        .into_bytes()
}

fn state_of(bed: &Bed, name: &str) -> String {
    let lines = bed.ok(["--json", "ls", name]).json_lines();
    lines[0]["state"].as_str().unwrap_or("file").to_owned()
}

fn fails(bed: &Bed, arguments: &[&str], code: i32) -> Said {
    let said = bed.run(arguments);
    assert_eq!(said.code, Some(code), "{arguments:?} on {}: {}", bed.name(), said.stderr);
    said
}

fn committed(bed: &Bed) {
    bed.write("run/a.bin", b"content a");
    bed.write("run/deep/b.bin", b"content b");
    bed.ok(["put", "run"]);
}

#[test]
fn putting_the_same_again_repairs_what_the_store_has_lost_or_spoilt() {
    both(|bed| {
        committed(bed);
        lose(bed, "run/a.bin");
        plant(bed, "run/deep/b.bin", b"spoilt by");
        assert_eq!(state_of(bed, "run"), "damaged");
        fails(bed, &["get", "run", "back"], 6);
        let put = bed.ok(["--json", "put", "run"]).json_lines();
        assert_eq!((&put[0]["moved_files"], &put[0]["changed"]), (&2.into(), &true.into()), "{put:?}");
        assert_eq!(state_of(bed, "run"), "complete");
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("run", "back");
    });
}

#[test]
fn other_content_is_refused_and_what_is_there_stays() {
    both(|bed| {
        committed(bed);
        bed.write("run/a.bin", b"CONTENT a");
        let said = fails(bed, &["put", "run"], 8);
        assert!(said.stderr.contains("it was committed at 20"), "{}", said.stderr);
        bed.write("run/a.bin", b"content a");
        bed.write("run/more.bin", b"more");
        fails(bed, &["put", "run"], 8);
        fs::remove_file(bed.path("run/more.bin")).unwrap();
        fails(bed, &["put", "-n", "run"], 8);
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("run", "back");
    });
}

#[test]
fn an_interrupted_put_is_partial_until_it_is_run_again_or_removed() {
    both(|bed| {
        bed.write("run/a.bin", b"content a");
        bed.write("run/b.bin", b"content b");
        plant(bed, "run/.strata/put.json", &marker("putting", &["a.bin", "b.bin", "old.bin"]));
        plant(bed, "run/old.bin", b"of the interrupted put");
        plant(bed, "run/notes.txt", b"somebody's");
        assert_eq!(state_of(bed, "run"), "partial");
        fails(bed, &["get", "run", "back"], 4);
        fails(bed, &["get", "--unverified", "run", "back"], 8);
        bed.ok(["put", "run"]);
        assert_eq!(state_of(bed, "run"), "complete");
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), ["run/notes.txt"], "{} keeps what is not ours, and only that", bed.name());
    });
}

#[test]
fn an_interrupted_removal_is_finished_by_running_it_again() {
    both(|bed| {
        plant(bed, "run/.strata/put.json", &marker("removing", &["a.bin", "b.bin"]));
        plant(bed, "run/b.bin", b"left");
        assert_eq!(state_of(bed, "run"), "partial");
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    });
}

#[test]
fn a_checkpoint_whose_manifest_is_spoilt_or_lost_can_be_removed() {
    both(|bed| {
        committed(bed);
        plant(bed, "run/.strata/manifest.json", b"{ not json");
        assert_eq!(state_of(bed, "run"), "damaged");
        fails(bed, &["get", "run", "back"], 6);
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());

        committed(bed);
        lose(bed, "run/.strata/manifest.json");
        assert_eq!(state_of(bed, "run"), "damaged");
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    });
}

#[test]
fn checkpoints_never_share_files() {
    both(|bed| {
        committed(bed);
        // Inside a committed one, and around it.
        fails(bed, &["put", "run", "run/inner"], 8);
        bed.write("outer/x.bin", b"x");
        bed.ok(["put", "run", "outer/run"]);
        fails(bed, &["put", "outer"], 8);
        bed.ok(["rm", "outer/run"]);
        // Around and inside an unfinished one.
        plant(bed, "outer/run/.strata/put.json", &marker("putting", &["a.bin"]));
        fails(bed, &["put", "outer"], 8);
        bed.ok(["rm", "outer/run"]);
        plant(bed, "wide/.strata/put.json", &marker("putting", &["inner/a.bin", "c.bin"]));
        fails(bed, &["put", "run", "wide/inner"], 8);

        // However they came to be: the committed one keeps its files.
        for key in ["run/a.bin", "run/deep/b.bin", "run/.strata/manifest.json"] {
            let content = match bed.name() {
                "MinIO" => bed.bucket().read(key),
                _ => bed.read(&format!("checkpoints/{key}")),
            };
            plant(bed, &key.replacen("run", "wide/inner", 1), &content);
        }
        plant(bed, "wide/c.bin", b"c");
        assert_eq!(state_of(bed, "wide/inner"), "complete");
        bed.ok(["rm", "wide"]);
        assert_eq!(state_of(bed, "wide/inner"), "complete");
        plant(bed, "run/deep/.strata/put.json", &marker("putting", &["b.bin"]));
        assert_eq!(state_of(bed, "run"), "complete");
        fails(bed, &["rm", "run/deep"], 8);
        bed.ok(["get", "run", "back"]);
        bed.assert_same_tree("run", "back");
    });
}

#[test]
fn a_directory_that_cannot_be_put_leaves_nothing() {
    both(|bed| {
        bed.write("run/a.bin", b"a");
        // Sparse: 60 GiB would need more than 10,000 parts of 5 MiB.
        fs::File::create(bed.path("run/zz.bin")).unwrap().set_len(60 << 30).unwrap();
        fails(bed, &["--part-size", "5MiB", "put", "run"], 2);
        assert_eq!(bed.stored_keys(), Vec::<String>::new(), "on {}", bed.name());
    });
}

#[test]
fn a_destination_that_cannot_be_written_says_nothing_of_the_checkpoint() {
    both(|bed| {
        committed(bed);
        let said = fails(bed, &["get", "run", "/proc/sys"], 9);
        assert!(!said.stderr.contains("damaged"), "{}", said.stderr);
    });
}

#[test]
fn the_latest_is_the_one_with_the_highest_number() {
    both(|bed| {
        bed.write("x/file", b"x");
        for name in ["epoch_2", "epoch_10", "epoch_9"] {
            bed.ok(["put", "x", name]);
        }
        plant(bed, "epoch_11/.strata/put.json", &marker("putting", &["file"]));
        plant(bed, "epoch_12/file", b"no checkpoint");
        assert_eq!(bed.ok(["get", "--latest"]).stdout_line(), "epoch_10");
        let names: Vec<String> = bed
            .ok(["--json", "ls"])
            .json_lines()
            .iter()
            .map(|line| line["name"].as_str().or(line["key"].as_str()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["epoch_2", "epoch_9", "epoch_10", "epoch_11", "epoch_12/file"]);
    });
}

#[test]
fn of_two_puts_at_once_exactly_one_commits() {
    both(|bed| {
        for side in ["one", "two"] {
            for number in 0..60 {
                bed.write(&format!("{side}/f{number}"), format!("{side} {number}").as_bytes());
            }
        }
        for round in 0..3 {
            let name = format!("race_{round}");
            let start =
                |side: &str| bed.command(["put", side, &name]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            let (one, two) = (start("one").unwrap(), start("two").unwrap());
            let mut won = Vec::new();
            for (side, child) in [("one", one), ("two", two)] {
                let output = child.wait_with_output().unwrap();
                match output.status.code() {
                    Some(0) => won.push(side),
                    code => assert_eq!(code, Some(8), "{}", String::from_utf8_lossy(&output.stderr)),
                }
            }
            assert_eq!(won.len(), 1, "{won:?} won on {}", bed.name());
            bed.ok(["get", &name, &format!("back_{round}")]);
            bed.assert_same_tree(won[0], &format!("back_{round}"));
        }
    });
}

#[test]
fn a_plain_file_inside_a_checkpoint_is_somebodys_own() {
    both(|bed| {
        plant(bed, "run/notes.txt", b"notes");
        committed(bed);
        fails(bed, &["rm", "run/a.bin"], 8);
        bed.ok(["rm", "run/notes.txt"]);
        assert_eq!(state_of(bed, "run"), "complete");
    });
}

#[test]
fn a_put_that_ended_before_its_last_word_is_set_right_by_the_next() {
    both(|bed| {
        committed(bed);
        plant(bed, "run/.strata/put.json", &marker("putting", &["a.bin", "deep/b.bin"]));
        bed.ok(["put", "run"]);
        lose(bed, "run/.strata/manifest.json");
        assert_eq!(state_of(bed, "run"), "damaged", "no longer partial");
    });
}

#[test]
fn what_nothing_names_is_not_removed() {
    both(|bed| {
        committed(bed);
        plant(bed, "run/.strata/manifest.json", b"{ not json");
        lose(bed, "run/.strata/put.json");
        fails(bed, &["rm", "run"], 6);
        bed.ok(["rm", "run/a.bin", "run/deep/b.bin"]);
        bed.ok(["rm", "run"]);
        assert_eq!(bed.stored_keys(), Vec::<String>::new());

        committed(bed);
        plant(bed, "run/.strata/manifest.json", br#"{"format":"strata-checkpoint","version":2}"#);
        let said = fails(bed, &["rm", "run"], 6);
        assert!(said.stderr.contains("hint: use a newer strata-ckpt"), "{}", said.stderr);
        fails(bed, &["get", "run"], 6);
    });
}
