//! A checksum that a store holds of an object, in one of S3's algorithms.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// S3's algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-64/NVME.
    Crc64Nvme,
    /// CRC-32C, which is CRC-32/ISCSI.
    Crc32c,
    /// CRC-32 as zip and PNG have it, CRC-32/ISO-HDLC.
    Crc32,
    /// SHA-256.
    Sha256,
    /// SHA-1: enough against accidents, which is what is looked for.
    Sha1,
}

impl Algorithm {
    /// All of them, the best first: those of more bits before those of fewer.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Crc64Nvme, Algorithm::Sha256, Algorithm::Sha1, Algorithm::Crc32c, Algorithm::Crc32];

    /// S3's name, as in `x-amz-checksum-algorithm`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc32 => "CRC32",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha1 => "SHA1",
        }
    }

    /// Length of a value in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Algorithm::Crc64Nvme => 8,
            Algorithm::Crc32c | Algorithm::Crc32 => 4,
            Algorithm::Sha256 => 32,
            Algorithm::Sha1 => 20,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A checksum that a store holds of an object: of all its bytes, or, as S3 makes it of some multipart uploads, of the
/// checksums of its parts. Its text form is S3's: base64 of the bytes, most significant first, and `-N` for N parts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoredChecksum {
    algorithm: Algorithm,
    value: Vec<u8>,
    parts: Option<u32>,
}

impl StoredChecksum {
    pub(crate) fn new(algorithm: Algorithm, value: Vec<u8>, parts: Option<u32>) -> Self {
        StoredChecksum { algorithm, value, parts }
    }

    /// Reads S3's text form.
    ///
    /// # Errors
    /// When it is not base64 of as many bytes as the algorithm has, or the number of parts is none from 1 to 10,000.
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, NotAChecksum> {
        // Base64 has no `-`.
        let (value, parts) = match text.split_once('-') {
            None => (text, None),
            Some((value, parts)) => {
                let parts = parts.parse().ok().filter(|parts| (1..=10_000).contains(parts));
                (value, Some(parts.ok_or(NotAChecksum)?))
            }
        };
        let value = BASE64.decode(value).map_err(|_| NotAChecksum)?;
        match value.len() == algorithm.bytes() {
            true => Ok(StoredChecksum { algorithm, value, parts }),
            false => Err(NotAChecksum),
        }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes of the value, most significant first.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// How many parts it was made of; `None` for one of the object's own bytes.
    pub fn parts(&self) -> Option<u32> {
        self.parts
    }
}

impl fmt::Display for StoredChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.value))?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for StoredChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.algorithm)
    }
}

/// The text was not S3's form of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAChecksum;

impl fmt::Display for NotAChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a checksum as S3 writes it")
    }
}

impl std::error::Error for NotAChecksum {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_s3_does_not_write() {
        for text in ["", "AAAA", "AAAAAA==-0", "AAAAAA==-10001", "AAAAAA==-x", "AAAAAA==-", "-3", "not base64"] {
            assert_eq!(StoredChecksum::parse(Algorithm::Crc32c, text), Err(NotAChecksum), "{text}");
        }
        assert_eq!(StoredChecksum::parse(Algorithm::Sha1, "AAAAAA=="), Err(NotAChecksum));
    }

    proptest! {
        #[test]
        fn text_is_a_bijection(which in 0usize..5, bytes in any::<[u8; 32]>(), parts in proptest::option::of(1u32..=10_000)) {
            let algorithm = Algorithm::ALL[which];
            let sum = StoredChecksum::new(algorithm, bytes[..algorithm.bytes()].to_vec(), parts);
            prop_assert_eq!(StoredChecksum::parse(algorithm, &sum.to_string()), Ok(sum));
        }
    }
}
