//! Signed requests for set-up and assertions, over the crates that the project uses anyway.
//! Blocking, so that it can be called from any test, asynchronous or not.

use std::thread;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::events::Event;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::Keys;
use super::authority::Authority;

const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATHS: AsciiSet = UNRESERVED.remove(b'/');

/// Text as it stands in a query or form.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, &UNRESERVED).to_string()
}

/// A key as it stands in a path.
pub fn encode_path(key: &str) -> String {
    utf8_percent_encode(key, &IN_PATHS).to_string()
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The contents of every element of this name, in order.
    pub fn texts(&self, element: &str) -> Vec<String> {
        let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(&self.body).unwrap());
        let mut found = Vec::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) if start.name().as_ref() == element => {
                    let raw = reader.read_text(start.name()).unwrap();
                    found.push(quick_xml::escape::unescape(&raw).unwrap().into_owned());
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    /// The keys of a listing that was asked for with `encoding-type=url`.
    pub fn keys(&self) -> Vec<String> {
        let decode = |key: String| percent_decode_str(&key.replace('+', " ")).decode_utf8().unwrap().into_owned();
        self.texts("Key").into_iter().map(decode).collect()
    }
}

pub struct Client {
    endpoint: String,
    tls: ClientConfig,
}

impl Client {
    pub fn new(endpoint: &str, authority: Option<&Authority>) -> Self {
        let mut roots = RootCertStore::empty();
        if let Some(authority) = authority {
            roots.add(CertificateDer::from_pem_file(authority.ca()).unwrap()).unwrap();
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client { endpoint: endpoint.to_owned(), tls }
    }

    /// The answer to one request; `target` is the path with its query, encoded.
    pub fn call(&self, keys: &Keys, service: &str, method: &str, target: &str, body: &[u8]) -> Answer {
        let answer = self.try_call(keys, service, method, target, body);
        answer.unwrap_or_else(|| panic!("{method} {}{target} was not answered", self.endpoint))
    }

    /// The same, `None` without a connection.
    pub fn try_call(&self, keys: &Keys, service: &str, method: &str, target: &str, body: &[u8]) -> Option<Answer> {
        let form = (service == "sts").then_some(("content-type", "application/x-www-form-urlencoded"));
        self.ask(self.signed(keys, service, method, target, form.as_slice(), body))
    }

    /// The answer of S3 to a request with headers of its own.
    pub fn call_with(
        &self,
        keys: &Keys,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        self.ask(self.signed(keys, "s3", method, target, headers, body))
    }

    fn ask(&self, request: http::Request<Full<Bytes>>) -> Option<Answer> {
        // On a thread of its own, since a runtime may not be entered from inside another.
        thread::scope(|scope| scope.spawn(|| block_on(send(self.connector(), request))).join().unwrap())
    }

    fn connector(&self) -> HttpsConnector<HttpConnector> {
        HttpsConnectorBuilder::new().with_tls_config(self.tls.clone()).https_or_http().enable_http1().build()
    }

    fn signed(
        &self,
        keys: &Keys,
        service: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> http::Request<Full<Bytes>> {
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "tests").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("{}{target}", self.endpoint);
        let signed = headers.iter().copied();
        let signable = SignableRequest::new(method, &uri, signed, SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut request = http::Request::builder().method(method).uri(&uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        request
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn send(connector: HttpsConnector<HttpConnector>, request: http::Request<Full<Bytes>>) -> Option<Answer> {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
    let (head, body) = client.request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
}
