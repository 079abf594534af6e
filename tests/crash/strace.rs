//! The command under strace, on so few threads that its calls come in the same order each time.
//!
//! strace counts the calls of each kind on each thread. The library does its file work on a pool of threads; where no
//! more than one can be started, all calls of a kind are made by one thread, and a count names one call.

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::bed::{BINARY, Bed, Said, said};
use crate::support::tool;

/// Every call that changes a file, a directory or the other side of a connection; `?` where not all systems have it.
const CHANGING: &str = "?write,?writev,?pwrite64,?pwritev,?pwritev2,?copy_file_range,?sendfile,?fsync,?fdatasync,\
    ?sync_file_range,?truncate,?ftruncate,?fallocate,?rename,?renameat,?renameat2,?link,?linkat,?symlink,?symlinkat,\
    ?unlink,?unlinkat,?rmdir,?mkdir,?mkdirat,?setxattr,?fsetxattr,?utimensat,?fchmod,?chmod,?fchmodat,?flock,\
    ?sendto,?sendmsg,?sendmmsg,?connect,?shutdown";
/// Those, and what opens files.
const OPENING: &str = "?open,?openat,?creat";

/// A call of the command.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Of the calls of this kind on its thread, from 1: what strace's `when=` means.
    pub(crate) nth: usize,
    /// As strace shows it, descriptors with their paths.
    pub(crate) text: String,
    /// Whether strace failed it.
    pub(crate) injected: bool,
}

impl Call {
    /// Opens a file so that it can be changed.
    pub(crate) fn opens_to_write(&self) -> bool {
        self.name.starts_with("open") && ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| self.text.contains(flag))
            || self.name == "creat"
    }

    pub(crate) fn only_opens(&self) -> bool {
        self.name.starts_with("open") && !self.opens_to_write()
    }
}

/// What the command did and said.
pub(crate) struct Traced {
    pub(crate) said: Said,
    pub(crate) killed: bool,
    pub(crate) calls: Vec<Call>,
}

/// Runs the command; `inject` is what strace does to it, such as `fsync:signal=KILL:when=3`.
pub(crate) fn run(bed: &Bed, arguments: &[&str], inject: Option<&str>) -> Traced {
    let log = bed.path("strace.log");
    let mut command = Command::new(tool::find("STRATA_TEST_STRACE", "strace", "bin/strace"));
    command.args(["-f", "-y", "-s", "256", "-o"]).arg(&log);
    command.arg(format!("--trace={CHANGING},{OPENING},?clone,?clone3"));
    // The first thread that a thread starts is for the runtime, the second one for files.
    command.arg("--inject=?clone,?clone3:error=EAGAIN:when=3+");
    command.args(inject.map(|inject| format!("--inject={inject}")));
    command.arg(BINARY).args(arguments).args(["--no-progress", "-j", "1"]);
    let mut command = bed.dressed(command);
    let output = command.env("TOKIO_WORKER_THREADS", "1").output().unwrap();
    let killed = output.status.signal() == Some(9);
    let calls = parse(&fs::read_to_string(&log).unwrap());
    fs::remove_file(log).unwrap();
    let said = said(output);
    assert!(!calls.is_empty(), "strace traced nothing: {}", said.stderr);
    Traced { said, killed, calls }
}

/// `1234 fsync(9</tmp/a>) = 0`, or that in two lines around those of other threads.
fn parse(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for line in log.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        let injected = text.ends_with("(INJECTED)");
        if text.starts_with("<...") {
            if let Some(call) = unfinished.remove(thread) {
                calls[call].injected |= injected;
            }
            continue;
        }
        let Some((name, _)) = text.split_once('(').filter(|(name, _)| is_name(name)) else { continue };
        if name.starts_with("clone") {
            continue;
        }
        let nth = seen.entry((thread, name)).or_default();
        *nth += 1;
        if text.ends_with("<unfinished ...>") {
            unfinished.insert(thread, calls.len());
        }
        calls.push(Call { name: name.to_owned(), nth: *nth, text: text.to_owned(), injected });
    }
    calls
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
