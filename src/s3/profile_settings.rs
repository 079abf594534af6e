//! Where a bucket is, as the AWS configuration files say.

use super::config_files::ConfigFiles;
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

/// The settings of the profile, or of the one that the process's variables name, or of `default`. Files that are not there
/// are empty.
///
/// # Errors
/// Where a file is none of that kind: not to look further could send data to another place than it says.
pub(super) async fn settings(profile: Option<&str>) -> Result<ProfileSettings> {
    read(&ConfigFiles::read(profile).await?)
}

fn read(files: &ConfigFiles) -> Result<ProfileSettings> {
    let profile = files.selected();
    let switch = |name: &str| {
        let value =
            files.get(profile, name).map(|value| parse_switch(value).map_err(|why| in_profile(files, name, &why)));
        value.transpose()
    };
    let endpoint = match switch("ignore_configured_endpoint_urls")? {
        Some(true) => None,
        _ => files.endpoint(profile, "s3").map(str::to_owned),
    };
    Ok(ProfileSettings {
        region: files.get(profile, "region").map(str::to_owned),
        endpoint,
        dual_stack: switch("use_dualstack_endpoint")?,
        fips: switch("use_fips_endpoint")?,
    })
}

/// `true` or `false`, in upper or lower case, as AWS's own tools take them.
pub(super) fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{}' is neither true nor false", text.escape_default())),
    }
}

fn in_profile(files: &ConfigFiles, name: &str, why: &str) -> Error {
    let (profile, [config, _]) = (files.selected().escape_default(), files.places());
    Error::invalid(format!("{name} in the AWS profile '{profile}': {why}")).hint_is(format!("correct it in {config}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(config: &str, profile: &str) -> Result<ProfileSettings> {
        read(&ConfigFiles::of(config, profile).await?)
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
