//! The embedded default: a store in one directory, with the promises of S3.
//!
//! A key is a path below the directory, so every object is an ordinary file that any tool can read. What makes it a
//! store is how files come and go:
//! - A file appears under its name whole and synced, by a rename from a partial file beside it; so does its
//!   replacement. Directories are synced up to the store's own, and vanish with their last object.
//! - Its CRC-64/NVME and the token of its write are kept in an extended attribute, and believed as long as size and
//!   modification time are those of the write: then damage shows as a wrong checksum, while an edit by another tool
//!   makes it unknown.
//! - The store's own directory may be a symbolic link, and objects may be links to files (they are replaced and
//!   deleted as links, never their targets). A link to a directory below the store is never followed: listings skip it
//!   with a warning, every other call through it is refused. Files are made and renamed in directories that are open,
//!   so that a link swapped in meanwhile leads no write elsewhere.
//! - A partial file's name says what it is for: the token of a multipart upload, which whoever begins it again finds, or
//!   `whole` for a single write, which the next one takes over. It is locked while somebody writes.

mod above;
mod check;
mod leftovers;
mod listing;
mod note;
mod object;
mod partial;
mod place;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::backend::{
    Capabilities, Copied, ObjectBody, ObjectMeta, Part, PartReceipt, PartialFile, StorageBackend, Stored, UploadId,
    WriteOptions,
};
use crate::body::{PartBody, blocking};
use crate::checksum::Crc64;
use crate::config::RuntimeConfig;
use crate::disk::share;
use crate::error::{Error, ErrorKind, Result};
use crate::lane;
use partial::{Partial, Staging};
use place::Place;

/// Parts of an upload: S3's bound, so that an object is cut the same way wherever it is stored.
const MAX_PARTS: u32 = 10_000;
/// The largest offset that a system call takes, in bytes.
const MAX_SIZE: u64 = i64::MAX as u64;

/// A store in a directory of a local or mounted file system.
///
/// The directory need not exist: it is made by the first write, and until then is an empty store.
/// Parts may be of any size, up to 10,000 of them; objects up to what the file system takes. On file systems without
/// extended attributes no checksums are kept. Nothing is tried twice: a local error does not pass by itself.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    root: Arc<Path>,
    runtime: RuntimeConfig,
}

impl LocalStorage {
    /// The store in `directory`, relative to the working directory of now, with the default configuration.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        LocalStorage::with_config(directory, RuntimeConfig::default())
    }

    /// The store in `directory`, relative to the working directory of now.
    pub fn with_config(directory: impl Into<PathBuf>, runtime: RuntimeConfig) -> Self {
        let directory = Path::new(".").join(directory.into());
        // Without a working directory the path stays relative, and the first call says what is wrong.
        let root: PathBuf = std::path::absolute(&directory).unwrap_or(directory).components().collect();
        LocalStorage { root: root.into(), runtime }
    }

    fn place(&self, key: &str) -> Result<Place> {
        Place::new(&self.root, key)
    }

    /// Fails once the caller's token has fired.
    fn go_on(&self, place: &Place, action: &str) -> Result<()> {
        match self.runtime.cancel.is_cancelled() {
            false => Ok(()),
            true => Err(place.described(action, Error::cancelled())),
        }
    }

    /// Writes the body's pieces into `staging` from `offset` on, unless the caller's token fires meanwhile.
    async fn fill(&self, staging: &Staging, offset: u64, body: &PartBody, even_cancelled: bool) -> Result<()> {
        if let Some((file, range)) = body.file() {
            let (shared, staging, file) = (staging, staging.clone(), file.clone());
            if let Some(sum) = blocking(move || staging.share(&file, range, offset)).await? {
                if !even_cancelled {
                    self.go_on(&shared.place, "write")?;
                }
                return body.was_copied(sum);
            }
        }
        let mut pieces = body.pieces();
        let mut at = offset;
        while let Some(piece) = pieces.try_next().await? {
            if !even_cancelled {
                self.go_on(&staging.place, "write")?;
            }
            let next = at + piece.len() as u64;
            let staging = staging.clone();
            lane::blocking(move || staging.write(&piece, at)).await?;
            at = next;
        }
        let reached = staging.clone();
        lane::blocking(move || reached.reach(at)).await?;
        if even_cancelled { Ok(()) } else { self.go_on(&staging.place, "write") }
    }

    async fn collect(&self, path: &str, range: Option<Range<u64>>) -> Result<Bytes> {
        let body = self.open(path, range, None).await?;
        let place = self.place(path)?;
        body.collect().await.map_err(|error| place.described("read", error.not_retryable()))
    }
}

#[async_trait]
impl StorageBackend for LocalStorage {
    fn runtime(&self) -> &RuntimeConfig {
        &self.runtime
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            part_size: 1..=u64::MAX,
            max_parts: MAX_PARTS,
            max_object_size: MAX_SIZE,
            conditional_writes: Some(true),
        }
    }

    fn uri(&self, path: &str) -> String {
        match path {
            "" => format!("file://{}", self.root.display()),
            _ => format!("file://{}", self.root.join(path).display()),
        }
    }

    fn endpoint(&self) -> String {
        self.root.display().to_string()
    }

    async fn above(&self) -> Result<Option<(Arc<dyn StorageBackend>, String)>> {
        let (root, runtime) = (self.root.clone(), self.runtime.clone());
        let (above, key) = blocking(move || Ok(above::split(&root))).await?;
        let whole: Arc<dyn StorageBackend> = Arc::new(LocalStorage { root: above.into(), runtime });
        Ok((!key.is_empty()).then_some((whole, key)))
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        self.collect(path, None).await
    }

    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        self.collect(path, Some(range)).await
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let place = self.place(path)?;
        blocking(move || place.delete()).await
    }

    async fn head(&self, path: &str) -> Result<ObjectMeta> {
        let place = self.place(path)?;
        blocking(move || object::open(&place)).await.map(|(_, meta)| meta)
    }

    async fn open(&self, path: &str, range: Option<Range<u64>>, pin: Option<&str>) -> Result<ObjectBody> {
        let place = self.place(path)?;
        let opened = place.clone();
        let (file, meta) = blocking(move || object::open(&opened)).await?;
        object::body(place, file, meta, range, pin, self.runtime.cancel.clone())
    }

    async fn copy_into(&self, path: &str, range: Range<u64>, pin: Option<&str>, to: &Arc<File>) -> Result<Copied> {
        let (place, pin, to) = (self.place(path)?, pin.map(str::to_owned), to.clone());
        blocking(move || {
            let (file, meta) = object::open(&place)?;
            if pin.is_some() && pin != meta.etag {
                return Ok(Copied::Not);
            }
            let offset = range.start;
            Ok(match share(&file, range, &to, offset) {
                Copied::Whole if !object::is_still(&file, &meta) => Copied::Spoilt,
                copied => copied,
            })
        })
        .await
    }

    fn pages<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Vec<ObjectMeta>>> {
        listing::pages(self.root.clone(), prefix.to_owned(), self.runtime.clone()).boxed()
    }

    async fn partial_files(&self, prefix: &str) -> Result<Vec<PartialFile>> {
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        blocking(move || leftovers::list(&root, &prefix)).await
    }

    async fn put(&self, path: &str, body: &PartBody, options: &WriteOptions) -> Result<Stored> {
        let (place, precondition) = (self.place(path)?, options.precondition.clone());
        let partial = blocking(move || Partial::whole(&place, &precondition)).await?;
        self.fill(partial.staging(), 0, body, options.even_cancelled).await?;
        let (size, checksum, options) = (body.len(), body.checksum().await?, options.clone());
        blocking(move || partial.commit(size, checksum, &options)).await
    }

    fn upload_of(&self, path: &str, token: &str) -> Option<UploadId> {
        Some(partial::upload_of(&self.place(path).ok()?, token))
    }

    async fn begin(&self, path: &str, options: &WriteOptions) -> Result<UploadId> {
        let (place, options) = (self.place(path)?, options.clone());
        // Kept only here: where the caller is gone meanwhile, the partial file goes too.
        Ok(blocking(move || Partial::upload(&place, &options)).await?.keep())
    }

    async fn put_part(&self, path: &str, upload: &UploadId, part: Part, body: &PartBody) -> Result<PartReceipt> {
        let place = self.place(path)?;
        let fits = part.offset.checked_add(body.len()).is_some_and(|end| end <= MAX_SIZE);
        if !fits || !(1..=MAX_PARTS).contains(&part.number) {
            let message = format!("part {} at byte {} is outside any object", part.number, part.offset);
            return Err(place.error(ErrorKind::Invalid, "write", message));
        }
        let name = upload.clone();
        let staging = blocking(move || Staging::open(&place, &name)).await?;
        self.fill(&staging, part.offset, body, false).await?;
        let checksum = body.checksum().await?;
        Ok(PartReceipt { number: part.number, size: body.len(), checksum, etag: checksum.to_string() })
    }

    /// Reads it: after a power cut a partial file may have lost what was written to it.
    async fn has_part(&self, path: &str, upload: &UploadId, part: Part, receipt: &PartReceipt) -> Result<bool> {
        let (place, upload, receipt) = (self.place(path)?, upload.clone(), receipt.clone());
        blocking(move || partial::holds(&place, &upload, part.offset, &receipt)).await
    }

    async fn complete(
        &self,
        path: &str,
        upload: &UploadId,
        receipts: &[PartReceipt],
        options: &WriteOptions,
    ) -> Result<Stored> {
        let place = self.place(path)?;
        if !receipts.is_sorted_by(|a, b| a.number < b.number) {
            return Err(place.error(ErrorKind::Invalid, "write", "its parts are not in ascending order"));
        }
        let (size, checksum) = receipts.iter().fold((0u64, Crc64::EMPTY), |(size, checksum), part| {
            (size.saturating_add(part.size), checksum.combine(part.checksum, part.size))
        });
        let (upload, options) = (upload.clone(), options.clone());
        blocking(move || match Staging::open(&place, &upload) {
            Ok(staging) => staging.complete(size, checksum, &options),
            // The answer of an earlier completion may have been lost.
            Err(gone) if gone.kind() == ErrorKind::NotFound => match object::open(&place) {
                Ok((_, meta)) if meta.token.as_deref() == Some(&options.token) && meta.checksum == Some(checksum) => {
                    Ok(Stored { size: meta.size, etag: meta.etag, checksum: meta.checksum, deviation: None })
                }
                _ => Err(gone),
            },
            Err(error) => Err(error),
        })
        .await
    }

    async fn abort(&self, path: &str, upload: &UploadId) -> Result<()> {
        let (place, upload) = (self.place(path)?, upload.clone());
        blocking(move || partial::abort(&place, &upload)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute() {
        let store = LocalStorage::new("/srv/store/.");
        assert_eq!(store.endpoint(), "/srv/store");
        assert_eq!(store.uri(""), "file:///srv/store");
        assert_eq!(store.uri("epoch 10/a%2Fb"), "file:///srv/store/epoch 10/a%2Fb");
        let here = std::env::current_dir().unwrap();
        assert_eq!(LocalStorage::new("").endpoint(), here.display().to_string());
        assert_eq!(LocalStorage::new("./checkpoints").endpoint(), here.join("checkpoints").display().to_string());
    }
}
