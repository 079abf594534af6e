//! What went wrong below HTTP, in words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::StatusCode;
use hyper_util::client::legacy::Error as HyperError;
use rustls::PeerIncompatible;

use super::distrust::{bad_certificate, spaced};
use super::endpoint::Site;
use super::failure::Failure;
use super::tunnel::{ProxyError, Why};
use crate::error::{Error, ErrorKind};

/// The causes of an error, outermost first, those inside `io::Error` included.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inside) => Some(inside as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .find(|kind| !matches!(kind, io::ErrorKind::Other))
}

/// Why no answer came. `connected` is false where no connection was made, so that the server has seen nothing.
pub(super) fn explain(error: HyperError, site: &Site, connect_timeout: Duration) -> Failure {
    if !error.is_connect() {
        return Failure::unknown(lost(error));
    }
    let check = "check the endpoint (S3_ENDPOINT) and that the server runs";
    let base = |text: String| Error::new(ErrorKind::Unavailable, text).retryable(None).hint_is(check);
    let described = if let Some(proxy) = find::<ProxyError>(&error) {
        proxy_trouble(proxy, connect_timeout)
    } else if let Some(tls) = find::<rustls::Error>(&error) {
        tls_trouble(tls, site)
    } else if error.to_string().contains("dns error") || causes(&error).any(|cause| cause.to_string() == "dns error") {
        base("the host name cannot be resolved".to_owned())
    } else {
        match io_kind(&error) {
            Some(io::ErrorKind::ConnectionRefused) => base("connection refused".to_owned()),
            Some(io::ErrorKind::TimedOut) => {
                base(format!("no connection within {}", humantime::format_duration(connect_timeout)))
            }
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) if site.is_secure() => no_handshake(),
            _ => base(format!("no connection: {}", innermost(&error))),
        }
    };
    Failure::not_sent(described.caused_by(error))
}

/// Why a proxy is no way to the server.
pub(super) fn proxy_trouble(error: &ProxyError, connect_timeout: Duration) -> Error {
    let check = "check HTTPS_PROXY or HTTP_PROXY; hosts in NO_PROXY are reached without a proxy";
    let passing = |text: String| Error::new(ErrorKind::Unavailable, text).retryable(None).hint_is(check);
    match &error.why {
        Why::Unreachable(cause) => {
            let cause: &(dyn StdError + 'static) = &**cause;
            let why = match io_kind(cause) {
                _ if causes(cause).any(|cause| cause.to_string() == "dns error") => {
                    "its name cannot be resolved".into()
                }
                Some(io::ErrorKind::ConnectionRefused) => "connection refused".into(),
                _ => innermost(cause),
            };
            passing(format!("{error}: {why}"))
        }
        Why::Silent => passing(format!("{error} within {}", humantime::format_duration(connect_timeout))),
        Why::Broken(cause) if cause.is::<hyper::Error>() => passing(error.to_string()),
        Why::Broken(cause) => passing(format!("{error}: {cause}")),
        Why::Refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => Error::new(ErrorKind::Denied, error.to_string())
            .hint_is(
                "write its user and password like http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY or HTTP_PROXY, special \
                 characters percent-encoded",
            ),
        Why::Refused(status) if status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS => {
            passing(error.to_string())
        }
        Why::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Error::new(ErrorKind::Denied, error.to_string())
                .hint_is("the proxy must allow connections to the endpoint's host and port")
        }
        Why::Refused(_) => Error::invalid(error.to_string()).hint_is(check),
    }
}

/// Why a connection that stands came to no TLS.
pub(super) fn explain_handshake(error: io::Error, site: &Site) -> Error {
    match find::<rustls::Error>(&error) {
        Some(tls) => tls_trouble(tls, site),
        None => no_handshake(),
    }
    .caused_by(error)
}

fn no_handshake() -> Error {
    Error::new(ErrorKind::Unavailable, "the server closed the connection during the TLS handshake")
        .retryable(None)
        .hint_is("check whether the endpoint speaks https; write http:// if it does not")
}

fn tls_trouble(tls: &rustls::Error, site: &Site) -> Error {
    let failed = |why: &str| {
        Error::new(ErrorKind::Unavailable, format!("the TLS handshake failed ({why})"))
            .retryable(None)
            .hint_is("the server offers no TLS 1.2 or 1.3, or something in between interferes")
    };
    match tls {
        rustls::Error::InvalidCertificate(why) => bad_certificate(why),
        rustls::Error::InvalidMessage(_) => Error::invalid("the server does not speak TLS")
            .hint_is(format!("for a server without TLS use {}", site.to_string().replacen("https", "http", 1))),
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            failed("the server does not speak TLS 1.2 or 1.3")
        }
        other => failed(&spaced(&other.to_string())),
    }
}

/// A connection that broke while a request or its answer was on its way.
pub(super) fn lost(error: impl StdError + Send + Sync + 'static) -> Error {
    let hyper = find::<hyper::Error>(&error);
    let unavailable = |text: String| Error::new(ErrorKind::Unavailable, text).retryable(None);
    let described = match io_kind(&error) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted) => {
            unavailable("the server closed the connection".to_owned())
        }
        Some(io::ErrorKind::UnexpectedEof) => unavailable(CUT_OFF.to_owned()),
        _ if hyper.is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled()) => {
            unavailable(CUT_OFF.to_owned())
        }
        _ if hyper.is_some_and(hyper::Error::is_parse) => {
            unavailable(format!("what came back is not HTTP ({})", innermost(&error)))
                .hint_is("check the endpoint (S3_ENDPOINT): something that is not S3 answered")
        }
        _ => unavailable(format!("the connection broke: {}", innermost(&error))),
    };
    described.caused_by(error)
}

const CUT_OFF: &str = "the server closed the connection before its answer was complete";

fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
