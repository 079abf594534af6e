//! Who we are: keys that were given, or AWS's own provider chain, loaded at the first request that needs it.

use std::fmt;
use std::mem;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::providers::Sources;
use crate::config::Environment;
use crate::error::{Error, ErrorKind, Result};

/// Credentials are renewed when they expire within this time, as in AWS's SDKs for temporary ones; those that live for less
/// than four times as long, in the last quarter of their life.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// How long those that are still valid are used after they could not be renewed, before that is tried again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// How long a renewal may take while the old ones are still valid.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);
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
        let (mut secret, mut token) = (Zeroizing::new(secret), token.map(Zeroizing::new));
        let values = [(KEY_ID, Some(&id)), (SECRET, Some(&*secret)), (TOKEN, token.as_deref())];
        for (name, value) in values {
            if value.is_some_and(|value| !value.bytes().all(|byte| byte.is_ascii_graphic())) {
                return Err(Error::new(
                    ErrorKind::Denied,
                    format!("{name} contains a space, a line break or a character that is not ASCII"),
                )
                .hint_is("copy it again, without quotes and without what surrounds it"));
            }
        }
        let token = token.as_deref_mut().map(mem::take);
        Ok(Some(StaticCredentials::new(id, mem::take(&mut *secret), token)))
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
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<Credentials>> + Send + Sync>,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    credentials: Credentials,
    /// `None` where they do not expire by themselves.
    renew_at: Option<SystemTime>,
}

impl Identity {
    /// Keys that are given, unless a profile is named as well; else whatever the sources have.
    pub(super) fn new(given: Option<StaticCredentials>, sources: Sources) -> Self {
        match (given, &sources.profile) {
            (Some(given), None) => Identity::Given(given.into_credentials()),
            (_, profile) => Identity::Chain(Box::new(Chain::new(profile.clone(), move || {
                let sources = sources.clone();
                async move { sources.ask().await }.boxed()
            }))),
        }
    }

    /// Credentials that are valid for some time from `now` on, the server's.
    pub(super) async fn credentials(&self, now: SystemTime) -> Result<Credentials> {
        match self {
            Identity::Given(credentials) => Ok(credentials.clone()),
            Identity::Chain(chain) => chain.credentials(now).await,
        }
    }

    /// The credentials that it gave last, if nobody is asking for others just now.
    pub(super) fn kept(&self) -> Option<Credentials> {
        match self {
            Identity::Given(credentials) => Some(credentials.clone()),
            Identity::Chain(chain) => Some(chain.kept.try_lock().ok()?.as_ref()?.credentials.clone()),
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

    /// The server does not take `refused` any more: true when the next try has others, or an error that says why not.
    pub(super) async fn renew(&self, refused: &Credentials, now: SystemTime) -> bool {
        match self {
            Identity::Given(_) => false,
            Identity::Chain(chain) => chain.renew(refused, now).await,
        }
    }

    /// What to do when the server does not take them, and there are no others.
    pub(super) fn renewal_hint(&self) -> String {
        let how = match self {
            Identity::Given(_) => {
                return "get new credentials, set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together where \
                        they are set now, and run the same command again"
                    .to_owned();
            }
            Identity::Chain(chain) => match &chain.profile {
                Some(name) => format!(
                    "the AWS profile '{name}' has no others: renew them, for SSO by `aws sso login --profile {name}`"
                ),
                None => "where they came from there are no others: renew them, for SSO by `aws sso login`".to_owned(),
            },
        };
        how + ", and run the same command again"
    }
}

impl Chain {
    fn new(
        profile: Option<String>,
        ask: impl Fn() -> BoxFuture<'static, Result<Credentials>> + Send + Sync + 'static,
    ) -> Self {
        Chain { profile, ask: Box::new(ask), kept: Mutex::new(None) }
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials> {
        // Held while they are asked for: a hundred requests ask the providers once. An error is not kept.
        let mut kept = self.kept.lock().await;
        let Some(old) = kept.as_mut() else {
            return Ok(kept.insert(Kept::new((self.ask)().await?, now)).credentials.clone());
        };
        if old.renew_at.is_none_or(|renew_at| now < renew_at) {
            return Ok(old.credentials.clone());
        }
        if !old.is_valid(now) {
            return Ok(kept.insert(Kept::new((self.ask)().await?, now)).credentials.clone());
        }
        match tokio::time::timeout(RENEWAL_PATIENCE, (self.ask)()).await {
            Ok(Ok(new)) => *old = Kept::new(new, now),
            _ => old.renew_at = Some(now + RENEWAL_PAUSE),
        }
        Ok(old.credentials.clone())
    }

    async fn renew(&self, refused: &Credentials, now: SystemTime) -> bool {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|kept| !same(&kept.credentials, refused)) {
            // Another request was faster.
            return true;
        }
        *kept = None;
        match (self.ask)().await {
            Ok(new) => !same(&kept.insert(Kept::new(new, now)).credentials, refused),
            // The next try asks again, and its error says why there are none.
            Err(_) => true,
        }
    }
}

impl Kept {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        let renew_at = credentials.expiry().map(|expiry| match expiry.duration_since(now) {
            Ok(life) => expiry - RENEW_BEFORE.min(life / 4),
            // Expired by our clock, which may be wrong: the server decides.
            Err(_) => now + RENEWAL_PAUSE,
        });
        Kept { credentials, renew_at }
    }

    fn is_valid(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_none_or(|expiry| now < expiry)
    }
}

fn same(a: &Credentials, b: &Credentials) -> bool {
    a.access_key_id() == b.access_key_id()
        && a.secret_access_key() == b.secret_access_key()
        && a.session_token() == b.session_token()
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

    const HOUR: Duration = Duration::from_secs(3600);

    /// A source that gives others each time, which expire after `lifetime`, but for the calls where it fails.
    fn scripted(lifetime: Duration, fails: impl Fn(u32) -> bool + Send + Sync + 'static) -> (Identity, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = calls.clone();
        let chain = Chain::new(None, move || {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            let outcome = match fails(call) {
                true => Err(Error::new(ErrorKind::Denied, "none")),
                false => {
                    let (token, expiry) = (format!("token {call}"), SystemTime::UNIX_EPOCH + HOUR + lifetime);
                    Ok(Credentials::new("id", "secret", Some(token), Some(expiry), "test"))
                }
            };
            async move { outcome }.boxed()
        });
        (Identity::Chain(Box::new(chain)), calls)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR + Duration::from_secs(seconds)
    }

    async fn token(identity: &Identity, seconds: u64) -> Option<String> {
        identity.credentials(at(seconds)).await.ok()?.session_token().map(str::to_owned)
    }

    #[tokio::test]
    async fn an_error_is_not_kept_and_a_success_is() {
        let (identity, calls) = scripted(HOUR, |call| call == 0);
        assert_eq!(identity.credentials(at(0)).await.unwrap_err().kind(), ErrorKind::Denied);
        let first = token(&identity, 0).await.unwrap();
        assert_eq!(token(&identity, 3299).await.unwrap(), first);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn they_are_renewed_before_they_expire() {
        let (identity, calls) = scripted(HOUR, |_| false);
        token(&identity, 0).await.unwrap();
        assert_eq!(token(&identity, 3301).await.unwrap(), "token 1");
        let (brief, _) = scripted(Duration::from_secs(60), |_| false);
        assert_eq!(token(&brief, 0).await.unwrap(), "token 0");
        assert_eq!(token(&brief, 44).await.unwrap(), "token 0", "not for every request");
        assert_eq!(token(&brief, 46).await.unwrap(), "token 1");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn old_ones_serve_as_long_as_they_are_valid() {
        let (identity, calls) = scripted(HOUR, |call| call > 0);
        for (seconds, asked) in [(0, 1), (3310, 2), (3320, 2), (3341, 3), (3599, 4)] {
            assert_eq!(token(&identity, seconds).await.unwrap(), "token 0");
            assert_eq!(calls.load(Ordering::SeqCst), asked, "{seconds}");
        }
        assert_eq!(token(&identity, 3700).await, None, "there are none any more");
    }

    #[tokio::test]
    async fn refused_ones_are_replaced_once_and_only_by_others() {
        let (identity, calls) = scripted(HOUR, |call| call == 2);
        let refused = identity.credentials(at(0)).await.unwrap();
        assert!(identity.renew(&refused, at(1)).await);
        assert!(identity.renew(&refused, at(1)).await);
        assert_eq!(token(&identity, 2).await.unwrap(), "token 1", "not thrown away for an old refusal");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        let refused = identity.credentials(at(2)).await.unwrap();
        assert!(identity.renew(&refused, at(3)).await, "the next try tells why there are none");
        let same = Chain::new(None, || async { Ok(Credentials::new("id", "secret", None, None, "test")) }.boxed());
        let identity = Identity::Chain(Box::new(same));
        let refused = identity.credentials(at(0)).await.unwrap();
        assert!(!identity.renew(&refused, at(0)).await, "the same would be refused again");
    }

    #[tokio::test]
    async fn a_hundred_requests_ask_once() {
        let (identity, calls) = scripted(HOUR, |_| false);
        futures::future::join_all((0..100).map(|_| identity.credentials(at(0)))).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
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
