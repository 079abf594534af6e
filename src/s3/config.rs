//! How a bucket is reached: [`S3Config`].

use std::env::split_paths;
use std::fmt;
use std::path::PathBuf;

use super::amazon::check_kind;
use super::credentials::StaticCredentials;
use super::endpoint::Addressing;
use super::profile_settings::parse_switch;
use super::proxy::Proxies;
use super::writing::WriteSettings;
use crate::config::{Environment, PROFILE};
use crate::error::{Error, Result};
use crate::key;

/// How a bucket is reached. What is `None` is looked up when the storage is made, as each field says.
#[derive(Clone)]
pub struct S3Config {
    /// The bucket's name, 3 to 63 characters.
    pub bucket: String,
    /// Stands before every key, with a `/` between; empty for none. Slashes at its ends are dropped.
    pub prefix: String,
    /// The region; `None`: the profile's in the AWS config files, else `us-east-1`.
    pub region: Option<String>,
    /// The endpoint, with or without scheme; `None`: the profile's in the AWS config files, else Amazon S3 in the region.
    pub endpoint: Option<String>,
    /// Do not take an endpoint from the AWS config files.
    pub ignore_configured_endpoint: bool,
    /// Whether Amazon S3 is reached over IPv6 as well as IPv4; `None`: as the profile says, else no. Without meaning where
    /// an endpoint is set, as is the next.
    pub dual_stack: Option<bool>,
    /// Whether to use Amazon's FIPS endpoints; `None`: as the profile says, else no.
    pub fips: Option<bool>,
    /// Where the bucket's name goes.
    pub addressing: Addressing,
    /// A profile of the AWS config and credentials files. Where it is set, it alone says who we are:
    /// `credentials` are not used.
    pub profile: Option<String>,
    /// Whether `profile` is only what `AWS_PROFILE` says: then a web identity of the process's environment comes before its
    /// keys, as with the AWS CLI.
    pub profile_of_environment: bool,
    /// PEM certificates of authorities to trust on top of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// PEM certificates of authorities to trust in place of the system's; with `None` here and no
    /// [`cert_dirs`](Self::cert_dirs), the process's own `SSL_CERT_FILE` and `SSL_CERT_DIR` count.
    pub cert_file: Option<PathBuf>,
    /// Directories of such files.
    pub cert_dirs: Vec<PathBuf>,
    /// Proxies to go through.
    pub proxies: Proxies,
    /// Keys; `None`: AWS's own chain (environment, config files, SSO, web identity, container, instance).
    pub credentials: Option<StaticCredentials>,
    /// Agree to be charged for requests and data of a bucket whose requester pays
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html>).
    pub requester_pays: bool,
    /// The account, twelve digits, that the bucket has to belong to: the server refuses every request otherwise
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html>).
    pub expected_bucket_owner: Option<String>,
    /// What objects are written with beyond their content.
    pub writes: WriteSettings,
}

impl S3Config {
    /// The bucket on Amazon S3, everything else looked up.
    pub fn new(bucket: impl Into<String>) -> Self {
        S3Config {
            bucket: bucket.into(),
            prefix: String::new(),
            region: None,
            endpoint: None,
            ignore_configured_endpoint: false,
            dual_stack: None,
            fips: None,
            addressing: Addressing::Auto,
            profile: None,
            profile_of_environment: false,
            ca_bundle: None,
            cert_file: None,
            cert_dirs: Vec::new(),
            proxies: Proxies::default(),
            credentials: None,
            requester_pays: false,
            expected_bucket_owner: None,
            writes: WriteSettings::default(),
        }
    }

    /// The bucket as these variables say: `AWS_REGION` before `AWS_DEFAULT_REGION`; `S3_ENDPOINT` before
    /// `AWS_ENDPOINT_URL_S3` before `AWS_ENDPOINT_URL`, neither of these two where `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is
    /// `true`; `AWS_USE_DUALSTACK_ENDPOINT` and `AWS_USE_FIPS_ENDPOINT` (`true` or `false`); `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` from one source together, and before `AWS_PROFILE`, unless only `.env`
    /// has them and the process names a profile; `AWS_DEFAULT_PROFILE` for want of that; `AWS_CA_BUNDLE`,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR` (with colons between), `CHECKPOINT_PREFIX`, `STRATA_ADDRESSING_STYLE`,
    /// `STRATA_REQUEST_PAYER` (`requester`), `STRATA_EXPECTED_BUCKET_OWNER`, the proxies as [`Proxies::from_environment`] says,
    /// and those of [`WriteSettings::from_environment`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the variable whose value does not parse;
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) when one of key id and secret is missing.
    pub fn from_environment(bucket: &str, environment: &Environment) -> Result<Self> {
        let first = |names: &[&str]| environment.first_of(names).map(|(_, value)| value);
        let addressing = match environment.get("STRATA_ADDRESSING_STYLE") {
            Some(text) => text.parse().map_err(|why| Error::invalid(format!("STRATA_ADDRESSING_STYLE: {why}")))?,
            None => Addressing::Auto,
        };
        let requester_pays = match environment.get("STRATA_REQUEST_PAYER") {
            None => false,
            Some(payer) if payer.eq_ignore_ascii_case("requester") => true,
            Some(payer) => {
                let payer = payer.escape_default();
                return Err(Error::invalid(format!("STRATA_REQUEST_PAYER: '{payer}' is not one of requester"))
                    .hint_is("set it to requester, or leave it out"));
            }
        };
        let switch = |name: &str| {
            let value = environment.get(name).map(|text| parse_switch(&text));
            value.transpose().map_err(|why| Error::invalid(format!("{name}: {why}")).hint_is("write true or false"))
        };
        let ignore_configured_endpoint = switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.unwrap_or_default();
        let endpoints = ["S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let credentials = match environment.has_profile_before_keys() {
            true => None,
            false => StaticCredentials::from_environment(environment)?,
        };
        Ok(S3Config {
            prefix: environment.get("CHECKPOINT_PREFIX").unwrap_or_default(),
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            endpoint: first(if ignore_configured_endpoint { &endpoints[..1] } else { &endpoints }),
            ignore_configured_endpoint,
            dual_stack: switch("AWS_USE_DUALSTACK_ENDPOINT")?,
            fips: switch("AWS_USE_FIPS_ENDPOINT")?,
            addressing,
            profile: if credentials.is_some() { None } else { first(&PROFILE) },
            profile_of_environment: true,
            ca_bundle: environment.get("AWS_CA_BUNDLE").map(PathBuf::from),
            cert_file: environment.get("SSL_CERT_FILE").map(PathBuf::from),
            cert_dirs: environment.get("SSL_CERT_DIR").map_or_else(Vec::new, |all| split_paths(&all).collect()),
            proxies: Proxies::from_environment(environment),
            credentials,
            requester_pays,
            expected_bucket_owner: environment.get("STRATA_EXPECTED_BUCKET_OWNER"),
            writes: WriteSettings::from_environment(environment)?,
            ..S3Config::new(bucket)
        })
    }
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("addressing", &self.addressing)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Checks a bucket's name after
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
pub(super) fn check_bucket(bucket: &str) -> Result<()> {
    check_kind(bucket)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let why = if bucket.contains("://") || bucket.contains('/') {
        "it is the name alone, without s3:// and without a path"
    } else if !(3..=63).contains(&bucket.len()) {
        "it has 3 to 63 characters"
    } else if !bucket.chars().all(|c| fits(c) || c == '-' || c == '.') {
        "it has only lower-case letters, digits, '-' and '.'"
    } else if !bucket.starts_with(fits) || !bucket.ends_with(fits) {
        "it begins and ends with a letter or a digit"
    } else if bucket.contains("..") {
        "it has no two dots in a row"
    } else if bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        "it is no IP address"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("'{}' is not the name of a bucket: {why}", bucket.escape_default()))
        .hint_is("set CHECKPOINT_BUCKET or --bucket to a name such as my-checkpoints"))
}

/// The prefix without slashes at its ends. One that leads to where a checkpoint's manifest is kept is refused.
pub(super) fn clean_prefix(prefix: &str) -> Result<String> {
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty() {
        key::check(prefix).map_err(|error| {
            Error::invalid(format!("CHECKPOINT_PREFIX: {error}")).hint_is("use a prefix such as runs/a")
        })?;
    }
    Ok(prefix.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn config(pairs: &[(&str, &str)]) -> Result<S3Config> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        S3Config::from_environment("bucket", &Environment::from_pairs(pairs))
    }

    #[test]
    fn names_of_buckets() {
        for bucket in ["abc", "my-bucket.v2", "0ab", &"x".repeat(63)] {
            assert!(check_bucket(bucket).is_ok(), "{bucket}");
        }
        for bucket in
            ["", "ab", "Abc", "a_b", "-ab", "ab.", "a..b", "192.168.0.1", "s3://abc", "abc/x", &"x".repeat(64)]
        {
            assert_eq!(check_bucket(bucket).unwrap_err().kind(), ErrorKind::Invalid, "{bucket}");
        }
    }

    #[test]
    fn the_order_of_the_variables() {
        let all = config(&[
            ("AWS_DEFAULT_REGION", "r2"),
            ("AWS_REGION", "r1"),
            ("AWS_ENDPOINT_URL", "e3"),
            ("AWS_ENDPOINT_URL_S3", "e2"),
            ("S3_ENDPOINT", "e1"),
            ("STRATA_ADDRESSING_STYLE", "PATH"),
            ("AWS_PROFILE", "p"),
        ])
        .unwrap();
        assert_eq!((all.region.as_deref(), all.endpoint.as_deref()), (Some("r1"), Some("e1")));
        assert_eq!((all.addressing, all.profile.as_deref()), (Addressing::Path, Some("p")));
        let some = config(&[("AWS_DEFAULT_REGION", "r2"), ("AWS_ENDPOINT_URL", "e3"), ("AWS_ENDPOINT_URL_S3", "e2")]);
        let some = some.unwrap();
        assert_eq!((some.region.as_deref(), some.endpoint.as_deref()), (Some("r2"), Some("e2")));
    }

    #[test]
    fn amazons_own_switches() {
        let none = config(&[]).unwrap();
        assert_eq!((none.dual_stack, none.fips, none.ignore_configured_endpoint), (None, None, false));
        let set = config(&[
            ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"),
            ("AWS_USE_FIPS_ENDPOINT", "false"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ("AWS_ENDPOINT_URL", "e3"),
            ("AWS_ENDPOINT_URL_S3", "e2"),
        ]);
        let set = set.unwrap();
        assert_eq!((set.dual_stack, set.fips, set.endpoint), (Some(true), Some(false), None));
        let ours = config(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("S3_ENDPOINT", "e1")]).unwrap();
        assert_eq!(ours.endpoint.as_deref(), Some("e1"));
        assert_eq!(config(&[("AWS_USE_FIPS_ENDPOINT", "1")]).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn keys_win_over_the_profile_variable_and_half_a_pair_is_refused() {
        let both = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "s=cr/t"), ("AWS_PROFILE", "p")];
        let keys = config(&both).unwrap();
        assert!(keys.credentials.is_some() && keys.profile.is_none());
        assert!(!format!("{keys:?}{:?}", keys.credentials).contains("s=cr/t"));
        for half in [&both[..1], &both[1..2]] {
            assert_eq!(config(half).unwrap_err().kind(), ErrorKind::Denied);
        }
        assert_eq!(config(&[("STRATA_ADDRESSING_STYLE", "x")]).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn prefixes_lose_their_slashes() {
        assert_eq!(clean_prefix("/runs/a/").unwrap(), "runs/a");
        assert_eq!(clean_prefix("/").unwrap(), "");
        for prefix in ["a/../b", "runs/e1/.strata", ".strata/x", "runs/.e1.strata-partial"] {
            assert_eq!(clean_prefix(prefix).unwrap_err().kind(), ErrorKind::Invalid, "{prefix}");
        }
    }
}
