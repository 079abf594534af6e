//! Journals that no process works with: what was interrupted and may never be taken up again.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::records::{Head, Record, lines, parse};
use super::{EXTENSION, LARGEST, directory_of, is_there};

/// A journal that no process works with.
#[derive(Clone, Debug)]
pub(crate) struct Abandoned {
    pub(crate) path: PathBuf,
    pub(crate) subject: Vec<String>,
    pub(crate) records: Vec<Record>,
}

impl Abandoned {
    /// Keeps other processes away from the transfer until the file is closed; `None` where one has taken it up
    /// meanwhile. May block.
    pub(crate) fn lock(&self) -> io::Result<Option<File>> {
        let mut file = File::open(&self.path)?;
        match file.try_lock() {
            Ok(()) => {
                let mut text = Vec::new();
                Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut text)?;
                let now = parse(&text, &Head::of(&self.subject)).1;
                Ok((now.first() == self.records.first() && is_there(&self.path, &file)).then_some(file))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The journals below `state_dir` that no process works with; those that cannot be read are left out. May block.
pub(crate) fn abandoned(state_dir: &Path) -> Vec<Abandoned> {
    let Ok(entries) = std::fs::read_dir(directory_of(state_dir)) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<Abandoned> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .filter_map(|path| {
            let mut file = File::open(&path).ok()?;
            file.try_lock().ok()?;
            let mut text = Vec::new();
            Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut text).ok()?;
            let head: Head = lines(&text).next().and_then(|(_, json)| serde_json::from_slice(json).ok())?;
            let records = parse(&text, &Head::of(&head.subject)).1;
            Some(Abandoned { path, subject: head.subject, records })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
