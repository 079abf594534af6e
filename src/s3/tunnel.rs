//! A connection through a proxy: CONNECT, and what it may be answered.
//!
//! hyper-util has a tunnel of its own, but its errors keep neither the proxy's name nor its answer.

use std::error::Error as StdError;
use std::fmt;
use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::proxy::Detour;
use super::wire::BoxError;

/// The most bytes of the answer to a CONNECT.
const MOST_ANSWER: usize = 16 << 10;

/// Why there is no way through a proxy.
#[derive(Debug)]
pub(super) struct ProxyError {
    /// Its host and port.
    pub(super) proxy: String,
    pub(super) why: Why,
}

#[derive(Debug)]
pub(super) enum Why {
    /// No connection to the proxy.
    Unreachable(BoxError),
    /// It has not answered, or no connection was made, in the time that there is for both.
    Silent,
    /// It answered, but would not.
    Refused(StatusCode),
    /// It broke the connection, or what it said is not HTTP.
    Broken(BoxError),
}

impl ProxyError {
    pub(super) fn new(detour: &Detour, why: Why) -> Self {
        ProxyError { proxy: detour.to_string(), why }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProxyError { proxy, why } = self;
        match why {
            Why::Unreachable(_) => write!(f, "the proxy at {proxy} cannot be reached"),
            Why::Silent => write!(f, "no connection through the proxy at {proxy}"),
            Why::Refused(status) => write!(f, "the proxy at {proxy} refused: {status}"),
            Why::Broken(_) => write!(f, "the proxy at {proxy} broke the connection"),
        }
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.why {
            Why::Unreachable(error) | Why::Broken(error) => Some(&**error),
            Why::Silent | Why::Refused(_) => None,
        }
    }
}

/// Has the proxy at the other end of `tcp` connect to the host and port of `target`.
pub(super) async fn open(tcp: TcpStream, detour: &Detour, target: &Uri) -> Result<TcpStream, ProxyError> {
    let failed = |why: Why| ProxyError::new(detour, why);
    let broken = |error: hyper::Error| failed(Why::Broken(error.into()));
    let host = target.host().unwrap_or_default();
    let authority = format!("{host}:{}", target.port_u16().unwrap_or(443));
    let mut asked = Request::connect(authority.as_str()).header(HOST, authority.as_str());
    if let Some(authorization) = detour.authorization() {
        asked = asked.header(PROXY_AUTHORIZATION, authorization);
    }
    let asked = asked.body(Empty::<Bytes>::new()).map_err(|error| failed(Why::Broken(error.into())))?;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(MOST_ANSWER).handshake(TokioIo::new(tcp)).await.map_err(broken)?;
    let answered = pin!(async {
        let answer = sender.send_request(asked).await.map_err(broken)?;
        match answer.status() {
            status if status.is_success() => hyper::upgrade::on(answer).await.map_err(broken),
            status => Err(failed(Why::Refused(status))),
        }
    });
    let upgraded = match select(answered, pin!(connection.with_upgrades())).await {
        Either::Left((outcome, _)) => outcome?,
        // The connection has handed itself over, or has failed, which the other side tells.
        Either::Right((_, answered)) => answered.await?,
    };
    let odd = |what: &str| failed(Why::Broken(what.into()));
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| odd("the connection was not handed over"))?;
    match parts.read_buf.is_empty() {
        true => Ok(parts.io.into_inner()),
        // In TLS the client speaks first.
        false => Err(odd("it sent something before it was asked")),
    }
}
