//! [`S3Storage`]: a bucket on Amazon S3, MinIO or anything else that speaks S3.
//!
//! The project's user chose rusoto, which nobody maintains any more. It gives the shapes of requests and parsed
//! responses; everything that it does badly is replaced here, through its own extension point, and it is named nowhere
//! else:
//!
//! | file | instead of rusoto's |
//! |---|---|
//! | `endpoint`, `amazon`, `profile_settings` | parsing of endpoints and regions; Amazon's hosts; what the AWS config files say |
//! | `credentials`, `providers`, `config_files`, `profile`, `role`, `sign` | credential chain and signer |
//! | `container`, `instance`, `process`, `given` | what gives credentials on this machine |
//! | `envoy`, `refusal`, `unidentified`, `redact` | how services for credentials are asked, and what they refuse, in words |
//! | `transport`, `wire`, `payload`, `network`, `distrust` | HTTP client: timeouts, streamed bodies, errors in words |
//! | `roots`, `pinned`, `validity`, `proxy`, `tunnel`, `nearness` | (it has none) who is trusted, ways through proxies, hosts that are near |
//! | `request`, `answer`, `xml` | encoding of keys, checks of answers |
//! | `client`, `send`, `learn`, `failure` | (it has none) retries, regions, clocks, what refusals mean |
//! | `sums` | (it has none) checks of what is sent, whatever the server knows of checksums |
//! | `memory` | (it has none) what was found out about a bucket, for the commands that follow |
//! | `dispatch` | the way from its client to ours, for control calls |
//! | `writing`, `encryption`, `class`, `account` | what goes with objects, and with every request |
//! | `put`, `upload`, `complete`, `settle`, `head`, `parts`, `get`, `list`, `delete` | one operation each |
//! | `aside`, `bucket`, `versioning`, `lifecycle`, `policy`, `setup` | what concerns the bucket itself |
//! | `check` | everything that transfers rest on, tried once |
//!
//! This library installs no logger. rusoto would log authorization headers at debug level in its own signer and
//! transport; neither is ever called, so they stay out of any logger that an application installs.

mod account;
mod amazon;
mod answer;
mod aside;
mod bucket;
mod check;
mod class;
mod client;
mod codes;
mod complete;
mod config;
mod config_files;
mod container;
mod credentials;
mod delete;
mod dispatch;
mod distrust;
mod encryption;
mod endpoint;
mod envoy;
mod failure;
mod get;
mod given;
mod head;
mod instance;
mod learn;
mod lifecycle;
mod list;
mod memory;
mod nearness;
mod network;
mod noted;
mod parts;
mod payload;
mod pinned;
mod policy;
mod process;
mod profile;
mod profile_settings;
mod providers;
mod proxy;
mod put;
mod redact;
mod refusal;
mod request;
mod role;
mod roots;
mod send;
mod settle;
pub mod setup;
mod sign;
mod sums;
mod transport;
mod tunnel;
mod unidentified;
mod upload;
mod validity;
mod versioning;
mod wire;
mod writing;
mod xml;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;

pub use self::class::StorageClass;
pub use self::config::S3Config;
pub use self::credentials::StaticCredentials;
pub use self::encryption::Encryption;
pub use self::endpoint::Addressing;
pub use self::proxy::Proxies;
pub use self::writing::WriteSettings;

use self::client::Client;
use crate::backend::{
    Capabilities, ObjectBody, ObjectMeta, Part, PartReceipt, StorageBackend, Stored, UploadId, WriteOptions,
};
use crate::body::PartBody;
use crate::check::{Check, Origins, Tell};
use crate::config::{Environment, MIB, RuntimeConfig};
use crate::error::Result;

/// A bucket. Cheap to clone; clones share connections and credentials.
#[derive(Clone)]
pub struct S3Storage {
    client: Arc<Client>,
}

impl S3Storage {
    /// The bucket as the environment says, `.env` in the working directory included: see
    /// [`S3Config::from_environment`] and [`RuntimeConfig::from_environment`]. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an unusable name or setting;
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) when only one of key id and secret is set.
    pub async fn new(bucket: &str) -> Result<Self> {
        let environment = Environment::load()?;
        let config = S3Config::from_environment(bucket, &environment)?;
        S3Storage::with_config(config, RuntimeConfig::from_environment(&environment)?).await
    }

    /// The bucket as `config` says. Nothing is sent yet; credentials that must be looked up are so at the first request.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an unusable bucket, prefix, endpoint, region or bundle of
    /// certificates.
    pub async fn with_config(config: S3Config, runtime: RuntimeConfig) -> Result<Self> {
        Ok(S3Storage { client: Arc::new(Client::new(config, runtime).await?) })
    }

    /// Tries everything that transfers with a bucket rest on, and tells of each check as it is done: the way to the server,
    /// credentials and clock, the five permissions, uploads in parts, ranges, checksums, conditional writes, listings. About
    /// 5 MiB go up, under a name that begins with [`PREFIX`](crate::check::PREFIX) below the configured prefix, and are
    /// removed again. What was learnt is kept below [`RuntimeConfig::state_dir`] and used by the transfers of the next
    /// week.
    ///
    /// Fire [`RuntimeConfig::cancel`] to end it early; what it put is removed all the same before this returns. A future
    /// that is dropped instead leaves that in the bucket.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for settings by which no bucket can be reached at all, as
    /// [`with_config`](Self::with_config); [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled). What is wrong with the
    /// store is no error but a [`Bad`](crate::check::Outcome::Bad) check.
    pub async fn check(
        config: S3Config,
        runtime: &RuntimeConfig,
        origins: &Origins,
        tell: Tell<'_>,
    ) -> Result<Vec<Check>> {
        check::check(config, runtime, origins, tell).await
    }
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Storage").field("uri", &self.uri("")).field("endpoint", &self.endpoint()).finish()
    }
}

#[async_trait]
impl StorageBackend for S3Storage {
    fn runtime(&self) -> &RuntimeConfig {
        &self.client.runtime
    }

    /// S3's limits: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            part_size: 5 * MIB..=5 << 30,
            max_parts: 10_000,
            max_object_size: 5 << 40,
            conditional_writes: self.client.facts.conditional_writes,
        }
    }

    fn uri(&self, path: &str) -> String {
        let (bucket, prefix) = (&self.client.bucket, &self.client.prefix);
        let parts = [bucket.as_str(), prefix, path];
        format!("s3://{}", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }

    fn now(&self) -> SystemTime {
        self.client.learnt.time_there()
    }

    fn endpoint(&self) -> String {
        self.client.site().to_string()
    }

    async fn above(&self) -> Result<Option<(Arc<dyn StorageBackend>, String)>> {
        if self.client.prefix.is_empty() {
            return Ok(None);
        }
        let whole: Arc<dyn StorageBackend> = Arc::new(S3Storage { client: Arc::new(self.client.whole()) });
        Ok(Some((whole, self.client.prefix.clone())))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        delete::delete(&self.client, path).await
    }

    async fn delete_many(&self, paths: &[String]) -> Result<()> {
        delete::delete_many(&self.client, paths).await
    }

    async fn head(&self, path: &str) -> Result<ObjectMeta> {
        head::head(&self.client, path, self.client.runtime.clone()).await
    }

    async fn open(&self, path: &str, range: Option<Range<u64>>, pin: Option<&str>) -> Result<ObjectBody> {
        get::open(&self.client, path, range, pin).await
    }

    fn pages<'a>(&'a self, prefix: &'a str) -> BoxStream<'a, Result<Vec<ObjectMeta>>> {
        list::pages(&self.client, prefix, self.uri(prefix)).boxed()
    }

    async fn part_sizes(&self, meta: &ObjectMeta, exact: bool) -> Result<Option<Vec<u64>>> {
        parts::sizes(&self.client, meta, exact).await
    }

    async fn put(&self, path: &str, body: &PartBody, options: &WriteOptions) -> Result<Stored> {
        put::put(&self.client, path, body, options).await
    }

    fn write_settings(&self, path: &str) -> String {
        self.client.writes.fingerprint(path)
    }

    async fn begin(&self, path: &str, options: &WriteOptions) -> Result<UploadId> {
        upload::begin(&self.client, path, options).await
    }

    async fn put_part(&self, path: &str, upload: &UploadId, part: Part, body: &PartBody) -> Result<PartReceipt> {
        upload::put_part(&self.client, path, upload, part, body).await
    }

    async fn complete(
        &self,
        path: &str,
        upload: &UploadId,
        receipts: &[PartReceipt],
        options: &WriteOptions,
    ) -> Result<Stored> {
        complete::complete(&self.client, path, upload, receipts, options).await
    }

    async fn abort(&self, path: &str, upload: &UploadId) -> Result<()> {
        upload::abort(&self.client, path, upload).await
    }
}
