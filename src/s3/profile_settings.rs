//! Where a bucket is, as the AWS configuration files say.

use std::borrow::Cow;

use aws_config::profile::{self, ProfileFileLoadError, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{Error, Result};

/// What a profile says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProfileSettings {
    pub(super) region: Option<String>,
    /// The endpoint of S3, before that of all services.
    pub(super) endpoint: Option<String>,
    pub(super) dual_stack: Option<bool>,
    pub(super) fips: Option<bool>,
}

/// The settings of the profile, or of the one that the process's `AWS_PROFILE` names, or of `default`. Files that are not
/// there are empty.
///
/// # Errors
/// Where a file is none of that kind: not to look further could send data to another place than it says.
pub(super) async fn settings(profile: Option<&str>) -> Result<ProfileSettings> {
    let chosen = profile.map(|name| Cow::Owned(name.to_owned()));
    let loaded = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen).await;
    read(&loaded.map_err(unreadable)?)
}

fn read(profiles: &ProfileSet) -> Result<ProfileSettings> {
    let get = |name: &str| profiles.get(name).map(str::trim).filter(|value| !value.is_empty());
    let switch = |name: &str| {
        let value = get(name).map(|value| parse_switch(value).map_err(|why| in_profile(profiles, name, &why)));
        value.transpose()
    };
    let endpoint = match switch("ignore_configured_endpoint_urls")? {
        Some(true) => None,
        _ => get("services").and_then(|name| of_service(profiles, name)).or(get("endpoint_url")).map(str::to_owned),
    };
    Ok(ProfileSettings {
        region: get("region").map(str::to_owned),
        endpoint,
        dual_stack: switch("use_dualstack_endpoint")?,
        fips: switch("use_fips_endpoint")?,
    })
}

/// `endpoint_url` below `s3` in a section of services
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
fn of_service<'a>(profiles: &'a ProfileSet, services: &str) -> Option<&'a str> {
    let key = PropertiesKey::builder()
        .section_key("services")
        .section_name(services)
        .property_name("s3")
        .sub_property_name("endpoint_url")
        .build();
    Some(profiles.other_sections().get(&key.ok()?)?.trim())
}

/// `true` or `false`, in upper or lower case, as AWS's own tools take them.
pub(super) fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{}' is neither true nor false", text.escape_default())),
    }
}

fn in_profile(profiles: &ProfileSet, name: &str, why: &str) -> Error {
    let profile = profiles.selected_profile().escape_default();
    Error::invalid(format!("{name} in the AWS profile '{profile}': {why}")).hint_is("correct it in ~/.aws/config")
}

/// The cause names the file and the line, and not what is in it.
fn unreadable(error: ProfileFileLoadError) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    // It has the two characters of an escaped line break in it.
    let cause = cause.replace("\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    Error::invalid(format!("the AWS configuration files cannot be used: {cause}"))
        .hint_is("correct ~/.aws/config and ~/.aws/credentials, or name others with AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(config: &str, profile: &str) -> Result<ProfileSettings> {
        let fs = Fs::from_slice(&[("config", config)]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "none")]);
        let chosen = Some(Cow::Owned(profile.to_owned()));
        read(&profile::load(&fs, &env, &EnvConfigFiles::default(), chosen).await.map_err(unreadable)?)
    }

    #[tokio::test]
    async fn what_a_profile_says_of_the_place() {
        let config = "[default]\nregion = us-west-2\n\
            [profile all]\nregion = eu-west-1\nendpoint_url = http://all:1\nuse_dualstack_endpoint = True\n\
            use_fips_endpoint = false\n\
            [profile s3]\nendpoint_url = http://all:1\nservices = mine\n\
            [profile other]\nendpoint_url = http://all:1\nservices = theirs\n\
            [profile none]\nendpoint_url = http://all:1\nservices = mine\nignore_configured_endpoint_urls = true\n\
            [services mine]\ns3 =\n  endpoint_url = http://s3:2\n\
            [services theirs]\ndynamodb =\n  endpoint_url = http://db:3\n";
        let endpoint = |text: &str| Some(text.to_owned());
        for (profile, expected) in [
            ("default", ProfileSettings { region: Some("us-west-2".into()), ..Default::default() }),
            (
                "all",
                ProfileSettings {
                    region: Some("eu-west-1".into()),
                    endpoint: endpoint("http://all:1"),
                    dual_stack: Some(true),
                    fips: Some(false),
                },
            ),
            ("s3", ProfileSettings { endpoint: endpoint("http://s3:2"), ..Default::default() }),
            ("other", ProfileSettings { endpoint: endpoint("http://all:1"), ..Default::default() }),
            ("none", ProfileSettings::default()),
            ("absent", ProfileSettings::default()),
        ] {
            assert_eq!(of(config, profile).await.unwrap(), expected, "{profile}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said() {
        let error = of("[default]\nuse_fips_endpoint = perhaps\n", "default").await.unwrap_err();
        assert!(error.to_string().contains("use_fips_endpoint in the AWS profile 'default'"), "{error}");
        let error = of("[default]\nregion = r\nhunter2\n", "default").await.unwrap_err();
        assert!(error.hint().is_some() && !error.to_string().contains("hunter2"), "{error}");
    }
}
