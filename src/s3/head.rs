//! HeadObject.

use std::sync::Arc;

use rusoto_s3::{HeadObjectRequest, S3};

use super::answer;
use super::client::Client;
use super::dispatch::Control;
use super::sums::asking;
use crate::backend::ObjectMeta;
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};

/// The metadata under which an upload's token is kept with the object.
pub(super) const TOKEN: &str = "strata-token";

/// What the server knows of an object, its whole checksum included where it has one.
pub(super) async fn head(client: &Arc<Client>, path: &str, runtime: RuntimeConfig) -> Result<ObjectMeta> {
    asking(client, |sums| ask(client, path, runtime.clone(), sums)).await
}

async fn ask(client: &Arc<Client>, path: &str, runtime: RuntimeConfig, sums: bool) -> Result<ObjectMeta> {
    let full = client.full_key(path).map_err(|error| error.action("look up").on(path))?;
    let control = Control {
        action: "look up",
        key: path.to_owned(),
        headers: sums.then(|| ("x-amz-checksum-mode", "ENABLED".to_owned())).into_iter().collect(),
        root: None,
        runtime,
    };
    let input = HeadObjectRequest { bucket: client.bucket.clone(), key: full, ..HeadObjectRequest::default() };
    let (output, headers) = control.run(client, |s3| async move { s3.head_object(input).await }).await?;
    let Some(size) = output.content_length.and_then(|length| u64::try_from(length).ok()) else {
        return Err(Error::new(ErrorKind::Other, "the server does not tell the object's size")
            .action("look up")
            .on(path)
            .at(client.site().to_string()));
    };
    Ok(ObjectMeta {
        key: path.to_owned(),
        size,
        etag: output.e_tag,
        modified: output.last_modified.and_then(|date| httpdate::parse_http_date(&date).ok()),
        checksum: answer::checksum(&headers),
        stored: answer::stored(&headers),
        deviation: client.writes.deviation(path, &headers),
        token: output.metadata.and_then(|mut metadata| metadata.remove(TOKEN)),
    })
}
