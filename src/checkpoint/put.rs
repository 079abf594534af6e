//! A directory into the store: files under their own names, many at once, then the manifest.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bytes::Bytes;
use futures::FutureExt;

use crate::backend::{ObjectMeta, StorageBackend, WriteOptions};
use crate::body::{PartBody, blocking, changed};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::multipart;
use crate::transfer::{Overwrite, SourceFile, Transfer, object_at, refuse_clash};

use super::filter::{Filter, is_marker};
use super::find::read_manifest;
use super::group;
use super::manifest::{FileEntry, Manifest, Writer};
use super::marker::{Marker, MarkerState};
use super::walk::{Member, walk};

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
    /// False where the same checkpoint was committed before.
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
    if let Some(manifest) = read_manifest(store, name).await? {
        return match options.overwrite == Overwrite::Replace && is_same(transfer, &manifest, &members, options).await? {
            true => Ok(all),
            false => Err(committed_by(name, &manifest)),
        };
    }
    let existing = look_around(store, name, &members).await?;

    let writer = Writer::this_process();
    let paths = members.iter().map(|member| member.path.clone()).collect();
    Marker::new(MarkerState::Putting, writer.clone(), paths).write(store, name).await?;

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
    let manifest = Manifest::new(writer.clone(), options.meta.clone(), entries);
    commit(transfer, name, &manifest).await?;
    Marker::new(MarkerState::Committed, writer, Vec::new()).write(store, name).await?;
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

/// What is under the name already, after making sure that nothing of it clashes with the members.
async fn look_around(
    store: &dyn StorageBackend,
    name: &str,
    members: &[Member],
) -> Result<HashMap<String, ObjectMeta>> {
    let below = format!("{name}/");
    let clash = refuse_clash(store, name);
    let (objects, object, ()) = futures::try_join!(store.list(&below), object_at(store, name), clash)?;
    let refuse = |what: String| {
        Err(Error::new(ErrorKind::Exists, what)
            .action("put")
            .on(name)
            .hint_is("choose another key, or remove what is there first: strata-ckpt ls shows it"))
    };
    if object.is_some() {
        return refuse("it is a file in the store, not a directory".to_owned());
    }
    let manifest = key::manifest_of("");
    let existing: HashMap<String, ObjectMeta> =
        objects.into_iter().filter_map(|object| Some((object.key.strip_prefix(&below)?.to_owned(), object))).collect();
    if let Some(inner) = existing.keys().find_map(|path| path.strip_suffix(&manifest)) {
        return refuse(format!("the checkpoint '{below}{inner}' lies inside it"));
    }
    for member in members {
        let as_directory = format!("{}/", member.path);
        let clash = existing.keys().find(|path| path.starts_with(&as_directory)).map(|_| member.path.as_str());
        let clash = clash.or_else(|| key::ancestors(&member.path).find(|ancestor| existing.contains_key(*ancestor)));
        if let Some(clash) = clash {
            return refuse(format!("'{below}{clash}' is a file on one side and a directory on the other"));
        }
    }
    Ok(existing)
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
        None => transfer.send(&source, &key, Overwrite::Replace).await?,
    };
    Ok((FileEntry::new(member.path.clone(), &put), put.moved))
}

/// Whether the committed checkpoint has exactly these files and this content.
async fn is_same(
    transfer: &Transfer,
    manifest: &Manifest,
    members: &[Member],
    options: &PutCheckpoint,
) -> Result<bool> {
    let paths = manifest.files.iter().map(|file| (file.path.as_str(), file.size));
    if !paths.eq(members.iter().map(|member| (member.path.as_str(), member.size))) {
        return Ok(false);
    }
    if !options.meta.is_empty() && options.meta != manifest.meta {
        return Ok(false);
    }
    for (file, member) in manifest.files.iter().zip(members) {
        let source = SourceFile::open(&member.local).await?;
        let (_, checksum) = source.checksums(transfer.plan_for(source.size)?, crate::transfer::threads()).await?;
        if checksum != file.crc64nvme {
            return Ok(false);
        }
        transfer.tell(&Event::FileDone { key: &file.path, bytes: file.size, moved: false });
    }
    Ok(true)
}

/// Writes the manifest where none is. This is the moment in which the checkpoint appears.
async fn commit(transfer: &Transfer, name: &str, manifest: &Manifest) -> Result<()> {
    let body = PartBody::from_bytes(Bytes::from(manifest.to_json()?));
    let store = &**transfer.store();
    match multipart::put_whole(store, &key::manifest_of(name), &body, &WriteOptions::create()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Exists => match read_manifest(store, name).await? {
            Some(theirs) if same_content(&theirs, manifest) => Ok(()),
            Some(theirs) => Err(committed_by(name, &theirs)),
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

fn committed_by(name: &str, manifest: &Manifest) -> Error {
    let Manifest { created, writer, .. } = manifest;
    Error::new(ErrorKind::Exists, format!("it was committed at {created} by {}", writer.host))
        .action("put the checkpoint")
        .on(name)
        .hint_is(format!("put under another name, or remove it first: strata-ckpt rm {name}"))
}
