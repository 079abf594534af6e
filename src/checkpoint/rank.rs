//! One checkpoint out of a distributed job: each rank puts its own files and then a manifest of them; whichever finds
//! all of them there commits. No coordinator but the store.
//!
//! `put.json` says that ranks are at work here, and how many; each rank has a claim of its own, so that no rank runs
//! twice at once. A rank that puts other files than before takes its manifest back first and then looks whether a commit
//! was decided, while who commits decides first and then looks at the manifests: one of the two sees the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use bytes::Bytes;
use futures::FutureExt;
use serde::{Deserialize, Serialize};

use crate::backend::{ObjectMeta, Precondition, StorageBackend, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key::{self, RESERVED_DIRECTORY};
use crate::multipart;
use crate::transfer::Transfer;

use super::again::{confirm_same, put_again};
use super::claim::{Claim, ClaimState, Commit, HeldFile, SeenClaim};
use super::fence::{OTHER_CONTENT, committed_by, held_by, other_content, overtaken};
use super::find::{ManifestSeen, read_bounded};
use super::group;
use super::lease::Lease;
use super::manifest::{FileEntry, MAX_BYTES, Manifest, Writer};
use super::put::{
    CheckpointPut, PutCheckpoint, decide_and_finish, end_after_commit, refuse_changes, send_members, under_lease,
};
use super::start::{look_at_claim, take};
use super::surroundings::look_around;
use super::walk::Member;

/// The most ranks that put a checkpoint together.
pub const MAX_WORLD_SIZE: u32 = 65_536;
const ACTION: &str = "put the checkpoint";

/// One of the ranks of a distributed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    rank: u32,
    pub(super) world_size: u32,
}

impl Rank {
    /// Rank `rank`, from 0, of `world_size`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where there is no such rank, or the world is larger than [`MAX_WORLD_SIZE`].
    pub fn new(rank: u32, world_size: u32) -> Result<Self> {
        if world_size == 0 || world_size > MAX_WORLD_SIZE {
            return Err(Error::invalid(format!("a job has 1 to {MAX_WORLD_SIZE} ranks, not {world_size}"))
                .hint_is("--world-size is the number of processes that put the checkpoint together"));
        }
        if rank >= world_size {
            return Err(Error::invalid(format!("there is no rank {rank} among {world_size}"))
                .hint_is(format!("ranks are counted from 0, here to {}", world_size - 1)));
        }
        Ok(Rank { rank, world_size })
    }

    fn claim_key(self, name: &str) -> String {
        format!("{name}/{RESERVED_DIRECTORY}/rank-{:05}.put.json", self.rank)
    }

    fn manifest_key(self, name: &str) -> String {
        format!("{name}/{RESERVED_DIRECTORY}/rank-{:05}-of-{:05}.json", self.rank, self.world_size)
    }
}

/// The ranks of `world_size` that have no manifest among these paths below the name.
pub(super) fn missing_ranks<'a>(paths: impl Iterator<Item = &'a str>, world_size: u32) -> Vec<u32> {
    let there: BTreeSet<&str> = paths.collect();
    let all = (0..world_size).map(|rank| Rank { rank, world_size });
    all.filter(|rank| !there.contains(&rank.manifest_key("")[1..])).map(|rank| rank.rank).collect()
}

/// Whether the path below a name is the claim of a rank.
pub(super) fn is_rank_claim(path: &str) -> bool {
    path.strip_prefix(RESERVED_DIRECTORY).is_some_and(|path| path.starts_with("/rank-") && path.ends_with(".put.json"))
}

/// Fails where a rank is at work under the name.
pub(super) async fn refuse_live_ranks(
    store: &dyn StorageBackend,
    name: &str,
    existing: &HashMap<String, ObjectMeta>,
) -> Result<()> {
    for path in existing.keys().filter(|path| is_rank_claim(path)) {
        let seen = Claim::see(store, &format!("{name}/{path}")).await?;
        if let Some(claim) = seen.and_then(|seen| seen.claim).filter(|claim| claim.is_live(store.now())) {
            return Err(held_by(name, ACTION, &claim));
        }
    }
    Ok(())
}

/// Puts the files of one rank, and commits where it was the last.
pub(super) async fn put_rank(
    transfer: &Transfer,
    source: &Path,
    name: &str,
    options: &PutCheckpoint,
    rank: Rank,
    members: &[Member],
    all: CheckpointPut,
) -> Result<CheckpointPut> {
    let store = &**transfer.store();
    let seen = look_at_claim(transfer, name).await?;
    if let ManifestSeen::Committed(manifest, _) = ManifestSeen::at(store, name).await? {
        return confirm_committed(transfer, name, options, rank, members, *manifest).await;
    }
    transfer.refuse_enclosed(name).await?;
    join(transfer, name, rank, seen).await?;
    let existing = look_around(transfer, name, members).await?;
    let seen = Claim::see(store, &rank.claim_key(name)).await?;
    let earlier = seen.as_ref().and_then(|seen| seen.claim.as_ref());
    if let Some(claim) = earlier.filter(|claim| claim.is_live(store.now())) {
        return Err(held_by(name, ACTION, claim));
    }
    let names = members.iter().map(|member| member.path.clone()).filter(|path| !existing.contains_key(path));
    let names: BTreeSet<String> = names.chain(earlier.iter().flat_map(|claim| claim.files.iter().cloned())).collect();
    let mut claim = Claim::new(ClaimState::Putting, names.into_iter().collect(), store.now());
    claim.world_size = rank.world_size;
    claim.uploads = earlier.map(|claim| claim.uploads.clone()).unwrap_or_default();
    let lease = Lease::take(transfer.store(), name, rank.claim_key(name), claim, seen.map(|seen| seen.etag)).await?;

    let group = transfer.group();
    let work = put_files(&group, source, options, rank, members, &existing, &lease);
    let sent = under_lease(&group, &lease, work).await?;
    let put = CheckpointPut { moved_files: sent.0, moved_bytes: sent.1, ..all };
    commit_if_last(transfer, name, rank, put).await
}

/// Makes sure that `put.json` says that this many ranks are at work.
async fn join(transfer: &Transfer, name: &str, rank: Rank, mut seen: Option<SeenClaim>) -> Result<()> {
    let store = &**transfer.store();
    for _ in 0..3 {
        let is_there = |seen: &SeenClaim| {
            seen.claim.as_ref().is_some_and(|claim| {
                claim.world_size == rank.world_size
                    && matches!(claim.state, ClaimState::Putting | ClaimState::Committed)
            })
        };
        if seen.as_ref().is_some_and(is_there) {
            return Ok(());
        }
        if seen.is_some() {
            let below = format!("{name}/{RESERVED_DIRECTORY}/");
            let objects = store.list(&below).await?.into_iter();
            let existing =
                objects.filter_map(|object| Some((object.key.strip_prefix(&format!("{name}/"))?.to_owned(), object)));
            refuse_live_ranks(store, name, &existing.collect()).await?;
        }
        let before = seen.as_ref().and_then(|seen| seen.claim.as_ref());
        if let Some(other) = before.filter(|claim| claim.world_size > 1 && claim.world_size != rank.world_size) {
            let (others, ours) = (other.world_size, rank.world_size);
            let message =
                format!("'{name}' was begun by {others} ranks and is put by {ours} now: all of them put again");
            transfer.tell(&Event::Warning { message: &message });
        }
        let files = before.map(|claim| claim.files.clone()).unwrap_or_default();
        let mut claim = Claim::new(ClaimState::Putting, files, store.now());
        claim.uploads = before.map(Claim::all_uploads).unwrap_or_default();
        claim.world_size = rank.world_size;
        // Nobody holds it: it says only that ranks are at work.
        let precondition = seen.map_or(Precondition::Absent, |seen| Precondition::Match(seen.etag));
        let body = PartBody::from_bytes(Bytes::from(claim.to_json()?));
        match multipart::put_whole(store, &Claim::key(name), &body, &WriteOptions::under(precondition)).await {
            Ok(_) => return Ok(()),
            // Another rank was faster.
            Err(error) if error.kind() == ErrorKind::Exists => seen = look_at_claim(transfer, name).await?,
            Err(error) => return Err(error),
        }
    }
    Err(overtaken(name, "other processes put it at the same time".to_owned()))
}

/// The checkpoint is committed: the same rank once more changes nothing.
async fn confirm_committed(
    transfer: &Transfer,
    name: &str,
    options: &PutCheckpoint,
    rank: Rank,
    members: &[Member],
    mut manifest: Manifest,
) -> Result<CheckpointPut> {
    if manifest.world_size != rank.world_size {
        let how = format!(" by {} ranks, not {}", manifest.world_size, rank.world_size);
        return Err(other_content(name, &manifest, &how));
    }
    let ours: BTreeSet<&str> = members.iter().map(|member| member.path.as_str()).collect();
    // Files that several ranks have are listed once, for the first of them.
    manifest.files.retain(|file| file.rank == rank.rank || ours.contains(file.path.as_str()));
    put_again(transfer, name, &manifest, members, options, None).await
}

/// Files and bytes that were sent.
async fn put_files(
    group: &Transfer,
    source: &Path,
    options: &PutCheckpoint,
    rank: Rank,
    members: &[Member],
    existing: &HashMap<String, ObjectMeta>,
    lease: &Lease,
) -> Result<(u64, u64)> {
    let (store, name) = (&**group.store(), lease.name());
    let key = rank.manifest_key(name);
    let (there, etag) = RankFiles::read(store, &key).await?;
    // Held files are not there to be compared; their uploads go on.
    if let Some(earlier) = there.filter(|files| files.held.is_empty()) {
        match confirm_same(group, name, &earlier.manifest, members, options).await {
            Ok(put) => {
                end_rank(lease, &earlier).await?;
                return Ok((put.moved_files, put.moved_bytes));
            }
            Err(error) if error.code() == Some(OTHER_CONTENT) => {}
            Err(error) => return Err(error),
        }
    }
    if etag.is_some() {
        store.delete(&key).await?;
        refuse_decided(store, name, rank).await?;
    }
    let (files, sent) = send_members(group, lease, members, existing, false).await?;
    refuse_changes(source, name, options, members).await?;
    let (mut entries, mut held) = (Vec::with_capacity(files.len()), BTreeMap::new());
    for file in files {
        if let Some(appears) = file.held {
            held.insert(file.entry.path.clone(), appears);
        }
        entries.push(FileEntry { rank: rank.rank, ..file.entry });
    }
    let writer = Writer { token: lease.claim().writer.token, ..Writer::this_process() };
    let mut manifest = Manifest::new(writer, options.meta.clone(), entries);
    manifest.world_size = rank.world_size;
    let files = RankFiles { manifest, held };
    let body = PartBody::from_bytes(Bytes::from(files.to_json()?));
    lease.confirm().await?;
    refuse_decided(store, name, rank).await?;
    multipart::put_whole(store, &key, &body, &WriteOptions::create()).await?;
    end_rank(lease, &files).await?;
    Ok((sent.files, sent.bytes))
}

/// What a rank has put: the files that are there, and those that appear with the commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RankFiles {
    #[serde(flatten)]
    manifest: Manifest,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    held: BTreeMap<String, HeldFile>,
}

impl RankFiles {
    fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Other, "the rank's manifest cannot be written as JSON").caused_by(error)
        })
    }

    fn from_json(json: &[u8]) -> Result<Self> {
        Manifest::from_json(json)?;
        let bad = |error: serde_json::Error| Error::new(ErrorKind::Integrity, format!("it is not valid: {error}"));
        let files: RankFiles = serde_json::from_slice(json).map_err(bad)?;
        files.held.keys().try_for_each(|path| key::check(path))?;
        Ok(files)
    }

    /// What lies there, where it is valid, and its ETag.
    async fn read(store: &dyn StorageBackend, key: &str) -> Result<(Option<Self>, Option<String>)> {
        match read_bounded(store, key, MAX_BYTES).await? {
            Some((json, etag)) => Ok((RankFiles::from_json(&json).ok(), Some(etag.unwrap_or_default()))),
            None => Ok((None, None)),
        }
    }
}

/// The rank is done. Its held uploads stay in its claim until the commit completes them.
async fn end_rank(lease: &Lease, files: &RankFiles) -> Result<()> {
    match lease.end_but(|path| files.held.contains_key(path)).await {
        Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
        outcome => outcome,
    }
}

/// Fails where the commit was decided, since then no file may be replaced any more, and where the name has passed to
/// others.
async fn refuse_decided(store: &dyn StorageBackend, name: &str, rank: Rank) -> Result<()> {
    let is_open = |claim: &Claim| claim.state == ClaimState::Putting && claim.world_size == rank.world_size;
    match ManifestSeen::at(store, name).await? {
        ManifestSeen::Committed(manifest, _) => Err(committed_by(name, &manifest, "")),
        _ if Claim::read(store, name).await?.as_ref().is_some_and(is_open) => Ok(()),
        _ => Err(overtaken(name, "it is being committed or put by others".to_owned())),
    }
}

/// Commits where all ranks are there. Of several that find so at once one does.
async fn commit_if_last(transfer: &Transfer, name: &str, rank: Rank, put: CheckpointPut) -> Result<CheckpointPut> {
    let store = &**transfer.store();
    let below = format!("{name}/{RESERVED_DIRECTORY}/");
    let prefix = format!("{name}/");
    let there = store.list(&below).await?;
    let missing = missing_ranks(there.iter().filter_map(|object| object.key.strip_prefix(&prefix)), rank.world_size);
    if !missing.is_empty() {
        return Ok(CheckpointPut { missing_ranks: missing, ..put });
    }
    let Some(seen) = Claim::see(store, &Claim::key(name)).await? else {
        return Err(overtaken(name, "it was removed meanwhile".to_owned()));
    };
    let is_open = |claim: &&Claim| {
        matches!(claim.state, ClaimState::Putting | ClaimState::Committed) && !claim.is_live(store.now())
    };
    let open = seen.claim.as_ref().filter(is_open);
    let seen_manifest = ManifestSeen::at(store, name).await?;
    if let ManifestSeen::Committed(manifest, _) = &seen_manifest
        && manifest.world_size != rank.world_size
    {
        return Err(committed_by(name, manifest, ""));
    }
    let (Some(open), ManifestSeen::Absent | ManifestSeen::Replacing { .. }) = (open, &seen_manifest) else {
        // Another rank commits, or has.
        return Ok(put);
    };
    let (files, ranks) = read_all(transfer, name, rank.world_size).await?;
    let (manifest, held) = merge(name, files)?;
    let names: BTreeSet<String> =
        manifest.files.iter().map(|file| file.path.clone()).chain(open.files.iter().cloned()).collect();
    let mut claim = Claim::new(ClaimState::Putting, names.into_iter().collect(), store.now());
    claim.world_size = rank.world_size;
    claim.uploads = open.all_uploads();
    let lease = match take(transfer, name, claim, Some(seen)).await {
        Ok(lease) => lease,
        Err(error) if error.kind() == ErrorKind::Exists => return Ok(put),
        Err(error) => return Err(error),
    };
    let replaces = match seen_manifest {
        ManifestSeen::Replacing { etag, .. } => etag,
        _ => None,
    };
    let group = transfer.group();
    let work = async {
        let commit = Commit { manifest: manifest.clone(), replaces, held, ranks };
        decide_and_finish(&group, &lease, commit).await?;
        end_after_commit(&group, &lease, &manifest).await
    };
    under_lease(&group, &lease, work).await?;
    let (files, bytes) = (manifest.files.len() as u64, manifest.total_bytes());
    transfer.tell(&Event::Committed { key: name, files, bytes });
    Ok(CheckpointPut { committed: true, ..put })
}

/// The manifests of all ranks in their order, and their ETags by their keys.
async fn read_all(
    transfer: &Transfer,
    name: &str,
    world_size: u32,
) -> Result<(Vec<RankFiles>, BTreeMap<String, Option<String>>)> {
    let store = &**transfer.store();
    let work = (0..world_size).map(|rank| {
        let key = Rank { rank, world_size }.manifest_key(name);
        async move {
            let Some((json, etag)) = read_bounded(store, &key, MAX_BYTES).await? else {
                return Err(overtaken(name, format!("rank {rank} began again meanwhile")));
            };
            RankFiles::from_json(&json).map(|files| (rank, files, key, etag))
        }
        .boxed()
    });
    let mut all = group::all(&transfer.group(), Box::new(work)).await?;
    all.sort_by_key(|(rank, ..)| *rank);
    let etags = all.iter().map(|(_, _, key, etag)| (key.clone(), etag.clone())).collect();
    Ok((all.into_iter().map(|(_, files, ..)| files).collect(), etags))
}

/// One manifest out of those of all ranks. A file that several ranks have, such as a configuration, is the first one's.
fn merge(name: &str, ranks: Vec<RankFiles>) -> Result<(Manifest, BTreeMap<String, HeldFile>)> {
    let mut held = BTreeMap::new();
    let mut files: BTreeMap<String, FileEntry> = BTreeMap::new();
    let mut meta = BTreeMap::new();
    let world_size = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
    for RankFiles { manifest, held: mut theirs } in ranks {
        for (key, value) in manifest.meta {
            meta.entry(key).or_insert(value);
        }
        for file in manifest.files {
            match files.get(&file.path) {
                Some(first) if (first.size, first.crc64nvme) != (file.size, file.crc64nvme) => {
                    let what = format!("ranks {} and {} put different files as '{}'", first.rank, file.rank, file.path);
                    return Err(Error::new(ErrorKind::Exists, what)
                        .action(ACTION)
                        .on(name)
                        .hint_is("give the files of each rank names of their own, then run these ranks again"));
                }
                Some(_) => {}
                None => {
                    held.extend(theirs.remove_entry(&file.path));
                    files.insert(file.path.clone(), file);
                }
            }
        }
    }
    let mut manifest = Manifest::new(Writer::this_process(), meta, files.into_values().collect());
    manifest.world_size = world_size;
    manifest.check().map_err(|error| error.action(ACTION).on(name))?;
    Ok((manifest, held))
}
