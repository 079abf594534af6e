//! Who we are: keys that were given, or AWS's own provider chain, loaded at the first request that needs it.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::region::Region;
use tokio::sync::{Mutex, OnceCell};

use crate::config::Environment;
use crate::error::{Error, ErrorKind, Result};

/// Credentials are renewed when they expire within this time, as in AWS's SDKs for temporary ones.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// A provider (a process, a metadata service) that has not answered by then never will.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(60);
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// An access key: id, secret and, for temporary ones, session token. Kept in memory that is zeroed when it is freed.
#[derive(Clone)]
pub struct StaticCredentials(Credentials);

impl StaticCredentials {
    /// Credentials that do not expire by themselves.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        StaticCredentials(Credentials::new(access_key_id, secret_access_key, session_token, None, "given"))
    }

    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; `None` when none of the first two is set.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] when only one of them is set, or one contains a space or a line break.
    pub fn from_environment(environment: &Environment) -> Result<Option<Self>> {
        let (id, secret, token) = match environment.together([KEY_ID, SECRET, TOKEN]) {
            [Some(id), Some(secret), token] => (id, secret, token),
            [None, None, _] if environment.get(SECRET).is_none() => return Ok(None),
            [Some(_), None, _] => return Err(half(KEY_ID, SECRET)),
            _ => return Err(half(SECRET, KEY_ID)),
        };
        let values = [(KEY_ID, Some(&id)), (SECRET, Some(&secret)), (TOKEN, token.as_ref())];
        for (name, value) in values {
            if value.is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(Error::new(
                    ErrorKind::Denied,
                    format!("{name} contains a space, a line break or a character that is not ASCII"),
                )
                .hint_is("copy it again, without quotes and without what surrounds it"));
            }
        }
        Ok(Some(StaticCredentials::new(id, secret, token)))
    }
}

impl StaticCredentials {
    pub(super) fn into_credentials(self) -> Credentials {
        self.0
    }
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticCredentials(..)")
    }
}

fn half(set: &str, missing: &str) -> Error {
    Error::new(ErrorKind::Denied, format!("{set} is set, but {missing} is not"))
        .hint_is("set both, in the environment or both in .env; or neither, to use the AWS config files")
}

/// Where the credentials for each request come from.
pub(super) enum Identity {
    Given(Credentials),
    Chain(Box<Chain>),
}

/// AWS's providers, and what they gave last.
pub(super) struct Chain {
    profile: Option<String>,
    region: String,
    provider: OnceCell<SharedCredentialsProvider>,
    cached: Mutex<Option<Credentials>>,
}

impl Identity {
    pub(super) fn new(given: Option<StaticCredentials>, profile: Option<String>, region: &str) -> Self {
        match (given, profile) {
            (Some(given), None) => Identity::Given(given.into_credentials()),
            (_, profile) => Identity::Chain(Box::new(Chain {
                profile,
                region: region.to_owned(),
                provider: OnceCell::new(),
                cached: Mutex::new(None),
            })),
        }
    }

    /// Credentials that are valid for some minutes.
    pub(super) async fn credentials(&self) -> Result<Credentials> {
        match self {
            Identity::Given(credentials) => Ok(credentials.clone()),
            Identity::Chain(chain) => chain.credentials().await,
        }
    }

    /// Where the credentials that it gave came from, in words; `None` where they were given by the caller.
    pub(super) fn source_of(&self, credentials: &Credentials) -> Option<String> {
        let Identity::Chain(chain) = self else { return None };
        let features = credentials.get_property::<Vec<Feature>>().map_or(&[][..], Vec::as_slice);
        let files = match &chain.profile {
            Some(profile) => format!("profile '{profile}' of the AWS configuration"),
            None => "the AWS configuration files".to_owned(),
        };
        let has = |any: &[Feature]| features.iter().any(|feature| any.contains(feature));
        Some(if has(&[Feature::CredentialsImds]) {
            "this machine's role".to_owned()
        } else if has(&[Feature::CredentialsHttp]) {
            "the container's role".to_owned()
        } else if has(&[Feature::CredentialsEnvVarsStsWebIdToken]) {
            "a web identity token".to_owned()
        } else if has(&[Feature::CredentialsEnvVars]) {
            "the environment".to_owned()
        } else if has(&[Feature::CredentialsSso, Feature::CredentialsProfileSso]) {
            format!("SSO, {files}")
        } else if has(&[Feature::CredentialsProcess, Feature::CredentialsProfileProcess]) {
            format!("a credential process, {files}")
        } else if has(&[Feature::CredentialsStsAssumeRole, Feature::CredentialsStsAssumeRoleWebId]) {
            format!("an assumed role, {files}")
        } else {
            files
        })
    }

    /// The server called `refused` expired: true when the next call may bring others.
    pub(super) async fn renew(&self, refused: &Credentials) -> bool {
        match self {
            Identity::Given(_) => false,
            Identity::Chain(chain) => {
                let mut cached = chain.cached.lock().await;
                if cached.as_ref().is_some_and(|cached| cached.session_token() == refused.session_token()) {
                    *cached = None;
                }
                true
            }
        }
    }
}

impl Chain {
    async fn credentials(&self) -> Result<Credentials> {
        // Held while they are loaded: a hundred requests ask the provider once. An error is not kept.
        let mut cached = self.cached.lock().await;
        let valid_for = |credentials: &Credentials, time: Duration| {
            credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + time)
        };
        if let Some(credentials) = cached.as_ref().filter(|credentials| valid_for(credentials, RENEW_BEFORE)) {
            return Ok(credentials.clone());
        }
        let provider = self.provider.get_or_init(|| self.load()).await;
        let outcome = match tokio::time::timeout(PROVIDER_TIMEOUT, provider.provide_credentials()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CredentialsError::provider_timed_out(PROVIDER_TIMEOUT)),
        };
        match (outcome, cached.as_ref()) {
            (Ok(credentials), _) => {
                *cached = Some(credentials.clone());
                Ok(credentials)
            }
            (Err(_), Some(old)) if valid_for(old, Duration::ZERO) => Ok(old.clone()),
            (Err(error), _) => Err(self.explain(error)),
        }
    }

    async fn load(&self) -> SharedCredentialsProvider {
        let region = Region::new(self.region.clone());
        let config = ProviderConfig::without_region().with_region(Some(region.clone()));
        match &self.profile {
            Some(profile) => SharedCredentialsProvider::new(
                ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build(),
            ),
            None => SharedCredentialsProvider::new(
                DefaultCredentialsChain::builder().configure(config).region(region).build().await,
            ),
        }
    }

    fn explain(&self, error: CredentialsError) -> Error {
        let whose = match &self.profile {
            Some(profile) => format!("in the AWS profile '{profile}'"),
            None => "in the environment, the AWS config files or this machine's role".to_owned(),
        };
        let described = match &error {
            CredentialsError::CredentialsNotLoaded(_) => {
                Error::new(ErrorKind::Denied, format!("no AWS credentials were found {whose}")).hint_is(
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`, or name a profile with AWS_PROFILE",
                )
            }
            CredentialsError::ProviderTimedOut(_) => {
                Error::new(ErrorKind::Unavailable, format!("looking for AWS credentials {whose} took too long"))
                    .hint_is("check the credential process or metadata service, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
            }
            other => Error::new(ErrorKind::Denied, format!("no AWS credentials could be loaded {whose}: {}", root(other)))
                .hint_is(match self.profile {
                    Some(_) => "check it with `aws sts get-caller-identity`; for SSO run `aws sso login`",
                    None => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with AWS_PROFILE; for SSO run `aws sso login`",
                }),
        };
        described.caused_by(error)
    }
}

/// The innermost cause, as one line.
fn root(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An access key's id, of which no more is shown than tells it from others.
pub(super) fn shortened(id: &str) -> String {
    let characters: Vec<char> = id.chars().collect();
    let text = |part: &[char]| part.iter().collect::<String>();
    match characters.len() {
        0..8 => "…".to_owned(),
        8..16 => format!("{}…", text(&characters[..2])),
        len => format!("{}…{}", text(&characters[..4]), text(&characters[len - 4..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[derive(Debug)]
    struct Scripted {
        calls: Arc<AtomicU32>,
        lifetime: Duration,
    }

    impl ProvideCredentials for Scripted {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            aws_credential_types::provider::future::ProvideCredentials::ready(match call {
                0 => Err(CredentialsError::not_loaded_no_source()),
                n => {
                    let expiry = SystemTime::now() + self.lifetime;
                    Ok(Credentials::new("id", "secret", Some(format!("token {n}")), Some(expiry), "test"))
                }
            })
        }
    }

    fn scripted(lifetime: Duration) -> (Identity, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let provider = SharedCredentialsProvider::new(Scripted { calls: calls.clone(), lifetime });
        let chain = Chain {
            profile: None,
            region: "us-east-1".into(),
            provider: OnceCell::new_with(Some(provider)),
            cached: Mutex::new(None),
        };
        (Identity::Chain(Box::new(chain)), calls)
    }

    #[tokio::test]
    async fn an_error_is_not_kept_and_a_success_is() {
        let (identity, calls) = scripted(Duration::from_secs(3600));
        let error = identity.credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.hint().unwrap().contains("aws configure"));
        let first = identity.credentials().await.unwrap();
        assert_eq!(identity.credentials().await.unwrap().session_token(), first.session_token());
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn they_are_renewed_before_they_expire_and_when_the_server_says_so() {
        let (identity, calls) = scripted(RENEW_BEFORE / 2);
        let _ = identity.credentials().await;
        identity.credentials().await.unwrap();
        identity.credentials().await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 3, "those that expire soon are asked for again");
        let (identity, calls) = scripted(Duration::from_secs(3600));
        let _ = identity.credentials().await;
        let refused = identity.credentials().await.unwrap();
        assert!(identity.renew(&refused).await);
        assert_ne!(identity.credentials().await.unwrap().session_token(), refused.session_token());
        assert!(identity.renew(&refused).await);
        identity.credentials().await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 3, "new ones are not thrown away for an old refusal");
    }

    #[test]
    fn an_id_is_shown_in_part() {
        for (id, shown) in [("AKIAIOSFODNN7EXAMPLE", "AKIA…MPLE"), ("minioadmin", "mi…"), ("id", "…"), ("", "…")]
        {
            assert_eq!(shortened(id), shown);
        }
    }

    #[test]
    fn line_breaks_in_keys_are_found_and_not_shown() {
        let pairs = [(KEY_ID, "AKIA"), (SECRET, "hunter2\n")];
        let environment = Environment::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let error = StaticCredentials::from_environment(&environment).unwrap_err();
        assert!(error.to_string().starts_with(SECRET) && !error.to_string().contains("hunter2"));
    }
}
