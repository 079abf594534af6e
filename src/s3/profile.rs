//! What a profile of the AWS config files says of itself: as much as decides in which order AWS's providers are asked, and
//! what they cannot do.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::profile::profile_file;
use aws_config::profile::{Profile, ProfileSet, load};
use aws_credential_types::Credentials;
use aws_types::os_shim_internal::{Env, Fs};

use super::role::Role;
use crate::error::{Error, ErrorKind, Result};

/// Bounds of `duration_seconds` (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;
/// So many names of profiles are shown in an error.
const NAMES_SHOWN: usize = 8;

/// What is behind a profile.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The profile's name; `None` where there is no profile at all.
    pub(super) name: Option<String>,
    /// The profile whose single sign-on it rests on.
    pub(super) single_sign_on: Option<String>,
    /// The profile whose `credential_process` it rests on.
    pub(super) process: Option<String>,
    /// The roles that it stands for, its own first, and what the last of them is assumed with.
    pub(super) roles: Option<(Vec<Role>, Base)>,
}

/// With what the first role of a chain is assumed.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// `credential_source`.
    Source(String),
    /// The keys of a profile.
    Keys(Credentials),
    /// Whatever a profile stands for.
    Profile(String),
}

/// Reads the AWS config files as they are now.
///
/// # Errors
/// [`ErrorKind::Denied`] where they cannot be parsed, the profile that is named is not there, or it wants a code from a
/// device, for which nobody is asked.
pub(super) async fn plan(named: Option<&str>) -> Result<Plan> {
    let set = read(&Fs::real(), &Env::real(), named).await?;
    let name = set.selected_profile();
    match set.get_profile(name) {
        Some(_) => follow(&set, name),
        None if named.is_none() && name == "default" => Ok(Plan::default()),
        None => Err(missing(&set, name)),
    }
}

async fn read(fs: &Fs, env: &Env, named: Option<&str>) -> Result<ProfileSet> {
    // The type's other name is in a crate that is otherwise not needed.
    #[expect(deprecated)]
    let files = profile_file::ProfileFiles::default();
    load(fs, env, &files, named.map(|name| name.to_owned().into())).await.map_err(|_| {
        // The error may quote the line.
        Error::new(ErrorKind::Denied, format!("the AWS config files cannot be read: {}", places().join(", "))).hint_is(
            "lines are [section], NAME = value or comments; `aws configure list` says more; it is not shown because it \
             may hold a secret",
        )
    })
}

/// Walks from a profile to what it rests on.
fn follow(set: &ProfileSet, selected: &str) -> Result<Plan> {
    let mut plan = Plan { name: Some(selected.to_owned()), ..Plan::default() };
    let (mut roles, mut seen, mut name) = (Vec::new(), BTreeSet::new(), selected);
    let base = loop {
        // A circle or a gap is for AWS's provider to tell of.
        let Some(profile) = set.get_profile(name).filter(|_| seen.insert(name)) else { return Ok(plan) };
        if let Some(keys) = keys(profile).filter(|_| !roles.is_empty()) {
            break Base::Keys(keys);
        }
        let Some(role) = role(profile)? else {
            plan.single_sign_on =
                ["sso_session", "sso_start_url"].iter().any(|key| profile.get(key).is_some()).then(|| name.to_owned());
            plan.process = profile.get("credential_process").map(|_| name.to_owned());
            break Base::Profile(name.to_owned());
        };
        if let Some(device) = profile.get("mfa_serial") {
            return Err(wants_code(selected, name, device));
        }
        roles.push(role);
        match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) if source == name => match keys(profile) {
                Some(keys) => break Base::Keys(keys),
                None => return Ok(plan),
            },
            (Some(source), None) => name = source,
            (None, Some(source)) => break Base::Source(source.to_owned()),
            _ => return Ok(plan),
        }
    };
    plan.roles = (!roles.is_empty()).then_some((roles, base));
    Ok(plan)
}

/// The role that a profile stands for, if it does; one with a token file is not assumed with other credentials.
fn role(profile: &Profile) -> Result<Option<Role>> {
    let text = |key| profile.get(key).map(str::to_owned);
    let Some(arn) = text("role_arn").filter(|_| profile.get("web_identity_token_file").is_none()) else {
        return Ok(None);
    };
    let duration = profile.get("duration_seconds").map(|value| match value.parse() {
        Ok(seconds) if SESSION_SECONDS.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(Error::new(
            ErrorKind::Denied,
            format!(
                "duration_seconds of the AWS profile '{}' is not a number from {} to {}",
                profile.name(),
                SESSION_SECONDS.start(),
                SESSION_SECONDS.end()
            ),
        )),
    });
    let (external_id, session_name) = (text("external_id"), text("role_session_name"));
    Ok(Some(Role { arn, external_id, session_name, duration: duration.transpose()? }))
}

fn keys(profile: &Profile) -> Option<Credentials> {
    let (id, secret) = profile.get("aws_access_key_id").zip(profile.get("aws_secret_access_key"))?;
    let token = profile.get("aws_session_token").map(str::to_owned);
    Some(Credentials::new(id, secret, token, None, "ProfileFile"))
}

fn missing(set: &ProfileSet, name: &str) -> Error {
    let mut names: Vec<&str> = set.profiles().collect();
    names.sort_unstable();
    let more = if names.len() > NAMES_SHOWN { ", ..." } else { "" };
    names.truncate(NAMES_SHOWN);
    let there = match names[..] {
        [] => "there is none".to_owned(),
        _ => format!("there are: {}{more}", names.join(", ")),
    };
    let message = format!("the AWS profile '{name}' is not in {}", places().join(" or "));
    Error::new(ErrorKind::Denied, message)
        .hint_is(format!("{there}; --profile and AWS_PROFILE name one, AWS_CONFIG_FILE another file"))
}

fn wants_code(selected: &str, name: &str, device: &str) -> Error {
    let message = format!(
        "the AWS profile '{name}' wants a code from the device {device} (mfa_serial), which strata-ckpt does not ask for"
    );
    Error::new(ErrorKind::Denied, message).hint_is(format!(
        "let the AWS CLI ask for it, then run the same command again without a profile: \
         eval \"$(aws configure export-credentials --profile {selected} --format env)\""
    ))
}

/// Where the AWS config files are, as AWS's loader looks for them.
fn places() -> [String; 2] {
    [("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")]
        .map(|(variable, usual)| std::env::var(variable).unwrap_or_else(|_| usual.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn set(config: &str) -> ProfileSet {
        let fs = Fs::from_slice(&[("config", config), ("credentials", "")]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")]);
        read(&fs, &env, None).await.unwrap()
    }

    #[tokio::test]
    async fn durations_of_a_chain_of_roles() {
        let set = set("[profile a]\nrole_arn = a\nsource_profile = b\nduration_seconds = 3600\nexternal_id = x\n\
             [profile b]\nrole_arn = b\nsource_profile = c\n\
             [profile c]\naws_access_key_id = id\naws_secret_access_key = s=\n")
        .await;
        let plan = follow(&set, "a").unwrap();
        let (roles, base) = plan.roles.unwrap();
        assert!(matches!(base, Base::Keys(keys) if keys.secret_access_key() == "s="));
        assert_eq!(roles.iter().map(|role| role.duration).collect::<Vec<_>>(), [Some(Duration::from_secs(3600)), None]);
        assert_eq!(roles[0].external_id.as_deref(), Some("x"));
        assert!(follow(&set, "c").unwrap().roles.is_none());
    }

    #[tokio::test]
    async fn circles_gaps_and_nonsense_end() {
        let set = set("[profile a]\nrole_arn = a\nsource_profile = b\nduration_seconds = 900\n\
             [profile b]\nrole_arn = b\nsource_profile = a\n\
             [profile gap]\nrole_arn = g\nsource_profile = absent\n\
             [profile own]\nrole_arn = o\nsource_profile = own\n\
             [profile soon]\nrole_arn = s\nsource_profile = own\nduration_seconds = soon\n\
             [profile token]\nrole_arn = t\nweb_identity_token_file = /t\nduration_seconds = soon\n")
        .await;
        for name in ["a", "b", "gap", "own"] {
            assert!(follow(&set, name).unwrap().roles.is_none(), "{name}");
        }
        assert!(follow(&set, "soon").unwrap_err().to_string().contains("'soon'"));
        assert!(follow(&set, "token").unwrap().roles.is_none());
    }

    #[tokio::test]
    async fn a_device_is_refused_wherever_it_is_in_the_chain() {
        let set = set("[profile a]\nrole_arn = a\nsource_profile = b\n\
             [profile b]\nrole_arn = b\ncredential_source = Environment\nmfa_serial = arn:aws:iam::1:mfa/me\n\
             [profile c]\nmfa_serial = arn:aws:iam::1:mfa/me\naws_access_key_id = id\n")
        .await;
        let error = follow(&set, "a").unwrap_err();
        assert!(error.to_string().contains("'b'") && error.hint().unwrap().contains("--profile a "), "{error}");
        assert!(follow(&set, "c").is_ok(), "keys by themselves need no code");
    }
}
