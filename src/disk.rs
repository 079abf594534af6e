//! What the local store and downloads both do on disk: names of partial files, directories and renames that last.

mod claim;
mod directory;
mod share;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::key::PARTIAL_SUFFIX;

pub(crate) use claim::{Claim, Claimed};
pub(crate) use directory::Directory;
pub(crate) use share::{make_hole, share};

/// Bytes of the final name in the name of its partial file: enough to tell, well below the usual limit of 255.
const NAME_SHOWN: usize = 64;

/// The name of the partial file for `name`; `what` tells it from others for the same name.
pub(crate) fn partial_name(name: &str, what: &str) -> String {
    format!(".{}.{what}{PARTIAL_SUFFIX}", &name[..name.floor_char_boundary(NAME_SHOWN)])
}

/// A name of a file that is being written.
pub(crate) fn is_partial(name: &str) -> bool {
    name.ends_with(PARTIAL_SUFFIX)
}

/// Where the entry of `path` is.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a directory and those above it that are missing, and makes them last.
pub(crate) fn make_directories(directory: &Path) -> io::Result<()> {
    let is_missing = |ancestor: &&Path| !ancestor.as_os_str().is_empty() && !ancestor.exists();
    let missing: Vec<&Path> = directory.ancestors().take_while(is_missing).collect();
    std::fs::create_dir_all(directory)?;
    missing.into_iter().try_for_each(|made| sync_directory(&parent_of(made)))
}

/// Makes a directory's entries last. One that is gone has none; some file systems cannot sync directories.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|opened| sync_handle(&opened)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Makes a file's content, or a directory's entries, last.
pub(crate) fn sync_handle(opened: &File) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    match opened.sync_all() {
        Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
        outcome => outcome,
    }
}
