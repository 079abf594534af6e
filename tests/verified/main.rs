//! What was verified is what is stored, both ways: with our own checksums, with those that other tools leave, and with
//! Content-MD5 where a server knows no others.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod other_tools;
mod reading;
mod sending;
mod stored;

/// Bytes that repeat late.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 31) ^ (i >> 8)) as u8).collect()
}
