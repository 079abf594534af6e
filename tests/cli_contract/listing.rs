//! What `ls` shows.

use crate::support::bed::{Bed, local};

fn names(bed: &Bed, arguments: &[&str]) -> Vec<String> {
    let lines = bed.ok([&["ls", "--json"], arguments].concat()).json_lines();
    let name = |line: &serde_json::Value| line.get("name").or(line.get("key")).unwrap().as_str().unwrap().to_owned();
    lines.iter().map(name).collect()
}

fn filled() -> Bed {
    let bed = local();
    bed.write("in/model.bin", &[7; 3000]);
    bed.write("in/opt/state.pt", b"state");
    for name in ["epoch_10", "epoch_9", "runs/a/step_1"] {
        bed.ok(["put", "in", name, "--meta", "step=12", "--meta", "note=a=b"]);
    }
    bed.ok(["put", "in/model.bin", "notes.txt"]);
    bed
}

#[test]
fn a_table_for_people() {
    let said = filled().ok(["ls"]);
    let stdout = String::from_utf8(said.stdout).unwrap();
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "FILES", "SIZE", "AGE", "STATE"]);
    let first: Vec<&str> = rows.iter().skip(1).map(|row| row[0]).collect();
    assert_eq!(first, ["epoch_9", "epoch_10", "notes.txt", "runs/a/step_1"], "naturally sorted, at any depth");
    assert_eq!((&rows[1][1..4], rows[1][5]), (&["2", "2.9", "KiB"][..], "complete"));
    assert_eq!((rows[3][1], rows[3][5]), ("-", "file"));
    assert!(!stdout.contains('\u{1b}'), "no colour where there is no terminal");
}

#[test]
fn it_ends_with_how_much_lies_there() {
    let bed = filled();
    bed.write("checkpoints/cut/.strata/put.json", br#"{"not": "a claim"}"#);
    bed.write("checkpoints/cut/part", &[1; 100]);
    std::fs::remove_file(bed.path("checkpoints/epoch_9/opt/state.pt")).unwrap();
    let said = bed.ok(["ls"]);
    let last = said.stderr.lines().last().unwrap();
    assert_eq!(last, "complete 5.9 KiB (2), partial 0 B, damaged 3.0 KiB (2), plain files 2.9 KiB (1)");
    let said = bed.ok(["ls", "--json", "--no-progress"]);
    let last: serde_json::Value = serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "totals");
    assert_eq!(
        last["damaged"],
        serde_json::json!({ "entries": 2, "bytes": 3100 }),
        "what is there, not what should be"
    );
    assert_eq!(last["complete"], serde_json::json!({ "entries": 2, "bytes": 6010 }));
    let one = bed.ok(["ls", "epoch_9"]).stderr;
    assert_eq!(one, "complete 0 B, partial 0 B, damaged 2.9 KiB (1), plain files 0 B\n");
    assert!(bed.ok(["ls", "epoch_10/model"]).stderr.is_empty(), "a part of a checkpoint has no state");
    assert!(bed.ok(["-q", "ls", "--json"]).stderr.is_empty());
}

#[test]
fn an_empty_store_is_no_failure_and_has_nothing_of_each_state() {
    let bed = local();
    let said = bed.ok(["ls"]);
    assert!(said.stderr.starts_with("nothing in file://"), "{}", said.stderr);
    let nothing = "complete 0 B, partial 0 B, damaged 0 B, plain files 0 B";
    assert_eq!((said.stdout.len(), said.stderr.lines().last()), (0, Some(nothing)), "{}", said.stderr);
    let said = bed.ok(["ls", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!((said.stdout.len(), &told["type"]), (0, &"totals".into()));
    for state in ["complete", "partial", "damaged", "plain"] {
        assert_eq!(told[state], serde_json::json!({ "entries": 0, "bytes": 0 }));
    }
    assert!(!bed.path("checkpoints").exists(), "looking makes nothing");
}

#[test]
fn a_long_table_is_laid_out_as_one() {
    let bed = local();
    for number in 0..2100 {
        bed.write(&format!("checkpoints/file_{number}"), b"x");
    }
    bed.write("checkpoints/file_1999_with_a_long_name", b"x");
    let stdout = String::from_utf8(bed.ok(["ls"]).stdout).unwrap();
    let column = |line: &str, name: &str| line.find(name).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((lines.len(), lines.iter().filter(|line| line.starts_with("NAME")).count()), (2102, 1));
    let state = column(lines[0], "STATE");
    assert!(lines[1..].iter().all(|line| line.rfind("file") == Some(state)), "{}", lines[1]);
    assert!(lines[2100].starts_with("file_2098 "), "sorted as a whole: {}", lines[2100]);
}

#[test]
fn objects_for_programs() {
    let bed = filled();
    let lines = bed.ok(["ls", "--json", "--files", "epoch_9"]).json_lines();
    let [checkpoint, model, state] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&checkpoint["type"], &checkpoint["name"]), (&"checkpoint".into(), &"epoch_9".into()));
    assert_eq!(checkpoint["uri"], bed.uri("epoch_9"));
    assert_eq!((&checkpoint["state"], &checkpoint["files"]), (&"complete".into(), &2.into()));
    assert_eq!(checkpoint["bytes"], 3005);
    assert_eq!(checkpoint["meta"], serde_json::json!({ "step": "12", "note": "a=b" }));
    let modified = humantime::parse_rfc3339(checkpoint["modified"].as_str().unwrap()).unwrap();
    assert!(modified.elapsed().is_ok());
    assert_eq!((&model["type"], &model["key"]), (&"file".into(), &"epoch_9/model.bin".into()));
    assert_eq!((&model["checkpoint"], &model["bytes"]), (&"epoch_9".into(), &3000.into()));
    assert_eq!((&model["missing"], &state["key"]), (&false.into(), &"epoch_9/opt/state.pt".into()));
    let file = &bed.ok(["ls", "--json", "notes"]).json_lines()[0];
    assert_eq!((&file["type"], &file["bytes"], file.get("checkpoint")), (&"file".into(), &3000.into(), None));
}

#[test]
fn what_a_prefix_means() {
    let bed = filled();
    assert_eq!(names(&bed, &["epoch_"]), ["epoch_9", "epoch_10"]);
    assert_eq!(names(&bed, &["runs/"]), ["runs/a/step_1"]);
    assert_eq!(names(&bed, &["runs/a"]), ["runs/a/step_1"]);
    bed.ok(["put", "in", "epoch_1"]);
    assert_eq!(names(&bed, &["epoch_1"]), ["epoch_1", "epoch_1/model.bin", "epoch_1/opt/state.pt"]);
    assert_eq!(names(&bed, &["epoch_1/"]), ["epoch_1", "epoch_1/model.bin", "epoch_1/opt/state.pt"]);
    assert_eq!(names(&bed, &["--files"]).len(), 4 * 3 + 1);
    let said = bed.run(["ls", "nothing"]);
    assert_eq!((said.code, said.stdout.len()), (Some(4), 0));
}

#[test]
fn full_names() {
    let bed = filled();
    let store = format!("file://{}", bed.path("checkpoints").display());
    for uri in [format!("{store}/runs"), format!("{store}/runs/")] {
        assert_eq!(names(&bed, &[&uri]), ["a/step_1"], "a directory is a store");
    }
    assert_eq!(names(&bed, &[&format!("{store}/epoch_9")])[0], "epoch_9", "a checkpoint is itself");
}

#[test]
fn damage_says_why() {
    let bed = filled();
    std::fs::remove_file(bed.path("checkpoints/epoch_9/opt/state.pt")).unwrap();
    std::fs::remove_file(bed.path("checkpoints/epoch_10/.strata/manifest.json")).unwrap();
    let lines = bed.ok(["ls", "--json", "--files", "epoch_9"]).json_lines();
    assert_eq!(lines[0]["state"], "damaged");
    assert!(lines[0]["why"].as_str().unwrap().contains("opt/state.pt"), "{}", lines[0]);
    assert_eq!((&lines[1]["missing"], &lines[2]["missing"]), (&false.into(), &true.into()));
    assert_ne!(bed.ok(["ls", "--json", "epoch_10"]).json_lines()[0]["state"], "complete");
    let said = bed.ok(["ls", "--color", "always", "epoch_9"]);
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("\u{1b}[1m\u{1b}[31mdamaged: "),
        "red where colour is wanted"
    );
}

/// They are no plain files, and are not counted as such.
#[test]
fn a_prefix_that_ends_inside_a_checkpoint_shows_files_of_it() {
    let bed = filled();
    bed.write("checkpoints/epoch_9/stray", b"of somebody");
    for prefix in ["epoch_10/m", "epoch_10/model.bin"] {
        assert_eq!(names(&bed, &[prefix]), ["epoch_10", "epoch_10/model.bin"]);
    }
    assert_eq!(names(&bed, &["epoch_10/opt/"]), ["epoch_10", "epoch_10/opt/state.pt"]);
    assert_eq!(names(&bed, &["runs/a/step_1/model"]), ["runs/a/step_1", "runs/a/step_1/model.bin"]);
    assert_eq!(names(&bed, &["runs/a/s"]), ["runs/a/step_1"]);
    assert_eq!(bed.run(["ls", "epoch_10/none"]).code, Some(4));
    let said = bed.ok(["ls", "epoch_10/m"]);
    let stdout = String::from_utf8(said.stdout.clone()).unwrap();
    let states: Vec<&str> = stdout.lines().skip(1).filter_map(|row| row.split_whitespace().last()).collect();
    assert_eq!((states, said.stderr.as_str()), (vec!["complete", "file"], ""));

    // Only what is shown is read.
    bed.write("checkpoints/epoch_10/opt/state.pt", b"spoil");
    bed.ok(["ls", "--verify", "epoch_10/m"]);
    assert_eq!(bed.run(["ls", "--verify", "epoch_10/opt"]).code, Some(6));
    assert_eq!(bed.run(["ls", "--verify", "epoch_10"]).code, Some(6));
}
