//! What is sent to services that give credentials, by the same connections as everything else: one set of authorities, and
//! errors in words. AWS's own client for this ends the process where no certificate can be read, and tells of refusals in
//! forms that are meant for programmers. What went wrong last is kept, so that whoever asked can say who refused, and why.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::answer::Answer;
use super::endpoint::{Addressing, DEFAULT_REGION, Site};
use super::network;
use super::proxy::{Detour, Proxies};
use super::refusal::Refusal;
use super::roots::{Roots, Trusted, trusted};
use super::transport::{Timed, introduce, wiring};
use crate::body::blocking;
use crate::error::{Error, ErrorKind, Result};

/// How long a connection, and an answer, may take where nothing else is said.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

/// Why the last request came to nothing.
#[derive(Debug)]
pub(super) enum Noted {
    /// There was an answer, which is no success.
    Refused(Refusal),
    /// A connection was made, and nothing came of it in this time.
    Silent { at: String, for_so_long: Duration },
    /// No connection; or a setting that nothing can be sent with.
    Unreachable(Error),
}

/// Cheap to clone; clones share what was noted.
#[derive(Clone)]
pub(super) struct Envoy(Arc<Inner>);

struct Inner {
    roots: Roots,
    proxies: Proxies,
    tls: OnceCell<Arc<ClientConfig>>,
    noted: Mutex<Option<Noted>>,
}

impl Envoy {
    pub(super) fn new(roots: Roots, proxies: Proxies) -> Self {
        Envoy(Arc::new(Inner { roots, proxies, tls: OnceCell::new(), noted: Mutex::new(None) }))
    }

    /// Why the last request came to nothing, if it did. Asked once.
    pub(super) fn noted(&self) -> Option<Noted> {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, noted: Option<Noted>) {
        *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
    }

    /// One request and its whole answer, whatever that says.
    pub(super) async fn ask(&self, request: Request<Bytes>) -> Result<Answer> {
        self.ask_within(request, CONNECT, ANSWER).await
    }

    async fn ask_within(&self, request: Request<Bytes>, connect: Duration, answer: Duration) -> Result<Answer> {
        self.note(None);
        let (outcome, noted) = match self.exchange(request, connect, answer).await {
            Ok((answer, site)) if !answer.status.is_success() => {
                let refusal = Refusal::of(&answer, &site, SystemTime::now());
                (Ok(answer), Some(Noted::Refused(refusal)))
            }
            Ok((answer, _)) => (Ok(answer), None),
            Err(noted) => (Err(noted.error()), Some(noted)),
        };
        self.note(noted);
        outcome
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        connect: Duration,
        answer: Duration,
    ) -> Result<(Answer, String), Noted> {
        let uri = request.uri();
        let origin =
            format!("{}://{}", uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |host| host.as_str()));
        let site = Site::resolve(Some(&origin), DEFAULT_REGION, Addressing::Path, "").map_err(Noted::Unreachable)?;
        let (host, port) = site.host_and_port("");
        let detour = Detour::to(&self.0.proxies, site.is_secure(), &host, port).map_err(Noted::Unreachable)?;
        let tls = self.tls(site.is_secure()).await.map_err(Noted::Unreachable)?;
        let wiring = wiring(tls, detour);
        let mut request = request.map(Full::new);
        if let Some(detour) = &wiring.detour {
            introduce(detour, &mut request);
        }
        let client = Client::builder(TokioExecutor::new()).build(Timed::new(wiring, connect));
        let silent = |_| Noted::Silent { at: origin.clone(), for_so_long: answer };
        let asked = timeout(connect + answer, client.request(request)).await.map_err(silent)?;
        let (parts, body) = match asked {
            Ok(answer) => answer.into_parts(),
            Err(error) => {
                let error = network::explain(error, &site, connect).error;
                let text = format!("{origin} gives no answer: {error}");
                let words = Error::new(error.kind(), text);
                // Hints for a network that is down are about the store.
                return Err(Noted::Unreachable(
                    match error.hint().filter(|_| error.kind() != ErrorKind::Unavailable) {
                        Some(hint) => words.hint_is(hint.replace(" (S3_ENDPOINT)", "")),
                        None => words,
                    },
                ));
            }
        };
        let read = Answer::read(parts, body, answer).await;
        read.map(|answer| (answer, origin.clone())).map_err(|error| {
            Noted::Unreachable(Error::new(error.kind(), format!("{origin} gives no whole answer: {error}")))
        })
    }

    /// Certificates are read only where there is TLS.
    async fn tls(&self, secure: bool) -> Result<Arc<ClientConfig>> {
        if !secure {
            return Ok(Arc::new(Trusted::nobody().client()?));
        }
        let roots = self.0.roots.clone();
        let made =
            self.0.tls.get_or_try_init(|| async { Ok(Arc::new(blocking(move || trusted(&roots)).await?.client()?)) });
        made.await.cloned()
    }
}

impl Noted {
    /// As an error that names the service.
    pub(super) fn error(&self) -> Error {
        match self {
            Noted::Refused(refusal) => Error::new(ErrorKind::Denied, refusal.to_string()),
            Noted::Silent { at, for_so_long } => Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{at} took the connection, and did not answer for {}",
                    humantime::format_duration(*for_so_long)
                ),
            ),
            Noted::Unreachable(error) => {
                let words = Error::new(error.kind(), error.to_string());
                error.hint().map_or(Error::new(error.kind(), error.to_string()), |hint| words.hint_is(hint))
            }
        }
    }
}

impl fmt::Debug for Envoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envoy(..)")
    }
}

/// AWS's clients ask for their connections with limits of their own.
impl HttpClient for Envoy {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Courier {
            envoy: self.clone(),
            connect: settings.connect_timeout().unwrap_or(CONNECT),
            answer: settings.read_timeout().unwrap_or(ANSWER),
        })
    }
}

/// Sends for one of AWS's clients.
#[derive(Debug)]
struct Courier {
    envoy: Envoy,
    connect: Duration,
    answer: Duration,
}

impl HttpConnector for Courier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Courier { envoy, connect, answer } = self;
        let (envoy, connect, answer) = (envoy.clone(), *connect, *answer);
        HttpConnectorFuture::new(async move {
            let request = outgoing(&request).map_err(|error| ConnectorError::user(error.into()))?;
            match envoy.ask_within(request, connect, answer).await {
                Ok(answer) => incoming(answer).map_err(|error| ConnectorError::io(error.into())),
                Err(error) if error.kind() == ErrorKind::Unavailable => Err(ConnectorError::io(error.into())),
                Err(error) => Err(ConnectorError::user(error.into())),
            }
        })
    }
}

fn outgoing(from: &HttpRequest) -> Result<Request<Bytes>, http::Error> {
    // All that they send is in memory.
    let body = Bytes::copy_from_slice(from.body().bytes().unwrap_or_default());
    let mut request = Request::builder().method(from.method()).uri(from.uri()).body(body)?;
    for (name, value) in from.headers().iter_bytes() {
        request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::from_bytes(value)?);
    }
    Ok(request)
}

fn incoming(answer: Answer) -> Result<HttpResponse, Error> {
    let odd = || Error::new(ErrorKind::Other, "the answer has a status that is none");
    let status = answer.status.as_u16().try_into().map_err(|_| odd())?;
    let mut response = HttpResponse::new(status, answer.body.to_vec().into());
    for (name, value) in &answer.headers {
        // Values that are no text would be a panic there.
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}
