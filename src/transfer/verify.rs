//! Content against the checksums that other tools leave with their objects, which do not combine from ranges: bytes in
//! order, from a stream or from a file that is read once more.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::backend::ObjectMeta;
use crate::body::blocking;
use crate::checksum::{Crc64, StoredChecksum, WholeDigest};
use crate::error::Result;
use crate::event::Event;
use crate::pieces::{PIECE, failed_to_read};
use crate::plan::Plan;

use super::download::{Expected, mismatch};
use super::{SourceFile, Transfer};

/// Bytes that are summed before a cancelled get is noticed.
const STRIDE: u64 = 32 << 20;

/// What an object is verified with that has no CRC-64/NVME of its own.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    object: ObjectMeta,
    sum: StoredChecksum,
    /// Sizes of the parts that a composite one is made of.
    parts: Vec<u64>,
    /// Each part was asked for; otherwise the sizes are what uploads usually have.
    exact: bool,
}

impl Transfer {
    /// What an object must turn out to be, as the store describes it.
    ///
    /// # Errors
    /// Those of the store, which is asked for the parts' sizes of an object with a composite checksum.
    pub(crate) async fn expect(&self, meta: &ObjectMeta, plan: Plan) -> Result<Expected> {
        let foreign = match &meta.stored {
            None => None,
            Some(_) if meta.checksum.is_some() => None,
            Some(sum) => {
                let parts = match sum.parts() {
                    None => Some(Vec::new()),
                    Some(_) => self.store().part_sizes(meta, false).await?,
                };
                let (object, sum) = (meta.clone(), sum.clone());
                parts.map(|parts| Foreign { object, sum, parts, exact: false })
            }
        };
        Ok(Expected { plan, checksum: meta.checksum, foreign, parts: Vec::new(), pin: meta.etag.clone() })
    }

    /// Fails unless a file that was fetched, whose checksum is `ours`, is what it must be.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when it is not; those of the store and the disk.
    pub(super) async fn verify_file(
        &self,
        key: &str,
        expected: &Expected,
        ours: Crc64,
        file: &Arc<File>,
        name: &Arc<str>,
    ) -> Result<()> {
        let same = match (expected.checksum, &expected.foreign) {
            (Some(theirs), _) => theirs == ours,
            (None, Some(foreign)) => self.is_content(foreign, file, name, expected.plan.size()).await?,
            (None, None) => true,
        };
        if same { Ok(()) } else { Err(mismatch(key)) }
    }

    /// Whether a local file has the content of the object that `foreign` describes; it is read once.
    pub(super) async fn is_content(
        &self,
        foreign: &Foreign,
        file: &Arc<File>,
        name: &Arc<str>,
        size: u64,
    ) -> Result<bool> {
        if sum_file(foreign, file, name, size).await? {
            return Ok(true);
        }
        match self.corrected(foreign).await? {
            Some(foreign) => sum_file(&foreign, file, name, size).await,
            None => Ok(false),
        }
    }

    /// Whether the object in the store has the content of a local file, by a checksum of all its bytes.
    pub(super) async fn is_stored(&self, source: &SourceFile, existing: &ObjectMeta) -> Result<bool> {
        let Some(sum) = existing.stored.clone().filter(|sum| sum.parts().is_none()) else { return Ok(false) };
        let foreign = Foreign { object: existing.clone(), sum, parts: Vec::new(), exact: true };
        sum_file(&foreign, &source.file, &source.name, source.size).await
    }

    /// The same with the sizes that the parts really have, where those before were another guess.
    async fn corrected(&self, foreign: &Foreign) -> Result<Option<Foreign>> {
        if foreign.exact || foreign.parts.len() < 3 {
            return Ok(None);
        }
        let parts = self.store().part_sizes(&foreign.object, true).await?;
        let other = parts.filter(|parts| *parts != foreign.parts);
        Ok(other.map(|parts| Foreign { parts, exact: true, ..foreign.clone() }))
    }

    /// Judges a stream whose bytes went through `digest`: whether it is verified.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when it is not what it must be.
    pub(super) async fn verify_stream(&self, key: &str, expected: &Expected, digest: StreamDigest) -> Result<bool> {
        let same = match (digest, expected.checksum, &expected.foreign) {
            (StreamDigest { crc64, .. }, Some(theirs), _) => theirs == crc64,
            (StreamDigest { whole: Some(whole), .. }, None, Some(foreign)) => {
                let same = whole.is(&foreign.sum);
                if !same && self.corrected(foreign).await?.is_some() {
                    let message =
                        format!("'{key}' was written in parts of many sizes: its checksum could not be compared");
                    self.tell(&Event::Warning { message: &message });
                    return Ok(false);
                }
                same
            }
            _ => return Ok(false),
        };
        if same { Ok(true) } else { Err(mismatch(key)) }
    }
}

/// The checksums of a stream.
pub(super) struct StreamDigest {
    crc64: Crc64,
    whole: Option<WholeDigest>,
}

impl StreamDigest {
    pub(super) fn new(expected: &Expected) -> Self {
        let whole = expected.foreign.as_ref().map(|foreign| WholeDigest::new(&foreign.sum, foreign.parts.clone()));
        StreamDigest { crc64: Crc64::EMPTY, whole }
    }

    /// Goes on with `bytes`; takes a while, so that it is for a thread that may block.
    pub(super) fn with(mut self, bytes: &[u8]) -> Self {
        self.crc64 = self.crc64.combine(Crc64::of(bytes), bytes.len() as u64);
        if let Some(whole) = &mut self.whole {
            whole.update(bytes);
        }
        self
    }

    pub(super) fn crc64(&self) -> Crc64 {
        self.crc64
    }
}

/// Reads `size` bytes of a file, in order, where blocking is allowed.
async fn sum_file(foreign: &Foreign, file: &Arc<File>, name: &Arc<str>, size: u64) -> Result<bool> {
    let mut digest = WholeDigest::new(&foreign.sum, foreign.parts.clone());
    let mut at = 0;
    while at < size {
        let (file, name, end) = (file.clone(), name.clone(), size.min(at + STRIDE));
        digest = blocking(move || {
            let mut buffer = vec![0; PIECE];
            while at < end {
                let len = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                file.read_exact_at(&mut buffer[..len], at).map_err(|error| failed_to_read(&name, error))?;
                digest.update(&buffer[..len]);
                at += len as u64;
            }
            Ok(digest)
        })
        .await?;
        at = end;
    }
    Ok(digest.is(&foreign.sum))
}
