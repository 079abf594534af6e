//! rusoto's own extension point, with all of its transport replaced: [`DispatchSignedRequest`] for one control call.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http02::header::{HeaderMap as RusotoHeaders, HeaderName, HeaderValue};
use rusoto_core::request::{DispatchSignedRequest, DispatchSignedRequestFuture, HttpDispatchError, HttpResponse};
use rusoto_core::signature::SignedRequest;
use rusoto_core::{ByteStream, Client as RusotoClient, RusotoError};
use rusoto_s3::S3Client;

use super::answer::{Answer, header};
use super::client::Client;
use super::failure::{Failure, page_instead};
use super::request::Outgoing;
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::retry;

/// The headers that rusoto gets to see: it panics on values that are not ASCII, and on numbers and booleans that do not
/// parse. What else is of interest is taken from the raw answer.
const FOR_RUSOTO: [&str; 4] = ["content-length", "etag", "last-modified", "x-amz-meta-strata-token"];

/// What a control call is and needs beyond rusoto's request shape.
#[derive(Clone)]
pub(super) struct Control {
    /// A verb phrase for errors.
    pub(super) action: &'static str,
    pub(super) key: String,
    /// Headers that rusoto has no field for.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The root element that the answer must have; `None` where it has no body.
    pub(super) root: Option<&'static str>,
    pub(super) runtime: RuntimeConfig,
}

impl Control {
    /// Runs a call of rusoto's client; gives its output and the raw headers of the answer.
    pub(super) async fn run<T, E, F, Fut>(self, client: &Arc<Client>, call: F) -> Result<(T, HeaderMap)>
    where
        F: FnOnce(S3Client) -> Fut,
        Fut: Future<Output = Result<T, RusotoError<E>>>,
    {
        let outcome = Outcome::default();
        let (action, key) = (self.action, self.key.clone());
        let dispatcher = Dispatcher { client: client.clone(), control: Arc::new(self), outcome: outcome.clone() };
        let region = client.site().rusoto_region();
        let s3 = S3Client::new_with_client(RusotoClient::new_not_signing(dispatcher), region);
        let parsed = call(s3).await;
        let raw = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (raw, parsed) {
            (Some(Ok(headers)), Ok(output)) => Ok((output, headers)),
            // rusoto's own errors lose kind, code and hint.
            (Some(Err(error)), _) => Err(error),
            _ => Err(Error::new(ErrorKind::Other, "the server's answer cannot be understood")
                .action(action)
                .on(key)
                .at(client.site().to_string())),
        }
    }
}

type Outcome = Arc<Mutex<Option<Result<HeaderMap>>>>;

struct Dispatcher {
    client: Arc<Client>,
    control: Arc<Control>,
    outcome: Outcome,
}

impl DispatchSignedRequest for Dispatcher {
    fn dispatch(&self, request: SignedRequest, _: Option<Duration>) -> DispatchSignedRequestFuture {
        let (client, control, outcome) = (self.client.clone(), self.control.clone(), self.outcome.clone());
        Box::pin(async move {
            let (result, response) = match answer(&client, &control, request).await {
                Ok(answer) => (Ok(answer.headers.clone()), Ok(for_rusoto(&answer))),
                Err(error) => {
                    let dispatch = HttpDispatchError::new(error.to_string());
                    (Err(error), Err(dispatch))
                }
            };
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            response
        })
    }
}

/// The checked answer to a call, tried as often as it may be.
async fn answer(client: &Arc<Client>, control: &Control, request: SignedRequest) -> Result<Answer> {
    let mut outgoing = Outgoing::new(request, &client.bucket, None)?;
    for (name, value) in &control.headers {
        outgoing.set(name, value)?;
    }
    let outgoing = &outgoing;
    let one_try = || async move {
        let answer = client.exchange(outgoing).await?;
        match (control.root, page_instead(&answer)) {
            (Some(root), _) => client.root(&answer, root).map(|_| answer),
            (None, Some(page)) => Err(page),
            (None, None) => Ok::<_, Failure>(answer),
        }
    };
    retry::run(&control.runtime, control.action, &control.key, || async move { Ok(one_try().await?) })
        .await
        .map_err(|error| error.at(client.site().to_string()))
}

/// The answer without anything that rusoto stumbles over.
fn for_rusoto(answer: &Answer) -> HttpResponse {
    let mut headers = RusotoHeaders::with_capacity(FOR_RUSOTO.len());
    for name in FOR_RUSOTO {
        let Some(value) = header(&answer.headers, name) else { continue };
        let is_sane = HeaderValue::from_str(value).is_ok()
            && (name != "content-length" || value.parse::<u64>().is_ok_and(|length| i64::try_from(length).is_ok()));
        if is_sane {
            headers.insert(HeaderName::from_static(name), value.to_owned());
        }
    }
    HttpResponse {
        // The range of statuses is the same in both versions of the crate.
        status: http02::StatusCode::from_u16(answer.status.as_u16()).unwrap_or(http02::StatusCode::OK),
        body: ByteStream::from(answer.body.to_vec()),
        headers,
    }
}
