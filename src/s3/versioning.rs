//! Versions of objects: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>.

use std::sync::Arc;

use super::aside::{Aside, XMLNS, is_unknown};
use super::client::Client;
use crate::error::Result;

/// Whether a bucket keeps what is replaced and removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versioning {
    Off,
    On,
    /// Nothing new is kept; what was kept stays.
    Suspended,
    /// The server knows no versions.
    Unknown,
}

impl Versioning {
    /// Whether removed objects may live on as old versions.
    pub(super) fn keeps(self) -> bool {
        matches!(self, Versioning::On | Versioning::Suspended)
    }
}

/// GetBucketVersioning.
pub(super) async fn look(client: &Arc<Client>) -> Result<Versioning> {
    match Aside::get("look up the bucket's versioning", "versioning").ask(client).await {
        Ok(root) => Ok(match root.text_of("Status").map(str::trim) {
            Some("Enabled") => Versioning::On,
            Some("Suspended") => Versioning::Suspended,
            _ => Versioning::Off,
        }),
        Err(error) if is_unknown(client, &error) => Ok(Versioning::Unknown),
        Err(error) => Err(error),
    }
}

/// Turns it on.
pub(super) async fn enable(client: &Arc<Client>) -> Result<()> {
    let body = format!("<VersioningConfiguration xmlns=\"{XMLNS}\"><Status>Enabled</Status></VersioningConfiguration>");
    let action = "turn on the bucket's versioning";
    let told = Aside { action, method: "PUT", about: "versioning", headers: &[], body: &body };
    told.run(client).await.map(|_| ())
}
