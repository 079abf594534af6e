//! Roles that are assumed at AWS's token service, by its own client: aws-config's provider of profiles ignores
//! `duration_seconds`, and refuses the answers of servers that name no account (MinIO's).

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use aws_sdk_sts::Client;

/// A role to be assumed.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<Duration>,
}

/// The role, assumed with other credentials.
#[derive(Debug)]
pub(super) struct Assumed {
    role: Role,
    client: Client,
}

impl Assumed {
    pub(super) fn new(role: Role, with: SharedCredentialsProvider, settings: &SdkConfig) -> Self {
        let settings = settings.clone().into_builder().credentials_provider(with).build();
        Assumed { role, client: Client::new(&settings) }
    }

    async fn assume(&self) -> Result {
        let Role { arn, external_id, session_name, duration } = &self.role;
        let unnamed = || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("strata-ckpt-{}", since.as_millis())
        };
        let answer = self
            .client
            .assume_role()
            .role_arn(arn)
            .set_external_id(external_id.clone())
            .role_session_name(session_name.clone().unwrap_or_else(unnamed))
            .set_duration_seconds(duration.and_then(|duration| duration.as_secs().try_into().ok()))
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let given = answer.credentials.ok_or_else(|| CredentialsError::unhandled("the answer has no credentials"))?;
        let expiry = SystemTime::try_from(given.expiration).map_err(CredentialsError::unhandled)?;
        let mut credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(expiry),
            "AssumeRole",
        );
        let features: &mut Vec<AwsCredentialFeature> = credentials.get_property_mut_or_default();
        features.push(AwsCredentialFeature::CredentialsStsAssumeRole);
        Ok(credentials)
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
