//! What the store remembers of a write, in an extended attribute of the file.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::checksum::Crc64;

/// Its value is one JSON object, [`Note`].
const ATTRIBUTE: &str = "user.strata";
/// No note is longer; what is, is not ours.
const LONGEST: usize = 4096;

/// Checksum and token of a write, with the size and the time that the file had after it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    pub(super) checksum: Crc64,
    pub(super) token: String,
}

impl Note {
    /// Notes what was written into `file`, which has `metadata`. False where the file system keeps no attributes.
    pub(super) fn write(file: &File, metadata: &Metadata, checksum: Crc64, token: &str) -> io::Result<bool> {
        let (size, modified) = identity(metadata);
        let note = serde_json::to_vec(&Note { size, modified, checksum, token: token.to_owned() })?;
        match rustix::fs::fsetxattr(file, ATTRIBUTE, &note, XattrFlags::empty()) {
            Ok(()) => Ok(true),
            Err(errno) if keeps_none(errno) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The note of `file`, which has `metadata`, if there is one and the file was not written to since.
    pub(super) fn read(file: &File, metadata: &Metadata) -> Option<Note> {
        let mut text = [0; LONGEST];
        let len = rustix::fs::fgetxattr(file, ATTRIBUTE, &mut text[..]).ok()?;
        let note: Note = serde_json::from_slice(text.get(..len)?).ok()?;
        ((note.size, note.modified) == identity(metadata)).then_some(note)
    }
}

fn identity(metadata: &Metadata) -> (u64, (i64, i64)) {
    (metadata.size(), (metadata.mtime(), metadata.mtime_nsec()))
}

/// The file system has no user attributes, or none for us, or none that long.
fn keeps_none(errno: Errno) -> bool {
    [Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::PERM, Errno::ACCESS, Errno::TOOBIG].contains(&errno)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn is_believed_while_size_and_time_are_those_of_the_write() {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(b"abc").unwrap();
        let written = file.metadata().unwrap();
        let checksum = Crc64::of(b"abc");
        assert!(Note::write(&file, &written, checksum, "t").unwrap());
        let note = Note::read(&file, &written).unwrap();
        assert_eq!((note.checksum, note.token.as_str()), (checksum, "t"));

        file.write_all(b"d").unwrap();
        assert_eq!(Note::read(&file, &file.metadata().unwrap()), None, "longer");
        file.set_len(3).unwrap();
        file.set_modified(written.modified().unwrap()).unwrap();
        assert!(Note::read(&file, &file.metadata().unwrap()).is_some());
        file.set_modified(written.modified().unwrap() + std::time::Duration::from_nanos(1)).unwrap();
        assert_eq!(Note::read(&file, &file.metadata().unwrap()), None, "later");
    }

    #[test]
    fn a_strange_attribute_is_no_note() {
        let file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(Note::read(&file, &metadata), None);
        for value in [&b"{}"[..], b"\xff", b"", &[b' '; LONGEST]] {
            rustix::fs::fsetxattr(&file, ATTRIBUTE, value, XattrFlags::empty()).ok();
            assert_eq!(Note::read(&file, &metadata), None);
        }
    }

    /// procfs keeps no user attributes.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_attributes_is_no_error() {
        let file = File::open("/proc/self/comm").unwrap();
        let metadata = file.metadata().unwrap();
        assert!(!Note::write(&file, &metadata, Crc64::EMPTY, "t").unwrap());
        assert_eq!(Note::read(&file, &metadata), None);
    }
}
