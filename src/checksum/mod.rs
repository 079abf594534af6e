//! Checksums: CRC-64/NVME, which follows every byte from disk to store and back, and those that other tools leave with
//! their objects.
//!
//! Algorithms, text forms and the two types, full object and composite, are S3's:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

mod combine;
mod crc64;
mod stored;
mod whole;

pub use crc64::{Crc64, Crc64Digest, NotACrc64};
pub use stored::{Algorithm, NotAChecksum, StoredChecksum};
pub use whole::WholeDigest;
