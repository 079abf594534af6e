//! A checkpoint out of the store: every file verified, a new directory filled beside its place and renamed.

use std::path::{Path, PathBuf};

use futures::FutureExt;

use crate::backend::ObjectMeta;
use crate::body::blocking;
use crate::disk::sync_directory;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::partial_file::PartialDirectory;
use crate::plan::Plan;
use crate::transfer::{Expected, GetOptions, Got, Overwrite, Transfer};

use super::filter::{Filter, is_marker};
use super::group;
use super::manifest::{FileEntry, Manifest};

/// How a checkpoint is got.
#[derive(Clone, Debug, Default)]
pub struct GetCheckpoint {
    /// Which files take part.
    pub filter: Filter,
    /// [`Overwrite::Refuse`] fails when one of the files exists at the destination.
    pub overwrite: Overwrite,
    /// As [`GetOptions::require_checksum`].
    pub require_checksum: bool,
}

/// What a get of a directory did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointGot {
    /// Files at the destination.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were fetched; the others were there already.
    pub moved_files: u64,
    /// Bytes that were fetched.
    pub moved_bytes: u64,
}

/// A file to fetch: from a manifest, or from a bare listing.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    Listed(&'a FileEntry),
    Bare { path: &'a str, object: &'a ObjectMeta },
}

impl<'a> Wanted<'a> {
    fn path(&self) -> &'a str {
        match self {
            Wanted::Listed(file) => &file.path,
            Wanted::Bare { path, .. } => path,
        }
    }

    fn size(&self) -> u64 {
        match self {
            Wanted::Listed(file) => file.size,
            Wanted::Bare { object, .. } => object.size,
        }
    }
}

/// Gets the files of a committed checkpoint into `destination`. A destination that does not exist appears at once, with
/// all files; into one that exists each file is renamed when it is verified, trainers' markers last.
///
/// # Errors
/// [`ErrorKind::Integrity`] when a file is missing or is not what the manifest says; [`ErrorKind::Exists`] when the
/// destination is no directory, or under [`Overwrite::Refuse`]; [`ErrorKind::LocalIo`] when it cannot be written.
pub async fn get(
    transfer: &Transfer,
    name: &str,
    manifest: &Manifest,
    destination: &Path,
    options: &GetCheckpoint,
) -> Result<CheckpointGot> {
    let wanted = manifest.files.iter().map(Wanted::Listed).collect();
    fetch_all(transfer, name, wanted, destination, options).await
}

/// Gets a directory that has no manifest, as its listing says; each file is verified as far as the store vouches for it.
///
/// # Errors
/// As [`get`]; [`ErrorKind::Invalid`] for an object whose key is no path below `destination`.
pub async fn get_unverified(
    transfer: &Transfer,
    name: &str,
    objects: &[ObjectMeta],
    destination: &Path,
    options: &GetCheckpoint,
) -> Result<CheckpointGot> {
    let below = format!("{name}/");
    let mut wanted = Vec::new();
    for object in objects {
        let path = object.key.strip_prefix(&below).unwrap_or(&object.key);
        key::check(path)?;
        wanted.push(Wanted::Bare { path, object });
    }
    fetch_all(transfer, name, wanted, destination, options).await
}

async fn fetch_all(
    transfer: &Transfer,
    name: &str,
    mut wanted: Vec<Wanted<'_>>,
    destination: &Path,
    options: &GetCheckpoint,
) -> Result<CheckpointGot> {
    wanted.retain(|file| options.filter.takes(file.path()));
    if wanted.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "no file of it was asked for")
            .action("get")
            .on(name)
            .hint_is("--include and --exclude left all of them out; strata-ckpt ls shows their names"));
    }
    let (files, bytes) = (wanted.len() as u64, wanted.iter().map(Wanted::size).sum());
    transfer.tell(&Event::Planned { files, bytes });
    let place = Place::prepare(destination, &wanted, options).await?;

    let mut got = CheckpointGot { files, bytes, ..CheckpointGot::default() };
    let (last, first): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) = wanted.iter().partition(|file| is_marker(file.path()));
    for batch in [first, last] {
        let group = transfer.group();
        let root = place.root();
        let work = batch.into_iter().map(|file| fetch_one(&group, name, file, root.join(file.path()), options).boxed());
        for one in group::all(&group, Box::new(work)).await? {
            got.moved_files += u64::from(one.moved);
            got.moved_bytes += if one.moved { one.size } else { 0 };
        }
    }
    place.finish(&wanted).await?;
    Ok(got)
}

async fn fetch_one(
    transfer: &Transfer,
    name: &str,
    file: Wanted<'_>,
    to: PathBuf,
    options: &GetCheckpoint,
) -> Result<Got> {
    let key = format!("{name}/{}", file.path());
    // Whether files may be replaced was settled for all of them before the first one was fetched.
    let options = GetOptions { overwrite: Overwrite::Replace, require_checksum: options.require_checksum };
    let file = match file {
        Wanted::Bare { .. } => {
            let meta = transfer.store().head(&key).await?;
            let expected = transfer.expect(&meta, transfer.ranges_of(meta.size)).await?;
            return transfer.fetch(&key, &expected, &to, &options).await;
        }
        Wanted::Listed(file) => file,
    };
    let plan = Plan::existing(file.size, file.part_size);
    let missing = |error: Error| match error.kind() {
        ErrorKind::NotFound if error.code() != Some("NoSuchBucket") => {
            Error::new(ErrorKind::Integrity, "the manifest lists it, but it is not in the store")
                .action("get")
                .on(&*key)
                .hint_is("the checkpoint is damaged: take another; strata-ckpt ls shows their states")
        }
        _ => error,
    };
    // A file of one range is pinned by its checksum; the ranges of a larger one must come from one object.
    let pin = match plan.parts() {
        1 => None,
        _ => transfer.store().head(&key).await.map_err(missing)?.etag,
    };
    let expected = Expected { plan, checksum: Some(file.crc64nvme), foreign: None, parts: file.parts()?, pin };
    transfer.fetch(&key, &expected, &to, &options).await.map_err(missing)
}

/// Where the files go until all of them are there.
enum Place {
    New(PartialDirectory),
    Existing(PathBuf),
}

impl Place {
    async fn prepare(destination: &Path, wanted: &[Wanted<'_>], options: &GetCheckpoint) -> Result<Self> {
        let paths: Vec<String> = wanted.iter().map(|file| file.path().to_owned()).collect();
        let refuse = options.overwrite == Overwrite::Refuse;
        let destination = destination.to_owned();
        blocking(move || match std::fs::metadata(&destination) {
            Ok(there) if there.is_dir() => {
                for path in &paths {
                    refuse_links(&destination, path)?;
                    if refuse && destination.join(path).symlink_metadata().is_ok() {
                        let shown = destination.join(path);
                        return Err(Error::new(ErrorKind::Exists, format!("'{}' exists already", shown.display()))
                            .hint_is("choose another destination, or leave out --no-clobber to replace it"));
                    }
                }
                Ok(Place::Existing(destination))
            }
            Ok(_) => Err(Error::new(
                ErrorKind::Exists,
                format!("'{}' is a file; a checkpoint is a directory", destination.display()),
            )
            .hint_is("choose another destination")),
            Err(_) => PartialDirectory::create(&destination).map(Place::New),
        })
        .await
    }

    fn root(&self) -> &Path {
        match self {
            Place::New(partial) => partial.path(),
            Place::Existing(directory) => directory,
        }
    }

    async fn finish(self, wanted: &[Wanted<'_>]) -> Result<()> {
        match self {
            Place::Existing(_) => Ok(()),
            Place::New(partial) => {
                let directories: std::collections::BTreeSet<PathBuf> = wanted
                    .iter()
                    .flat_map(|file| key::ancestors(file.path()))
                    .map(|directory| partial.path().join(directory))
                    .collect();
                blocking(move || {
                    for directory in &directories {
                        sync_directory(directory)
                            .map_err(|error| Error::local(format!("make '{}' last", directory.display()), error))?;
                    }
                    partial.commit()
                })
                .await
            }
        }
    }
}

/// A link planted in the destination must not lead a file outside of it.
fn refuse_links(root: &Path, path: &str) -> Result<()> {
    for ancestor in key::ancestors(path) {
        let directory = root.join(ancestor);
        let Ok(there) = directory.symlink_metadata() else { return Ok(()) };
        if !there.is_dir() {
            let what = if there.is_symlink() { "a link" } else { "a file" };
            return Err(Error::new(
                ErrorKind::Exists,
                format!("'{}' is {what} where a directory is needed", directory.display()),
            )
            .hint_is("remove it, or choose another destination"));
        }
    }
    Ok(())
}
