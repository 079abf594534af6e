//! What a profile of the AWS config files stands for: roles, and what the last of them is assumed with. A profile that says
//! something and does not come to credentials is an error, never a reason to look further: else the role of whatever machine
//! this is would be taken for it.

use std::time::Duration;

use aws_credential_types::Credentials;

use super::config_files::ConfigFiles;
use super::role::{Role, WebIdentity};
use crate::error::{Error, ErrorKind, Result};

/// Bounds of `duration_seconds` (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;
/// So many names of profiles are shown in an error.
const NAMES_SHOWN: usize = 8;

/// What is behind a profile.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The roles that it stands for, its own first.
    pub(super) roles: Vec<Role>,
    /// With what the last of them is assumed, or what it is itself; `None` where it says nothing of credentials.
    pub(super) base: Option<Base>,
}

/// Where credentials of a profile begin.
#[derive(Clone, Debug)]
pub(super) enum Base {
    /// Its keys.
    Keys(Credentials),
    /// `credential_source`.
    Source {
        profile: String,
        source: Source,
    },
    Token(WebIdentity),
    SingleSignOn(SingleSignOn),
    Process {
        profile: String,
        command: String,
    },
}

/// The values of `credential_source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Environment,
    Container,
    Instance,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SingleSignOn {
    pub(super) profile: String,
    pub(super) session: Option<String>,
    pub(super) start_url: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) role: String,
}

/// What the profile that counts stands for; nothing where it is only the default one, and is not there.
///
/// # Errors
/// [`ErrorKind::Denied`] where it is not there, does not come to credentials, or wants a code from a device, for which nobody
/// is asked.
pub(super) fn plan(files: &ConfigFiles, is_named: bool) -> Result<Plan> {
    let name = files.selected();
    match files.has(name) {
        true => follow(files, name),
        false if !is_named && name == "default" => Ok(Plan::default()),
        false => Err(missing(files, name)),
    }
}

/// Walks from a profile to what it rests on.
fn follow(files: &ConfigFiles, selected: &str) -> Result<Plan> {
    let (mut plan, mut seen, mut name) = (Plan::default(), Vec::new(), selected);
    loop {
        if seen.contains(&name) {
            let circle = [&seen[..], &[name]].concat().join(" -> ");
            return Err(wrong(files, name, &format!("rests on itself: {circle} (source_profile)")));
        }
        seen.push(name);
        if let Some(keys) = keys(files, name)?.filter(|_| !plan.roles.is_empty()) {
            plan.base = Some(Base::Keys(keys));
            return Ok(plan);
        }
        let Some(role) = role(files, name)? else {
            plan.base = base(files, name)?;
            return match plan.base {
                None if name != selected => {
                    Err(wrong(files, name, &format!("has no credentials, and '{}' rests on it", seen[seen.len() - 2])))
                }
                _ => Ok(plan),
            };
        };
        if let Some(device) = files.get(name, "mfa_serial") {
            return Err(wants_code(selected, name, device));
        }
        plan.roles.push(role);
        match (files.get(name, "source_profile"), files.get(name, "credential_source")) {
            (Some(source), None) if source == name => match keys(files, name)? {
                Some(keys) => {
                    plan.base = Some(Base::Keys(keys));
                    return Ok(plan);
                }
                None => return Err(wrong(files, name, "is its own source_profile, and has no keys")),
            },
            (Some(source), None) if !files.has(source) => {
                return Err(wrong(
                    files,
                    name,
                    &format!("rests on the profile '{source}' (source_profile), which is not there"),
                ));
            }
            (Some(source), None) => name = source,
            (None, Some(text)) => {
                let Some(source) = Source::parse(text) else {
                    let why = format!(
                        "has the credential_source '{text}', which is none of Environment, EcsContainer and Ec2InstanceMetadata"
                    );
                    return Err(wrong(files, name, &why));
                };
                plan.base = Some(Base::Source { profile: name.to_owned(), source });
                return Ok(plan);
            }
            (Some(_), Some(_)) => {
                return Err(wrong(files, name, "has both source_profile and credential_source, of which one counts"));
            }
            (None, None) => {
                return Err(wrong(files, name, "has a role_arn, and neither source_profile nor credential_source"));
            }
        }
    }
}

/// What a profile without a role stands for.
fn base(files: &ConfigFiles, name: &str) -> Result<Option<Base>> {
    let text = |key| files.get(name, key).map(str::to_owned);
    if let Some(token_file) = text("web_identity_token_file") {
        let Some(arn) = text("role_arn") else {
            return Err(wrong(files, name, "has a web_identity_token_file, and no role_arn"));
        };
        let token = WebIdentity {
            token_file: token_file.into(),
            arn,
            session_name: text("role_session_name"),
            named_by: format!("the AWS profile '{name}'"),
        };
        return Ok(Some(Base::Token(token)));
    }
    if let Some(single) = single_sign_on(files, name)? {
        return Ok(Some(Base::SingleSignOn(single)));
    }
    if files.get(name, "login_session").is_some() {
        return Err(Error::new(
            ErrorKind::Denied,
            format!(
                "the AWS profile '{name}' is one of `aws login` (login_session), which strata-ckpt cannot use by itself"
            ),
        )
        .hint_is(exported(name)));
    }
    if let Some(command) = text("credential_process") {
        return Ok(Some(Base::Process { profile: name.to_owned(), command }));
    }
    Ok(keys(files, name)?.map(Base::Keys))
}

fn single_sign_on(files: &ConfigFiles, name: &str) -> Result<Option<SingleSignOn>> {
    let text = |key: &str| files.get(name, key).map(str::to_owned);
    let session = text("sso_session");
    if session.is_none() && text("sso_start_url").is_none() {
        return Ok(None);
    }
    let lacks =
        |key: &str, from: &str| wrong(files, name, &format!("is one of single sign-on, and {from} has no {key}"));
    let own = |key: &str| text(key).ok_or_else(|| lacks(key, "it"));
    let of_place = |key: &str| match &session {
        None => own(key),
        Some(session) => match files.of_session(session, key) {
            Some(Some(value)) => Ok(value.to_owned()),
            Some(None) => Err(lacks(key, &format!("[sso-session {session}]"))),
            None => {
                Err(wrong(files, name, &format!("names the sso_session '{session}', and there is no such section")))
            }
        },
    };
    Ok(Some(SingleSignOn {
        profile: name.to_owned(),
        start_url: of_place("sso_start_url")?,
        region: of_place("sso_region")?,
        account: own("sso_account_id")?,
        role: own("sso_role_name")?,
        session,
    }))
}

/// The role that a profile stands for, if it does; one with a token file is not assumed with other credentials.
fn role(files: &ConfigFiles, name: &str) -> Result<Option<Role>> {
    let text = |key| files.get(name, key).map(str::to_owned);
    let Some(arn) = text("role_arn").filter(|_| text("web_identity_token_file").is_none()) else {
        return Ok(None);
    };
    let duration = files.get(name, "duration_seconds").map(|value| match value.parse() {
        Ok(seconds) if SESSION_SECONDS.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => {
            let (least, most) = (SESSION_SECONDS.start(), SESSION_SECONDS.end());
            Err(wrong(files, name, &format!("has a duration_seconds that is not a number from {least} to {most}")))
        }
    });
    let (external_id, session_name) = (text("external_id"), text("role_session_name"));
    Ok(Some(Role { profile: name.to_owned(), arn, external_id, session_name, duration: duration.transpose()? }))
}

fn keys(files: &ConfigFiles, name: &str) -> Result<Option<Credentials>> {
    let [id, secret, token] =
        ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"].map(|key| files.get(name, key));
    match (id, secret) {
        (Some(id), Some(secret)) => {
            Ok(Some(Credentials::new(id, secret, token.map(str::to_owned), None, "ProfileFile")))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(wrong(files, name, "has an aws_access_key_id, and no aws_secret_access_key")),
        (None, Some(_)) => Err(wrong(files, name, "has an aws_secret_access_key, and no aws_access_key_id")),
    }
}

impl Source {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "environment" => Some(Source::Environment),
            "ecscontainer" => Some(Source::Container),
            "ec2instancemetadata" => Some(Source::Instance),
            _ => None,
        }
    }
}

/// What is wrong with a profile, and where it is written.
fn wrong(files: &ConfigFiles, name: &str, why: &str) -> Error {
    let places = files.places().join(" or ");
    Error::new(ErrorKind::Denied, format!("the AWS profile '{name}' {why}")).hint_is(format!("correct it in {places}"))
}

fn missing(files: &ConfigFiles, name: &str) -> Error {
    let mut names = files.profiles();
    let more = if names.len() > NAMES_SHOWN { ", ..." } else { "" };
    names.truncate(NAMES_SHOWN);
    let there = match names[..] {
        [] => "there is none".to_owned(),
        _ => format!("there are: {}{more}", names.join(", ")),
    };
    let message = format!("the AWS profile '{name}' is not in {}", files.places().join(" or "));
    Error::new(ErrorKind::Denied, message)
        .hint_is(format!("{there}; --profile and AWS_PROFILE name one, AWS_CONFIG_FILE another file"))
}

fn wants_code(selected: &str, name: &str, device: &str) -> Error {
    let message = format!(
        "the AWS profile '{name}' wants a code from the device {device} (mfa_serial), which strata-ckpt does not ask for"
    );
    Error::new(ErrorKind::Denied, message).hint_is(exported(selected))
}

/// How the AWS CLI does what is not done here.
fn exported(profile: &str) -> String {
    let profile = match profile.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte)) {
        true => profile.to_owned(),
        false => format!("'{}'", profile.replace('\'', r"'\''")),
    };
    format!(
        "let the AWS CLI do it, then run the same command again without a profile: \
         eval \"$(aws configure export-credentials --profile {profile} --format env)\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "aws_access_key_id = id\naws_secret_access_key = s=\n";

    async fn files(config: &str) -> ConfigFiles {
        ConfigFiles::of(config, "default").await.unwrap()
    }

    #[tokio::test]
    async fn durations_of_a_chain_of_roles() {
        let files = files(&format!(
            "[profile a]\nrole_arn = a\nsource_profile = b\nduration_seconds = 3600\nexternal_id = x\n\
             [profile b]\nrole_arn = b\nsource_profile = c\n[profile c]\n{KEYS}"
        ))
        .await;
        let plan = follow(&files, "a").unwrap();
        assert!(matches!(plan.base, Some(Base::Keys(keys)) if keys.secret_access_key() == "s="));
        let durations: Vec<_> = plan.roles.iter().map(|role| role.duration).collect();
        assert_eq!(durations, [Some(Duration::from_secs(3600)), None]);
        assert_eq!(plan.roles[0].external_id.as_deref(), Some("x"));
        assert!(follow(&files, "c").unwrap().roles.is_empty());
    }

    /// Each would otherwise leave the question to the machine.
    #[tokio::test]
    async fn what_comes_to_nothing_is_an_error() {
        let files = files(
            "[profile a]\nrole_arn = a\nsource_profile = b\nduration_seconds = 900\n\
             [profile b]\nrole_arn = b\nsource_profile = a\n\
             [profile gap]\nrole_arn = g\nsource_profile = absent\n\
             [profile own]\nrole_arn = o\nsource_profile = own\n\
             [profile soon]\nrole_arn = s\nsource_profile = own\nduration_seconds = soon\n\
             [profile token]\nweb_identity_token_file = /t\n\
             [profile both]\nrole_arn = x\nsource_profile = own\ncredential_source = Environment\n\
             [profile neither]\nrole_arn = x\n\
             [profile source]\nrole_arn = x\ncredential_source = Env\n\
             [profile region]\nregion = r\n\
             [profile bare]\nrole_arn = x\nsource_profile = region\n\
             [profile half]\naws_access_key_id = id\n\
             [profile login]\nlogin_session = arn\n\
             [profile sso]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n\
             [profile sso2]\nsso_session = there\nsso_account_id = 1\nsso_role_name = r\n\
             [profile sso3]\nsso_session = there\nsso_account_id = 1\n\
             [sso-session there]\nsso_region = r\n",
        )
        .await;
        for (name, said) in [
            ("a", "'a' rests on itself: a -> b -> a"),
            ("gap", "'gap' rests on the profile 'absent'"),
            ("own", "'own' is its own source_profile"),
            ("soon", "'soon' has a duration_seconds"),
            ("token", "no role_arn"),
            ("both", "has both source_profile and credential_source"),
            ("neither", "neither source_profile nor credential_source"),
            ("source", "the credential_source 'Env'"),
            ("bare", "'region' has no credentials, and 'bare' rests on it"),
            ("half", "no aws_secret_access_key"),
            ("login", "`aws login`"),
            ("sso", "the sso_session 'corp', and there is no such section"),
            ("sso2", "[sso-session there] has no sso_start_url"),
            ("sso3", "has no"),
        ] {
            let error = follow(&files, name).unwrap_err();
            assert!(error.to_string().contains(said) && error.hint().is_some(), "{name}: {error}");
            assert_eq!(error.kind(), ErrorKind::Denied);
        }
        assert!(follow(&files, "region").unwrap().base.is_none());
    }

    #[tokio::test]
    async fn a_device_is_refused_wherever_it_is_in_the_chain() {
        let files = files(&format!(
            "[profile a]\nrole_arn = a\nsource_profile = b\n\
             [profile b]\nrole_arn = b\ncredential_source = Environment\nmfa_serial = arn:aws:iam::1:mfa/me\n\
             [profile c]\nmfa_serial = arn:aws:iam::1:mfa/me\n{KEYS}"
        ))
        .await;
        let error = follow(&files, "a").unwrap_err();
        assert!(error.to_string().contains("'b'") && error.hint().unwrap().contains("--profile a "), "{error}");
        assert!(follow(&files, "c").is_ok(), "keys by themselves need no code");
    }
}
