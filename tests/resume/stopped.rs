//! Gets that are ended at a place which the server decides.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::bed::{Bed, Said, said};
use crate::support::faulty::{Faulty, Operation};

pub(crate) const MIB: usize = 1 << 20;
/// Longer than anything here takes on the busiest machine: it guards against what hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what} never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A command that runs.
pub(crate) fn start(bed: &Bed, arguments: &[&str]) -> Child {
    bed.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How it ended.
pub(crate) fn end(child: Child) -> Said {
    said(child.wait_with_output().unwrap())
}

/// Sends a signal, and returns how the command ended.
pub(crate) fn stop(child: Child, signal: Signal) -> Said {
    kill_process(Pid::from_child(&child), signal).unwrap();
    end(child)
}

/// How many ranges the journals of all unfinished gets name.
pub(crate) fn ranges_done(bed: &Bed) -> usize {
    // They come and go while they are looked at.
    let Ok(journals) = fs::read_dir(bed.path("home/.local/state/strata-ckpt/journals")) else { return 0 };
    let texts = journals.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    texts.map(|text| text.matches(r#""did":"range""#).count()).sum()
}

/// How often a range of this object was asked for.
pub(crate) fn ranges_asked(server: &Faulty, key: &str) -> usize {
    let requests = server.requests(Operation::Get);
    requests.iter().filter(|request| request.key().as_deref() == Some(key)).count()
}

/// The partial files and directories in the test's directory, without those inside others.
pub(crate) fn partials(bed: &Bed) -> Vec<PathBuf> {
    let is_partial = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".strata-partial");
    let entries = fs::read_dir(bed.path("")).unwrap().map(|entry| entry.unwrap());
    entries.filter(|entry| is_partial(&entry.file_name())).map(|entry| entry.path()).collect()
}

pub(crate) fn assert_clean(bed: &Bed) {
    bed.assert_nothing_left();
    assert_eq!(bed.journals(), Vec::<String>::new());
}
