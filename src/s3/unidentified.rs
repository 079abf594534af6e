//! Why there are no credentials, in words: which step failed, who refused, and what to do about it.

use std::error::Error as StdError;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;

use super::envoy::{Envoy, Noted};
use super::failure::one_line;
use super::redact::redacted;
use crate::error::{Error, ErrorKind};

/// A step that came to nothing.
pub(super) struct Failed {
    /// What could not be had.
    pub(super) what: String,
    /// What to do where nothing else says it.
    pub(super) hint: String,
}

impl Failed {
    /// With what the service said to this envoy, from which these secrets are taken out.
    pub(super) fn at(&self, envoy: &Envoy, secrets: &[&str]) -> Error {
        let Failed { what, hint } = self;
        let noted = envoy.noted();
        let why = match &noted {
            Some(noted) => one_line(&redacted(noted.error().to_string(), secrets)),
            // What it is, and what it is not, may be a secret.
            None => "what came back are no credentials".to_owned(),
        };
        let error = Error::new(ErrorKind::Denied, format!("{what}: {why}"));
        match noted {
            Some(Noted::Refused(refusal)) if refusal.clock.is_some() => error.hint_is(SET_CLOCK),
            // A file of certificates, a proxy: nothing was asked.
            Some(Noted::Unreachable(cause)) if cause.kind() == ErrorKind::Invalid => {
                let own = error.kind_is(ErrorKind::Invalid);
                own.hint_is(cause.hint().unwrap_or(hint))
            }
            Some(Noted::Unreachable(cause)) if cause.hint().is_some() => {
                error.hint_is(cause.hint().unwrap_or_default())
            }
            Some(Noted::Unreachable(_) | Noted::Silent { .. }) => {
                error.hint_is("check the network, and the proxy (HTTPS_PROXY, NO_PROXY) of the environment")
            }
            _ => error.hint_is(hint.as_str()),
        }
    }

    /// Of itself.
    pub(super) fn because(&self, why: &str) -> Error {
        Error::new(ErrorKind::Denied, format!("{}: {why}", self.what)).hint_is(self.hint.as_str())
    }
}

const SET_CLOCK: &str =
    "set this machine's clock, for example with timedatectl or chronyc, and run the same command again";

/// Nobody has any.
pub(super) fn nowhere(profile: Option<&str>) -> Error {
    let whose = match profile {
        Some(profile) => format!("in the AWS profile '{profile}'"),
        None => "in the environment, the AWS config files or this machine's role".to_owned(),
    };
    Error::new(ErrorKind::Denied, format!("no AWS credentials were found {whose}")).hint_is(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`, or name a profile with AWS_PROFILE",
    )
}

/// The credentials with where they came from, if they are whole: parsers fill in what an answer lacks, by empty texts and the
/// first second of 1970.
pub(super) fn tagged(mut credentials: Credentials, feature: Feature) -> Option<Credentials> {
    let texts =
        [credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token().unwrap_or("-")];
    let is_whole = texts.iter().all(|text| !text.is_empty()) && credentials.expiry() != Some(SystemTime::UNIX_EPOCH);
    let features: &mut Vec<Feature> = credentials.get_property_mut_or_default();
    features.push(feature);
    is_whole.then_some(credentials)
}

/// The innermost cause, as one line.
pub(super) fn root(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
