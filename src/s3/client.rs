//! One bucket as it is reached: every request is signed anew, sent, watched and judged here.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use http::response::Parts;
use http::{Method, Request};
use hyper::body::Incoming;
use rusoto_core::signature::SignedRequest;

use super::answer::{Answer, header};
use super::config::{self, S3Config};
use super::credentials::{Identity, profile_region};
use super::endpoint::{DEFAULT_REGION, Site};
use super::failure::{self, Asked, Details, Failure};
use super::network;
use super::request::Outgoing;
use super::sign::sign;
use super::transport::Transport;
use super::xml::Element;
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::{key, retry};

/// Tries at an endpoint that has never answered: a wrong address should not take the time of an outage.
const FIRST_CONTACT_TRIES: u32 = 3;
/// S3 refuses requests whose time is more than 15 minutes off; a smaller difference is no reason to correct ours.
const TOLERATED_SKEW: Duration = Duration::from_secs(300);

/// A bucket, its connections, and what was learnt about it.
pub(super) struct Client {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) runtime: RuntimeConfig,
    site: RwLock<Arc<Site>>,
    identity: Identity,
    transport: Transport,
    /// The server's clock minus ours in seconds.
    skew: AtomicI64,
    has_moved: AtomicBool,
    has_answered: AtomicBool,
    failed_contacts: AtomicU32,
}

impl Client {
    pub(super) async fn new(settings: S3Config, runtime: RuntimeConfig) -> Result<Self> {
        config::check_bucket(&settings.bucket)?;
        let prefix = config::clean_prefix(&settings.prefix)?;
        let region = match settings.region {
            Some(region) => region,
            None => {
                let from_profile = profile_region(settings.profile.as_deref()).await;
                from_profile.unwrap_or_else(|| DEFAULT_REGION.to_owned())
            }
        };
        let site = Site::resolve(settings.endpoint.as_deref(), &region, settings.addressing, &settings.bucket)?;
        let transport =
            Transport::new(site.is_secure(), settings.ca_bundle.as_deref(), runtime.connect_timeout).await?;
        Ok(Client {
            bucket: settings.bucket,
            prefix,
            runtime,
            site: RwLock::new(Arc::new(site)),
            identity: Identity::new(settings.credentials, settings.profile, &region),
            transport,
            skew: AtomicI64::new(0),
            has_moved: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            failed_contacts: AtomicU32::new(0),
        })
    }

    pub(super) fn site(&self) -> Arc<Site> {
        self.site.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key as the server knows it.
    pub(super) fn full_key(&self, path: &str) -> Result<String> {
        key::check_shape(path)?;
        if self.prefix.is_empty() {
            return Ok(path.to_owned());
        }
        let full = format!("{}/{path}", self.prefix);
        if full.len() > key::MAX_KEY_BYTES {
            return Err(Error::invalid(format!(
                "the key is {} bytes long with its prefix; S3 allows {}",
                full.len(),
                key::MAX_KEY_BYTES
            ))
            .hint_is("use a shorter key or a shorter CHECKPOINT_PREFIX"));
        }
        Ok(full)
    }

    /// A request for one object, to be completed by the caller.
    pub(super) fn object_request(&self, method: &str, full_key: &str) -> SignedRequest {
        SignedRequest::new(method, "s3", &self.site().rusoto_region(), &format!("/{}/{full_key}", self.bucket))
    }

    /// Repeats `one_try` as far as it may be repeated. The error names `subject` and the endpoint.
    pub(super) async fn call<T, F, Fut>(&self, action: &str, subject: &str, one_try: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        retry::run(&self.runtime, action, subject, one_try).await.map_err(|error| error.at(self.site().to_string()))
    }

    /// One try at a control call: the whole answer, which is a 2xx and no web page.
    pub(super) async fn exchange(&self, outgoing: &Outgoing) -> Result<Answer, Failure> {
        let (parts, body) = self.send(outgoing).await?;
        let answer = match Answer::read(parts, body, self.runtime.stall_timeout).await {
            Ok(answer) => answer,
            Err(error) => return Err(Failure::unknown(error.at(self.site().to_string()))),
        };
        // A HEAD has the object's own content type.
        if outgoing.method != Method::HEAD && failure::looks_like_html(&answer) {
            return Err(Failure::unknown(self.refuse(&answer, &outgoing.method).error.retryable(None)));
        }
        Ok(answer)
    }

    /// The root element of an answer, which must be `name`. An error inside a 200 is a failure like any other.
    pub(super) fn root(&self, answer: &Answer, name: &str) -> Result<Element, Failure> {
        match Element::parse(&answer.body) {
            Some(root) if root.name == name => Ok(root),
            Some(root) if root.name == "Error" => Err(self.refuse(answer, &Method::POST)),
            _ => Err(Failure::unknown(
                Error::new(ErrorKind::Unavailable, "the answer is empty, cut off or not one of S3")
                    .retryable(None)
                    .at(self.site().to_string()),
            )),
        }
    }

    fn refuse(&self, answer: &Answer, method: &Method) -> Failure {
        let site = self.site();
        let asked = Asked { method, bucket: &self.bucket, region: &site.region };
        let mut failure = failure::explain(answer, &Details::of(answer), asked);
        failure.error = failure.error.at(site.to_string());
        failure
    }

    /// One try: signs, sends, waits for the head of a 2xx. Everything else is a failure.
    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<(Parts, Incoming), Failure> {
        let site = self.site();
        let at_site = |mut failure: Failure| {
            failure.error = failure.error.at(site.to_string());
            failure
        };
        let credentials = self.identity.credentials().await.map_err(|error| at_site(error.into()))?;
        let (mut head, ()) = outgoing.to_http(&site, &self.bucket)?.into_parts();
        sign(&mut head, &outgoing.body, &credentials, &site.region, self.now())?;
        let (body, moving) = outgoing.body.start(self.runtime.connect_timeout);
        let outcome = tokio::select! {
            outcome = self.transport.send(Request::from_parts(head, body)) => {
                outcome.map_err(|error| network::explain(error, &site, self.runtime.connect_timeout))
            }
            error = moving.silence(self.runtime.stall_timeout, self.runtime.first_byte_timeout) => {
                Err(Failure::unknown(error))
            }
        };
        if let Some(error) = moving.take_failure() {
            return Err(Failure::definite(error));
        }
        let response = match outcome {
            Ok(response) => response,
            Err(failure) => return Err(at_site(self.count_contact(failure))),
        };
        self.has_answered.store(true, Ordering::Relaxed);
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            if moving.is_done() {
                return Ok((parts, body));
            }
            let early = "the server confirmed the request before it had all of it";
            return Err(at_site(Failure::unknown(Error::new(ErrorKind::Other, early).retryable(None))));
        }
        let (status, headers) = (parts.status, parts.headers.clone());
        let answer = match Answer::read(parts, body, self.runtime.stall_timeout).await {
            Ok(answer) => answer,
            // The status alone says enough.
            Err(_) => Answer { status, headers, body: Default::default() },
        };
        let details = Details::of(&answer);
        let asked = Asked { method: &outgoing.method, bucket: &self.bucket, region: &site.region };
        let mut failure = at_site(failure::explain(&answer, &details, asked));
        if self.learn(&answer, &details, &site, &credentials).await {
            failure.error = failure.error.retryable(None);
        }
        Err(failure)
    }

    /// Takes from a refusal what the next try can do better: another region, another time, newer credentials.
    async fn learn(&self, answer: &Answer, details: &Details, site: &Arc<Site>, credentials: &Credentials) -> bool {
        let code = details.code.as_deref();
        let status = answer.status.as_u16();
        match code {
            Some("PermanentRedirect" | "TemporaryRedirect" | "Redirect" | "AuthorizationHeaderMalformed") => {
                self.move_to(details.region.as_deref(), site)
            }
            Some("RequestTimeTooSkewed") => self.correct_clock(answer),
            Some("ExpiredToken" | "ExpiredTokenException" | "InvalidToken" | "TokenRefreshRequired") => {
                self.identity.renew(credentials).await
            }
            // HEAD gives no code.
            None if matches!(status, 301 | 307 | 308 | 400) && self.move_to(details.region.as_deref(), site) => true,
            None if status == 403 => self.correct_clock(answer),
            None if status == 400 && credentials.session_token().is_some() => self.identity.renew(credentials).await,
            _ => false,
        }
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
        if self.has_moved.swap(true, Ordering::Relaxed) {
            return false;
        }
        *site = Arc::new(next);
        drop(site);
        let message = format!(
            "the bucket '{}' is in region {region}, not in {}: set AWS_REGION={region}",
            self.bucket, from.region
        );
        self.runtime.observer.event(&Event::Warning { message: &message });
        true
    }

    /// Takes over the server's clock where ours is far off; false where that is not the trouble.
    fn correct_clock(&self, answer: &Answer) -> bool {
        let Some(theirs) = header(&answer.headers, "date").and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return false;
        };
        let off_by = |a: SystemTime, b: SystemTime| a.duration_since(b).unwrap_or_else(|error| error.duration());
        if off_by(theirs, self.now()) <= TOLERATED_SKEW {
            return false;
        }
        let ours = SystemTime::now();
        let seconds = i64::try_from(off_by(theirs, ours).as_secs()).unwrap_or(i64::MAX);
        self.skew.store(if theirs >= ours { seconds } else { -seconds }, Ordering::Relaxed);
        true
    }

    /// The time that the server will accept.
    fn now(&self) -> SystemTime {
        let skew = self.skew.load(Ordering::Relaxed);
        let by = Duration::from_secs(skew.unsigned_abs());
        let now = SystemTime::now();
        if skew >= 0 { now.checked_add(by) } else { now.checked_sub(by) }.unwrap_or(now)
    }

    /// Gives up sooner at an endpoint that has never answered.
    fn count_contact(&self, mut failure: Failure) -> Failure {
        if failure.no_connection && !self.has_answered.load(Ordering::Relaxed) {
            let failed = self.failed_contacts.fetch_add(1, Ordering::Relaxed) + 1;
            if failed >= FIRST_CONTACT_TRIES {
                self.failed_contacts.store(0, Ordering::Relaxed);
                failure.error = failure.error.not_retryable();
            }
        }
        failure
    }
}
