//! What S3's refusals mean: kind, code, whether to try again, what to do.

use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};

use super::answer::{Answer, header};
use super::codes::{breaks, by_status, code_of, known, may_pass, plain, throttles};
use super::redact::redacted;
use super::xml::Element;
use crate::error::{Error, ErrorKind, Retryable};

/// The most characters of foreign text that are shown.
const LONGEST: usize = 300;

/// A failed try.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The server may have done what was asked: the connection broke, time ran out, or it failed inside.
    pub(super) maybe_done: bool,
    /// Nothing came from the server: no connection was made, or it kept silent.
    pub(super) no_contact: bool,
}

impl Failure {
    /// The server has done nothing, or nothing was sent.
    pub(super) fn definite(error: Error) -> Self {
        Failure { error, maybe_done: false, no_contact: false }
    }

    /// Whether the server has done it is open.
    pub(super) fn unknown(error: Error) -> Self {
        Failure { error, maybe_done: true, no_contact: false }
    }

    /// The server kept silent.
    pub(super) fn unanswered(error: Error) -> Self {
        Failure { error, maybe_done: true, no_contact: true }
    }

    /// No connection was made.
    pub(super) fn not_sent(error: Error) -> Self {
        Failure { error, maybe_done: false, no_contact: true }
    }

    pub(super) fn code(&self) -> &str {
        self.error.code().unwrap_or_default()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::definite(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What was asked, as far as the texts need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) bucket: &'a str,
    pub(super) region: &'a str,
    /// The account that the bucket has to belong to.
    pub(super) owner: Option<&'a str>,
}

/// S3's own name for what is wrong, and its explanation.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    /// The region that the bucket is in, where the server tells.
    pub(super) region: Option<String>,
    /// The part that is wrong, where the server tells.
    pub(super) part: Option<u32>,
    pub(super) is_html: bool,
    /// A TLS server was spoken to in plain HTTP.
    pub(super) wants_tls: bool,
}

impl Details {
    /// Reads them from the body and, for HEAD, from the headers that some servers send. What a server repeats of these secrets
    /// is taken out.
    pub(super) fn of(answer: &Answer, secrets: &[&str]) -> Self {
        // Before it is cut, since half a secret is one as well.
        let one_line = |text: &str| one_line(&redacted(text.to_owned(), secrets));
        let root = Element::parse(&answer.body).filter(|root| root.name == "Error");
        let text = |name: &str| root.as_ref().and_then(|root| root.text_of(name)).map(one_line);
        let code = text("Code").or_else(|| header(&answer.headers, "x-minio-error-code").map(one_line));
        Details {
            code: code.filter(|code| !code.is_empty()),
            message: text("Message").filter(|message| !message.is_empty()),
            region: header(&answer.headers, "x-amz-bucket-region").map(one_line).or_else(|| text("Region")),
            part: text("PartNumber").and_then(|number| number.parse().ok()),
            is_html: root.is_none() && looks_like_html(answer),
            wants_tls: root.is_none() && answer.status == StatusCode::BAD_REQUEST && asks_for_tls(answer),
        }
    }
}

/// A page for people, where S3 sends XML: a proxy, a captive portal, or no S3 server at all.
pub(super) fn looks_like_html(answer: &Answer) -> bool {
    let starts_so = |start: &[u8]| {
        let body = answer.body.trim_ascii_start();
        body.len() >= start.len() && body[..start.len()].eq_ignore_ascii_case(start)
    };
    header(&answer.headers, "content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
        || starts_so(b"<!doctype html")
        || starts_so(b"<html")
}

/// The answer to a call whose success has no document, such as HEAD: a page for people all the same. Some servers call
/// their empty answers pages.
pub(super) fn page_instead(answer: &Answer) -> Option<Failure> {
    let is_empty =
        answer.body.is_empty() && header(&answer.headers, "content-length").is_none_or(|length| length == "0");
    if is_empty || !looks_like_html(answer) || header(&answer.headers, "etag").is_some() {
        return None;
    }
    let details = Details { is_html: true, ..Details::default() };
    let error = Error::new(ErrorKind::Other, plain(answer.status, &details))
        .hint_is("something between here and the server answers in its place: check S3_ENDPOINT and the proxy");
    Some(Failure::definite(error.retryable(None)))
}

/// The words of Go's and nginx's servers to someone who speaks plain HTTP to their TLS port. Go's closes the connection
/// with them, so that they may be lost; what remains is an answer without a single header.
fn asks_for_tls(answer: &Answer) -> bool {
    if answer.headers.is_empty() {
        return true;
    }
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    ["http request to an https server", "plain http request was sent to https port"]
        .iter()
        .any(|words| text.contains(words))
}

/// Foreign text as one line of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &clean[..end]),
        None => clean,
    }
}

/// How long the server asks to wait: seconds or a date.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = header(&answer.headers, "retry-after")?;
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok(),
    }
}

/// The refusal `answer` (no 2xx, or an error inside a 200) as a failure.
pub(super) fn explain(answer: &Answer, details: &Details, asked: Asked<'_>) -> Failure {
    let status = answer.status;
    let code = details.code.as_deref().unwrap_or_default();
    let throttled = throttles(status, code);
    let broken = breaks(status, code);
    let error = match known(code, details, asked) {
        None if details.wants_tls => Error::invalid("the server speaks https, not http")
            .hint_is("write the endpoint (S3_ENDPOINT) with https://"),
        Some(error) => error,
        None if throttled || broken => Error::new(ErrorKind::Unavailable, plain(status, details)),
        None if details.is_html => Error::new(ErrorKind::Other, plain(status, details))
            .hint_is("check the endpoint (S3_ENDPOINT) and the proxy: something that is not S3 answered"),
        None => by_status(status, details, asked),
    };
    let error = match details.code.as_deref().or(code_of(status)) {
        Some(code) => error.code_is(code).part_is(details.part),
        None => error,
    };
    let again = throttled || broken || may_pass(code);
    let error = if again && error.retry() == Retryable::No { error.retryable(retry_after(answer)) } else { error };
    // A write that fails inside a 200 may have happened as well.
    let maybe_done = (broken && !throttled) || status.is_success();
    Failure { error, maybe_done, no_contact: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKET: &str = "b";

    fn failure(method: Method, status: u16, headers: &[(&'static str, &str)], body: &str) -> Failure {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, headers, body: body.to_owned().into() };
        explain(
            &answer,
            &Details::of(&answer, &[]),
            Asked { method: &method, bucket: BUCKET, region: "us-east-1", owner: None },
        )
    }

    fn with_code(status: u16, code: &str) -> Failure {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Some\n text.</Message></Error>");
        failure(Method::PUT, status, &[], &body)
    }

    #[test]
    fn codes_have_a_kind_and_are_tried_again_or_not() {
        use ErrorKind::*;
        for (status, code, kind, again, maybe_done) in [
            (404, "NoSuchBucket", NotFound, false, false),
            (404, "NoSuchKey", NotFound, false, false),
            (404, "NoSuchUpload", Unavailable, false, false),
            (403, "AccessDenied", Denied, false, false),
            (403, "InvalidAccessKeyId", Denied, false, false),
            (403, "SignatureDoesNotMatch", Denied, false, false),
            (403, "RequestTimeTooSkewed", Denied, false, false),
            (400, "ExpiredToken", Denied, false, false),
            (301, "PermanentRedirect", Invalid, false, false),
            (400, "AuthorizationHeaderMalformed", Invalid, false, false),
            (412, "PreconditionFailed", Exists, false, false),
            (409, "ConditionalRequestConflict", Unavailable, true, false),
            (400, "RequestTimeout", Other, true, false),
            (400, "BadDigest", Integrity, true, false),
            (400, "XAmzContentChecksumMismatch", Integrity, true, false),
            (400, "InvalidPart", Unavailable, false, false),
            (416, "InvalidRange", Invalid, false, false),
            (503, "SlowDown", Unavailable, true, false),
            (429, "TooManyRequests", Unavailable, true, false),
            (500, "InternalError", Unavailable, true, true),
            (503, "ServiceUnavailable", Unavailable, true, true),
            (502, "Whatever", Unavailable, true, true),
            (200, "InternalError", Unavailable, true, true),
            (200, "SlowDown", Unavailable, true, true),
            (501, "NotImplemented", Other, false, false),
            (400, "EntityTooLarge", Other, false, false),
            (409, "XMinioParentIsObject", Exists, false, false),
        ] {
            let failure = with_code(status, code);
            let got = (failure.error.kind(), failure.error.is_retryable(), failure.maybe_done, failure.code());
            assert_eq!(got, (kind, again, maybe_done, code), "{status} {code}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        for code in [
            "NoSuchBucket",
            "NoSuchKey",
            "AccessDenied",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "RequestTimeTooSkewed",
            "ExpiredToken",
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
        ] {
            assert!(with_code(400, code).error.hint().is_some(), "{code}");
        }
        assert_eq!(with_code(400, "Odd").error.to_string(), "the server answered Odd: Some text");
    }

    #[test]
    fn the_right_region_is_named() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        for failure in [
            failure(Method::PUT, 400, &[], body),
            failure(Method::HEAD, 301, &[("x-amz-bucket-region", "eu-west-1")], ""),
        ] {
            assert_eq!(failure.error.to_string(), "the bucket 'b' is in region eu-west-1, not in us-east-1");
            assert_eq!(failure.error.hint(), Some("set AWS_REGION=eu-west-1"));
        }
    }

    #[test]
    fn a_head_without_a_body_is_read_by_its_status() {
        for (status, kind, again) in [
            (400, ErrorKind::Denied, false),
            (403, ErrorKind::Denied, false),
            (404, ErrorKind::NotFound, false),
            (412, ErrorKind::Exists, false),
            (503, ErrorKind::Unavailable, true),
        ] {
            let failure = failure(Method::HEAD, status, &[("server", "S3")], "");
            assert_eq!((failure.error.kind(), failure.error.is_retryable()), (kind, again), "{status}");
        }
        let failure = failure(Method::HEAD, 404, &[("x-minio-error-code", "NoSuchBucket")], "");
        assert_eq!(failure.error.to_string(), "the bucket 'b' does not exist");
    }

    #[test]
    fn a_bare_400_is_that_of_a_tls_server() {
        for (headers, tls) in [(&[][..], true), (&[("server", "S3")], false)] {
            let failure = failure(Method::GET, 400, headers, "");
            assert_eq!(failure.error.to_string() == "the server speaks https, not http", tls, "{failure:?}");
        }
    }

    #[test]
    fn a_web_page_is_called_one() {
        for (status, again) in [(200, false), (403, false), (404, false), (502, true)] {
            let failure = failure(Method::GET, status, &[], " <!DOCTYPE HTML><html>Welcome<br></html>");
            assert!(failure.error.to_string().starts_with("a web page came back"), "{}", failure.error);
            assert_eq!((failure.error.is_retryable(), failure.error.kind() == ErrorKind::NotFound), (again, false));
        }
        let tls = failure(Method::GET, 400, &[], "Client sent an HTTP request to an HTTPS server.\n");
        assert_eq!(
            (tls.error.kind(), tls.error.to_string().as_str()),
            (ErrorKind::Invalid, "the server speaks https, not http")
        );
    }

    #[test]
    fn the_server_says_how_long_to_wait() {
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        for (text, at_least) in [("7", 7), (later.as_str(), 3500), ("soon", 0)] {
            let failure = failure(Method::GET, 503, &[("retry-after", text)], "");
            let Retryable::Yes { after } = failure.error.retry() else { panic!("{text}") };
            assert!(after.unwrap_or_default() >= Duration::from_secs(at_least), "{text}");
            assert_eq!(after.is_none(), at_least == 0, "{text}");
        }
    }

    #[test]
    fn foreign_text_is_bounded_and_on_one_line() {
        let failure = failure(
            Method::GET,
            400,
            &[],
            &format!("<Error><Code>X</Code><Message>a&#13;&#10;{}</Message></Error>", "y".repeat(9999)),
        );
        let text = failure.error.to_string();
        assert!(text.len() < 400 && !text.contains(['\n', '\r']), "{text}");
    }
}
