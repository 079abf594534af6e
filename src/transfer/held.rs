//! Uploads that outlive the process that began them: what another host needs to go on, and to complete them later.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::backend::{PartReceipt, Precondition, StorageBackend, Stored, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::checksum::Crc64;
use crate::error::Result;
use crate::multipart;

use super::Put;

/// How a file is sent.
#[derive(Clone, Default)]
pub(crate) struct SendOptions<'a> {
    pub(crate) precondition: Precondition,
    /// Keeps uploads where another host finds them; `None` for single files.
    pub(crate) log: Option<&'a dyn UploadLog>,
    /// All parts are sent but nothing is completed (also a file of one part becomes a multipart upload).
    pub(crate) hold: bool,
}

/// A file that was sent.
#[derive(Clone, Debug)]
pub(crate) struct SentFile {
    /// Without an ETag while it is held.
    pub(crate) put: Put,
    pub(crate) held: Option<Held>,
}

/// An upload with all its parts in the store; none where the file is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) upload: String,
    pub(crate) token: String,
    /// Stands for the store's settings under which it was begun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) settings: String,
    pub(crate) parts: Vec<HeldPart>,
}

/// A part of a [`Held`], in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldPart {
    pub(crate) size: u64,
    pub(crate) checksum: Crc64,
    pub(crate) etag: String,
}

impl Held {
    pub(super) fn new(upload: UploadId, token: &str, settings: String, receipts: Vec<PartReceipt>) -> Self {
        let part = |PartReceipt { size, checksum, etag, .. }| HeldPart { size, checksum, etag };
        let parts = receipts.into_iter().map(part).collect();
        Held { upload: upload.0, token: token.to_owned(), settings, parts }
    }

    /// An empty file, which needs no upload: not every server makes an object out of an empty part.
    pub(super) fn empty() -> Self {
        let token = WriteOptions::replace().token;
        Held { upload: String::new(), token, settings: String::new(), parts: Vec::new() }
    }

    fn receipts(&self) -> Vec<PartReceipt> {
        let receipt = |(number, part): (u32, &HeldPart)| PartReceipt {
            number,
            size: part.size,
            checksum: part.checksum,
            etag: part.etag.clone(),
        };
        (1..).zip(&self.parts).map(receipt).collect()
    }
}

/// Makes the object out of a held upload.
///
/// # Errors
/// [`ErrorKind::Exists`](crate::ErrorKind::Exists) when the precondition does not hold.
pub(crate) async fn complete_held(
    store: &dyn StorageBackend,
    key: &str,
    held: &Held,
    precondition: &Precondition,
) -> Result<Stored> {
    let options = WriteOptions { token: held.token.clone(), ..WriteOptions::under(precondition.clone()) };
    if held.parts.is_empty() {
        let empty = PartBody::from_bytes(Bytes::new());
        let sent = multipart::put_whole(store, key, &empty, &options).await?;
        return Ok(Stored { size: sent.size, etag: sent.etag, checksum: Some(sent.checksum), deviation: None });
    }
    multipart::complete(store, key, &UploadId(held.upload.clone()), &held.receipts(), &options).await
}

/// Keeps uploads where another host finds them.
#[async_trait]
pub(crate) trait UploadLog: Send + Sync {
    /// An upload of this key that another process began and nobody ended.
    fn earlier(&self, key: &str) -> Option<Earlier>;
    /// Returns when the upload is kept where another host finds it; no part is sent before.
    async fn begun(&self, key: &str, upload: &Earlier) -> Result<()>;
    fn part(&self, key: &str, receipt: &PartReceipt);
    /// Completed or given up.
    fn ended(&self, key: &str);
}

/// An upload that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Earlier {
    pub(crate) upload: UploadId,
    pub(crate) token: String,
    pub(crate) size: u64,
    pub(crate) part_size: u64,
    /// Stands for the store's settings under which it was begun ([`StorageBackend::write_settings`]).
    pub(crate) settings: String,
    pub(crate) parts: Vec<PartReceipt>,
}
