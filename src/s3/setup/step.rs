//! A step of a setup, as data.

use crate::error::{Error, ErrorKind};

/// What a step is about.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The bucket itself.
    Bucket,
    /// Whether strangers can get at it.
    PublicAccess,
    /// Who owns its objects.
    Ownership,
    /// Whether what is removed or replaced is kept.
    Versioning,
    /// The lifecycle as a whole.
    Lifecycle,
    /// The end of uploads that nobody goes on with.
    Abort,
    /// The move to a cheaper storage class.
    Transition,
    /// Deletion by age.
    Expiration,
    /// Deletion of old versions.
    OldVersions,
    /// The rules of others in the lifecycle.
    OtherRules,
}

impl Topic {
    /// In one or two words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Bucket => "bucket",
            Topic::PublicAccess => "public access",
            Topic::Ownership => "ownership",
            Topic::Versioning => "versioning",
            Topic::Lifecycle => "lifecycle",
            Topic::Abort => "abort uploads",
            Topic::Transition => "transition",
            Topic::Expiration => "expiration",
            Topic::OldVersions => "old versions",
            Topic::OtherRules => "other rules",
        }
    }
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was so already, or it is none of our business to change it.
    Found,
    /// It was done now.
    Done,
    /// It would be done without the dry run.
    WouldDo,
    /// The server has no such thing.
    CannotHold,
    /// A right is missing.
    Denied,
    /// The server refused.
    Failed,
}

impl State {
    /// In one or two words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Found => "found",
            State::Done => "done",
            State::WouldDo => "would do",
            State::CannotHold => "cannot hold",
            State::Denied => "denied",
            State::Failed => "failed",
        }
    }
}

/// What was found, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub topic: Topic,
    /// How it ended.
    pub state: State,
    /// In one line.
    pub detail: String,
    /// How it was before it was changed.
    pub before: Option<String>,
    /// With [`State::Denied`]: the rights that are missing, such as `s3:PutLifecycleConfiguration`.
    pub rights: Vec<&'static str>,
    /// What to know or to do about it, as one line.
    pub hint: Option<String>,
    /// What kind of failure it is, if it is one.
    pub failure: Option<ErrorKind>,
}

impl Step {
    pub(super) fn new(topic: Topic, state: State, detail: String) -> Self {
        Step { topic, state, detail, before: None, rights: Vec::new(), hint: None, failure: None }
    }

    pub(super) fn denied(topic: Topic, rights: &[&'static str]) -> Self {
        let failure = Some(ErrorKind::Denied);
        let verb = if rights.len() == 1 { "is" } else { "are" };
        let detail = format!("{} {verb} missing", rights.join(" and "));
        Step { rights: rights.to_vec(), failure, ..Step::new(topic, State::Denied, detail) }
    }

    pub(super) fn failed(topic: Topic, error: &Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Step { hint, failure: Some(error.kind()), ..Step::new(topic, State::Failed, error.to_string()) }
    }
}
