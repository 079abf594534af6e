//! From rusoto's request shapes to the bytes on the wire, in our own strict encoding.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_MATCH, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rusoto_core::signature::{SignedRequest, SignedRequestPayload};

use super::endpoint::Site;
use super::payload::Payload;
use crate::error::{Error, ErrorKind, Result};

/// Everything but RFC 3986's unreserved characters, as signature version 4 wants it.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for keys, whose slashes stay.
pub(super) const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');
const AGENT: &str = concat!("strata-ckpt/", env!("CARGO_PKG_VERSION"));

/// A request that can be signed and sent any number of times.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    /// Encoded; what follows the bucket: empty, or `/key`.
    path: String,
    query: String,
    headers: HeaderMap,
    pub(super) body: Payload,
    /// Tries that nobody answered.
    pub(super) failed_contacts: Arc<AtomicU32>,
}

impl Outgoing {
    /// Takes the shape out of rusoto's request, whose path is `/bucket` or `/bucket/key`, not encoded. `body` replaces
    /// what the request carries, if it is given.
    pub(super) fn new(request: SignedRequest, bucket: &str, body: Option<Payload>) -> Result<Self> {
        let broken = |what: &str| Error::new(ErrorKind::Other, format!("the request has an unusable {what}"));
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| broken("method"))?;
        let path = request.path.strip_prefix('/').and_then(|path| path.strip_prefix(bucket));
        let path = match path {
            Some(path) if path.is_empty() || path.starts_with('/') => {
                utf8_percent_encode(path, STRICT_PATH).to_string()
            }
            _ => return Err(broken("path")),
        };
        let encode = |text: &str| utf8_percent_encode(text, STRICT).to_string();
        let query: Vec<String> = request
            .params
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value.as_deref().unwrap_or_default())))
            .collect();
        let body = match (body, request.payload) {
            (Some(body), _) => body,
            (None, Some(SignedRequestPayload::Buffer(bytes))) if !bytes.is_empty() => Payload::Bytes(bytes),
            (None, Some(SignedRequestPayload::Stream(_))) => return Err(broken("body")),
            (None, _) => Payload::Empty,
        };
        let writes = method == Method::PUT || method == Method::POST;
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 4);
        for (name, values) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| broken("header"))?;
            // rusoto puts a content type on everything.
            if name == HOST || name == CONTENT_LENGTH || (name == CONTENT_TYPE && !writes) {
                continue;
            }
            for value in values {
                headers.append(&name, HeaderValue::from_bytes(value).map_err(|_| broken("header"))?);
            }
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if writes {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Ok(Outgoing { method, path, query: query.join("&"), headers, body, failed_contacts: Arc::default() })
    }

    /// The object's key as the server knows it.
    pub(super) fn key(&self) -> Option<String> {
        let path = self.path.strip_prefix('/').filter(|path| !path.is_empty())?;
        Some(percent_decode_str(path).decode_utf8().ok()?.into_owned())
    }

    /// Whether its query names this.
    pub(super) fn asks(&self, name: &str) -> bool {
        self.query.split('&').any(|pair| pair.split('=').next() == Some(name))
    }

    /// The right that it takes, and on what, where it is one of the five or one that a check makes use of.
    pub(super) fn right(&self) -> Option<&'static str> {
        let on_object = !self.path.is_empty();
        match self.method {
            // What a HEAD or a GET says of an object that is not there depends on the other right.
            Method::GET | Method::HEAD if on_object => {
                Some("s3:GetObject on its objects, and s3:ListBucket on the bucket")
            }
            Method::GET if self.asks("list-type") => Some("s3:ListBucket on the bucket"),
            Method::PUT | Method::POST if on_object => Some("s3:PutObject on its objects"),
            Method::DELETE if self.asks("versionId") => Some("s3:DeleteObjectVersion on its objects"),
            Method::DELETE if self.asks("uploadId") => Some("s3:AbortMultipartUpload on its objects"),
            Method::DELETE if on_object => Some("s3:DeleteObject on its objects"),
            Method::POST if self.asks("delete") => Some("s3:DeleteObject on its objects"),
            _ => None,
        }
    }

    /// The same request with another body.
    pub(super) fn with_body(&self, body: Payload) -> Self {
        let mut other = Outgoing { body, failed_contacts: Arc::default(), ..self.clone() };
        other.headers.insert(CONTENT_LENGTH, HeaderValue::from(other.body.len()));
        other
    }

    /// Whether it is done only under a condition.
    pub(super) fn is_conditional(&self) -> bool {
        [IF_MATCH, IF_NONE_MATCH].iter().any(|name| self.headers.contains_key(name))
    }

    /// Adds a header, or replaces it.
    pub(super) fn set(&mut self, name: &'static str, value: &str) -> Result<()> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Error::new(ErrorKind::Other, format!("the request has an unusable header {name}")))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(())
    }

    /// It is the bucket itself that is to be made.
    pub(super) fn makes_a_bucket(&self) -> bool {
        self.method == Method::PUT && self.path.is_empty() && self.query.is_empty()
    }

    /// The request as it goes to `site`, not signed yet.
    pub(super) fn to_http(&self, site: &Site, bucket: &str) -> Result<Request<()>> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(site.url(bucket, &self.path, &self.query))
            .body(())
            .map_err(|error| Error::new(ErrorKind::Other, "the request has no usable address").caused_by(error))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::PartBody;
    use crate::s3::credentials::StaticCredentials;
    use crate::s3::endpoint::Addressing;
    use crate::s3::sign::sign;
    use proptest::prelude::*;
    use std::time::{Duration, SystemTime};

    fn site(endpoint: Option<&str>, bucket: &str) -> Site {
        Site::resolve(endpoint, "us-east-1", Addressing::Auto, bucket).unwrap()
    }

    fn uri(path: &str, params: &[(&str, &str)]) -> String {
        let site = site(Some("http://localhost:9000/"), "b");
        let mut request = SignedRequest::new("GET", "s3", &site.rusoto_region(), path);
        for (name, value) in params {
            request.add_param(*name, *value);
        }
        Outgoing::new(request, "b", None).unwrap().to_http(&site, "b").unwrap().uri().to_string()
    }

    #[test]
    fn keys_are_encoded_strictly_and_keep_their_slashes() {
        for (key, encoded) in [
            ("a/b.c-d_e~f", "a/b.c-d_e~f"),
            ("a b+c", "a%20b%2Bc"),
            ("100%/%2F", "100%25/%252F"),
            ("?#[]@!$&'()*,;=:\"", "%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2C%3B%3D%3A%22"),
            ("e\u{301}\u{1F600}", "e%CC%81%F0%9F%98%80"),
            ("\n\t\\ ", "%0A%09%5C%20"),
        ] {
            assert_eq!(uri(&format!("/b/{key}"), &[]), format!("http://localhost:9000/b/{encoded}"));
        }
        assert_eq!(uri("/b", &[("prefix", "a b/+"), ("x", "")]), "http://localhost:9000/b?prefix=a%20b%2F%2B&x=");
    }

    #[test]
    fn a_path_outside_the_bucket_is_refused() {
        let site = site(None, "b");
        for path in ["/other/key", "/bb", "b/key", ""] {
            let request = SignedRequest::new("GET", "s3", &site.rusoto_region(), path);
            assert!(Outgoing::new(request, "b", None).is_err(), "{path}");
        }
    }

    #[test]
    fn each_request_takes_one_of_the_five_rights() {
        let right = |method: &str, path: &str, params: &[&str]| {
            let mut request = SignedRequest::new(method, "s3", &site(None, "b").rusoto_region(), path);
            for name in params {
                request.add_param(*name, "x");
            }
            let words = Outgoing::new(request, "b", None).unwrap().right()?;
            Some(words.split(' ').next().unwrap())
        };
        assert_eq!(right("GET", "/b", &["list-type", "prefix"]), Some("s3:ListBucket"));
        assert_eq!(right("GET", "/b/k", &[]), Some("s3:GetObject"));
        assert_eq!(right("PUT", "/b/k", &["partNumber", "uploadId"]), Some("s3:PutObject"));
        assert_eq!(right("POST", "/b/k", &["uploads"]), Some("s3:PutObject"));
        assert_eq!(right("DELETE", "/b/k", &["uploadId"]), Some("s3:AbortMultipartUpload"));
        assert_eq!(right("DELETE", "/b/k", &[]), Some("s3:DeleteObject"));
        assert_eq!(right("POST", "/b", &["delete"]), Some("s3:DeleteObject"));
        assert_eq!(right("PUT", "/b", &["lifecycle"]), None);
    }

    proptest! {
        #[test]
        fn the_server_decodes_the_same_key(key in "[^/\0]{1,40}(/[^/\0]{1,20})?") {
            let uri = uri(&format!("/b/{key}"), &[]);
            let path = uri.strip_prefix("http://localhost:9000/b/").unwrap();
            prop_assert_eq!(percent_encoding::percent_decode_str(path).decode_utf8().unwrap(), key);
        }
    }

    fn keys(token: Option<&str>) -> aws_credential_types::Credentials {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        StaticCredentials::new("AKIAIOSFODNN7EXAMPLE", secret, token.map(str::to_owned)).into_credentials()
    }

    /// 2013-05-24T00:00:00Z.
    fn midnight() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600)
    }

    /// A request of AWS's own examples, for the bucket `examplebucket` at 2013-05-24T00:00:00Z.
    struct Example {
        method: &'static str,
        path: &'static str,
        params: &'static [(&'static str, &'static str)],
        headers: &'static [(&'static str, &'static str)],
        body: &'static str,
        token: Option<&'static str>,
    }

    impl Example {
        const GET: Example =
            Example { method: "GET", path: "/examplebucket", params: &[], headers: &[], body: "", token: None };

        fn signed(&self) -> http::request::Parts {
            let site = Site::resolve(Some("https://s3.amazonaws.com"), "us-east-1", Addressing::Auto, "examplebucket");
            let site = site.unwrap();
            let mut request = SignedRequest::new(self.method, "s3", &site.rusoto_region(), self.path);
            for (name, value) in self.params {
                request.add_param(*name, *value);
            }
            for (name, value) in self.headers {
                request.add_header(*name, value);
            }
            let body = Payload::Bytes(self.body.as_bytes().to_vec().into());
            let outgoing = Outgoing::new(request, "examplebucket", Some(body.clone())).unwrap();
            let (mut parts, ()) = outgoing.to_http(&site, "examplebucket").unwrap().into_parts();
            // The examples have none.
            parts.headers.remove(CONTENT_LENGTH);
            sign(&mut parts, &body, &keys(self.token), "us-east-1", midnight()).unwrap();
            parts
        }

        fn signature(&self) -> String {
            let parts = self.signed();
            let authorization = parts.headers["authorization"].to_str().unwrap();
            authorization.rsplit_once("Signature=").unwrap().1.to_owned()
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, "Examples: Signature Calculations".
    #[test]
    fn signatures_equal_the_published_ones() {
        let range = Example { path: "/examplebucket/test.txt", headers: &[("Range", "bytes=0-9")], ..Example::GET };
        assert_eq!(range.signature(), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        let put = Example {
            method: "PUT",
            path: "/examplebucket/test$file.text",
            headers: &[("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            body: "Welcome to Amazon S3.",
            ..Example::GET
        };
        assert_eq!(put.signature(), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
        let lifecycle = Example { params: &[("lifecycle", "")], ..Example::GET };
        assert_eq!(lifecycle.signature(), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
        let list = Example { params: &[("max-keys", "2"), ("prefix", "J")], ..Example::GET };
        assert_eq!(list.signature(), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    }

    /// Computed apart from this code, with Python's hmac and urllib, by a script that gives the published ones too.
    #[test]
    fn signatures_of_what_is_special() {
        let key = Example { path: "/examplebucket/a b+c/%2F\u{e9}\n~'(*)?#", ..Example::GET };
        assert_eq!(key.signature(), "2979b72d4c3ca72f77fc51f3957b393021fdab29d724b10e741b447d0ccd41cc");
        let query = Example {
            params: &[("prefix", "a b+/=&%\u{e9}"), ("empty", ""), ("continuation-token", "1/x+y==")],
            ..Example::GET
        };
        assert_eq!(query.signature(), "b1e557b8233a038f4324933ce8caae833895730be1b019f77c467c0ebd94b4fa");
        let repeated = Example {
            path: "/examplebucket/k",
            headers: &[("x-amz-meta-a", "one"), ("x-amz-meta-a", "two"), ("x-amz-meta-b", "  a   b ")],
            ..Example::GET
        };
        assert_eq!(repeated.signature(), "242baf8216b9561446d6106b91d0b1868585ef7e6b4d3a6fdec0b6cba4bca9bc");
        let token = Example { path: "/examplebucket/k", token: Some("tok/en=="), ..Example::GET };
        assert_eq!(token.signature(), "b4b969635a4d94fd65137c702280d298eddf083cb344a7b5a2d576141e08924b");
        assert_eq!(token.signed().headers["x-amz-security-token"], "tok/en==");
    }

    #[test]
    fn a_part_is_not_hashed_for_its_signature() {
        let site = site(Some("https://s3.amazonaws.com"), "examplebucket");
        let mut request = SignedRequest::new("PUT", "s3", &site.rusoto_region(), "/examplebucket/k");
        request.add_param("partNumber", "7");
        request.add_param("uploadId", "u~1");
        request.add_header("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        let body = Payload::Part(PartBody::from_bytes("12345".into()));
        let outgoing = Outgoing::new(request, "examplebucket", Some(body.clone())).unwrap();
        let (mut parts, ()) = outgoing.to_http(&site, "examplebucket").unwrap().into_parts();
        assert_eq!(parts.headers[CONTENT_LENGTH], "5");
        sign(&mut parts, &body, &keys(None), "us-east-1", midnight()).unwrap();
        let authorization = parts.headers["authorization"].to_str().unwrap();
        assert!(authorization.ends_with("=71773deb9460c703357e4592c4bddec40fb0093ff5d5e42854eb61eca50d9d62"));
        assert!(parts.headers["authorization"].is_sensitive());
    }
}
