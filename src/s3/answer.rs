//! A buffered answer, and how a body is read within time and bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::network;
use super::payload::timed_out;
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};

/// The largest answer to a control call in bytes. A page of 1,000 keys of 1,024 bytes, all encoded, has 4 MiB.
const LARGEST: usize = 16 << 20;

/// An answer in memory.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads the rest of an answer.
    pub(super) async fn read(parts: Parts, mut body: Incoming, stall: Duration) -> Result<Self> {
        let mut whole = BytesMut::new();
        while let Some(piece) = next_piece(&mut body, stall).await? {
            if whole.len() + piece.len() > LARGEST {
                return Err(Error::new(ErrorKind::Other, format!("the answer is longer than {LARGEST} bytes")));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body: whole.freeze() })
    }
}

/// The next bytes of a body; `None` at its end.
pub(super) async fn next_piece(body: &mut Incoming, stall: Duration) -> Result<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(stall, body.frame()).await;
        match frame.map_err(|_| timed_out("the download stood still for", stall))? {
            None => return Ok(None),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) if !piece.is_empty() => return Ok(Some(piece)),
                // Trailers.
                _ => continue,
            },
            Some(Err(error)) => return Err(network::lost(error)),
        }
    }
}

/// A header as text; `None` where it is missing or not printable ASCII.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
}

/// The ETag, with its quotes.
pub(super) fn etag(headers: &HeaderMap) -> Option<String> {
    header(headers, "etag").map(str::to_owned)
}

/// The CRC-64/NVME that the server holds; `None` where it holds none, or only one that was made from those of the parts.
pub(super) fn checksum(headers: &HeaderMap) -> Option<Crc64> {
    match header(headers, "x-amz-checksum-type") {
        None | Some("FULL_OBJECT") => header(headers, "x-amz-checksum-crc64nvme")?.parse().ok(),
        Some(_) => None,
    }
}
