//! Multipart uploads of the store in memory.

use std::collections::BTreeMap;

use storage::checksum::Crc64;

use super::http::{Request, Response};
use super::store::{Object, Store, escape, etag_of, metadata_of};
use super::sums::Sums;

pub(super) struct Upload {
    key: String,
    metadata: Vec<(String, String)>,
    parts: BTreeMap<u32, Vec<u8>>,
    /// It was begun with the announcement of checksums.
    has_sums: bool,
}

impl Upload {
    pub(super) fn lose(&mut self, number: u32) {
        self.parts.remove(&number);
    }
}

impl Store {
    pub(super) fn uploads_in_progress(&self) -> Vec<String> {
        self.uploads.values().map(|upload| upload.key.clone()).collect()
    }

    pub(super) fn create_upload(&mut self, request: &Request, key: String) -> Response {
        self.uploads_ever += 1;
        let id = format!("upload+{}/=", self.uploads_ever);
        let inside = format!("<Key>{}</Key><UploadId>{id}</UploadId>", escape(&key));
        let has_sums = request.header("x-amz-checksum-algorithm").is_some();
        let upload = Upload { key, metadata: metadata_of(request), parts: BTreeMap::new(), has_sums };
        self.uploads.insert(id, upload);
        let begun = format!("<InitiateMultipartUploadResult>{inside}</InitiateMultipartUploadResult>");
        self.sums.promise(request, Response::xml(200, &begun))
    }

    pub(super) fn put_part(&mut self, request: &Request) -> Response {
        let number = request.param("partNumber").and_then(|number| number.parse().ok());
        let Some(number @ 1..=10_000) = number else { return Response::error(400, "InvalidArgument") };
        let Some(upload) = request.param("uploadId").and_then(|id| self.uploads.get_mut(id)) else {
            return Response::error(404, "NoSuchUpload");
        };
        let checksum = Crc64::of(&request.body);
        if let Some(refusal) = self.sums.disagrees(request, checksum) {
            return refusal;
        }
        upload.parts.insert(number, request.body.clone());
        self.sums.tell(Response::new(200).header("etag", etag_of(checksum)), checksum)
    }

    pub(super) fn complete_upload(&mut self, request: &Request, key: String) -> Response {
        let id = request.param("uploadId").unwrap_or_default();
        if let Some(refusal) = self.refuse_write(request, &key) {
            return refusal;
        }
        let Some(upload) = self.uploads.get(id) else { return Response::error(404, "NoSuchUpload") };
        let content = match assemble(upload, &request.body, self.sums) {
            Ok(content) => content,
            Err(code) => return Response::error(400, code),
        };
        let checksum = Crc64::of(&content);
        if self.sums.are_kept() && self.sums.disagrees_on_the_whole(request, checksum) {
            return Response::error(400, "BadDigest");
        }
        let count = upload.parts.len();
        let etag = format!("\"{}-{count}\"", etag_of(checksum).trim_matches('"'));
        let object = Object { content, etag: etag.clone(), metadata: upload.metadata.clone() };
        self.uploads.remove(id);
        let inside = format!(
            "<Key>{}</Key><ETag>{}</ETag><ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>\
             <ChecksumType>FULL_OBJECT</ChecksumType>",
            escape(&key),
            escape(&etag),
        );
        self.objects.insert(key, object);
        Response::xml(200, &format!("<CompleteMultipartUploadResult>{inside}</CompleteMultipartUploadResult>"))
    }

    pub(super) fn abort_upload(&mut self, request: &Request) -> Response {
        match request.param("uploadId").and_then(|id| self.uploads.remove(id)) {
            Some(_) => Response::new(204),
            None => Response::error(404, "NoSuchUpload"),
        }
    }
}

/// The parts that the list in `body` names, in its order, which must be ascending.
fn assemble(upload: &Upload, body: &[u8], sums: Sums) -> Result<Vec<u8>, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "MalformedXML")?;
    let mut content = Vec::new();
    let mut last = 0;
    for part in text.split("<Part>").skip(1) {
        let field = |name: &str| {
            let (_, rest) = part.split_once(&format!("<{name}>"))?;
            let (raw, _) = rest.split_once('<')?;
            quick_xml::escape::unescape(raw).ok()
        };
        let number = field("PartNumber").and_then(|number| number.parse().ok()).ok_or("MalformedXML")?;
        if number <= last {
            return Err("InvalidPartOrder");
        }
        last = number;
        let bytes = upload.parts.get(&number).ok_or("InvalidPart")?;
        let checksum = Crc64::of(bytes);
        // AWS asks for the checksum of every part where the upload has one for the whole.
        let is_summed =
            field("ChecksumCRC64NVME") == Some(checksum.to_string().into()) || !(sums.are_kept() && upload.has_sums);
        if !is_summed || field("ETag") != Some(etag_of(checksum).into()) {
            return Err("InvalidPart");
        }
        content.extend_from_slice(bytes);
    }
    if last == 0 { Err("MalformedXML") } else { Ok(content) }
}
