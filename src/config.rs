//! Settings: how transfers run, and every environment variable's name, default and parsing.

mod environment;
mod job;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use self::environment::Environment;
#[cfg(feature = "s3")]
pub(crate) use self::environment::PROFILE;
pub use self::job::processes_of_job;

use crate::descriptors;
use crate::error::{Error, Result};
use crate::event::{Observer, Silent};
use crate::retry::RetryBudget;
use crate::throttle::Throttle;

/// One mebibyte in bytes.
pub const MIB: u64 = 1 << 20;
/// The default part size in bytes: 8 MiB.
pub const DEFAULT_PART_SIZE: u64 = 8 * MIB;
/// The most requests in flight that [`Concurrency::Auto`] comes to.
pub const MOST_AUTO_CONCURRENCY: usize = 256;
/// How long a put of a directory may show no sign of life: it shows one three times in this time.
pub const DEFAULT_CLAIM_EXPIRY: Duration = Duration::from_secs(300);
/// How long transfers that were cancelled may clean up where somebody waits for their end: under two seconds in all.
const DEFAULT_CANCEL_GRACE: Duration = Duration::from_millis(1_500);
/// The same for what must leave nothing in the store: a measurement, a check.
#[cfg(any(feature = "s3", feature = "bench"))]
pub(crate) const PATIENT_CANCEL_GRACE: Duration = Duration::from_secs(20);

/// How large the parts of a multipart transfer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartSize {
    /// [`DEFAULT_PART_SIZE`], or more where an object would need more than 10,000 parts.
    Auto,
    /// This many bytes, 5 MiB to 5 GiB. An object that would need more than 10,000 of them is refused before the first byte.
    Fixed(u64),
}

/// How many requests are in flight at once, over all files of a [`Transfer`](crate::Transfer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// As many as are found to help: more while throughput grows with them, fewer where the server asks for less; 1 to
    /// [`MOST_AUTO_CONCURRENCY`].
    Auto,
    /// This many, at least 1.
    Fixed(usize),
}

impl Concurrency {
    /// The most that it can come to.
    pub(crate) fn most(self) -> usize {
        match self {
            Concurrency::Auto => MOST_AUTO_CONCURRENCY,
            Concurrency::Fixed(n) => n,
        }
    }
}

/// How transfers run. Cheap to clone; clones share the retry budget, the observer and the cancel token.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Part size of uploads and range size of downloads. Default: [`PartSize::Auto`].
    pub part_size: PartSize,
    /// Requests in flight at once over all files; fewer where the process may not have six descriptors for each.
    /// Default: [`Concurrency::Auto`].
    pub concurrency: Concurrency,
    /// Processes that begin the same at the same moment ([`processes_of_job`]): each begins with its share of few requests.
    /// Default: 1.
    pub begun_together: u32,
    /// What all transfers together may move in a second. Default: no bound.
    pub bandwidth: Option<Throttle>,
    /// Bytes that streams (stdin, stdout) may hold in memory. Default: 512 MiB.
    pub max_memory: u64,
    /// How often a failed request is repeated. Default: 8, which spans about 20 seconds of outage.
    pub retries: u32,
    /// How long a connection, with its TLS handshake, may take. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long the answer to a request that was sent may take to begin. Default: 60 s.
    pub first_byte_timeout: Duration,
    /// How long a body may pass without a single byte moving. Default: 30 s.
    pub stall_timeout: Duration,
    /// Where transfers keep what they have done, so that the same one goes on after an interruption: below
    /// `strata-ckpt/` in this directory. Default: nowhere, so that a failed transfer cleans up and starts over.
    pub state_dir: Option<PathBuf>,
    /// Whether to go on where an earlier transfer stopped; otherwise what it left is given up. Default: true.
    pub resume: bool,
    /// How long a put of a directory may show no sign of life before another host may take it over. Default: 5 min.
    pub claim_expiry: Duration,
    /// Retries left to all transfers together.
    pub retry_budget: RetryBudget,
    /// Stops every transfer that runs under this configuration; they clean up and return [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    pub cancel: CancellationToken,
    /// How long a transfer that `cancel` has stopped may still take to give its uploads up. Default: 1.5 s.
    pub cancel_grace: Duration,
    /// Told of progress, retries and warnings.
    pub observer: Arc<dyn Observer>,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig {
            part_size: PartSize::Auto,
            concurrency: Concurrency::Auto,
            begun_together: 1,
            bandwidth: None,
            max_memory: 512 * MIB,
            retries: 8,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(30),
            state_dir: None,
            resume: true,
            claim_expiry: DEFAULT_CLAIM_EXPIRY,
            retry_budget: RetryBudget::default(),
            cancel: CancellationToken::new(),
            cancel_grace: DEFAULT_CANCEL_GRACE,
            observer: Arc::new(Silent),
        }
    }
}

impl RuntimeConfig {
    /// The most that [`concurrency`](Self::concurrency) comes to, as far as descriptors and
    /// [`bandwidth`](Self::bandwidth) suffice, and never nothing.
    pub(crate) fn in_flight(&self) -> usize {
        let fed = self.bandwidth.as_ref().map_or(usize::MAX, Throttle::connections);
        self.concurrency.most().min(descriptors::suffice_for()).min(fed).max(1)
    }

    /// The same, where the caller's token ends nothing.
    #[cfg(feature = "s3")]
    pub(crate) fn undisturbed(&self) -> Self {
        RuntimeConfig { cancel: CancellationToken::new(), ..self.clone() }
    }

    /// The defaults, with `STRATA_PART_SIZE`, `STRATA_CONCURRENCY`, `STRATA_MAX_MEMORY`, `STRATA_RETRIES`,
    /// `STRATA_STALL_TIMEOUT` and `STRATA_CLAIM_EXPIRY` applied where they are set, and [`state_dir`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the variable whose value does not parse.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let mut config = RuntimeConfig::default();
        let mut apply =
            |name: &str, set: &mut dyn FnMut(&mut RuntimeConfig, &str) -> Result<(), String>| match environment
                .get(name)
            {
                Some(text) => set(&mut config, &text).map_err(|why| Error::invalid(format!("{name}: {why}"))),
                None => Ok(()),
            };
        apply("STRATA_PART_SIZE", &mut |config, text| parse_part_size(text).map(|size| config.part_size = size))?;
        apply("STRATA_CONCURRENCY", &mut |config, text| parse_concurrency(text).map(|n| config.concurrency = n))?;
        apply("STRATA_MAX_MEMORY", &mut |config, text| parse_size(text).map(|size| config.max_memory = size))?;
        apply("STRATA_STALL_TIMEOUT", &mut |config, text| {
            parse_duration(text).map(|time| config.stall_timeout = time)
        })?;
        apply("STRATA_CLAIM_EXPIRY", &mut |config, text| parse_duration(text).map(|time| config.claim_expiry = time))?;
        apply("STRATA_RETRIES", &mut |config, text| {
            text.parse().map(|n| config.retries = n).map_err(|_| format!("'{text}' is not a whole number"))
        })?;
        Ok(RuntimeConfig { state_dir: state_dir(environment), ..config })
    }
}

/// Where the state of programs is kept: `$XDG_STATE_HOME`, else `$HOME/.local/state`
/// (<https://specifications.freedesktop.org/basedir/latest/>). Relative ones do not count.
pub fn state_dir(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

impl fmt::Debug for RuntimeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeConfig")
            .field("part_size", &self.part_size)
            .field("concurrency", &self.concurrency)
            .field("begun_together", &self.begun_together)
            .field("bandwidth", &self.bandwidth)
            .field("max_memory", &self.max_memory)
            .field("retries", &self.retries)
            .field("connect_timeout", &self.connect_timeout)
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .field("state_dir", &self.state_dir)
            .field("resume", &self.resume)
            .field("claim_expiry", &self.claim_expiry)
            .field("cancel_grace", &self.cancel_grace)
            .finish_non_exhaustive()
    }
}

/// Bytes from a size such as `8MiB`, `8M`, `8MB` or `8388608`; units are IEC (powers of 1,024).
///
/// # Errors
/// Why the text is not such a size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|_| format!("'{text}' is not a size; write it like 8MiB, 512KiB or 1GiB"))
}

/// A part size: `auto`, or 5 MiB to 5 GiB, S3's bounds
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
///
/// # Errors
/// Why the text is not such a size.
pub fn parse_part_size(text: &str) -> Result<PartSize, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(PartSize::Auto);
    }
    match parse_size(text)? {
        bytes @ 5_242_880..=5_368_709_120 => Ok(PartSize::Fixed(bytes)),
        _ => Err(format!("'{text}' is outside S3's bounds for a part, 5MiB to 5GiB")),
    }
}

/// Requests in flight: `auto`, or 1 to 1,024.
///
/// # Errors
/// Why the text is not such a number.
pub fn parse_concurrency(text: &str) -> Result<Concurrency, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(Concurrency::Auto);
    }
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(Concurrency::Fixed(n)),
        _ => Err(format!("'{text}' is not a number of connections, 1 to 1024, or auto")),
    }
}

/// A duration such as `500ms`, `90s`, `2m` or `7d`, longer than zero.
///
/// # Errors
/// Why the text is not such a duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err(format!("'{text}' is no time at all; write at least 1ms, or leave it out")),
        _ => Err(format!("'{text}' is not a duration; write it like 30s, 2m or 1h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn sizes_are_iec() {
        for (text, bytes) in
            [("8MiB", 8 << 20), ("8M", 8 << 20), ("8MB", 8 << 20), ("1 GiB", 1 << 30), ("5242880", 5_242_880)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "abc", "-1", "8 parts", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn part_sizes_keep_to_the_limits_of_s3() {
        assert_eq!(parse_part_size("AUTO"), Ok(PartSize::Auto));
        assert_eq!(parse_part_size("5MiB"), Ok(PartSize::Fixed(5 << 20)));
        assert_eq!(parse_part_size("5GiB"), Ok(PartSize::Fixed(5 << 30)));
        assert!(parse_part_size("4MiB").is_err() && parse_part_size("6GiB").is_err());
    }

    #[test]
    fn state_is_kept_where_the_system_says() {
        let place = |pairs: &[(&str, &str)]| state_dir(&environment(pairs));
        assert_eq!(place(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Some("/s".into()));
        assert_eq!(place(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]), Some("/h/.local/state".into()));
        assert_eq!((place(&[("HOME", "h")]), place(&[])), (None, None));
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = RuntimeConfig::from_environment(&environment(&[("STRATA_PART_SIZE", "tiny")])).unwrap_err();
        assert_eq!(error.to_string(), "STRATA_PART_SIZE: 'tiny' is not a size; write it like 8MiB, 512KiB or 1GiB");
    }
}
