//! Moves training checkpoints between a machine and a store, fast and without ever losing or faking one.
//!
//! | layer | knows |
//! |---|---|
//! | `bench` (feature `bench`) | how fast a store is, and what to set |
//! | [`checkpoint`] | what a checkpoint is: files, and a manifest that is written last |
//! | [`transfer`] | how files and streams move: parts and ranges, many at once, verified |
//! | [`backend`] | what a store is: [`StorageBackend`] |
//! | [`LocalStorage`], `S3Storage` | a directory; a bucket of Amazon S3 or of anything that speaks it |
//!
//! ```no_run
//! # async fn example() -> storage::Result<()> {
//! use std::{path::Path, sync::Arc};
//! use storage::checkpoint::{self, PutCheckpoint};
//! use storage::{LocalStorage, Transfer};
//!
//! let transfer = Transfer::new(Arc::new(LocalStorage::new("./checkpoints")));
//! checkpoint::put(&transfer, Path::new("epoch_10"), "epoch_10", &PutCheckpoint::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The library never prints and installs no logger: it returns [`Error`]s and tells an [`event::Observer`] of what
//! happens. All calls run on a tokio runtime and may be spawned. To stop them, fire [`RuntimeConfig::cancel`] and await
//! them: they give up what they began in the store, or leave it to the next one where [`RuntimeConfig::state_dir`] is set.
//! A future that is dropped instead may leave a multipart upload behind that nobody knows; what it wrote to the disk it
//! removes, or keeps for the next one.

pub mod backend;
#[cfg(feature = "bench")]
pub mod bench;
pub mod body;
pub mod check;
pub mod checkpoint;
pub mod checksum;
pub mod config;
mod descriptors;
mod destination;
mod disk;
pub mod error;
pub mod event;
mod flow;
#[doc(hidden)]
pub mod hot;
mod journal;
pub mod key;
mod lane;
mod local;
mod multipart;
mod pieces;
pub mod plan;
pub mod retry;
#[cfg(feature = "s3")]
pub mod s3;
mod straggler;
pub mod throttle;
pub mod transfer;

pub use backend::{ObjectMeta, StorageBackend};
pub use checkpoint::Manifest;
pub use config::{Concurrency, Environment, PartSize, RuntimeConfig};
pub use error::{Error, ErrorKind, Result};
pub use local::LocalStorage;
#[cfg(feature = "s3")]
pub use s3::{Addressing, Encryption, Proxies, S3Config, S3Storage, StaticCredentials, StorageClass, WriteSettings};
pub use transfer::{GetOptions, Got, Overwrite, Put, Transfer};
