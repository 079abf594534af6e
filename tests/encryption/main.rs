//! What goes with objects beyond their content (encryption, storage class, metadata), and with every request (who pays, who
//! owns the bucket): there where it belongs and nowhere else, as the command's user meets it.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod account;
mod ignored;
mod minio;
mod refused;
mod resumed;

use support::bed::Bed;

pub(crate) const MIB: usize = 1 << 20;

pub(crate) fn content(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31 + seed) % 251) as u8).collect()
}

/// A small file, one of three parts, and a directory of both.
pub(crate) fn fill(bed: &Bed) {
    bed.write("small.bin", b"small");
    bed.write("large.bin", &content(11 * MIB, 1));
    bed.write("run/small.bin", b"small");
    bed.write("run/large.bin", &content(11 * MIB, 2));
}
