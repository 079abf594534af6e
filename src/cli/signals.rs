//! What ends a command early: SIGINT, SIGTERM, SIGHUP, the deadline. Each fires the cancel token; the transfers clean up.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use storage::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::achieved::Achieved;
use super::exit::{Failure, GAVE_UP};
use super::units::taken;

/// How long a command may take to clean up; a little more than the library takes to give an upload up.
pub(crate) const GRACE: Duration = Duration::from_millis(1_900);
/// The same for one that must leave nothing in the store.
pub(crate) const PATIENT_GRACE: Duration = Duration::from_secs(30);
/// When a command is gone, whatever it waits for.
const AFTER_GRACE: Duration = Duration::from_millis(70);

/// Why a command was ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Interrupt,
    Terminate,
    /// The terminal was closed.
    HangUp,
    Deadline(Duration),
}

/// Watches for what ends a command early.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    cancel: CancellationToken,
    grace: Duration,
    cause: Arc<OnceLock<Cause>>,
    achieved: Achieved,
}

impl Watch {
    /// Catches the signals from here on, inside a runtime. A command may take `grace` to clean up; one that has done what it
    /// was asked for ends with success.
    pub(crate) fn start(
        cancel: CancellationToken,
        deadline: Option<Duration>,
        grace: Duration,
        achieved: Achieved,
    ) -> storage::Result<Self> {
        let catch = |kind| signal(kind).map_err(|error| Error::local("catch signals", error));
        let (interrupt, terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
        let hang_up = if ignores_hang_up() { None } else { Some(catch(SignalKind::hangup())?) };
        let watch = Watch { cancel, grace, cause: Arc::default(), achieved };
        tokio::spawn(watch.clone().catch(interrupt, terminate, hang_up, deadline));
        Ok(watch)
    }

    async fn catch(
        self,
        mut interrupt: Signal,
        mut terminate: Signal,
        hang_up: Option<Signal>,
        deadline: Option<Duration>,
    ) {
        let hang_up = async {
            match hang_up {
                Some(mut hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        let deadline = async {
            match deadline {
                Some(time) => {
                    tokio::time::sleep(time).await;
                    Cause::Deadline(time)
                }
                None => std::future::pending().await,
            }
        };
        let cause = tokio::select! {
            _ = interrupt.recv() => Cause::Interrupt,
            _ = terminate.recv() => Cause::Terminate,
            _ = hang_up => Cause::HangUp,
            cause = deadline => cause,
        };
        let _ = self.cause.set(cause);
        self.cancel.cancel();
        let achieved = self.achieved;
        let exit = move || match achieved.get() {
            Some(_) => std::process::exit(0),
            None => std::process::exit(cause.failure().code.into()),
        };
        let exit_at_last = exit.clone();
        // Not a task: a thread that waits for a terminal, a pipe or a disk keeps none of this waiting.
        std::thread::spawn(move || {
            std::thread::sleep(self.grace + AFTER_GRACE);
            exit_at_last()
        });
        // Whoever presses Ctrl-C now does not want to wait for the clean-up.
        interrupt.recv().await;
        exit()
    }

    /// Why the command was ended early, if it was.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Returns when a command that was told to stop should be gone.
    pub(crate) async fn overdue(&self) {
        self.cancelled_for(self.grace).await;
    }

    /// Returns when a command was told to stop this long ago.
    pub(crate) async fn cancelled_for(&self, time: Duration) {
        self.cancel.cancelled().await;
        tokio::time::sleep(time).await;
    }
}

/// Whoever starts a command by nohup wants it to outlive the terminal. Where the system does not tell, the signal is not
/// caught, and so does what it was set to.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").ok();
    status.as_deref().and_then(ignored_signals).is_none_or(|ignored| ignored & 1 != 0)
}

/// The signals that a process ignores, the first one in the lowest bit (proc(5)).
fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure().message)
    }
}

impl Cause {
    /// What stderr and the exit code say.
    pub(crate) fn failure(self) -> Failure {
        let again = "run the same command again: it goes on where this one stopped (a stream begins anew)";
        let (code, kind, message, hint) = match self {
            Cause::Interrupt => (130, "cancelled", "interrupted".to_owned(), again.to_owned()),
            Cause::Terminate => (143, "cancelled", "terminated".to_owned(), again.to_owned()),
            Cause::HangUp => (129, "cancelled", "the terminal was closed".to_owned(), again.to_owned()),
            Cause::Deadline(time) => {
                let message = format!("not done within the deadline of {}", taken(time));
                (GAVE_UP, "deadline", message, format!("{again}; --deadline allows more time"))
            }
        };
        Failure { code, kind, message, hint: Some(hint) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says_is_understood() {
        assert_eq!(ignored_signals("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t1\n"), Some(0x1001));
        assert_eq!((ignored_signals(""), ignored_signals("SigIgn:\tno\n")), (None, None));
    }
}
