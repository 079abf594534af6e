//! Whether bytes that come in order are those of a [`StoredChecksum`].

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha1::{Digest as _, Sha1};
use sha2::{Digest as _, Sha256};

use super::{Algorithm, StoredChecksum};

/// The running checksum of an object whose bytes are given in order: of all of them, or part by part as S3 makes a
/// composite one.
pub struct WholeDigest {
    algorithm: Algorithm,
    running: Running,
    composite: Option<Composite>,
}

/// Parts that were summed, and those to come.
struct Composite {
    /// The checksum of the parts' checksums.
    outer: Running,
    /// Sizes of the parts that are not complete yet.
    sizes: std::vec::IntoIter<u64>,
    /// Bytes that the current part still lacks; `None` past the last part.
    left: Option<u64>,
    parts: u32,
}

impl WholeDigest {
    /// To be compared with `stored`. `parts` are the sizes of the parts in bytes, which only a composite one needs.
    pub fn new(stored: &StoredChecksum, parts: Vec<u64>) -> Self {
        let algorithm = stored.algorithm();
        let composite = stored.parts().map(|_| {
            let mut sizes = parts.into_iter();
            let left = sizes.next();
            Composite { outer: Running::new(algorithm), sizes, left, parts: 0 }
        });
        WholeDigest { algorithm, running: Running::new(algorithm), composite }
    }

    /// Adds `bytes`, which follow those before.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let Some(composite) = &mut self.composite else { return self.running.update(bytes) };
        // Bytes past the last part make a part more, which differs from any stored one.
        while let Some(left) = composite.left {
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            self.running.update(&bytes[..here]);
            bytes = &bytes[here..];
            composite.left = Some(left - here as u64);
            if here as u64 != left || bytes.is_empty() {
                return;
            }
            composite.close(&mut self.running, self.algorithm);
        }
        self.running.update(bytes);
        composite.parts = u32::MAX;
    }

    /// Whether the bytes so far are those of `stored`.
    pub fn is(mut self, stored: &StoredChecksum) -> bool {
        let (value, parts) = match self.composite {
            None => (self.running.value(), None),
            Some(mut composite) => {
                if composite.left == Some(0) {
                    composite.close(&mut self.running, self.algorithm);
                }
                if composite.left.is_some() {
                    return false;
                }
                (composite.outer.value(), Some(composite.parts))
            }
        };
        StoredChecksum::new(self.algorithm, value, parts) == *stored
    }
}

impl Composite {
    /// The current part is complete.
    fn close(&mut self, running: &mut Running, algorithm: Algorithm) {
        let part = std::mem::replace(running, Running::new(algorithm));
        self.outer.update(&part.value());
        self.parts = self.parts.saturating_add(1);
        self.left = self.sizes.next();
    }
}

impl fmt::Debug for WholeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.composite.as_ref().map(|composite| composite.parts);
        f.debug_struct("WholeDigest").field("algorithm", &self.algorithm).field("parts", &parts).finish()
    }
}

enum Running {
    /// Boxed for its tables; the number of bytes in a value.
    Crc(Box<Crc>, usize),
    Sha256(Sha256),
    Sha1(Sha1),
}

impl Running {
    fn new(algorithm: Algorithm) -> Self {
        let crc = |kind| Running::Crc(Box::new(Crc::new(kind)), algorithm.bytes());
        match algorithm {
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Sha256 => Running::Sha256(Sha256::new()),
            Algorithm::Sha1 => Running::Sha1(Sha1::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Running::Crc(digest, _) => digest.update(bytes),
            Running::Sha256(digest) => sha2::Digest::update(digest, bytes),
            Running::Sha1(digest) => sha1::Digest::update(digest, bytes),
        }
    }

    fn value(&self) -> Vec<u8> {
        match self {
            Running::Crc(digest, bytes) => digest.finalize().to_be_bytes()[8 - bytes..].to_vec(),
            Running::Sha256(digest) => sha2::Digest::finalize(digest.clone()).to_vec(),
            Running::Sha1(digest) => sha1::Digest::finalize(digest.clone()).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crc_fast::{checksum, checksum_combine};
    use proptest::prelude::*;

    fn parsed(algorithm: Algorithm, text: &str) -> StoredChecksum {
        StoredChecksum::parse(algorithm, text).unwrap()
    }

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
        let mut running = Running::new(algorithm);
        running.update(bytes);
        running.value()
    }

    fn is(stored: &StoredChecksum, parts: &[u64], bytes: &[u8]) -> bool {
        let mut digest = WholeDigest::new(stored, parts.to_vec());
        bytes.chunks(3).for_each(|piece| digest.update(piece));
        digest.is(stored)
    }

    /// The CRC catalogue's check values (<https://reveng.sourceforge.io/crc-catalogue/all.htm>) and FIPS 180-4's of `abc`.
    #[test]
    fn matches_the_published_values() {
        for (algorithm, bytes, text) in [
            (Algorithm::Crc64Nvme, "123456789", "rosUhgp5mIg="),
            (Algorithm::Crc32c, "123456789", "4waSgw=="),
            (Algorithm::Crc32, "123456789", "y/Q5Jg=="),
            (Algorithm::Sha256, "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            (Algorithm::Sha1, "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        ] {
            let stored = parsed(algorithm, text);
            assert!(is(&stored, &[], bytes.as_bytes()), "{algorithm}");
            assert!(!is(&stored, &[], b"other"), "{algorithm}");
        }
    }

    /// Of the parts `abc` and `de`, computed apart with Python's zlib and hashlib.
    #[test]
    fn a_composite_one_is_that_of_the_parts_checksums() {
        let crc32 = parsed(Algorithm::Crc32, "nkb4fw==-2");
        let sha256 = parsed(Algorithm::Sha256, "pyZWkm6RFqVJbElnQg0d9KLHeUtVgfzxbxt5JkJkjBA=-2");
        for stored in [crc32, sha256] {
            assert!(is(&stored, &[3, 2], b"abcde"), "{stored:?}");
            assert!(!is(&stored, &[2, 3], b"abcde"), "cut elsewhere");
            assert!(!is(&stored, &[5], b"abcde"), "not cut");
            assert!(!is(&stored, &[3, 2], b"abcd"), "too short");
            assert!(!is(&stored, &[3, 2], b"abcdef"), "too long");
            assert!(!is(&stored, &[3], b"abcde"), "a part too few");
            assert!(!is(&stored, &[3, 2, 1], b"abcde"), "a part too many");
        }
    }

    proptest! {
        #[test]
        fn combining_equals_the_checksum_of_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..2048),
            cut in any::<proptest::sample::Index>(),
        ) {
            let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
            for kind in [CrcAlgorithm::Crc64Nvme, CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc32IsoHdlc] {
                let combined = checksum_combine(kind, checksum(kind, a), checksum(kind, b), b.len() as u64);
                prop_assert_eq!(combined, checksum(kind, &bytes));
            }
        }

        #[test]
        fn composite_is_the_definition(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 1..9),
            which in 0usize..5,
            piece in 1usize..400,
        ) {
            let algorithm = Algorithm::ALL[which];
            let inner: Vec<u8> = parts.iter().flat_map(|part| of(algorithm, part)).collect();
            let stored = StoredChecksum::new(algorithm, of(algorithm, &inner), Some(parts.len() as u32));
            let sizes: Vec<u64> = parts.iter().map(|part| part.len() as u64).collect();
            let mut bytes = parts.concat();
            let sum = |bytes: &[u8]| {
                let mut digest = WholeDigest::new(&stored, sizes.clone());
                bytes.chunks(piece).for_each(|piece| digest.update(piece));
                digest.is(&stored)
            };
            prop_assert!(sum(&bytes));
            bytes[0] ^= 1;
            prop_assert!(!sum(&bytes));
        }
    }
}
