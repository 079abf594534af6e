//! Whether the writer of a claim is a process that still runs on this machine.

use serde::{Deserialize, Serialize};

/// Where a process id means something, and when the process started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// This boot of this machine, and the namespace of its process ids.
    space: String,
    /// In the kernel's clock ticks since boot.
    started: u64,
}

impl Process {
    /// This process; `None` where the system does not tell.
    pub(crate) fn this() -> Option<Self> {
        let started = started("self")?;
        Some(Process { space: space()?, started })
    }

    /// Whether it runs, under the process id `pid`; `None` where that cannot be known from here.
    pub(crate) fn is_running(&self, pid: u32) -> Option<bool> {
        if space()? != self.space {
            return None;
        }
        if let Some(started) = started(&pid.to_string()) {
            return Some(started == self.started);
        }
        // Other users' processes may be out of sight (proc(5), hidepid).
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        match rustix::process::test_kill_process(pid) {
            Err(rustix::io::Errno::SRCH) => Some(false),
            Ok(()) if is_zombie(pid) => Some(false),
            _ => None,
        }
    }
}

fn space() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.to_string_lossy()))
}

/// The 22nd field of proc_pid_stat(5). The second is the program's name, which may have spaces and parentheses.
fn started(process: &str) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    if fields.next() == Some("Z") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// A zombie holds nothing any more.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, after_name)| after_name.trim_start().starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_and_one_that_is_not_there_does_not() {
        let this = Process::this().unwrap();
        assert_eq!(this.is_running(std::process::id()), Some(true));
        let earlier = Process { started: this.started - 1, ..this.clone() };
        assert_eq!(earlier.is_running(std::process::id()), Some(false), "another process with the same id");
        let elsewhere = Process { space: "another boot".to_owned(), ..this.clone() };
        assert_eq!(elsewhere.is_running(std::process::id()), None);
        // Beyond the largest process id that Linux gives, 4,194,304. Starting one and killing it would lend a child the
        // locks of the tests beside this one.
        assert_eq!(this.is_running(i32::MAX.cast_unsigned()), Some(false));
    }
}
