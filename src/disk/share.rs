//! Bytes that two files share: on file systems that can, a copy takes no time and no room.

use std::fs::File;
use std::io;
use std::ops::Range;

use crate::backend::Copied;

/// File systems that share blocks between files, or whose server copies by itself (`statfs(2)`): Btrfs, XFS, bcachefs,
/// OCFS2, NFS, SMB, SMB2. Elsewhere the kernel would copy, which is no faster than to read, sum and write.
#[cfg(target_os = "linux")]
const SHARING: [u32; 7] = [0x9123_683e, 0x5846_5342, 0xca45_1a4e, 0x7461_636f, 0x6969, 0xff53_4d42, 0xfe53_4d42];

/// Gives `to` the bytes `range` of `from` at `offset`, without reading them here. May block.
#[cfg(target_os = "linux")]
pub(crate) fn share(from: &File, range: Range<u64>, to: &File, offset: u64) -> Copied {
    let kind = rustix::fs::fstatfs(to).ok().and_then(|system| u32::try_from(system.f_type).ok());
    match kind.filter(|kind| SHARING.contains(kind)).map(|_| copy(from, range, to, offset)) {
        None => Copied::Not,
        Some(Ok(())) => Copied::Whole,
        Some(Err(_)) => Copied::Spoilt,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn share(_: &File, _: Range<u64>, _: &File, _: u64) -> Copied {
    Copied::Not
}

#[cfg(target_os = "linux")]
fn copy(from: &File, range: Range<u64>, to: &File, offset: u64) -> io::Result<()> {
    let (mut at, mut offset) = (range.start, offset);
    while at < range.end {
        let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut at), to, Some(&mut offset), left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => continue,
        }
    }
    Ok(())
}

/// Makes a hole of `len` bytes, which reads as zeros; false where the file system has none. The file grows no longer by
/// it. May block.
#[cfg(target_os = "linux")]
pub(crate) fn make_hole(file: &File, offset: u64, len: u64) -> bool {
    use rustix::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(file, flags, offset, len).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn make_hole(_: &File, _: u64, _: u64) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn a_range_arrives_at_its_place() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        from.write_all_at(&bytes, 0).unwrap();
        copy(&from, 10..90_000, &to, 5).unwrap();
        let mut got = vec![0; 89_990];
        to.read_exact_at(&mut got, 5).unwrap();
        assert_eq!(got, bytes[10..90_000]);
        let error = copy(&from, 0..100_001, &to, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "the source is shorter");
    }

    #[test]
    fn a_hole_reads_as_zeros_and_takes_no_room() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 1 << 20], 0).unwrap();
        let before = file.metadata().unwrap().blocks();
        if make_hole(&file, 1 << 19, 1 << 19) {
            let mut got = vec![1; 1 << 20];
            file.read_exact_at(&mut got, 0).unwrap();
            assert!(got[..1 << 19].iter().all(|byte| *byte == 7) && got[1 << 19..].iter().all(|byte| *byte == 0));
            assert!(file.metadata().unwrap().blocks() < before);
        }
    }
}
