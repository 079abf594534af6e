//! What a transfer has done, on local disk, so that the same command can go on after any interruption.
//!
//! One file a transfer, `STATE/strata-ckpt/journals/HASH.journal`, only ever appended to. A line is the CRC-64/NVME of
//! its JSON, a space, and the JSON. Reading stops at the first line that is cut or damaged: what was appended after it
//! is done once more, which is always right. The file is locked while a process works with it.
//!
//! A journal is a convenience: one that cannot be written costs a warning, never the transfer.

mod abandoned;
mod records;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use abandoned::{Abandoned, abandoned};
pub(crate) use records::Record;
use records::{Head, line_of, parse};

use crate::checksum::Crc64;
use crate::config::RuntimeConfig;
use crate::disk::sync_directory;
use crate::event::{Event, Observer};

/// Lines that need not last reach the disk at least this often; until then only a power cut loses them.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// The largest journal that is read, in bytes: 10,000 parts take some 2 MiB.
const LARGEST: u64 = 256 << 20;
const EXTENSION: &str = "journal";
/// How often a journal that another process holds is looked at again before it is believed to be at work.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The journal of one transfer, locked for this process until it is dropped.
pub(crate) struct Journal {
    path: PathBuf,
    head: Head,
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
    broken: AtomicBool,
}

struct State {
    file: File,
    /// Without a record there is nothing to keep.
    is_empty: bool,
    /// Nothing is added any more.
    is_closed: bool,
    is_removed: bool,
    synced: Instant,
}

impl Journal {
    /// Opens the journal of the transfer that `subject` names and reads what it did. `None` without a state directory,
    /// and where another process is at the same transfer. May block.
    pub(crate) fn open(runtime: &RuntimeConfig, subject: &[String]) -> Option<(Journal, Vec<Record>)> {
        let directory = directory_of(runtime.state_dir.as_deref()?);
        let path = path_of(&directory, subject);
        match open_locked(&directory, &path) {
            Ok(Some(file)) => {
                let head = Head::of(subject);
                let mut journal = Journal {
                    path,
                    head,
                    observer: runtime.observer.clone(),
                    state: Mutex::new(State {
                        file,
                        is_empty: true,
                        is_closed: false,
                        is_removed: false,
                        synced: Instant::now(),
                    }),
                    broken: AtomicBool::new(false),
                };
                let records = journal.replay();
                Some((journal, records))
            }
            Ok(None) => None,
            Err(error) => {
                let message = format!(
                    "progress cannot be kept in '{}' ({error}): an interrupted transfer will start over",
                    directory.display()
                );
                runtime.observer.event(&Event::Warning { message: &message });
                None
            }
        }
    }

    /// [`open`](Self::open) where one was kept before; nothing is made otherwise. May block.
    pub(crate) fn open_existing(runtime: &RuntimeConfig, subject: &[String]) -> Option<(Journal, Vec<Record>)> {
        Journal::exists(runtime, subject).then(|| Journal::open(runtime, subject))?
    }

    /// Whether one was kept before. May block.
    pub(crate) fn exists(runtime: &RuntimeConfig, subject: &[String]) -> bool {
        runtime.state_dir.as_deref().is_some_and(|state_dir| path_of(&directory_of(state_dir), subject).exists())
    }

    fn replay(&mut self) -> Vec<Record> {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut text = Vec::new();
        let read = Read::by_ref(&mut state.file).take(LARGEST).read_to_end(&mut text);
        let Ok((kept, records)) = read.map(|_| parse(&text, &self.head)) else { return Vec::new() };
        // What follows the last good line would make the next one unreadable.
        let cut = state.file.set_len(kept).and_then(|()| state.file.seek(SeekFrom::End(0)));
        if cut.is_err() {
            return Vec::new();
        }
        state.is_empty = records.is_empty();
        records
    }

    /// Forgets everything and begins anew with `first`, which is on the disk when this returns. May block.
    pub(crate) fn restart(&self, first: &Record) {
        self.write(|state| {
            state.is_empty = true;
            state.file.set_len(0)?;
            state.file.seek(SeekFrom::Start(0))?;
            let mut lines = line_of(&self.head)?;
            lines.extend(line_of(first)?);
            state.file.write_all(&lines)?;
            state.file.sync_data()?;
            state.is_empty = false;
            Ok(())
        });
    }

    /// Adds what was done. It survives the end of this process, and a second later that of the machine. May block.
    pub(crate) fn append(&self, record: &Record) {
        self.write(|state| {
            state.file.write_all(&line_of(record)?)?;
            if state.synced.elapsed() >= SYNC_EVERY {
                state.file.sync_data()?;
                state.synced = Instant::now();
            }
            Ok(())
        });
    }

    /// Makes everything that was appended last. May block.
    pub(crate) fn flush(&self) {
        self.write(|state| state.file.sync_data());
    }

    /// The transfer is done, or will never go on: nothing is kept, and nothing can be added. May block.
    pub(crate) fn remove(&self) {
        let mut state = self.state();
        state.is_empty = true;
        state.is_closed = true;
        // Still locked: nobody else is at it. Where it fails, the drop tries once more.
        state.is_removed |= std::fs::remove_file(&self.path).is_ok();
    }

    /// Removes the journal of the transfer that `subject` names, unless another process is at it. May block.
    pub(crate) fn forget(runtime: &RuntimeConfig, subject: &[String]) {
        let Some(state_dir) = runtime.state_dir.as_deref() else { return };
        let path = path_of(&directory_of(state_dir), subject);
        let Ok(file) = File::open(&path) else { return };
        if file.try_lock().is_ok() && is_there(&path, &file) {
            let _ = std::fs::remove_file(&path);
        }
    }

    /// Whether the next process finds something in it.
    pub(crate) fn is_kept(&self) -> bool {
        !self.state().is_empty
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A journal that cannot be written is told of once and is not written any more.
    fn write(&self, work: impl FnOnce(&mut State) -> io::Result<()>) {
        let mut state = self.state();
        if state.is_closed || self.broken.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = work(&mut state) {
            self.broken.store(true, Ordering::Relaxed);
            let message = format!(
                "progress cannot be written to '{}' ({error}): after an interruption more is sent again",
                self.path.display()
            );
            self.observer.event(&Event::Warning { message: &message });
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.is_empty && !state.is_removed {
            // Still locked: nobody else is at it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).field("head", &self.head).finish_non_exhaustive()
    }
}

fn subject_of_benches() -> Vec<String> {
    vec!["put".to_owned(), "s3://bucket/model.bin".to_owned(), "/data/model.bin".to_owned()]
}

/// See [`crate::hot`].
pub(crate) fn of_parts(parts: u32) -> Vec<u8> {
    let mut text = line_of(&Head::of(&subject_of_benches())).unwrap_or_default();
    for part in 1..=parts {
        let checksum = Crc64::of(&part.to_be_bytes());
        let etag = format!("\"{part:032x}\"");
        let record = Record::Part { part, size: 8 << 20, checksum, etag };
        text.extend(line_of(&record).unwrap_or_default());
    }
    text
}

/// See [`crate::hot`].
pub(crate) fn parts_in(text: &[u8]) -> usize {
    parse(text, &Head::of(&subject_of_benches())).1.len()
}

fn directory_of(state_dir: &Path) -> PathBuf {
    state_dir.join("strata-ckpt").join("journals")
}

fn path_of(directory: &Path, subject: &[String]) -> PathBuf {
    directory.join(format!("{}.{EXTENSION}", name_of(subject)))
}

/// Sixteen hexadecimal digits that stand for these strings.
pub(crate) fn name_of(subject: &[String]) -> String {
    let joined: Vec<u8> = subject.iter().flat_map(|part| part.bytes().chain([0])).collect();
    Crc64::of(&joined).to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file, created where it is missing; `None` where another process holds it.
fn open_locked(directory: &Path, path: &Path) -> io::Result<Option<File>> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o600).custom_flags(nofollow());
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            // Whoever lists what was abandoned holds it for a moment.
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Who held it before may have removed it while we waited to open it.
        let ours = file.metadata()?;
        match std::fs::symlink_metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {
                let lasts = if ours.len() == 0 { sync_directory(directory) } else { Ok(()) };
                return lasts.map(|()| Some(file)).inspect_err(|_| drop(std::fs::remove_file(path)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the path still names the file that was opened.
fn is_there(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(ours)) = (std::fs::symlink_metadata(path), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (ours.dev(), ours.ino())
}

fn nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subject() -> Vec<String> {
        vec!["put".to_owned(), "file:///store/k".to_owned(), "/data/model.bin".to_owned()]
    }

    fn records() -> Vec<Record> {
        let upload = Record::Upload {
            id: "u\n1".to_owned(),
            token: "t".to_owned(),
            size: 30,
            part_size: 10,
            settings: String::new(),
        };
        let part = |part| Record::Part { part, size: 10, checksum: Crc64::of(&[1]), etag: format!("\"{part}\"") };
        vec![upload, Record::Started { part: 1 }, part(1), Record::Started { part: 2 }, part(2)]
    }

    fn runtime(directory: &Path) -> RuntimeConfig {
        RuntimeConfig { state_dir: Some(directory.to_owned()), ..RuntimeConfig::default() }
    }

    fn written(runtime: &RuntimeConfig) -> PathBuf {
        let (journal, before) = Journal::open(runtime, &subject()).unwrap();
        assert_eq!(before, []);
        let all = records();
        journal.restart(&all[0]);
        all[1..].iter().for_each(|record| journal.append(record));
        journal.path.clone()
    }

    #[test]
    fn what_was_appended_is_there_again_and_locked_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = runtime(directory.path());
        written(&runtime);
        assert_eq!(abandoned(directory.path()).len(), 1);
        let (journal, again) = Journal::open(&runtime, &subject()).unwrap();
        assert_eq!(again, records());
        assert!(Journal::open(&runtime, &subject()).is_none(), "one process at a time");
        assert!(abandoned(directory.path()).is_empty());
        journal.append(&Record::Started { part: 3 });
        drop(journal);
        let (journal, again) = Journal::open(&runtime, &subject()).unwrap();
        assert_eq!(again.len(), records().len() + 1);
        journal.remove();
        assert_eq!(Journal::open(&runtime, &subject()).unwrap().1, []);
        assert_eq!(std::fs::read_dir(directory_of(directory.path())).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn of_another_version_or_another_transfer_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = runtime(directory.path());
        let path = written(&runtime);
        let text = std::fs::read(&path).unwrap();
        let newer = Head { version: 2, ..Head::of(&subject()) };
        let others = Head { subject: vec!["put".to_owned()], ..Head::of(&subject()) };
        for head in [newer, others] {
            assert_eq!(parse(&[line_of(&head).unwrap(), text.clone()].concat(), &Head::of(&subject())).1, []);
        }
    }

    #[test]
    fn one_that_cannot_be_written_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Journal::open(&runtime(&file), &subject()).is_none());
    }

    proptest! {
        #[test]
        fn a_cut_or_a_flip_leaves_a_prefix(cut in any::<proptest::sample::Index>(), flip in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let head = Head::of(&subject());
            let mut text = line_of(&head).unwrap();
            let mut ends = vec![text.len()];
            for record in records() {
                text.extend(line_of(&record).unwrap());
                ends.push(text.len());
            }
            let cut = cut.index(text.len() + 1);
            let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
            prop_assert_eq!(parse(&text[..cut], &head).1, &records()[..whole]);

            let at = flip.index(text.len());
            let mut flipped = text.clone();
            flipped[at] ^= 1 << bit;
            let before = ends.iter().filter(|end| **end <= at).count().saturating_sub(1);
            let got = parse(&flipped, &head).1;
            prop_assert!(got == records()[..before] || got == records(), "{got:?}");
        }

        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = parse(&text, &Head::of(&subject()));
        }
    }
}
