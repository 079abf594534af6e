//! Connections: hyper over current rustls, HTTP/1.1 only, certificates always verified.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as HyperError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use super::payload::Sending;
use super::wire::{BoxError, Wiring};
use crate::body::blocking;
use crate::error::{Error, Result};
use crate::lane;

/// hyper's buffer of a connection: downloads were fastest with it, and a quarter slower at 1 MiB.
const BUFFER: usize = 128 << 10;
/// Idle connections are closed before servers usually do it (S3 after some 20 s, MinIO after 30 s).
const IDLE: Duration = Duration::from_secs(15);

/// Pools of connections: one for each lane, and the first for all other threads, since a connection is driven where it
/// was made.
#[derive(Clone)]
pub(super) struct Transport {
    pools: Arc<[Client<Timed<Wiring>, Sending>]>,
    tls: Arc<ClientConfig>,
}

impl Transport {
    /// Pools without connections yet. The system's certificates are read only where `secure`, since that takes 50 ms.
    pub(super) async fn new(secure: bool, ca_bundle: Option<&Path>, connect_timeout: Duration) -> Result<Self> {
        let roots = if secure {
            let bundle = ca_bundle.map(Path::to_owned);
            blocking(move || trusted(bundle.as_deref())).await?
        } else {
            RootCertStore::empty()
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| Error::invalid("TLS cannot be set up").caused_by(error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = Arc::new(tls);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = Timed { inner: Wiring { tcp, tls: tls.clone() }, limit: connect_timeout };
        let pool = |_| {
            Client::builder(TokioExecutor::new())
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .http1_max_buf_size(BUFFER)
                .build(connector.clone())
        };
        Ok(Transport { pools: (0..=lane::count()).map(pool).collect(), tls })
    }

    /// What TLS is spoken by, and who is trusted.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    /// Sends the request; resolves with the head of the answer. A pooled connection that the server has closed
    /// meanwhile is replaced by a new one.
    pub(super) async fn send(&self, request: Request<Sending>) -> Result<Response<Incoming>, HyperError> {
        self.pools[lane::number()].request(request).await
    }
}

/// The system's authorities and those of the bundle.
fn trusted(bundle: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = bundle {
        let unusable = |why: &str| {
            Error::invalid(format!("the certificates in '{}' cannot be used: {why}", path.display()))
                .hint_is("AWS_CA_BUNDLE names a file of PEM certificates")
        };
        let bytes = std::fs::read(path).map_err(|error| unusable(&error.kind().to_string()).caused_by(error))?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|_| unusable("one is not valid PEM"))?;
            roots.add(certificate).map_err(|_| unusable("one is not a valid certificate"))?;
        }
        if roots.len() == before {
            return Err(unusable("there is none in it"));
        }
    }
    if roots.is_empty() {
        return Err(Error::invalid("this machine trusts no certificate authority, so https cannot be verified")
            .hint_is("install the package ca-certificates, or set AWS_CA_BUNDLE"));
    }
    Ok(roots)
}

/// A connector that gives up, TLS handshake included, after `limit`.
#[derive(Clone)]
struct Timed<C> {
    inner: C,
    limit: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(outcome) => outcome,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(file.path(), content).unwrap();
            let error = trusted(Some(file.path())).unwrap_err();
            assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        }
        assert!(trusted(Some(Path::new("/nonexistent/ca.pem"))).is_err());
    }
}
