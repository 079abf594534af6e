//! What every command works with: settings, output, and the stores that locations are in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Instant;

#[cfg(feature = "s3")]
use storage::check::Origins;
use storage::check::{Check, Tell};
use storage::checkpoint::Filter;
#[cfg(feature = "s3")]
use storage::{Encryption, S3Config, S3Storage, WriteSettings};
use storage::{Environment, Error, LocalStorage, Result, RuntimeConfig, StorageBackend, Transfer, key};

use super::achieved::Achieved;
use super::args::{Backend, Common, WritingArgs, of_s3};
use super::location::{Location, Place};
use super::output::Output;
use super::parse::Typed;
use super::progress::Progress;

/// The local store where nothing names another.
const DEFAULT_DIRECTORY: &str = "./checkpoints";
/// What names an endpoint, the strongest first.
#[cfg(feature = "s3")]
const ENDPOINTS: [&str; 3] = ["S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) common: Common,
    pub(crate) environment: Environment,
    pub(crate) typed: Typed,
    pub(crate) output: Arc<Output>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) runtime: RuntimeConfig,
    pub(crate) started: Instant,
    pub(crate) achieved: Achieved,
    /// What is risky about the settings of a bucket was said.
    pub(crate) cautioned: Once,
}

impl Context {
    /// Opens the store that a location is in.
    pub(crate) async fn open(&self, location: &Location) -> Result<Transfer> {
        Ok(Transfer::new(self.open_with(location, self.runtime.clone()).await?))
    }

    /// The same, for objects that are written in this way.
    pub(crate) async fn open_to_write(&self, location: &Location, writing: &WritingArgs) -> Result<Transfer> {
        Ok(Transfer::new(self.open_as(location, self.runtime.clone(), Some(writing)).await?))
    }

    /// The same, for transfers that run otherwise.
    pub(crate) async fn open_with(
        &self,
        location: &Location,
        runtime: RuntimeConfig,
    ) -> Result<Arc<dyn StorageBackend>> {
        self.open_as(location, runtime, None).await
    }

    async fn open_as(
        &self,
        location: &Location,
        runtime: RuntimeConfig,
        writing: Option<&WritingArgs>,
    ) -> Result<Arc<dyn StorageBackend>> {
        if let Some(directory) = self.local_directory(location)? {
            if let Some(flag) = self.typed.account {
                return Err(of_s3(flag));
            }
            writing.map_or(Ok(()), WritingArgs::refuse_local)?;
            return Ok(Arc::new(LocalStorage::with_config(directory, runtime)));
        }
        match (&location.place, &self.common.bucket) {
            (Place::S3 { bucket }, _) => self.s3(bucket, "", runtime, writing).await,
            (_, Some(bucket)) => self.s3(bucket, self.prefix()?, runtime, writing).await,
            (_, None) => Err(no_bucket()),
        }
    }

    /// The directory that a location's store is in, if it is a local one.
    pub(crate) fn local_directory(&self, location: &Location) -> Result<Option<PathBuf>> {
        Ok(match (&location.place, self.common.backend) {
            (Place::Directory(directory), _) => Some(directory.clone()),
            (Place::Here, Backend::Local) => Some(self.directory().join(self.prefix()?)),
            _ => None,
        })
    }

    fn directory(&self) -> PathBuf {
        self.environment.get("CHECKPOINT_DIR").unwrap_or_else(|| DEFAULT_DIRECTORY.to_owned()).into()
    }

    /// `CHECKPOINT_PREFIX` without the `/` around it.
    fn prefix(&self) -> Result<&str> {
        let prefix = self.common.prefix.as_deref().unwrap_or_default().trim_matches('/');
        if !prefix.is_empty() {
            key::check(prefix).map_err(|error| {
                Error::invalid(format!("the prefix is no usable one: {error}"))
                    .hint_is("--prefix and CHECKPOINT_PREFIX are relative paths such as team/run_7")
            })?;
        }
        Ok(prefix)
    }

    #[cfg(feature = "s3")]
    async fn s3(
        &self,
        bucket: &str,
        prefix: &str,
        runtime: RuntimeConfig,
        writing: Option<&WritingArgs>,
    ) -> Result<Arc<dyn StorageBackend>> {
        let mut config = self.s3_config(bucket, prefix)?;
        if let Some(writing) = writing {
            config.writes = write_settings(writing)?;
        }
        Ok(Arc::new(self.bucket_storage(config, runtime).await?))
    }

    /// How a bucket is reached.
    #[cfg(feature = "s3")]
    fn s3_config(&self, bucket: &str, prefix: &str) -> Result<S3Config> {
        use super::args::AddressingStyle;
        use storage::Addressing;
        let mut config = S3Config::from_environment(bucket, &self.environment)?;
        let Common { region, endpoint_url, profile, request_payer, expected_bucket_owner, .. } = self.common.clone();
        config.requester_pays = request_payer.is_some();
        config.expected_bucket_owner = expected_bucket_owner;
        config.prefix = prefix.to_owned();
        config.region = region.or(config.region);
        config.endpoint = endpoint_url.or(config.endpoint);
        if self.typed.profile {
            // A profile that was typed is meant, even where keys are in the environment.
            config.profile = profile;
            config.profile_of_environment = false;
        }
        self.caution(&config);
        config.addressing = match self.common.addressing_style {
            AddressingStyle::Auto => Addressing::Auto,
            AddressingStyle::Path => Addressing::Path,
            AddressingStyle::Virtual => Addressing::Virtual,
        };
        Ok(config)
    }

    /// Says, once, what is risky about how the bucket is reached.
    #[cfg(feature = "s3")]
    fn caution(&self, config: &S3Config) {
        let by_name = config.profile.is_some();
        let endpoint = match self.typed.endpoint_url {
            true => None,
            false => self.environment.foreign_endpoint(self.endpoints(), by_name),
        };
        let unused = match by_name || config.credentials.is_none() {
            true => self.environment.unused_of_aws(),
            false => None,
        };
        let way = self.environment.foreign_way(by_name);
        let all = [endpoint, way, unused];
        self.cautioned.call_once(|| all.iter().flatten().for_each(|message| self.output.warning(message)));
    }

    /// The variables that name an endpoint here, the strongest first.
    #[cfg(feature = "s3")]
    fn endpoints(&self) -> &'static [&'static str] {
        let ignores = self.environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        let ignores = ignores.is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if ignores { &ENDPOINTS[..1] } else { &ENDPOINTS }
    }

    /// How the bucket is reached that flags and environment name.
    #[cfg(feature = "s3")]
    pub(crate) fn bucket_config(&self) -> Result<S3Config> {
        match &self.common.bucket {
            Some(bucket) => self.s3_config(bucket, self.prefix()?),
            None => Err(no_bucket()),
        }
    }

    /// The bucket itself, with all that only a bucket can do.
    #[cfg(feature = "s3")]
    pub(crate) async fn bucket_storage(&self, config: S3Config, runtime: RuntimeConfig) -> Result<S3Storage> {
        S3Storage::with_config(config, runtime).await
    }

    /// Checks the bucket that the settings name; with its full name.
    #[cfg(feature = "s3")]
    pub(crate) async fn check_s3(&self, tell: Tell<'_>) -> Result<(Vec<Check>, String)> {
        let prefix = self.prefix()?;
        let bucket = self.common.bucket.as_deref().ok_or_else(no_bucket)?;
        let config = self.s3_config(bucket, prefix)?;
        let checks = S3Storage::check(config, &self.runtime, &self.origins(), tell).await?;
        let slash = if prefix.is_empty() { "" } else { "/" };
        Ok((checks, format!("s3://{bucket}{slash}{prefix}")))
    }

    /// Where the settings of a bucket came from, in words.
    #[cfg(feature = "s3")]
    fn origins(&self) -> Origins {
        let of = |typed: bool, flag: &str, names: &[&str]| match typed {
            true => Some(flag.to_owned()),
            false => self.environment.first_of(names).map(|(name, _)| match self.environment.is_of_process(name) {
                true => format!("{name} in the environment"),
                false => format!("{name} in .env"),
            }),
        };
        let credentials = match self.environment.is_of_process("AWS_ACCESS_KEY_ID") {
            true => "the environment",
            false => "the file .env",
        };
        Origins {
            endpoint: of(self.typed.endpoint_url, "--endpoint-url", self.endpoints()),
            region: of(self.typed.region, "--region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
            credentials: Some(credentials.to_owned()),
        }
    }

    #[cfg(not(feature = "s3"))]
    pub(crate) async fn check_s3(&self, _: Tell<'_>) -> Result<(Vec<Check>, String)> {
        Err(without_s3())
    }

    #[cfg(not(feature = "s3"))]
    async fn s3(&self, _: &str, _: &str, _: RuntimeConfig, _: Option<&WritingArgs>) -> Result<Arc<dyn StorageBackend>> {
        Err(without_s3())
    }
}

/// What the flags and variables of `put` say, which is all there is to say.
#[cfg(feature = "s3")]
fn write_settings(writing: &WritingArgs) -> Result<WriteSettings> {
    let WritingArgs { sse, sse_kms_key_id, storage_class, metadata } = writing;
    Ok(WriteSettings {
        encryption: Encryption::new(sse.map(|sse| sse.name()), sse_kms_key_id.as_deref())?,
        storage_class: storage_class.as_deref().map(str::parse).transpose()?,
        metadata: WriteSettings::metadata_of(metadata.iter().cloned())?,
    })
}

#[cfg(not(feature = "s3"))]
fn without_s3() -> Error {
    Error::invalid("this strata-ckpt was built without S3")
        .hint_is("build it with the feature s3, which is on by default")
}

fn no_bucket() -> Error {
    Error::invalid("the backend is s3, but no bucket is named")
        .hint_is("set CHECKPOINT_BUCKET, or use --bucket NAME or a full s3://bucket/key")
}

/// `--include` and `--exclude`.
pub(crate) fn filter(include: &[String], exclude: &[String]) -> Result<Filter> {
    Filter::new(include, exclude)
        .map_err(|error| error.hint_is("write globs such as '*.safetensors' or 'optimizer/**'"))
}

/// The path as the file system knows it, also where its end does not exist yet.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for existing in absolute.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            return match absolute.strip_prefix(existing) {
                Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                _ => real,
            };
        }
    }
    absolute
}
