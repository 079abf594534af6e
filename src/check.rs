//! What is found when a store is examined before it is used: one [`Check`] after the other, as data.
//!
//! `S3Storage::check` and [`LocalStorage::check`](crate::LocalStorage::check) tell of each as it is done. They try with
//! objects of their own, whose names begin with [`PREFIX`], remove them again, and touch nothing else.

pub(crate) mod note;

use std::fmt;

use crate::error::{Error, ErrorKind};

/// What the names of a check's own objects begin with.
pub const PREFIX: &str = ".strata-check-";

const NO_BETTER_HINT: &str = "this is all that the store says: ask whoever runs it";

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Good,
    /// It works, and there is something to know.
    Note,
    /// Transfers will fail, or not be what was promised.
    Bad,
    /// Not tried, since it rests on something that failed.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Outcome::Good => "good",
            Outcome::Note => "note",
            Outcome::Bad => "bad",
            Outcome::Skipped => "skipped",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What, in a word or two that stay the same, such as `clock` or `s3:PutObject`.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, as one line.
    pub detail: String,
    /// What to do about it, as one line.
    pub hint: Option<String>,
    /// Where the outcome is [`Bad`](Outcome::Bad): what kind of error a transfer would end with.
    pub kind: Option<ErrorKind>,
}

/// Where settings came from, in words such as `S3_ENDPOINT in .env`; `None` where nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The endpoint.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The credentials, where they were given.
    pub credentials: Option<String>,
}

/// Called with each check when it is done.
pub type Tell<'a> = &'a mut (dyn FnMut(&Check) + Send);

/// The checks so far, in order.
pub(crate) struct Sheet<'a> {
    /// The names of all checks that there will be.
    order: &'static [&'static str],
    tell: Tell<'a>,
    checks: Vec<Check>,
}

impl<'a> Sheet<'a> {
    pub(crate) fn new(order: &'static [&'static str], tell: Tell<'a>) -> Self {
        Sheet { order, tell, checks: Vec::with_capacity(order.len()) }
    }

    pub(crate) fn good(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(Check { name, outcome: Outcome::Good, detail: detail.into(), hint: None, kind: None });
    }

    pub(crate) fn note(&mut self, name: &'static str, detail: impl Into<String>, hint: impl Into<String>) {
        let hint = Some(hint.into());
        self.add(Check { name, outcome: Outcome::Note, detail: detail.into(), hint, kind: None });
    }

    /// As an error says it, without what and where: the check's name tells that.
    pub(crate) fn bad(&mut self, name: &'static str, error: &Error) {
        let (detail, hint) = (error.message().to_owned(), error.hint().unwrap_or(NO_BETTER_HINT).to_owned());
        self.add(Check { name, outcome: Outcome::Bad, detail, hint: Some(hint), kind: Some(error.kind()) });
    }

    pub(crate) fn skip(&mut self, name: &'static str, why: impl Into<String>) {
        self.add(Check { name, outcome: Outcome::Skipped, detail: why.into(), hint: None, kind: None });
    }

    /// Skips every check that there was nothing of yet, up to the one called `end`, which is left out.
    pub(crate) fn skip_until(&mut self, end: &str, why: &str) {
        for name in self.order.iter().take_while(|name| **name != end) {
            if !self.checks.iter().any(|check| check.name == *name) {
                self.skip(name, why);
            }
        }
    }

    pub(crate) fn add(&mut self, check: Check) {
        (self.tell)(&check);
        self.checks.push(check);
    }

    /// Whether the store has stopped to answer.
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn has_lost_contact(&self) -> bool {
        self.checks.iter().any(|check| check.kind == Some(ErrorKind::Unavailable))
    }

    pub(crate) fn into_checks(self) -> Vec<Check> {
        self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rests_on_a_failure_is_skipped_in_order() {
        let mut told = Vec::new();
        let mut tell = |check: &Check| told.push(format!("{} {}", check.name, check.outcome));
        let mut sheet = Sheet::new(&["a", "b", "c", "d"], &mut tell);
        sheet.good("a", "");
        sheet.bad("b", &Error::new(ErrorKind::Denied, "no").action("try").hint_is("ask"));
        sheet.skip_until("d", "it needs b");
        assert!(!sheet.has_lost_contact());
        let checks = sheet.into_checks();
        assert_eq!((checks[1].detail.as_str(), checks[1].hint.as_deref()), ("no", Some("ask")));
        assert_eq!(checks[1].kind, Some(ErrorKind::Denied));
        assert_eq!(told, ["a good", "b bad", "c skipped"]);
    }
}
