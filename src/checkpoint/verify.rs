//! What is stored, read from end to end without keeping it, against the checksums that it was put with.

use std::collections::HashSet;
use std::ops::Range;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::backend::Part;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key;
use crate::plan::Plan;
use crate::transfer::{Expected, GetOptions, Transfer, object_at};

use super::catalog::{CheckpointEntry, Entry, State};
use super::find::read_manifest;
use super::fold::PlainFile;
use super::group;
use super::manifest::FileEntry;
use super::sample::{Choice, Sample};

/// What was read of an entry, and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How much of it was compared.
    pub extent: Extent,
    /// Bytes that were read.
    pub bytes: u64,
    /// Why it is not what was put, as one line; `None` where nothing was found. Of a checkpoint, [`CheckpointEntry`]'s
    /// state and members say the same.
    pub damage: Option<String>,
}

/// How much was compared with checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Every byte.
    All,
    /// The ranges that were chosen.
    Sample,
    /// Nothing: neither manifest nor store has a checksum of it.
    NoChecksum,
    /// Nothing: there is no checkpoint yet or any more, or the sample left it out.
    #[default]
    Nothing,
}

/// Reads `entries`, listed with [`Detail::Files`](super::Detail::Files), one after the other, and says in each what is
/// damaged. Of a checkpoint the ranges that its manifest has checksums of, in the files that its members name, many at
/// once, of which `sample` chooses; of plain files whole ones, in order. A range that arrives wrong is fetched again, and a
/// plain file read again, before it counts as damaged. Holds no more in memory than a get does.
///
/// # Errors
/// Those of the store. Damage is none.
pub async fn verify(transfer: &Transfer, entries: &mut [Entry], sample: Sample) -> Result<Vec<Verified>> {
    let plain = entries.iter().filter(|entry| matches!(entry, Entry::File(_))).count();
    let mut choice = sample.of(plain as u64);
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        all.push(match entry {
            Entry::Checkpoint(checkpoint) => verify_checkpoint(transfer, checkpoint, sample).await?,
            Entry::File(object) if choice.takes_next() => verify_file(transfer, object).await?,
            Entry::File(_) => Verified::default(),
        });
    }
    Ok(all)
}

// --- a checkpoint

async fn verify_checkpoint(transfer: &Transfer, entry: &mut CheckpointEntry, sample: Sample) -> Result<Verified> {
    let manifest = match read_manifest(&**transfer.store(), &entry.name).await {
        Ok(Some(manifest)) => manifest,
        // The entry says so.
        Err(error) if error.kind() == ErrorKind::Integrity => return Ok(of_listing(entry)),
        Ok(None) => return Ok(of_listing(entry)),
        Err(error) => return Err(error),
    };
    let there = entry.members.iter().filter(|member| !member.missing).map(|member| member.path.as_str());
    let there: HashSet<&str> = there.collect();
    let files: Vec<&FileEntry> = manifest.files.iter().filter(|file| there.contains(&*file.path)).collect();
    let mut choice = sample.of(files.iter().map(|file| plan_of(file).parts()).sum());
    let chosen: Vec<Chosen<'_>> = files.into_iter().filter_map(|file| Chosen::of(file, &mut choice)).collect();
    let bytes = chosen.iter().map(Chosen::bytes).sum();
    transfer.tell(&Event::Planned { files: chosen.len() as u64, bytes });

    let (group, name) = (transfer.group(), entry.name.clone());
    let work = chosen.into_iter().map(|chosen| verify_member(&group, &name, chosen).boxed());
    let damaged: HashSet<String> = group::all(&group, Box::new(work)).await?.into_iter().flatten().collect();
    for member in &mut entry.members {
        member.damaged = damaged.contains(&member.path);
    }
    let mut paths = entry.members.iter().filter(|member| member.damaged).map(|member| &member.path);
    let why = paths.next().map(|first| match paths.count() {
        0 => format!("'{first}' has other bytes than were put"),
        more => format!("{} files have other bytes than were put, first '{first}'", more + 1),
    });
    if let Some(why) = why {
        entry.state = State::Damaged;
        entry.why = Some(match entry.why.take() {
            Some(listed) => format!("{listed}; {why}"),
            None => why,
        });
    }
    let extent = if sample.is_all() { Extent::All } else { Extent::Sample };
    Ok(Verified { extent, bytes, ..of_listing(entry) })
}

/// What is known without reading.
fn of_listing(entry: &CheckpointEntry) -> Verified {
    let damage = entry.why.clone().filter(|_| entry.state == State::Damaged);
    Verified { damage, ..Verified::default() }
}

/// A file, and which of its ranges are read.
struct Chosen<'a> {
    file: &'a FileEntry,
    ranges: Vec<(Part, Range<u64>)>,
}

fn plan_of(file: &FileEntry) -> Plan {
    Plan::existing(file.size, file.part_size)
}

impl<'a> Chosen<'a> {
    /// `None` where none of its ranges was chosen.
    fn of(file: &'a FileEntry, choice: &mut Choice) -> Option<Self> {
        let ranges: Vec<_> = plan_of(file).ranges().filter(|_| choice.takes_next()).collect();
        (!ranges.is_empty()).then_some(Chosen { file, ranges })
    }

    fn bytes(&self) -> u64 {
        self.ranges.iter().map(|(_, range)| range.end - range.start).sum()
    }
}

/// The file's path where it is damaged.
async fn verify_member(transfer: &Transfer, name: &str, chosen: Chosen<'_>) -> Result<Option<String>> {
    let (file, key, bytes) = (chosen.file, format!("{name}/{}", chosen.file.path), chosen.bytes());
    let damaged = || Ok(Some(file.path.clone()));
    // Its manifest was checked when it was read.
    let Some(object) = object_at(&**transfer.store(), &key).await? else { return damaged() };
    if object.size != file.size {
        return damaged();
    }
    let (plan, parts) = (plan_of(file), file.parts()?);
    let expected = &Expected { plan, checksum: Some(file.crc64nvme), foreign: None, parts, pin: object.etag };
    let key = &*key;
    let reading = stream::iter(chosen.ranges)
        .map(|(part, range)| transfer.check_range(key, part.number, range, expected).boxed())
        .buffer_unordered(transfer.store().runtime().in_flight())
        .try_for_each(|()| async { Ok(()) });
    match transfer.unless_given_up("verify", key, reading).await {
        Ok(()) => {
            transfer.tell(&Event::FileDone { key, bytes, moved: true });
            Ok(None)
        }
        Err(error) if is_damage(&error) => damaged(),
        Err(error) => Err(error),
    }
}

// --- a plain file

async fn verify_file(transfer: &Transfer, object: &PlainFile) -> Result<Verified> {
    // A key that no command here takes; another tool's.
    if key::check(&object.key).is_err() {
        return Ok(Verified::default());
    }
    let Some(meta) = object_at(&**transfer.store(), &object.key).await? else { return Ok(Verified::default()) };
    if !transfer.expect(&meta, transfer.ranges_of(meta.size)).await?.is_verifiable() {
        return Ok(Verified { extent: Extent::NoChecksum, ..Verified::default() });
    }
    let options = &GetOptions::default();
    let read = || transfer.get_stream(&object.key, tokio::io::sink(), options);
    let outcome = match read().await {
        // Once may have been the way.
        Err(error) if is_damage(&error) => read().await,
        outcome => outcome,
    };
    let verified = Verified { extent: Extent::All, bytes: meta.size, damage: None };
    match outcome {
        Ok(got) if got.verified => Ok(verified),
        Ok(_) => Ok(Verified { extent: Extent::NoChecksum, ..verified }),
        Err(error) if is_damage(&error) => {
            let damage = Some("it does not have the checksum that was stored with it".to_owned());
            Ok(Verified { damage, ..verified })
        }
        Err(error) => Err(error),
    }
}

/// Wrong bytes, and not another object in place of the one that was looked at.
fn is_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::Integrity && error.code() != Some("PreconditionFailed")
}
