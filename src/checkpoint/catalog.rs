//! What is in a store, as checkpoints and plain files: the listing compared with the manifests.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use crate::backend::StorageBackend;
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;

use super::checks;
use super::claim::{Claim, ClaimState};
use super::find::ManifestSeen;
use super::fold::{Fold, Folded, Group, Mark, PlainFile};
use super::manifest::Manifest;
use super::number::numbers_of;
use super::rank::missing_ranks;

/// One line of a listing.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A checkpoint, whatever its state.
    Checkpoint(Box<CheckpointEntry>),
    /// An object that belongs to no checkpoint.
    File(PlainFile),
}

impl Entry {
    /// The checkpoint's name or the object's key.
    pub fn name(&self) -> &str {
        match self {
            Entry::Checkpoint(checkpoint) => &checkpoint.name,
            Entry::File(object) => &object.key,
        }
    }
}

/// A checkpoint as the listing and its manifest show it. No file was read.
#[derive(Clone, Debug)]
pub struct CheckpointEntry {
    /// Its name: the key of its directory.
    pub name: String,
    /// Whether it can be got.
    pub state: State,
    /// Files: as the manifest says, or as far as they are there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of its objects that are there, whatever the manifest says.
    pub bytes_there: u64,
    /// When it was committed, or last written to.
    pub modified: Option<SystemTime>,
    /// The user's own data.
    pub meta: BTreeMap<String, String>,
    /// Its files, if [`Detail`] asks for them.
    pub members: Vec<Member>,
    /// Why it is not complete, as one line.
    pub why: Option<String>,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Path below the checkpoint's name.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// What the manifest says.
    pub checksum: Option<Crc64>,
    /// The manifest lists it, but it is not there in that size.
    pub missing: bool,
    /// It was read and is not what the manifest says; only [`verify`](super::verify()) finds that.
    pub damaged: bool,
}

/// The state of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Committed, and every file is there in its size.
    Complete,
    /// A put or a removal is going on or was interrupted; no manifest.
    Partial,
    /// Committed, but files are missing or have another size, or the manifest is not valid.
    Damaged,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Complete => "complete",
            State::Partial => "partial",
            State::Damaged => "damaged",
        })
    }
}

/// What is kept of the checkpoints that are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail<'a> {
    /// What each is as a whole.
    Checkpoints,
    /// The files of the one of this name as well.
    FilesOf(&'a str),
    /// The files of all, about 100 bytes each.
    Files,
}

impl Detail<'_> {
    fn has_files_of(self, name: &str) -> bool {
        match self {
            Detail::Checkpoints => false,
            Detail::FilesOf(one) => one == name,
            Detail::Files => true,
        }
    }
}

/// The most objects of checkpoints that are compared with their manifests at once; a checkpoint of more is so alone.
const COMPARED_AT_ONCE: usize = 100_000;

/// Everything whose key begins with `prefix`, in ascending order of names. One request a thousand objects, and one for
/// each checkpoint's manifest. What a check of the store tried with is left out: [`leftovers`](super::leftovers()) has it.
/// Of what lies in checkpoints no more is held than `detail` asks for and what is compared at the moment: up to about
/// 100,000 objects, or a larger checkpoint's.
///
/// # Errors
/// Those of the store. A manifest that is not valid is no error but a damaged checkpoint.
pub async fn list(store: &dyn StorageBackend, prefix: &str, detail: Detail<'_>) -> Result<Vec<Entry>> {
    let mut entries = entries(store, prefix, detail).try_concat().await?;
    entries.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    Ok(entries)
}

/// The entries as they are known, some checkpoints at once.
fn entries<'a>(
    store: &'a dyn StorageBackend,
    prefix: &'a str,
    detail: Detail<'a>,
) -> BoxStream<'a, Result<Vec<Entry>>> {
    let room = Arc::new(Semaphore::new(COMPARED_AT_ONCE));
    let with_room = folded(store, prefix).and_then(move |folded| {
        let wanted = if let Folded::Group(group) = &folded { group.objects.len() } else { 0 };
        let wanted = u32::try_from(wanted.min(COMPARED_AT_ONCE)).unwrap_or(0);
        // Nobody closes it.
        room.clone().acquire_many_owned(wanted).map(|taken| Ok((folded, taken)))
    });
    let described = with_room.map_ok(move |(folded, taken)| async move {
        let _taken = taken;
        match folded {
            // Nobody's data; `leftovers` tells of it.
            Folded::Plain(file) if checks::name_of(&file.key).is_some() => Ok(Vec::new()),
            Folded::Group(group) if checks::name_of(&key::manifest_of(&group.name)).is_some() => Ok(Vec::new()),
            Folded::Plain(file) => Ok(vec![Entry::File(file)]),
            Folded::Group(group) => describe(store, group, detail).await,
        }
    });
    described.try_buffer_unordered(store.runtime().in_flight()).boxed()
}

/// The listing, folded as it comes.
fn folded<'a>(store: &'a dyn StorageBackend, prefix: &'a str) -> BoxStream<'a, Result<Folded>> {
    let pages = store.pages(prefix).map_ok(Some).chain(stream::once(async { Ok(None) }));
    let decided = pages.scan((Some(Fold::default()), 0), |(fold, objects), page| {
        let decided = page.map(|page| match (page, fold.take()) {
            (Some(page), Some(mut begun)) => {
                *objects += page.len() as u64;
                store.runtime().observer.event(&Event::Listed { objects: *objects });
                page.into_iter().for_each(|object| begun.push(object));
                let decided = begun.decided();
                *fold = Some(begun);
                decided
            }
            (_, last) => last.map(Fold::end).unwrap_or_default(),
        });
        std::future::ready(Some(decided))
    });
    decided.map_ok(|decided| stream::iter(decided.into_iter().map(Ok))).try_flatten().boxed()
}

/// The committed checkpoint with the highest number in its name: the numbers of the last component count first
/// (`epoch_9` < `epoch_10`), then the time of the commit.
///
/// # Errors
/// [`ErrorKind::NotFound`] where no checkpoint is committed under `prefix`.
pub async fn latest(store: &dyn StorageBackend, prefix: &str) -> Result<String> {
    let suffix = key::manifest_of("");
    let mut newest_first = Vec::new();
    let mut pages = store.pages(prefix);
    while let Some(page) = pages.try_next().await? {
        let names = page.iter().filter(|object| checks::name_of(&object.key).is_none());
        let names = names.filter_map(|object| Some((object.key.strip_suffix(&suffix)?, object.modified)));
        newest_first.extend(names.map(|(name, modified)| (numbers_of(name), modified, name.to_owned())));
    }
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    for (_, _, name) in newest_first {
        // What is being replaced is none at this moment.
        match ManifestSeen::at(store, &name).await {
            Ok(ManifestSeen::Absent | ManifestSeen::Replacing { .. }) => {}
            _ => return Ok(name),
        }
    }
    let under = if prefix.is_empty() { String::new() } else { format!(" under '{prefix}'") };
    Err(Error::new(ErrorKind::NotFound, format!("no checkpoint is committed{under}"))
        .at(store.endpoint())
        .hint_is("strata-ckpt ls shows what is there"))
}

async fn describe(store: &dyn StorageBackend, group: Group, detail: Detail<'_>) -> Result<Vec<Entry>> {
    let Group { name, manifest, claim, ranks, objects } = group;
    let modified = manifest.or(claim).and_then(|Mark { modified }| modified);
    let mut replacing = false;
    let mut spoilt = None;
    if manifest.is_some() {
        match ManifestSeen::at(store, &name).await {
            Ok(ManifestSeen::Committed(manifest, _)) => return Ok(compare(name, *manifest, objects, modified, detail)),
            Ok(ManifestSeen::Replacing { .. }) => replacing = true,
            // Removed since it was listed.
            Ok(ManifestSeen::Absent) => {}
            Err(error) if error.kind() == ErrorKind::Integrity => spoilt = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    let (state, why) = match spoilt {
        Some(why) => (State::Damaged, why),
        None => match Claim::read(store, &name).await {
            Ok(Some(claim)) => match unfinished_in_words(&claim, store.now(), ranks.iter().map(String::as_str)) {
                Some(why) => (State::Partial, why),
                None => (State::Damaged, "its manifest is gone".to_owned()),
            },
            Ok(None) if replacing => (State::Damaged, "its manifest is gone".to_owned()),
            // Removed since it was listed, or under a name that can be no checkpoint's: what was listed is shown all the same.
            Ok(None) => return Ok(objects.into_iter().map(Entry::File).collect()),
            Err(error) if error.kind() == ErrorKind::Integrity => (State::Damaged, error.to_string()),
            Err(error) => return Err(error),
        },
    };
    let bytes = objects.iter().map(|object| object.size).sum();
    let entry = CheckpointEntry {
        state,
        files: objects.len() as u64,
        bytes,
        bytes_there: bytes,
        modified,
        meta: BTreeMap::new(),
        members: match detail.has_files_of(&name) {
            false => Vec::new(),
            true => objects.into_iter().map(|object| member_of(&name, &object)).collect(),
        },
        why: Some(why),
        name,
    };
    Ok(vec![Entry::Checkpoint(Box::new(entry))])
}

/// What a claim says that is not done; `None` where all of it was. `ranks` are the paths of what ranks keep there.
pub(super) fn unfinished_in_words<'a>(
    claim: &Claim,
    now: SystemTime,
    ranks: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let (host, since) = (&claim.writer.host, &claim.since);
    let going_on = claim.is_live(now);
    Some(match claim.state {
        ClaimState::Committed => return None,
        ClaimState::Putting if claim.world_size > 1 => {
            let missing = missing_ranks(ranks, claim.world_size);
            match missing.as_slice() {
                [] => format!("all {} ranks are there, but nothing was committed", claim.world_size),
                [one] => format!("rank {one} of {} is missing", claim.world_size),
                several => format!("ranks {} of {} are missing", few(several), claim.world_size),
            }
        }
        ClaimState::Putting if going_on => format!("being put by {host} since {since}"),
        ClaimState::Putting => format!("a put by {host} at {since} was interrupted"),
        ClaimState::Committing if going_on => format!("being committed by {host} since {since}"),
        ClaimState::Committing => format!("a put by {host} at {since} was interrupted while it was committed"),
        ClaimState::Removing if going_on => format!("being removed by {host} since {since}"),
        ClaimState::Removing => format!("a removal by {host} at {since} was interrupted"),
    })
}

/// Numbers in words, the first of them where there are many.
fn few(numbers: &[u32]) -> String {
    const SHOWN: usize = 8;
    let mut text = numbers.iter().take(SHOWN).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if numbers.len() > SHOWN {
        text += &format!(" and {} more", numbers.len() - SHOWN);
    }
    text
}

/// The manifest against the listing. Objects that it does not name are plain files.
fn compare(
    name: String,
    manifest: Manifest,
    objects: Vec<PlainFile>,
    modified: Option<SystemTime>,
    detail: Detail<'_>,
) -> Vec<Entry> {
    let (files, bytes) = (manifest.files.len() as u64, manifest.total_bytes());
    let mut there: HashMap<&str, &PlainFile> =
        objects.iter().map(|object| (path_below(&name, &object.key), object)).collect();
    let has_files = detail.has_files_of(&name);
    let (mut members, mut bytes_there) = (Vec::new(), 0);
    let (mut missing, mut first_missing) = (0, None);
    for file in manifest.files {
        let object = there.remove(file.path.as_str());
        let is_missing = object.is_none_or(|object| object.size != file.size);
        bytes_there += object.map_or(0, |object| object.size);
        if is_missing {
            missing += 1;
            first_missing.get_or_insert_with(|| file.path.clone());
        }
        if has_files {
            let (path, checksum) = (file.path, Some(file.crc64nvme));
            members.push(Member { path, size: file.size, checksum, missing: is_missing, damaged: false });
        }
    }
    let why = first_missing.map(|first| match missing {
        1 => format!("'{first}' is missing or has another size"),
        _ => format!("{missing} files are missing or have another size, first '{first}'"),
    });
    let plain: Vec<Entry> = there.into_values().cloned().map(Entry::File).collect();
    let state = if why.is_some() { State::Damaged } else { State::Complete };
    let meta = manifest.meta;
    let checkpoint = CheckpointEntry { name, state, files, bytes, bytes_there, modified, meta, members, why };
    std::iter::once(Entry::Checkpoint(Box::new(checkpoint))).chain(plain).collect()
}

fn path_below<'a>(name: &str, key: &'a str) -> &'a str {
    key.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(key)
}

fn member_of(name: &str, object: &PlainFile) -> Member {
    let path = path_below(name, &object.key).to_owned();
    Member { path, size: object.size, checksum: None, missing: false, damaged: false }
}
