//! Where a bucket is: endpoint, region and addressing style, parsed here because rusoto turns `http://host/` into
//! `//bucket`, `HTTP://` into https and unknown regions into us-east-1.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rusoto_core::Region;
use url::{Host, Url};

use super::amazon::{Variant, is_amazon};
use super::nearness::is_loopback;
use crate::error::{Error, Result};

/// The region when nothing names one.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// Where the bucket's name goes in a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// [`Virtual`](Self::Virtual) on AWS, [`Path`](Self::Path) on other endpoints and for buckets with a dot in their
    /// name, which no wildcard certificate covers.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    Virtual,
}

impl FromStr for Addressing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Addressing::Auto),
            "path" => Ok(Addressing::Path),
            "virtual" => Ok(Addressing::Virtual),
            _ => Err(format!("'{text}' is not an addressing style: use auto, path or virtual")),
        }
    }
}

/// A parsed endpoint in a region, as one bucket is reached there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    secure: bool,
    /// Host, and port where it is not the scheme's own.
    authority: String,
    /// What stands before the bucket: empty, or `/path` without a slash at its end.
    path: String,
    pub(super) region: String,
    virtual_host: bool,
    /// Made from the region rather than given.
    derived: bool,
    /// Of the form of Amazon's own hosts, so that another region means another host; in this way.
    variant: Option<Variant>,
}

impl Site {
    /// Where `bucket` is. Without `endpoint`, Amazon S3 in `region`.
    pub(super) fn resolve(endpoint: Option<&str>, region: &str, addressing: Addressing, bucket: &str) -> Result<Self> {
        check_region(region)?;
        let url = match endpoint {
            Some(text) => parse(text)?,
            None => parse(&format!("https://{}", Variant::default().host(region)))?,
        };
        let Some(host) = url.host() else { return Err(bad(url.as_str(), "it has no host")) };
        let name = host.to_string();
        let virtual_host = match addressing {
            Addressing::Auto => is_amazon(&name) && !bucket.contains('.'),
            Addressing::Path => false,
            Addressing::Virtual if matches!(host, Host::Domain(_)) => true,
            Addressing::Virtual => {
                return Err(bad(url.as_str(), "an IP address has no virtual hosts")
                    .hint_is("use --addressing-style path, or an endpoint with a host name"));
            }
        };
        let variant = Variant::of_host(&name).filter(|_| url.port().is_none() && url.path() == "/");
        let authority = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name,
        };
        Ok(Site {
            secure: url.scheme() == "https",
            authority,
            path: url.path().trim_end_matches('/').to_owned(),
            region: region.to_owned(),
            virtual_host,
            derived: endpoint.is_none(),
            variant,
        })
    }

    /// The same bucket after the server said that it is in another region.
    pub(super) fn moved_to(&self, region: &str) -> Result<Self> {
        check_region(region)?;
        let mut site = Site { region: region.to_owned(), ..self.clone() };
        if let Some(variant) = self.variant {
            site.authority = variant.host(region);
        }
        Ok(site)
    }

    /// The same by another of Amazon's endpoints; as it is where the endpoint was given.
    pub(super) fn with_variant(mut self, variant: Variant) -> Self {
        if self.derived {
            self.authority = variant.host(&self.region);
            self.variant = Some(variant);
        }
        self
    }

    /// Made from the region rather than given.
    pub(super) fn is_derived(&self) -> bool {
        self.derived
    }

    /// Whether it is Amazon's own S3, by the name of its host.
    pub(super) fn is_amazon(&self) -> bool {
        is_amazon(self.authority.split(':').next().unwrap_or_default())
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The bucket's name goes into the host's.
    pub(super) fn is_virtual_host(&self) -> bool {
        self.virtual_host
    }

    /// The host that connections for the bucket go to, without brackets, and its port.
    pub(super) fn host_and_port(&self, bucket: &str) -> (String, u16) {
        let authority = if self.virtual_host { format!("{bucket}.{}", self.authority) } else { self.authority.clone() };
        let default = if self.secure { 443 } else { 80 };
        // What follows the colons of an address is no port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(default)),
            _ => (authority.as_str(), default),
        };
        (host.trim_matches(['[', ']']).to_owned(), port)
    }

    /// The URL of an already encoded path within the bucket (empty, or with a slash at its start) and query.
    pub(super) fn url(&self, bucket: &str, path: &str, query: &str) -> String {
        let Site { authority, path: base, .. } = self;
        let scheme = self.scheme();
        let mark = if query.is_empty() { "" } else { "?" };
        if self.virtual_host {
            let slash = if base.is_empty() && path.is_empty() { "/" } else { "" };
            format!("{scheme}://{bucket}.{authority}{base}{path}{slash}{mark}{query}")
        } else {
            format!("{scheme}://{authority}{base}/{bucket}{path}{mark}{query}")
        }
    }

    /// What rusoto gets to know: never one of its own regions, whose hosts and names are out of date.
    pub(super) fn rusoto_region(&self) -> Region {
        Region::Custom { name: self.region.clone(), endpoint: self.to_string() }
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

fn check_region(region: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if region.is_empty() || region.len() > 63 || !region.chars().all(fits) {
        return Err(Error::invalid(format!("'{}' is not a region", region.escape_default()))
            .hint_is("set AWS_REGION to a name such as us-west-2"));
    }
    Ok(())
}

/// An endpoint as people write it: the scheme may be missing (https then, or http on this machine), anything may be in
/// upper case, slashes may follow.
fn parse(text: &str) -> Result<Url> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(bad(text, "it is empty"));
    }
    if trimmed.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '%')) {
        return Err(bad(text, "it contains a space, a control character, a backslash or a percent sign"));
    }
    let lower = trimmed.to_ascii_lowercase();
    let url = if lower.contains("://") {
        Url::parse(trimmed)
    } else if ["http:", "https:", "s3:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Err(bad(text, "'//' is missing after the scheme"));
    } else {
        Url::parse(&format!("{}://{trimmed}", if is_this_machine(&lower) { "http" } else { "https" }))
    };
    let url = url.map_err(|error| bad(text, &error.to_string()))?;
    // What follows three slashes is taken for the host where people meant a path.
    if lower.contains(":///") {
        return Err(bad(text, "it has no host"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(text, "its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not shown: it may hold a secret.
        return Err(Error::invalid("the S3 endpoint must not contain a user name or a password")
            .hint_is("keys belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(text, "it has a query or a fragment"));
    }
    if url.path().trim_end_matches('/').contains("//") {
        return Err(bad(text, "its path has an empty part"));
    }
    if url.port() == Some(0) {
        return Err(bad(text, "its port is 0"));
    }
    Ok(url)
}

/// A host without a scheme that is certainly this machine.
fn is_this_machine(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    is_loopback(match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    })
}

fn bad(text: &str, why: &str) -> Error {
    Error::invalid(format!("the S3 endpoint '{}' cannot be used: {why}", without_user(text).escape_default()))
        .hint_is("write it like https://s3.example.com or http://localhost:9000")
}

/// What may be shown of a text that is meant to be an endpoint. Whatever is before the last `@` may be a password: one with a
/// `/`, a `#` or a `%` in it looks like something else.
fn without_user(text: &str) -> Cow<'_, str> {
    let Some((before, host)) = text.rsplit_once('@') else { return text.into() };
    let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
    if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        format!("{scheme}://...@{host}").into()
    } else {
        format!("...@{host}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn url(endpoint: &str, addressing: Addressing, bucket: &str) -> String {
        Site::resolve(Some(endpoint), "eu-west-1", addressing, bucket).unwrap().url(bucket, "/k", "")
    }

    #[test]
    fn endpoints_as_people_write_them() {
        for (endpoint, expected) in [
            ("http://localhost:9000", "http://localhost:9000/b/k"),
            ("http://localhost:9000/", "http://localhost:9000/b/k"),
            ("http://localhost:9000//", "http://localhost:9000/b/k"),
            ("HTTP://LOCALHOST:9000/", "http://localhost:9000/b/k"),
            ("HTTPS://Minio.Example.COM", "https://minio.example.com/b/k"),
            (" https://minio.example.com:443/ ", "https://minio.example.com/b/k"),
            ("http://minio.example.com:80", "http://minio.example.com/b/k"),
            ("localhost:9000", "http://localhost:9000/b/k"),
            ("LOCALHOST", "http://localhost/b/k"),
            ("127.0.0.1:9000", "http://127.0.0.1:9000/b/k"),
            ("[::1]:9000", "http://[::1]:9000/b/k"),
            ("http://[::1]:9000/", "http://[::1]:9000/b/k"),
            ("http://[2001:DB8::1]", "http://[2001:db8::1]/b/k"),
            ("minio.example.com:9000", "https://minio.example.com:9000/b/k"),
            ("10.0.0.7:9000", "https://10.0.0.7:9000/b/k"),
            ("https://gateway.example.com/s3/", "https://gateway.example.com/s3/b/k"),
        ] {
            assert_eq!(url(endpoint, Addressing::Auto, "b"), expected, "{endpoint}");
        }
    }

    #[test]
    fn no_password_is_shown_whatever_is_wrong_with_it() {
        for endpoint in [
            "http://me:hunter2@h:9000",
            "http://me:hunter2%40x@h:9000",
            "http://me:hunter2@h:99999",
            "ftp://me:hunter2@h",
            "http://me:hunter2 x@h:9000",
            "me:hunter2@h:9000",
            "http:me:hunter2@h",
            "http://me:hunter2@[::1",
            "http://me:hunter2#x@h:9000",
            "http://me:hunter2/x@h:9000",
            "http://me:x@hunter2@h:port",
            "hunter2://x@h",
            "http://h/hunter2@x y",
        ] {
            let error = Site::resolve(Some(endpoint), "eu-west-1", Addressing::Auto, "b").unwrap_err();
            assert!(!format!("{error:?}{:?}", error.hint()).contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for endpoint in [
            "",
            " ",
            "/",
            "http://",
            "https:///",
            "https:///x",
            "http:/localhost",
            "http:localhost",
            "ftp://localhost",
            "s3://bucket",
            "http://a b",
            "http://localhost:notaport",
            "http://localhost:99999",
            "http://localhost:0",
            "http://h?x=1",
            "http://h#x",
            "http://h/a//b",
            "http://h/%2e",
            "http://[::1",
            "://",
            "http://h\nx",
            "h\\x",
        ] {
            match Site::resolve(Some(endpoint), "eu-west-1", Addressing::Auto, "b") {
                Ok(site) => panic!("{endpoint:?} became {site}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid);
                    assert!(error.hint().is_some());
                }
            }
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let error = Site::resolve(Some("https://me:hunter2@h"), "eu-west-1", Addressing::Auto, "b").unwrap_err();
        assert!(!format!("{error}{error:?}").contains("hunter2"));
    }

    #[test]
    fn aws_hosts_follow_the_region() {
        for (region, bucket, expected) in [
            ("us-east-1", "b", "https://b.s3.us-east-1.amazonaws.com/k"),
            ("eu-central-2", "b", "https://b.s3.eu-central-2.amazonaws.com/k"),
            ("cn-north-1", "b", "https://b.s3.cn-north-1.amazonaws.com.cn/k"),
            ("us-west-2", "a.b", "https://s3.us-west-2.amazonaws.com/a.b/k"),
        ] {
            let site = Site::resolve(None, region, Addressing::Auto, bucket).unwrap();
            assert_eq!(site.url(bucket, "/k", ""), expected);
            assert_eq!(site.rusoto_region().name(), region, "rusoto would make us-east-1 of regions it does not know");
        }
        let site = Site::resolve(None, "us-east-1", Addressing::Path, "b").unwrap();
        assert_eq!(
            site.moved_to("eu-west-1").unwrap().url("b", "/k", "x="),
            "https://s3.eu-west-1.amazonaws.com/b/k?x="
        );
        let site = site.with_variant(Variant { dual_stack: true, fips: true });
        assert_eq!(site.to_string(), "https://s3-fips.dualstack.us-east-1.amazonaws.com");
        assert_eq!(
            site.moved_to("us-west-2").unwrap().to_string(),
            "https://s3-fips.dualstack.us-west-2.amazonaws.com",
            "another region is reached in the same way"
        );
        let given = Site::resolve(Some("https://h"), "us-east-1", Addressing::Auto, "b").unwrap();
        let still = given.clone().with_variant(Variant { dual_stack: true, fips: true });
        assert_eq!((still.moved_to("r").unwrap().to_string().as_str(), still), ("https://h", given));
        for (given, moved) in [
            ("https://s3.us-east-1.amazonaws.com", "https://s3.eu-west-3.amazonaws.com"),
            ("https://s3.amazonaws.com/", "https://s3.eu-west-3.amazonaws.com"),
            ("s3-fips.dualstack.us-east-1.amazonaws.com", "https://s3-fips.dualstack.eu-west-3.amazonaws.com"),
            ("https://vpce-1.s3.us-east-1.vpce.amazonaws.com", "https://vpce-1.s3.us-east-1.vpce.amazonaws.com"),
            ("https://s3.us-east-1.amazonaws.com:8443", "https://s3.us-east-1.amazonaws.com:8443"),
            ("https://s3.us-east-1.amazonaws.com/x", "https://s3.us-east-1.amazonaws.com/x"),
        ] {
            let given = Site::resolve(Some(given), "us-east-1", Addressing::Auto, "b").unwrap();
            assert_eq!(given.moved_to("eu-west-3").unwrap().to_string(), moved, "Amazon's own form follows as well");
            assert_eq!(given.clone().with_variant(Variant { dual_stack: true, fips: true }), given);
        }
        assert!(Site::resolve(None, "us-east-1/evil", Addressing::Auto, "b").is_err());
        assert!(site.moved_to("evil.example.com/").is_err());
    }

    #[test]
    fn the_style_can_be_forced() {
        assert_eq!(url("https://s3.example.com", Addressing::Virtual, "b"), "https://b.s3.example.com/k");
        assert_eq!(
            url("https://s3.eu-west-1.amazonaws.com", Addressing::Path, "b"),
            "https://s3.eu-west-1.amazonaws.com/b/k"
        );
        assert!(Site::resolve(Some("127.0.0.1:9"), "eu-west-1", Addressing::Virtual, "b").is_err());
        let site = Site::resolve(Some("https://s3.example.com"), "r", Addressing::Virtual, "b").unwrap();
        assert_eq!(site.url("b", "", "list-type=2"), "https://b.s3.example.com/?list-type=2");
    }

    #[test]
    fn amazon_is_known_by_its_name() {
        for (endpoint, amazon) in [
            (None, true),
            (Some("https://s3.eu-west-1.amazonaws.com"), true),
            (Some("https://s3.cn-north-1.amazonaws.com.cn:8443/x"), true),
            (Some("http://localhost:9000"), false),
            (Some("https://amazonaws.com.example.org"), false),
            (Some("http://[::1]:9000"), false),
        ] {
            let site = Site::resolve(endpoint, "us-east-1", Addressing::Path, "b").unwrap();
            assert_eq!(site.is_amazon(), amazon, "{endpoint:?}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (endpoint, addressing, host, port) in [
            ("http://localhost:9000", Addressing::Auto, "localhost", 9000),
            ("https://s3.example.com", Addressing::Virtual, "b.s3.example.com", 443),
            ("http://[::1]", Addressing::Auto, "::1", 80),
            ("http://[::1]:9000/x", Addressing::Auto, "::1", 9000),
            ("10.0.0.7:9000", Addressing::Auto, "10.0.0.7", 9000),
        ] {
            let site = Site::resolve(Some(endpoint), "r", addressing, "b").unwrap();
            assert_eq!(site.host_and_port("b"), (host.to_owned(), port), "{endpoint}");
        }
    }
}
