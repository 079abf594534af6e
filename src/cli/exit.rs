//! How a command ends: exit codes, fixed for good, and what stderr says about a failure.

use std::fmt;

use serde::Serialize;
use storage::{Error, ErrorKind};

use super::signals::Cause;

/// Usage or configuration.
pub(crate) const USAGE: u8 = 2;
/// Some of several keys failed.
pub(crate) const SOME_FAILED: u8 = 3;
/// Gave up after retries, or at the deadline.
pub(crate) const GAVE_UP: u8 = 5;
/// `bench` found the store slower than its baseline.
pub(crate) const SLOWER: u8 = 10;
/// When several kinds happen in one command, the first of these that is among them; else [`SOME_FAILED`].
const PRECEDENCE: [u8; 4] = [6, 7, 9, GAVE_UP];

/// The exit code of a kind, and its name under `--json`.
pub(crate) fn of_kind(kind: ErrorKind) -> (u8, &'static str) {
    match kind {
        ErrorKind::Invalid => (USAGE, "invalid"),
        ErrorKind::NotFound => (4, "not_found"),
        ErrorKind::Unavailable => (GAVE_UP, "unavailable"),
        ErrorKind::Integrity => (6, "integrity"),
        ErrorKind::Denied => (7, "denied"),
        ErrorKind::Exists => (8, "exists"),
        ErrorKind::LocalIo => (9, "local_io"),
        ErrorKind::Cancelled => (130, "cancelled"),
        _ => (1, "other"),
    }
}

/// The exit code of a command in which these failures happened; the same kind all over keeps its own.
pub(crate) fn of_several(codes: &[u8]) -> u8 {
    match codes {
        [] => 0,
        [first, rest @ ..] if rest.iter().all(|code| code == first) => *first,
        _ => PRECEDENCE.into_iter().find(|code| codes.contains(code)).unwrap_or(SOME_FAILED),
    }
}

/// A failure as stderr shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The failure of a command.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if let Some(cause) = error.downcast_ref::<Cause>() {
            let failure = cause.failure();
            // What was cancelled may know better than to go on where it stopped.
            let own = error.downcast_ref::<Error>().filter(|error| error.kind() == ErrorKind::Cancelled);
            let hint = own.and_then(Error::hint).map(str::to_owned);
            return Failure { hint: hint.or(failure.hint), ..failure };
        }
        if let Some(several) = error.downcast_ref::<Several>() {
            return Failure {
                code: of_several(&several.codes),
                kind: "several",
                message: several.to_string(),
                hint: None,
            };
        }
        if let Some(unfinished) = error.downcast_ref::<Unfinished>() {
            return unfinished.failure();
        }
        if let Some(unfit) = error.downcast_ref::<Unfit>() {
            let hint = "what is bad rests on what stands above it: begin at the top, then check again";
            let (message, hint) = (unfit.to_string(), Some(hint.to_owned()));
            return Failure { code: of_several(&unfit.codes), kind: "unfit", message, hint };
        }
        if let Some(slower) = error.downcast_ref::<Slower>() {
            let hint = "a second run tells chance from change; --tolerance allows more, --json keeps a new baseline";
            let (message, hint) = (slower.to_string(), Some(hint.to_owned()));
            return Failure { code: SLOWER, kind: "slower", message, hint };
        }
        match error.downcast_ref::<Error>() {
            Some(error) => Failure::of_storage(error),
            None => Failure { code: 1, kind: "other", message: format!("{error:#}"), hint: None },
        }
    }

    /// The failure of one of several keys.
    pub(crate) fn of_storage(error: &Error) -> Self {
        let (code, kind) = of_kind(error.kind());
        Failure { code, kind, message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

/// Several keys were to be removed and some could not be; each was told of already.
#[derive(Debug)]
pub(crate) struct Several {
    pub(crate) codes: Vec<u8>,
    pub(crate) of: usize,
}

impl fmt::Display for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} keys could not be removed", self.codes.len(), self.of)
    }
}

impl std::error::Error for Several {}

/// Some steps of `setup` could not be done; each was told of already.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) codes: Vec<u8>,
    /// How many of how many steps.
    pub(crate) steps: usize,
    pub(crate) of: usize,
    /// Those that are missing; empty where none is.
    pub(crate) rights: String,
    /// What somebody who has them has to run.
    pub(crate) command: Option<String>,
}

impl Unfinished {
    fn failure(&self) -> Failure {
        let (code, message) = (of_several(&self.codes), self.to_string());
        let hint = self.command.as_ref().map(|command| format!("an administrator has to run: {command}"));
        let denied = of_kind(ErrorKind::Denied);
        let kind = if code == denied.0 { denied.1 } else { "several" };
        Failure { code, kind, message, hint }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfinished { steps, of, rights, .. } = self;
        write!(f, "{steps} of {of} steps could not be done")?;
        if rights.is_empty() { Ok(()) } else { write!(f, ": missing {rights}") }
    }
}

impl std::error::Error for Unfinished {}

/// `setup --check` found something bad; each was told of already.
#[derive(Debug)]
pub(crate) struct Unfit {
    pub(crate) codes: Vec<u8>,
    pub(crate) of: usize,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.codes.len() {
            1 => write!(f, "1 of {} checks is bad", self.of),
            bad => write!(f, "{bad} of {} checks are bad", self.of),
        }
    }
}

impl std::error::Error for Unfit {}

/// `bench` compared with its baseline.
#[derive(Debug)]
pub(crate) struct Slower {
    /// Cells that are slower by more than what is tolerated.
    pub(crate) cells: usize,
    /// Cells that were compared.
    pub(crate) of: usize,
    /// In per cent.
    pub(crate) tolerance: f64,
}

impl fmt::Display for Slower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Slower { cells, of, tolerance } = self;
        write!(f, "{cells} of {of} cells are slower than the baseline by more than {tolerance}%")
    }
}

impl std::error::Error for Slower {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precedence_of_kinds() {
        for (codes, expected) in [
            (&[][..], 0),
            (&[4], 4),
            (&[4, 4], 4),
            (&[4, 8], 3),
            (&[4, 5, 9], 9),
            (&[5, 9, 7], 7),
            (&[7, 6, 5], 6),
            (&[1, 5], 5),
            (&[2, 4, 1], 3),
        ] {
            assert_eq!(of_several(codes), expected, "{codes:?}");
        }
    }
}
