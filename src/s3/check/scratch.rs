//! What a check has put into the bucket, all of it under one prefix, and its removal.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::introduce::is_missing_right;
use crate::backend::UploadId;
use crate::check::PREFIX;
use crate::check::note::{self, UploadNote};
use crate::error::{Error, Result};
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
    /// Uploads that were noted.
    noted: usize,
    /// Why versions stay.
    versions_stay: Option<Why>,
}

/// Why a version cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It takes `s3:DeleteObjectVersion`.
    Right,
    /// The bucket locks what is written, for a time.
    Locked,
    /// As the server says it.
    Other(String),
}

impl Why {
    /// Of a removal that failed, by an identity that is known to hold the right for it, or is not.
    fn of(error: &Error, has_right: bool) -> Self {
        // Amazon refuses with AccessDenied, as for want of the right; MinIO says what it is.
        match is_missing_right(error) {
            true if has_right => Why::Locked,
            true => Why::Right,
            false if error.message().contains("WORM") => Why::Locked,
            false => Why::Other(error.message().to_owned()),
        }
    }
}

/// What stays of a bucket that keeps versions.
#[derive(Debug)]
pub(super) struct Remains {
    /// As in `3 old versions (3000 bytes) and 2 delete markers stay under s3://...`.
    pub(super) what: String,
    /// Why they could not be removed.
    pub(super) why: Why,
}

impl Scratch {
    pub(super) fn new(client: &Arc<Client>) -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("{PREFIX}{}", &random[..12]);
        let (keys, uploads) = (BTreeSet::new(), BTreeSet::new());
        Scratch { client: client.clone(), prefix, keys, uploads, noted: 0, versions_stay: None }
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

    /// Where an upload is noted before its parts are sent, and what: who kills this process takes away all else that names it.
    pub(super) fn note_of(&mut self, path: &str, upload: &UploadId) -> (String, Bytes) {
        self.noted += 1;
        let key = self.place(&note::name(self.noted));
        let path = path.strip_prefix(&self.directory()).unwrap_or(path).to_owned();
        (key, UploadNote { path, upload: upload.0.clone() }.to_json().into())
    }

    /// Removes a note when its upload is ended. Where that fails, it goes at the end.
    pub(super) async fn forget(&mut self, note: &str) {
        if delete::delete(&self.client, note).await.is_ok() {
            self.keys.remove(note);
        }
    }

    /// Whether anything was put at all.
    pub(super) fn is_used(&self) -> bool {
        !self.keys.is_empty() || !self.uploads.is_empty()
    }

    /// Removes everything; where listing is allowed, what nobody knows of included.
    pub(super) async fn clear(&mut self, may_list: bool, may_remove_versions: bool) -> Result<()> {
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
        self.versions_stay = self.remove_versions(may_remove_versions).await.err();
        outcome
    }

    /// Removes the version of an object that was put just now: it tells whether versions can be removed here.
    pub(super) async fn remove_first_version(&mut self, key: &str, has_right: bool) -> Result<bool> {
        let full = self.client.full_key(key)?;
        let version = self.versions().0.into_iter().find(|version| version.key == full);
        let Some(version) = version else { return Ok(false) };
        self.versions_stay = self.remove_version(version).await.err().map(|error| Why::of(&error, has_right));
        Ok(self.versions_stay.is_none())
    }

    /// Removes the versions that were made so far, where that is allowed; the first one tells. A delete marker goes after the
    /// last version that it hides: without it, one that is locked would be there again.
    async fn remove_versions(&self, has_right: bool) -> Result<(), Why> {
        let (objects, _) = self.versions();
        let mut objects = objects.into_iter();
        let mut stays = Ok(());
        if let Some(first) = objects.next() {
            let failed = self.remove_version(first).await.err().map(|error| Why::of(&error, has_right));
            match failed {
                Some(Why::Right) => return Err(Why::Right),
                Some(why) => stays = Err(why),
                None => {}
            }
        }
        stays = stays.and(self.remove_each(objects.collect(), has_right).await);
        let (objects, markers) = self.versions();
        let hidden: BTreeSet<String> = objects.into_iter().map(|version| version.key).collect();
        let free = markers.into_iter().filter(|marker| !hidden.contains(&marker.key)).collect();
        stays.and(self.remove_each(free, has_right).await)
    }

    async fn remove_each(&self, versions: Vec<Version>, has_right: bool) -> Result<(), Why> {
        let removed = stream::iter(versions).map(|version| self.remove_version(version)).buffer_unordered(AT_ONCE);
        let failed = removed.filter_map(|outcome| async { outcome.err() }).collect::<Vec<_>>().await;
        failed.first().map_or(Ok(()), |error| Err(Why::of(error, has_right)))
    }

    async fn remove_version(&self, version: Version) -> Result<()> {
        delete::delete_version(&self.client, &version).await?;
        self.client.learnt.versions.is_removed(&version);
        Ok(())
    }

    /// The versions of objects that there are, and the delete markers.
    fn versions(&self) -> (Vec<Version>, Vec<Version>) {
        let (markers, objects): (Vec<_>, Vec<_>) =
            self.client.learnt.versions.left().into_iter().partition(|(_, kind)| *kind == Kind::DeleteMarker);
        let alone = |all: Vec<(Version, Kind)>| all.into_iter().map(|(version, _)| version).collect();
        (alone(objects), alone(markers))
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
        let why = || self.versions_stay.clone().unwrap_or(Why::Right);
        (!left.is_empty()).then(|| Remains { what, why: why() })
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
