//! What the answers teach about a bucket: its region, the server's clock, that somebody is there at all.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use http::HeaderMap;

use super::answer::{Answer, header};
use super::client::Client;
use super::endpoint::Site;
use super::failure::{Details, Failure};
use super::memory::{self, Facts};
use super::noted::Noted;
use super::request::Outgoing;
use super::sums::Sums;
use crate::body::blocking;
use crate::error::ErrorKind;
use crate::event::Event;

/// Tries at an endpoint that has never answered: a wrong address should not take the time of an outage.
const FIRST_CONTACT_TRIES: u32 = 3;
/// S3 refuses requests whose time is more than 15 minutes off; a smaller difference is no reason to correct ours.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);
/// How far a Date header may be from the moment in which it is read, on one and the same clock: a second is cut off it
/// (RFC 9110, 5.6.7), and it was on its way, or waited for a busy machine. Ages are of minutes and more.
const DATE_IS_WITHIN: Duration = Duration::from_secs(5);

/// Whether the server says that it does not know these credentials, or does not any more: they expired, or were replaced in
/// the file that they came from.
pub(super) fn is_about_identity(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ExpiredToken"
                | "ExpiredTokenException"
                | "InvalidToken"
                | "InvalidTokenId"
                | "TokenRefreshRequired"
                | "InvalidAccessKeyId"
        )
    )
}

/// What was learnt so far.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// The server's clock minus ours in seconds.
    skew: AtomicI64,
    /// The server's clock minus ours in seconds, as its last answer said; for ages, never for signatures.
    ahead: AtomicI64,
    clock_is_told: AtomicBool,
    has_moved: AtomicBool,
    /// Where it was found is to be kept for the commands that follow.
    is_news: AtomicBool,
    /// The bucket is looked for where an earlier command found it, and was not found there yet.
    from_memory: AtomicBool,
    has_answered: AtomicBool,
    /// Of readings, which are requests of their own at each try.
    pub(super) failed_contacts: Arc<AtomicU32>,
    deletes_singly: AtomicBool,
    keeps_versions: AtomicBool,
    is_minio: AtomicBool,
    pub(super) sums: Sums,
    pub(super) versions: Noted,
}

impl Client {
    /// Tells once that the bucket keeps what is removed, as a version or a delete marker shows. The version `null` is that
    /// of an object that was put while nothing was kept
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>).
    pub(super) fn note_version(&self, headers: &HeaderMap) {
        let has_version = header(headers, "x-amz-version-id").is_some_and(|id| id != "null");
        let is_marked = header(headers, "x-amz-delete-marker").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if (has_version || is_marked) && !self.learnt.keeps_versions.swap(true, Ordering::Relaxed) {
            self.runtime.observer.event(&Event::VersionsKept);
        }
    }

    /// Takes from a refusal what the next try can do better: another region, another time, newer credentials.
    pub(super) async fn learn(
        &self,
        answer: &Answer,
        details: &Details,
        site: &Arc<Site>,
        credentials: &Credentials,
        signed_at: SystemTime,
    ) -> bool {
        let code = details.code.as_deref();
        let status = answer.status.as_u16();
        match code {
            code if is_about_identity(code) => self.identity.renew(credentials, self.learnt.now()).await,
            Some("PermanentRedirect" | "TemporaryRedirect" | "Redirect" | "AuthorizationHeaderMalformed") => {
                self.move_to(details.region.as_deref(), site)
            }
            Some("RequestTimeTooSkewed") => self.correct_clock(answer, signed_at),
            // HEAD gives no code.
            None if matches!(status, 301 | 307 | 308 | 400) && self.move_to(details.region.as_deref(), site) => true,
            None if status == 403 => self.correct_clock(answer, signed_at),
            None if status == 400 && credentials.session_token().is_some() => {
                self.identity.renew(credentials, self.learnt.now()).await
            }
            _ => false,
        }
    }

    /// Takes over the server's clock where ours is far off, which is said once.
    fn correct_clock(&self, answer: &Answer, signed_at: SystemTime) -> bool {
        let corrected = self.learnt.correct_clock(answer, signed_at);
        if corrected && !self.learnt.clock_is_told.swap(true, Ordering::Relaxed) {
            let skew = self.learnt.skew.load(Ordering::Relaxed);
            let by = humantime::format_duration(Duration::from_secs(skew.unsigned_abs()));
            let message = format!(
                "this machine's clock is {by} {} that of the server, whose time is used instead: set the clock, for example \
                 with timedatectl or chronyc",
                if skew >= 0 { "behind" } else { "ahead of" }
            );
            self.runtime.observer.event(&Event::Warning { message: &message });
        }
        corrected
    }

    /// Follows the bucket to its region, once.
    fn move_to(&self, region: Option<&str>, from: &Arc<Site>) -> bool {
        let mut site = self.site.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&site, from) {
            // Another request was faster.
            return true;
        }
        let Some(region) = region.filter(|region| *region != from.region) else { return false };
        let Ok(next) = from.moved_to(region) else { return false };
        if self.learnt.has_moved.swap(true, Ordering::Relaxed) {
            return false;
        }
        *site = Arc::new(next);
        drop(site);
        self.learnt.is_news.store(true, Ordering::Relaxed);
        if region == self.home.region {
            // Only an earlier command had found it elsewhere.
            return true;
        }
        // An endpoint of Amazon's that was given would lead there again.
        let endpoint = match self.home.is_derived() || !self.home.is_amazon() {
            true => "",
            false => ", and S3_ENDPOINT to nothing",
        };
        let message = format!(
            "the bucket '{}' is in region {region}, not in {}: set AWS_REGION={region}{endpoint}",
            self.bucket, self.home.region
        );
        self.runtime.observer.event(&Event::Warning { message: &message });
        true
    }

    /// Keeps the region that the bucket was found in, once it was. That this cannot be kept is no reason to fail.
    pub(super) async fn keep_region(&self) {
        if !self.learnt.is_news.load(Ordering::Relaxed) || !self.learnt.is_news.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(state_dir) = self.runtime.state_dir.clone() else { return };
        let (subject, region) = (self.subject(), self.site().region.clone());
        let _ = blocking(move || Ok(memory::keep_region(&state_dir, &subject, &region))).await;
    }

    /// The bucket does not seem to be where an earlier command found it: the next try goes where the settings say.
    pub(super) fn go_home(&self, from: &Arc<Site>) -> bool {
        let mut site = self.site.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&site, from) {
            return true;
        }
        let goes = self.learnt.from_memory.swap(false, Ordering::Relaxed);
        if goes {
            *site = self.home.clone();
        }
        goes
    }
}

impl Learnt {
    /// What is known before the first answer.
    pub(super) fn after(facts: &Facts, from_memory: bool) -> Self {
        Learnt {
            from_memory: from_memory.into(),
            deletes_singly: (facts.deletes_many == Some(false)).into(),
            sums: Sums::after(facts),
            ..Learnt::default()
        }
    }

    /// The server does not know DeleteObjects.
    pub(super) fn must_delete_singly(&self) {
        self.deletes_singly.store(true, Ordering::Relaxed);
    }

    pub(super) fn deletes_singly(&self) -> bool {
        self.deletes_singly.load(Ordering::Relaxed)
    }

    /// The bucket is where it was looked for.
    pub(super) fn is_found(&self) {
        self.from_memory.store(false, Ordering::Relaxed);
    }

    /// It is looked for where an earlier command found it, and was not found there yet.
    pub(super) fn is_from_memory(&self) -> bool {
        self.from_memory.load(Ordering::Relaxed)
    }

    /// Something at the endpoint speaks HTTP.
    pub(super) fn has_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Takes the server's own name from an answer.
    pub(super) fn note_server(&self, headers: &HeaderMap) {
        if header(headers, "server").is_some_and(|name| name.starts_with("MinIO")) {
            self.is_minio.store(true, Ordering::Relaxed);
        }
    }

    /// The server is a MinIO, whose lifecycles hold less than Amazon's.
    pub(super) fn is_minio(&self) -> bool {
        self.is_minio.load(Ordering::Relaxed)
    }

    /// Takes over the server's clock where it is far from the time that the request was signed with; false where that is
    /// not the trouble. Another request may have corrected ours meanwhile.
    fn correct_clock(&self, answer: &Answer, signed_at: SystemTime) -> bool {
        let Some(theirs) = header(&answer.headers, "date").and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return false;
        };
        let off_by = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_else(|error| error.duration());
        if off_by(theirs, signed_at) <= TOLERATED_SKEW {
            return false;
        }
        let ours = SystemTime::now();
        let seconds = i64::try_from(off_by(theirs, ours).as_secs()).unwrap_or(i64::MAX);
        self.skew.store(if theirs >= ours { seconds } else { -seconds }, Ordering::Relaxed);
        true
    }

    /// Takes the time out of an answer.
    pub(super) fn note_date(&self, headers: &HeaderMap) {
        let Some(theirs) = header(headers, "date").and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return;
        };
        self.ahead.store(ahead_of(theirs, SystemTime::now()), Ordering::Relaxed);
    }

    /// The time by the server's clock; ours before it has answered.
    pub(super) fn time_there(&self) -> SystemTime {
        moved(SystemTime::now(), self.ahead.load(Ordering::Relaxed))
    }

    /// The time that the server will accept.
    pub(super) fn now(&self) -> SystemTime {
        moved(SystemTime::now(), self.skew.load(Ordering::Relaxed))
    }

    /// Gives up sooner at an endpoint that has never answered; one that has is not looked for in the settings.
    pub(super) fn count_contact(&self, mut failure: Failure, outgoing: &Outgoing) -> Failure {
        if !failure.no_contact || failure.error.kind() != ErrorKind::Unavailable {
            return failure;
        }
        if self.has_answered.load(Ordering::Relaxed) {
            let back = "the server answered before: run the same command again once it is back";
            failure.error = failure.error.hint_is(back);
        } else if outgoing.failed_contacts.fetch_add(1, Ordering::Relaxed) + 1 >= FIRST_CONTACT_TRIES {
            failure.error = failure.error.retryable_later();
        }
        failure
    }
}

/// How far the time of an answer is ahead of `ours`, in seconds, where that is more than one clock can be from itself.
fn ahead_of(theirs: SystemTime, ours: SystemTime) -> i64 {
    let seconds = |by: Duration| if by <= DATE_IS_WITHIN { 0 } else { i64::try_from(by.as_secs()).unwrap_or(0) };
    match theirs.duration_since(ours) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    }
}

fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 { time.checked_add(by) } else { time.checked_sub(by) }.unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_of_a_date_are_no_difference() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        // Stamped at 10.999, so with 10, and read after that.
        for (theirs, ours, ahead) in [
            (10_000, 10_999, 0),
            (10_000, 11_005, 0),
            (10_000, 15_000, 0),
            (10_000, 15_001, -5),
            (10_000, 70_999, -60),
            (12_000, 10_000, 0),
            (16_000, 10_000, 6),
        ] {
            assert_eq!(ahead_of(at(theirs), at(ours)), ahead, "{theirs} {ours}");
        }
    }
}
