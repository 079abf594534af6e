//! CompleteMultipartUpload: the moment at which an object appears, proved by looking at it.
//!
//! rusoto reports success for a 200 with an error inside, for an empty body and for a web page, and its parts have no
//! field for their CRC-64/NVME, so request and answer are ours.

use std::fmt::Write;
use std::sync::Arc;

use quick_xml::escape::escape;

use super::client::Client;
use super::failure::Failure;
use super::payload::Payload;
use super::put::{add_condition, is_taken, no_etag};
use super::request::Outgoing;
use super::settle::{Expected, Found, look, taken};
use crate::backend::{PartReceipt, Precondition, Stored, UploadId, WriteOptions};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};

const ACTION: &str = "complete the upload of";

/// Makes the object out of its parts. Success means that a HEAD has found it, with our token, size and checksum.
pub(super) async fn complete(
    client: &Arc<Client>,
    path: &str,
    upload: &UploadId,
    receipts: &[PartReceipt],
    options: &WriteOptions,
) -> Result<Stored> {
    let full = client.full_key(path).map_err(|error| error.action(ACTION).on(path))?;
    let (size, checksum) = receipts.iter().fold((0, Crc64::EMPTY), |(size, whole), receipt| {
        (size + receipt.size, whole.combine(receipt.checksum, receipt.size))
    });
    let mut request = client.object_request("POST", &full);
    request.add_param("uploadId", upload.0.as_str());
    request.add_header("content-type", "application/xml");
    add_condition(&mut request, &options.precondition);
    let plain = &Outgoing::new(request, &client.bucket, Some(list_of_parts(receipts, false)))?;
    let mut with_sums = plain.clone();
    with_sums.body = list_of_parts(receipts, true);
    with_sums.set("content-length", &with_sums.body.len().to_string())?;
    with_sums.set("x-amz-checksum-crc64nvme", &checksum.to_string())?;
    with_sums.set("x-amz-checksum-type", "FULL_OBJECT")?;
    let with_sums = &with_sums;
    let expected = Expected { path, size, checksum, token: &options.token };
    client
        .call(ACTION, path, || async move {
            match send_checked(client, with_sums, plain).await {
                Ok(etag) => match look(client, expected, Some(&etag), &client.runtime).await? {
                    Found::Ours(stored) => Ok(stored),
                    Found::Other => Err(Error::new(ErrorKind::Exists, "another writer replaced it at once")),
                    Found::Nothing => Err(Error::new(
                        ErrorKind::Unavailable,
                        "the server reported success, but the object is not there",
                    )
                    .retryable(None)),
                },
                Err(failure) => settle(client, expected, &options.precondition, failure).await,
            }
        })
        .await
}

/// One try, with the checksums where the server knows them.
async fn send_checked(client: &Client, with_sums: &Outgoing, plain: &Outgoing) -> Result<String, Failure> {
    let sums = &client.learnt.sums;
    if !sums.are_sent() {
        return send(client, plain).await;
    }
    match send(client, with_sums).await {
        Err(failure) if sums.may_be_why(&failure.error) => {
            let etag = send(client, plain).await?;
            client.refuses_checksums();
            Ok(etag)
        }
        outcome => outcome,
    }
}

/// One try; the ETag that the server gave.
async fn send(client: &Client, outgoing: &Outgoing) -> Result<String, Failure> {
    let answer = client.exchange(outgoing).await?;
    let root = client.root(&answer, "CompleteMultipartUploadResult")?;
    match root.text_of("ETag").map(str::trim) {
        Some(etag) if !etag.is_empty() => Ok(etag.to_owned()),
        _ => Err(Failure::unknown(no_etag())),
    }
}

/// A failure after which the object may be there all the same: an answer that was lost makes the next try meet
/// NoSuchUpload, or 412 with a condition.
async fn settle(
    client: &Arc<Client>,
    expected: Expected<'_>,
    precondition: &Precondition,
    failure: Failure,
) -> Result<Stored> {
    let was_taken = is_taken(&failure, precondition);
    let is_gone = failure.code() == "NoSuchUpload";
    let is_conflict = failure.code() == "ConditionalRequestConflict";
    if matches!(failure.code(), "BadDigest" | "XAmzContentChecksumMismatch") {
        // The parts that the server has do not add up to the whole; sending the same list again changes nothing.
        return Err(failure.error.not_retryable());
    }
    if !(failure.maybe_done || was_taken || is_gone || is_conflict) {
        return Err(failure.error);
    }
    match look(client, expected, None, &client.runtime).await {
        Ok(Found::Ours(stored)) => Ok(stored),
        // Only a new upload can follow: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        _ if is_conflict => Err(failure.error.not_retryable()),
        Ok(Found::Other) if was_taken => Err(taken()),
        Ok(Found::Nothing) if was_taken && matches!(precondition, Precondition::Match(_)) => Err(taken()),
        Ok(Found::Nothing) if was_taken => Err(failure.error.retryable(None)),
        Ok(_) => Err(failure.error),
        Err(error) if was_taken || is_gone || error.kind() == ErrorKind::Integrity => Err(error),
        Err(_) => Err(failure.error),
    }
}

fn list_of_parts(receipts: &[PartReceipt], with_sums: bool) -> Payload {
    let mut xml = String::from(r#"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#);
    for PartReceipt { number, checksum, etag, .. } in receipts {
        let etag = escape(etag.as_str());
        let sum = match with_sums {
            true => format!("<ChecksumCRC64NVME>{checksum}</ChecksumCRC64NVME>"),
            false => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = write!(xml, "<Part>{sum}<ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>");
    }
    xml.push_str("</CompleteMultipartUpload>");
    Payload::Bytes(xml.into())
}
