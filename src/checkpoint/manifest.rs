//! The manifest, version 1: what a committed checkpoint consists of. `docs/manifest.md` has the schema in words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::key;
use crate::transfer::Put;

/// The `format` field of every manifest.
pub const FORMAT: &str = "strata-checkpoint";
/// The `format` field of what stands in a manifest's place while `--force` replaces it: there is no checkpoint then.
pub(crate) const REPLACING: &str = "strata-replacing";
/// The version that this crate writes and the newest that it reads.
pub const VERSION: u32 = 1;
/// The code of the error for a manifest of a newer version.
pub(crate) const NEWER: &str = "NewerManifest";
/// The largest manifest that is read and written, in bytes: room for some 300,000 files of one part.
pub const MAX_BYTES: u64 = 64 << 20;

/// What a committed checkpoint consists of, and who wrote it.
///
/// Checksums are the truth; ETags are advisory, since a copy made by another tool changes them.
/// Fields that are not known are ignored when read, so that version 1 can grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// When it was committed, RFC 3339 in UTC.
    pub created: String,
    /// Who committed it.
    pub writer: Writer,
    /// How many ranks put it together; 1 unless `--world-size` said otherwise.
    #[serde(default = "one")]
    pub world_size: u32,
    /// The user's own data (`--meta`): step, loss, commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// The files in ascending order of their paths' bytes.
    pub files: Vec<FileEntry>,
}

fn one() -> u32 {
    1
}

/// Who wrote a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub pid: u32,
    /// Program and version.
    pub tool: String,
    /// Names this put and no other.
    pub token: String,
}

impl Writer {
    /// This process.
    pub(crate) fn this_process() -> Self {
        Writer {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            tool: concat!("strata-ckpt ", env!("CARGO_PKG_VERSION")).to_owned(),
            token: uuid::Uuid::new_v4().simple().to_string(),
        }
    }
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path below the checkpoint's name, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// CRC-64/NVME of the content, base64 of eight bytes.
    pub crc64nvme: Crc64,
    /// Size of every part but the last, in bytes.
    pub part_size: u64,
    /// Checksums of the parts, eight bytes each, most significant first, base64 of all together.
    /// Absent where there is one part only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parts_crc64nvme: String,
    /// The object's ETag when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The rank that put it.
    #[serde(default)]
    pub rank: u32,
}

impl FileEntry {
    /// As large in JSON as the entry of a file that will be put.
    pub(crate) fn planned(path: String, size: u64, part_size: u64, parts: usize) -> Self {
        let parts = vec![Crc64::EMPTY; parts];
        let etag = Some("\"00000000000000000000000000000000-00000\"".to_owned());
        FileEntry::new(path, &Put { size, checksum: Crc64::EMPTY, part_size, parts, etag, moved: true })
    }

    pub(crate) fn new(path: String, put: &Put) -> Self {
        let parts = match put.parts.len() {
            0 | 1 => String::new(),
            _ => BASE64.encode(put.parts.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<u8>>()),
        };
        FileEntry {
            path,
            size: put.size,
            crc64nvme: put.checksum,
            part_size: put.part_size,
            parts_crc64nvme: parts,
            etag: put.etag.clone(),
            rank: 0,
        }
    }

    /// Checksums of the parts, as many as size and part size say.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when they are not that many, or do not combine to the file's own.
    pub fn parts(&self) -> Result<Vec<Crc64>> {
        let count = self.size.div_ceil(self.part_size.max(1)).max(1);
        if count == 1 && self.parts_crc64nvme.is_empty() {
            return Ok(vec![self.crc64nvme]);
        }
        let bytes = BASE64.decode(&self.parts_crc64nvme).map_err(|_| self.bad("part checksums that are not base64"))?;
        let (parts, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || parts.len() as u64 != count {
            return Err(self.bad("another number of part checksums than parts"));
        }
        let parts: Vec<Crc64> = parts.iter().map(|part| Crc64::from_be_bytes(*part)).collect();
        let lengths = (0..count).map(|index| self.part_size.min(self.size - index * self.part_size));
        let whole = parts.iter().zip(lengths).fold(Crc64::EMPTY, |whole, (part, len)| whole.combine(*part, len));
        match whole == self.crc64nvme {
            true => Ok(parts),
            false => Err(self.bad("part checksums that do not add up to its checksum")),
        }
    }

    fn bad(&self, what: &str) -> Error {
        Error::new(ErrorKind::Integrity, format!("the manifest gives '{}' {what}", self.path.escape_default()))
    }
}

impl Manifest {
    pub(crate) fn new(writer: Writer, meta: BTreeMap<String, String>, mut files: Vec<FileEntry>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let created = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Manifest { format: FORMAT.to_owned(), version: VERSION, created, writer, world_size: 1, meta, files }
    }

    /// All bytes of the files.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// What stands in its place while the writer with this token replaces it. Never twice the same, since the same
    /// content has the same ETag.
    pub(crate) fn replacing(token: &str) -> Vec<u8> {
        serde_json::json!({ "format": REPLACING, "version": VERSION, "by": token }).to_string().into_bytes()
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let failed = |error| Error::new(ErrorKind::Other, "the manifest cannot be written as JSON").caused_by(error);
        let json = serde_json::to_vec(self).map_err(failed)?;
        match json.len() as u64 <= MAX_BYTES {
            true => Ok(json),
            false => {
                Err(Error::invalid(format!("its manifest would have {} bytes, more than {MAX_BYTES}", json.len()))
                    .hint_is("put it as several checkpoints, or pack small files together"))
            }
        }
    }

    /// Reads a manifest that may come from anybody: paths stay inside the checkpoint, nothing overlaps or overflows.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] with what is wrong; for a newer version, what to do.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
            #[serde(default)]
            by: String,
        }
        let bad = |what: String| Error::new(ErrorKind::Integrity, format!("the manifest {what}"));
        let unreadable = |error: serde_json::Error| bad(format!("is not valid: {error}"));
        let head: Head = serde_json::from_slice(json).map_err(unreadable)?;
        if head.format == REPLACING {
            return Err(bad("is being replaced".to_owned()).code_is(REPLACING).on(head.by));
        }
        if head.format != FORMAT {
            return Err(bad(format!("has the format '{}', not {FORMAT}", head.format.escape_default())));
        }
        if head.version != VERSION {
            return Err(bad(format!("is of version {}; this program reads version {VERSION}", head.version))
                .code_is(NEWER)
                .hint_is("use a newer strata-ckpt"));
        }
        let manifest: Manifest = serde_json::from_slice(json).map_err(unreadable)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Paths stay inside the checkpoint, nothing overlaps or overflows.
    pub(crate) fn check(&self) -> Result<()> {
        let bad = |what: String| Error::new(ErrorKind::Integrity, format!("the manifest {what}"));
        let mut seen = BTreeSet::new();
        let mut total = 0u64;
        for file in &self.files {
            let shown = file.path.escape_default();
            key::check(&file.path).map_err(|error| bad(format!("names a file that cannot be: {error}")))?;
            if !seen.insert(file.path.as_str()) {
                return Err(bad(format!("names '{shown}' twice")));
            }
            total = total.checked_add(file.size).ok_or_else(|| bad("has sizes that no store can hold".to_owned()))?;
            // No offset beyond fits a system call.
            if file.size > i64::MAX as u64 || file.part_size > i64::MAX as u64 {
                return Err(bad(format!("gives '{shown}' a size that no store can hold")));
            }
            if file.part_size == 0 {
                return Err(bad(format!("gives '{shown}' parts of no size")));
            }
            if file.size.div_ceil(file.part_size) > 1 << 20 {
                return Err(bad(format!("gives '{shown}' more parts than any store can hold")));
            }
        }
        for file in &self.files {
            if let Some(clash) = key::ancestors(&file.path).find(|ancestor| seen.contains(ancestor)) {
                return Err(bad(format!("names '{}' as a file and as a directory", clash.escape_default())));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(path: &str) -> FileEntry {
        let part = Crc64::of(b"12345");
        let whole = part.combine(Crc64::of(b"678"), 3);
        let parts = vec![part, Crc64::of(b"678")];
        FileEntry::new(
            path.to_owned(),
            &Put { size: 8, checksum: whole, part_size: 5, parts, etag: Some("\"e\"".into()), moved: true },
        )
    }

    fn manifest(paths: &[&str]) -> Manifest {
        let meta = BTreeMap::from([("step".to_owned(), "100".to_owned())]);
        Manifest::new(Writer::this_process(), meta, paths.iter().map(|path| entry(path)).collect())
    }

    fn refused(manifest: &Manifest) -> String {
        Manifest::from_json(&manifest.to_json().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn survives_the_round_trip() {
        let manifest = manifest(&["b/c", "a"]);
        assert_eq!(Manifest::from_json(&manifest.to_json().unwrap()).unwrap(), manifest);
        assert_eq!(manifest.files[1].parts().unwrap().len(), 2);
    }

    #[test]
    fn refuses_what_would_lead_astray() {
        for path in ["../a", "/etc/passwd", "a/../../b", "a\0b", "", ".strata/manifest.json", "a//b"] {
            assert!(refused(&manifest(&[path])).contains("names a file that cannot be"), "{path}");
        }
        assert_eq!(refused(&manifest(&["a", "a"])), "the manifest names 'a' twice");
        assert_eq!(refused(&manifest(&["a", "a/b"])), "the manifest names 'a' as a file and as a directory");
        let mut huge = manifest(&["a", "b"]);
        for (size, part_size) in [(u64::MAX, 1 << 63), (u64::MAX - 1, u64::MAX), (5, u64::MAX)] {
            (huge.files[0].size, huge.files[0].part_size) = (size, part_size);
            assert_eq!(refused(&huge), "the manifest gives 'a' a size that no store can hold");
        }
        let mut many = manifest(&["a", "b", "c"]);
        for file in &mut many.files {
            (file.size, file.part_size) = (i64::MAX as u64, i64::MAX as u64);
        }
        assert_eq!(refused(&many), "the manifest has sizes that no store can hold");
        let mut newer = manifest(&["a"]);
        newer.version = 2;
        assert_eq!(refused(&newer), "the manifest is of version 2; this program reads version 1");
    }

    #[test]
    fn part_checksums_must_add_up() {
        let mut short = entry("a");
        short.parts_crc64nvme.clear();
        assert!(short.parts().is_err());
        let mut other = entry("a");
        other.crc64nvme = Crc64::of(b"other");
        assert!(other.parts().is_err());
    }

    #[test]
    fn deep_json_is_an_error() {
        let deep = format!("{{\"format\":\"{FORMAT}\",\"version\":1,\"x\":{}", "[".repeat(100_000));
        assert!(Manifest::from_json(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn damaged_json_never_panics(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut json = manifest(&["a", "b/c", "b/d"]).to_json().unwrap();
            let at = at.index(json.len());
            if cut { json.truncate(at) } else { json[at] = byte }
            if let Ok(manifest) = Manifest::from_json(&json) {
                for file in &manifest.files {
                    let _ = file.parts();
                }
            }
        }
    }
}
