//! The objects below a prefix, found by walking the directories that it leaves open.

use std::cmp::Ordering;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{Stream, TryFutureExt, stream};
use rustix::io::Errno;
use walkdir::{DirEntry, WalkDir};

use super::object;
use super::place::{is_missing, store_exists};
use crate::backend::ObjectMeta;
use crate::body::blocking;
use crate::config::RuntimeConfig;
use crate::disk::is_partial;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;

/// Objects in a page.
const PAGE: usize = 1000;

/// Every object whose key begins with `prefix`, in the order of the keys' bytes; read from the directories as pages are
/// asked for.
pub(super) fn pages(
    root: Arc<Path>,
    prefix: String,
    runtime: RuntimeConfig,
) -> impl Stream<Item = Result<Vec<ObjectMeta>>> + Send {
    let listing = blocking(move || Listing::begin(root, &prefix, runtime));
    let listing = listing.map_ok(|begun| stream::try_unfold(begun, |rest| async { turn(rest).await }));
    listing.try_flatten_stream()
}

/// The next page, and what comes after it.
async fn turn(rest: Option<Listing>) -> Result<Option<(Vec<ObjectMeta>, Option<Listing>)>> {
    let Some(mut listing) = rest else { return Ok(None) };
    blocking(move || {
        let page = listing.page()?;
        let more = page.len() == PAGE;
        Ok(Some((page, more.then_some(listing))))
    })
    .await
}

/// A walk that is under way.
struct Listing {
    root: Arc<Path>,
    start: PathBuf,
    runtime: RuntimeConfig,
    walk: Box<dyn Iterator<Item = walkdir::Result<DirEntry>> + Send>,
}

impl Listing {
    /// `None` where nothing can match.
    fn begin(root: Arc<Path>, prefix: &str, runtime: RuntimeConfig) -> Result<Option<Self>> {
        let Some((start, names)) = start(&root, prefix, &|message| warn(&runtime, &message))? else { return Ok(None) };
        let (names, warns) = (names.to_owned(), runtime.clone());
        let wanted = move |entry: &DirEntry| {
            let Some(name) = entry.file_name().to_str() else {
                if entry.depth() > 0 {
                    warn(&warns, &format!("skipped {:?}: its name is not UTF-8", entry.path()));
                }
                return entry.depth() == 0;
            };
            match entry.depth() {
                0 => true,
                1 => name.starts_with(&names) && !is_partial(name),
                _ => !is_partial(name),
            }
        };
        let walk = Box::new(WalkDir::new(&start).sort_by(order_of_keys).into_iter().filter_entry(wanted));
        Ok(Some(Listing { root, start, runtime, walk }))
    }

    /// As many objects as a page takes; fewer at the end.
    fn page(&mut self) -> Result<Vec<ObjectMeta>> {
        let Listing { root, start, runtime, walk } = self;
        let mut objects = Vec::new();
        for entry in walk {
            if runtime.cancel.is_cancelled() {
                return Err(at(root, Error::cancelled().action(format!("list '{}'", start.display()))));
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().map_or_else(|| start.clone(), Path::to_path_buf);
                    match error.into_io_error() {
                        Some(error) if !is_missing(&error) => return Err(failed(root, &path, error)),
                        _ => continue,
                    }
                }
            };
            let Some(metadata) = file(&entry, root, &|message| warn(runtime, &message))? else { continue };
            let Some(key) = entry.path().strip_prefix(&**root).ok().and_then(key::of_path) else { continue };
            match key::check_shape(&key) {
                Ok(()) => objects.push(object::describe(key, &metadata)),
                Err(error) => warn(runtime, &format!("skipped {}: {error}", entry.path().display())),
            }
            if objects.len() == PAGE {
                break;
            }
        }
        Ok(objects)
    }
}

fn warn(runtime: &RuntimeConfig, message: &str) {
    runtime.observer.event(&Event::Warning { message });
}

/// Of two names in one directory, as their keys go on: a directory's with a `/`.
fn order_of_keys(a: &DirEntry, b: &DirEntry) -> Ordering {
    fn bytes(entry: &DirEntry) -> impl Iterator<Item = u8> {
        let slash = entry.file_type().is_dir().then_some(b'/');
        entry.file_name().as_encoded_bytes().iter().copied().chain(slash)
    }
    bytes(a).cmp(bytes(b))
}

/// The innermost directory that holds all of `prefix`, and what names in it begin with; `None` where nothing can match.
fn start<'a>(root: &Path, prefix: &'a str, warn: &impl Fn(String)) -> Result<Option<(PathBuf, &'a str)>> {
    if !store_exists(root, "list the store").map_err(|error| at(root, error))? {
        return Ok(None);
    }
    let Some((directory, names)) = prefix.rsplit_once('/') else { return Ok(Some((root.to_path_buf(), prefix))) };
    if key::check_shape(directory).is_err() || directory.split('/').any(is_partial) {
        return Ok(None);
    }
    for ancestor in key::ancestors(directory).chain([directory]) {
        let path = root.join(ancestor);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(found) if found.is_symlink() => {
                warn_of_link(&path, warn);
                return Ok(None);
            }
            Ok(_) => return Ok(None),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(root, &path, error)),
        }
    }
    Ok(Some((root.join(directory), names)))
}

/// The metadata of an entry that is a file, or a link to one.
fn file(entry: &DirEntry, root: &Path, warn: &impl Fn(String)) -> Result<Option<Metadata>> {
    let kind = entry.file_type();
    if entry.depth() == 0 || !(kind.is_file() || kind.is_symlink()) {
        return Ok(None);
    }
    match fs::metadata(entry.path()) {
        Ok(found) if found.is_file() => Ok(Some(found)),
        Ok(found) => {
            if found.is_dir() {
                warn_of_link(entry.path(), warn);
            }
            Ok(None)
        }
        // Deleted meanwhile, or a link to nothing.
        Err(error) if is_missing(&error) || Errno::from_io_error(&error) == Some(Errno::LOOP) => Ok(None),
        Err(error) => Err(failed(root, entry.path(), error)),
    }
}

fn warn_of_link(path: &Path, warn: &impl Fn(String)) {
    warn(format!("skipped {}: the store follows no symbolic links to directories", path.display()));
}

fn failed(root: &Path, path: &Path, error: io::Error) -> Error {
    let error = at(root, Error::local(format!("list '{}'", path.display()), error));
    match error.kind() {
        // What could not be looked into is no proof that nothing is there.
        ErrorKind::NotFound => error.kind_is(ErrorKind::LocalIo),
        _ => error,
    }
}

fn at(root: &Path, error: Error) -> Error {
    error.at(root.display().to_string())
}
