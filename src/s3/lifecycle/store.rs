//! A bucket's lifecycle on the server.

use std::sync::Arc;

use super::super::answer::header;
use super::super::aside::{Aside, NOT_UNDERSTOOD};
use super::super::client::Client;
use super::document::Document;
use crate::error::{Error, ErrorKind, Result};

/// Below which size objects do not move, as a setting of the whole lifecycle. A write without it would reset it:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>.
const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";

/// What the server holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) document: Document,
    minimum: Option<String>,
}

/// GetBucketLifecycleConfiguration.
pub(super) async fn read(client: &Arc<Client>) -> Result<Held> {
    let asked = Aside::get("read the lifecycle of the bucket", "lifecycle");
    let answer = match asked.run(client).await {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchLifecycleConfiguration") => {
            return Ok(Held { document: Document::empty(), minimum: None });
        }
        Err(error) => return Err(error),
    };
    let Some(document) = Document::parse(&answer.body) else {
        return Err(Error::new(ErrorKind::Other, "the server's lifecycle is not as S3's must be, so it is left alone")
            .code_is(NOT_UNDERSTOOD)
            .action(asked.action)
            .on(client.bucket.as_str())
            .at(client.site().to_string()));
    };
    Ok(Held { document, minimum: header(&answer.headers, MINIMUM).map(str::to_owned) })
}

impl Held {
    /// Writes it with `rule` as the only one of this id, or without any. Everything else stays as it was.
    pub(super) async fn write(&self, client: &Arc<Client>, id: &str, rule: Option<&str>) -> Result<()> {
        let action = "write the lifecycle of the bucket";
        let minimum: Vec<(&'static str, &str)> = self.minimum.iter().map(|value| (MINIMUM, value.as_str())).collect();
        let told = Aside { action, method: "PUT", about: "lifecycle", headers: &minimum, body: "" };
        match self.document.with(id, rule) {
            Some(body) => Aside { body: &body, ..told }.run(client).await,
            // One without rules is not taken.
            None => Aside { method: "DELETE", headers: &[], ..told }.run(client).await,
        }
        .map(|_| ())
    }
}
