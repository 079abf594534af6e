//! What a command does on the scripted server, and what must hold whatever the server does.

use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use crate::support::bed::{self, Bed, Said, files_below};
use crate::support::faulty::{BUCKET, Faulty, Operation, Rule};

/// Longer than any command takes with a server that answers at all, on the busiest machine: it guards against what hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// Commands that run at once.
const AT_ONCE: usize = 8;

pub(crate) const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=EXAMPLEKEY";
pub(crate) const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN//////////wEaDKfs==";

pub(crate) const FILE: &str = "model.bin";
pub(crate) const NAME: &str = "epoch_1";
pub(crate) const OLD: &[u8] = b"what was there before";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// A file of three parts, over another one.
    PutFile,
    /// A new checkpoint of three small files.
    PutDirectory,
    /// A file of three ranges, over another one.
    GetFile,
    /// A checkpoint, into a new directory.
    GetDirectory,
}

pub(crate) const ALL: &[Job] = &[Job::PutFile, Job::PutDirectory, Job::GetFile, Job::GetDirectory];
pub(crate) const PUTS: &[Job] = &[Job::PutFile, Job::PutDirectory];
pub(crate) const GETS: &[Job] = &[Job::GetFile, Job::GetDirectory];

impl Job {
    /// What its bytes move with.
    pub(crate) fn hot(self) -> Operation {
        match self {
            Job::PutFile => Operation::Part,
            Job::PutDirectory => Operation::Put,
            Job::GetFile | Job::GetDirectory => Operation::Get,
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Job::PutFile => &["put", "source/model.bin", FILE],
            Job::PutDirectory => &["put", "small", NAME],
            Job::GetFile => &["get", FILE, "got.bin"],
            Job::GetDirectory => &["get", NAME, "got"],
        }
    }
}

/// Something that goes wrong.
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) rules: Box<dyn Fn(Job) -> Vec<Rule> + Sync>,
    pub(crate) jobs: &'static [Job],
    /// The exit codes that are right; none of them without a line that says what is wrong.
    pub(crate) ends: &'static [i32],
    /// The server says nothing, so that answers that never come are given up soon.
    pub(crate) silent: bool,
    /// Nobody knows the id of an upload whose beginning was not answered: a lifecycle rule must remove it.
    pub(crate) nameless_upload: bool,
}

pub(crate) fn fault(
    what: impl Into<String>,
    jobs: &'static [Job],
    ends: &'static [i32],
    rules: impl Fn(Job) -> Vec<Rule> + Sync + 'static,
) -> Fault {
    Fault { what: what.into(), rules: Box::new(rules), jobs, ends, silent: false, nameless_upload: false }
}

pub(crate) fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| (0..11 << 20).map(|i| (i * 31 % 251) as u8).collect())
}

pub(crate) fn small(path: &str) -> Vec<u8> {
    format!("the content of {path}, which is not long").into_bytes()
}

pub(crate) const SMALL: [&str; 3] = ["a.bin", "sub/b.bin", "sub/c.bin"];

pub(crate) fn environment(endpoint: &str) -> Vec<(String, String)> {
    [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("S3_ENDPOINT", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
        // One more than what goes wrong and passes goes wrong for one request.
        ("STRATA_RETRIES", "4"),
        ("STRATA_PART_SIZE", "5MiB"),
        ("STRATA_NO_PROGRESS", "1"),
        ("STRATA_VERBOSE", "1"),
        ("RUST_LOG", "trace"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Every job of every fault, several at once since most of them wait.
pub(crate) fn hold(faults: &[Fault]) {
    let all = faults.iter().flat_map(|fault| fault.jobs.iter().map(move |job| (fault, *job)));
    let all = Mutex::new(all);
    let next = || all.lock().unwrap().next();
    let work = || {
        while let Some((fault, job)) = next() {
            holds(fault, job);
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
}

fn holds(fault: &Fault, job: Job) {
    let server = Faulty::start([]);
    let mut variables = environment(&server.endpoint());
    if fault.silent {
        // After this and twice this.
        variables.push(("STRATA_STALL_TIMEOUT".to_owned(), "1s".to_owned()));
    }
    let bed = bed::with(variables);
    prepare(&bed, &server, job);
    server.set_rules((fault.rules)(job));
    let when = format!("{job:?}, {}", fault.what);
    let said = run(&bed, job.arguments());
    check(&bed, &server, job, &said, fault, &when);
    server.heal();
    if job == Job::GetFile {
        server.put_object(FILE, content());
    }
    let again = run(&bed, job.arguments());
    let when = format!("{when}, then again");
    assert_eq!(again.code, Some(0), "{when}: {}", again.stderr);
    check(&bed, &server, job, &again, fault, &when);
}

fn prepare(bed: &Bed, server: &Faulty, job: Job) {
    match job {
        Job::PutFile => {
            bed.write("source/model.bin", content());
            server.put_object(FILE, OLD);
        }
        Job::PutDirectory | Job::GetDirectory => {
            SMALL.iter().for_each(|path| bed.write(&format!("small/{path}"), &small(path)));
            if job == Job::GetDirectory {
                bed.ok(["put", "small", NAME]);
            }
        }
        Job::GetFile => {
            server.put_object(FILE, content());
            bed.write("got.bin", OLD);
        }
    }
}

fn check(bed: &Bed, server: &Faulty, job: Job, said: &Said, fault: &Fault, when: &str) {
    let Said { code, stderr, .. } = said;
    let done = *code == Some(0);
    assert!(done || code.is_some_and(|code| fault.ends.contains(&code)), "{when}: exit {code:?}\n{stderr}");
    if !done {
        assert!(stderr.contains("error: ") && !stderr.contains("panicked"), "{when}: {stderr}");
    }
    match job {
        Job::PutFile => {
            let there = server.object(FILE).unwrap();
            assert!(there == content() || !done && there == OLD, "{when}: neither, {} bytes", there.len());
        }
        Job::PutDirectory => {
            for path in SMALL {
                let there = server.object(&format!("{NAME}/{path}"));
                assert!(there.as_ref().map_or(!done, |there| *there == small(path)), "{when}: {path}");
            }
            let committed = server.object(&format!("{NAME}/.strata/manifest.json")).is_some();
            assert!(committed || !done, "{when}: no manifest");
            assert!(
                !committed || SMALL.iter().all(|path| server.object(&format!("{NAME}/{path}")).is_some()),
                "{when}"
            );
        }
        Job::GetFile => {
            let there = bed.read("got.bin");
            assert!(there == content() || !done && there == OLD, "{when}: neither, {} bytes", there.len());
        }
        Job::GetDirectory => {
            let there = files_below(&bed.path("got"));
            let whole = there.len() == SMALL.len() && SMALL.iter().all(|path| there[*path] == small(path));
            assert!(whole || !done && !bed.path("got").exists(), "{when}: {:?}", there.keys());
        }
    }
    if done {
        let allowed = if fault.nameless_upload { 1 } else { 0 };
        assert!(server.uploads().len() <= allowed, "{when}: an upload is left");
        assert_eq!(bed.journals(), Vec::<String>::new(), "{when}");
        bed.assert_nothing_left();
    }
    assert_silent(bed, server, said, when);
}

/// Nothing secret, and no signature that the server has seen, on stdout, on stderr or in any file of ours.
pub(crate) fn assert_silent(bed: &Bed, server: &Faulty, said: &Said, when: &str) {
    let mut written = String::from_utf8_lossy(&said.stdout).into_owned() + &said.stderr;
    for content in files_below(&bed.path("home/.local")).into_values() {
        written += &String::from_utf8_lossy(&content);
    }
    for key in server.keys().iter().filter(|key| key.contains("/.strata/")) {
        written += &String::from_utf8_lossy(&server.object(key).unwrap_or_default());
    }
    let signatures = server
        .requests(Operation::Any)
        .into_iter()
        .filter_map(|request| Some(request.header("authorization")?.split("Signature=").nth(1)?.to_owned()));
    let secrets = [KEY_ID, SECRET, TOKEN, "Signature=", "x-amz-security-token"].map(str::to_owned);
    for secret in secrets.into_iter().chain(signatures) {
        assert!(!written.contains(&secret), "{when}: {secret} in {written}");
    }
}

/// Runs the command; it ends in time, or the test fails.
pub(crate) fn run(bed: &Bed, arguments: &[&str]) -> Said {
    let mut command = bed.command(arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let id = rustix::process::Pid::from_child(&child);
    let (done, ended) = channel();
    thread::spawn(move || done.send(bed::said(child.wait_with_output().unwrap())));
    ended.recv_timeout(LIMIT).unwrap_or_else(|_| {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        panic!("{arguments:?} still runs after {LIMIT:?}")
    })
}
