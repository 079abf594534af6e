//! The local store, and what cannot be asked for.

use super::support::bed::local;
use super::{setup, state};

#[test]
fn the_directory_is_made_and_found() {
    let bed = local();
    let dry = setup(&bed, &["--dry-run", "--json"]);
    assert_eq!((dry.code, state(&dry, "directory").as_str()), (Some(0), "would_do"));
    assert!(!bed.path("checkpoints").exists());
    for expected in ["done", "found"] {
        let said = setup(&bed, &["--json"]);
        assert_eq!((said.code, state(&said, "directory").as_str()), (Some(0), expected), "{said:?}");
        let checked = said.json_lines().pop().unwrap();
        assert_eq!((&checked["type"], &checked["bad"]), (&"checked".into(), &0.into()), "{said:?}");
        assert_eq!(std::fs::read_dir(bed.path("checkpoints")).unwrap().count(), 0);
    }
}

#[test]
fn a_file_in_its_place() {
    let bed = local();
    bed.write("checkpoints", b"mine");
    assert_eq!(setup(&bed, &[]).code, Some(8));
    assert_eq!(bed.read("checkpoints"), b"mine");
}
