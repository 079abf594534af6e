//! Connections: hyper over current rustls, HTTP/1.1 only, certificates always verified.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as HyperError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use super::payload::Sending;
use super::proxy::Detour;
use super::roots::{Roots, Trusted, trusted};
use super::tunnel::{ProxyError, Why};
use super::wire::{BoxError, Wiring};
use crate::body::blocking;
use crate::error::Result;
use crate::lane;

/// hyper's buffer of a connection: downloads were fastest with it, and a quarter slower at 1 MiB.
const BUFFER: usize = 128 << 10;
/// Idle connections are closed before servers usually do it (S3 after some 20 s, MinIO after 30 s).
const IDLE: Duration = Duration::from_secs(15);

/// Pools of connections: one for each lane, and the first for all other threads, since a connection is driven where it
/// was made.
#[derive(Clone)]
pub(super) struct Transport {
    pools: Arc<[Client<Timed, Sending>]>,
    wiring: Wiring,
}

impl Transport {
    /// Pools without connections yet. The system's certificates are read only where `secure`, since that takes 50 ms.
    pub(super) async fn new(
        secure: bool,
        roots: Roots,
        detour: Option<Detour>,
        connect_timeout: Duration,
    ) -> Result<Self> {
        let trusted = if secure { blocking(move || trusted(&roots)).await? } else { Trusted::nobody() };
        let wiring = wiring(Arc::new(trusted.client()?), detour);
        let connector = Timed::new(wiring.clone(), connect_timeout);
        let pool = |_| {
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .http1_max_buf_size(BUFFER)
                .build(connector.clone())
        };
        Ok(Transport { pools: (0..=lane::count()).map(pool).collect(), wiring })
    }

    /// What TLS is spoken by, and who is trusted.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.wiring.tls.clone()
    }

    /// The way through a proxy that requests for this take.
    pub(super) fn detour_to(&self, target: &Uri) -> Option<Arc<Detour>> {
        self.wiring.detour_to(target)
    }

    /// Sends the request; resolves with the head of the answer. A pooled connection that the server has closed
    /// meanwhile is replaced by a new one.
    pub(super) async fn send(&self, mut request: Request<Sending>) -> Result<Response<Incoming>, HyperError> {
        if let Some(detour) = &self.wiring.detour {
            introduce(detour, &mut request);
        }
        self.pools[lane::number()].request(request).await
    }
}

/// Connections over this TLS, by this way.
pub(super) fn wiring(tls: Arc<ClientConfig>, detour: Option<Detour>) -> Wiring {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    Wiring { tcp, tls, detour: detour.map(Arc::new) }
}

/// Tells a proxy that passes requests on who asks. One that is tunnelled through has been told.
pub(super) fn introduce<B>(detour: &Detour, request: &mut Request<B>) {
    let is_passed_on = request.uri().scheme() == Some(&Scheme::HTTP) && detour.applies(request.uri());
    if let Some(authorization) = detour.authorization().filter(|_| is_passed_on) {
        request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
    }
}

/// A connector that gives up, proxy and TLS handshake included, after `limit`.
#[derive(Clone)]
pub(super) struct Timed {
    inner: Wiring,
    limit: Duration,
}

impl Timed {
    pub(super) fn new(inner: Wiring, limit: Duration) -> Self {
        Timed { inner, limit }
    }
}

impl Service<Uri> for Timed {
    type Response = <Wiring as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let detour = self.inner.detour_to(&uri);
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            match (tokio::time::timeout(limit, connecting).await, detour) {
                (Ok(outcome), _) => outcome,
                (Err(_), Some(detour)) => Err(ProxyError::new(&detour, Why::Silent).into()),
                (Err(_), None) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
