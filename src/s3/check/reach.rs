//! The way to the server: its name, a connection, TLS.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Doctor;
use crate::check::Origins;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::endpoint::{DEFAULT_REGION, Site};
use crate::s3::nearness::{is_near, is_private};
use crate::s3::network::explain_handshake;
use crate::s3::proxy::target;
use crate::s3::validity;

/// A certificate that ends sooner needs somebody's attention.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
const CHECK_ENDPOINT: &str = "check the endpoint (S3_ENDPOINT) and that the server runs";

impl Doctor<'_> {
    /// True where the server can be spoken to.
    pub(super) async fn reach(&mut self, origins: &Origins, region_is_given: bool) -> Result<bool> {
        let site = self.client.site();
        self.settings(&site, origins, region_is_given);
        let (host, port) = site.host_and_port(&self.client.bucket);
        let target = target(site.is_secure(), &host, port);
        if let Some(detour) = self.client.transport.detour_to(&target) {
            let Some(connection) = self.through(&detour, &target).await? else { return Ok(false) };
            return match site.is_secure() {
                true => self.tls(connection, &host, &site).await,
                false => {
                    self.no_tls(is_near(&host));
                    Ok(true)
                }
            };
        }
        let Some(addresses) = self.dns(&host, port).await? else { return Ok(false) };
        let Some(connection) = self.connect(&addresses).await? else { return Ok(false) };
        match site.is_secure() {
            true => self.tls(connection, &host, &site).await,
            false => {
                self.no_tls(addresses.iter().all(|address| is_private(address.ip())));
                Ok(true)
            }
        }
    }

    fn settings(&mut self, site: &Site, origins: &Origins, region_is_given: bool) {
        let from = |origin: &Option<String>, or: &str| origin.clone().unwrap_or_else(|| or.to_owned());
        let style = if site.is_virtual_host() { "in the host's name" } else { "in the path" };
        let implied = if site.is_derived() { "Amazon S3 in this region" } else { "the AWS configuration" };
        let origin = from(&origins.endpoint, implied);
        self.sheet.good("endpoint", format!("{site} ({origin}), the bucket {style}"));
        let otherwise = match (region_is_given, site.region == DEFAULT_REGION) {
            (true, _) => "as given",
            (false, true) => "the default",
            (false, false) => "the AWS configuration",
        };
        self.sheet.good("region", format!("{} ({})", site.region, from(&origins.region, otherwise)));
    }

    async fn dns(&mut self, host: &str, port: u16) -> Result<Option<Vec<SocketAddr>>> {
        const NAME: &str = "dns";
        if let Ok(address) = host.parse::<IpAddr>() {
            self.sheet.good(NAME, "not needed: the endpoint is an address");
            return Ok(Some(vec![SocketAddr::new(address, port)]));
        }
        let patience = self.client.runtime.connect_timeout;
        let started = Instant::now();
        let found = self.unless_cancelled(timeout(patience, lookup_host((host, port)))).await?;
        let failed = |what: &str| Error::new(ErrorKind::Unavailable, what).hint_is(CHECK_ENDPOINT);
        let addresses = match found {
            Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
            Ok(Err(_)) => Vec::new(),
            Err(_) => {
                self.sheet.bad(NAME, &failed(&format!("no answer about '{host}' within {}", shown(patience))));
                return Ok(None);
            }
        };
        let addresses: Vec<SocketAddr> = addresses.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        if addresses.is_empty() {
            self.sheet.bad(NAME, &failed(&format!("the host name '{host}' cannot be resolved")));
            return Ok(None);
        }
        let some: Vec<String> = addresses.iter().take(3).map(|address| address.ip().to_string()).collect();
        let more = match addresses.len() - some.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (four, six) = (addresses.iter().any(SocketAddr::is_ipv4), addresses.iter().any(SocketAddr::is_ipv6));
        let family = match (four, six) {
            (true, true) => "IPv4 and IPv6",
            (false, true) => "IPv6",
            _ => "IPv4",
        };
        self.sheet.good(NAME, format!("{}{more} ({family}), in {}", some.join(", "), shown(started.elapsed())));
        Ok(Some(addresses))
    }

    async fn connect(&mut self, addresses: &[SocketAddr]) -> Result<Option<TcpStream>> {
        const NAME: &str = "connection";
        let patience = self.client.runtime.connect_timeout;
        let mut silent = Vec::new();
        for address in addresses {
            let started = Instant::now();
            let why = match self.unless_cancelled(timeout(patience, TcpStream::connect(address))).await? {
                Ok(Ok(stream)) => {
                    let but = match silent.is_empty() {
                        true => String::new(),
                        false => format!("; no answer at {}", silent.join(", ")),
                    };
                    self.sheet.good(NAME, format!("to {address} in {}{but}", shown(started.elapsed())));
                    return Ok(Some(stream));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                Ok(Err(error)) => format!("no connection: {}", error.kind()),
                Err(_) => format!("no connection within {}", shown(patience)),
            };
            silent.push(format!("{address} ({why})"));
        }
        self.sheet.bad(NAME, &Error::new(ErrorKind::Unavailable, silent.join(", ")).hint_is(CHECK_ENDPOINT));
        Ok(None)
    }

    async fn tls(&mut self, connection: TcpStream, host: &str, site: &Site) -> Result<bool> {
        const NAME: &str = "tls";
        let patience = self.client.runtime.connect_timeout;
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            self.sheet.bad(NAME, &Error::invalid(format!("no certificate can be for '{host}'")));
            return Ok(false);
        };
        let connector = TlsConnector::from(self.client.transport.tls());
        let started = Instant::now();
        let session = match self.unless_cancelled(timeout(patience, connector.connect(name, connection))).await? {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => {
                self.sheet.bad(NAME, &explain_handshake(error, site));
                return Ok(false);
            }
            Err(_) => {
                let text = format!("no TLS handshake within {}", shown(patience));
                self.sheet.bad(NAME, &Error::new(ErrorKind::Unavailable, text).hint_is(CHECK_ENDPOINT));
                return Ok(false);
            }
        };
        let session = session.get_ref().1;
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        };
        let detail = format!("{version} in {}", shown(started.elapsed()));
        let ends = session.peer_certificates().and_then(|all| all.first()).and_then(|one| validity::ends(one));
        let Some(ends) = ends else {
            self.sheet.good(NAME, detail);
            return Ok(true);
        };
        let day = humantime::format_rfc3339_seconds(ends).to_string();
        let detail = format!("{detail}, the certificate is valid until {}", &day[..day.len().min(10)]);
        match validity::left(ends, SystemTime::now()) {
            Some(left) if left < SOON => {
                self.sheet.note(NAME, detail, "have the server's certificate renewed: transfers stop when it ends");
            }
            _ => self.sheet.good(NAME, detail),
        }
        Ok(true)
    }

    fn no_tls(&mut self, is_private: bool) {
        match is_private {
            true => self.sheet.good("tls", "none: plain http, to this machine or a private network"),
            false => self.sheet.note(
                "tls",
                "none: plain http over a public network",
                "anybody on the way can read the checkpoints (not the keys): use an endpoint with https://",
            ),
        }
    }
}

/// `0.3 ms`, `12 ms`, `5 s`.
pub(super) fn shown(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        few if few < 10.0 => format!("{few:.1} ms"),
        some if some < 1000.0 => format!("{some:.0} ms"),
        many => format!("{:.0} s", many / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let times = [(340, "0.3 ms"), (12_400, "12 ms"), (5_000_000, "5 s")];
        assert!(times.iter().all(|(micros, text)| shown(Duration::from_micros(*micros)) == *text));
    }
}
