//! A single file.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;

use rustix::process::Signal;

use crate::stopped::{MIB, assert_clean, content, end, start, stop, until};
use crate::support::bed::{self, Bed, Said, faulty, local};
use crate::support::faulty::{Action, Faulty, Operation, Place, Request, Response, Rule};
use crate::support::minio;
use crate::support::wire::Wire;

pub(crate) const KEY: &str = "model.bin";
pub(crate) const PUT: [&str; 6] = ["put", KEY, "--part-size", "5MiB", "-j", "1"];
/// Five parts of 5 MiB.
pub(crate) const SIZE: usize = 21 * MIB + 7;

/// A put of five parts that hangs at the third, once.
pub(crate) fn hanging() -> (Faulty, Bed, Child) {
    hanging_with(Vec::new(), |command| command)
}

pub(crate) fn hanging_with(
    more: Vec<Rule>,
    change: impl FnOnce(&mut std::process::Command) -> &mut std::process::Command,
) -> (Faulty, Bed, Child) {
    let hang = Rule::nth(1, Operation::Part, Action::Ignore).part(3);
    let server = Faulty::start([hang].into_iter().chain(more));
    let bed = faulty(&server);
    bed.write(KEY, &content(SIZE, 1));
    let mut command = bed.command(PUT);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = change(&mut command).spawn().unwrap();
    until("the third part", || server.count(Operation::Part) == 3);
    (server, bed, child)
}

/// The same, ended by a signal.
pub(crate) fn ended_by(signal: Signal) -> (Faulty, Bed, Said) {
    ended_under(Vec::new(), signal)
}

/// The same, on a server with more rules.
pub(crate) fn ended_under(more: Vec<Rule>, signal: Signal) -> (Faulty, Bed, Said) {
    let (server, bed, child) = hanging_with(more, |command| command);
    until("the first two parts in the journal", || parts_done(&bed) == 2);
    let said = stop(child, signal);
    let code = if signal == Signal::KILL { None } else { Some(128 + signal.as_raw()) };
    assert_eq!(said.code, code, "{}", said.stderr);
    assert_eq!((server.uploads().len(), bed.journals().len()), (1, 1), "kept");
    assert_eq!(server.object(KEY), None);
    (server, bed, said)
}

pub(crate) fn requests(server: &Faulty) -> Vec<Request> {
    server.requests(Operation::Part)
}

/// The numbers of the parts that were sent, in order of their arrival.
pub(crate) fn sent(server: &Faulty) -> Vec<u32> {
    requests(server).iter().map(|request| request.param("partNumber").unwrap().parse().unwrap()).collect()
}

/// Parts that the journals name.
pub(crate) fn parts_done(bed: &Bed) -> usize {
    journal(bed).matches(r#""did":"part""#).count()
}

pub(crate) fn journal(bed: &Bed) -> String {
    let journals = bed.path("home/.local/state/strata-ckpt/journals");
    bed.journals().iter().filter_map(|name| fs::read_to_string(journals.join(name)).ok()).collect()
}

/// Runs it again: all that is right about it, but which parts it sends.
pub(crate) fn again(server: &Faulty, bed: &Bed) -> (Vec<u32>, String) {
    again_as(server, bed, &PUT)
}

pub(crate) fn again_as(server: &Faulty, bed: &Bed, arguments: &[&str]) -> (Vec<u32>, String) {
    let before = sent(server).len();
    let said = bed.ok(arguments);
    assert!(bed.read(KEY) == server.object(KEY).unwrap(), "{}", said.stderr);
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_clean(bed);
    (sent(server).split_off(before), said.stderr)
}

/// As a lifecycle rule does it.
fn abort_upload(server: &Faulty) {
    let id = requests(server)[0].target.split_once("uploadId=").unwrap().1.split('&').next().unwrap().to_owned();
    let mut stream = TcpStream::connect(server.endpoint().trim_start_matches("http://")).unwrap();
    write!(stream, "DELETE /checkpoints/{KEY}?uploadId={id} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204");
}

#[test]
fn however_it_was_ended_only_what_is_missing_is_sent() {
    for (signal, hint) in [
        (Signal::KILL, ""),
        (Signal::TERM, "error: terminated\nhint: run the same command again: it goes on where this one stopped"),
        (Signal::INT, "error: interrupted\nhint: run the same command again: it goes on where this one stopped"),
    ] {
        let (server, bed, said) = ended_by(signal);
        assert!(said.stderr.contains(hint), "{}", said.stderr);
        let (sent, stderr) = again(&server, &bed);
        assert_eq!(sent, [3, 4, 5], "{signal:?}");
        assert!(stderr.contains("10 MiB were there from before; 5 MiB went again"), "{signal:?}: {stderr}");
        assert_eq!((server.requests(Operation::Create).len(), server.requests(Operation::Abort).len()), (1, 0));
    }
}

#[test]
fn parts_that_were_done_out_of_order_count_too() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&server);
    bed.write(KEY, &content(13 * MIB, 1));
    let put = ["put", KEY, "--part-size", "5MiB", "-j", "4"];
    let child = start(&bed, &put);
    until("the others", || parts_done(&bed) == 2);
    stop(child, Signal::KILL);
    assert_eq!(again_as(&server, &bed, &put).0, [2]);
}

#[test]
fn numbers_for_programs_tell_what_was_resumed() {
    let (_server, bed, _) = ended_by(Signal::KILL);
    let said = bed.ok(PUT.iter().chain(&["--json"]));
    let line = &said.json_lines()[0];
    let numbers = ["moved_bytes", "resumed_bytes", "again_bytes"].map(|name| line[name].as_u64().unwrap());
    assert_eq!(numbers, [(SIZE - 10 * MIB) as u64, 10 << 20, 5 << 20], "{line}");
    let resumed = said.stderr.lines().find(|line| line.contains(r#""type":"resumed""#)).unwrap();
    assert!(resumed.contains(r#""bytes":10485760"#), "{resumed}");
}

#[test]
fn without_resume_it_starts_over() {
    let (server, bed, _) = ended_by(Signal::KILL);
    let arguments = [&PUT[..], &["--no-resume"]].concat();
    assert_eq!(again_as(&server, &bed, &arguments).0, [1, 2, 3, 4, 5]);
    assert_eq!(server.requests(Operation::Abort).len(), 1);
}

#[test]
fn parts_stay_as_large_as_they_were_unless_told_otherwise() {
    let (server, bed, _) = ended_by(Signal::KILL);
    assert_eq!(again_as(&server, &bed, &["put", "./model.bin", "-j", "1"]).0, [3, 4, 5]);
    let (server, bed, _) = ended_by(Signal::KILL);
    assert_eq!(again_as(&server, &bed, &["put", KEY, "--part-size", "7MiB", "-j", "1"]).0, [1, 2, 3, 4]);
    assert_eq!(server.requests(Operation::Abort).len(), 1);
}

#[test]
fn an_upload_that_the_store_has_forgotten_starts_over_and_says_so() {
    let (server, bed, _) = ended_by(Signal::KILL);
    abort_upload(&server);
    let (sent, stderr) = again(&server, &bed);
    assert_eq!(sent, [3, 1, 2, 3, 4, 5]);
    assert!(stderr.contains("warning: the store has forgotten the unfinished upload of 'model.bin'"), "{stderr}");
}

#[test]
fn what_was_done_before_it_could_be_told_is_found() {
    for flags in [&[][..], &["-n"]] {
        let server = Faulty::start([Rule::nth(1, Operation::Complete, Action::Stall(Place::Head(0)))]);
        let bed = faulty(&server);
        bed.write(KEY, &content(SIZE, 1));
        let put = [&PUT[..], flags].concat();
        let child = start(&bed, &put);
        until("the end", || server.object(KEY).is_some());
        stop(child, Signal::KILL);
        assert_eq!(bed.journals().len(), 1);
        let (sent, stderr) = again_as(&server, &bed, &put);
        assert_eq!(sent, [0; 0]);
        assert!(stderr.contains("nothing sent"), "{stderr}");
    }
}

#[test]
fn what_may_pass_is_kept_and_what_will_not_is_given_up() {
    let broken = Response::error(400, "EntityTooLarge");
    for (rule, code, is_kept) in [
        (Rule::nth(3, Operation::Part, Action::refuse(503, "SlowDown")), 5, true),
        (Rule::nth(3, Operation::Part, Action::refuse(403, "AccessDenied")), 7, true),
        (Rule::nth(3, Operation::Part, Action::Answer(broken)), 1, true),
        (Rule::nth(1, Operation::Complete, Action::refuse(503, "SlowDown")), 5, true),
        (Rule::nth(3, Operation::Part, Action::refuse(400, "BadDigest")), 6, false),
    ] {
        let server = Faulty::start([rule]);
        let bed = faulty(&server);
        bed.write(KEY, &content(SIZE, 1));
        let said = bed.run(PUT.iter().chain(&["--retries", "0"]));
        assert_eq!(said.code, Some(code), "{}", said.stderr);
        let left = usize::from(is_kept);
        assert_eq!((server.uploads().len(), bed.journals().len()), (left, left), "{}", said.stderr);
        let before = sent(&server).len();
        let (more, _) = again(&server, &bed);
        assert_eq!(
            before + more.len(),
            if !is_kept {
                8
            } else if before == 5 {
                5
            } else {
                6
            },
            "{}",
            said.stderr
        );
    }
}

#[test]
fn after_another_writer_the_upload_is_given_up() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(3)]);
    let bed = faulty(&server);
    bed.write(KEY, &content(SIZE, 1));
    let child = start(&bed, &[&PUT[..], &["-n"]].concat());
    until("the third part", || server.count(Operation::Part) == 3);
    server.put_object(KEY, b"another's");
    server.release();
    let said = end(child);
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    assert_eq!(server.object(KEY).unwrap(), b"another's");
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_clean(&bed);
}

#[test]
fn two_at_once_both_succeed() {
    let (server, bed, first) = hanging();
    let second = bed.ok(PUT);
    assert!(!second.stderr.contains("warning"), "{}", second.stderr);
    assert_eq!(sent(&server).len(), 3 + 5, "an upload of its own");
    assert_eq!(bed.journals().len(), 1, "that of the first");
    server.release();
    let said = end(first);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(server.object(KEY).unwrap() == bed.read(KEY));
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_clean(&bed);
}

#[test]
fn a_stream_leaves_nothing() {
    let server = Faulty::start([Rule::nth(1, Operation::Part, Action::Ignore).part(2)]);
    let bed = faulty(&server);
    bed.write(KEY, &content(11 * MIB, 1));
    let mut command = bed.command(["put", "-", "k", "--part-size", "5MiB"]);
    command.stderr(std::process::Stdio::piped());
    let child = command.stdin(fs::File::open(bed.path(KEY)).unwrap()).spawn().unwrap();
    until("the second part", || server.count(Operation::Part) > 0 && sent(&server).contains(&2));
    assert_eq!(stop(child, Signal::TERM).code, Some(143));
    assert_eq!(server.uploads(), Vec::<String>::new());
    assert_clean(&bed);
}

/// A store whose puts can be kept from their end.
struct Held {
    bed: Bed,
    /// What lies before MinIO.
    wire: Option<Wire>,
}

impl Held {
    fn minio() -> Held {
        let bucket = minio::shared().bucket();
        let wire = Wire::start(bucket.server().endpoint());
        let mut environment = bucket.environment();
        environment.retain(|(name, _)| name != "S3_ENDPOINT");
        environment.push(("S3_ENDPOINT".to_owned(), wire.endpoint()));
        Held { bed: bed::with_bucket(environment, bucket), wire: Some(wire) }
    }

    fn local() -> Held {
        Held { bed: local(), wire: None }
    }

    /// Kills a put of eight parts when a few of them are there; how many.
    fn killed_half_way(&self) -> usize {
        let Held { bed, wire } = self;
        bed.write(KEY, &content(40 * MIB, 1));
        // Before MinIO the fifth part stops on its way. In a local store the file does not get its name: as long as this
        // is locked, another process has its turn.
        let turn = match wire {
            Some(wire) => {
                wire.gate_after(21 << 20);
                None
            }
            None => {
                fs::create_dir_all(bed.path("checkpoints")).unwrap();
                let directory = fs::File::open(bed.path("checkpoints")).unwrap();
                directory.lock().unwrap();
                Some(directory)
            }
        };
        let child = start(bed, &PUT);
        until("a few parts", || parts_done(bed) >= 3);
        assert_eq!(stop(child, Signal::KILL).code, None, "it was over before");
        drop(turn);
        wire.as_ref().inspect(|wire| wire.open());
        parts_done(bed)
    }
}

#[test]
fn a_kill_on_any_store_is_gone_on_from() {
    for held in [Held::minio(), Held::local()] {
        let (bed, done) = (&held.bed, held.killed_half_way());
        let said = bed.ok(PUT.iter().chain(&["--json"]));
        let line = &said.json_lines()[0];
        let numbers = ["resumed_bytes", "again_bytes"].map(|name| line[name].as_u64().unwrap());
        assert_eq!(numbers[0], (done * 5 * MIB) as u64, "{line}");
        assert!(numbers[1] <= 5 << 20, "{line}");
        bed.ok(["get", KEY, "back"]);
        assert!(bed.read("back") == bed.read(KEY));
        assert_clean(bed);
    }
}

#[test]
fn minio_forgets_an_upload_that_was_aborted() {
    let held = Held::minio();
    held.killed_half_way();
    let bed = &held.bed;
    let id = journal(bed).split_once(r#""id":""#).unwrap().1.split('"').next().unwrap().to_owned();
    assert_eq!(bed.bucket().as_root("DELETE", &format!("/{KEY}?uploadId={id}"), b"").status, 204);
    let said = bed.ok(PUT);
    assert!(said.stderr.contains("has forgotten the unfinished upload"), "{}", said.stderr);
    bed.ok(["get", KEY, "back"]);
    assert!(bed.read("back") == bed.read(KEY));
    assert_clean(bed);
}

#[test]
fn a_partial_file_that_lost_bytes_is_written_again() {
    let held = Held::local();
    let (bed, done) = (&held.bed, held.killed_half_way());
    let partial = bed.path("checkpoints");
    let mut partial = fs::read_dir(partial).unwrap().map(|entry| entry.unwrap().path());
    let partial = partial.find(|path| path.to_string_lossy().ends_with(".strata-partial")).unwrap();
    // As a power cut leaves it.
    let file = fs::File::options().write(true).open(partial).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 4096], 5 << 20).unwrap();
    let said = bed.ok(PUT.iter().chain(&["--json"]));
    assert_eq!(said.json_lines()[0]["resumed_bytes"].as_u64().unwrap(), ((done - 1) * 5 * MIB) as u64);
    bed.ok(["get", KEY, "back"]);
    assert!(bed.read("back") == bed.read(KEY));
    assert_clean(bed);
}
