//! HTTP/1.1 by hand, so that it can be wrong on purpose.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

use percent_encoding::percent_decode_str;

use super::BUCKET;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// On which connection, from 0.
    pub connection: usize,
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// What arrived of the body.
    pub body: Vec<u8>,
    params: Vec<(String, String)>,
    /// What stands before the bucket.
    pub(super) base: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// A decoded parameter of the query; empty where it has no value.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Without a query.
    pub fn is_plain(&self) -> bool {
        self.params.is_empty()
    }

    /// The path as it was sent.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The path behind what stands before the bucket.
    fn inside(&self) -> &str {
        self.path().strip_prefix(self.base.as_str()).unwrap_or("/elsewhere").trim_start_matches('/')
    }

    /// The bucket is a part of the host's name.
    fn is_virtual_host(&self) -> bool {
        self.header("host").is_some_and(|host| host.starts_with(&format!("{BUCKET}.")))
    }

    pub fn bucket(&self) -> &str {
        if self.is_virtual_host() { BUCKET } else { self.inside().split('/').next().unwrap() }
    }

    /// The decoded key; `None` for a request about the bucket.
    pub fn key(&self) -> Option<String> {
        let key = if self.is_virtual_host() { self.inside() } else { self.inside().split_once('/')?.1 };
        (!key.is_empty()).then(|| decode(key))
    }

    /// The region that it is signed for.
    pub fn region(&self) -> &str {
        let scope = self.header("authorization").and_then(|text| text.split("Credential=").nth(1)).unwrap_or_default();
        scope.split('/').nth(2).unwrap_or_default()
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The next request up to its body; `None` where the client has closed the connection.
pub(super) fn read_head(reader: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut lines = lines.into_iter();
    let first = lines.next().ok_or_else(broken)?;
    let mut words = first.split(' ');
    let (method, target) = words.next().zip(words.next()).ok_or_else(broken)?;
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Option<_>>()
        .ok_or_else(broken)?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let params = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok(Some(Request { connection, method, target, headers, body: Vec::new(), params, base: String::new() }))
}

/// Reads the body into `request`, as far as it comes, and no more than `most` bytes.
pub(super) fn read_body(
    reader: &mut impl BufRead,
    request: &mut Request,
    mut stream: &TcpStream,
    most: u64,
) -> io::Result<()> {
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length: u64 = match request.header("content-length") {
        Some(text) => text.parse().map_err(io::Error::other)?,
        None if request.header("transfer-encoding").is_some() => {
            return Err(io::Error::other("S3 takes no chunked bodies"));
        }
        None => 0,
    };
    let length = length.min(most);
    let arrived = reader.by_ref().take(length).read_to_end(&mut request.body)?;
    if (arrived as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Values may be any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// True: no Content-Length; the end of the connection is the end of the body.
    pub unframed: bool,
}

impl Response {
    pub fn new(status: u16) -> Self {
        Response { status, headers: Vec::new(), body: Vec::new(), unframed: false }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.set(name, value);
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A document of S3.
    pub fn xml(status: u16, inside: &str) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inside}");
        Response::new(status).header("content-type", "application/xml").body(body)
    }

    /// S3's way to say no.
    pub fn error(status: u16, code: &str) -> Self {
        Response::xml(status, &format!("<Error><Code>{code}</Code><Message>a scripted {code}</Message></Error>"))
    }

    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// The answer to a HEAD: the length of the body without the body.
    pub(super) fn without_body(mut self) -> Self {
        let has_length = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !has_length && !self.unframed {
            self.set("content-length", self.body.len().to_string());
        }
        self.body.clear();
        self
    }

    pub(super) fn ends_with_connection(&self) -> bool {
        self.unframed
    }

    /// As it stands on the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let has_length = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if self.unframed {
            bytes.extend_from_slice(b"connection: close\r\n");
        } else if !has_length && self.status != 204 {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
