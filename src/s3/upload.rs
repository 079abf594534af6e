//! CreateMultipartUpload, UploadPart, AbortMultipartUpload.

use std::collections::HashMap;
use std::sync::Arc;

use rusoto_s3::{AbortMultipartUploadRequest, CreateMultipartUploadRequest, S3};

use super::answer;
use super::client::Client;
use super::dispatch::Control;
use super::head::TOKEN;
use super::payload::Payload;
use super::put::{differs, no_etag};
use super::request::Outgoing;
use super::sums::{Checked, SPARE};
use crate::backend::{Part, PartReceipt, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};

/// Begins an upload whose parts, and the whole, the server checks by CRC-64/NVME.
pub(super) async fn begin(client: &Arc<Client>, path: &str, options: &WriteOptions) -> Result<UploadId> {
    const ACTION: &str = "begin the upload of";
    let full = client.full_key(path).map_err(|error| error.action(ACTION).on(path))?;
    let control = Control {
        action: ACTION,
        key: path.to_owned(),
        headers: client.announcement(),
        root: Some("InitiateMultipartUploadResult"),
        // Who gives up meanwhile still has to abort what the server began.
        runtime: client.runtime.undisturbed(),
    };
    let input = CreateMultipartUploadRequest {
        bucket: client.bucket.clone(),
        key: full,
        content_type: Some("application/octet-stream".to_owned()),
        metadata: Some(HashMap::from([(TOKEN.to_owned(), options.token.clone())])),
        ..CreateMultipartUploadRequest::default()
    };
    let plain = Control { headers: Vec::new(), ..control.clone() };
    let announces = !control.headers.is_empty();
    let input_again = input.clone();
    let begun = control.run(client, |s3| async move { s3.create_multipart_upload(input).await }).await;
    let output = match begun {
        Ok((output, headers)) => {
            client.promised(&headers);
            output
        }
        Err(error) if announces && client.learnt.sums.may_be_why(&error) => {
            let begun = plain.run(client, |s3| async move { s3.create_multipart_upload(input_again).await }).await;
            let (output, _) = begun?;
            client.refuses_checksums();
            output
        }
        Err(error) => return Err(error),
    };
    match output.upload_id {
        Some(id) if !id.is_empty() => Ok(UploadId(id)),
        _ => Err(Error::new(ErrorKind::Other, "the server gave the upload no id")
            .action(ACTION)
            .on(path)
            .at(client.site().to_string())),
    }
}

/// Sends a part and compares what the server says it got.
pub(super) async fn put_part(
    client: &Arc<Client>,
    path: &str,
    upload: &UploadId,
    part: Part,
    body: &PartBody,
) -> Result<PartReceipt> {
    let action = format!("send part {} of", part.number);
    let full = client.full_key(path).map_err(|error| error.action(action.as_str()).on(path))?;
    let outgoing = &part_request(client, &full, upload, part.number, Payload::Part(body.clone()))?;
    let spare = outgoing.with_body(Payload::Bytes(SPARE.into()));
    let checked = &Checked::new(outgoing, body).with_spare(spare);
    client
        .call(&action, path, || async move {
            let answer = client.exchange_checked(checked).await.inspect_err(|_| body.rests())?;
            let checksum = body.checksum().await?;
            if answer::checksum(&answer.headers).is_some_and(|theirs| theirs != checksum) {
                return Err(differs());
            }
            let etag = answer::etag(&answer.headers).ok_or_else(no_etag)?;
            Ok(PartReceipt { number: part.number, size: body.len(), checksum, etag })
        })
        .await
}

/// A request that sends a part, without any check of its body yet.
pub(super) fn part_request(
    client: &Client,
    full: &str,
    upload: &UploadId,
    number: u32,
    body: Payload,
) -> Result<Outgoing> {
    let mut request = client.object_request("PUT", full);
    request.add_param("partNumber", number.to_string().as_str());
    request.add_param("uploadId", upload.0.as_str());
    Outgoing::new(request, &client.bucket, Some(body))
}

/// Gives an upload up, also after the caller was cancelled. One that is not there is no error.
pub(super) async fn abort(client: &Arc<Client>, path: &str, upload: &UploadId) -> Result<()> {
    const ACTION: &str = "abort the upload of";
    let full = client.full_key(path).map_err(|error| error.action(ACTION).on(path))?;
    let control = Control {
        action: ACTION,
        key: path.to_owned(),
        headers: Vec::new(),
        root: None,
        runtime: client.runtime.undisturbed(),
    };
    let input = AbortMultipartUploadRequest {
        bucket: client.bucket.clone(),
        key: full,
        upload_id: upload.0.clone(),
        ..AbortMultipartUploadRequest::default()
    };
    match control.run(client, |s3| async move { s3.abort_multipart_upload(input).await }).await {
        Err(error) if matches!(error.code(), Some("NoSuchUpload" | "NoSuchKey")) => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}
