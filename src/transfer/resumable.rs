//! A file into the store in parts, over as many processes as it takes: goes on with what an earlier one has sent, and
//! leaves its own upload to the next where it cannot finish it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::backend::{Part, PartReceipt, UploadId, WriteOptions};
use crate::body::{PartBody, blocking};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, HighWater};
use crate::lane;
use crate::multipart::{self, Job, Sent};
use crate::pieces::checksum_of;
use crate::plan::Plan;

use super::existing::object_at;
use super::held::{Earlier, Held, SendOptions};
use super::kept::Kept;
use super::upload::threads;
use super::{SourceFile, Transfer, can_go_on};

/// How often an upload starts over because the store has forgotten it.
const FORGOTTEN_AT_MOST: u32 = 1;
/// How often it starts over because another writer was at the same object.
const CONFLICTS_AT_MOST: u32 = 3;
/// How often parts that the store does not have after all are sent again.
const REPAIRS_AT_MOST: u32 = 2;

/// A file on its way.
pub(super) struct Resumable<'a> {
    transfer: &'a Transfer,
    source: &'a SourceFile,
    key: &'a str,
    options: &'a SendOptions<'a>,
    plan: Plan,
    kept: Kept<'a>,
    /// Of each part, over all uploads: a part that goes again in another counts once.
    marks: Vec<Arc<HighWater>>,
}

/// What came of it.
pub(super) struct Done {
    pub(super) sent: Sent,
    pub(super) part_size: u64,
    pub(super) held: Option<Held>,
}

/// One upload.
#[derive(Debug, Default)]
struct Session {
    upload: UploadId,
    token: String,
    receipts: BTreeMap<u32, PartReceipt>,
    /// What an earlier process sent, as it was kept.
    unchecked: Vec<PartReceipt>,
    /// Parts of an earlier process that count.
    resumed: BTreeSet<u32>,
    is_new: bool,
    /// It was begun for another source, by somebody who may still be there.
    is_foreign: bool,
}

/// How often it had to start.
#[derive(Debug, Default)]
struct Starts {
    tokens: Vec<String>,
    forgotten: u32,
    conflicts: u32,
}

/// Sends `source`, cut by `plan` unless an earlier upload was cut in another way.
pub(super) async fn send(
    transfer: &Transfer,
    source: &SourceFile,
    key: &str,
    plan: Plan,
    options: &SendOptions<'_>,
) -> Result<Done> {
    let store = &**transfer.store();
    let (kept, before) = Kept::open(store, source.path(), key, options.log, true).await;
    let (plan, earlier) = transfer.to_go_on_with(plan, key, &before).await;
    let observer = &transfer.mover;
    let went = |number: u32| before.went(number) && earlier.is_some();
    let marks = plan.ranges().map(|(part, _)| match went(part.number) {
        true => HighWater::begun_before(observer.clone()),
        false => HighWater::new(observer.clone()),
    });
    let marks = marks.collect();
    let session = earlier.map(|earlier| {
        kept.goes_on();
        let Earlier { upload, token, parts, .. } = earlier;
        Session { upload, token, unchecked: parts, is_foreign: before.is_foreign, ..Session::default() }
    });
    Resumable { transfer, source, key, options, plan, kept, marks }.run(session).await
}

impl Resumable<'_> {
    /// Through as many uploads as it takes.
    async fn run(mut self, first: Option<Session>) -> Result<Done> {
        let (mut next, mut starts) = (first, Starts::default());
        loop {
            let mut session = match next.take() {
                Some(session) => session,
                None => self.begin().await?,
            };
            starts.tokens.push(session.token.clone());
            let cancel = &self.transfer.cancel.clone();
            let outcome = tokio::select! {
                biased;
                outcome = self.attempt(&mut session) => outcome,
                () = cancel.cancelled() => Err(Error::cancelled().action("put").on(self.key)),
            };
            if outcome.is_err() {
                lane::settled().await;
            }
            match outcome {
                Ok(None) => {
                    multipart::give_up(&**self.transfer.store(), self.key, &session.upload).await;
                }
                Ok(Some(done)) if self.options.hold => {
                    self.kept.flush().await;
                    return Ok(done);
                }
                Ok(Some(done)) => {
                    self.kept.ended().await;
                    return Ok(done);
                }
                Err(error) => {
                    if let Some(done) = self.after(error, &session, &mut starts).await? {
                        self.kept.ended().await;
                        return Ok(done);
                    }
                }
            }
        }
    }

    /// What a failure of an upload means: it is done all the same, nothing but a new upload helps (`None`), or the end.
    async fn after(&self, error: Error, session: &Session, starts: &mut Starts) -> Result<Option<Done>> {
        let is_forgotten = error.code() == Some("NoSuchUpload") && starts.forgotten < FORGOTTEN_AT_MOST;
        let is_conflict = error.code() == Some("ConditionalRequestConflict") && starts.conflicts < CONFLICTS_AT_MOST;
        if (is_forgotten || (error.kind() == ErrorKind::Exists && starts.tokens.len() > 1))
            && let Some(done) = self.done_before(&starts.tokens).await
        {
            multipart::give_up(&**self.transfer.store(), self.key, &session.upload).await;
            return Ok(Some(done));
        }
        if is_forgotten {
            starts.forgotten += 1;
            let message = format!("the store has forgotten the unfinished upload of '{}': it starts over", self.key);
            self.transfer.tell(&Event::Warning { message: &message });
        } else if is_conflict {
            starts.conflicts += 1;
            self.tell_again("put", starts.conflicts, &error);
        } else {
            self.leave(session, &error).await;
            return Err(error);
        }
        // Also one that is said to be gone: not every server says the same twice.
        multipart::give_up(&**self.transfer.store(), self.key, &session.upload).await;
        Ok(None)
    }

    /// Leaves the upload to the next process, or gives it up where that could do nothing with it.
    async fn leave(&self, session: &Session, error: &Error) {
        // A disk that is full or broken, the source's or the store's, is left as it was.
        if can_go_on(error.kind()) && self.kept.is_kept() {
            self.kept.flush().await;
        } else if multipart::give_up(&**self.transfer.store(), self.key, &session.upload).await {
            self.kept.ended().await;
        }
    }

    async fn begin(&self) -> Result<Session> {
        let write = WriteOptions::under(self.options.precondition.clone());
        let store = &**self.transfer.store();
        let foreseen = store.upload_of(self.key, &write.token);
        if let Some(upload) = &foreseen {
            // What is begun after this line is found by the next process.
            self.kept.begins(&self.earlier(upload, &write.token)).await;
        }
        let begun = multipart::begin(store, self.job(&write)).await;
        if begun.is_err() && foreseen.is_some() {
            self.kept.ended().await;
        }
        Ok(Session { upload: begun?, token: write.token, is_new: true, ..Session::default() })
    }

    fn earlier(&self, upload: &UploadId, token: &str) -> Earlier {
        let (upload, token) = (upload.clone(), token.to_owned());
        let settings = self.transfer.store().write_settings(self.key);
        let (size, part_size) = (self.plan.size(), self.plan.part_size());
        Earlier { upload, token, size, part_size, settings, parts: Vec::new() }
    }

    fn job<'b>(&'b self, options: &'b WriteOptions) -> Job<'b> {
        let Transfer { store, flow, race, cancel, .. } = self.transfer;
        Job { key: self.key, options, flow, race, lanes: Some(store), in_memory: false, cancel }
    }

    fn write_options(&self, session: &Session) -> WriteOptions {
        WriteOptions { token: session.token.clone(), ..WriteOptions::under(self.options.precondition.clone()) }
    }

    /// `None` where the upload is not one to go on with.
    async fn attempt(&mut self, session: &mut Session) -> Result<Option<Done>> {
        let part_size = self.plan.part_size();
        let store = &**self.transfer.store();
        let foreseen = store.upload_of(self.key, &session.token);
        if session.is_new {
            let upload = self.earlier(&session.upload, &session.token);
            self.kept.begun(&upload, foreseen.as_ref() == Some(&session.upload)).await?;
        } else if foreseen.is_some() {
            store.begin(self.key, &self.write_options(session)).await?;
        }
        if !self.check(session).await? {
            return Ok(None);
        }
        self.send_missing(session).await?;
        if self.options.hold {
            let receipts = session.receipts();
            let sent = multipart::review(&receipts)?;
            let settings = store.write_settings(self.key);
            let held = Held::new(session.upload.clone(), &session.token, settings, receipts);
            return Ok(Some(Done { sent, part_size, held: Some(held) }));
        }
        let sent = self.complete(session).await?;
        Ok(Some(Done { sent, part_size, held: None }))
    }

    /// What an earlier process sent counts where it still is what the source and the store have. False for the upload of
    /// a source that is not known to be the same: were both to go on with it, its token would name two contents.
    async fn check(&mut self, session: &mut Session) -> Result<bool> {
        let store = &**self.transfer.store();
        // The last word on a part counts.
        let told: BTreeMap<u32, PartReceipt> =
            session.unchecked.drain(..).map(|receipt| (receipt.number, receipt)).collect();
        let (upload, key) = (&session.upload, self.key);
        let checks = self.plan.ranges().filter_map(|(part, range)| {
            let receipt = told.get(&part.number).filter(|receipt| receipt.size == range.end - range.start)?.clone();
            let (file, name) = (self.source.file.clone(), self.source.name.clone());
            let check = async move {
                let sum = blocking(move || checksum_of(&file, &name, range.start, receipt.size)).await?;
                let is_same = sum == receipt.checksum && store.has_part(key, upload, part, &receipt).await?;
                Ok::<_, Error>(is_same.then_some(receipt))
            };
            Some(check.boxed())
        });
        let checked: Vec<Option<PartReceipt>> = stream::iter(checks).buffer_unordered(threads()).try_collect().await?;
        let same: BTreeMap<u32, PartReceipt> =
            checked.into_iter().flatten().map(|receipt| (receipt.number, receipt)).collect();
        if session.is_foreign && (same.is_empty() || same.len() < told.len()) {
            return Ok(false);
        }
        let bytes: u64 = same.values().map(|receipt| receipt.size).sum();
        if bytes > 0 {
            self.transfer.tell(&Event::Resumed { key: self.key, bytes });
        }
        for number in same.keys() {
            let observer = self.transfer.mover.clone();
            self.marks[*number as usize - 1] = HighWater::resumed(observer);
        }
        session.resumed = same.keys().copied().collect();
        session.receipts = same;
        Ok(true)
    }

    async fn send_missing(&self, session: &mut Session) -> Result<()> {
        let write = self.write_options(session);
        let receipts = &session.receipts;
        let missing = self.plan.ranges().filter(|(part, _)| !receipts.contains_key(&part.number));
        let parts = missing.map(|(part, range)| {
            let (file, name) = (self.source.file.clone(), self.source.name.clone());
            let mark = self.marks[part.number as usize - 1].clone();
            let body = PartBody::from_file(file, name, range.start, range.end - range.start).with_progress(mark);
            let body = body.paced(self.transfer.throttle());
            Ok(async move { Ok::<(Part, _), _>((part, body)) }.boxed())
        });
        let (store, parts) = (&**self.transfer.store(), stream::iter(parts).boxed());
        let sent = multipart::send_parts(store, self.job(&write), &session.upload, &self.kept, parts).await?;
        session.receipts.extend(sent.into_iter().map(|receipt| (receipt.number, receipt)));
        self.source.check_unchanged().await
    }

    /// Makes the object. Parts that the store does not have after all are sent again first.
    async fn complete(&self, session: &mut Session) -> Result<Sent> {
        let (store, write) = (&**self.transfer.store(), self.write_options(session));
        let mut repairs = 0;
        loop {
            let receipts = session.receipts();
            let error = match multipart::complete(store, self.key, &session.upload, &receipts, &write).await {
                Err(error) if error.code() == Some("InvalidPart") && repairs < REPAIRS_AT_MOST => error,
                outcome => {
                    let stored = outcome?;
                    // It is done, and nobody goes on with it, whatever the store has made of it.
                    let told = multipart::as_told(self.key, &stored);
                    if told.is_err() {
                        self.kept.ended().await;
                    }
                    told?;
                    return Ok(Sent { etag: stored.etag, ..multipart::review(&receipts)? });
                }
            };
            repairs += 1;
            self.tell_again("complete the upload of", repairs, &error);
            session.doubt(error.part());
            self.send_missing(session).await?;
        }
    }

    /// Whether one of our own uploads made the object after all.
    async fn done_before(&self, tokens: &[String]) -> Option<Done> {
        let there = object_at(&**self.transfer.store(), self.key).await.ok()??;
        if self.options.hold || !tokens.contains(&there.token?) || there.size != self.plan.size() {
            return None;
        }
        let sums = self.source.checksums(self.plan, threads());
        let (parts, checksum) = self.transfer.unless_given_up("put", self.key, sums).await.ok()?;
        let sent = Sent { size: there.size, checksum, parts, etag: there.etag };
        (there.checksum == Some(checksum)).then_some(Done { sent, part_size: self.plan.part_size(), held: None })
    }

    fn tell_again(&self, action: &str, tries: u32, error: &Error) {
        self.transfer.tell(&Event::Retrying { action, key: self.key, tries, delay: Duration::ZERO, error });
    }
}

impl Session {
    fn receipts(&self) -> Vec<PartReceipt> {
        self.receipts.values().cloned().collect()
    }

    /// Forgets the part that the store named; where it named none, those that an earlier process sent, else all.
    fn doubt(&mut self, named: Option<u32>) {
        match named.filter(|number| self.receipts.contains_key(number)) {
            Some(number) => {
                self.receipts.remove(&number);
                self.resumed.remove(&number);
            }
            None if !self.resumed.is_empty() => {
                let resumed = std::mem::take(&mut self.resumed);
                self.receipts.retain(|number, _| !resumed.contains(number));
            }
            None => self.receipts.clear(),
        }
    }
}
