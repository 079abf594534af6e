//! A put onto a committed checkpoint: the same content is confirmed, file by file, and what the store has lost or spoilt
//! since is sent again; other content is refused.

use std::collections::{BTreeSet, HashMap};

use futures::FutureExt;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::transfer::{Overwrite, SendOptions, SourceFile, Transfer, is_committed, object_at};

use super::fence::overtaken;
use super::group;
use super::manifest::{FileEntry, Manifest, Writer};
use super::marker::{Marker, MarkerState};
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
    marker: Option<Marker>,
) -> Result<CheckpointPut> {
    let listed = manifest.files.iter().map(|file| (file.path.as_str(), file.size));
    let same_names = listed.eq(members.iter().map(|member| (member.path.as_str(), member.size)));
    let same_meta = options.meta.is_empty() || options.meta == manifest.meta;
    if options.overwrite == Overwrite::Refuse {
        return Err(committed_by(name, manifest, ""));
    }
    if !same_names || !same_meta {
        let how = if same_names { " with other --meta" } else { " with other files" };
        return Err(committed_by(name, manifest, how));
    }
    let there = transfer.store().list(&format!("{name}/")).await?;
    let there: HashMap<&str, u64> = there.iter().map(|object| (object.key.as_str(), object.size)).collect();
    let group = transfer.group();
    let work = manifest
        .files
        .iter()
        .zip(members)
        .map(|(file, member)| confirm_member(&group, name, manifest, file, member, &there).boxed());
    let sent = group::all(&group, Box::new(work)).await?;
    let store = &**transfer.store();
    if !is_committed(store, name).await? {
        return Err(overtaken(name, "it was removed meanwhile".to_owned()));
    }
    // Of a put that ended between its manifest and its marker, or a removal that never began.
    if let Some(unfinished) = marker.filter(Marker::is_unfinished) {
        let names = manifest.files.iter().map(|file| file.path.clone()).chain(unfinished.files);
        let names: BTreeSet<String> = names.collect();
        let names = names.into_iter().collect();
        Marker::new(MarkerState::Committed, Writer::this_process(), names).write(store, name).await?;
    }
    Ok(CheckpointPut {
        files: manifest.files.len() as u64,
        bytes: manifest.total_bytes(),
        moved_files: sent.iter().filter(|bytes| bytes.is_some()).count() as u64,
        moved_bytes: sent.iter().flatten().sum(),
        committed: false,
    })
}

/// The bytes that had to be sent, if any.
async fn confirm_member(
    transfer: &Transfer,
    name: &str,
    manifest: &Manifest,
    file: &FileEntry,
    member: &Member,
    there: &HashMap<&str, u64>,
) -> Result<Option<u64>> {
    let key = format!("{name}/{}", file.path);
    let source = SourceFile::open(&member.local).await?;
    let (_, ours) = source.checksums(transfer.ranges_of(source.size), crate::transfer::threads()).await?;
    source.check_unchanged().await?;
    if ours != file.crc64nvme {
        let how = format!(" with another '{}'", file.path);
        return Err(committed_by(name, manifest, &how));
    }
    let object = match there.get(key.as_str()).is_some_and(|size| *size == file.size) {
        true => object_at(&**transfer.store(), &key).await?,
        false => None,
    };
    if object.is_some_and(|object| object.checksum == Some(ours)) {
        transfer.tell(&Event::FileDone { key: &key, bytes: file.size, moved: false });
        return Ok(None);
    }
    transfer.send(&source, &key, &SendOptions::default()).await?;
    Ok(Some(file.size))
}

/// Another put was first; `how` its content differs.
pub(super) fn committed_by(name: &str, manifest: &Manifest, how: &str) -> Error {
    let Manifest { created, writer, .. } = manifest;
    Error::new(ErrorKind::Exists, format!("it was committed at {created} by {}{how}", writer.host))
        .action("put the checkpoint")
        .on(name)
        .hint_is(format!("put under another name, or remove it first: strata-ckpt rm {name}"))
}
