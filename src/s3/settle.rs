//! Whether a write has happened whose answer was lost, or says that someone else was faster: the object's token tells.

use std::sync::Arc;

use super::client::Client;
use super::head::head;
use crate::backend::{ObjectMeta, Stored};
use crate::checksum::Crc64;
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};

/// What a write should have left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) path: &'a str,
    pub(super) size: u64,
    pub(super) checksum: Crc64,
    pub(super) token: &'a str,
}

/// What is there.
#[derive(Debug)]
pub(super) enum Found {
    /// Our write, whole.
    Ours(Stored),
    /// Another's.
    Other,
    Nothing,
}

/// Looks once. `etag` is the one that the server gave for our write, if it gave any.
///
/// # Errors
/// [`ErrorKind::Integrity`] when our write is there and is not what was sent.
pub(super) async fn look(
    client: &Arc<Client>,
    expected: Expected<'_>,
    etag: Option<&str>,
    runtime: &RuntimeConfig,
) -> Result<Found> {
    let once = RuntimeConfig { retries: 0, ..runtime.clone() };
    let meta = match head(client, expected.path, once).await {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    let is_ours = meta.token.as_deref() == Some(expected.token) || (etag.is_some() && meta.etag.as_deref() == etag);
    if !is_ours {
        return Ok(Found::Other);
    }
    if meta.size != expected.size || meta.checksum.is_some_and(|theirs| theirs != expected.checksum) {
        return Err(Error::new(
            ErrorKind::Integrity,
            format!(
                "the server made {} bytes with checksum {:?} out of {} bytes with {:?}",
                meta.size, meta.checksum, expected.size, expected.checksum
            ),
        )
        .hint_is("the object is not what was sent: run the same command again, and have the server checked"));
    }
    let ObjectMeta { size, etag, checksum, deviation, .. } = meta;
    Ok(Found::Ours(Stored { size, etag, checksum, deviation }))
}

/// What is there is not what the write was to replace.
pub(super) fn taken() -> Error {
    Error::new(ErrorKind::Exists, "another object is there already").code_is("PreconditionFailed")
}
