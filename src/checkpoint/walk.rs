//! The files of a directory that is being put.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;
use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::key;
use crate::transfer::{Stamp, refuse_special};

use super::filter::Filter;

/// A regular file below the directory, or a link to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Path below the directory, with `/`.
    pub(crate) path: String,
    pub(crate) local: PathBuf,
    pub(crate) size: u64,
    stamp: Stamp,
}

/// The files that take part, in ascending order of their paths' bytes. Links are followed; FIFOs, sockets, devices,
/// loops and broken links are refused by name unless the filter leaves them out.
pub(crate) fn walk(directory: &Path, name: &str, filter: &Filter) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in WalkDir::new(directory).follow_links(true).min_depth(1) {
        let path = match &entry {
            Ok(entry) => Some(entry.path()),
            Err(error) => error.path(),
        };
        let relative = path.and_then(|path| path.strip_prefix(directory).ok()).and_then(key::of_path);
        if relative.as_ref().is_some_and(|relative| !filter.takes(relative)) && !is_directory(&entry) {
            continue;
        }
        let entry = entry.map_err(|error| unreadable(directory, error))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let Some(relative) = relative else {
            return Err(Error::invalid(format!("the name of '{}' is not UTF-8", entry.path().display()))
                .hint_is("rename it, or leave it out with --exclude"));
        };
        let metadata = entry.metadata().map_err(|error| unreadable(directory, error))?;
        refuse_special(entry.path(), &metadata)?;
        // Told before anything is sent, not when its turn comes.
        rustix::fs::access(entry.path(), Access::READ_OK)
            .map_err(|errno| Error::local(format!("read '{}'", entry.path().display()), errno.into()))?;
        key::check(&format!("{name}/{relative}"))?;
        let stamp = Stamp::of(&metadata);
        members.push(Member { path: relative, local: entry.into_path(), size: metadata.size(), stamp });
    }
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

fn is_directory(entry: &walkdir::Result<walkdir::DirEntry>) -> bool {
    entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir())
}

fn unreadable(directory: &Path, error: walkdir::Error) -> Error {
    let shown = error.path().unwrap_or(directory).display().to_string();
    if let Some(ancestor) = error.loop_ancestor() {
        return Error::invalid(format!("the link '{shown}' leads back to '{}'", ancestor.display()))
            .hint_is("remove the link, or leave it out with --exclude");
    }
    match error.into_io_error() {
        Some(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Error::invalid(format!("'{shown}' is a link to nothing, or was removed meanwhile"))
                .hint_is("remove it, or leave it out with --exclude")
        }
        Some(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            Error::invalid(format!("the link '{shown}' leads back to itself"))
                .hint_is("remove the link, or leave it out with --exclude")
        }
        Some(error) => Error::local(format!("read '{shown}'"), error),
        None => Error::invalid(format!("'{shown}' cannot be read")),
    }
}
