//! A directory into the store: files under their own names, many at once, then the manifest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use futures::FutureExt;

use crate::backend::{ObjectMeta, Precondition};
use crate::body::{blocking, changed};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::transfer::{Overwrite, SendOptions, SourceFile, Transfer, object_at};

use super::again::put_again;
use super::claim::{ClaimState, Commit, HeldFile};
use super::commit::{UPLOAD_GONE, confirm_stands};
use super::fence::{OTHER_CONTENT, overtaken};
use super::filter::{Filter, is_marker};
use super::group;
use super::lease::Lease;
use super::manifest::{FileEntry, Manifest, Writer};
use super::rank::{Rank, put_rank};
use super::remove::delete_all;
use super::start::{Claimed, Start, carry_out_or_take_back, start};
use super::walk::{Member, walk};

/// How often a file is sent again that another writer, who has lost the name to us, wrote meanwhile.
const TRIES: u32 = 4;

/// How a directory is put.
#[derive(Clone, Debug, Default)]
pub struct PutCheckpoint {
    /// Which files take part.
    pub filter: Filter,
    /// The user's own data, kept in the manifest.
    pub meta: BTreeMap<String, String>,
    /// [`Overwrite::Refuse`] fails wherever the checkpoint exists. Different content is refused in any case but
    /// [`force`](Self::force).
    pub overwrite: Overwrite,
    /// Replaces a committed checkpoint of other content. Everything is sent first; then, for the seconds that it takes
    /// to complete the uploads, there is no checkpoint; then the new one.
    pub force: bool,
    /// The part of a distributed job that this is; the checkpoint appears with the last of them.
    pub rank: Option<Rank>,
}

/// What a put of a directory did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointPut {
    /// Files in the checkpoint.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were sent; the others were there already.
    pub moved_files: u64,
    /// Bytes that were sent.
    pub moved_bytes: u64,
    /// False where the same checkpoint was committed before; files that the store had lost since were sent again.
    /// False as well for a rank while others are missing.
    pub committed: bool,
    /// Ranks that have not put their files yet; empty without ranks.
    pub missing_ranks: Vec<u32>,
}

/// Puts the files of `source` under `name`, and the manifest last and only where none is, so that the checkpoint appears
/// whole or not at all. What an interrupted put of the same name has sent counts, whichever host it ran on.
///
/// # Errors
/// [`ErrorKind::Exists`] when a checkpoint of other content is committed there, another process is putting it or took it
/// over, or the name clashes with a file; [`ErrorKind::Invalid`] for a source without files, or with one that cannot be
/// put; [`ErrorKind::Integrity`] when files change, appear or vanish meanwhile. The first failure ends it; nothing is
/// committed then.
pub async fn put(transfer: &Transfer, source: &Path, name: &str, options: &PutCheckpoint) -> Result<CheckpointPut> {
    key::check(name)?;
    let members = members_of(source, name, options).await?;
    let total: u64 = members.iter().map(|member| member.size).sum();
    let all = CheckpointPut { files: members.len() as u64, bytes: total, ..CheckpointPut::default() };
    transfer.tell(&Event::Planned { files: all.files, bytes: total });
    transfer.flow().plan(all.files, total);
    refuse_unreadable(transfer, name, &members, options)?;
    if transfer.store().capabilities().conditional_writes == Some(false) {
        let message = format!(
            "the store does not heed conditional writes: if another process puts '{name}' meanwhile, the two are not kept \
             apart"
        );
        transfer.tell(&Event::Warning { message: &message });
    }
    if let Some(rank) = options.rank {
        transfer.flow().begin_as_one_of(rank.world_size);
        return put_rank(transfer, source, name, options, rank, &members, all).await;
    }

    for _ in 1..TRIES {
        match put_once(transfer, source, name, options, &members, &all).await {
            // Begun by an earlier run, and aborted by a lifecycle rule since: the next try sends that file anew.
            Err(error) if error.code() == Some(UPLOAD_GONE) => {
                let message = format!("the store has forgotten an upload of '{name}': it starts over");
                transfer.tell(&Event::Warning { message: &message });
            }
            outcome => return outcome,
        }
    }
    put_once(transfer, source, name, options, &members, &all).await
}

async fn put_once(
    transfer: &Transfer,
    source: &Path,
    name: &str,
    options: &PutCheckpoint,
    members: &[Member],
    all: &CheckpointPut,
) -> Result<CheckpointPut> {
    let claimed = match start(transfer, name, members, false).await? {
        Start::Claimed(claimed) => claimed,
        Start::Committed(manifest, claim) => {
            match put_again(transfer, name, &manifest, members, options, claim).await {
                Err(error) if error.code() == Some(OTHER_CONTENT) && options.force => {}
                outcome => return outcome,
            }
            match start(transfer, name, members, true).await? {
                Start::Claimed(claimed) => claimed,
                Start::Committed(..) => return Err(overtaken(name, "another put of it began at the same time".into())),
            }
        }
    };
    let group = transfer.group();
    let work = put_claimed(&group, source, options, members, &claimed);
    let sent = match under_lease(&group, &claimed.lease, work).await {
        // A disk that is full stays so while what was sent lies there.
        Err(error) if error.kind() == ErrorKind::LocalIo => {
            claimed.lease.give_up_uploads().await;
            return Err(error);
        }
        outcome => outcome?,
    };
    transfer.tell(&Event::Committed { key: name, files: all.files, bytes: all.bytes });
    Ok(CheckpointPut { moved_files: sent.files, moved_bytes: sent.bytes, committed: true, ..all.clone() })
}

/// Does the work while the claim is renewed; gives it up when the claim is lost, and the claim up when the work fails.
pub(super) async fn under_lease<T>(
    group: &Transfer,
    lease: &Lease,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let keeping = async {
        let lost = lease.keep().await;
        group.give_up();
        lost
    };
    tokio::pin!(work, keeping);
    let (outcome, lost) = tokio::select! {
        biased;
        outcome = &mut work => (outcome, None),
        // The work sees that it was given up, and ends what it has begun.
        lost = &mut keeping => ((&mut work).await, Some(lost)),
    };
    match (outcome, lost) {
        (Err(error), Some(lost)) if error.kind() == ErrorKind::Cancelled => Err(lost),
        (Err(error), None) => {
            lease.release().await;
            Err(error)
        }
        (outcome, _) => outcome,
    }
}

async fn put_claimed(
    group: &Transfer,
    source: &Path,
    options: &PutCheckpoint,
    members: &[Member],
    claimed: &Claimed,
) -> Result<Sent> {
    let Claimed { lease, existing, replaces, old } = claimed;
    let name = lease.name();
    let (files, sent) = send_members(group, lease, members, existing, old.is_some()).await?;
    refuse_changes(source, name, options, members).await?;

    let (mut entries, mut held) = (Vec::with_capacity(files.len()), BTreeMap::new());
    for file in files {
        if let Some(appears) = file.held {
            held.insert(file.entry.path.clone(), appears);
        }
        entries.push(file.entry);
    }
    let writer = Writer { token: lease.claim().writer.token, ..Writer::this_process() };
    let manifest = Manifest::new(writer, options.meta.clone(), entries);
    let commit = Commit { manifest, replaces: replaces.clone(), held, ranks: BTreeMap::new() };
    decide_and_finish(group, lease, commit.clone()).await?;
    for member in members.iter().filter(|member| commit.held.contains_key(&member.path)) {
        group.forget_held(&member.local, &format!("{name}/{}", member.path)).await;
    }
    if let Some(old) = old {
        remove_obsolete(group, lease, old, &commit.manifest).await?;
    }
    end_after_commit(group, lease, &commit.manifest).await?;
    Ok(sent)
}

/// Who took the claim over in the moment after the commit has found it finished, or has removed it since.
pub(super) async fn end_after_commit(transfer: &Transfer, lease: &Lease, manifest: &Manifest) -> Result<()> {
    match lease.end().await {
        Err(error) if error.kind() == ErrorKind::Exists => confirm_stands(transfer, lease.name(), manifest).await,
        outcome => outcome,
    }
}

/// From here on no file is replaced, and whoever takes the claim over finishes.
pub(super) async fn decide_and_finish(transfer: &Transfer, lease: &Lease, commit: Commit) -> Result<()> {
    let names: BTreeSet<String> = commit.manifest.files.iter().map(|file| file.path.clone()).collect();
    let decided = Box::new(commit.clone());
    // Before the decision: afterwards it could never be written.
    commit.manifest.to_json()?;
    lease
        .change(|claim| {
            claim.state = ClaimState::Committing;
            claim.files = names.into_iter().chain(claim.files.drain(..)).collect::<BTreeSet<_>>().into_iter().collect();
            claim.commit = Some(decided);
        })
        .await?;
    carry_out_or_take_back(transfer, lease, &commit).await
}

/// What was sent; the rest was there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// A file of the checkpoint that is in the store, or about to appear there.
pub(super) struct PutFile {
    pub(super) entry: FileEntry,
    pub(super) held: Option<HeldFile>,
    sent: bool,
}

/// Sends the files, trainers' own markers last, after everything that they vouch for.
pub(super) async fn send_members(
    group: &Transfer,
    lease: &Lease,
    members: &[Member],
    existing: &HashMap<String, ObjectMeta>,
    hold: bool,
) -> Result<(Vec<PutFile>, Sent)> {
    let (last, first): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| is_marker(&member.path));
    let (mut files, mut sent) = (Vec::with_capacity(members.len()), Sent::default());
    for batch in [first, last] {
        let work = batch.into_iter().map(|member| put_member(group, lease, member, existing, hold).boxed());
        for file in group::all(group, Box::new(work)).await? {
            sent.files += u64::from(file.sent);
            sent.bytes += if file.sent { file.entry.size } else { 0 };
            files.push(file);
        }
    }
    Ok((files, sent))
}

/// Sends one file, in place of exactly what was seen there. What a writer wrote since who has lost the name is seen anew.
async fn put_member(
    transfer: &Transfer,
    lease: &Lease,
    member: &Member,
    existing: &HashMap<String, ObjectMeta>,
    hold: bool,
) -> Result<PutFile> {
    let store = &**transfer.store();
    let key = format!("{}/{}", lease.name(), member.path);
    let source = SourceFile::open(&member.local).await?;
    // Listings have no checksums: an object of the same size is worth asking for its own.
    let mut there = match existing.get(&member.path) {
        Some(listed) if listed.size == source.size => object_at(store, &key).await?,
        listed => listed.cloned(),
    };
    let mut tries = 1;
    loop {
        let replaces = there.as_ref().and_then(|object| object.etag.clone());
        let precondition = replaces.clone().map_or(Precondition::Absent, Precondition::Match);
        // What is there stays until the commit is decided: a writer that is paused here could otherwise replace what
        // another has found good and committed meanwhile, under the very same ETag.
        let hold = hold || replaces.is_some();
        let options = SendOptions { precondition, log: Some(lease), hold };
        if let Some(put) = transfer.already_there(&source, &key, there.as_ref(), &options).await? {
            return Ok(PutFile { entry: FileEntry::new(member.path.clone(), &put), held: None, sent: false });
        }
        match transfer.send(&source, &key, &options).await {
            Ok(sent) => {
                let held = sent.held.map(|held| HeldFile { held, replaces });
                return Ok(PutFile { entry: FileEntry::new(member.path.clone(), &sent.put), held, sent: true });
            }
            Err(error) if error.kind() == ErrorKind::Exists && tries < TRIES => {
                lease.confirm().await?;
                there = object_at(store, &key).await?;
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Files of the checkpoint that was replaced which the new one does not have. Who took the name over meanwhile may have
/// put them again: then they stay, and are named in the claim.
async fn remove_obsolete(transfer: &Transfer, lease: &Lease, old: &Manifest, new: &Manifest) -> Result<()> {
    let name = lease.name();
    if lease.confirm().await.is_err() {
        return Ok(());
    }
    let kept = |path: &str| new.files.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    let obsolete = old.files.iter().filter(|file| !kept(&file.path)).map(|file| format!("{name}/{}", file.path));
    delete_all(&transfer.group(), obsolete.collect()).await
}

/// Nothing is committed of a directory that is still being written.
pub(super) async fn refuse_changes(
    source: &Path,
    name: &str,
    options: &PutCheckpoint,
    members: &[Member],
) -> Result<()> {
    match members_of(source, name, options).await? == members {
        true => Ok(()),
        false => Err(changed(&source.to_string_lossy(), "files were written, added or removed").action("put").on(name)),
    }
}

async fn members_of(source: &Path, name: &str, options: &PutCheckpoint) -> Result<Vec<Member>> {
    let (directory, name, filter) = (source.to_owned(), name.to_owned(), options.filter.clone());
    let members = blocking(move || walk(&directory, &name, &filter)).await?;
    match members.is_empty() {
        false => Ok(members),
        true => Err(Error::invalid(format!("'{}' has no files to put", source.display()))
            .hint_is("a checkpoint has at least one file; --include and --exclude may have left all of them out")),
    }
}

/// Fails before the first byte where a file needs more parts than the store takes, or the manifest would be larger than
/// what is read.
fn refuse_unreadable(transfer: &Transfer, name: &str, members: &[Member], options: &PutCheckpoint) -> Result<()> {
    let mut files = Vec::with_capacity(members.len());
    for member in members {
        let key = || format!("{name}/{}", member.path);
        let plan = transfer.plan_for(member.size).map_err(|error| error.action("put").on(key()))?;
        let parts = usize::try_from(plan.parts()).unwrap_or(usize::MAX);
        files.push(FileEntry::planned(member.path.clone(), member.size, plan.part_size(), parts));
    }
    let manifest = Manifest::new(Writer::this_process(), options.meta.clone(), files);
    manifest.to_json().map_err(|error| error.action("put").on(name)).map(|_| ())
}
