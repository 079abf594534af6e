//! One try: signed anew, sent, watched and judged.

use std::sync::Arc;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http::response::Parts;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use super::answer::Answer;
use super::client::Client;
use super::endpoint::Site;
use super::failure::{self, Asked, Details, Failure};
use super::learn::is_about_identity;
use super::network;
use super::request::Outgoing;
use super::sign::sign;
use super::tunnel::{ProxyError, Why};
use super::xml::Element;
use crate::error::{Error, ErrorKind, Result};

/// How a try was made.
struct Made {
    site: Arc<Site>,
    credentials: Credentials,
    signed_at: SystemTime,
    /// The site was that of an earlier command.
    from_memory: bool,
}

impl Client {
    /// One try at a control call: the whole answer, which is a 2xx and no web page.
    pub(super) async fn exchange(&self, outgoing: &Outgoing) -> Result<Answer, Failure> {
        let (parts, body) = self.send(outgoing).await?;
        let answer = match Answer::read(parts, body, self.runtime.stall_timeout).await {
            Ok(answer) => answer,
            Err(error) => return Err(Failure::unknown(error.at(self.site().to_string()))),
        };
        // A HEAD has the object's own content type, and some servers give an empty answer one that means nothing.
        if outgoing.method != Method::HEAD && !answer.body.is_empty() && failure::looks_like_html(&answer) {
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

    pub(super) fn refuse(&self, answer: &Answer, method: &Method) -> Failure {
        let site = self.site();
        let asked = Asked { method, bucket: &self.bucket, region: &site.region, owner: self.account.owner() };
        let credentials = self.identity.kept();
        let secrets = credentials.as_ref().map_or(["", ""], |credentials| {
            [credentials.secret_access_key(), credentials.session_token().unwrap_or_default()]
        });
        let mut failure = failure::explain(answer, &Details::of(answer, &secrets), asked);
        failure.error = failure.error.at(site.to_string());
        failure
    }

    /// One try, whatever the answer says; nothing is learnt from it.
    pub(super) async fn answer(&self, outgoing: &Outgoing) -> Result<Answer, Failure> {
        let (parts, body, made) = self.make(outgoing).await?;
        let read = Answer::read(parts, body, self.runtime.stall_timeout).await;
        read.map_err(|error| at(&made.site, Failure::unknown(error)))
    }

    /// One try: signs, sends, waits for the head of a 2xx. Everything else is a failure.
    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<(Parts, Incoming), Failure> {
        let (parts, body, made) = self.make(outgoing).await?;
        let Made { site, credentials, signed_at, from_memory } = &made;
        if parts.status.is_success() {
            self.learnt.is_found();
            self.keep_region().await;
            self.learnt.versions.answer(outgoing, &parts.headers);
            return Ok((parts, body));
        }
        let (status, headers) = (parts.status, parts.headers.clone());
        let answer = match Answer::read(parts, body, self.runtime.stall_timeout).await {
            Ok(answer) => answer,
            // The status alone says enough.
            Err(_) => Answer { status, headers, body: Bytes::new() },
        };
        let secrets = [credentials.secret_access_key(), credentials.session_token().unwrap_or_default()];
        let details = Details::of(&answer, &secrets);
        let (method, owner) = (&outgoing.method, self.account.owner());
        let asked = Asked { method, bucket: &self.bucket, region: &site.region, owner };
        let mut failure = at(site, failure::explain(&answer, &details, asked));
        let is_about_a_key = details.message.as_deref().is_some_and(|message| message.contains("kms:"));
        if let (Some("AccessDenied"), Some(right), false) = (details.code.as_deref(), outgoing.right(), is_about_a_key)
        {
            let hint = format!("the identity needs {right}; strata-ckpt setup --iam-policy prints all that it needs");
            failure.error = failure.error.hint_is(hint);
        }
        let is_better = self.learn(&answer, &details, site, credentials, *signed_at).await;
        let may_be_elsewhere = *from_memory && matches!(status.as_u16(), 400 | 401 | 403);
        if is_better || (may_be_elsewhere && self.go_home(site)) {
            failure.error = failure.error.retryable(None);
        } else if credentials.session_token().is_some() && is_about_identity(details.code.as_deref()) {
            failure.error = failure.error.hint_is(self.identity.renewal_hint());
        }
        Err(failure)
    }

    /// One try: signs, sends, waits for the head of an answer.
    async fn make(&self, outgoing: &Outgoing) -> Result<(Parts, Incoming, Made), Failure> {
        let (from_memory, site) = (self.learnt.is_from_memory(), self.site());
        let at_site = |failure| at(&site, failure);
        let credentials = self.identity.credentials(self.learnt.now()).await.map_err(|error| at_site(error.into()))?;
        let (mut head, ()) = outgoing.to_http(&site, &self.bucket)?.into_parts();
        self.account.put_into(&mut head.headers, outgoing.makes_a_bucket());
        let detour = self.transport.detour_to(&head.uri);
        let signed_at = self.learnt.now();
        sign(&mut head, &outgoing.body, &credentials, &site.region, signed_at)?;
        let (body, moving) = outgoing.body.start(self.runtime.connect_timeout);
        let outcome = tokio::select! {
            outcome = self.transport.send(Request::from_parts(head, body)) => {
                outcome.map_err(|error| network::explain(error, &site, self.runtime.connect_timeout))
            }
            error = moving.silence(self.runtime.stall_timeout, self.runtime.first_byte_timeout) => {
                Err(Failure::unanswered(error))
            }
        };
        if let Some(error) = moving.take_failure() {
            return Err(Failure::definite(error));
        }
        let response = match outcome {
            Ok(response) => response,
            Err(mut failure) => {
                if failure.no_contact && from_memory && self.go_home(&site) {
                    failure.error = failure.error.retryable(None);
                    return Err(at_site(failure));
                }
                return Err(at_site(self.learnt.count_contact(failure, outgoing)));
            }
        };
        if let (StatusCode::PROXY_AUTHENTICATION_REQUIRED, Some(detour)) = (response.status(), detour) {
            let refused = ProxyError::new(&detour, Why::Refused(response.status()));
            let error = network::proxy_trouble(&refused, self.runtime.connect_timeout);
            return Err(at_site(Failure::definite(error)));
        }
        self.learnt.has_answered();
        let (parts, body) = response.into_parts();
        self.learnt.note_server(&parts.headers);
        self.learnt.note_date(&parts.headers);
        self.note_version(&parts.headers);
        if parts.status.is_success() && !moving.is_done() {
            let early = "the server confirmed the request before it had all of it";
            return Err(at_site(Failure::unknown(Error::new(ErrorKind::Other, early).retryable(None))));
        }
        Ok((parts, body, Made { site, credentials, signed_at, from_memory }))
    }
}

fn at(site: &Site, mut failure: Failure) -> Failure {
    failure.error = failure.error.at(site.to_string());
    failure
}
