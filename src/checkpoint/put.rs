//! A directory into the store: files under their own names, many at once, then the manifest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use bytes::Bytes;
use futures::FutureExt;

use crate::backend::{ObjectMeta, WriteOptions};
use crate::body::{PartBody, blocking, changed};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::multipart;
use crate::transfer::{Overwrite, SendOptions, SourceFile, Transfer, object_at};

use super::again::{committed_by, put_again};
use super::fence::{confirm_ours, overtaken, refuse_live};
use super::filter::{Filter, is_marker};
use super::find::read_manifest;
use super::group;
use super::manifest::{FileEntry, Manifest, Writer};
use super::marker::{Marker, MarkerState, valid_marker};
use super::surroundings::look_around;
use super::walk::{Member, walk};

const AT_ONCE: &str = "another put of it began at the same time";

/// How a directory is put.
#[derive(Clone, Debug, Default)]
pub struct PutCheckpoint {
    /// Which files take part.
    pub filter: Filter,
    /// The user's own data, kept in the manifest.
    pub meta: BTreeMap<String, String>,
    /// [`Overwrite::Refuse`] fails wherever the checkpoint exists. Different content is refused in any case.
    pub overwrite: Overwrite,
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
    pub committed: bool,
}

/// Puts the files of `source` under `name`, and the manifest last and only where none is, so that the checkpoint appears
/// whole or not at all.
///
/// # Errors
/// [`ErrorKind::Exists`] when a checkpoint of other content is committed there, or the name clashes with a file;
/// [`ErrorKind::Invalid`] for a source without files, or with one that cannot be put; [`ErrorKind::Integrity`] when
/// files change, appear or vanish meanwhile. The first failure ends it; nothing is committed then.
pub async fn put(transfer: &Transfer, source: &Path, name: &str, options: &PutCheckpoint) -> Result<CheckpointPut> {
    key::check(name)?;
    let members = members_of(source, name, options).await?;
    let total: u64 = members.iter().map(|member| member.size).sum();
    let all = CheckpointPut { files: members.len() as u64, bytes: total, ..CheckpointPut::default() };
    transfer.tell(&Event::Planned { files: all.files, bytes: total });

    let store = &**transfer.store();
    let earlier = valid_marker(store, name).await?;
    refuse_live(name, "put the checkpoint", earlier.as_ref())?;
    if let Some(manifest) = read_manifest(store, name).await? {
        return put_again(transfer, name, &manifest, &members, options, earlier).await;
    }
    refuse_unreadable(transfer, name, &members, options)?;
    let existing = look_around(store, name, &members).await?;

    let writer = Writer::this_process();
    let is_first = earlier.is_none() && !existing.contains_key(&Marker::key("")[1..]);
    if !is_first && earlier.is_none() && valid_marker(store, name).await?.is_some() {
        return Err(overtaken(name, AT_ONCE.to_owned()));
    }
    let names = names_of(&members, earlier);
    let marker = Marker::new(MarkerState::Putting, writer.clone(), names.clone());
    match is_first {
        true => marker.create(store, name).await.map_err(|error| overtaken_at_first(name, error))?,
        false => marker.write(store, name).await?,
    }

    // Trainers' own markers go last, after everything that they vouch for.
    let (last, first): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| is_marker(&member.path));
    let mut entries = Vec::with_capacity(members.len());
    let mut moved = CheckpointPut { committed: true, ..all };
    for batch in [first, last] {
        let group = transfer.group();
        let work = batch.into_iter().map(|member| put_member(&group, name, member, &existing).boxed());
        for (entry, sent) in group::all(&group, Box::new(work)).await? {
            moved.moved_files += u64::from(sent);
            moved.moved_bytes += if sent { entry.size } else { 0 };
            entries.push(entry);
        }
    }

    if members_of(source, name, options).await? != members {
        return Err(changed(&source.to_string_lossy(), "files were written, added or removed").action("put").on(name));
    }
    confirm_ours(transfer, name, &writer, &entries).await?;
    let manifest = Manifest::new(writer.clone(), options.meta.clone(), entries);
    commit(transfer, name, &manifest).await?;
    Marker::new(MarkerState::Committed, writer, names).write(store, name).await?;
    transfer.tell(&Event::Committed { key: name, files: moved.files, bytes: moved.bytes });
    Ok(moved)
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

fn overtaken_at_first(name: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Exists => overtaken(name, AT_ONCE.to_owned()),
        _ => error,
    }
}

/// What will be under the name when all goes well, and what an earlier put may have left there.
fn names_of(members: &[Member], earlier: Option<Marker>) -> Vec<String> {
    let earlier = earlier.map(|marker| marker.files).unwrap_or_default();
    let names: BTreeSet<String> = members.iter().map(|member| member.path.clone()).chain(earlier).collect();
    names.into_iter().collect()
}

async fn put_member(
    transfer: &Transfer,
    name: &str,
    member: &Member,
    existing: &HashMap<String, ObjectMeta>,
) -> Result<(FileEntry, bool)> {
    let key = format!("{name}/{}", member.path);
    let source = SourceFile::open(&member.local).await?;
    // Listings have no checksums: an object of the same size is worth asking for its own.
    let there = match existing.get(&member.path).is_some_and(|object| object.size == source.size) {
        true => object_at(&**transfer.store(), &key).await?,
        false => None,
    };
    let put = match transfer.already_there(&source, &key, there.as_ref()).await? {
        Some(put) => put,
        None => transfer.send(&source, &key, &SendOptions::default()).await?.put,
    };
    Ok((FileEntry::new(member.path.clone(), &put), put.moved))
}

/// Writes the manifest where none is. This is the moment in which the checkpoint appears.
async fn commit(transfer: &Transfer, name: &str, manifest: &Manifest) -> Result<()> {
    let body = PartBody::from_bytes(Bytes::from(manifest.to_json()?));
    let store = &**transfer.store();
    match multipart::put_whole(store, &key::manifest_of(name), &body, &WriteOptions::create()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Exists => match read_manifest(store, name).await? {
            Some(theirs) if same_content(&theirs, manifest) => Ok(()),
            Some(theirs) => Err(committed_by(name, &theirs, " with other content")),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn same_content(a: &Manifest, b: &Manifest) -> bool {
    let content = |manifest: &Manifest| -> Vec<_> {
        manifest.files.iter().map(|file| (file.path.clone(), file.size, file.crc64nvme)).collect()
    };
    content(a) == content(b)
}
