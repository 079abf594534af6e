//! An object that is there: what is known of it, and its bytes.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::note::Note;
use super::place::Place;
use crate::backend::{ObjectBody, ObjectMeta};
use crate::error::{Error, ErrorKind, Result};
use crate::pieces::FilePieces;

/// The object's file and what the store knows of it.
pub(super) fn open(place: &Place) -> Result<(Arc<File>, ObjectMeta)> {
    if !place.directories("read", false)? {
        return Err(place.not_found("read"));
    }
    // NONBLOCK so that a FIFO does not wait for its writer; regular files know no such thing.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(place.path(), flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // NXIO: a socket. LOOP: a link to itself.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO | Errno::LOOP) => {
            return Err(place.not_found("read"));
        }
        Err(errno) => return Err(place.failed("read", errno.into())),
    };
    let metadata = file.metadata().map_err(|error| place.failed("read", error))?;
    if !metadata.is_file() {
        return Err(place.not_found("read"));
    }
    let mut meta = describe(place.key.to_string(), &metadata);
    if let Some(note) = Note::read(&file, &metadata) {
        (meta.checksum, meta.token) = (Some(note.checksum), Some(note.token));
    }
    Ok((Arc::new(file), meta))
}

/// What a file's metadata say of the object.
pub(super) fn describe(key: String, metadata: &Metadata) -> ObjectMeta {
    ObjectMeta {
        key,
        size: metadata.size(),
        etag: Some(etag(metadata)),
        modified: metadata.modified().ok(),
        checksum: None,
        stored: None,
        token: None,
        deviation: None,
    }
}

/// Another file, size or time of modification is another content.
pub(super) fn etag(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    format!("\"{:x}-{:x}-{seconds:x}.{nanoseconds:x}\"", metadata.ino(), metadata.size())
}

/// Whether the file is as it was described.
pub(super) fn is_still(file: &File, meta: &ObjectMeta) -> bool {
    file.metadata().is_ok_and(|now| meta.etag == Some(etag(&now)))
}

/// The bytes of `range`, or all of them.
pub(super) fn body(
    place: Place,
    file: Arc<File>,
    meta: ObjectMeta,
    range: Option<Range<u64>>,
    pin: Option<&str>,
    cancel: CancellationToken,
) -> Result<ObjectBody> {
    if pin.is_some() && pin != meta.etag.as_deref() {
        return Err(changed(&place, "it was replaced while it was being read"));
    }
    let range = range.unwrap_or(0..meta.size);
    if range.start > range.end || range.end > meta.size {
        let message = format!("bytes {} to {} do not lie in an object of {} bytes", range.start, range.end, meta.size);
        return Err(place.error(ErrorKind::Invalid, "read", message));
    }
    let bytes = pieces(place, file, meta.etag.clone(), range.clone(), cancel);
    Ok(ObjectBody { meta, range, bytes })
}

fn pieces(
    place: Place,
    file: Arc<File>,
    etag: Option<String>,
    range: Range<u64>,
    cancel: CancellationToken,
) -> BoxStream<'static, Result<Bytes>> {
    let reader = Reader { place, pieces: FilePieces::new(file.clone(), range), file, etag };
    try_unfold(reader, move |mut reader| {
        let cancelled = cancel.is_cancelled();
        async move {
            if cancelled && !reader.pieces.is_at_end() {
                return Err(reader.place.described("read", Error::cancelled()));
            }
            Ok(reader.next().await?.map(|piece| (piece, reader)))
        }
    })
    .boxed()
}

struct Reader {
    place: Place,
    file: Arc<File>,
    etag: Option<String>,
    pieces: FilePieces,
}

impl Reader {
    /// The next bytes. The last ones are handed out only if the file is still what it was.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.pieces.next().await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(&self.place, "it became shorter while it was being read"),
            _ => self.place.failed("read", error),
        })?;
        if self.pieces.is_at_end() {
            let now = self.file.metadata().map_err(|error| self.place.failed("read", error))?;
            if self.etag.as_ref() != Some(&self::etag(&now)) {
                return Err(changed(&self.place, "it was written to while it was being read"));
            }
        }
        Ok(piece)
    }
}

fn changed(place: &Place, message: &str) -> Error {
    place.error(ErrorKind::Integrity, "read", message).hint_is("run the same command again to read what is there now")
}
