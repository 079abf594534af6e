//! A file into the store: recognise equal content, then one request or a pipeline of parts.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{ObjectMeta, Precondition, WriteOptions};
use crate::body::PartBody;
use crate::checksum::Crc64;
use crate::config::{DEFAULT_PART_SIZE, PartSize};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Direction, Event, HighWater};
use crate::key;
use crate::lane;
use crate::multipart;
use crate::plan::Plan;

use super::existing::{object_at, refuse_directory};
use super::held::Held;
use super::kept::Kept;
use super::resumable::{self, Done};
use super::{Overwrite, Put, SendOptions, SentFile, SourceFile, Transfer};

impl Transfer {
    /// Puts one regular file. Each part is read twice, once for its checksum and once to be sent, and never held whole.
    /// Where the store already has the same content by checksum, nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without the source; [`ErrorKind::Invalid`] for a bad key or a source that is no regular
    /// file; [`ErrorKind::Exists`] under [`Overwrite::Refuse`], or where `key` clashes with a directory, a file or a
    /// committed checkpoint; [`ErrorKind::Integrity`] when the source changes meanwhile.
    pub async fn put_file(&self, source: &Path, key: &str, overwrite: Overwrite) -> Result<Put> {
        key::check(key)?;
        let source = SourceFile::open(source).await?;
        let store = &**self.store();
        // Asked together: each answer takes its time.
        let (existing, clash, enclosed) =
            futures::join!(object_at(store, key), refuse_directory(store, key), self.refuse_enclosed(key));
        let existing = existing?;
        let options = SendOptions { precondition: precondition(overwrite), ..SendOptions::default() };
        if let Some(there) = existing.as_ref().filter(|_| overwrite == Overwrite::Refuse)
            && !self.was_ours(&source, key, there, &options).await
        {
            return Err(exists(key));
        }
        self.tell(&Event::Planned { files: 1, bytes: source.size });
        if let Some(put) = self.already_there(&source, key, existing.as_ref(), &options).await? {
            return Ok(put);
        }
        if existing.is_some() && overwrite == Overwrite::Refuse {
            return Err(exists(key));
        }
        clash?;
        enclosed?;
        Ok(self.send(&source, key, &options).await?.put)
    }

    /// Whether an earlier run of the same put made the object, and ended before it could tell.
    async fn was_ours(&self, source: &SourceFile, key: &str, there: &ObjectMeta, options: &SendOptions<'_>) -> bool {
        let (_, before) = Kept::open(&**self.store(), source.path(), key, options.log, false).await;
        before.upload.is_some_and(|upload| there.token == Some(upload.token))
    }

    /// What a put would answer if the store has the content already. What an earlier run left of it is given up.
    pub(crate) async fn already_there(
        &self,
        source: &SourceFile,
        key: &str,
        existing: Option<&ObjectMeta>,
        options: &SendOptions<'_>,
    ) -> Result<Option<Put>> {
        let Some(there) = existing.filter(|there| there.size == source.size) else { return Ok(None) };
        if self.goes_again(key, there) {
            return Ok(None);
        }
        let ObjectMeta { size, checksum: theirs, etag, .. } = there;
        if theirs.is_none() && !self.unless_given_up("put", key, self.is_stored(source, there)).await? {
            return Ok(None);
        }
        let plan = self.plan_for(source.size)?;
        let (parts, ours) = self.unless_given_up("put", key, source.checksums(plan, threads())).await?;
        source.check_unchanged().await?;
        if theirs.is_some_and(|theirs| theirs != ours) {
            return Ok(None);
        }
        self.stays_as_it_is(key, there);
        self.forget_upload(source, key, options).await;
        self.tell(&Event::FileDone { key, bytes: source.size, moved: false });
        Ok(Some(Put {
            size: *size,
            checksum: ours,
            part_size: plan.part_size(),
            parts,
            etag: etag.clone(),
            moved: false,
        }))
    }

    /// Sends a file whose place in the store was looked at already.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when the precondition does not hold.
    pub(crate) async fn send(&self, source: &SourceFile, key: &str, options: &SendOptions<'_>) -> Result<SentFile> {
        let plan = self.plan_for(source.size).map_err(|error| error.action("put").on(key))?;
        let done = if plan.parts() == 1 && !options.hold {
            let write = WriteOptions { precondition: options.precondition.clone(), ..WriteOptions::replace() };
            let (sent, is_kept) = self.send_whole(source, key, &write).await?;
            if is_kept || options.log.is_some_and(|log| log.earlier(key).is_some()) {
                self.forget_upload(source, key, options).await;
            }
            Done { sent, part_size: plan.part_size(), held: None }
        } else if source.size == 0 {
            source.check_unchanged().await?;
            let sent = multipart::Sent { size: 0, checksum: Crc64::EMPTY, parts: vec![Crc64::EMPTY], etag: None };
            Done { sent, part_size: plan.part_size(), held: Some(Held::empty()) }
        } else {
            resumable::send(self, source, key, plan, options).await?
        };
        self.tell(&Event::FileDone { key, bytes: done.sent.size, moved: true });
        Ok(SentFile { put: done.sent.into_put(done.part_size), held: done.held })
    }

    /// Sends it in one request; whether a journal has an upload of it.
    async fn send_whole(
        &self,
        source: &SourceFile,
        key: &str,
        options: &WriteOptions,
    ) -> Result<(multipart::Sent, bool)> {
        let (store, mover, source) = (self.store.clone(), self.mover.clone(), source.clone());
        let (name, options) = (key.to_owned(), options.clone());
        let sending = async {
            let _slot = self.flow.slot().await?;
            let since = Instant::now();
            let body = PartBody::from_file(source.file.clone(), source.name.clone(), 0, source.size);
            let body = body.with_progress(HighWater::new(mover)).guarded(source.guard()).paced(self.throttle());
            if body.is_empty() {
                source.check_unchanged().await?;
            }
            let sent = body.clone();
            // Looked for where it may take its time: many small files are as many looks.
            let sending = async move {
                let sent = multipart::put_whole(&*store, &name, &sent, &options).await?;
                Ok((sent, Kept::is_there(&*store, source.path(), &name)))
            };
            let (sent, is_kept) = lane::run(sending).await?;
            let waited = body.progress().map_or(Duration::ZERO, |mark| mark.rested());
            body.rests();
            let (direction, bytes) = (Direction::Up, sent.size);
            self.tell(&Event::PartMoved { direction, bytes, waited, took: since.elapsed() });
            Ok((sent, is_kept))
        };
        self.unless_given_up("put", key, sending).await
    }

    /// How an object that is there is read: in ranges, of which there may be any number.
    pub(crate) fn ranges_of(&self, size: u64) -> Plan {
        match self.store().runtime().part_size {
            PartSize::Auto => Plan::existing(size, DEFAULT_PART_SIZE),
            PartSize::Fixed(bytes) => Plan::existing(size, bytes),
        }
    }

    /// How a file is sent, within the store's limits.
    pub(crate) fn plan_for(&self, size: u64) -> Result<Plan> {
        Plan::new(size, self.store().runtime().part_size, &self.store().capabilities())
    }
}

impl multipart::Sent {
    pub(super) fn into_put(self, part_size: u64) -> Put {
        let multipart::Sent { size, checksum, parts, etag } = self;
        Put { size, checksum, part_size, parts, etag, moved: true }
    }
}

pub(super) fn precondition(overwrite: Overwrite) -> Precondition {
    match overwrite {
        Overwrite::Replace => Precondition::None,
        Overwrite::Refuse => Precondition::Absent,
    }
}

pub(super) fn exists(key: &str) -> Error {
    Error::new(ErrorKind::Exists, "it exists already")
        .action("put")
        .on(key)
        .hint_is("choose another key, or leave out --no-clobber to replace it")
}

/// Threads that sum a file at once.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::event::Observer;
    use crate::{LocalStorage, RuntimeConfig, StorageBackend};

    /// Appends to the source after it was opened and before it is sent.
    struct Appender(PathBuf);

    impl Observer for Appender {
        fn event(&self, event: &Event<'_>) {
            if matches!(event, Event::Planned { .. }) {
                std::fs::File::options().append(true).open(&self.0).unwrap().write_all(b"more").unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_file_of_one_part_that_grows_is_not_stored() {
        for content in ["", "content"] {
            let directory = tempfile::tempdir().unwrap();
            let source = directory.path().join("model.bin");
            std::fs::write(&source, content).unwrap();
            let runtime = RuntimeConfig { observer: Arc::new(Appender(source.clone())), ..RuntimeConfig::default() };
            let store = Arc::new(LocalStorage::with_config(directory.path().join("store"), runtime));
            let transfer = Transfer::new(store.clone());
            let error = transfer.put_file(&source, "k", Overwrite::Replace).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
            assert_eq!(store.head("k").await.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
