//! A directory.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use crate::stopped::{MIB, assert_clean, content, partials, ranges_asked, ranges_done, start, stop, until};
use crate::support::bed::{BINARY, Bed, faulty, said};
use crate::support::faulty::{Action, Faulty, Operation, Place, Rule};

const GET: [&str; 5] = ["get", "epoch_1", "out", "-j", "1"];
const FIRST: &str = "epoch_1/a/model-1.bin";
const SECOND: &str = "epoch_1/b/model-2.bin";

/// A checkpoint of two files of three ranges each and two small ones; the second range of the second stops once.
fn stalling() -> (Faulty, Bed) {
    let server = Faulty::start([Rule::nth(2, Operation::Get, Action::Stall(Place::Body(MIB))).key(SECOND)]);
    let bed = faulty(&server);
    bed.write(FIRST, &content(11 * MIB, 1));
    bed.write(SECOND, &content(12 * MIB, 2));
    bed.write("epoch_1/a/small.json", b"{}");
    bed.write("epoch_1/z/last.txt", b"last");
    bed.ok(["put", "epoch_1", "--part-size", "5MiB"]);
    (server, bed)
}

/// A get that a signal ended with the first file there, and the first range of the second.
fn ended_by(signal: Signal) -> (Faulty, Bed) {
    let (server, bed) = stalling();
    let child = start(&bed, &GET);
    until("the second range", || ranges_done(&bed) == 1 && ranges_asked(&server, SECOND) == 2);
    let said = stop(child, signal);
    assert_eq!(said.code, (signal == Signal::TERM).then_some(143), "{}", said.stderr);
    (server, bed)
}

#[test]
fn a_new_directory_appears_whole_however_often_it_is_begun() {
    for signal in [Signal::KILL, Signal::TERM] {
        let (server, bed) = ended_by(signal);
        assert!(!bed.path("out").exists());
        assert_eq!((partials(&bed).len(), bed.journals().len()), (1, 2), "of the directory and the second file");
        bed.ok(GET);
        bed.assert_same_tree("epoch_1", "out");
        assert_eq!((ranges_asked(&server, FIRST), ranges_asked(&server, SECOND)), (3, 4));
        assert_clean(&bed);
    }
}

#[test]
fn into_a_directory_that_is_there_only_what_is_missing_is_fetched() {
    let (server, bed) = stalling();
    bed.write("out/mine.txt", b"mine");
    bed.write("out/b/model-2.bin", b"old");
    let child = start(&bed, &GET);
    until("the second range", || ranges_done(&bed) == 1 && ranges_asked(&server, SECOND) == 2);
    stop(child, Signal::KILL);
    assert_eq!(bed.read("out/b/model-2.bin"), b"old");
    bed.ok(GET);
    assert_eq!((ranges_asked(&server, FIRST), ranges_asked(&server, SECOND)), (3, 4));
    assert_eq!(bed.read("out/mine.txt"), b"mine");
    fs::remove_file(bed.path("out/mine.txt")).unwrap();
    bed.assert_same_tree("epoch_1", "out");
    assert_clean(&bed);
}

#[test]
fn nothing_of_an_older_checkpoint_of_that_name_stays() {
    let (_server, bed) = ended_by(Signal::KILL);
    bed.ok(["rm", "epoch_1"]);
    fs::rename(bed.path("epoch_1"), bed.path("older")).unwrap();
    // A directory where a file was, a file where a directory was, and other content under the same name.
    bed.write("epoch_1/a/small.json/deep", b"deep");
    bed.write("epoch_1/b", b"a file");
    bed.write("epoch_1/z/last.txt", b"another last");
    bed.ok(["put", "epoch_1"]);
    bed.ok(GET);
    bed.assert_same_tree("epoch_1", "out");
    bed.assert_nothing_left();
}

#[test]
fn a_damaged_checkpoint_leaves_nothing() {
    let (server, bed) = ended_by(Signal::KILL);
    server.put_object(FIRST, &content(11 * MIB, 9));
    server.put_object(SECOND, &content(12 * MIB, 9));
    let said = bed.run(GET);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert!(!bed.path("out").exists());
    assert_clean(&bed);
}

#[test]
fn without_resume_it_starts_over() {
    let (server, bed) = ended_by(Signal::KILL);
    bed.ok(GET.iter().chain(&["--no-resume"]));
    assert_eq!((ranges_asked(&server, FIRST), ranges_asked(&server, SECOND)), (6, 5));
    bed.assert_same_tree("epoch_1", "out");
    assert_clean(&bed);
}

/// The limit on a file's size stands for a disk that fills.
#[test]
fn a_disk_that_fills_is_told_by_the_destinations_name_and_left_as_it_was() {
    let (_server, bed) = stalling();
    // Blocks of 512 or 1,024 bytes; the signal would end the process before the write could fail.
    let limit = "trap '' XFSZ; ulimit -f 8000; exec \"$0\" \"$@\"";
    for destination in ["out", "there"] {
        fs::create_dir_all(bed.path("there")).unwrap();
        let mut command = bed.dressed(Command::new("sh"));
        let output = command.args(["-c", limit, BINARY, "get", "epoch_1", destination, "-j", "1"]).output().unwrap();
        let said = said(output);
        assert_eq!(said.code, Some(9), "{}", said.stderr);
        let text = format!("cannot write '{destination}/a/model-1.bin': file too large");
        assert!(said.stderr.contains(&text) && !said.stderr.contains("strata-partial"), "{}", said.stderr);
        assert!(!bed.path("out").exists() && !bed.path("there/a/model-1.bin").exists());
        assert_clean(&bed);
    }
}
