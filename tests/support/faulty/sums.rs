//! What a server does about checksums: S3 keeps them, others ignore their headers or refuse them. Most check Content-MD5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use storage::checksum::Crc64;

use super::http::{Request, Response};

/// What a server does about checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// Checks, keeps and tells them, as AWS does.
    #[default]
    Kept,
    /// As [`Kept`](Self::Kept), in a bucket with Object Lock: a write needs a checksum or Content-MD5.
    Demanded,
    /// Knows no such headers and says nothing.
    Ignored,
    /// As [`Ignored`](Self::Ignored), and knows no Content-MD5 either.
    Unheeded,
    /// Answers every request that has one with this status and code.
    Refused(u16, &'static str),
}

impl Sums {
    pub(super) fn are_kept(self) -> bool {
        matches!(self, Sums::Kept | Sums::Demanded)
    }

    /// The answer to a request with headers that the server does not like.
    pub(super) fn refusal(self, request: &Request) -> Option<Response> {
        let has_one = || request.headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum-"));
        let body = String::from_utf8_lossy(&request.body[..request.body.len().min(500)]);
        match self {
            Sums::Refused(status, code) if has_one() || body.contains("<ChecksumCRC64NVME>") => {
                Some(match request.method.as_str() {
                    "HEAD" => Response::new(status).header("content-type", "application/xml"),
                    _ => Response::error(status, code),
                })
            }
            _ => None,
        }
    }

    /// The answer to a body that is not what its headers say, or that says too little.
    pub(super) fn disagrees(self, request: &Request, checksum: Crc64) -> Option<Response> {
        let md5 = request.header("content-md5").filter(|_| self != Sums::Unheeded);
        if md5.is_some_and(|sent| sent != BASE64.encode(Md5::digest(&request.body))) {
            return Some(Response::error(400, "BadDigest"));
        }
        if self.are_kept() && self.disagrees_on_the_whole(request, checksum) {
            return Some(Response::error(400, "XAmzContentChecksumMismatch"));
        }
        let has_none = md5.is_none() && request.header("x-amz-checksum-crc64nvme").is_none();
        (self == Sums::Demanded && has_none).then(|| Response::error(400, "InvalidRequest"))
    }

    pub(super) fn disagrees_on_the_whole(self, request: &Request, checksum: Crc64) -> bool {
        request.header("x-amz-checksum-crc64nvme").is_some_and(|sent| sent != checksum.to_string())
    }

    /// The echo of what an upload begins with.
    pub(super) fn promise(self, request: &Request, response: Response) -> Response {
        match request.header("x-amz-checksum-algorithm") {
            Some(algorithm) if self.are_kept() => response.header("x-amz-checksum-algorithm", algorithm),
            _ => response,
        }
    }

    pub(super) fn tell(self, response: Response, checksum: Crc64) -> Response {
        match self.are_kept() {
            true => response
                .header("x-amz-checksum-crc64nvme", checksum.to_string())
                .header("x-amz-checksum-type", "FULL_OBJECT"),
            false => response,
        }
    }

    pub(super) fn tell_if_asked(self, request: &Request, response: Response, content: &[u8]) -> Response {
        match request.header("x-amz-checksum-mode") {
            Some("ENABLED") => self.tell(response, Crc64::of(content)),
            _ => response,
        }
    }
}
