//! The one public error: what failed, on what, after how many tries, and what to do next.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

/// Result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`]; the command line's exit codes follow from it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// An argument, setting or environment variable is unusable. Nothing was sent or written.
    Invalid,
    /// The object, checkpoint, bucket or local source does not exist.
    NotFound,
    /// Something else is there already, or another writer won.
    Exists,
    /// Bytes differ from what their checksum or size says.
    Integrity,
    /// Credentials are missing, wrong or expired, or a permission is missing.
    Denied,
    /// The store did not answer usefully within the tries and times allowed. Trying again later may work.
    Unavailable,
    /// A local file could not be read or written (disk full, permission, I/O error).
    LocalIo,
    /// The caller's [`cancel`](crate::RuntimeConfig::cancel) token fired.
    Cancelled,
    /// The store answered something that the S3 protocol does not allow here, or a request it refuses for good.
    Other,
}

/// Whether the same call may succeed when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retryable {
    No,
    /// Not by this call: it was tried often enough.
    Later,
    /// After the usual backoff, or no earlier than `after` where the server said so.
    Yes {
        after: Option<Duration>,
    },
}

/// What failed, on which key, at which endpoint, after how many tries, and what to do next ([`hint`](Error::hint)).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    action: Option<String>,
    key: Option<String>,
    endpoint: Option<String>,
    message: String,
    code: Option<String>,
    part: Option<u32>,
    tries: u32,
    hint: Option<String>,
    retryable: Retryable,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with a message of one line, without a trailing period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            action: None,
            key: None,
            endpoint: None,
            message: message.into(),
            code: None,
            part: None,
            tries: 1,
            hint: None,
            retryable: Retryable::No,
            source: None,
        }))
    }

    /// An unusable argument or setting.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Invalid, message)
    }

    /// The caller's cancel token fired.
    pub fn cancelled() -> Self {
        Error::new(ErrorKind::Cancelled, "interrupted")
    }

    /// A failed local operation; `action` is what was tried, such as `read 'model.bin'`.
    pub fn local(action: impl Into<String>, error: io::Error) -> Self {
        let (kind, hint) = match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::NotFound, None),
            io::ErrorKind::PermissionDenied => {
                (ErrorKind::LocalIo, Some("check the owner and the mode of the file and its directories"))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                ErrorKind::LocalIo,
                Some("free some space there, or choose another destination, and run the same command again"),
            ),
            io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::LocalIo, Some("choose a destination that can be written")),
            _ => (ErrorKind::LocalIo, None),
        };
        let this = Error::new(kind, io_message(&error)).action(action).caused_by(error);
        match hint {
            Some(hint) => this.hint_is(hint),
            None => this,
        }
    }

    /// Adds what was being done, as a verb phrase: the text becomes `cannot ACTION ...`. The first one given stays.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.0.action.get_or_insert_with(|| action.into());
        self
    }

    /// Adds the key it happened on. The first one given stays.
    #[must_use]
    pub fn on(mut self, key: impl Into<String>) -> Self {
        self.0.key.get_or_insert_with(|| key.into());
        self
    }

    /// Adds the endpoint or directory of the store. The first one given stays.
    #[must_use]
    pub fn at(mut self, endpoint: impl Into<String>) -> Self {
        self.0.endpoint.get_or_insert_with(|| endpoint.into());
        self
    }

    /// Sets the server's own name for the error, such as `NoSuchBucket`.
    #[must_use]
    pub fn code_is(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Sets what to do next, as one line without a trailing period.
    #[must_use]
    pub fn hint_is(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets how many times the call was tried in all.
    #[must_use]
    pub fn after_tries(mut self, tries: u32) -> Self {
        self.0.tries = tries;
        self
    }

    /// Keeps the underlying error as [`source`](StdError::source); it is not part of the text.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    #[must_use]
    pub(crate) fn retryable(mut self, after: Option<Duration>) -> Self {
        self.0.retryable = Retryable::Yes { after };
        self
    }

    #[must_use]
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn retryable_later(mut self) -> Self {
        self.0.retryable = Retryable::Later;
        self
    }

    /// Names the part of an upload that is wrong.
    #[must_use]
    #[cfg_attr(not(feature = "s3"), allow(dead_code))]
    pub(crate) fn part_is(mut self, number: Option<u32>) -> Self {
        self.0.part = number;
        self
    }

    pub(crate) fn part(&self) -> Option<u32> {
        self.0.part
    }

    #[must_use]
    pub(crate) fn not_retryable(mut self) -> Self {
        self.0.retryable = Retryable::No;
        self
    }

    #[must_use]
    pub(crate) fn kind_is(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn retry(&self) -> Retryable {
        self.0.retryable
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without what it happened to and after how many tries.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether a local disk, or a quota of it, is full.
    pub(crate) fn is_disk_full(&self) -> bool {
        let causes = std::iter::successors(self.source(), |&error| error.source());
        causes
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// The key it happened on, if one was involved.
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The server's own name for the error, such as `SlowDown`, if it gave one.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// How many times the call was tried, at least 1.
    pub fn tries(&self) -> u32 {
        self.0.tries
    }

    /// What to do next, as one line, where there is something better than reading the message again.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// True where the same call may succeed when it is tried again later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable != Retryable::No
    }
}

/// An `io::Error` in words, without the `(os error N)` that says nothing to a person.
fn io_message(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// Text of which a part came from elsewhere: one line, and nothing that a terminal would obey.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => write!(f, "{c}"),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { action, key, endpoint, message, tries, .. } = &*self.0;
        match (action, key) {
            (Some(action), Some(key)) => write!(f, "cannot {action} '{}'", Printable(key))?,
            (Some(action), None) => write!(f, "cannot {}", Printable(action))?,
            (None, Some(key)) => write!(f, "'{}'", Printable(key))?,
            (None, None) => {}
        }
        let has_subject = action.is_some() || key.is_some();
        if let Some(endpoint) = endpoint.as_ref().filter(|_| has_subject) {
            write!(f, " at {endpoint}")?;
        }
        if has_subject {
            f.write_str(": ")?;
        }
        write!(f, "{}", Printable(message))?;
        if *tries > 1 {
            write!(f, " (gave up after {tries} tries)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("text", &self.to_string())
            .field("hint", &self.0.hint)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_whatever_it_is_about() {
        let error =
            Error::new(ErrorKind::Other, "odd\u{1b}[31m").action("get").on("a\nb\0").at("http://h").after_tries(3);
        let text = r"cannot get 'a\nb\u{0}' at http://h: odd\u{1b}[31m (gave up after 3 tries)";
        assert_eq!(error.to_string(), text);
    }
}
