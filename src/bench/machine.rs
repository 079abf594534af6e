//! This machine: what it is, and what a run costs it. Where the system does not tell, there is no figure.

use std::fs;
use std::time::Duration;

use serde::Serialize;

/// What a measurement ran on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Such as `linux`.
    pub os: &'static str,
    /// Such as `x86_64`.
    pub arch: &'static str,
    /// Cores that this process may use.
    pub cores: usize,
    /// The processor's own name.
    pub processor: Option<String>,
    /// Bytes of memory that this process may use: the machine's, or fewer in a container that limits it.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let (_, name) = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
            Some(name.trim().to_owned())
        });
        let memory_bytes = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemTotal:"));
        // Files in memory count against the limit of a container, in either version of control groups.
        let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        let limits = limits.into_iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
        let memory_bytes = memory_bytes.into_iter().chain(limits).min();
        Machine { os: std::env::consts::OS, arch: std::env::consts::ARCH, cores, processor, memory_bytes }
    }
}

/// What this process has cost so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    cpu: Option<Duration>,
    busy: Option<(u64, u64)>,
    memory: Option<u64>,
    peak_is_own: bool,
}

/// What a run has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    /// Of this process, over all cores.
    pub(super) cpu: Option<Duration>,
    /// How busy all cores of the machine were, 0 to 1, whoever kept them so.
    pub(super) busy: Option<f64>,
    /// The most memory of this process, in bytes.
    pub(super) peak: Option<u64>,
    /// The memory that it had before the run, in bytes.
    pub(super) before: Option<u64>,
    /// The peak is that of the run, not that of the process since it began.
    pub(super) peak_is_own: bool,
}

impl Cost {
    /// From here on.
    pub(super) fn from_now() -> Self {
        // Resets the peak to what is in memory now (proc(5)); not allowed everywhere.
        let peak_is_own = fs::write("/proc/self/clear_refs", "5").is_ok();
        Cost { cpu: cpu_time(), busy: ticks(), memory: of_this_process("VmRSS:"), peak_is_own }
    }

    /// Until now.
    pub(super) fn spent(self) -> Spent {
        let cpu = cpu_time().zip(self.cpu).map(|(now, before)| now.saturating_sub(before));
        let busy = ticks().zip(self.busy).and_then(|((busy, all), (busy_before, all_before))| {
            let (busy, all) = (busy.saturating_sub(busy_before), all.saturating_sub(all_before));
            // Ticks are hundredths of a second: few of them say nothing.
            (all >= 10).then(|| busy as f64 / all as f64)
        });
        let peak = of_this_process("VmHWM:");
        Spent { cpu, busy, peak, before: self.memory, peak_is_own: self.peak_is_own }
    }
}

/// Memory of this process, by the name of the line in its status (proc(5)).
fn of_this_process(name: &str) -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, name)
}

/// CPU time of this process so far.
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).ok()
}

/// Busy and all ticks of the machine's cores.
fn ticks() -> Option<(u64, u64)> {
    parse_ticks(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: user, nice, system, idle, iowait, irq, softirq, steal; the rest is counted in the first two.
fn parse_ticks(text: &str) -> Option<(u64, u64)> {
    let numbers: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).map_while(|n| n.parse().ok()).take(8).collect();
    let idle = numbers.get(3)? + numbers.get(4)?;
    let all: u64 = numbers.iter().sum();
    Some((all - idle, all))
}

/// The bytes of a line such as `VmHWM:  1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_understood() {
        assert_eq!(parse_ticks("cpu  10 1 5 80 4 0 0 0 3 3\ncpu0 1"), Some((16, 100)));
        assert_eq!((parse_ticks(""), parse_ticks("cpu 1 2")), (None, None));
        assert_eq!(kibibytes("VmPeak: 9 kB\nVmHWM:\t   12 kB\n", "VmHWM:"), Some(12 * 1024));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_run_costs_something() {
        let cost = Cost::from_now();
        assert!(std::hint::black_box((0..5_000_000u64).fold(0, |sum, n| sum ^ n.wrapping_mul(31))) != 1);
        let spent = cost.spent();
        assert!(spent.cpu > Some(Duration::ZERO) && spent.peak > Some(0), "{spent:?}");
    }
}
