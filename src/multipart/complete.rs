//! The end of an upload: receipts reviewed, the object made, what the store says of it compared with what was sent.

use crate::backend::{PartReceipt, StorageBackend, Stored, UploadId, WriteOptions};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};

use super::Sent;

/// Makes the object out of all its parts, in order.
pub(crate) async fn complete<B: StorageBackend + ?Sized>(
    store: &B,
    key: &str,
    upload: &UploadId,
    receipts: &[PartReceipt],
    options: &WriteOptions,
) -> Result<Stored> {
    let sent = review(receipts)?;
    let stored = store.complete(key, upload, receipts, options).await?;
    confirm(key, sent.size, sent.checksum, &stored)?;
    Ok(stored)
}

/// The receipts cover the object without gap: what it will be.
pub(crate) fn review(receipts: &[PartReceipt]) -> Result<Sent> {
    let mut sent = Sent { size: 0, checksum: Crc64::EMPTY, parts: Vec::with_capacity(receipts.len()), etag: None };
    for (receipt, expected) in receipts.iter().zip(1u32..) {
        if receipt.number != expected {
            return Err(Error::new(
                ErrorKind::Other,
                format!("part {expected} has no receipt; the upload is given up"),
            ));
        }
        sent.size += receipt.size;
        sent.checksum = sent.checksum.combine(receipt.checksum, receipt.size);
        sent.parts.push(receipt.checksum);
    }
    Ok(sent)
}

/// The store has done with it what it was told to.
///
/// # Errors
/// [`ErrorKind::Other`] where it has not, and that matters.
pub(crate) fn as_told(key: &str, stored: &Stored) -> Result<()> {
    match stored.deviation.as_ref().filter(|deviation| deviation.matters) {
        None => Ok(()),
        Some(deviation) => Err(Error::new(
            ErrorKind::Other,
            format!("the store does not encrypt as it was told to: what was sent is {}", deviation.what),
        )
        .action("put")
        .on(key)
        .hint_is("what was sent lies there all the same; leave --sse out where the server does not know it")),
    }
}

/// What the store says it has is what was sent.
pub(super) fn confirm(key: &str, size: u64, checksum: Crc64, stored: &Stored) -> Result<()> {
    if stored.size == size && stored.checksum.is_none_or(|theirs| theirs == checksum) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Integrity,
        format!(
            "the store holds {} bytes with checksum {:?}, sent were {size} bytes with {checksum:?}",
            stored.size, stored.checksum
        ),
    )
    .action("put")
    .on(key)
    .hint_is("the object is not what was sent: run the same command again, and have the store checked"))
}
