//! A checkpoint out of the store: every file verified, a new directory filled beside its place and renamed.

use std::path::Path;

use futures::FutureExt;

use crate::backend::ObjectMeta;
use crate::destination::Destination;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::plan::Plan;
use crate::transfer::{Expected, GetOptions, Got, Overwrite, Transfer};

use super::filter::{Filter, is_marker};
use super::group;
use super::manifest::{FileEntry, Manifest};
use super::place::{Member, Place};

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

    fn member(&self, transfer: &Transfer, name: &str) -> Member {
        let ranges = match self {
            Wanted::Listed(file) => Plan::existing(file.size, file.part_size),
            Wanted::Bare { object, .. } => transfer.ranges_of(object.size),
        };
        Member { key: self.key(name), path: self.path().to_owned(), has_ranges: ranges.parts() > 1 }
    }

    fn key(&self, name: &str) -> String {
        format!("{name}/{}", self.path())
    }
}

/// Gets the files of a committed checkpoint into `destination`. A destination that does not exist appears at once, with
/// all files; into one that exists each file is renamed when it is verified, trainers' markers last. After a get that
/// ended early, the same one fetches only what is missing, as [`Transfer::get_file`] does.
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
    let (files, bytes) = (wanted.len() as u64, wanted.iter().fold(0u64, |sum, file| sum.saturating_add(file.size())));
    transfer.tell(&Event::Planned { files, bytes });
    transfer.flow().plan(files, bytes);
    let members = wanted.iter().map(|file| file.member(transfer, name)).collect();
    let place = Place::prepare(transfer, name, destination, members, options.overwrite).await?;
    match fetch_into(transfer, name, &wanted, &place, options).await {
        Ok(moved) => {
            place.finish().await?;
            Ok(CheckpointGot { files, bytes, ..moved })
        }
        Err(error) => Err(place.end(error).await),
    }
}

/// Fetches the files, trainers' markers last; what was moved.
async fn fetch_into(
    transfer: &Transfer,
    name: &str,
    wanted: &[Wanted<'_>],
    place: &Place,
    options: &GetCheckpoint,
) -> Result<CheckpointGot> {
    let mut got = CheckpointGot::default();
    let (last, first): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) = wanted.iter().partition(|file| is_marker(file.path()));
    for batch in [first, last] {
        let group = transfer.group();
        let work = batch.into_iter().map(|file| {
            let to = place.destination(file.path());
            fetch_one(&group, name, file, to, options).boxed()
        });
        for one in group::all(&group, Box::new(work)).await? {
            got.moved_files += u64::from(one.moved);
            got.moved_bytes += if one.moved { one.size } else { 0 };
        }
    }
    Ok(got)
}

async fn fetch_one(
    transfer: &Transfer,
    name: &str,
    file: Wanted<'_>,
    to: Destination,
    options: &GetCheckpoint,
) -> Result<Got> {
    let key = file.key(name);
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
