//! The part of S3 that the project uses, in memory, as AWS documents it.

use std::collections::BTreeMap;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use storage::checksum::Crc64;

use super::BUCKET;
use super::http::{Request, Response};
use super::rule::{Meanwhile, Operation};
use super::sums::Sums;
use super::uploads::Upload;

const MODIFIED: &str = "Fri, 02 Jan 2026 03:04:05 GMT";
const MODIFIED_IN_LISTINGS: &str = "2026-01-02T03:04:05.000Z";
/// As AWS encodes keys of listings: like a form, but slashes stay.
const IN_LISTINGS: AsciiSet =
    NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');
/// Keys on one page of a listing.
const PAGE: usize = 1000;

pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) etag: String,
    /// The `x-amz-meta-` headers it was written with.
    pub(super) metadata: Vec<(String, String)>,
}

impl Object {
    fn head(&self, status: u16) -> Response {
        let mut response = Response::new(status)
            .header("etag", self.etag.as_str())
            .header("last-modified", MODIFIED)
            .header("accept-ranges", "bytes")
            .header("content-type", "application/octet-stream");
        for (name, value) in &self.metadata {
            response.set(name, value.as_str());
        }
        response
    }
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) uploads_ever: u32,
    pub(super) sums: Sums,
    pub(super) deletes_many: bool,
    pub(super) lifecycle: Option<String>,
}

impl Store {
    pub(super) fn put_object(&mut self, key: &str, content: &[u8]) {
        let object = Object { content: content.to_vec(), etag: etag_of(Crc64::of(content)), metadata: Vec::new() };
        self.objects.insert(key.to_owned(), object);
    }

    pub(super) fn meddle(&mut self, what: &Meanwhile) {
        match what {
            Meanwhile::Put(key, content) => self.put_object(key, content),
            Meanwhile::Lifecycle(xml) => self.lifecycle = Some((*xml).to_owned()),
            Meanwhile::AbortAll => self.uploads.clear(),
            Meanwhile::LosePart(number) => self.uploads.values_mut().for_each(|upload| upload.lose(*number)),
        }
    }

    pub(super) fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.objects.get(key).map(|object| object.content.clone())
    }

    pub(super) fn answer(&mut self, request: &Request) -> Response {
        if request.bucket() != BUCKET {
            return Response::error(404, "NoSuchBucket");
        }
        if let Some(refusal) = self.sums.refusal(request) {
            return refusal;
        }
        if request.method == "HEAD" && request.key().is_none() {
            return Response::new(200);
        }
        let key = request.key().unwrap_or_default();
        match Operation::of(request) {
            Some(Operation::Put) => self.put(request, key),
            Some(Operation::Get) => self.get(request, &key),
            Some(Operation::Head) => self.head(request, &key),
            Some(Operation::List) => self.list(request),
            Some(Operation::Delete) => {
                self.objects.remove(&key);
                Response::new(204)
            }
            Some(Operation::DeleteMany) if self.deletes_many => self.delete_many(request),
            Some(Operation::Create) => self.create_upload(request, key),
            Some(Operation::Part) => self.put_part(request),
            Some(Operation::Complete) => self.complete_upload(request, key),
            Some(Operation::Abort) => self.abort_upload(request),
            Some(Operation::HeadBucket) => Response::new(200).header("x-amz-bucket-region", "us-east-1"),
            Some(Operation::CreateBucket) => Response::error(409, "BucketAlreadyOwnedByYou"),
            Some(Operation::ReadLifecycle) => match &self.lifecycle {
                Some(xml) => Response::new(200).header("content-type", "application/xml").body(xml.as_str()),
                None => Response::error(404, "NoSuchLifecycleConfiguration"),
            },
            Some(Operation::WriteLifecycle) => {
                self.lifecycle = (request.method == "PUT").then(|| String::from_utf8(request.body.clone()).unwrap());
                Response::new(if self.lifecycle.is_some() { 200 } else { 204 })
            }
            Some(Operation::Any | Operation::DeleteMany | Operation::Ask) | None => {
                Response::error(501, "NotImplemented")
            }
        }
    }

    fn put(&mut self, request: &Request, key: String) -> Response {
        if let Some(refusal) = self.refuse_write(request, &key) {
            return refusal;
        }
        let checksum = Crc64::of(&request.body);
        if let Some(refusal) = self.sums.disagrees(request, checksum) {
            return refusal;
        }
        let etag = etag_of(checksum);
        let object = Object { content: request.body.clone(), etag: etag.clone(), metadata: metadata_of(request) };
        self.objects.insert(key, object);
        self.sums.tell(Response::new(200).header("etag", etag), checksum)
    }

    /// `If-None-Match: *` where something is, `If-Match` where something else is, or nothing.
    pub(super) fn refuse_write(&self, request: &Request, key: &str) -> Option<Response> {
        let there = self.objects.get(key);
        let taken = request.header("if-none-match") == Some("*") && there.is_some();
        match request.header("if-match") {
            Some(_) if there.is_none() => Some(Response::error(404, "NoSuchKey")),
            Some(etag) if there.is_some_and(|object| object.etag != etag) => {
                Some(Response::error(412, "PreconditionFailed"))
            }
            _ => taken.then(|| Response::error(412, "PreconditionFailed")),
        }
    }

    fn get(&self, request: &Request, key: &str) -> Response {
        let Some(object) = self.objects.get(key) else {
            return Response::error(404, "NoSuchKey");
        };
        if request.header("if-match").is_some_and(|pin| pin != object.etag) {
            return Response::error(412, "PreconditionFailed");
        }
        let size = object.content.len();
        match request.header("range").map(|text| parse_range(text, size)) {
            Some(None) => Response::error(416, "InvalidRange"),
            Some(Some(range)) => object
                .head(206)
                .header("content-range", format!("bytes {}-{}/{size}", range.start, range.end - 1))
                .body(&object.content[range]),
            None => self.sums.tell_if_asked(request, object.head(200), &object.content).body(object.content.as_slice()),
        }
    }

    fn head(&self, request: &Request, key: &str) -> Response {
        match self.objects.get(key) {
            Some(object) => self
                .sums
                .tell_if_asked(request, object.head(200), &object.content)
                .header("content-length", object.content.len().to_string()),
            None => Response::new(404).header("content-type", "application/xml"),
        }
    }

    /// As AWS: a body without its MD5 is refused.
    fn delete_many(&mut self, request: &Request) -> Response {
        if request.header("content-md5").is_none() {
            return Response::error(400, "InvalidRequest");
        }
        if let Some(refusal) = self.sums.disagrees(request, Crc64::of(&request.body)) {
            return refusal;
        }
        let xml = String::from_utf8(request.body.clone()).unwrap();
        for key in xml.split("<Key>").skip(1) {
            let key = key.split("</Key>").next().unwrap();
            self.objects.remove(&*quick_xml::escape::unescape(key).unwrap());
        }
        Response::xml(200, "<DeleteResult></DeleteResult>")
    }

    fn list(&self, request: &Request) -> Response {
        let prefix = request.param("prefix").unwrap_or_default();
        let after = request.param("continuation-token").or(request.param("start-after")).unwrap_or_default();
        let wanted = request.param("max-keys").and_then(|text| text.parse().ok()).unwrap_or(PAGE);
        let matching = || self.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let page: Vec<_> = matching().take(wanted).collect();
        let is_url = request.param("encoding-type") == Some("url");
        let truncated = matching().count() > page.len();
        let mut inside = format!("<Name>{BUCKET}</Name><IsTruncated>{truncated}</IsTruncated>");
        if is_url {
            inside += "<EncodingType>url</EncodingType>";
        }
        if let Some((last, _)) = page.last().filter(|_| truncated) {
            inside += &format!("<NextContinuationToken>{}</NextContinuationToken>", escape(last));
        }
        for (key, object) in page {
            let key = if is_url { form_encode(key) } else { escape(key) };
            inside += &format!(
                "<Contents><Key>{key}</Key><LastModified>{MODIFIED_IN_LISTINGS}</LastModified><ETag>{}</ETag>\
                 <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escape(&object.etag),
                object.content.len(),
            );
        }
        Response::xml(200, &format!("<ListBucketResult>{inside}</ListBucketResult>"))
    }
}

pub(super) fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

fn form_encode(key: &str) -> String {
    utf8_percent_encode(key, &IN_LISTINGS).to_string().replace(' ', "+")
}

/// Something of an ETag's shape that changes with the content.
pub(super) fn etag_of(checksum: Crc64) -> String {
    let hex: String = checksum.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}{hex}\"")
}

pub(super) fn metadata_of(request: &Request) -> Vec<(String, String)> {
    request.headers.iter().filter(|(name, _)| name.starts_with("x-amz-meta-")).cloned().collect()
}

/// `bytes=a-b`, cut to the object; `None` where it lies outside.
fn parse_range(text: &str, size: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let end = last.parse::<usize>().map_or(size, |last| size.min(last + 1));
    (first < end).then_some(first..end)
}
