//! Partial files below the store that no process writes to: of uploads that may go on, and of writes that were killed.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};
use walkdir::WalkDir;

use super::place::{is_missing, store_exists};
use crate::backend::{PartialFile, UploadId};
use crate::disk::is_partial;
use crate::error::{Error, Result};
use crate::key;

/// Those of objects whose keys begin with `prefix`, as far as their names tell.
pub(super) fn list(root: &Path, prefix: &str) -> Result<Vec<PartialFile>> {
    let failed = |error| Error::local("look for partial files", error).at(root.display().to_string());
    if !store_exists(root, "look for partial files").map_err(|error| error.at(root.display().to_string()))? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match error.into_io_error() {
                Some(error) if !is_missing(&error) => return Err(failed(error)),
                _ => continue,
            },
        };
        let name = entry.file_name().to_str().unwrap_or_default();
        if !entry.file_type().is_file() || !is_partial(name) || is_in_use(entry.path()) {
            continue;
        }
        let Some(path) = entry.path().strip_prefix(root).ok().and_then(key::of_path) else { continue };
        let key = object_of(&path);
        let Ok(metadata) = entry.metadata() else { continue };
        if key.starts_with(prefix) {
            let (size, modified) = (metadata.len(), metadata.modified().ok());
            found.push(PartialFile { key, upload: UploadId(path), size, modified });
        }
    }
    Ok(found)
}

/// The key of the object that `.NAME.WHAT.strata-partial` is for; long names are cut.
fn object_of(path: &str) -> String {
    let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
    let name = name.strip_suffix(key::PARTIAL_SUFFIX).unwrap_or(name).trim_start_matches('.');
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Whoever writes to a partial file holds a lock on it.
fn is_in_use(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()).map(File::from) {
        Ok(file) => rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err(),
        // Gone already, or not ours to look at.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_tells_what_it_is_for() {
        assert_eq!(object_of("run/.model.bin.0f0f.strata-partial"), "run/model.bin");
        assert_eq!(object_of(".a.whole.strata-partial"), "a");
    }
}
