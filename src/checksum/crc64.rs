//! CRC-64/NVME: the one checksum that follows every byte from disk to store and back.
//!
//! It is linear, so parts are checked alone and the whole by [`Crc64::combine`], without reading anything twice.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::{CrcAlgorithm, Digest, checksum};

use super::combine::times_x_to_the;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALGORITHM: CrcAlgorithm = CrcAlgorithm::Crc64Nvme;

/// A CRC-64/NVME value. Its text form is S3's: base64 of the eight bytes, most significant first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crc64(u64);

impl Crc64 {
    /// The checksum of no bytes.
    pub const EMPTY: Crc64 = Crc64(0);

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Crc64(checksum(ALGORITHM, bytes))
    }

    /// The checksum of `len` bytes of zero, for holes in files.
    pub(crate) fn of_zeros(len: u64) -> Self {
        /// The lengths that were asked for last: those of parts, which are few.
        static KNOWN: Mutex<VecDeque<(u64, Crc64)>> = Mutex::new(VecDeque::new());
        const REMEMBERED: usize = 8;
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sum)) = known().iter().find(|(known, _)| *known == len) {
            return *sum;
        }
        let (mut sum, mut block, mut block_len, mut left) = (Crc64::EMPTY, Crc64::of(&[0]), 1, len);
        while left > 0 {
            if left & 1 == 1 {
                sum = sum.combine(block, block_len);
            }
            (block, block_len, left) = (block.combine(block, block_len), block_len << 1, left >> 1);
        }
        let mut known = known();
        known.truncate(REMEMBERED - 1);
        known.push_front((len, sum));
        sum
    }

    /// The checksum of these bytes followed by `next_len` bytes whose checksum is `next`.
    #[must_use]
    pub fn combine(self, next: Crc64, next_len: u64) -> Self {
        Crc64(times_x_to_the(self.0, next_len) ^ next.0)
    }

    /// The eight bytes, most significant first.
    pub fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`to_be_bytes`](Self::to_be_bytes).
    pub fn from_be_bytes(bytes: [u8; 8]) -> Self {
        Crc64(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.to_be_bytes()))
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc64({self})")
    }
}

/// The text was not base64 of exactly eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACrc64;

impl fmt::Display for NotACrc64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the base64 of eight bytes")
    }
}

impl std::error::Error for NotACrc64 {}

impl FromStr for Crc64 {
    type Err = NotACrc64;

    fn from_str(text: &str) -> Result<Self, NotACrc64> {
        let bytes = BASE64.decode(text).map_err(|_| NotACrc64)?;
        Ok(Crc64::from_be_bytes(bytes.try_into().map_err(|_| NotACrc64)?))
    }
}

impl Serialize for Crc64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Crc64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A checksum that grows with the bytes.
#[derive(Clone)]
pub struct Crc64Digest {
    digest: Digest,
    len: u64,
}

impl Crc64Digest {
    /// The digest of no bytes.
    pub fn new() -> Self {
        Crc64Digest { digest: Digest::new(ALGORITHM), len: 0 }
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// The checksum of all bytes so far.
    pub fn value(&self) -> Crc64 {
        Crc64(self.digest.finalize())
    }

    /// How many bytes were added.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Crc64Digest {
    fn default() -> Self {
        Crc64Digest::new()
    }
}

impl fmt::Debug for Crc64Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc64Digest({} after {} bytes)", self.value(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The check value of the CRC catalogue: <https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme>
    #[test]
    fn matches_the_catalogue() {
        assert_eq!(Crc64::of(b"123456789"), Crc64(0xae8b_1486_0a79_9888));
        assert_eq!(Crc64::of(b""), Crc64::EMPTY);
    }

    #[test]
    fn refuses_other_lengths() {
        for text in ["", "AAAA", "not base64!", "AAAAAAAAAAAA"] {
            assert_eq!(text.parse::<Crc64>(), Err(NotACrc64), "{text}");
        }
    }

    proptest! {
        #[test]
        fn combining_equals_the_checksum_of_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..4096),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut combined = Crc64::EMPTY;
            let mut from = 0;
            for to in cuts.into_iter().chain([bytes.len()]) {
                combined = combined.combine(Crc64::of(&bytes[from..to]), (to - from) as u64);
                from = to;
            }
            prop_assert_eq!(combined, Crc64::of(&bytes));
        }

        #[test]
        fn text_is_a_bijection(value in any::<u64>()) {
            prop_assert_eq!(Crc64(value).to_string().parse(), Ok(Crc64(value)));
        }
    }
}
