//! What a check has put into the bucket, all of it under one prefix, and its removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::introduce::is_missing_right;
use crate::backend::UploadId;
use crate::check::PREFIX;
use crate::error::Result;
use crate::s3::client::Client;
use crate::s3::noted::{Kind, Version};
use crate::s3::{delete, list, upload};

/// Versions that are removed at once.
const AT_ONCE: usize = 8;

/// The objects and uploads of one check.
pub(super) struct Scratch {
    client: Arc<Client>,
    prefix: String,
    /// Names where something may be.
    keys: BTreeSet<String>,
    /// Uploads that were begun and not ended.
    uploads: BTreeSet<(String, String)>,
    /// Why versions stay, where it is not for want of the right.
    versions_stay: Option<String>,
}

/// What stays of a bucket that keeps versions.
#[derive(Debug)]
pub(super) struct Remains {
    /// As in `3 old versions (3000 bytes) and 2 delete markers stay under s3://...`.
    pub(super) what: String,
    /// Why they could not be removed, where it is not for want of the right.
    pub(super) why: Option<String>,
}

impl Scratch {
    pub(super) fn new(client: &Arc<Client>) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{PREFIX}{}", &random[..12]);
        Scratch { client: client.clone(), prefix, keys: BTreeSet::new(), uploads: BTreeSet::new(), versions_stay: None }
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
        // Where versions are kept, what is removed twice leaves two marks.
        if !(may_list && self.client.learnt.versions.any_seen()) {
            let keys: Vec<String> = self.keys.iter().cloned().collect();
            delete::delete_many(&self.client, &keys).await?;
        }
        if may_list {
            let directory = self.directory();
            let subject = format!("s3://{}", self.client.bucket);
            let left = list::first(&self.client, &directory, &subject).await?;
            let left: Vec<String> = left.into_iter().map(|object| object.key).collect();
            delete::delete_many(&self.client, &left).await?;
        }
        let failed = self.remove_versions().await.err().filter(|error| !is_missing_right(error));
        self.versions_stay = failed.map(|error| error.message().to_owned());
        outcome
    }

    /// Removes the versions that were made so far, where that is allowed; the first one tells.
    async fn remove_versions(&self) -> Result<()> {
        let client = &self.client;
        let remove = |version: Version| async move {
            delete::delete_version(client, &version).await?;
            client.learnt.versions.is_removed(&version);
            Ok(())
        };
        let mut versions = client.learnt.versions.left().into_iter().map(|(version, _)| version);
        let Some(first) = versions.next() else { return Ok(()) };
        remove(first).await?;
        let rest: Vec<_> = versions.map(remove).collect();
        stream::iter(rest).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// After [`clear`](Self::clear): what is hidden and not gone.
    pub(super) fn remains(&self) -> Option<Remains> {
        let left = self.client.learnt.versions.left();
        let sizes: Vec<u64> = left
            .iter()
            .filter_map(|(_, kind)| match kind {
                Kind::Object { bytes } => Some(*bytes),
                Kind::DeleteMarker => None,
            })
            .collect();
        let (objects, markers) =
            (counted(sizes.len(), "old version"), counted(left.len() - sizes.len(), "delete marker"));
        let bytes: u64 = sizes.iter().sum();
        let what = format!("{objects} ({bytes} bytes) and {markers} stay under {}", self.uri());
        (!left.is_empty()).then(|| Remains { what, why: self.versions_stay.clone() })
    }

    /// What to do where that failed.
    pub(super) fn what_may_be_left(&self) -> String {
        format!("what it tried with may still be there: remove {}", self.uri())
    }

    fn uri(&self) -> String {
        let (bucket, base) = (&self.client.bucket, &self.client.prefix);
        let slash = if base.is_empty() { "" } else { "/" };
        format!("s3://{bucket}/{base}{slash}{}/", self.prefix)
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
