//! Faults as data: on which request, and what happens then.

use std::fmt;
use std::sync::Arc;

use super::http::{Request, Response};

/// What a request asks of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Any request at all.
    Any,
    Put,
    Get,
    Head,
    Delete,
    /// Of many objects in one request.
    DeleteMany,
    List,
    Create,
    Part,
    Complete,
    Abort,
    HeadBucket,
    CreateBucket,
    ReadLifecycle,
    WriteLifecycle,
    /// Any other question about the bucket's settings.
    Ask,
}

impl Operation {
    /// Whether `request` asks this.
    pub fn is(self, request: &Request) -> bool {
        self == Operation::Any || Operation::of(request) == Some(self)
    }

    /// What `request` asks; `None` for what the store does not know.
    pub fn of(request: &Request) -> Option<Self> {
        let has = |name| request.param(name).is_some();
        let on_object = request.key().is_some();
        Some(match request.method.as_str() {
            "PUT" if on_object && has("partNumber") && has("uploadId") => Operation::Part,
            "PUT" if on_object && request.header("x-amz-copy-source").is_none() => Operation::Put,
            "POST" if on_object && has("uploads") => Operation::Create,
            "POST" if on_object && has("uploadId") => Operation::Complete,
            "POST" if !on_object && has("delete") => Operation::DeleteMany,
            "DELETE" if on_object && has("uploadId") => Operation::Abort,
            "DELETE" if on_object => Operation::Delete,
            "HEAD" if on_object => Operation::Head,
            "GET" if on_object && !has("uploadId") => Operation::Get,
            "GET" if !on_object && request.param("list-type") == Some("2") => Operation::List,
            "HEAD" if !on_object => Operation::HeadBucket,
            "PUT" if !on_object && request.is_plain() => Operation::CreateBucket,
            "GET" if has("lifecycle") => Operation::ReadLifecycle,
            "PUT" | "DELETE" if has("lifecycle") => Operation::WriteLifecycle,
            "GET" if !on_object => Operation::Ask,
            _ => return None,
        })
    }
}

/// A place in an answer on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// After this many bytes, counted from the first of the status line.
    Head(usize),
    /// After this many bytes of the body.
    Body(usize),
}

impl Place {
    /// What stands before it.
    pub(super) fn before(self, response: &Response) -> Vec<u8> {
        let mut bytes = response.to_bytes();
        let end = match self {
            Place::Head(count) => count,
            Place::Body(count) => bytes.len() - response.body.len() + count,
        };
        bytes.truncate(end);
        bytes
    }
}

/// What somebody else does.
#[derive(Clone, Debug)]
pub enum Meanwhile {
    /// Puts an object.
    Put(&'static str, Vec<u8>),
    /// Aborts every upload, as a lifecycle rule does.
    AbortAll,
    /// Writes the lifecycle.
    Lifecycle(&'static str),
    /// Loses the part with this number of every upload.
    LosePart(u32),
}

/// Answers some requests.
pub type Judge = Arc<dyn Fn(&Request) -> Option<Response> + Send + Sync>;

/// What happens to a request.
#[derive(Clone)]
pub enum Action {
    /// This is answered; the store does not hear of the request.
    Answer(Response),
    /// This answers it, or leaves it to the store.
    Judge(Judge),
    /// These bytes go onto the wire as they are, and the connection is closed; the store does not hear of the request.
    Raw(Vec<u8>),
    /// The store does it, and its answer is changed.
    Change(Arc<dyn Fn(&mut Response) + Send + Sync>),
    /// The request is changed on its way, and the store does what is left of it.
    Alter(Arc<dyn Fn(&mut Request) + Send + Sync>),
    /// The store does it, and the connection is closed at this place of the answer.
    Cut(Place),
    /// The store does it, and the answer pauses at this place until [`release`](super::Faulty::release).
    Stall(Place),
    /// The store does it, and the connection is closed without a byte of an answer.
    Lose,
    /// The connection is closed with the body of the request unread; the store does not hear of the request.
    Reset,
    /// The connection is closed after so many bytes of the request's body; the store does not hear of the request.
    ResetInside(u64),
    /// A bit of the request's body changes on its way to the store.
    Flip,
    /// Somebody else does something to the store just before; then the request has its turn.
    Meanwhile(Meanwhile),
    /// The store does it and answers, and closes the connection afterwards without having said so.
    HangUp,
    /// The body of the request is not read; closed at [`release`](super::Faulty::release).
    Deaf,
    /// The request is read, and done and answered only after [`release`](super::Faulty::release).
    Late,
    /// The request is read, nothing is done and nothing answered; closed at [`release`](super::Faulty::release).
    Ignore,
}

impl Action {
    /// The store does it, and its answer is changed.
    pub fn change(change: impl Fn(&mut Response) + Send + Sync + 'static) -> Self {
        Action::Change(Arc::new(change))
    }

    /// The request is changed on its way, and the store does what is left of it.
    pub fn alter(change: impl Fn(&mut Request) + Send + Sync + 'static) -> Self {
        Action::Alter(Arc::new(change))
    }

    /// This answers it, or leaves it to the store.
    pub fn judge(judge: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Self {
        Action::Judge(Arc::new(judge))
    }

    /// An error of S3; the store does not hear of the request.
    pub fn refuse(status: u16, code: &str) -> Self {
        Action::Answer(Response::error(status, code))
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Answer(response) => write!(f, "Answer({})", response.status),
            Action::Judge(_) => f.write_str("Judge"),
            Action::Raw(bytes) => write!(f, "Raw({} bytes)", bytes.len()),
            Action::Change(_) => f.write_str("Change"),
            Action::Alter(_) => f.write_str("Alter"),
            Action::Cut(place) => write!(f, "Cut({place:?})"),
            Action::Stall(place) => write!(f, "Stall({place:?})"),
            Action::Lose => f.write_str("Lose"),
            Action::Reset => f.write_str("Reset"),
            Action::ResetInside(count) => write!(f, "ResetInside({count})"),
            Action::Flip => f.write_str("Flip"),
            Action::Meanwhile(what) => write!(f, "Meanwhile({what:?})"),
            Action::HangUp => f.write_str("HangUp"),
            Action::Deaf => f.write_str("Deaf"),
            Action::Ignore => f.write_str("Ignore"),
            Action::Late => f.write_str("Late"),
        }
    }
}

/// Which requests meet a fault.
#[derive(Debug)]
pub struct Rule {
    operation: Operation,
    part: Option<u32>,
    /// How the key ends.
    key: Option<String>,
    /// Of the requests that match, the first that is met, and how many.
    from: usize,
    count: usize,
    seen: usize,
    action: Action,
}

impl Rule {
    /// Every request of this kind.
    pub fn always(operation: Operation, action: Action) -> Self {
        Rule { operation, part: None, key: None, from: 1, count: usize::MAX, seen: 0, action }
    }

    /// The first `count` requests of this kind.
    pub fn first(count: usize, operation: Operation, action: Action) -> Self {
        Rule { count, ..Rule::always(operation, action) }
    }

    /// The `nth` request of this kind alone, from 1.
    pub fn nth(nth: usize, operation: Operation, action: Action) -> Self {
        Rule { from: nth, count: 1, ..Rule::always(operation, action) }
    }

    /// Every request of this kind from the `nth` on, from 1.
    pub fn from_nth(nth: usize, operation: Operation, action: Action) -> Self {
        Rule { from: nth, ..Rule::always(operation, action) }
    }

    /// Only for the part with this number.
    #[must_use]
    pub fn part(mut self, number: u32) -> Self {
        self.part = Some(number);
        self
    }

    /// Only for keys that end so.
    #[must_use]
    pub fn key(mut self, end: &str) -> Self {
        self.key = Some(end.to_owned());
        self
    }

    /// Counts a request that matches; the action where it is this one's turn.
    pub(super) fn due(&mut self, request: &Request) -> Option<Action> {
        let number = || request.param("partNumber").and_then(|number| number.parse().ok());
        if !self.operation.is(request) || self.part.is_some_and(|part| number() != Some(part)) {
            return None;
        }
        if self.key.as_ref().is_some_and(|end| !request.key().unwrap_or_default().ends_with(end)) {
            return None;
        }
        self.seen += 1;
        let is_due = self.seen >= self.from && self.seen - self.from < self.count;
        is_due.then(|| self.action.clone())
    }
}
