//! One connection, plain or TLS, through a proxy where one is set.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tower_service::Service;

use super::proxy::Detour;
use super::tunnel::{self, ProxyError, Why};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Bytes that may wait unsent in the kernel. Without this bound it takes megabytes at once, and asks for more only when a
/// third of them is gone, so that a slow upload seems to stand still.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 256 << 10;
/// Bytes of TLS that are received, and sent, at once: its records have 16 KiB, and a system call for each of them took
/// longer than to decrypt it.
const MANY_RECORDS: usize = 128 << 10;

/// A connection.
pub(super) struct Wire {
    stream: Either<TcpStream, Box<TlsStream<BufReader<TcpStream>>>>,
    /// A proxy at its end passes requests on.
    is_proxied: bool,
}

/// Makes connections, over TLS where the scheme is https.
#[derive(Clone)]
pub(super) struct Wiring {
    pub(super) tcp: HttpConnector,
    pub(super) tls: Arc<ClientConfig>,
    /// The way through a proxy.
    pub(super) detour: Option<Arc<Detour>>,
}

impl Wiring {
    /// The way through a proxy that a connection for this takes.
    pub(super) fn detour_to(&self, target: &Uri) -> Option<Arc<Detour>> {
        self.detour.clone().filter(|detour| detour.applies(target))
    }
}

impl Service<Uri> for Wiring {
    type Response = TokioIo<Wire>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = (uri.scheme() == Some(&Scheme::HTTPS)).then(|| TlsConnector::from(self.tls.clone()));
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let detour = self.detour_to(&uri);
        let connecting = self.tcp.call(detour.as_ref().map_or_else(|| uri.clone(), |detour| detour.uri()));
        Box::pin(async move {
            let tcp = match (connecting.await, &detour) {
                (Ok(tcp), _) => tcp.into_inner(),
                (Err(error), None) => return Err(error.into()),
                (Err(error), Some(detour)) => {
                    return Err(ProxyError::new(detour, Why::Unreachable(error.into())).into());
                }
            };
            // Elsewhere slow uploads need a longer stall timeout.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket2::SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT)?;
            let Some(tls) = tls else {
                return Ok(TokioIo::new(Wire { stream: Either::Left(tcp), is_proxied: detour.is_some() }));
            };
            let tcp = match detour {
                Some(detour) => tunnel::open(tcp, &detour, &uri).await?,
                None => tcp,
            };
            let tcp = BufReader::with_capacity(MANY_RECORDS, tcp);
            let name = ServerName::try_from(host)?;
            let tls = tls.connect_with(name, tcp, |session| session.set_buffer_limit(Some(MANY_RECORDS))).await?;
            Ok(TokioIo::new(Wire { stream: Either::Right(Box::new(tls)), is_proxied: false }))
        })
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.is_proxied)
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
