//! What is in a store, as checkpoints and plain files: the listing compared with the manifests.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::SystemTime;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::backend::{ObjectMeta, StorageBackend};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::key;

use super::claim::{Claim, ClaimState};
use super::find::ManifestSeen;
use super::group::Work;
use super::manifest::Manifest;
use super::number::numbers_of;
use super::rank::missing_ranks;

/// One line of a listing.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A checkpoint, whatever its state.
    Checkpoint(CheckpointEntry),
    /// An object that belongs to no checkpoint.
    File(ObjectMeta),
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
    /// When it was committed, or last written to.
    pub modified: Option<SystemTime>,
    /// The user's own data.
    pub meta: BTreeMap<String, String>,
    /// Its files.
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

/// Everything whose key begins with `prefix`, in ascending order of names. One request a thousand objects, and one for
/// each checkpoint's manifest.
///
/// # Errors
/// Those of the store. A manifest that is not valid is no error but a damaged checkpoint.
pub async fn list(store: &dyn StorageBackend, prefix: &str) -> Result<Vec<Entry>> {
    let objects = store.list(prefix).await?;
    let mut groups = Groups::of(&objects);
    for object in &objects {
        groups.assign(object);
    }
    let work: Work<'_, Vec<Entry>> =
        Box::new(groups.named.into_iter().map(|(name, found)| describe(store, name, found).boxed()));
    let mut entries: Vec<Entry> = stream::iter(work).buffer_unordered(store.runtime().in_flight()).try_concat().await?;
    entries.extend(groups.plain.into_iter().cloned().map(Entry::File));
    entries.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(entries)
}

/// The committed checkpoint with the highest number in its name: the numbers of the last component count first
/// (`epoch_9` < `epoch_10`), then the time of the commit.
///
/// # Errors
/// [`ErrorKind::NotFound`] where no checkpoint is committed under `prefix`.
pub async fn latest(store: &dyn StorageBackend, prefix: &str) -> Result<String> {
    let objects = store.list(prefix).await?;
    let suffix = key::manifest_of("");
    let named = objects.iter().filter_map(|object| Some((object.key.strip_suffix(&suffix)?, object.modified)));
    let mut newest_first: Vec<_> = named.map(|(name, modified)| (numbers_of(name), modified, name)).collect();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    for (_, _, name) in newest_first {
        // What is being replaced is none at this moment.
        match ManifestSeen::at(store, name).await {
            Ok(ManifestSeen::Absent | ManifestSeen::Replacing { .. }) => {}
            _ => return Ok(name.to_owned()),
        }
    }
    let under = if prefix.is_empty() { String::new() } else { format!(" under '{prefix}'") };
    Err(Error::new(ErrorKind::NotFound, format!("no checkpoint is committed{under}"))
        .at(store.endpoint())
        .hint_is("strata-ckpt ls shows what is there"))
}

/// The objects of one name.
#[derive(Default)]
struct Group<'a> {
    manifest: Option<&'a ObjectMeta>,
    claim: Option<&'a ObjectMeta>,
    /// Paths below the name of what ranks keep there.
    ranks: Vec<&'a str>,
    objects: Vec<&'a ObjectMeta>,
}

struct Groups<'a> {
    named: HashMap<&'a str, Group<'a>>,
    plain: Vec<&'a ObjectMeta>,
}

impl<'a> Groups<'a> {
    fn of(objects: &'a [ObjectMeta]) -> Self {
        let mut named: HashMap<&str, Group<'_>> = HashMap::new();
        let (manifest, claim) = (key::manifest_of(""), Claim::key(""));
        let ranks = format!("/{}/rank-", key::RESERVED_DIRECTORY);
        for object in objects {
            if let Some(name) = object.key.strip_suffix(&manifest) {
                named.entry(name).or_default().manifest = Some(object);
            } else if let Some(name) = object.key.strip_suffix(&claim) {
                named.entry(name).or_default().claim = Some(object);
            } else if let Some((name, _)) = object.key.rsplit_once(&ranks)
                && let Some(group) = named.get_mut(name)
            {
                group.ranks.push(&object.key[name.len() + 1..]);
            }
        }
        Groups { named, plain: Vec::new() }
    }

    /// An object belongs to the innermost checkpoint above it.
    fn assign(&mut self, object: &'a ObjectMeta) {
        if key::check(&object.key).is_err() && object.key.split('/').any(|part| part == key::RESERVED_DIRECTORY) {
            return;
        }
        // A committed checkpoint above it is what it belongs to, even where an unfinished put lies between.
        let above: Vec<&str> = key::ancestors(&object.key).collect();
        let committed = |name: &&&str| self.named.get(**name).is_some_and(|group| group.manifest.is_some());
        let innermost = above.iter().rev().find(committed);
        match innermost.or_else(|| above.iter().rev().find(|name| self.named.contains_key(*name))) {
            Some(name) => self.named.entry(name).or_default().objects.push(object),
            None => self.plain.push(object),
        }
    }
}

async fn describe(store: &dyn StorageBackend, name: &str, group: Group<'_>) -> Result<Vec<Entry>> {
    let modified = group.manifest.or(group.claim).and_then(|object| object.modified);
    let without_manifest = |state, why| {
        let members: Vec<Member> = group.objects.iter().map(|object| member_of(name, object)).collect();
        CheckpointEntry {
            name: name.to_owned(),
            state,
            files: members.len() as u64,
            bytes: members.iter().map(|member| member.size).sum(),
            modified,
            meta: BTreeMap::new(),
            members,
            why: Some(why),
        }
    };
    let mut replacing = false;
    if group.manifest.is_some() {
        match ManifestSeen::at(store, name).await {
            Ok(ManifestSeen::Committed(manifest, _)) => return Ok(compare(name, &manifest, &group, modified)),
            Ok(ManifestSeen::Replacing { .. }) => replacing = true,
            // Removed since it was listed.
            Ok(ManifestSeen::Absent) => {}
            Err(error) if error.kind() == ErrorKind::Integrity => {
                return Ok(vec![Entry::Checkpoint(without_manifest(State::Damaged, error.to_string()))]);
            }
            Err(error) => return Err(error),
        }
    }
    let entry = match Claim::read(store, name).await {
        Ok(Some(claim)) => match unfinished_in_words(&claim, group.ranks.iter().copied()) {
            Some(why) => without_manifest(State::Partial, why),
            None => without_manifest(State::Damaged, "its manifest is gone".to_owned()),
        },
        Ok(None) if replacing => without_manifest(State::Damaged, "its manifest is gone".to_owned()),
        Ok(None) => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::Integrity => without_manifest(State::Damaged, error.to_string()),
        Err(error) => return Err(error),
    };
    Ok(vec![Entry::Checkpoint(entry)])
}

/// What a claim says that is not done; `None` where all of it was. `ranks` are the paths of what ranks keep there.
pub(super) fn unfinished_in_words<'a>(claim: &Claim, ranks: impl Iterator<Item = &'a str>) -> Option<String> {
    let (host, since) = (&claim.writer.host, &claim.since);
    let going_on = claim.is_live();
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
fn compare(name: &str, manifest: &Manifest, group: &Group<'_>, modified: Option<SystemTime>) -> Vec<Entry> {
    let mut there: HashMap<&str, &ObjectMeta> =
        group.objects.iter().map(|object| (path_below(name, &object.key), *object)).collect();
    let mut members = Vec::with_capacity(manifest.files.len());
    for file in &manifest.files {
        let object = there.remove(file.path.as_str());
        let missing = object.is_none_or(|object| object.size != file.size);
        let (path, checksum) = (file.path.clone(), Some(file.crc64nvme));
        members.push(Member { path, size: file.size, checksum, missing, damaged: false });
    }
    let missing: Vec<&Member> = members.iter().filter(|member| member.missing).collect();
    let why = match missing.as_slice() {
        [] => None,
        [one] => Some(format!("'{}' is missing or has another size", one.path)),
        [first, ..] => {
            Some(format!("{} files are missing or have another size, first '{}'", missing.len(), first.path))
        }
    };
    let checkpoint = CheckpointEntry {
        name: name.to_owned(),
        state: if why.is_some() { State::Damaged } else { State::Complete },
        files: members.len() as u64,
        bytes: manifest.total_bytes(),
        modified,
        meta: manifest.meta.clone(),
        members,
        why,
    };
    let plain = there.into_values().cloned().map(Entry::File);
    std::iter::once(Entry::Checkpoint(checkpoint)).chain(plain).collect()
}

fn path_below<'a>(name: &str, key: &'a str) -> &'a str {
    key.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(key)
}

fn member_of(name: &str, object: &ObjectMeta) -> Member {
    let path = path_below(name, &object.key).to_owned();
    Member { path, size: object.size, checksum: None, missing: false, damaged: false }
}
