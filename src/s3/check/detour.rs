//! The way to the server where it leads through a proxy.

use std::time::Instant;

use http::Uri;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Doctor;
use super::reach::shown;
use crate::error::Result;
use crate::s3::network::proxy_trouble;
use crate::s3::proxy::Detour;
use crate::s3::tunnel::{self, ProxyError, Why};

impl Doctor<'_> {
    /// A connection that TLS, or a request, can be spoken on.
    pub(super) async fn through(&mut self, detour: &Detour, target: &Uri) -> Result<Option<TcpStream>> {
        const NAME: &str = "connection";
        self.sheet.good("dns", format!("left to the proxy at {detour}"));
        let patience = self.client.runtime.connect_timeout;
        let started = Instant::now();
        let outcome = match self.unless_cancelled(timeout(patience, connect(detour, target))).await? {
            Ok(outcome) => outcome,
            Err(_) => Err(ProxyError::new(detour, Why::Silent)),
        };
        match outcome {
            Ok(stream) => {
                self.sheet.good(NAME, format!("through the proxy at {detour} in {}", shown(started.elapsed())));
                Ok(Some(stream))
            }
            Err(error) => {
                self.sheet.bad(NAME, &proxy_trouble(&error, patience));
                Ok(None)
            }
        }
    }
}

async fn connect(detour: &Detour, target: &Uri) -> Result<TcpStream, ProxyError> {
    let (host, port) = detour.host_and_port();
    let tcp = TcpStream::connect((host.as_str(), port)).await;
    let tcp = tcp.map_err(|error| ProxyError::new(detour, Why::Unreachable(error.into())))?;
    match target.scheme_str() {
        Some("https") => tunnel::open(tcp, detour, target).await,
        // It is asked to pass on each request.
        _ => Ok(tcp),
    }
}
