//! What a store is: [`StorageBackend`].
//!
//! The trait knows nothing of uploads in progress: begin, put part n, complete with receipts and abort carry all they
//! need, since only a stateless store can be resumed after a crash.

use std::fmt;
use std::fs::File;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::BoxStream;

use crate::body::PartBody;
use crate::checksum::{Crc64, StoredChecksum};
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::{multipart, retry};

/// What a store knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key, relative to the store's root or prefix.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// Changes whenever the content does; what reads are pinned to. Quotes included where the server sends them.
    pub etag: Option<String>,
    /// When it was last written.
    pub modified: Option<SystemTime>,
    /// CRC-64/NVME of the whole content where the store holds one that it vouches for; listings never have it.
    pub checksum: Option<Crc64>,
    /// Where `checksum` is `None`: what else the store holds to verify the content with, as other tools leave it;
    /// listings never have it.
    pub stored: Option<StoredChecksum>,
    /// The token of the upload that wrote it ([`WriteOptions::token`]); listings never have it.
    pub token: Option<String>,
    /// In what it is not as this store would write it now; only [`StorageBackend::head`] tells, of settings that are set.
    pub deviation: Option<Deviation>,
}

/// In what an object is not as the store's settings say that it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// What it is instead, such as `encrypted with AES256`.
    pub what: String,
    /// Whether the same content is to be written again for that: true of the encryption, false of what only costs or labels.
    pub matters: bool,
}

/// A store's name for a multipart upload in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadId(pub String);

/// Which part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// 1 to 10,000.
    pub number: u32,
    /// Where it begins in the object, in bytes.
    pub offset: u64,
}

/// Proof that the store has a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReceipt {
    /// The part's number, from 1.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// What was sent, and confirmed by the store where it can.
    pub checksum: Crc64,
    /// The store's name for what it got.
    pub etag: String,
}

/// What must hold at the destination for a write to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: an object that is there is replaced atomically.
    #[default]
    None,
    /// No object is there (`If-None-Match: *`).
    Absent,
    /// The object with this ETag is there (`If-Match`).
    Match(String),
}

/// How an object is written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// What must hold at the destination; otherwise the write fails with [`ErrorKind::Exists`].
    pub precondition: Precondition,
    /// Names this write and no other. Kept with the object, so that a write whose answer was lost can be recognised.
    pub token: String,
    /// Go on although [`RuntimeConfig::cancel`] fired: for the last word of a writer that was interrupted.
    pub even_cancelled: bool,
}

impl WriteOptions {
    /// Replaces what is there; a token of its own.
    pub fn replace() -> Self {
        let token = uuid::Uuid::new_v4().simple().to_string();
        WriteOptions { precondition: Precondition::None, token, even_cancelled: false }
    }

    /// Only where nothing is there; a token of its own.
    pub fn create() -> Self {
        WriteOptions::under(Precondition::Absent)
    }

    /// Only where the precondition holds; a token of its own.
    pub fn under(precondition: Precondition) -> Self {
        WriteOptions { precondition, ..WriteOptions::replace() }
    }
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Size in bytes.
    pub size: u64,
    /// The new object's ETag, if the store told it.
    pub etag: Option<String>,
    /// The checksum of the whole as the store confirmed it; `None` where it holds none.
    pub checksum: Option<Crc64>,
    /// In what the store has not written it as it was told to.
    pub deviation: Option<Deviation>,
}

/// A file of a store that keeps what is being written as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialFile {
    /// The key of the object that it is for, as far as the file's name tells.
    pub key: String,
    /// What [`StorageBackend::abort`] removes it by.
    pub upload: UploadId,
    /// Bytes so far.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<SystemTime>,
}

/// What a store can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Sizes in bytes that a part may have; the last one may be smaller.
    pub part_size: RangeInclusive<u64>,
    /// Parts that an upload may have.
    pub max_parts: u32,
    /// The largest object in bytes.
    pub max_object_size: u64,
    /// Whether a [`Precondition`] is heeded: where it is not, two writers of one name are not kept apart. `None` where
    /// nobody has tried.
    pub conditional_writes: Option<bool>,
}

/// What became of a copy that a store was to make by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// All of it is there.
    Whole,
    /// Some of it may be there; it is not what it should be.
    Spoilt,
    /// Nothing was done.
    Not,
}

/// A range of an object on its way.
pub struct ObjectBody {
    /// The object it belongs to, as the answer described it.
    pub meta: ObjectMeta,
    /// The range that is on its way, in bytes from the object's start; checked against the answer's Content-Range.
    pub range: Range<u64>,
    /// The bytes: exactly the length of `range`, or an error at the end.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

impl ObjectBody {
    /// All of it in memory; where it is the whole object and its checksum is known, verified.
    ///
    /// # Errors
    /// What the stream fails with; [`ErrorKind::Integrity`] when the checksum differs.
    pub async fn collect(self) -> Result<Bytes> {
        let ObjectBody { meta, range, bytes } = self;
        let mut whole = BytesMut::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0).min(64 << 20));
        futures::pin_mut!(bytes);
        while let Some(piece) = bytes.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        let whole = whole.freeze();
        match meta.checksum {
            Some(expected) if range == (0..meta.size) && Crc64::of(&whole) != expected => {
                Err(Error::new(ErrorKind::Integrity, "the bytes that arrived do not have the stored checksum")
                    .retryable(None))
            }
            _ => Ok(whole),
        }
    }
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody").field("meta", &self.meta).field("range", &self.range).finish_non_exhaustive()
    }
}

/// A place that holds objects under keys: a local directory or an S3 bucket.
///
/// Keys are relative paths with `/` (see [`crate::key`]). Every call checks its key and fails with
/// [`ErrorKind::Invalid`] before anything is sent. All calls but [`open`](Self::open) repeat what may be repeated,
/// within [`RuntimeConfig::retries`] and the shared budget.
#[async_trait]
pub trait StorageBackend: Send + Sync + fmt::Debug {
    /// How transfers on this store run.
    fn runtime(&self) -> &RuntimeConfig;

    /// What the store can do.
    fn capabilities(&self) -> Capabilities;

    /// The full name of a key, such as `s3://bucket/prefix/key` or `file:///store/key`; of the store itself for `""`.
    fn uri(&self, path: &str) -> String;

    /// The time by the clock that stamps its objects, as far as it is known: ages and expiries are measured by it, since
    /// this machine's own may be wrong. Of a server that has answered, its own; a second off at most, and the way.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// The endpoint or directory, for errors and people.
    fn endpoint(&self) -> String;

    /// The larger store that this one is a part of, and the key that its own root has there: the bucket where there is a
    /// prefix, the file system where it is a directory. `None` for a store that is whole.
    ///
    /// # Errors
    /// Those of the store.
    async fn above(&self) -> Result<Option<(Arc<dyn StorageBackend>, String)>> {
        Ok(None)
    }

    // --- Strata's five calls

    /// The whole object in memory, verified where the store holds its checksum.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is not there.
    async fn read(&self, path: &str) -> Result<Bytes> {
        retry::run(self.runtime(), "read", path, || async move { self.open(path, None, None).await?.collect().await })
            .await
    }

    /// Writes the object, replacing what was there atomically, and returns its size in bytes.
    /// More than one part of data is sent as a multipart upload; a failed one is aborted.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when `path` is inside another object's name or the other way round, on a local store.
    async fn write(&self, path: &str, data: Bytes) -> Result<u64> {
        multipart::write(self, path, data).await
    }

    /// Removes the object. One that is not there is no error.
    ///
    /// # Errors
    /// Those of the store.
    async fn delete(&self, path: &str) -> Result<()>;

    /// Removes many objects, as few requests as the store can. Those that are not there are no error; some may be gone
    /// and others not when it fails.
    ///
    /// # Errors
    /// Those of the store, for one of the objects that could not be removed.
    async fn delete_many(&self, paths: &[String]) -> Result<()> {
        for path in paths {
            if self.runtime().cancel.is_cancelled() {
                return Err(Error::cancelled().action("remove").on(path.as_str()));
            }
            self.delete(path).await?;
        }
        Ok(())
    }

    /// Whether the object is there.
    ///
    /// # Errors
    /// Those of the store; a missing permission is an error, never `false`.
    async fn exists(&self, path: &str) -> Result<bool> {
        match self.head(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every object whose key begins with `prefix` (any string, also empty), in ascending order of the keys' bytes. All
    /// of them in memory, about 300 bytes each; [`pages`](Self::pages) has them one page at a time.
    ///
    /// # Errors
    /// Those of the store, among them a listing that repeats itself.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        self.pages(prefix).try_concat().await
    }

    // --- Reading

    /// The bytes `range` of the object in memory.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the range does not lie inside the object.
    async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes> {
        let range = &range;
        retry::run(self.runtime(), "read", path, || async move {
            self.open(path, Some(range.clone()), None).await?.collect().await
        })
        .await
    }

    /// What the store knows of the object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it is not there.
    async fn head(&self, path: &str) -> Result<ObjectMeta>;

    /// Begins to read `range` of the object, or all of it. With `pin`, only if its ETag is still that one.
    /// Not repeated on failure: the caller knows from where to go on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Integrity`] when the object is no longer the pinned one;
    /// [`ErrorKind::Invalid`] when the range does not lie inside the object.
    async fn open(&self, path: &str, range: Option<Range<u64>>, pin: Option<&str>) -> Result<ObjectBody>;

    /// Puts `range` of the object at the same place of a local file, without its bytes moving through this process. With
    /// `pin`, only if its ETag is still that one, also afterwards. [`Copied::Not`] where that cannot be, which is usual.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    async fn copy_into(&self, path: &str, range: Range<u64>, pin: Option<&str>, to: &Arc<File>) -> Result<Copied> {
        let _ = (path, range, pin, to);
        Ok(Copied::Not)
    }

    /// The same objects as [`list`](Self::list) in the same order, in pages of at most about a thousand. A store on a
    /// network fetches the next page while the one before it is worked on.
    ///
    /// # Errors
    /// Those of the store, among them a listing that repeats itself; then the stream ends.
    fn pages<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Vec<ObjectMeta>>>;

    /// Sizes in bytes of the parts that the object described by `meta` was written in, which a composite checksum needs.
    /// With `exact` each part is asked for; otherwise only the first and the last where all others can be as large as the
    /// first, which is how uploads are cut, but is no proof. `None` where the store does not tell.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the object is no longer that one; else those of [`head`](Self::head).
    async fn part_sizes(&self, meta: &ObjectMeta, exact: bool) -> Result<Option<Vec<u64>>> {
        let _ = (meta, exact);
        Ok(None)
    }

    /// Partial files of objects whose keys begin with `prefix` that no process writes to at this moment. None on stores
    /// that keep uploads out of sight.
    ///
    /// # Errors
    /// Those of the store.
    async fn partial_files(&self, _prefix: &str) -> Result<Vec<PartialFile>> {
        Ok(Vec::new())
    }

    // --- Writing

    /// Writes an object of at most one part (5 GiB) in one request.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when the precondition does not hold; [`ErrorKind::Integrity`] when the source changed
    /// while it was read, or the store got other bytes.
    async fn put(&self, path: &str, body: &PartBody, options: &WriteOptions) -> Result<Stored>;

    /// The id that [`begin`](Self::begin) gives an upload with this token, where the store can tell before. Such an
    /// upload can be begun again and keeps its parts.
    fn upload_of(&self, _path: &str, _token: &str) -> Option<UploadId> {
        None
    }

    /// Stands for the settings that [`begin`](Self::begin) gives an object beyond its content; empty where there are none.
    /// What was begun under others is not gone on with.
    fn write_settings(&self, _path: &str) -> String {
        String::new()
    }

    /// Begins a multipart upload. Not ended by [`RuntimeConfig::cancel`], so that the caller learns its id.
    ///
    /// # Errors
    /// Those of the store.
    async fn begin(&self, path: &str, options: &WriteOptions) -> Result<UploadId>;

    /// Sends one part. The same part may be sent again; the last one counts.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] when the source changed while it was read, or the store got other bytes.
    async fn put_part(&self, path: &str, upload: &UploadId, part: Part, body: &PartBody) -> Result<PartReceipt>;

    /// Whether a part that an earlier process sent is still there as its receipt says. A store that confirms a part only
    /// when it lasts says yes without looking.
    ///
    /// # Errors
    /// Those of the store.
    async fn has_part(&self, _path: &str, _upload: &UploadId, _part: Part, _receipt: &PartReceipt) -> Result<bool> {
        Ok(true)
    }

    /// Makes the object out of its parts, in the order given. Success means that the store has it, whole.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when the precondition does not hold; [`ErrorKind::Integrity`] when the store's checksum of
    /// the whole is another.
    async fn complete(
        &self,
        path: &str,
        upload: &UploadId,
        receipts: &[PartReceipt],
        options: &WriteOptions,
    ) -> Result<Stored>;

    /// Gives an upload and its parts up. Works after [`RuntimeConfig::cancel`] fired; one that is not there is no error.
    ///
    /// # Errors
    /// Those of the store.
    async fn abort(&self, path: &str, upload: &UploadId) -> Result<()>;
}
