//! A source that is no longer what it was.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::process::Signal;

use crate::put::{KEY, SIZE, again, ended_by, hanging};
use crate::stopped::{MIB, assert_clean, content, end};
use crate::support::faulty::Operation;

#[test]
fn a_part_that_is_another_now_is_sent_again() {
    let (server, bed, _) = ended_by(Signal::KILL);
    let source = File::options().write(true).open(bed.path(KEY)).unwrap();
    let modified = source.metadata().unwrap().modified().unwrap();
    source.write_all_at(b"x", 77).unwrap();
    // Times decide nothing.
    source.set_modified(modified).unwrap();
    let (sent, stderr) = again(&server, &bed);
    assert_eq!(sent, [1, 3, 4, 5]);
    assert!(stderr.contains("5 MiB were there from before; 10 MiB went again"), "{stderr}");
    assert_eq!(server.requests(Operation::Create).len(), 1, "in the same upload");
}

#[test]
fn a_source_of_another_size_starts_over() {
    for (size, parts) in [(SIZE + 1, 5), (MIB, 0)] {
        let (server, bed, _) = ended_by(Signal::KILL);
        bed.write(KEY, &content(size, 1));
        assert_eq!(again(&server, &bed).0.len(), parts);
        assert_eq!(server.requests(Operation::Abort).len(), 1);
    }
}

#[test]
fn a_copy_in_its_place_is_the_same() {
    let (server, bed, _) = ended_by(Signal::KILL);
    fs::copy(bed.path(KEY), bed.path("copy")).unwrap();
    fs::rename(bed.path("copy"), bed.path(KEY)).unwrap();
    assert_eq!(again(&server, &bed).0, [3, 4, 5]);
}

#[test]
fn content_that_came_there_in_another_way_ends_the_upload() {
    let (server, bed, _) = ended_by(Signal::KILL);
    server.put_object(KEY, &bed.read(KEY));
    let (sent, stderr) = again(&server, &bed);
    assert_eq!(sent, [0; 0]);
    assert!(stderr.contains("nothing sent"), "{stderr}");
    assert_eq!(server.requests(Operation::Abort).len(), 1);
}

#[test]
fn one_that_changes_meanwhile_leaves_nothing() {
    let (server, bed, child) = hanging();
    let source = File::options().write(true).open(bed.path(KEY)).unwrap();
    source.write_all_at(b"x", 11 << 20).unwrap();
    server.release();
    let said = end(child);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert_eq!((server.object(KEY), server.uploads().len()), (None, 0));
    assert_clean(&bed);
}
