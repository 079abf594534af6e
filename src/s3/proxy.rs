//! Proxies: which one a connection goes through, if any.

use std::fmt;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use super::nearness::is_loopback;
use crate::config::Environment;
use crate::error::{Error, Result};

/// Proxies as the usual variables name them: `http://HOST:PORT`, or `http://USER:PASSWORD@HOST:PORT` with special characters
/// percent-encoded. An endpoint on this machine is never reached through one.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For https endpoints, which are reached through a tunnel (CONNECT).
    pub https: Option<String>,
    /// For http endpoints, whose requests it is asked to pass on.
    pub http: Option<String>,
    /// Hosts that are reached without one, with commas between: names, which stand for all below them as well, addresses,
    /// networks such as `10.0.0.0/8`, each with a port where only that is meant, or `*` for all.
    pub except: Option<String>,
}

impl Proxies {
    /// The proxies that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` for want of these, and `NO_PROXY` name. Each may be in lower
    /// case, which counts first, as with curl and the AWS CLI; the process's own count before those of `.env`.
    pub fn from_environment(environment: &Environment) -> Self {
        let get = |upper: &str| {
            let lower = upper.to_ascii_lowercase();
            let names = [lower.as_str(), upper];
            let of_process = names.into_iter().find(|name| environment.is_of_process(name));
            of_process.map_or_else(|| Some(environment.first_of(&names)?.1), |name| environment.get(name))
        };
        let all = get("ALL_PROXY");
        Proxies {
            https: get("HTTPS_PROXY").or_else(|| all.clone()),
            http: get("HTTP_PROXY").or(all),
            except: get("NO_PROXY"),
        }
    }
}

/// URLs of proxies may hold passwords.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |proxy: &Option<String>| proxy.as_ref().map(|_| "..");
        f.debug_struct("Proxies")
            .field("https", &shown(&self.https))
            .field("http", &shown(&self.http))
            .field("except", &self.except)
            .finish()
    }
}

/// The way through a proxy, for the hosts that are not excepted.
pub(super) struct Detour {
    proxy: Intercept,
    matcher: Matcher,
    /// Such as `proxy.example.com:3128`.
    shown: String,
}

impl Detour {
    /// The way to an endpoint; `None` without a proxy for it.
    ///
    /// # Errors
    /// Where a URL that would be used is none of a proxy.
    pub(super) fn to(proxies: &Proxies, secure: bool, host: &str, port: u16) -> Result<Option<Self>> {
        let (name, text) = match secure {
            true => ("HTTPS_PROXY", &proxies.https),
            false => ("HTTP_PROXY", &proxies.http),
        };
        let Some(text) = text.as_ref().filter(|_| !is_loopback(host)) else { return Ok(None) };
        let Some(except) = exceptions(proxies.except.as_deref().unwrap_or_default(), port) else { return Ok(None) };
        let through = |url: &str, except: &str| Matcher::builder().all(url).no(except).build();
        let target = target(secure, host, port);
        let url = match parse(name, text) {
            // It will not be used.
            Err(_) if through("http://proxy", &except).intercept(&target).is_none() => return Ok(None),
            url => url?,
        };
        // Of a host that nobody excepts, since another region may be another matter.
        let proxy =
            through(url.as_str(), "").intercept(&target).ok_or_else(|| bad(name, "it is not the URL of a proxy"))?;
        let shown = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
        Ok(Some(Detour { proxy, matcher: through(url.as_str(), &except), shown }))
    }

    /// Whether a connection for this goes through the proxy.
    pub(super) fn applies(&self, target: &Uri) -> bool {
        self.matcher.intercept(target).is_some()
    }

    /// Where the proxy is.
    pub(super) fn uri(&self) -> Uri {
        self.proxy.uri().clone()
    }

    /// The proxy's own host, without brackets, and port.
    pub(super) fn host_and_port(&self) -> (String, u16) {
        let uri = self.proxy.uri();
        (uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(80))
    }

    /// `Proxy-Authorization`, where the URL had credentials.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        self.proxy.basic_auth().cloned()
    }
}

/// Host and port.
impl fmt::Display for Detour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// `host:port` as the target of a request; a host that is none excepts nothing.
pub(super) fn target(secure: bool, host: &str, port: u16) -> Uri {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{host}:{port}/").parse().unwrap_or_default()
}

fn parse(name: &str, text: &str) -> Result<Url> {
    let text = text.trim();
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme).map_err(|error| bad(name, &error.to_string()))?;
    match url.scheme() {
        "http" if url.host_str().is_some_and(|host| !host.is_empty()) => Ok(url),
        "http" => Err(bad(name, "it has no host")),
        "https" => Err(bad(name, "a proxy that speaks TLS itself is not supported")),
        other => Err(bad(name, &format!("proxies of the kind '{}' are not supported", other.escape_default()))),
    }
}

/// Not shown: it may hold a password.
fn bad(name: &str, why: &str) -> Error {
    Error::invalid(format!("the proxy in {name} cannot be used: {why}")).hint_is(
        "write it like http://proxy.example.com:3128, or name the endpoint's host in NO_PROXY; ALL_PROXY counts where \
         HTTPS_PROXY and HTTP_PROXY are not set",
    )
}

/// What is excepted for this port, as hyper-util takes it: it knows no ports, no `*.` and no brackets. `None` where all is.
fn exceptions(text: &str, port: u16) -> Option<String> {
    let mut hosts = Vec::new();
    for entry in text.split([',', ' ', '\t']).filter(|entry| !entry.is_empty()) {
        let (host, only) = match entry.rsplit_once(':') {
            // An IPv6 address without brackets has colons of its own.
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, Some(digits)),
            _ => (entry, None),
        };
        if only.is_some_and(|only| only.parse() != Ok(port)) {
            continue;
        }
        let host = host.trim_matches(['[', ']']);
        if host == "*" {
            return None;
        }
        hosts.push(host.strip_prefix('*').unwrap_or(host).trim_end_matches('.'));
    }
    Some(hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    fn proxies(proxy: &str, except: &str) -> Proxies {
        Proxies { https: Some(proxy.into()), http: None, except: Some(except.into()) }
    }

    fn goes_through(except: &str, host: &str, port: u16) -> bool {
        let detour = Detour::to(&proxies("http://p:1", except), true, host, port).unwrap();
        detour.is_some_and(|detour| detour.applies(&target(true, host, port)))
    }

    #[test]
    fn what_is_excepted() {
        for (except, host, port, through) in [
            ("", "s3.example.com", 443, true),
            ("s3.example.com", "s3.example.com", 443, false),
            ("example.com", "S3.Example.com", 443, false),
            (".example.com", "s3.example.com", 443, false),
            ("*.example.com", "s3.example.com", 443, false),
            ("example.com.", "s3.example.com", 443, false),
            ("ample.com", "s3.example.com", 443, true),
            ("other.com, example.com", "s3.example.com", 443, false),
            ("other.com example.com", "s3.example.com", 443, false),
            ("example.com:443", "s3.example.com", 443, false),
            ("example.com:8443", "s3.example.com", 443, true),
            ("example.com:x", "s3.example.com", 443, true),
            ("*", "s3.example.com", 443, false),
            ("*", "10.1.2.3", 443, false),
            ("*:8443", "s3.example.com", 443, true),
            ("10.0.0.0/8", "10.1.2.3", 443, false),
            ("10.0.0.0/8", "11.1.2.3", 443, true),
            ("10.1.2.3:9000", "10.1.2.3", 9000, false),
            ("10.1.2.3:9001", "10.1.2.3", 9000, true),
            ("fd00::/8", "fd00::7", 443, false),
            ("fd00::7", "fd00::7", 443, false),
            ("[fd00::7]:443", "fd00::7", 443, false),
            ("[fd00::7]:1", "fd00::7", 443, true),
            ("", "localhost", 443, false),
            ("", "127.0.0.1", 443, false),
            ("", "::1", 443, false),
        ] {
            assert_eq!(goes_through(except, host, port), through, "{except:?} {host} {port}");
        }
    }

    #[test]
    fn where_it_is_and_with_which_credentials() {
        for (text, shown, uri, credentials) in [
            ("http://p.example.com:3128", "p.example.com:3128", "http://p.example.com:3128/", None),
            ("P.example.com:3128/", "p.example.com:3128", "http://p.example.com:3128/", None),
            ("http://p", "p:80", "http://p/", None),
            ("http://[fd00::1]:8", "[fd00::1]:8", "http://[fd00::1]:8/", None),
            ("http://me:s%40cr%3Ae%25t@p:1", "p:1", "http://p:1/", Some("Basic bWU6c0BjcjplJXQ=")),
            ("me:s@cr@p:1", "p:1", "http://p:1/", Some("Basic bWU6c0Bjcg==")),
            ("http://me@p:1", "p:1", "http://p:1/", Some("Basic bWU6")),
        ] {
            let detour = Detour::to(&proxies(text, ""), true, "s3.example.com", 443).unwrap().unwrap();
            let authorization = detour.authorization();
            let authorization = authorization.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!((detour.to_string().as_str(), detour.uri()), (shown, uri.parse().unwrap()), "{text}");
            assert_eq!(authorization, credentials, "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_where_it_would_be_used() {
        for text in ["socks5://me:hunter2@p", "https://p", "http://", "http://me:hunter2@", "http://p:hunter2", "h p"] {
            let error = Detour::to(&proxies(text, ""), true, "s3.example.com", 443).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(!format!("{error}{error:?}{:?}", proxies(text, "")).contains("hunter2"), "{text}");
            for (except, host) in [("example.com", "s3.example.com"), ("", "localhost"), ("*", "10.0.0.1")] {
                assert!(Detour::to(&proxies(text, except), true, host, 443).unwrap().is_none(), "{text}");
            }
            assert!(Detour::to(&proxies(text, ""), false, "s3.example.com", 80).unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn variables() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Proxies::from_environment(&Environment::from_pairs(pairs))
        };
        let all = of(&[("ALL_PROXY", "a"), ("https_proxy", "lower"), ("HTTPS_PROXY", "upper"), ("NO_PROXY", "n")]);
        assert_eq!((all.https.as_deref(), all.http.as_deref()), (Some("lower"), Some("a")));
        assert_eq!(all.except.as_deref(), Some("n"));
        let upper = of(&[("HTTP_PROXY", "h"), ("no_proxy", "x")]);
        assert_eq!((upper.https, upper.http, upper.except), (None, Some("h".into()), Some("x".into())));
    }

    #[test]
    fn the_process_comes_before_dotenv() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "https_proxy=file\nHTTP_PROXY=file\n").unwrap();
        let process = Environment::from_pairs([("HTTPS_PROXY".to_owned(), "process".to_owned())]);
        let both = Proxies::from_environment(&process.with_dotenv(file.path(), true).unwrap());
        assert_eq!((both.https.as_deref(), both.http.as_deref()), (Some("process"), Some("file")));
    }

    proptest! {
        #[test]
        fn any_settings_are_a_detour_none_or_an_error(proxy in "\\PC{0,30}", except in "\\PC{0,40}", host in "[a-z0-9.:]{1,20}") {
            if let Ok(Some(detour)) = Detour::to(&proxies(&proxy, &except), true, &host, 443) {
                let _ = detour.applies(&target(true, &host, 443));
            }
        }
    }
}
