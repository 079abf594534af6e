//! Where an object lands: its partial file, and the journal of which ranges of it are there.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::body;
use crate::checksum::Crc64;
use crate::config::RuntimeConfig;
use crate::destination::{Destination, Partial};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Journal, Record, name_of};
use crate::pieces::checksum_of;
use crate::plan::Plan;

use super::Expected;

/// An object on its way into a file.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) file: Arc<File>,
    /// For errors.
    pub(super) name: Arc<str>,
    /// Whoever writes to the file holds it.
    pub(super) turn: Arc<Mutex<()>>,
    /// The ranges that are fetched: those of the earlier run where it goes on.
    pub(super) plan: Plan,
    /// Another object was here when an earlier run began.
    pub(super) was_replaced: bool,
    /// Ranges that an earlier run says are in the file.
    earlier: HashMap<u32, Crc64>,
    /// Ranges that an earlier run began to fetch.
    begun: HashSet<u32>,
    journal: Option<Arc<Journal>>,
    /// Something in the file is worth going on with.
    is_worth: AtomicBool,
    partial: Option<Partial>,
}

impl Landing {
    /// Claims the partial file and reads what an earlier run of the same get did. May block.
    pub(super) fn open(
        runtime: &RuntimeConfig,
        subject: &[String],
        expected: &Expected,
        destination: &Destination,
    ) -> Result<Self> {
        let partial = destination.partial_file(&name_of(subject))?;
        // The journal of a file that nobody finds again would lead nowhere. One range is there or it is not; but whoever
        // tidies up shall find the file, unless the journal of its directory leads there.
        let wanted =
            partial.is_found_again() && (expected.plan.parts() > 1 || matches!(destination, Destination::At(_)));
        let opened = if wanted { Journal::open(runtime, subject) } else { None };
        let (journal, records) =
            opened.map_or((None, Vec::new()), |(journal, records)| (Some(Arc::new(journal)), records));
        let mut landing = Landing {
            file: partial.file().clone(),
            name: destination.shown().to_string_lossy().into(),
            turn: Arc::default(),
            plan: expected.plan,
            was_replaced: false,
            earlier: HashMap::new(),
            begun: HashSet::new(),
            journal,
            is_worth: AtomicBool::new(false),
            partial: Some(partial),
        };
        if runtime.resume {
            landing.go_on(records, expected);
        }
        let failed = |error| Error::local(format!("write '{}'", landing.name), error);
        if !landing.earlier.is_empty() {
            // What stands behind the end is nobody's.
            let too_long = landing.file.metadata().map_err(failed)?.len() > expected.plan.size();
            if too_long {
                landing.file.set_len(expected.plan.size()).map_err(failed)?;
            }
            return Ok(landing);
        }
        landing.file.set_len(0).map_err(failed)?;
        if let (Some(journal), Some(partial)) = (&landing.journal, &landing.partial) {
            journal.restart(&Record::Download {
                partial: partial.path(),
                size: expected.plan.size(),
                part_size: expected.plan.part_size(),
                etag: expected.pin.clone(),
                checksum: expected.checksum,
            });
        }
        Ok(landing)
    }

    /// Takes over what an earlier run did, if it was at the same object.
    fn go_on(&mut self, records: Vec<Record>, expected: &Expected) {
        let mut records = records.into_iter();
        let Some(Record::Download { size, part_size, etag, checksum, .. }) = records.next() else { return };
        let plan = Plan::existing(size, part_size);
        let done: HashMap<u32, Crc64> = records
            .by_ref()
            .filter_map(|record| match record {
                Record::Range { range, checksum } => Some((range, checksum)),
                Record::Started { part } => {
                    self.begun.insert(part);
                    None
                }
                _ => None,
            })
            .collect();
        // Equal checksums are equal content, whatever its ETag is now.
        let is_same = size == expected.plan.size()
            && checksum == expected.checksum
            && (checksum.is_some() || (etag.is_some() && etag == expected.pin));
        // The checksums of a manifest belong to its own ranges.
        let fits = expected.parts.is_empty() || plan == expected.plan;
        if is_same && fits {
            self.is_worth = AtomicBool::new(!done.is_empty());
            self.plan = plan;
            self.earlier = done;
        } else {
            self.was_replaced = !is_same && !done.is_empty();
            self.begun.clear();
        }
    }

    /// Whether a range of the file still has the checksum that an earlier run noted. May block.
    pub(super) fn is_there(file: &File, name: &str, range: &Range<u64>, recorded: Crc64) -> bool {
        // What cannot be read is fetched again; where that cannot be written either, the error is told then.
        checksum_of(file, name, range.start, range.end - range.start).is_ok_and(|now| now == recorded)
    }

    /// What the journal of an earlier run says of a range.
    pub(super) fn recorded(&self, number: u32) -> Option<Crc64> {
        self.earlier.get(&number).copied()
    }

    /// Whether an earlier run had begun a range and not ended it.
    pub(super) fn was_begun(&self, number: u32) -> bool {
        self.begun.contains(&number) && !self.earlier.contains_key(&number)
    }

    /// Nothing was in the file when it was opened: what is not written reads as zero.
    pub(super) fn is_new(&self) -> bool {
        self.earlier.is_empty()
    }

    /// Keeps in mind that a range is about to come, or is there.
    pub(super) async fn note(&self, record: Record) -> Result<()> {
        if matches!(record, Record::Range { .. }) {
            self.is_worth.store(true, Ordering::Relaxed);
        }
        let Some(journal) = self.journal.clone() else { return Ok(()) };
        body::blocking(move || {
            journal.append(&record);
            Ok(())
        })
        .await
    }

    /// Makes the file durable and gives it its final name. May block.
    pub(super) fn commit(mut self, refuse: bool) -> Result<()> {
        let failed = |error| Error::local(format!("write '{}'", self.name), error);
        let len = self.file.metadata().map_err(failed)?.len();
        if len != self.plan.size() {
            let message =
                format!("'{}' has {len} bytes instead of {}: somebody wrote to it", self.name, self.plan.size());
            return Err(Error::new(ErrorKind::Integrity, message));
        }
        let outcome = self.partial.take().map_or(Ok(()), |partial| partial.commit(refuse));
        // Renamed or removed: nothing can go on with it.
        self.forget();
        outcome
    }

    /// The get failed: keeps what it has done where the same command can succeed later, else removes it. May block.
    pub(super) fn end(mut self, error: &Error) {
        if !can_go_on(error.kind()) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.partial = None;
        self.is_worth.store(false, Ordering::Relaxed);
    }
}

impl Drop for Landing {
    /// Also where the get is dropped in the middle, like one that is interrupted.
    fn drop(&mut self) {
        let is_worth = self.is_worth.load(Ordering::Relaxed);
        match (&self.journal, self.partial.take()) {
            (Some(journal), Some(partial)) if is_worth => {
                journal.flush();
                partial.keep();
            }
            // Removed here.
            (journal, _) => {
                if let Some(journal) = journal {
                    journal.remove();
                }
            }
        }
    }
}

/// Whether the same command may succeed later with what this one has done. A full disk is told at once and left as it
/// was; what is wrong in the store, or in the way here, is so next time.
pub(crate) fn can_go_on(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Cancelled | ErrorKind::Unavailable | ErrorKind::Denied | ErrorKind::Other => true,
        ErrorKind::LocalIo | ErrorKind::Integrity | ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Exists => {
            false
        }
    }
}
