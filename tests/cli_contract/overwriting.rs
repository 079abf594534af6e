//! What happens to what is there already.

use crate::support::bed::local;

#[test]
fn a_single_file_is_replaced_in_both_directions() {
    let bed = local();
    bed.write("f", b"old");
    bed.ok(["put", "f"]);
    bed.write("f", b"new content");
    bed.ok(["put", "f"]);
    assert_eq!(bed.ok(["get", "f", "-"]).stdout, b"new content");
    bed.write("f", b"local change");
    bed.ok(["get", "f"]);
    assert_eq!(bed.read("f"), b"new content");
}

#[test]
fn no_clobber_refuses() {
    let bed = local();
    bed.write("f", b"old");
    bed.write("d/x", b"x");
    bed.ok(["put", "-n", "f"]);
    bed.ok(["put", "d"]);
    bed.write("f", b"new");
    for arguments in [vec!["put", "-n", "f"], vec!["get", "--no-clobber", "f"], vec!["get", "-n", "d"]] {
        let said = bed.run(&arguments);
        assert_eq!(said.code, Some(8), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!((bed.ok(["get", "f", "-"]).stdout, bed.read("f")), (b"old".to_vec(), b"new".to_vec()));
    let output = bed.command(["put", "f"]).env("STRATA_NO_CLOBBER", "yes").output().unwrap();
    assert_eq!(output.status.code(), Some(8));
}

#[test]
fn the_same_again_is_a_success_that_says_so() {
    let bed = local();
    bed.write("f", b"content");
    bed.write("d/x", b"x");
    for source in ["f", "d"] {
        bed.ok(["put", source]);
        let said = bed.ok(["put", source]);
        assert_eq!(said.stdout_line(), bed.uri(source));
        assert!(said.stderr.contains("nothing sent"), "{}", said.stderr);
        let said = bed.ok(["get", source]);
        assert!(said.stderr.contains("nothing fetched"), "{}", said.stderr);
    }
}

#[test]
fn a_committed_checkpoint_is_not_overwritten_by_another() {
    let bed = local();
    bed.write("d/x", b"one");
    bed.ok(["put", "d"]);
    bed.write("d/x", b"two");
    let said = bed.run(["put", "d"]);
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    bed.ok(["get", "d", "back"]);
    assert_eq!(bed.read("back/x"), b"one");
}

#[test]
fn a_key_is_not_a_file_and_a_directory_at_once() {
    let bed = local();
    bed.write("f", b"content");
    bed.write("d/x", b"x");
    bed.ok(["put", "f", "name"]);
    for arguments in [["put", "f", "name/below"], ["put", "d", "name"]] {
        let said = bed.run(arguments);
        assert_eq!(said.code, Some(8), "{arguments:?}: {}", said.stderr);
    }
    assert_eq!(bed.stored_keys(), ["name"]);
}
