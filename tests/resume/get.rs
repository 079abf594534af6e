//! A single file.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::process::Signal;

use crate::stopped::{MIB, assert_clean, content, end, partials, ranges_asked, ranges_done, start, stop, until};
use crate::support::bed::{Bed, faulty};
use crate::support::faulty::{Action, Faulty, Operation, Place, Rule};

const KEY: &str = "model.bin";
const GET: [&str; 7] = ["get", KEY, "out.bin", "--part-size", "5MiB", "-j", "1"];
/// Of [`SIZE`] bytes in parts of 5 MiB.
const RANGES: usize = 5;
const SIZE: usize = 21 * MIB + 7;

/// An object of five ranges, of which the third stops on its way once.
fn stalling() -> (Faulty, Bed) {
    let rule = Rule::nth(3, Operation::Get, Action::Stall(Place::Body(MIB))).key(KEY);
    let server = Faulty::start([rule]);
    server.put_object(KEY, &content(SIZE, 1));
    let bed = faulty(&server);
    bed.write("out.bin", b"what was there before");
    (server, bed)
}

/// A get that a signal ended while its third range was on its way.
fn ended_by(signal: Signal) -> (Faulty, Bed) {
    let (server, bed) = stalling();
    let child = start(&bed, &GET);
    until("the third range", || ranges_done(&bed) == 2 && ranges_asked(&server, KEY) == 3);
    let said = stop(child, signal);
    let code = if signal == Signal::KILL { None } else { Some(128 + signal.as_raw()) };
    assert_eq!(said.code, code, "{}", said.stderr);
    assert_eq!(bed.read("out.bin"), b"what was there before");
    assert_eq!((partials(&bed).len(), bed.journals().len()), (1, 1));
    (server, bed)
}

/// Runs it again: all that is right about it, but how many ranges it asks for.
fn again(server: &Faulty, bed: &Bed) -> (usize, String) {
    let before = ranges_asked(server, KEY);
    let said = bed.ok(GET);
    assert!(bed.read("out.bin") == server.object(KEY).unwrap(), "{}", said.stderr);
    assert_clean(bed);
    (ranges_asked(server, KEY) - before, said.stderr)
}

#[test]
fn however_it_was_ended_only_what_is_missing_is_fetched() {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
        let (server, bed) = ended_by(signal);
        let (asked, stderr) = again(&server, &bed);
        assert_eq!(asked, RANGES - 2, "{signal:?}");
        assert!(stderr.contains("10 MiB were there from before; 5 MiB went again"), "{signal:?}: {stderr}");
    }
}

#[test]
fn numbers_for_programs_tell_what_was_resumed() {
    let (_server, bed) = ended_by(Signal::KILL);
    let said = bed.ok(GET.iter().chain(&["--json"]));
    let line = &said.json_lines()[0];
    let numbers = ["moved_bytes", "resumed_bytes", "again_bytes"].map(|name| line[name].as_u64().unwrap());
    assert_eq!(numbers[1..], [10 << 20, 5 << 20], "{line}");
}

#[test]
fn a_store_that_stays_away_is_gone_on_with_later() {
    let rules = [
        Rule::nth(2, Operation::Get, Action::refuse(503, "SlowDown")).key(KEY),
        Rule::nth(3, Operation::Get, Action::refuse(403, "AccessDenied")).key(KEY),
    ];
    let server = Faulty::start(rules);
    server.put_object(KEY, &content(SIZE, 1));
    let bed = faulty(&server);
    let never = ["--retries", "0"];
    assert_eq!(bed.run(GET.iter().chain(&never)).code, Some(5), "one range is there");
    assert_eq!((ranges_done(&bed), partials(&bed).len()), (1, 1));
    assert_eq!(bed.run(GET.iter().chain(&never)).code, Some(7));
    assert_eq!((ranges_done(&bed), partials(&bed).len()), (1, 1));
    assert_eq!(again(&server, &bed).0, RANGES - 1);
}

#[test]
fn nothing_is_kept_of_a_get_that_did_nothing_or_cannot_succeed() {
    let (first, flipped) = (
        Rule::nth(1, Operation::Get, Action::refuse(503, "SlowDown")),
        |response: &mut crate::support::faulty::Response| response.body[7] ^= 1,
    );
    for (rule, code) in [(first, 5), (Rule::nth(2, Operation::Get, Action::change(flipped)), 6)] {
        let server = Faulty::start([rule.key(KEY)]);
        server.put_object(KEY, &content(SIZE, 1));
        let bed = faulty(&server);
        assert_eq!(bed.run(GET.iter().chain(&["--retries", "0"])).code, Some(code));
        assert_clean(&bed);
        assert!(!bed.path("out.bin").exists());
        again(&server, &bed);
    }
}

#[test]
fn without_resume_it_starts_over() {
    let (server, bed) = ended_by(Signal::KILL);
    let before = ranges_asked(&server, KEY);
    bed.ok(GET.iter().chain(&["--no-resume"]));
    assert_eq!(ranges_asked(&server, KEY) - before, RANGES);
    assert!(bed.read("out.bin") == content(SIZE, 1));
    assert_clean(&bed);
}

#[test]
fn ranges_are_as_large_as_they_were() {
    let (server, bed) = ended_by(Signal::KILL);
    let before = ranges_asked(&server, KEY);
    bed.ok(["get", KEY, "./out.bin", "--part-size", "7MiB"]);
    assert_eq!(ranges_asked(&server, KEY) - before, RANGES - 2);
    assert!(bed.read("out.bin") == content(SIZE, 1));
    assert_clean(&bed);
}

#[test]
fn an_object_that_was_replaced_starts_over_and_says_so() {
    let (server, bed) = ended_by(Signal::KILL);
    server.put_object(KEY, &content(SIZE, 2));
    let (asked, stderr) = again(&server, &bed);
    assert_eq!(asked, RANGES);
    assert!(stderr.contains("'model.bin' was replaced in the store since the get that was interrupted"), "{stderr}");
}

/// What happens to the partial file or to the journal between the runs, and how many ranges are fetched then.
#[test]
fn what_was_meddled_with_is_fetched_again() {
    let open = |path: &Path| File::options().read(true).write(true).open(path).unwrap();
    let len = |path: &Path| fs::metadata(path).unwrap().len();
    type Meddle<'a> = &'a dyn Fn(&Path, &Path);
    let ways: [(&str, usize, Meddle<'_>); 10] = [
        ("a byte of the first range", 4, &|partial, _| open(partial).write_all_at(b"!!!!", 100).unwrap()),
        ("a byte behind what was noted", 3, &|partial, _| open(partial).write_all_at(b"!!!!", 10 << 20).unwrap()),
        ("cut in the second range", 4, &|partial, _| open(partial).set_len(7 << 20).unwrap()),
        ("longer than the object", 3, &|partial, _| open(partial).set_len(SIZE as u64 + 99).unwrap()),
        ("empty", 5, &|partial, _| open(partial).set_len(0).unwrap()),
        ("gone", 5, &|partial, _| fs::remove_file(partial).unwrap()),
        ("the journal's last range is cut", 3, &|_, journal| open(journal).set_len(len(journal) - 3).unwrap()),
        ("the journal's first half", 5, &|_, journal| open(journal).set_len(len(journal) / 3).unwrap()),
        ("the journal is empty", 5, &|_, journal| open(journal).set_len(0).unwrap()),
        ("the journal is noise", 5, &|_, journal| fs::write(journal, content(5000, 9)).unwrap()),
    ];
    for (what, expected, meddle) in ways {
        let (server, bed) = ended_by(Signal::KILL);
        let journal = bed.path("home/.local/state/strata-ckpt/journals").join(&bed.journals()[0]);
        meddle(&partials(&bed)[0], &journal);
        assert_eq!(again(&server, &bed).0, expected, "{what}");
    }
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let (server, bed) = stalling();
    let first = start(&bed, &GET);
    until("the third range", || ranges_done(&bed) == 2 && ranges_asked(&server, KEY) == 3);
    bed.ok(GET);
    assert!(bed.read("out.bin") == content(SIZE, 1));
    assert_eq!(partials(&bed).len(), 1, "that of the first");
    fs::write(bed.path("out.bin"), "another").unwrap();
    server.release();
    let said = end(first);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(bed.read("out.bin") == content(SIZE, 1));
    assert_clean(&bed);
}

#[test]
fn without_a_place_for_journals_the_next_one_still_tidies_up() {
    let (server, bed) = stalling();
    bed.write("home", b"no directory");
    let child = start(&bed, &GET);
    until("the third range", || ranges_asked(&server, KEY) == 3);
    stop(child, Signal::KILL);
    assert_eq!(partials(&bed).len(), 1);
    let said = bed.ok(GET);
    assert!(bed.read("out.bin") == content(SIZE, 1), "{}", said.stderr);
    bed.assert_nothing_left();
}
