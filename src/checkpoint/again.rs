//! A put onto a committed checkpoint: the same content is confirmed, file by file, and what the store has lost or spoilt
//! since is sent again; other content is refused.

use std::collections::{BTreeSet, HashMap};

use futures::FutureExt;

use crate::backend::{ObjectMeta, Precondition};
use crate::error::Result;
use crate::event::Event;
use crate::transfer::{Overwrite, SendOptions, SourceFile, Transfer, object_at};

use super::claim::{Claim, ClaimState, SeenClaim};
use super::fence::{committed_by, other_content, overtaken};
use super::find::read_manifest;
use super::group;
use super::lease::Lease;
use super::manifest::{FileEntry, Manifest};
use super::put::{CheckpointPut, PutCheckpoint};
use super::walk::Member;

/// Makes sure that the store holds what `manifest` says, which is what `members` are.
///
/// # Errors
/// [`ErrorKind::Exists`] when they are not, or under [`Overwrite::Refuse`].
pub(super) async fn put_again(
    transfer: &Transfer,
    name: &str,
    manifest: &Manifest,
    members: &[Member],
    options: &PutCheckpoint,
    seen: Option<SeenClaim>,
) -> Result<CheckpointPut> {
    if options.overwrite == Overwrite::Refuse {
        return Err(committed_by(name, manifest, ""));
    }
    let put = confirm_same(transfer, name, manifest, members, options).await?;
    let store = &**transfer.store();
    match read_manifest(store, name).await? {
        Some(now) if now.writer.token == manifest.writer.token => {}
        Some(now) => return Err(other_content(name, &now, "")),
        None => return Err(overtaken(name, "it was removed meanwhile".to_owned())),
    }
    // Of a put that ended between its manifest and its last word, or a removal that never began.
    let unfinished = seen.filter(|seen| seen.claim.as_ref().is_none_or(Claim::is_unfinished));
    if let Some(SeenClaim { claim, etag }) = unfinished {
        let uploads = claim.as_ref().map(Claim::all_uploads).unwrap_or_default();
        let named = claim.map(|claim| claim.files).unwrap_or_default();
        let names: BTreeSet<String> = manifest.files.iter().map(|file| file.path.clone()).chain(named).collect();
        let mut claim = Claim::new(ClaimState::Putting, names.into_iter().collect(), transfer.store().now());
        claim.uploads = uploads;
        Lease::take(transfer.store(), name, Claim::key(name), claim, Some(etag)).await?.end().await?;
    }
    Ok(put)
}

/// Makes sure that the store holds what `manifest` says, which is what `members` are, committed or not.
///
/// # Errors
/// [`ErrorKind::Exists`](crate::ErrorKind::Exists) with the code [`OTHER_CONTENT`](super::fence::OTHER_CONTENT) when they are not.
pub(super) async fn confirm_same(
    transfer: &Transfer,
    name: &str,
    manifest: &Manifest,
    members: &[Member],
    options: &PutCheckpoint,
) -> Result<CheckpointPut> {
    let listed = manifest.files.iter().map(|file| (file.path.as_str(), file.size));
    let same_names = listed.eq(members.iter().map(|member| (member.path.as_str(), member.size)));
    let same_meta = match options.rank {
        // The checkpoint has the values of all ranks.
        Some(_) => options.meta.keys().all(|key| manifest.meta.contains_key(key)),
        None => options.meta.is_empty() || options.meta == manifest.meta,
    };
    if !same_names || !same_meta {
        let how = if same_names { " with other --meta" } else { " with other files" };
        return Err(other_content(name, manifest, how));
    }
    let there = transfer.store().list(&format!("{name}/")).await?;
    let there: HashMap<&str, &ObjectMeta> = there.iter().map(|object| (object.key.as_str(), object)).collect();
    let group = transfer.group();
    let work = manifest
        .files
        .iter()
        .zip(members)
        .map(|(file, member)| confirm_member(&group, name, manifest, file, member, &there).boxed());
    let sent = group::all(&group, Box::new(work)).await?;
    Ok(CheckpointPut {
        files: manifest.files.len() as u64,
        bytes: manifest.total_bytes(),
        moved_files: sent.iter().filter(|bytes| bytes.is_some()).count() as u64,
        moved_bytes: sent.iter().flatten().sum(),
        committed: false,
        missing_ranks: Vec::new(),
    })
}

/// The bytes that had to be sent, if any.
async fn confirm_member(
    transfer: &Transfer,
    name: &str,
    manifest: &Manifest,
    file: &FileEntry,
    member: &Member,
    there: &HashMap<&str, &ObjectMeta>,
) -> Result<Option<u64>> {
    let key = format!("{name}/{}", file.path);
    let source = SourceFile::open(&member.local).await?;
    let (_, ours) = source.checksums(transfer.ranges_of(source.size), crate::transfer::threads()).await?;
    source.check_unchanged().await?;
    if ours != file.crc64nvme {
        let how = format!(" with another '{}'", file.path);
        return Err(other_content(name, manifest, &how));
    }
    let listed = there.get(key.as_str());
    let object = match listed.is_some_and(|object| object.size == file.size) {
        true => object_at(&**transfer.store(), &key).await?,
        false => None,
    };
    let listed = listed.and_then(|object| object.etag.clone());
    let is_same = |object: &&ObjectMeta| object.checksum == Some(ours) && !transfer.goes_again(&key, object);
    if let Some(same) = object.as_ref().filter(is_same) {
        transfer.stays_as_it_is(&key, same);
        transfer.forget_upload(&source, &key, &SendOptions::default()).await;
        transfer.tell(&Event::FileDone { key: &key, bytes: file.size, moved: false });
        return Ok(None);
    }
    let replaces = object.and_then(|object| object.etag).or(listed);
    let precondition = replaces.map_or(Precondition::Absent, Precondition::Match);
    transfer.send(&source, &key, &SendOptions { precondition, log: None, hold: false }).await?;
    Ok(Some(file.size))
}
