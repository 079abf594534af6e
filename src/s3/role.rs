//! Roles, and AWS's token service that gives credentials for them, by its own client: aws-config's provider of profiles ignores
//! `duration_seconds`, and refuses the answers of servers that name no account (MinIO's).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Credentials as Given;
use aws_types::region::Region;
use url::Url;
use zeroize::Zeroizing;

use super::config_files::{ConfigFiles, variable};
use super::envoy::Envoy;
use super::profile_settings::parse_switch;
use super::unidentified::{Failed, tagged};
use crate::error::{Error, ErrorKind, Result};

/// A role to be assumed with other credentials.
#[derive(Clone, Debug)]
pub(super) struct Role {
    /// The profile that stands for it.
    pub(super) profile: String,
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<Duration>,
}

/// A role to be had for a token in a file.
#[derive(Clone, Debug)]
pub(super) struct WebIdentity {
    pub(super) token_file: PathBuf,
    pub(super) arn: String,
    pub(super) session_name: Option<String>,
    /// What names file and role, in words.
    pub(super) named_by: String,
}

impl WebIdentity {
    /// The one that the process's variables name, as in EKS.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where they name a file, and no role.
    pub(super) fn of_environment() -> Result<Option<Self>> {
        const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
        let Some(token_file) = variable(FILE) else { return Ok(None) };
        let Some(arn) = variable("AWS_ROLE_ARN") else {
            return Err(Error::new(ErrorKind::Denied, format!("{FILE} is set, but AWS_ROLE_ARN is not"))
                .hint_is("set AWS_ROLE_ARN to the role that the token is for, or unset both"));
        };
        let session_name = variable("AWS_ROLE_SESSION_NAME");
        Ok(Some(WebIdentity { token_file: token_file.into(), arn, session_name, named_by: FILE.to_owned() }))
    }
}

/// The token service of a region.
pub(super) struct TokenService {
    settings: SdkConfig,
    envoy: Envoy,
}

impl TokenService {
    /// As the process's variables and the profile say: of endpoint and switches nothing is left to AWS's loader, which ends the
    /// process where a value is none that it knows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where its endpoint is none.
    pub(super) fn new(region: &str, files: &ConfigFiles, envoy: Envoy) -> Result<Self> {
        let profile = files.selected();
        let switch = |name: &str, own: &str| {
            let text = variable(name).or_else(|| files.get(profile, own).map(str::to_owned));
            text.is_some_and(|text| parse_switch(&text).unwrap_or_default())
        };
        let mut settings = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .use_fips(switch("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"))
            .use_dual_stack(switch("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"))
            .http_client(envoy.clone());
        settings.set_endpoint_url(endpoint(files, "AWS_ENDPOINT_URL_STS", "sts")?);
        Ok(TokenService { settings: settings.build(), envoy })
    }

    /// The role, assumed with these credentials.
    pub(super) async fn assume(&self, role: &Role, with: &Credentials) -> Result<Credentials> {
        let Role { profile, arn, external_id, session_name, duration } = role;
        let provider = SharedCredentialsProvider::new(with.clone());
        let client = Client::new(&self.settings.clone().into_builder().credentials_provider(provider).build());
        let asked = client
            .assume_role()
            .role_arn(arn)
            .set_external_id(external_id.clone())
            .role_session_name(session_name.clone().unwrap_or_else(unnamed))
            .set_duration_seconds(duration.and_then(|duration| duration.as_secs().try_into().ok()));
        let what = format!("the role {arn} of the AWS profile '{profile}' cannot be assumed");
        let failed = Failed { what, hint: "check the role's trust policy, and who it is assumed with".to_owned() };
        let failed = || failed.at(&self.envoy, &[with.secret_access_key(), with.session_token().unwrap_or_default()]);
        let answer = asked.send().await.map_err(|_| failed())?;
        made(answer.credentials, "AssumeRole", Feature::CredentialsStsAssumeRole).ok_or_else(failed)
    }

    /// The role, for the token that is in its file now.
    pub(super) async fn exchange(&self, identity: &WebIdentity, feature: Feature) -> Result<Credentials> {
        let WebIdentity { token_file, arn, session_name, named_by } = identity;
        let shown = token_file.display();
        let unusable = |why: String| {
            Error::new(ErrorKind::Denied, format!("the web identity token in '{shown}' cannot be read: {why}"))
                .hint_is(format!("{named_by} names this file; what is to write the token has not, or elsewhere"))
        };
        let token = tokio::fs::read(token_file).await.map_err(|error| unusable(error.kind().to_string()))?;
        let token = String::from_utf8(token).map_err(|_| unusable("it is not text".to_owned()))?;
        let token = Zeroizing::new(token);
        let client = Client::new(&self.settings);
        let asked = client
            .assume_role_with_web_identity()
            .role_arn(arn)
            .role_session_name(session_name.clone().unwrap_or_else(unnamed))
            .web_identity_token(token.trim());
        let what = format!("the role {arn} cannot be had for the web identity token in '{shown}'");
        let hint =
            format!("{named_by} names this file; check that its token is valid and that the role trusts its issuer");
        let failed = || Failed { what: what.clone(), hint: hint.clone() }.at(&self.envoy, &[token.trim()]);
        let answer = asked.send().await.map_err(|_| failed())?;
        made(answer.credentials, "WebIdentityToken", feature).ok_or_else(failed)
    }
}

/// Where a service is asked that gives credentials, if not at Amazon's own place
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
fn endpoint(files: &ConfigFiles, own: &str, service: &str) -> Result<Option<String>> {
    let is_set = |text: Option<&str>| text.is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let ignored = is_set(variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").as_deref());
    let named = [own, "AWS_ENDPOINT_URL"].into_iter().find_map(|name| Some((name.to_owned(), variable(name)?)));
    let profile = files.selected();
    let of_files =
        files.endpoint(profile, service).filter(|_| !is_set(files.get(profile, "ignore_configured_endpoint_urls")));
    let of_files = of_files.map(|url| (format!("endpoint_url for the AWS profile '{profile}'"), url.to_owned()));
    let Some((name, url)) = named.or(of_files).filter(|_| !ignored) else { return Ok(None) };
    let is_one = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty();
    match Url::parse(&url).ok().filter(is_one) {
        Some(_) => Ok(Some(url)),
        // Not shown: there may be a password in it.
        None => Err(Error::invalid(format!("{name} is not the URL of a service"))
            .hint_is("write it like https://sts.example.com, without a user")),
    }
}

fn unnamed() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("strata-ckpt-{}", since.as_millis())
}

/// The credentials of an answer, if they are all there.
fn made(given: Option<Given>, by: &'static str, feature: Feature) -> Option<Credentials> {
    let given = given?;
    let expiry = SystemTime::try_from(given.expiration).ok()?;
    let (id, secret) = (given.access_key_id, given.secret_access_key);
    tagged(Credentials::new(id, secret, Some(given.session_token), Some(expiry), by), feature)
}
