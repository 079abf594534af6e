//! `ls --json`.

use std::time::SystemTime;

use storage::checkpoint::{CheckpointEntry, Entry, Extent, Member, PlainFile, Verified};
use storage::{Result, StorageBackend};

use crate::cli::output::Output;
use crate::cli::schema::Object;

/// Lines that are printed at once.
const AT_ONCE: usize = 1000;

/// One object for each entry, and with `unfold` for each file of a checkpoint.
pub(super) fn print<'a>(
    output: &Output,
    store: &dyn StorageBackend,
    listed: impl Iterator<Item = (&'a Entry, Option<&'a Verified>)>,
    unfold: bool,
) -> Result<()> {
    for (entry, verified) in listed {
        output.objects([of_entry(entry, verified, store)])?;
        if let (Entry::Checkpoint(checkpoint), true) = (entry, unfold) {
            for members in checkpoint.members.chunks(AT_ONCE) {
                let keys: Vec<String> =
                    members.iter().map(|member| format!("{}/{}", checkpoint.name, member.path)).collect();
                let members = members.iter().zip(&keys);
                output.objects(
                    members.map(|(member, key)| of_member(&checkpoint.name, member, key, verified.is_some(), store)),
                )?;
            }
        }
    }
    Ok(())
}

fn of_entry<'a>(entry: &'a Entry, verified: Option<&'a Verified>, store: &dyn StorageBackend) -> Object<'a> {
    let extent = verified.and_then(|verified| match verified.extent {
        Extent::All => Some("all"),
        Extent::Sample => Some("sample"),
        Extent::NoChecksum => Some("no_checksum"),
        _ => None,
    });
    let bytes_read = verified.map(|verified| verified.bytes);
    match entry {
        Entry::File(PlainFile { key, size, modified }) => Object::File {
            key,
            uri: store.uri(key),
            bytes: *size,
            modified: rfc3339(*modified),
            checkpoint: None,
            checksum: None,
            missing: None,
            damaged: verified.map(|verified| verified.damage.is_some()),
            why: verified.and_then(|verified| verified.damage.as_deref()),
            verified: extent,
            verified_bytes: bytes_read,
        },
        Entry::Checkpoint(checkpoint) => {
            let CheckpointEntry { name, state, files, bytes, modified, meta, why, .. } = &**checkpoint;
            Object::Checkpoint {
                name,
                uri: store.uri(name),
                state: state.to_string(),
                why: why.as_deref(),
                files: *files,
                bytes: *bytes,
                modified: rfc3339(*modified),
                meta,
                verified: extent,
                verified_bytes: bytes_read,
            }
        }
    }
}

fn of_member<'a>(
    checkpoint: &'a str,
    member: &'a Member,
    key: &'a str,
    was_read: bool,
    store: &dyn StorageBackend,
) -> Object<'a> {
    Object::File {
        key,
        uri: store.uri(key),
        bytes: member.size,
        modified: None,
        checkpoint: Some(checkpoint),
        checksum: member.checksum.map(|sum| sum.to_string()),
        missing: Some(member.missing),
        damaged: was_read.then_some(member.damaged),
        why: None,
        verified: None,
        verified_bytes: None,
    }
}

fn rfc3339(time: Option<SystemTime>) -> Option<String> {
    // The formatter ends at the year 9999, and begins in 1970.
    let printable = |time: &SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.as_secs() < 253_402_300_800)
    };
    time.filter(printable).map(|time| humantime::format_rfc3339_seconds(time).to_string())
}
