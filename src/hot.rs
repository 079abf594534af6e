//! For `benches/` only: what is private and runs for each part. No part of the public interface.

use crate::checkpoint::Manifest;
use crate::checkpoint::manifest::{FileEntry, Writer};
use crate::checksum::Crc64;
use crate::config::DEFAULT_PART_SIZE;
use crate::journal;
use crate::transfer::Put;

/// The manifest of one file of so many parts.
#[must_use]
pub fn manifest_of(parts: u32) -> Vec<u8> {
    let sums: Vec<Crc64> = (0..parts).map(|part| Crc64::of(&part.to_be_bytes())).collect();
    let whole = sums.iter().fold(Crc64::EMPTY, |whole, sum| whole.combine(*sum, DEFAULT_PART_SIZE));
    let size = DEFAULT_PART_SIZE * u64::from(parts);
    let put = Put { size, checksum: whole, part_size: DEFAULT_PART_SIZE, parts: sums, etag: None, moved: true };
    let entry = FileEntry::new("model.bin".to_owned(), &put);
    write_manifest(&Manifest::new(Writer::this_process(), std::collections::BTreeMap::new(), vec![entry]))
}

/// As it is stored; empty where it would be too large.
#[must_use]
pub fn write_manifest(manifest: &Manifest) -> Vec<u8> {
    manifest.to_json().unwrap_or_default()
}

/// The journal of an upload of which so many parts are done.
#[must_use]
pub fn journal_of(parts: u32) -> Vec<u8> {
    journal::of_parts(parts)
}

/// How many parts a journal says are done.
#[must_use]
pub fn read_journal(text: &[u8]) -> usize {
    journal::parts_in(text)
}
