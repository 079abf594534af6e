//! A journal that is damaged, of another version, or cannot be written: the put ends right all the same.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use storage::checksum::Crc64;

use crate::put::{KEY, PUT, SIZE, ended_by, hanging_with, sent};
use crate::stopped::{assert_clean, content, end, stop};
use crate::support::bed::{Bed, faulty};
use crate::support::faulty::{Faulty, Operation};

fn path(bed: &Bed) -> PathBuf {
    bed.path("home/.local/state/strata-ckpt/journals").join(&bed.journals()[0])
}

/// What a put does with a journal that was changed so.
fn with(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u32> {
    let (server, bed, _) = ended_by(Signal::KILL);
    let journal = path(&bed);
    fs::write(&journal, change(fs::read(&journal).unwrap())).unwrap();
    let before = sent(&server).len();
    let said = bed.ok(PUT);
    assert!(server.object(KEY).unwrap() == content(SIZE, 1), "{}", said.stderr);
    assert_clean(&bed);
    sent(&server).split_off(before)
}

fn line(json: &str) -> String {
    format!("{} {json}\n", Crc64::of(json.as_bytes()))
}

#[test]
fn cut_anywhere_it_is_right_up_to_there() {
    let (_server, bed, _) = ended_by(Signal::KILL);
    let len = fs::metadata(path(&bed)).unwrap().len() as usize;
    for tenth in 0..10 {
        let at = len * tenth / 10;
        let sent = with(|mut text| {
            text.truncate(at.min(text.len()));
            text
        });
        assert!(sent.ends_with(&[3, 4, 5]), "cut at {at}: {sent:?}");
    }
}

#[test]
fn flipped_anywhere_it_is_right_up_to_there() {
    let mut counts = Vec::new();
    for tenth in 0..10 {
        let sent = with(|mut text| {
            let at = text.len() * tenth / 10;
            text[at] ^= 4;
            text
        });
        assert!(sent.ends_with(&[3, 4, 5]), "flipped at {tenth} tenths: {sent:?}");
        counts.push(sent.len());
    }
    assert_eq!((counts.iter().max(), counts.iter().min()), (Some(&5), Some(&4)), "{counts:?}");
}

#[test]
fn one_of_another_version_or_another_transfer_says_nothing() {
    for (from, to) in [(r#""version":1"#, r#""version":2"#), (r#"["put","#, r#"["get","#)] {
        let sent = with(|text| {
            let text = String::from_utf8(text).unwrap();
            let (head, rest) = text.split_once('\n').unwrap();
            let json = head.split_once(' ').unwrap().1;
            assert!(json.contains(from), "{json}");
            (line(&json.replace(from, to)) + rest).into_bytes()
        });
        assert_eq!(sent, [1, 2, 3, 4, 5], "{to}");
    }
}

#[test]
fn parts_that_do_not_fit_do_not_count() {
    let lies = [
        r#"{"did":"part","part":4,"size":1,"checksum":"AAAAAAAAAAA=","etag":"e"}"#,
        r#"{"did":"part","part":5,"size":1048583,"checksum":"AAAAAAAAAAA=","etag":"e"}"#,
        r#"{"did":"part","part":9,"size":5242880,"checksum":"AAAAAAAAAAA=","etag":"e"}"#,
        r#"{"did":"part","part":0,"size":5242880,"checksum":"AAAAAAAAAAA=","etag":"e"}"#,
    ];
    let sent = with(|text| [text, lies.map(line).concat().into_bytes()].concat());
    assert_eq!(sent, [3, 4, 5]);
}

#[test]
fn without_a_place_for_it_nothing_is_kept() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    bed.write(KEY, &content(SIZE, 1));
    let output = bed.command(PUT).env("XDG_STATE_HOME", bed.path(KEY)).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("warning: progress cannot be kept in"), "{stderr}");
    assert!(server.object(KEY).unwrap() == bed.read(KEY));
}

#[test]
fn on_a_full_disk_nothing_is_kept() {
    let full = |command: &mut std::process::Command| {
        let inner =
            (command.get_program().to_owned(), command.get_args().map(|arg| arg.to_owned()).collect::<Vec<_>>());
        let (directory, environment) = (command.get_current_dir().unwrap().to_owned(), command.get_envs());
        let environment: Vec<_> =
            environment.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        // The signal would end the process before the write could fail.
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", r#"trap '' XFSZ; ulimit -f 0; exec "$0" "$@""#]).arg(inner.0).args(inner.1);
        shell.env_clear().envs(environment).current_dir(directory);
        shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        *command = shell;
    };
    let hanging = || {
        hanging_with(Vec::new(), |command| {
            full(command);
            command
        })
    };
    let (server, bed, child) = hanging();
    server.release();
    let said = end(child);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stderr.matches("warning: progress cannot be written").count(), 1, "{}", said.stderr);
    assert!(server.object(KEY).unwrap() == bed.read(KEY));
    assert_clean(&bed);

    let (server, bed, child) = hanging();
    let said = stop(child, Signal::TERM);
    assert_eq!(said.code, Some(143), "{}", said.stderr);
    assert_eq!(server.requests(Operation::Abort).len(), 1, "nobody could go on");
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_clean(&bed);
}
