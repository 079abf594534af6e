//! The stores under test, each empty and of its own, and what the behaviours share.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use storage::backend::{Part, WriteOptions};
use storage::body::PartBody;
use storage::{LocalStorage, PartSize, RuntimeConfig, StorageBackend};

/// An empty store, and what must live as long as it.
pub(crate) struct Bed {
    pub(crate) store: Arc<dyn StorageBackend>,
    _keep: Box<dyn Any + Send>,
}

/// Parts of 64 KiB. Beside the test programs, since the system's directory for temporary files may keep no attributes.
pub(crate) async fn local() -> Bed {
    let directory = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let runtime = RuntimeConfig { part_size: PartSize::Fixed(64 << 10), ..RuntimeConfig::default() };
    let store = Arc::new(LocalStorage::with_config(directory.path().join("store"), runtime));
    Bed { store, _keep: Box::new(directory) }
}

/// The part size that the store is configured with, in bytes.
pub(crate) fn part_size(store: &dyn StorageBackend) -> usize {
    match store.runtime().part_size {
        PartSize::Fixed(bytes) => usize::try_from(bytes).unwrap(),
        PartSize::Auto => panic!("a store under test has a fixed part size"),
    }
}

/// `len` bytes that differ from place to place and from seed to seed.
pub(crate) fn content(len: usize, seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes.into()
}

/// Writes `data` in one request.
pub(crate) async fn put(store: &dyn StorageBackend, key: &str, data: Bytes) {
    store.put(key, &PartBody::from_bytes(data), &WriteOptions::replace()).await.unwrap();
}

/// `data` cut into parts.
pub(crate) fn parts(data: &Bytes, size: usize) -> Vec<(Part, PartBody)> {
    let cut = |(number, offset): (u32, usize)| {
        let body = PartBody::from_bytes(data.slice(offset..data.len().min(offset + size)));
        (Part { number, offset: offset as u64 }, body)
    };
    (1u32..).zip((0..data.len()).step_by(size)).map(cut).collect()
}

/// The keys of a listing.
pub(crate) async fn keys(store: &dyn StorageBackend, prefix: &str) -> Vec<String> {
    store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}
