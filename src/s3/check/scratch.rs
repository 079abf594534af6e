//! What a check has put into the bucket, all of it under one prefix, and its removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::backend::UploadId;
use crate::check::PREFIX;
use crate::error::Result;
use crate::s3::client::Client;
use crate::s3::{delete, list, upload};

/// The objects and uploads of one check.
pub(super) struct Scratch {
    client: Arc<Client>,
    prefix: String,
    /// Names where something may be.
    keys: BTreeSet<String>,
    /// Uploads that were begun and not ended.
    uploads: BTreeSet<(String, String)>,
}

impl Scratch {
    pub(super) fn new(client: &Arc<Client>) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{PREFIX}{}", &random[..12]);
        Scratch { client: client.clone(), prefix, keys: BTreeSet::new(), uploads: BTreeSet::new() }
    }

    /// Under which everything lies, with a `/` at its end.
    pub(super) fn directory(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// A name where nothing is put.
    pub(super) fn absent(&self) -> String {
        format!("{}/nothing", self.prefix)
    }

    /// A name that is removed at the end.
    pub(super) fn place(&mut self, name: &str) -> String {
        let key = format!("{}/{name}", self.prefix);
        self.keys.insert(key.clone());
        key
    }

    pub(super) fn begun(&mut self, path: &str, upload: &UploadId) {
        self.uploads.insert((path.to_owned(), upload.0.clone()));
    }

    pub(super) fn ended(&mut self, path: &str, upload: &UploadId) {
        self.uploads.remove(&(path.to_owned(), upload.0.clone()));
    }

    /// Whether anything was put at all.
    pub(super) fn is_used(&self) -> bool {
        !self.keys.is_empty() || !self.uploads.is_empty()
    }

    /// Removes everything; where listing is allowed, what nobody knows of included.
    pub(super) async fn clear(&mut self, may_list: bool) -> Result<()> {
        let mut outcome = Ok(());
        for (path, id) in self.uploads.clone() {
            match upload::abort(&self.client, &path, &UploadId(id.clone())).await {
                Ok(()) => drop(self.uploads.remove(&(path, id))),
                Err(error) => outcome = Err(error),
            }
        }
        let keys: Vec<String> = self.keys.iter().cloned().collect();
        delete::delete_many(&self.client, &keys).await?;
        if may_list {
            let directory = self.directory();
            let subject = format!("s3://{}", self.client.bucket);
            let left = list::first(&self.client, &directory, &subject).await?;
            let left: Vec<String> = left.into_iter().map(|object| object.key).collect();
            delete::delete_many(&self.client, &left).await?;
        }
        outcome
    }

    /// What to do where that failed.
    pub(super) fn what_may_be_left(&self) -> String {
        let (bucket, base) = (&self.client.bucket, &self.client.prefix);
        let slash = if base.is_empty() { "" } else { "/" };
        format!("what it tried with may still be there: remove s3://{bucket}/{base}{slash}{}/", self.prefix)
    }
}
