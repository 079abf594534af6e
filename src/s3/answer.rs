//! A buffered answer, and how a body is read within time and bounds.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::network;
use super::payload::timed_out;
use crate::checksum::{Algorithm, Crc64, StoredChecksum};
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

/// The other checksum that the server holds, where it holds no full CRC-64/NVME: the best one that is of the object's own
/// bytes, else the best composite one. A header that makes no sense is none.
pub(super) fn stored(headers: &HeaderMap) -> Option<StoredChecksum> {
    if checksum(headers).is_some() {
        return None;
    }
    let is_composite = header(headers, "x-amz-checksum-type") == Some("COMPOSITE");
    let all: Vec<StoredChecksum> = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| {
            let text = header(headers, &format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase()))?;
            match is_composite && !text.contains('-') {
                // Some servers leave the number of parts to the ETag.
                true => StoredChecksum::parse(algorithm, &format!("{text}-{}", parts_of(&etag(headers)?)?)).ok(),
                false => StoredChecksum::parse(algorithm, text).ok(),
            }
        })
        .collect();
    let full = all.iter().find(|sum| sum.parts().is_none());
    full.or(all.first()).cloned()
}

/// The 3 of `"9b2cf535f27731c974343645a3985328-3"`.
fn parts_of(etag: &str) -> Option<u32> {
    etag.trim_matches('"').rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &'static str)]) -> (Option<Crc64>, Option<String>) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        (checksum(&headers), stored(&headers).map(|sum| format!("{sum:?}")))
    }

    #[test]
    fn the_best_checksum_is_taken() {
        const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");
        const CRC32C: (&str, &str) = ("x-amz-checksum-crc32c", "AAAAAA==-7");
        const CRC64: (&str, &str) = ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=");
        const FULL: (&str, &str) = ("x-amz-checksum-type", "FULL_OBJECT");
        const COMPOSITE: (&str, &str) = ("x-amz-checksum-type", "COMPOSITE");
        let etag = ("etag", "\"00-12\"");
        for (headers, whole, other) in [
            (&[][..], false, None),
            (&[CRC64, FULL], true, None),
            (&[CRC64, CRC32], true, None),
            (&[CRC64, COMPOSITE, etag], false, Some("CRC64NVME(AAAAAAAAAAA=-12)")),
            (&[CRC32], false, Some("CRC32(AAAAAA==)")),
            (&[CRC32, CRC32C], false, Some("CRC32(AAAAAA==)")),
            (&[CRC32C, COMPOSITE], false, Some("CRC32C(AAAAAA==-7)")),
            (&[CRC32, COMPOSITE, etag], false, Some("CRC32(AAAAAA==-12)")),
            (&[CRC32, COMPOSITE], false, None),
            (&[("x-amz-checksum-sha256", "AAAAAA==")], false, None),
        ] {
            let expected = (whole.then_some(Crc64::EMPTY), other.map(str::to_owned));
            assert_eq!(found(headers), expected, "{headers:?}");
        }
    }
}
