//! DeleteObject.

use std::sync::Arc;

use rusoto_s3::{DeleteObjectRequest, S3};

use super::client::Client;
use super::dispatch::Control;
use crate::error::Result;

/// Removes an object; one that is not there is no error.
pub(super) async fn delete(client: &Arc<Client>, path: &str) -> Result<()> {
    let full = client.full_key(path).map_err(|error| error.action("remove").on(path))?;
    let control = Control {
        action: "remove",
        key: path.to_owned(),
        headers: Vec::new(),
        root: None,
        runtime: client.runtime.clone(),
    };
    let input = DeleteObjectRequest { bucket: client.bucket.clone(), key: full, ..DeleteObjectRequest::default() };
    match control.run(client, |s3| async move { s3.delete_object(input).await }).await {
        Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}
