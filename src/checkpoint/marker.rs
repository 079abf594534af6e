//! `NAME/.strata/put.json`: what is going on at a name that has no manifest. Written before the first file of a put and
//! before a removal, so that whatever an interrupted one leaves behind is known by name.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::backend::{StorageBackend, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::key::RESERVED_DIRECTORY;
use crate::multipart;

use super::find::read_bounded;
use super::manifest::{MAX_BYTES, Writer};

/// The marker, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) version: u32,
    pub(crate) state: MarkerState,
    pub(crate) writer: Writer,
    /// RFC 3339 in UTC.
    pub(crate) since: String,
    /// Paths below the name that the writer puts, has put, or removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<String>,
}

/// What the writer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MarkerState {
    /// Files are being put; there is no manifest yet.
    Putting,
    /// The manifest was written. The names serve where it is lost.
    Committed,
    /// The manifest is removed first, then the files, then this marker.
    Removing,
}

impl Marker {
    pub(crate) fn new(state: MarkerState, writer: Writer, files: Vec<String>) -> Self {
        let since = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        Marker { version: 1, state, writer, since, files }
    }

    pub(crate) fn key(name: &str) -> String {
        format!("{name}/{RESERVED_DIRECTORY}/put.json")
    }

    /// Writes the marker of `name`, over the one that is there.
    pub(crate) async fn write(&self, store: &dyn StorageBackend, name: &str) -> Result<()> {
        self.write_as(store, name, &WriteOptions::replace()).await
    }

    /// Writes the marker of `name` where none is: of several writers at once, one succeeds.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`].
    pub(crate) async fn create(&self, store: &dyn StorageBackend, name: &str) -> Result<()> {
        self.write_as(store, name, &WriteOptions::create()).await
    }

    async fn write_as(&self, store: &dyn StorageBackend, name: &str, options: &WriteOptions) -> Result<()> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Other, "the marker cannot be written as JSON").caused_by(error))?;
        let body = PartBody::from_bytes(Bytes::from(json));
        multipart::put_whole(store, &Marker::key(name), &body, options).await?;
        Ok(())
    }

    /// A put or a removal that is going on or was interrupted.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.state != MarkerState::Committed
    }

    /// The marker of `name`, `None` where there is none.
    pub(crate) async fn read(store: &dyn StorageBackend, name: &str) -> Result<Option<Self>> {
        let key = Marker::key(name);
        let Some(json) = read_bounded(store, &key, MAX_BYTES).await? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(|error| {
            Error::new(ErrorKind::Integrity, format!("it is not valid: {error}")).action("read").on(key)
        })
    }
}

/// What is going on at the name, or what the last put of it named. A marker that is not valid says nothing.
pub(super) async fn valid_marker(store: &dyn StorageBackend, name: &str) -> Result<Option<Marker>> {
    match Marker::read(store, name).await {
        Err(error) if error.kind() == ErrorKind::Integrity => Ok(None),
        outcome => outcome,
    }
}
