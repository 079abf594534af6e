//! Everything that transfers rest on, tried once: from the name of the host to what a server makes of a condition.
//!
//! | file | what it looks at |
//! |---|---|
//! | `reach`, `detour` | endpoint, region, DNS, connection, proxy, TLS |
//! | `introduce` | credentials, whether S3 answers, clock, identity, bucket |
//! | `rights` | the five permissions, and more than those |
//! | `uploads` | uploads in parts, ranges |
//! | `integrity` | checksums, conditions on writes |
//! | `extras` | copies by the server, removal of many, listings, versions, round trips |
//! | `scratch` | its own objects and uploads, and their removal |
//!
//! It works with exactly the five permissions. What could not be removed again is never put: whether objects may be removed
//! and uploads aborted is tried first, on names where nothing is.

mod detour;
mod extras;
mod integrity;
mod introduce;
mod reach;
mod rights;
mod scratch;
mod uploads;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusoto_core::signature::SignedRequest;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::config::S3Config;
use super::lifecycle;
use super::memory::{self, Facts};
use super::request::Outgoing;
use crate::body::blocking;
use crate::check::{Check, Origins, Sheet, Tell};
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Silent;
use crate::retry::RetryBudget;
use scratch::{Remains, Scratch, Why};

/// All checks, in their order.
const ORDER: [&str; 27] = [
    "endpoint",
    "region",
    "dns",
    "connection",
    "tls",
    "credentials",
    "service",
    "clock",
    "identity",
    "bucket",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
    "other rights",
    "multipart",
    "ranges",
    "checksums",
    "conditional writes",
    "server-side copy",
    "batch removal",
    "listing",
    "versions",
    "round trip",
    CLEAN_UP,
    KEPT,
];
const CLEAN_UP: &str = "clean-up";
const KEPT: &str = "kept";
/// A doctor's patience: enough for a server that asks to slow down.
const RETRIES: u32 = 2;
/// How often, and after how long each time, it is looked once more for what a server carried out after it was given up.
const AFTERTHOUGHTS: u32 = 8;
const BETWEEN_THOUGHTS: Duration = Duration::from_millis(250);
/// Bytes of a small object.
const SMALL: usize = 1000;

/// Where a bucket stands.
pub(super) struct Doctor<'a> {
    /// Nobody's token ends its calls, so that it can clean up.
    client: Arc<Client>,
    /// The caller's.
    cancel: CancellationToken,
    sheet: Sheet<'a>,
    scratch: Scratch,
    held: Held,
    /// What the small object has in it.
    object: Bytes,
    facts: Facts,
}

/// Which of the five permissions are there.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    list: bool,
    put: bool,
    get: bool,
    delete: bool,
    abort: bool,
    /// None of the five: old versions may be removed.
    delete_version: bool,
    /// They can be removed here: that is allowed, and nothing locks them.
    versions_go: bool,
}

/// See [`S3Storage::check`](super::S3Storage::check).
pub(super) async fn check(
    config: S3Config,
    runtime: &RuntimeConfig,
    origins: &Origins,
    tell: Tell<'_>,
) -> Result<Vec<Check>> {
    let region_is_given = config.region.is_some();
    let client = Arc::new(Client::new(config, fresh(runtime)).await?);
    client.learnt.versions.begin();
    let mut doctor = Doctor {
        scratch: Scratch::new(&client),
        client,
        cancel: runtime.cancel.clone(),
        sheet: Sheet::new(&ORDER, tell),
        held: Held::default(),
        object: fresh_bytes(SMALL),
        facts: Facts::default(),
    };
    if let Err(error) = doctor.examine(origins, region_is_given).await {
        let after = doctor.tidy_up_after().await;
        return Err(if error.kind() == ErrorKind::Cancelled { error.hint_is(after) } else { error });
    }
    doctor.tidy_up().await;
    doctor.keep(runtime).await;
    Ok(doctor.sheet.into_checks())
}

/// As the caller's, but nothing is remembered, told or ended by others.
fn fresh(runtime: &RuntimeConfig) -> RuntimeConfig {
    RuntimeConfig {
        retries: runtime.retries.min(RETRIES),
        retry_budget: RetryBudget::default(),
        state_dir: None,
        resume: false,
        cancel: CancellationToken::new(),
        observer: Arc::new(Silent),
        ..runtime.clone()
    }
}

impl Doctor<'_> {
    /// All but the end. What rests on a failure is skipped.
    ///
    /// # Errors
    /// Where the caller's token fires, and for a prefix that is too long for any key.
    async fn examine(&mut self, origins: &Origins, region_is_given: bool) -> Result<()> {
        if !self.reach(origins, region_is_given).await? {
            return self.skip_the_rest("there is no connection");
        }
        let Some(credentials) = self.credentials(origins).await? else {
            return self.skip_the_rest("there are no credentials");
        };
        if let Err(why) = self.introduce(&credentials).await? {
            return self.skip_the_rest(why);
        }
        for step in 0.. {
            if self.sheet.has_lost_contact() {
                return self.skip_the_rest("the server does not answer any more");
            }
            match step {
                0 => self.rights().await?,
                1 => self.other_rights().await?,
                2 => self.multipart_and_ranges().await?,
                3 => self.checksums().await?,
                4 => self.conditions().await?,
                5 => self.server_side_copy().await?,
                6 => self.removal_and_listing().await?,
                7 => self.versions().await?,
                8 => self.round_trip().await?,
                _ => break,
            }
        }
        Ok(())
    }

    fn skip_the_rest(&mut self, why: &str) -> Result<()> {
        self.sheet.skip_until(CLEAN_UP, why);
        Ok(())
    }

    /// Awaits `work` unless the caller's token fires, which drops it.
    async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            done = work => Ok(done),
        }
    }

    /// What is missing for a check that needs these permissions.
    fn lacking(&self, needs: &[(bool, &str)]) -> Option<String> {
        let missing: Vec<&str> = needs.iter().filter(|(held, _)| !held).map(|(_, name)| *name).collect();
        (!missing.is_empty()).then(|| format!("it needs {}", missing.join(" and ")))
    }

    // --- the end

    async fn clear(&mut self) -> Result<()> {
        self.scratch.clear(self.held.list, self.held.delete_version).await
    }

    async fn tidy_up(&mut self) {
        if !self.scratch.is_used() {
            return self.sheet.good(CLEAN_UP, "nothing was put");
        }
        match (self.clear().await, self.scratch.remains()) {
            (Ok(()), None) => self.sheet.good(CLEAN_UP, "nothing is left of what was tried"),
            (Ok(()), Some(Remains { what, why })) => {
                let hint = match why {
                    Why::Right => format!(
                        "to remove them takes s3:DeleteObjectVersion, which transfers do not need; {}, of locked ones when \
                         their retention has ended",
                        self.by_rule().await
                    ),
                    Why::Locked => format!(
                        "the bucket locks them: they stay until their retention ends; after that {}",
                        self.by_rule().await
                    ),
                    Why::Other(why) => format!("they could not be removed: {why}; {}", self.by_rule().await),
                };
                self.sheet.note(CLEAN_UP, what, hint);
            }
            (Err(error), _) => self.sheet.bad(CLEAN_UP, &error.hint_is(self.scratch.what_may_be_left())),
        }
    }

    /// What removes old versions where the identity may not.
    async fn by_rule(&self) -> String {
        let command = lifecycle::to_delete_old_versions(&self.client).await;
        format!("a lifecycle rule for noncurrent versions does it ({command})")
    }

    /// The same after an interruption; what to tell then.
    async fn tidy_up_after(&mut self) -> String {
        if !self.scratch.is_used() {
            return "nothing was put into the store".to_owned();
        }
        let mut cleared = self.clear().await;
        for _ in 0..AFTERTHOUGHTS {
            if cleared.is_err() {
                break;
            }
            // A server may still carry out what it was asked for before it was given up.
            tokio::time::sleep(BETWEEN_THOUGHTS).await;
            cleared = self.clear().await;
        }
        match (cleared, self.scratch.remains()) {
            (Ok(()), None) => "what it tried with was removed from the store".to_owned(),
            (Ok(()), Some(Remains { what, .. })) => {
                format!("what it tried with was removed from the store, which keeps versions: {what}")
            }
            (Err(_), _) => self.scratch.what_may_be_left(),
        }
    }

    /// Keeps what was learnt for the commands that follow, where the bucket was reached at all.
    async fn keep(&mut self, runtime: &RuntimeConfig) {
        if self.facts == Facts::default() {
            return self.sheet.skip(KEPT, "nothing was learnt");
        }
        let Some(state_dir) = runtime.state_dir.clone() else {
            let hint = "put and get ask the server anew each time; set HOME or XDG_STATE_HOME";
            return self.sheet.note(KEPT, "there is no place for what was learnt", hint);
        };
        let (subject, facts) = (self.client.subject(), self.facts.clone());
        let kept = blocking(move || {
            let failed = |error| Error::local("keep what was learnt", error).kind_is(ErrorKind::LocalIo);
            memory::keep(&state_dir, &subject, &facts).map_err(failed)
        });
        match kept.await {
            Ok(path) => self.sheet.good(KEPT, format!("for a week, in {}", path.display())),
            Err(error) => {
                let hint = "put and get ask the server anew each time; check the state directory (XDG_STATE_HOME)";
                self.sheet.note(KEPT, format!("what was learnt cannot be kept: {}", error.message()), hint);
            }
        }
    }
}

/// A request about the bucket itself.
fn about_bucket(client: &Client, method: &str, subresource: Option<&str>) -> Result<Outgoing> {
    let path = format!("/{}", client.bucket);
    let mut request = SignedRequest::new(method, "s3", &client.site().rusoto_region(), &path);
    if let Some(subresource) = subresource {
        request.add_param(subresource, "");
    }
    Outgoing::new(request, &client.bucket, None)
}

/// Bytes that no other call of this gave.
fn fresh_bytes(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    fastrand::fill(&mut bytes);
    bytes.into()
}
