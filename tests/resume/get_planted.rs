//! What somebody else puts in the way of a get: nothing is written outside, whatever it is and whenever it comes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::stopped::{MIB, assert_clean, content, end, partials, ranges_asked, ranges_done, start, stop, until};
use crate::support::bed::{Bed, faulty};
use crate::support::faulty::{Action, Faulty, Operation, Place, Rule};

const GET: [&str; 7] = ["get", "model.bin", "out.bin", "--part-size", "5MiB", "-j", "1"];
const SIZE: usize = 11 * MIB;

#[test]
fn what_is_planted_at_the_partial_files_name_is_not_written_to() {
    type Plant<'a> = &'a dyn Fn(&Path, &Path);
    let plants: [(&str, Plant<'_>); 5] = [
        ("a link to a file", &|outside, at| symlink(outside.join("file"), at).unwrap()),
        ("a link to nothing", &|outside, at| symlink(outside.join("new"), at).unwrap()),
        ("a hard link", &|outside, at| fs::hard_link(outside.join("file"), at).unwrap()),
        ("a directory", &|_, at| fs::create_dir(at).unwrap()),
        ("a FIFO", &|_, at| assert!(Command::new("mkfifo").arg(at).status().unwrap().success())),
    ];
    for (what, plant) in plants {
        let server = Faulty::start([Rule::nth(2, Operation::Get, Action::Stall(Place::Body(MIB))).key("model.bin")]);
        server.put_object("model.bin", &content(SIZE, 1));
        let bed = faulty(&server);
        bed.write("outside/file", b"mine");
        let child = start(&bed, &GET);
        until("the second range", || ranges_done(&bed) == 1);
        stop(child, Signal::KILL);
        let partial = partials(&bed).remove(0);
        fs::remove_file(&partial).unwrap();
        plant(&bed.path("outside"), &partial);
        bed.ok(GET);
        assert!(bed.read("out.bin") == content(SIZE, 1), "{what}");
        assert_eq!(bed.read("outside/file"), b"mine", "{what}");
        assert_eq!(fs::read_dir(bed.path("outside")).unwrap().count(), 1, "{what}");
        assert_eq!(partials(&bed), [partial], "{what}: it is not ours to remove");
    }
}

/// A checkpoint whose file `sub/model.bin` stops on its way once, and a destination with a `sub/` of its own.
fn with_destination() -> (Faulty, Bed) {
    let stall = Rule::nth(2, Operation::Get, Action::Stall(Place::Body(MIB))).key("epoch_1/sub/model.bin");
    let server = Faulty::start([stall]);
    let bed = faulty(&server);
    bed.write("epoch_1/sub/model.bin", &content(SIZE, 1));
    bed.write("epoch_1/sub/z.bin", b"z");
    bed.ok(["put", "epoch_1", "--part-size", "5MiB"]);
    for directory in ["outside", "out/sub"] {
        fs::create_dir_all(bed.path(directory)).unwrap();
    }
    (server, bed)
}

fn assert_untouched(bed: &Bed) {
    assert_eq!(fs::read_dir(bed.path("outside")).unwrap().count(), 0, "nothing is written outside");
}

#[test]
fn a_link_inside_the_destination_is_refused() {
    let (_server, bed) = with_destination();
    fs::remove_dir(bed.path("out/sub")).unwrap();
    symlink(bed.path("outside"), bed.path("out/sub")).unwrap();
    let said = bed.run(["get", "epoch_1", "out"]);
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    assert!(said.stderr.contains("'out/sub' is a link where a directory is needed"), "{}", said.stderr);
    assert_untouched(&bed);
    assert_clean(&bed);
}

#[test]
fn a_link_that_is_swapped_in_during_the_get_leads_nowhere() {
    let (server, bed) = with_destination();
    let child = start(&bed, &["get", "epoch_1", "out", "-j", "1"]);
    until("the second range", || ranges_asked(&server, "epoch_1/sub/model.bin") == 2);
    fs::rename(bed.path("out/sub"), bed.path("out/moved")).unwrap();
    symlink(bed.path("outside"), bed.path("out/sub")).unwrap();
    server.release();
    let said = end(child);
    assert!(matches!(said.code, Some(8 | 9)), "{:?} {}", said.code, said.stderr);
    assert_untouched(&bed);
    assert!(!bed.path("out/moved/model.bin").exists(), "nor where the directory is now");
    assert_clean(&bed);
}

/// The directory that is filled beside its place is found again by its name, which somebody else may take.
#[test]
fn a_link_at_the_partial_directorys_name_is_not_followed() {
    let (server, bed) = with_destination();
    let child = start(&bed, &["get", "epoch_1", "new", "-j", "1"]);
    until("the second range", || ranges_asked(&server, "epoch_1/sub/model.bin") == 2);
    stop(child, Signal::KILL);
    let partial = partials(&bed).remove(0);
    fs::remove_dir_all(&partial).unwrap();
    symlink(bed.path("outside"), &partial).unwrap();
    bed.ok(["get", "epoch_1", "new"]);
    bed.assert_same_tree("epoch_1", "new");
    assert_untouched(&bed);
}

#[test]
fn a_link_in_the_partial_directory_is_removed() {
    let (server, bed) = with_destination();
    let child = start(&bed, &["get", "epoch_1", "new", "-j", "1"]);
    until("the second range", || ranges_asked(&server, "epoch_1/sub/model.bin") == 2);
    stop(child, Signal::KILL);
    let sub = partials(&bed).remove(0).join("sub");
    fs::remove_dir_all(&sub).unwrap();
    symlink(bed.path("outside"), &sub).unwrap();
    bed.ok(["get", "epoch_1", "new"]);
    bed.assert_same_tree("epoch_1", "new");
    assert_untouched(&bed);
    assert_clean(&bed);
}
