//! What a person is shown and asked at a terminal: no name hides what is about to go.

use std::io::Write;
use std::process::Stdio;

use crate::put;
use crate::support::bed::{Bed, local};
use crate::support::terminal::{shown, terminal};

/// Shows `epoch_9` where the terminal heeds it.
const HIDING: &str = "run/epoch_1\r\u{1b}[2Kepoch_9";
const SHOWN: &str = "run/epoch_1\\r\\u{1b}[2Kepoch_9";

fn filled() -> Bed {
    let bed = local();
    put(&bed, &[HIDING, "run/epoch_2"]);
    bed
}

#[test]
fn the_question_shows_every_name_in_full() {
    let bed = filled();
    let (mut ours, theirs) = terminal();
    ours.write_all(b"n\n").unwrap();
    let output = bed.command(["rm", "--keep-last", "1"]).stdin(theirs).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(SHOWN) && stderr.contains("remove it? [y/N]"), "{stderr}");
    assert!(!stderr.contains(['\r', '\u{1b}']), "{stderr:?}");
    assert_eq!(bed.ok(["ls", "--json"]).json_lines().len(), 2);
}

#[test]
fn results_are_escaped_for_a_terminal_and_exact_for_a_script() {
    let bed = filled();
    let arguments = ["rm", "--keep-last", "1", "--dry-run"];
    assert_eq!(bed.ok(arguments).stdout_line(), bed.uri(HIDING));
    let (ours, theirs) = terminal();
    let output = bed.command(arguments).stdout(theirs).stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(shown(ours).trim_end(), bed.uri(SHOWN));
}

#[test]
fn warnings_and_notes_show_every_name_in_full() {
    let bed = local();
    bed.write("in/w", b"w");
    let said = bed.ok(["put", "in", HIDING, "--rank", "0", "--world-size", "2"]);
    assert_eq!(said.stdout_line(), bed.uri(HIDING));
    let warned = bed.ok(["rm", "--partial", "--yes"]);
    assert!(warned.stderr.contains(&format!("'{SHOWN}' is left alone")), "{}", warned.stderr);
    let noted = bed.ok(["put", "in/w", "other\r\u{1b}[2K"]);
    for stderr in [said.stderr, warned.stderr, noted.stderr] {
        assert!(!stderr.contains(['\r', '\u{1b}']), "{stderr:?}");
    }
}
