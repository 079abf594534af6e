//! How a server checks the bytes on their way up, learnt from its answers: by CRC-64/NVME where it knows that, by
//! Content-MD5 where it does not.
//!
//! A server that ignores a header says nothing: the proof is the checksum that comes back. Until it is there, or where
//! it does not come, MD5 goes with every body, which takes a reading more. Object Lock is content with either. Whether a
//! server looks at the MD5 of parts at all is tried once, with one byte and a wrong MD5 in place of a part that is about to be sent:
//! where it does not, none is sent with parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::TryStreamExt;
use http::HeaderMap;
use md5::{Digest, Md5};
use tokio::sync::OnceCell;

use super::answer::{self, Answer, header};
use super::client::Client;
use super::failure::Failure;
use super::memory::{Crc64Known, Facts};
use super::request::Outgoing;
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;

/// What begins an upload whose parts, and the whole, the server checks by CRC-64/NVME.
const ANNOUNCEMENT: [(&str, &str); 2] =
    [("x-amz-checksum-algorithm", "CRC64NVME"), ("x-amz-checksum-type", "FULL_OBJECT")];

/// The body of a spare part, and an MD5 that it does not have.
pub(super) const SPARE: &[u8] = b"0";
pub(super) const WRONG_MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

/// So often a wrong checksum is sent before it is open what the server makes of it.
const TRIES: usize = 3;

/// What is known of a server's CRC-64/NVME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Known {
    Nothing,
    /// It was promised for an upload.
    Promised,
    /// An upload began without a promise.
    NotPromised,
    /// It came back.
    Kept,
    /// It did not come back.
    Ignored,
    /// Its headers were refused.
    Refused,
    /// An earlier command saw it come back.
    Expected,
}

/// What was learnt of a server's checksums.
#[derive(Debug, Default)]
pub(super) struct Sums {
    known: AtomicU8,
    told: AtomicBool,
    /// `x-amz-checksum-mode` was refused.
    no_mode: AtomicBool,
    /// Whether a wrong Content-MD5 is refused; `None` inside where no answer said so.
    heeds_md5: OnceCell<Option<bool>>,
}

impl Sums {
    /// What is known before the first answer. A server that was not seen to look at CRC-64 is asked again, unless what it
    /// looks at goes along with everything: it may have learnt it meanwhile.
    pub(super) fn after(facts: &Facts) -> Self {
        let sums = Sums::default();
        let heeds_md5 = facts.content_md5 == Some(true);
        match facts.crc64 {
            Some(Crc64Known::Kept) => sums.learn(Known::Expected),
            Some(Crc64Known::Refused) if heeds_md5 => sums.learn(Known::Refused),
            _ => {}
        }
        match heeds_md5 {
            true => Sums { heeds_md5: OnceCell::new_with(Some(Some(true))), ..sums },
            false => sums,
        }
    }

    /// What was learnt of CRC-64 and of Content-MD5 with parts.
    pub(super) fn found(&self) -> (Option<Crc64Known>, Option<bool>) {
        let crc64 = match self.known() {
            Known::Kept => Some(Crc64Known::Kept),
            Known::Ignored => Some(Crc64Known::Ignored),
            Known::Refused => Some(Crc64Known::Refused),
            Known::Nothing | Known::Promised | Known::NotPromised | Known::Expected => None,
        };
        (crc64, self.heeds_md5.get().copied().flatten())
    }

    fn known(&self) -> Known {
        match self.known.load(Ordering::Relaxed) {
            1 => Known::Promised,
            2 => Known::NotPromised,
            3 => Known::Kept,
            4 => Known::Ignored,
            5 => Known::Refused,
            6 => Known::Expected,
            _ => Known::Nothing,
        }
    }

    fn learn(&self, known: Known) {
        self.known.store(known as u8, Ordering::Relaxed);
    }

    /// Checksums go along with requests that carry no body of an object.
    pub(super) fn are_sent(&self) -> bool {
        self.known() != Known::Refused
    }

    /// Whether to ask for stored checksums.
    pub(super) fn are_asked_for(&self) -> bool {
        !self.no_mode.load(Ordering::Relaxed)
    }

    /// Without the request for stored checksums, a request was answered that was refused with it.
    pub(super) fn are_not_told(&self) {
        self.no_mode.store(true, Ordering::Relaxed);
    }

    /// A server that checks nothing, as far as it was tried.
    fn checks_nothing(&self) -> bool {
        self.heeds_md5.get() == Some(&Some(false)) && matches!(self.known(), Known::Ignored | Known::Refused)
    }

    /// Whether a refusal may be that of checksums, for all that is known.
    pub(super) fn may_be_why(&self, error: &Error) -> bool {
        self.known() != Known::Kept && refuses(error)
    }
}

/// Codes by which servers refuse headers and elements that they do not know; a HEAD has only its status.
fn refuses(error: &Error) -> bool {
    let codes =
        ["NotImplemented", "InvalidArgument", "InvalidRequest", "UnsupportedHeader", "MalformedXML", "BadRequest"];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// What the answer to a wrong checksum says of the server: it looks at checksums, it does not, or nothing at all: a server
/// that is busy, or denies the request, has not looked.
pub(super) fn heeds_checksum<T>(outcome: Result<T, &Error>) -> Option<bool> {
    let Err(error) = outcome else { return Some(false) };
    let code = error.code()?;
    let is_about_it = matches!(code, "BadDigest" | "InvalidRequest")
        || ["Digest", "Checksum", "MD5", "SHA256Mismatch"].iter().any(|part| code.contains(part));
    is_about_it.then_some(true)
}

/// A request with a body, and the checks that go with it.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    outgoing: &'a Outgoing,
    body: &'a PartBody,
    md5: OnceCell<String>,
    /// The same part with another body, which the real one will replace.
    spare: Option<Outgoing>,
}

impl<'a> Checked<'a> {
    /// `outgoing` carries `body`, and no check of it yet.
    pub(super) fn new(outgoing: &'a Outgoing, body: &'a PartBody) -> Self {
        Checked { outgoing, body, md5: OnceCell::new(), spare: None }
    }

    /// `spare` is a request for the same part with the body [`SPARE`].
    pub(super) fn with_spare(self, spare: Outgoing) -> Self {
        Checked { spare: Some(spare), ..self }
    }

    async fn with(&self, known: Known, client: &Client) -> Result<Outgoing> {
        let mut outgoing = self.outgoing.clone();
        let by_crc = matches!(known, Known::Promised | Known::Kept | Known::Expected);
        // As long as it may check by CRC-64 after all, nothing is tried.
        let spare = self.spare.as_ref().filter(|_| known != Known::Nothing);
        let heeds_md5 = match spare {
            Some(spare) if !by_crc => client.heeds_md5(spare).await,
            _ => true,
        };
        if known != Known::Refused && (heeds_md5 || known == Known::NotPromised) {
            outgoing.set("x-amz-checksum-crc64nvme", &self.body.checksum().await?.to_string())?;
        }
        if !by_crc && heeds_md5 {
            outgoing.set("content-md5", self.md5.get_or_try_init(|| md5_of(self.body)).await?)?;
        }
        Ok(outgoing)
    }
}

async fn md5_of(body: &PartBody) -> Result<String> {
    let add = |digest: Md5, piece| async move { Ok(digest.chain(piece)) };
    let digest = body.unobserved().pieces().try_fold(Md5::new(), add).await?;
    Ok(BASE64.encode(digest.finalize()))
}

impl Client {
    /// One try at a request with a body, which the server checks in the best way that it knows.
    pub(super) async fn exchange_checked(&self, checked: &Checked<'_>) -> Result<Answer, Failure> {
        let sums = &self.learnt.sums;
        let known = match sums.known() {
            // What is done once and unconfirmed cannot be done again.
            Known::Expected if checked.outgoing.is_conditional() => Known::Nothing,
            known => known,
        };
        let failure = match self.exchange(&checked.with(known, self).await?).await {
            Ok(answer) if known == Known::Refused => {
                self.tell_what_is_not_checked("refuses");
                return Ok(answer);
            }
            Ok(answer) if answer::checksum(&answer.headers).is_some() => {
                // Who kept it once and not another time cannot be relied on: MD5 goes along from then on.
                if known != Known::Ignored {
                    sums.learn(Known::Kept);
                }
                return Ok(answer);
            }
            Ok(answer) => {
                sums.learn(Known::Ignored);
                self.tell_what_is_not_checked("does not confirm");
                return match known {
                    // It is no longer as it was: what nobody has checked goes again at once, with another check.
                    Known::Expected => self.exchange(&checked.with(Known::Ignored, self).await?).await,
                    // Nobody has checked these bytes.
                    Known::Promised | Known::Kept => {
                        let broken = "the server does not confirm the checksum that it promised to check";
                        Err(Failure::unknown(Error::new(ErrorKind::Unavailable, broken).retryable(None)))
                    }
                    _ => Ok(answer),
                };
            }
            Err(failure) => failure,
        };
        if known == Known::Refused || !sums.may_be_why(&failure.error) {
            return Err(failure);
        }
        let answer = self.exchange(&checked.with(Known::Refused, self).await?).await?;
        self.refuses_checksums();
        Ok(answer)
    }

    /// Whether the server refuses parts with a wrong Content-MD5, tried on a spare one; also where that is not known, since
    /// a check too many does no harm.
    pub(super) async fn heeds_md5(&self, spare: &Outgoing) -> bool {
        let attempt = || async {
            let mut wrong = spare.clone();
            let mut heeds = None;
            if wrong.set("content-md5", WRONG_MD5).is_ok() {
                for _ in 0..TRIES {
                    let outcome = self.exchange(&wrong).await;
                    heeds = heeds_checksum(outcome.as_ref().map_err(|failure| &failure.error));
                    if heeds.is_some() || outcome.is_err_and(|failure| !failure.error.is_retryable()) {
                        break;
                    }
                }
            }
            if heeds == Some(false) && self.learnt.sums.told.load(Ordering::Relaxed) {
                let message = format!("the server at {} accepts a wrong Content-MD5: it checks no parts", self.site());
                self.runtime.observer.event(&Event::Warning { message: &message });
            }
            heeds
        };
        self.learnt.sums.heeds_md5.get_or_init(attempt).await.unwrap_or(true)
    }

    /// The headers that begin an upload.
    pub(super) fn announcement(&self) -> Vec<(&'static str, String)> {
        match self.learnt.sums.known() {
            Known::Refused => Vec::new(),
            _ => ANNOUNCEMENT.map(|(name, value)| (name, value.to_owned())).to_vec(),
        }
    }

    /// Takes note of the answer to an announcement.
    pub(super) fn promised(&self, headers: &HeaderMap) {
        let algorithm = header(headers, "x-amz-checksum-algorithm");
        let sums = &self.learnt.sums;
        if matches!(sums.known(), Known::Nothing | Known::NotPromised | Known::Expected) {
            let promised = algorithm.is_some_and(|name| name.eq_ignore_ascii_case("CRC64NVME"));
            sums.learn(if promised { Known::Promised } else { Known::NotPromised });
        }
    }

    /// Without its checksums, a request was done that was refused with them.
    pub(super) fn refuses_checksums(&self) {
        self.learnt.sums.learn(Known::Refused);
        self.tell_what_is_not_checked("refuses");
    }

    fn tell_what_is_not_checked(&self, how: &str) {
        if self.learnt.sums.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let by_what = match self.learnt.sums.checks_nothing() {
            true => "it accepts a wrong Content-MD5 as well, so it checks nothing of what is sent",
            false => "what is sent is checked by Content-MD5",
        };
        let message = format!(
            "the server at {} {how} CRC-64 checksums: {by_what}, and what it stores is checked only where a \
             checkpoint's manifest has the checksums",
            self.site()
        );
        self.runtime.observer.event(&Event::Warning { message: &message });
    }
}

/// Asks for stored checksums, and where that may be what is refused, once more without.
pub(super) async fn asking<T, F, Fut>(client: &Arc<Client>, mut ask: F) -> Result<T>
where
    F: FnMut(bool) -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let sums = &client.learnt.sums;
    if !sums.are_asked_for() {
        return ask(false).await;
    }
    match ask(true).await {
        Err(error) if sums.may_be_why(&error) => {
            let without = ask(false).await;
            match &without {
                Err(still) if refuses(still) => return Err(error),
                Err(other) if other.kind() != ErrorKind::NotFound => return without,
                _ => {}
            }
            // It may have been a whim of the server's, after which its checksums are to be had.
            match ask(true).await {
                Err(again) if refuses(&again) => {
                    sums.are_not_told();
                    without
                }
                outcome => outcome,
            }
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_checksum_says_that_it_is_looked_at() {
        assert_eq!(heeds_checksum(Ok(())), Some(false));
        for (code, expected) in [
            ("BadDigest", Some(true)),
            ("InvalidDigest", Some(true)),
            ("InvalidRequest", Some(true)),
            ("XAmzContentChecksumMismatch", Some(true)),
            ("XAmzContentSHA256Mismatch", Some(true)),
            ("SlowDown", None),
            ("InternalError", None),
            ("ServiceUnavailable", None),
            ("AccessDenied", None),
            ("NoSuchUpload", None),
            ("RequestTimeout", None),
        ] {
            let error = Error::new(ErrorKind::Other, "refused").code_is(code);
            assert_eq!(heeds_checksum(Err::<(), _>(&error)), expected, "{code}");
        }
        assert_eq!(heeds_checksum(Err::<(), _>(&Error::new(ErrorKind::Unavailable, "reset"))), None);
    }
}
