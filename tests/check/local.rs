//! The local store's directory, with the same lines.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::checked;
use crate::support::bed::local;

#[test]
fn a_directory_that_can_be_used() {
    let bed = local();
    bed.write("checkpoints/mine", b"x");
    let checked = checked(&bed, &[]);
    assert_eq!((checked.said.code, checked.with(&["bad", "skipped"])), (Some(0), vec![]));
    assert_eq!(bed.stored_keys(), ["mine"]);
    assert!(checked.detail("directory").ends_with("/checkpoints"));
}

#[test]
fn one_that_is_not_there_yet_is_a_note_and_is_not_made() {
    let bed = local();
    let checked = checked(&bed, &[("CHECKPOINT_DIR", "a/b/c")]);
    assert_eq!((checked.said.code, checked.outcome("directory")), (Some(0), "note"));
    assert!(!bed.path("a").exists());
    assert_eq!(fs::read_dir(bed.path("")).unwrap().count(), 0);
}

#[test]
fn one_that_cannot_be_used_is_exit_9() {
    let bed = local();
    bed.write("file", b"x");
    let checked = checked(&bed, &[("CHECKPOINT_DIR", "file")]);
    assert_eq!((checked.with(&["bad"]), checked.said.code), (vec!["directory"], Some(9)));

    fs::create_dir(bed.path("closed")).unwrap();
    fs::set_permissions(bed.path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere.
    if fs::write(bed.path("closed/x"), b"").is_err() {
        let checked = super::checked(&bed, &[("CHECKPOINT_DIR", "closed")]);
        assert_eq!((checked.with(&["bad"]), checked.said.code), (vec!["writing"], Some(9)));
    }
}
