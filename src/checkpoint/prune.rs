//! Retention carried out: complete checkpoints that the rules do not keep are found, and removed as long as they are still
//! what was found and the newest of their run still stand.
//!
//! Between a listing and a removal a checkpoint may be replaced, be taken up by a put, or become the last of its run. So
//! each is known by the ETag of its manifest, which is looked at once more after its claim was read; the removal then
//! begins with a write of that claim which fails where a put has begun since.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU64;

use futures::FutureExt;

use crate::backend::{ObjectMeta, StorageBackend};
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::transfer::{Transfer, object_at};

use super::catalog::{CheckpointEntry, Detail, Entry, State, list};
use super::group;
use super::manifest::NEWER;
use super::remove::{NOT_BEGUN, Removal, Removed, carry_out, removal_of};
use super::retention::{Complete, MayGo, Retention, run_of};

/// A complete checkpoint that the rules do not keep.
#[derive(Clone, Debug)]
pub struct Surplus {
    /// Its name.
    pub name: String,
    /// What its removal takes away.
    pub removal: Removed,
    /// Why it is left alone all the same, such as a put that is writing it.
    pub left_alone: Option<String>,
    manifest: Seen,
    /// The newest of its run, which outlive it.
    newest: Vec<Seen>,
}

/// What became of a checkpoint that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// It is gone.
    Removed(Removed),
    /// It is not what it was, or somebody is at it; why, as one line.
    LeftAlone(String),
}

/// The manifest of a complete checkpoint.
#[derive(Clone, Debug)]
struct Seen {
    name: String,
    etag: Option<String>,
}

/// What the rules do not keep of the complete checkpoints whose names begin with one of the prefixes: run by run, in each
/// the oldest first. What is partial or damaged is neither counted nor touched.
///
/// # Errors
/// Those of the store: what could not be listed and read in full says nothing of what may go.
pub async fn surplus(transfer: &Transfer, prefixes: &[String], retention: &Retention) -> Result<Vec<Surplus>> {
    let complete = complete_under(&**transfer.store(), prefixes).await?;
    choose(transfer, &complete, retention, None).await
}

/// The same in the run of a checkpoint that was just committed, which is kept whatever its number.
///
/// # Errors
/// [`ErrorKind::Exists`] where it is not there in full any more: then nothing may go on its account. Those of the store.
pub async fn surplus_beside(transfer: &Transfer, name: &str, keep_last: NonZeroU64) -> Result<Vec<Surplus>> {
    let run = run_of(name);
    let prefix = if run.is_empty() { String::new() } else { format!("{run}/") };
    let mut complete = complete_under(&**transfer.store(), &[prefix]).await?;
    complete.retain(|entry| run_of(&entry.name) == run);
    if !complete.iter().any(|entry| entry.name == name) {
        return Err(Error::new(ErrorKind::Exists, "it was removed, replaced or damaged meanwhile")
            .action("prune beside")
            .on(name)
            .hint_is("strata-ckpt ls shows what is there"));
    }
    let retention = Retention { keep_last: Some(keep_last), ..Retention::default() };
    choose(transfer, &complete, &retention, Some(name)).await
}

async fn complete_under(store: &dyn StorageBackend, prefixes: &[String]) -> Result<Vec<CheckpointEntry>> {
    let mut complete = BTreeMap::new();
    for prefix in prefixes {
        for entry in list(store, prefix, Detail::Checkpoints).await? {
            match entry {
                // A prefix that ends inside a checkpoint shows a part of it.
                Entry::Checkpoint(entry) if entry.state == State::Complete && entry.name.starts_with(prefix) => {
                    complete.insert(entry.name.clone(), *entry);
                }
                Entry::Checkpoint(_) | Entry::File(_) => {}
            }
        }
    }
    Ok(complete.into_values().collect())
}

async fn choose(
    transfer: &Transfer,
    entries: &[CheckpointEntry],
    retention: &Retention,
    spared: Option<&str>,
) -> Result<Vec<Surplus>> {
    let complete: Vec<Complete<'_>> =
        entries.iter().map(|entry| Complete { name: &entry.name, at: entry.modified }).collect();
    let mut going = retention.may_go(&complete, transfer.store().now());
    going.retain(|one| Some(one.name) != spared);

    let names: BTreeSet<&str> = going.iter().flat_map(|one| one.newest.iter().copied().chain([one.name])).collect();
    let entries: HashMap<&str, &CheckpointEntry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let work = names.into_iter().filter_map(|name| entries.get(name)).map(|entry| {
        let store = &**transfer.store();
        async move { Ok((entry.name.as_str(), manifest_of(store, entry).await?)) }.boxed()
    });
    let manifests: HashMap<&str, Option<Seen>> =
        group::all(&transfer.group(), Box::new(work)).await?.into_iter().collect();

    let work = going.iter().enumerate().map(|(place, one)| {
        let manifests = &manifests;
        async move { Ok((place, look(transfer, one, manifests).await?)) }.boxed()
    });
    let mut found = group::all(&transfer.group(), Box::new(work)).await?;
    found.sort_unstable_by_key(|(place, _)| *place);
    Ok(found.into_iter().filter_map(|(_, surplus)| surplus).collect())
}

/// The manifest that a listing took for complete; `None` where another stands there since, or none.
async fn manifest_of(store: &dyn StorageBackend, entry: &CheckpointEntry) -> Result<Option<Seen>> {
    let key = key::manifest_of(&entry.name);
    // From a listing again: times of other answers are less exact on some servers.
    let listed: Option<ObjectMeta> = store.list(&key).await?.into_iter().find(|object| object.key == key);
    let same = listed.filter(|object| object.modified == entry.modified);
    Ok(same.map(|object| Seen { name: entry.name.clone(), etag: object.etag }))
}

/// What the removal of a checkpoint would do; `None` where it has become another, or is gone, since it was listed.
async fn look(
    transfer: &Transfer,
    one: &MayGo<'_>,
    manifests: &HashMap<&str, Option<Seen>>,
) -> Result<Option<Surplus>> {
    let seen = |name: &str| manifests.get(name).cloned().flatten();
    let Some(manifest) = seen(one.name) else { return Ok(None) };
    let newest: Result<Vec<Seen>, &str> = one.newest.iter().map(|name| seen(name).ok_or(*name)).collect();
    let (newest, plan) = match newest {
        Ok(newest) => (newest, plan(transfer, &manifest).await?),
        Err(changed) => (Vec::new(), Plan::LeaveAlone(newest_changed(changed))),
    };
    let (removal, left_alone) = match plan {
        Plan::Remove(removal) => (removal.removed(), None),
        Plan::LeaveAlone(why) => (Removed::default(), Some(why)),
    };
    Ok(Some(Surplus { name: one.name.to_owned(), removal, left_alone, manifest, newest }))
}

fn newest_changed(name: &str) -> String {
    format!("'{name}', the newest of its run, was replaced or removed meanwhile")
}

enum Plan {
    Remove(Removal),
    LeaveAlone(String),
}

/// What is to be done about a checkpoint, where it is still the one with this manifest and nobody is at it.
async fn plan(transfer: &Transfer, manifest: &Seen) -> Result<Plan> {
    let removal = match removal_of(transfer, &manifest.name).await {
        Err(error) if matches!(error.kind(), ErrorKind::Exists | ErrorKind::NotFound) => {
            return Ok(Plan::LeaveAlone(error.message().to_owned()));
        }
        // The claim of a newer version: whoever wrote it may be at work.
        Err(error) if error.code() == Some(NEWER) => {
            return Ok(Plan::LeaveAlone(format!("its claim cannot be read: {}", error.message())));
        }
        removal => removal?,
    };
    if removal.is_decided() {
        return Ok(Plan::LeaveAlone("a put of it was interrupted while it was committed".to_owned()));
    }
    // After its claim was read: whoever replaces it from here on changes that first, and the removal does not begin.
    match removal.is_of_checkpoint() && stands(transfer, manifest).await? {
        true => Ok(Plan::Remove(removal)),
        false => Ok(Plan::LeaveAlone("it was replaced or removed meanwhile".to_owned())),
    }
}

/// Whether the manifest is still there as it was seen.
async fn stands(transfer: &Transfer, manifest: &Seen) -> Result<bool> {
    let object = object_at(&**transfer.store(), &key::manifest_of(&manifest.name)).await?;
    Ok(object.is_some_and(|object| object.etag == manifest.etag))
}

/// Removes a checkpoint as it was found, the manifest first: a crash leaves what `rm --partial` removes.
///
/// # Errors
/// Those of the store. That somebody else has changed something is none: then it is left alone.
pub async fn remove_surplus(transfer: &Transfer, surplus: &Surplus) -> Result<Pruned> {
    if let Some(why) = &surplus.left_alone {
        return Ok(Pruned::LeftAlone(why.clone()));
    }
    for newest in &surplus.newest {
        if !stands(transfer, newest).await? {
            return Ok(Pruned::LeftAlone(newest_changed(&newest.name)));
        }
    }
    let removal = match plan(transfer, &surplus.manifest).await? {
        Plan::Remove(removal) => removal,
        Plan::LeaveAlone(why) => return Ok(Pruned::LeftAlone(why)),
    };
    match carry_out(transfer, &surplus.name, removal).await {
        Ok(removed) => Ok(Pruned::Removed(removed)),
        Err(error) if error.code() == Some(NOT_BEGUN) => Ok(Pruned::LeftAlone(error.message().to_owned())),
        Err(error) => Err(error),
    }
}
