//! Why there are no credentials, in words, and what to do about it.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;

use super::profile::Plan;
use crate::error::{Error, ErrorKind};

/// What AWS's providers say, as an error of ours. Theirs is not kept as its cause: its debug form may hold answers, and in
/// them secrets.
pub(super) fn explain(error: &CredentialsError, plan: &Plan, named: bool) -> Error {
    let profile = plan.name.as_deref().unwrap_or("default");
    let whose = match named {
        true => format!("in the AWS profile '{profile}'"),
        false => "in the environment, the AWS config files or this machine's role".to_owned(),
    };
    let denied = |message| Error::new(ErrorKind::Denied, message);
    let reason = root(error);
    if let Some(session) = &plan.single_sign_on {
        return denied(format!("the SSO session of the AWS profile '{session}' gives no credentials: {reason}"))
            .hint_is(format!("run `aws sso login --profile {session}`, then the same command again"));
    }
    if let (Some(profile), CredentialsError::ProviderError(_)) = (&plan.process, error) {
        // What the process says is not ours to show: it may be the secret.
        return denied(format!("the credential_process of the AWS profile '{profile}' {}", process_failure(&reason)))
            .hint_is("run its command by hand to see what it says; it is not shown because it may hold a secret");
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => denied(format!("no AWS credentials were found {whose}")).hint_is(
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`, or name a profile with AWS_PROFILE",
        ),
        CredentialsError::ProviderTimedOut(_) => {
            denied(format!("looking for AWS credentials {whose} took too long"))
                .hint_is("check the credential process or metadata service, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        _ => denied(format!("no AWS credentials could be loaded {whose}: {reason}")).hint_is(match named {
            true => format!("check it with `aws sts get-caller-identity --profile {profile}`"),
            false => "check it with `aws sts get-caller-identity`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                      or name a profile with AWS_PROFILE"
                .to_owned(),
        }),
    }
}

/// How a process failed, of what AWS's provider says about it.
fn process_failure(reason: &str) -> &'static str {
    if reason.contains("exited with code") {
        "failed"
    } else if reason.contains("parse response") || reason.contains("UTF-8") {
        "gave no credentials: its output is not the JSON that AWS documents"
    } else {
        "could not be run"
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
