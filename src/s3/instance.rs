//! The metadata service of an EC2 instance, version 2 only, by AWS's own provider; and what its silence means.

use std::error::Error as StdError;

use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::ProvideCredentials;

use super::config_files::{ConfigFiles, variable};
use super::envoy::{Envoy, Noted};
use super::failure::one_line;
use super::unidentified::{Failed, tagged};
use crate::error::{Error, ErrorKind, Result};

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";

/// Whether it is asked at all.
pub(super) fn is_disabled() -> bool {
    variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// What the instance's role gives; `None` where this does not seem to be an instance, or it has no role.
pub(super) async fn ask(files: &ConfigFiles, envoy: &Envoy) -> Result<Option<Credentials>> {
    let config = ProviderConfig::without_region().with_http_client(envoy.clone());
    let endpoint = endpoint(files)?;
    let bad = || {
        Error::new(ErrorKind::Invalid, format!("{ENDPOINT} is not the URL of a metadata service"))
            .hint_is("write it like http://169.254.169.254, or unset it")
    };
    let is_url = url::Url::parse(&endpoint).is_ok_and(|url| url.scheme() == "http" && url.has_host());
    let client =
        imds::Client::builder().configure(&config).endpoint(&endpoint).ok().filter(|_| is_url).ok_or_else(bad)?;
    let provider = ImdsCredentialsProvider::builder().configure(&config).imds_client(client.build()).build();
    let failed = Failed {
        what: "this machine's metadata service gives no credentials".to_owned(),
        hint: "check the instance's role, or set AWS_EC2_METADATA_DISABLED=true where this is no instance".to_owned(),
    };
    let error = match provider.provide_credentials().await {
        Ok(given) => {
            return tagged(given, Feature::CredentialsImds)
                .map_or_else(|| Err(failed.at(envoy, &[])), |given| Ok(Some(given)));
        }
        Err(error) => error,
    };
    let is_about_token = of_token(&error);
    match envoy.noted() {
        // Off EC2 nobody is there.
        Some(Noted::Unreachable(cause)) if cause.kind() != ErrorKind::Invalid => Ok(None),
        Some(Noted::Refused(refusal)) if refusal.status == 404 && !is_about_token => Ok(None),
        Some(Noted::Refused(refusal)) if is_about_token => {
            Err(failed.because(&format!("it refuses the token of its version 2 (IMDSv2): {}", one_line(&refusal.to_string()))).hint_is(format!(
                "version 2 has to be enabled: aws ec2 modify-instance-metadata-options --http-endpoint enabled {HOPS}"
            )))
        }
        Some(noted @ Noted::Silent { .. }) => Err(failed.because(&one_line(&noted.error().to_string())).hint_is(format!(
            "in a container its answer may have a hop too many to go: aws ec2 modify-instance-metadata-options {HOPS}; \
             where this is no instance set AWS_EC2_METADATA_DISABLED=true"
        ))),
        Some(noted) => Err(failed.because(&one_line(&noted.error().to_string()))),
        None => Err(failed.because("what came back are no credentials")),
    }
}

const HOPS: &str = "--http-put-response-hop-limit 2 --instance-id ID";

/// Where it is: as environment and profile say, else at the usual address of the mode.
fn endpoint(files: &ConfigFiles) -> Result<String> {
    let get = |name: &str, own: &str| variable(name).or_else(|| files.get(files.selected(), own).map(str::to_owned));
    if let Some(endpoint) = get(ENDPOINT, "ec2_metadata_service_endpoint") {
        return Ok(endpoint);
    }
    match get(MODE, "ec2_metadata_service_endpoint_mode").map(|mode| mode.to_ascii_lowercase()).as_deref() {
        None | Some("ipv4") => Ok("http://169.254.169.254".to_owned()),
        Some("ipv6") => Ok("http://[fd00:ec2::254]".to_owned()),
        Some(_) => Err(Error::invalid(format!("{MODE} is neither IPv4 nor IPv6")).hint_is("correct it, or unset it")),
    }
}

/// Whether it is the token that could not be had, without which nothing is asked.
fn of_token(error: &(dyn StdError + 'static)) -> bool {
    use aws_config::imds::client::error::ImdsError;
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| matches!(cause.downcast_ref(), Some(ImdsError::FailedToLoadToken(_))))
}
