//! What services that give credentials answer where they do not: their own code and words, in one line.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::answer::{Answer, header};
use super::failure::{looks_like_html, one_line};
use super::xml::Element;

/// Clocks that are further apart are the likely reason of a refusal: signatures are good for so long
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>).
const TOLERATED_SKEW: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(super) struct Refusal {
    /// Such as `https://sts.us-east-1.amazonaws.com`.
    at: String,
    pub(super) status: u16,
    code: Option<String>,
    /// As it came: secrets are to be taken out before it is cut.
    message: Option<String>,
    is_page: bool,
    /// How far this machine's clock is from the service's, in words, where that is too far.
    pub(super) clock: Option<String>,
}

impl Refusal {
    pub(super) fn of(answer: &Answer, at: &str, now: SystemTime) -> Self {
        let (code, message) = of_xml(answer).or_else(|| of_json(answer)).unwrap_or_default();
        let code = code.or_else(|| header(&answer.headers, "x-amzn-errortype").map(str::to_owned));
        // Of `com.amazonaws.sts#Name:http://...` the name.
        let short = |code: String| {
            let name = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
            one_line(name)
        };
        Refusal {
            at: at.to_owned(),
            status: answer.status.as_u16(),
            code: code.map(short).filter(|code| !code.is_empty()),
            message: message.filter(|text| !text.trim().is_empty()),
            is_page: looks_like_html(answer),
            clock: clock(answer, now),
        }
    }

    /// Whether it says that what was shown is not known, or not any more.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == 401 || self.code.as_deref().is_some_and(|code| code.starts_with("Unauthorized"))
    }
}

/// Who answered, and what.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { at, status, code, message, is_page, clock } = self;
        match clock {
            Some(clock) => write!(f, "this machine's clock is {clock} that of {at}, which")?,
            None => f.write_str(at)?,
        }
        match (code, message) {
            (Some(code), Some(message)) => write!(f, " answered {code}: {message}"),
            (Some(code), None) => write!(f, " answered {code} (status {status})"),
            (None, Some(message)) => write!(f, " answered with status {status}: {message}"),
            (None, None) if *is_page => write!(f, " answered with status {status} and a web page"),
            (None, None) => write!(f, " answered with status {status} and no reason"),
        }
    }
}

/// `<ErrorResponse><Error><Code>`, or `<Error>` itself.
fn of_xml(answer: &Answer) -> Option<(Option<String>, Option<String>)> {
    let root = Element::parse(&answer.body)?;
    let error = if root.name == "Error" { &root } else { root.child("Error")? };
    let text = |name: &str| error.text_of(name).map(str::to_owned);
    Some((text("Code"), text("Message")))
}

/// `__type` or `code`, and `message`, whatever their case.
fn of_json(answer: &Answer) -> Option<(Option<String>, Option<String>)> {
    let Value::Object(fields) = serde_json::from_slice(&answer.body).ok()? else { return None };
    let text = |names: &[&str]| {
        let is_one = |name: &str| names.iter().any(|own| name.eq_ignore_ascii_case(own));
        fields.iter().find(|(name, _)| is_one(name)).and_then(|(_, value)| value.as_str()).map(str::to_owned)
    };
    Some((text(&["__type", "code", "error"]), text(&["message", "error_description"])))
}

fn clock(answer: &Answer, now: SystemTime) -> Option<String> {
    let theirs = httpdate::parse_http_date(header(&answer.headers, "date")?).ok()?;
    let (off, way) = match theirs.duration_since(now) {
        Ok(behind) => (behind, "behind"),
        Err(ahead) => (ahead.duration(), "ahead of"),
    };
    let whole = Duration::from_secs(off.as_secs());
    (off > TOLERATED_SKEW).then(|| format!("{} {way}", humantime::format_duration(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn said(status: u16, headers: &[(&'static str, &str)], body: &str) -> String {
        one_line(&full(status, headers, body))
    }

    fn full(status: u16, headers: &[(&'static str, &str)], body: &str) -> String {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() };
        Refusal::of(&answer, "https://sts", SystemTime::UNIX_EPOCH + Duration::from_secs(3600)).to_string()
    }

    #[test]
    fn each_form_is_read() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not\nyou</Message></Error></ErrorResponse>";
        for (status, headers, body, expected) in [
            (403, &[][..], xml, "https://sts answered AccessDenied: not you"),
            (
                403,
                &[],
                "<Error><Code>InvalidParameterValue</Code></Error>",
                "https://sts answered InvalidParameterValue (status 403)",
            ),
            (
                401,
                &[],
                r#"{"__type":"com.amazonaws#UnauthorizedException","message":"no"}"#,
                "https://sts answered UnauthorizedException: no",
            ),
            (
                400,
                &[("x-amzn-errortype", "InvalidRequestException:http://x")],
                "{}",
                "https://sts answered InvalidRequestException (status 400)",
            ),
            (502, &[], "<html>Bad gateway</html>", "https://sts answered with status 502 and a web page"),
            (404, &[], "", "https://sts answered with status 404 and no reason"),
        ] {
            assert_eq!(said(status, headers, body), expected);
        }
    }

    #[test]
    fn a_clock_that_is_far_off_is_said() {
        let at = |seconds: u64| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for (seconds, expected) in [(3700, None), (4800, Some("20m behind")), (2400, Some("20m ahead of"))] {
            let said = said(403, &[("date", &at(seconds))], "");
            assert_eq!(said.split_once("clock is ").map(|(_, rest)| rest.split(" that").next().unwrap()), expected);
        }
    }
}
