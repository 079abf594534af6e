//! Who we are, and whether the server and the bucket know us.

use std::time::{Duration, SystemTime};

use super::{Doctor, about_bucket};
use crate::backend::ObjectMeta;
use crate::check::Origins;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::answer::{Answer, header};
use crate::s3::codes::FORBIDDEN;
use crate::s3::credentials::shortened;
use crate::s3::list;
use aws_credential_types::Credentials;

/// S3 refuses requests that are further off
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>).
const REFUSED_SKEW: f64 = 900.0;
/// A difference of clocks that is worth a word, in seconds. The header has whole seconds.
const NOTABLE_SKEW: f64 = 5.0;
const SET_CLOCK: &str = "set this machine's clock, for example with timedatectl or chronyc";

impl Doctor<'_> {
    /// The credentials that requests will be signed with.
    pub(super) async fn credentials(&mut self, origins: &Origins) -> Result<Option<Credentials>> {
        const NAME: &str = "credentials";
        let client = self.client.clone();
        let credentials = match self.unless_cancelled(client.identity.credentials(client.learnt.now())).await? {
            Ok(credentials) => credentials,
            Err(error) => {
                self.sheet.bad(NAME, &error);
                return Ok(None);
            }
        };
        let source = client.identity.source_of(&credentials).or_else(|| origins.credentials.clone());
        let source = source.unwrap_or_else(|| "the program itself".to_owned());
        let temporary = if credentials.session_token().is_some() { ", temporary" } else { "" };
        let expiry = credentials.expiry().and_then(|expiry| expiry.duration_since(SystemTime::now()).ok());
        let expiry = expiry.map(|left| {
            let minutes = Duration::from_secs(left.as_secs() / 60 * 60);
            format!(", renewed before they expire in {}", humantime::format_duration(minutes))
        });
        let id = shortened(credentials.access_key_id());
        self.sheet.good(NAME, format!("{id} from {source}{temporary}{}", expiry.unwrap_or_default()));
        Ok(Some(credentials))
    }

    /// Whether the bucket is there and the server knows us; else why nothing more can be tried. HEAD tells the time and the region; only a listing that is
    /// refused says why.
    pub(super) async fn introduce(&mut self, credentials: &Credentials) -> Result<Result<(), &'static str>> {
        const SILENT: &str = "the server gives no answer of S3";
        let client = self.client.clone();
        let head = &about_bucket(&client, "HEAD", None)?;
        let bucket = format!("s3://{}", client.bucket);
        let ask = client.call("look up", &bucket, || async { Ok((client.answer(head).await?, SystemTime::now())) });
        let (answer, at) = match self.unless_cancelled(ask).await? {
            Ok(answered) => answered,
            Err(error) => {
                self.sheet.bad("service", &error);
                return Ok(Err(SILENT));
            }
        };
        let directory = self.scratch.directory();
        let listed = self.unless_cancelled(list::first(&client, &directory, &bucket)).await?;
        if !self.service(&answer, &listed) {
            return Ok(Err(SILENT));
        }
        self.clock(&answer, at, &listed);
        if !self.identity(&listed, credentials) {
            return Ok(Err("the server refuses the keys"));
        }
        Ok(if self.bucket(&answer, &listed) { Ok(()) } else { Err("the bucket cannot be used") })
    }

    /// Something that speaks S3.
    fn service(&mut self, answer: &Answer, listed: &Result<Vec<ObjectMeta>>) -> bool {
        const NAME: &str = "service";
        match listed {
            Err(error) if !is_of_s3(error) => {
                self.sheet.bad(NAME, error);
                false
            }
            _ => {
                let server = header(&answer.headers, "server").unwrap_or("it does not tell its name");
                self.sheet.good(NAME, format!("S3 answers ({server})"));
                true
            }
        }
    }

    fn clock(&mut self, answer: &Answer, at: SystemTime, listed: &Result<Vec<ObjectMeta>>) {
        const NAME: &str = "clock";
        let theirs = header(&answer.headers, "date").and_then(|date| httpdate::parse_http_date(date).ok());
        let Some(theirs) = theirs else {
            return self.sheet.note(
                NAME,
                "the server does not tell its time",
                "see that this machine's clock is right",
            );
        };
        // On average it was half a second later.
        let theirs = theirs + Duration::from_millis(500);
        let ahead = match at.duration_since(theirs) {
            Ok(ahead) => ahead.as_secs_f64(),
            Err(behind) => -behind.duration().as_secs_f64(),
        };
        let whole = Duration::from_secs_f64(ahead.abs().round());
        let way = if ahead > 0.0 { "ahead of" } else { "behind" };
        let detail = format!("{} {way} the server's", humantime::format_duration(whole));
        let refused = listed.as_ref().is_err_and(|error| error.code() == Some("RequestTimeTooSkewed"));
        if refused {
            self.sheet.bad(NAME, &Error::new(ErrorKind::Denied, detail).hint_is(SET_CLOCK));
        } else if ahead.abs() > REFUSED_SKEW {
            self.sheet.note(NAME, format!("{detail}; requests carry the server's time"), SET_CLOCK);
        } else if ahead.abs() > NOTABLE_SKEW {
            self.sheet.note(NAME, detail, format!("S3 refuses more than 15 minutes: {SET_CLOCK}"));
        } else {
            self.sheet.good(NAME, "within a few seconds of the server's");
        }
    }

    /// The server accepts the keys, whatever they are allowed.
    fn identity(&mut self, listed: &Result<Vec<ObjectMeta>>, credentials: &Credentials) -> bool {
        const NAME: &str = "identity";
        match listed {
            Err(error) if error.kind() == ErrorKind::Denied && !is_missing_right(error) => {
                self.sheet.bad(NAME, error);
                false
            }
            _ => {
                let key = shortened(credentials.access_key_id());
                self.sheet.good(NAME, format!("the server accepts {key}"));
                true
            }
        }
    }

    fn bucket(&mut self, answer: &Answer, listed: &Result<Vec<ObjectMeta>>) -> bool {
        const NAME: &str = "bucket";
        let client = self.client.clone();
        let bucket = &client.bucket;
        let region = client.site().region.clone();
        match listed {
            Err(error) if !is_missing_right(error) => {
                self.sheet.bad(NAME, error);
                return false;
            }
            Err(_) if !answer.status.is_success() => {
                let hint = "whether it is there and whose it is shows only with s3:ListBucket";
                self.sheet.note(NAME, format!("{bucket} does not show itself"), hint);
            }
            _ if region != client.home.region => {
                let detail = format!("{bucket} is in {region}, not in {}", client.home.region);
                self.sheet.note(NAME, detail, format!("it is found there all the same; set AWS_REGION={region}"));
            }
            _ => match header(&answer.headers, "x-amz-bucket-region") {
                Some(region) => self.sheet.good(NAME, format!("{bucket} is there, in {region}")),
                None => self.sheet.good(NAME, format!("{bucket} is there")),
            },
        }
        if listed.is_ok() {
            self.facts.region = Some(region);
        }
        self.held.list = listed.is_ok();
        true
    }
}

/// A refusal by somebody who knows us, for want of a permission.
pub(super) fn is_missing_right(error: &Error) -> bool {
    let is_of_a_right = matches!(error.code(), Some(FORBIDDEN | "AccessDenied" | "AllAccessDisabled"));
    error.kind() == ErrorKind::Denied && is_of_a_right
}

/// An answer that only a server of S3 gives.
fn is_of_s3(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Denied => true,
        ErrorKind::NotFound | ErrorKind::Invalid => error.code().is_some_and(|code| code != "BadRequest"),
        _ => false,
    }
}
