//! One bucket as it is reached.

use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};

use rusoto_core::signature::SignedRequest;

use super::account::Account;
use super::amazon::Variant;
use super::config::{self, S3Config};
use super::credentials::Identity;
use super::endpoint::{DEFAULT_REGION, Site};
use super::learn::Learnt;
use super::memory::{self, Facts, Subject};
use super::nearness::is_near;
use super::profile_settings::{self, ProfileSettings};
use super::providers::Sources;
use super::proxy::Detour;
use super::roots::Roots;
use super::transport::Transport;
use super::writing::WriteSettings;
use crate::body::blocking;
use crate::config::RuntimeConfig;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::{key, retry};

/// A bucket below a prefix.
pub(super) struct Client {
    pub(super) prefix: String,
    reached: Arc<Reached>,
}

/// A bucket, its connections, and what was learnt about it.
pub(super) struct Reached {
    pub(super) bucket: String,
    pub(super) runtime: RuntimeConfig,
    pub(super) site: RwLock<Arc<Site>>,
    /// Where the settings say that the bucket is.
    pub(super) home: Arc<Site>,
    /// What an earlier command found out.
    pub(super) facts: Facts,
    pub(super) identity: Identity,
    pub(super) transport: Transport,
    pub(super) learnt: Learnt,
    pub(super) account: Account,
    pub(super) writes: WriteSettings,
}

impl Deref for Client {
    type Target = Reached;

    fn deref(&self) -> &Reached {
        &self.reached
    }
}

impl Client {
    pub(super) async fn new(settings: S3Config, runtime: RuntimeConfig) -> Result<Self> {
        config::check_bucket(&settings.bucket)?;
        settings.writes.check()?;
        let account = Account::new(&settings)?;
        let prefix = config::clean_prefix(&settings.prefix)?;
        // An endpoint that is given makes all but the region there useless.
        let profile = match (&settings.region, &settings.endpoint) {
            (Some(_), Some(_)) => ProfileSettings::default(),
            _ => profile_settings::settings(settings.profile.as_deref()).await?,
        };
        let region = settings.region.or(profile.region).unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let configured = profile.endpoint.filter(|_| !settings.ignore_configured_endpoint);
        let endpoint = settings.endpoint.or(configured);
        let variant = Variant {
            dual_stack: settings.dual_stack.or(profile.dual_stack).unwrap_or_default(),
            fips: settings.fips.or(profile.fips).unwrap_or_default(),
        };
        let site = Site::resolve(endpoint.as_deref(), &region, settings.addressing, &settings.bucket)?;
        let site = site.with_variant(variant);
        let home = Arc::new(site);
        let (facts, site) = remembered(&runtime, &home, &settings.bucket).await?;
        let (host, port) = home.host_and_port(&settings.bucket);
        if !home.is_secure() && !is_near(&host) {
            let message = format!(
                "the endpoint {home} is not encrypted: no secret key is sent, but data and a session token can be read, and data \
                 changed, on the way; use https:// if the server has it"
            );
            runtime.observer.event(&Event::Warning { message: &message });
        }
        let detour = Detour::to(&settings.proxies, home.is_secure(), &host, port)?;
        let roots = Roots { file: settings.cert_file, directories: settings.cert_dirs, bundle: settings.ca_bundle };
        let sources = Sources {
            profile: settings.profile,
            profile_of_environment: settings.profile_of_environment,
            region,
            roots: roots.clone(),
        };
        let transport = Transport::new(home.is_secure(), roots, detour, runtime.connect_timeout).await?;
        let reached = Reached {
            bucket: settings.bucket,
            runtime,
            learnt: Learnt::after(&facts, !Arc::ptr_eq(&site, &home)),
            site: RwLock::new(site),
            home,
            facts,
            identity: Identity::new(settings.credentials, sources),
            transport,
            account,
            writes: settings.writes,
        };
        Ok(Client { prefix, reached: Arc::new(reached) })
    }

    /// The same bucket without the prefix, by the same connections.
    pub(super) fn whole(&self) -> Self {
        Client { prefix: String::new(), reached: self.reached.clone() }
    }

    /// What all keys of this store begin with: the prefix and its slash, without which `runs/a` would be `runs/ab` as well.
    pub(super) fn scope(&self) -> String {
        if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) }
    }

    /// By what the facts about the bucket are found again.
    pub(super) fn subject(&self) -> Subject {
        subject(&self.home, &self.bucket)
    }

    pub(super) fn site(&self) -> Arc<Site> {
        self.site.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key as the server knows it.
    pub(super) fn full_key(&self, path: &str) -> Result<String> {
        key::check_shape(path)?;
        if self.prefix.is_empty() {
            return Ok(path.to_owned());
        }
        let full = format!("{}/{path}", self.prefix);
        if full.len() > key::MAX_KEY_BYTES {
            return Err(Error::invalid(format!(
                "the key is {} bytes long with its prefix; S3 allows {}",
                full.len(),
                key::MAX_KEY_BYTES
            ))
            .hint_is("use a shorter key or a shorter CHECKPOINT_PREFIX"));
        }
        Ok(full)
    }

    /// A request for one object, to be completed by the caller.
    pub(super) fn object_request(&self, method: &str, full_key: &str) -> SignedRequest {
        SignedRequest::new(method, "s3", &self.site().rusoto_region(), &format!("/{}/{full_key}", self.bucket))
    }

    /// Repeats `one_try` as far as it may be repeated. The error names `subject` and the endpoint.
    pub(super) async fn call<T, F, Fut>(&self, action: &str, subject: &str, one_try: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.call_under(&self.runtime, action, subject, one_try).await
    }

    /// [`call`](Self::call) under another configuration.
    pub(super) async fn call_under<T, F, Fut>(
        &self,
        runtime: &RuntimeConfig,
        action: &str,
        subject: &str,
        mut one_try: F,
    ) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let here = |error: Error| error.at(self.site().to_string());
        let one_try = || {
            let outcome = one_try();
            async move { outcome.await.map_err(here) }
        };
        retry::run(runtime, action, subject, one_try).await.map_err(here)
    }
}

/// What an earlier command found out about the bucket, and where it is after that.
async fn remembered(runtime: &RuntimeConfig, home: &Arc<Site>, bucket: &str) -> Result<(Facts, Arc<Site>)> {
    let Some(state_dir) = runtime.state_dir.clone() else { return Ok((Facts::default(), home.clone())) };
    let subject = subject(home, bucket);
    let facts = blocking(move || Ok(memory::recall(Some(&state_dir), &subject))).await?;
    let elsewhere = facts.region.as_deref().filter(|region| *region != home.region);
    let site = elsewhere.and_then(|region| home.moved_to(region).ok()).map_or_else(|| home.clone(), Arc::new);
    Ok((facts, site))
}

fn subject(home: &Site, bucket: &str) -> Subject {
    Subject { endpoint: home.to_string(), bucket: bucket.to_owned(), asked_region: home.region.clone() }
}
