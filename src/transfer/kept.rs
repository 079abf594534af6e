//! Where the progress of an upload is kept, so that it outlives this process: the journal on this machine, the log of a
//! checkpoint in the store, both, or neither.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::backend::{PartReceipt, StorageBackend, UploadId};
use crate::body::blocking;
use crate::error::Result;
use crate::journal::{Journal, Record};
use crate::multipart::Watch;

use super::held::{Earlier, UploadLog};

/// How long the end of an interrupted transfer waits for the disk.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The keeper of one upload's progress.
pub(super) struct Kept<'a> {
    key: &'a str,
    journal: Option<Arc<Journal>>,
    log: Option<&'a dyn UploadLog>,
    /// The log knows the upload.
    logged: AtomicBool,
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The upload to go on with.
    pub(super) upload: Option<Earlier>,
    /// Its parts of which bytes were sent.
    pub(super) started: BTreeSet<u32>,
    /// It was begun for another source, on another machine or this one.
    pub(super) is_foreign: bool,
    /// Another upload that nobody will go on with.
    pub(super) stale: Option<UploadId>,
}

impl<'a> Kept<'a> {
    /// Opens what is kept of a put of `source`. A log knows more than this machine: another may have gone on since.
    /// `create`: also where nothing is kept yet.
    pub(super) async fn open(
        store: &dyn StorageBackend,
        source: &Path,
        key: &'a str,
        log: Option<&'a dyn UploadLog>,
        create: bool,
    ) -> (Self, Before) {
        let (runtime, subject) = (store.runtime().clone(), subject(store, source, key));
        let opened = blocking(move || {
            Ok(match create {
                true => Journal::open(&runtime, &subject),
                false => Journal::open_existing(&runtime, &subject),
            })
        });
        let (journal, records) = opened.await.ok().flatten().unzip();
        let mut before = uploads_in(&records.unwrap_or_default());
        if let Some(theirs) = log.and_then(|log| log.earlier(key)) {
            before = before.under(theirs);
        }
        let kept = Kept { key, journal: journal.map(Arc::new), log, logged: AtomicBool::new(false) };
        (kept, before)
    }

    /// Whether this machine has anything of a put of `source`. May block.
    pub(super) fn is_there(store: &dyn StorageBackend, source: &Path, key: &str) -> bool {
        Journal::exists(store.runtime(), &subject(store, source, key))
    }

    /// Goes on with an upload that the log may know.
    pub(super) fn goes_on(&self) {
        self.logged.store(self.log.is_some_and(|log| log.earlier(self.key).is_some()), Ordering::Relaxed);
    }

    /// The journal has the upload, in place of any other.
    pub(super) async fn begins(&self, upload: &Earlier) {
        let Earlier { upload: id, token, size, part_size, settings, .. } = upload.clone();
        let record = Record::Upload { id: id.0, token, size, part_size, settings };
        self.in_journal(move |journal| journal.restart(&record)).await;
    }

    /// Returns when the upload is kept; no part is sent before. `is_written`: the journal has it already.
    pub(super) async fn begun(&self, upload: &Earlier, is_written: bool) -> Result<()> {
        if !is_written {
            self.begins(upload).await;
        }
        if let Some(log) = self.log {
            log.begun(self.key, upload).await?;
            self.logged.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether another process could go on.
    pub(super) fn is_kept(&self) -> bool {
        self.logged.load(Ordering::Relaxed) || self.journal.as_ref().is_some_and(|journal| journal.is_kept())
    }

    /// Makes everything last, or gives the disk up.
    pub(super) async fn flush(&self) {
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.in_journal(Journal::flush)).await;
    }

    /// The upload was completed or given up.
    pub(super) async fn ended(&self) {
        self.in_journal(Journal::remove).await;
        if let Some(log) = self.log {
            log.ended(self.key);
        }
    }

    /// Off the asynchronous threads.
    async fn in_journal(&self, work: impl FnOnce(&Journal) + Send + 'static) {
        let Some(journal) = self.journal.clone() else { return };
        // A journal that fails has told of it.
        let _ = blocking(move || {
            work(&journal);
            Ok(())
        })
        .await;
    }
}

#[async_trait]
impl Watch for Kept<'_> {
    async fn started(&self, part: u32) {
        self.in_journal(move |journal| journal.append(&Record::Started { part })).await;
    }

    async fn done(&self, receipt: &PartReceipt) {
        let PartReceipt { number: part, size, checksum, etag } = receipt.clone();
        self.in_journal(move |journal| journal.append(&Record::Part { part, size, checksum, etag })).await;
        if let Some(log) = self.log {
            log.part(self.key, receipt);
        }
    }
}

impl Before {
    /// Whether bytes of the part were sent.
    pub(super) fn went(&self, part: u32) -> bool {
        let mut parts = self.upload.iter().flat_map(|upload| &upload.parts);
        self.started.contains(&part) || parts.any(|receipt| receipt.number == part)
    }

    /// With what the log has, which wins.
    fn under(self, theirs: Earlier) -> Self {
        let Some(ours) = self.upload else { return Before { upload: Some(theirs), is_foreign: true, ..self } };
        if ours.upload != theirs.upload {
            let (upload, stale) = (Some(theirs), Some(ours.upload));
            return Before { upload, stale, is_foreign: true, ..Before::default() };
        }
        let parts = theirs.parts.into_iter().chain(ours.parts).collect();
        Before { upload: Some(Earlier { parts, ..theirs }), ..self }
    }
}

fn uploads_in(records: &[Record]) -> Before {
    let mut before = Before::default();
    for record in records {
        match record {
            Record::Upload { id, token, size, part_size, settings } => {
                let (upload, token, settings) = (UploadId(id.clone()), token.clone(), settings.clone());
                let (size, part_size) = (*size, *part_size);
                let upload = Earlier { upload, token, size, part_size, settings, parts: Vec::new() };
                before = Before { upload: Some(upload), ..Before::default() };
            }
            Record::Started { part } => {
                before.started.insert(*part);
            }
            Record::Part { part, size, checksum, etag } => {
                if let Some(upload) = &mut before.upload {
                    let (size, checksum, etag) = (*size, *checksum, etag.clone());
                    upload.parts.push(PartReceipt { number: *part, size, checksum, etag });
                }
            }
            Record::Download { .. } | Record::Range { .. } => {}
        }
    }
    before
}

/// What names the put of a file in its journal.
fn subject(store: &dyn StorageBackend, source: &Path, key: &str) -> Vec<String> {
    let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
    vec!["put".to_owned(), store.endpoint(), store.uri(key), source.to_string_lossy().into_owned()]
}
