//! What a journal says, as lines: each stands by itself, so that a cut or a flip at any byte leaves those before it.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;

/// What this crate writes; another version is not read.
const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) journal: String,
    pub(super) version: u32,
    pub(super) subject: Vec<String>,
}

impl Head {
    pub(super) fn of(subject: &[String]) -> Self {
        Head { journal: "strata-ckpt".to_owned(), version: VERSION, subject: subject.to_vec() }
    }
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "lowercase")]
pub(crate) enum Record {
    /// A multipart upload was begun, for a source of `size` bytes in parts of `part_size`, under settings for which
    /// `settings` stands.
    Upload {
        id: String,
        token: String,
        size: u64,
        part_size: u64,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        settings: String,
    },
    /// A part's first byte was sent.
    Started { part: u32 },
    /// The store has a part.
    Part { part: u32, size: u64, checksum: Crc64, etag: String },
    /// A download was begun into the file `partial`, of the object with this ETag.
    Download { partial: PathBuf, size: u64, part_size: u64, etag: Option<String>, checksum: Option<Crc64> },
    /// A range, by its number from 1, lies in the partial file.
    Range { range: u32, checksum: Crc64 },
}

pub(super) fn line_of(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    Ok([Crc64::of(&json).to_string().as_bytes(), b" ", &json, b"\n"].concat())
}

/// The lines that are whole, up to the first that is not; with each, where it ends.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = &rest[..end];
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (sum, json) = (&line[..space], &line[space + 1..]);
        let sum: Crc64 = std::str::from_utf8(sum).ok()?.parse().ok()?;
        at += end + 1;
        (Crc64::of(json) == sum).then_some((at, json))
    })
}

/// The records behind a head that is `head`, and how many bytes all of it takes; nothing behind another head.
pub(super) fn parse(text: &[u8], head: &Head) -> (u64, Vec<Record>) {
    let mut lines = lines(text);
    let is_ours = |json: &[u8]| serde_json::from_slice::<Head>(json).is_ok_and(|theirs| theirs == *head);
    let mut kept = match lines.next() {
        Some((end, json)) if is_ours(json) => end,
        _ => return (0, Vec::new()),
    };
    let mut records = Vec::new();
    for (end, json) in lines {
        let Ok(record) = serde_json::from_slice(json) else { break };
        records.push(record);
        kept = end;
    }
    (kept as u64, records)
}
