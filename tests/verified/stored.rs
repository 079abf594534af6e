//! `ls --verify`: is what is stored still what was put?

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::bytes;
use crate::support::bed::{self, Bed};
use crate::support::faulty::{Action, Faulty, Operation, Rule, Sums};

const MIB: usize = 1 << 20;

fn put_run(bed: &Bed) {
    bed.write("run/model.bin", &bytes(11 * MIB));
    bed.write("run/small.bin", &bytes(1000));
    bed.write("run/empty", b"");
    bed.ok(["put", "run", "run", "--part-size", "5MiB", "--no-progress"]);
    std::fs::remove_dir_all(bed.path("run")).unwrap();
}

/// Other bytes under a key, as another tool or a broken disk would leave them.
fn spoil(bed: &Bed, key: &str, content: &[u8]) {
    match bed.name() {
        "MinIO" => bed.bucket().write(key, content),
        _ => std::fs::write(bed.path("checkpoints").join(key), content).unwrap(),
    }
}

/// The lines of `ls --json`, and the exit code.
fn listed(bed: &Bed, arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let said = bed.run([&["ls", "--json", "--part-size", "5MiB"], arguments].concat());
    (said.json_lines(), said.code)
}

/// Whether files of this directory may have attributes of a user's own.
fn has_attributes(directory: &Path) -> bool {
    let probe = tempfile::NamedTempFile::new_in(directory).unwrap();
    rustix::fs::fsetxattr(&probe, "user.strata-test", b"x", rustix::fs::XattrFlags::empty()).is_ok()
}

fn flipped(mut content: Vec<u8>, at: usize) -> Vec<u8> {
    content[at] ^= 1;
    content
}

#[test]
fn whole_checkpoints_and_files_are_read_and_nothing_is_kept() {
    for bed in [bed::local(), bed::minio()] {
        put_run(&bed);
        bed.write("single", &bytes(6 * MIB));
        bed.ok(["put", "single"]);
        std::fs::remove_file(bed.path("single")).unwrap();
        let said = bed.ok(["ls", "--verify", "--no-progress"]);
        let lines: Vec<String> = said.stdout_line().lines().map(str::to_owned).collect();
        assert!(lines[0].ends_with("AGE  VERIFIED  STATE"), "{lines:?}");
        assert!(lines[1].starts_with("run ") && lines[1].ends_with("all       complete"), "{lines:?}");
        // In a local store the checksum of a file is an attribute of it, which not every file system has.
        let (told, verified) = match bed.name() == "MinIO" || has_attributes(&bed.path("")) {
            true => ("all       file", "all"),
            false => ("no checksum  file", "no_checksum"),
        };
        assert!(lines[2].starts_with("single ") && lines[2].ends_with(told), "{lines:?}");
        let (lines, code) = listed(&bed, &["--verify"]);
        assert_eq!(code, Some(0));
        assert_eq!((&lines[0]["verified"], &lines[0]["verified_bytes"]), (&"all".into(), &(11 * MIB + 1000).into()));
        assert_eq!((&lines[1]["verified"], &lines[1]["damaged"]), (&verified.into(), &false.into()));
        let kept = |name: &str| bed.path(name).exists();
        assert!(!kept("run") && !kept("single"));
        bed.assert_nothing_left();
    }
}

#[test]
fn damage_is_found_named_and_exit_6() {
    for bed in [bed::local(), bed::minio()] {
        put_run(&bed);
        spoil(&bed, "run/model.bin", &flipped(bytes(11 * MIB), 7 * MIB));
        assert_eq!(bed.run(["ls"]).code, Some(0), "the listing alone shows nothing");
        let said = bed.run(["ls", "run", "--verify", "--no-progress"]);
        assert_eq!(said.code, Some(6), "{}", said.stderr);
        let table = said.stdout_line();
        assert!(table.contains("damaged: 'model.bin' has other bytes than were put"), "{table}");
        assert!(said.stderr.contains("error: it is damaged\nhint: "), "{}", said.stderr);
        let (lines, code) = listed(&bed, &["run", "--verify"]);
        assert_eq!((code, &lines[0]["state"]), (Some(6), &"damaged".into()));
        let damaged: Vec<&Value> =
            lines.iter().filter(|line| line["damaged"] == true).map(|line| &line["key"]).collect();
        assert_eq!(damaged, ["run/model.bin"]);
        // Of another size, or not there: not even read.
        spoil(&bed, "run/model.bin", b"short");
        let (lines, code) = listed(&bed, &["--verify"]);
        assert_eq!((code, &lines[0]["verified_bytes"]), (Some(6), &1000.into()));
        bed.ok(["ls", "run", "--files"]);
    }
}

/// A file that no manifest vouches for is compared with what the store itself holds.
#[test]
fn files_by_themselves_are_compared_with_the_stores_checksum() {
    let content = bytes(6 * MIB);
    let (server, other) = (Faulty::start([]), flipped(content.clone(), 100));
    let bed = bed::faulty(&server);
    server.put_object("k", &content);
    assert_eq!(listed(&bed, &["k", "--verify"]).1, Some(0));
    // Wrong once is the way; wrong again is the store.
    for (times, code) in [(1, 0), (usize::MAX, 6)] {
        let sent = other.clone();
        let flip = Action::change(move |response| {
            if response.body.first() == sent.first() {
                response.body[100] = sent[100];
            }
        });
        let server = Faulty::start([Rule::first(times, Operation::Get, flip)]);
        server.put_object("k", &content);
        let bed = bed::faulty(&server);
        let (lines, got) = listed(&bed, &["k", "--verify"]);
        assert_eq!((got, &lines[0]["damaged"]), (Some(code), &(code == 6).into()), "{lines:?}");
        assert_eq!(lines[0]["why"].is_string(), code == 6);
    }
    server.sums(Sums::Ignored);
    let said = bed.ok(["ls", "--verify", "--no-progress"]);
    assert!(said.stdout_line().ends_with("no checksum  file"), "{}", said.stdout_line());
}

#[test]
fn a_range_that_was_spoilt_on_its_way_is_read_again() {
    let server = Faulty::start([]);
    let bed = bed::faulty(&server);
    put_run(&bed);
    let ranges = || server.requests(Operation::Get).iter().filter(|get| get.path().ends_with("model.bin")).count();
    let before = ranges();
    // A bit of a whole part is wrong once, wherever its range comes in the order.
    let once = AtomicBool::new(true);
    let flip = Action::change(move |response| {
        if response.body.len() == 5 * MIB && once.swap(false, Ordering::Relaxed) {
            response.body[100] ^= 1;
        }
    });
    server.add(Rule::always(Operation::Get, flip));
    let (lines, code) = listed(&bed, &["--verify", "-j", "1"]);
    assert_eq!((code, &lines[0]["state"]), (Some(0), &"complete".into()));
    assert_eq!(ranges() - before, 4, "three ranges, one of them twice");
}

#[test]
fn a_sample_is_a_share_of_the_ranges_and_really_compared() {
    let server = Faulty::start([]);
    let bed = bed::faulty(&server);
    for number in 0..60 {
        bed.write(&format!("run/{number}"), &bytes(100 + number));
    }
    bed.ok(["put", "run", "run"]);
    let data = || server.requests(Operation::Get).iter().filter(|get| !get.path().contains(".strata")).count();
    let before = data();
    let said = bed.ok(["ls", "--sample", "5%", "--no-progress"]);
    assert_eq!(data() - before, 3, "a twentieth of 60");
    assert!(said.stdout_line().contains("5%        complete"), "{}", said.stdout_line());
    let before = data();
    let (lines, _) = listed(&bed, &["--sample", "0.1%"]);
    assert_eq!((data() - before, &lines[0]["verified"]), (1, &"sample".into()), "at least one");
    for number in 0..60 {
        server.put_object(&format!("run/{number}"), &flipped(bytes(100 + number), 50));
    }
    assert_eq!(listed(&bed, &["--sample", "0.1%"]).1, Some(6), "whichever is chosen");
}

#[test]
fn what_is_not_there_yet_is_not_read() {
    let server = Faulty::start([Rule::nth(2, Operation::Part, Action::refuse(403, "AccessDenied"))]);
    let bed = bed::faulty(&server);
    bed.write("run/small.bin", &bytes(1000));
    bed.write("run/model.bin", &bytes(11 * MIB));
    assert_eq!(bed.run(["put", "run", "run", "--part-size", "5MiB", "-j", "1"]).code, Some(7));
    let (lines, code) = listed(&bed, &["--verify"]);
    assert_eq!((code, &lines[0]["state"], lines[0].get("verified")), (Some(0), &"partial".into(), None), "{lines:?}");
}

#[test]
fn a_sample_is_a_percentage() {
    let bed = bed::local();
    for text in ["0%", "101%", "-1", "some"] {
        let said = bed.run(["ls", "--sample", text]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
    }
}
