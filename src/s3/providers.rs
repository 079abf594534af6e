//! AWS's own providers of credentials, asked in the order of the AWS CLI
//! (<https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-configure.html#configure-precedence>).

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;

use super::profile::{self, Base, Plan};
use super::role::{Assumed, Role};
use super::unidentified::explain;
use crate::body::blocking;
use crate::error::{Error, ErrorKind, Result};

/// A provider (a process, a metadata service) that has not answered by then never will.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(60);

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// A profile that is named, as opposed to what `AWS_PROFILE` of the process says.
    pub(super) profile: Option<String>,
    /// Whether that is by a variable alone.
    pub(super) profile_of_environment: bool,
    pub(super) region: String,
    /// `AWS_CA_BUNDLE`: PEM certificates to trust on top of the system's, as the AWS CLI does for all its services.
    pub(super) ca_bundle: Option<PathBuf>,
}

impl Sources {
    /// Asks them in turn, with everything read anew: files may have changed, and an error is never kept.
    pub(super) async fn ask(&self) -> Result<Credentials> {
        let plan = profile::plan(self.profile.as_deref()).await?;
        let region = Region::new(self.region.clone());
        let mut config = ProviderConfig::without_region().with_region(Some(region));
        let client = match &self.ca_bundle {
            Some(bundle) => Some(trusting(bundle).await?),
            None => None,
        };
        if let Some(client) = &client {
            config = config.with_http_client(client.clone());
        }
        let asked = async { self.chain(&plan, &config, client).await?.provide_credentials().await };
        let outcome = match tokio::time::timeout(PROVIDER_TIMEOUT, asked).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CredentialsError::provider_timed_out(PROVIDER_TIMEOUT)),
        };
        let outcome = outcome.and_then(|credentials| match is_whole(&credentials) {
            true => Ok(credentials),
            false => Err(CredentialsError::unhandled("the answer is not complete")),
        });
        outcome.map_err(|error| explain(&error, &plan, self.profile.is_some()))
    }

    async fn chain(
        &self,
        plan: &Plan,
        config: &ProviderConfig,
        client: Option<SharedHttpClient>,
    ) -> Result<CredentialsProviderChain, CredentialsError> {
        let files = match &plan.roles {
            Some((roles, base)) => self.assumed(roles, base, config, client).await?,
            None => SharedCredentialsProvider::new(of_profile(plan.name.as_deref(), config)),
        };
        // What is named wins over the environment; what AWS_PROFILE names does not.
        let ambient = self.profile.is_none()
            || (self.profile_of_environment && is_set_to("AWS_PROFILE", self.profile.as_deref()));
        let chain = match self.profile {
            None => CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new()),
            Some(_) => CredentialsProviderChain::first_try("Nothing", Nothing),
        };
        let token = || WebIdentityTokenCredentialsProvider::builder().configure(config).build();
        let has_token = ambient && is_set("AWS_WEB_IDENTITY_TOKEN_FILE");
        let chain = match (has_token, plan.roles.is_some()) {
            (true, true) => chain.or_else("Profile", files).or_else("WebIdentityToken", token()),
            (true, false) => chain.or_else("WebIdentityToken", token()).or_else("Profile", files),
            (false, _) => chain.or_else("Profile", files),
        };
        Ok(chain.or_else("EcsContainer", container(config)).or_else("Ec2InstanceMetadata", instance(config)))
    }

    /// A chain of roles, the last of which is assumed first.
    async fn assumed(
        &self,
        roles: &[Role],
        base: &Base,
        config: &ProviderConfig,
        client: Option<SharedHttpClient>,
    ) -> Result<SharedCredentialsProvider, CredentialsError> {
        let mut provider = match base {
            Base::Keys(keys) => SharedCredentialsProvider::new(keys.clone()),
            Base::Profile(name) => SharedCredentialsProvider::new(of_profile(Some(name), config)),
            Base::Source(source) => match source.to_ascii_lowercase().as_str() {
                "environment" => SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()),
                "ecscontainer" => SharedCredentialsProvider::new(container(config)),
                "ec2instancemetadata" => SharedCredentialsProvider::new(instance(config)),
                _ => {
                    let message = "credential_source is Environment, EcsContainer or Ec2InstanceMetadata";
                    return Err(CredentialsError::invalid_configuration(message));
                }
            },
        };
        let settings = self.settings(client).await;
        for role in roles.iter().rev() {
            provider = SharedCredentialsProvider::new(Assumed::new(role.clone(), provider, &settings));
        }
        Ok(provider)
    }

    /// For AWS's client of the token service: endpoints and retries as environment and config files say.
    async fn settings(&self, client: Option<SharedHttpClient>) -> SdkConfig {
        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).region(Region::new(self.region.clone())).no_credentials();
        if let Some(name) = &self.profile {
            loader = loader.profile_name(name);
        }
        if let Some(client) = client {
            loader = loader.http_client(client);
        }
        loader.load().await
    }
}

fn of_profile(name: Option<&str>, config: &ProviderConfig) -> ProfileFileCredentialsProvider {
    let builder = ProfileFileCredentialsProvider::builder().configure(config);
    match name {
        Some(name) => builder.profile_name(name).build(),
        None => builder.build(),
    }
}

fn container(config: &ProviderConfig) -> EcsCredentialsProvider {
    EcsCredentialsProvider::builder().configure(&beside(config)).build()
}

/// With AWS's own limits: a second to connect, a second to answer.
fn instance(config: &ProviderConfig) -> ImdsCredentialsProvider {
    ImdsCredentialsProvider::builder().configure(&beside(config)).build()
}

/// For services of this machine: a proxy would see their secrets, and what it reaches by their addresses is itself.
fn beside(config: &ProviderConfig) -> ProviderConfig {
    config.clone().with_http_client(client(TlsContext::default(), false))
}

/// AWS's parsers fill in what an answer lacks: empty texts, and the first second of 1970.
fn is_whole(credentials: &Credentials) -> bool {
    let texts =
        [credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token().unwrap_or("-")];
    texts.iter().all(|text| !text.is_empty()) && credentials.expiry() != Some(SystemTime::UNIX_EPOCH)
}

/// An empty variable counts as unset.
fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn is_set_to(variable: &str, value: Option<&str>) -> bool {
    value.is_some() && env::var(variable).ok().as_deref() == value
}

/// The beginning of a chain that asks nobody before the profile.
#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        use aws_credential_types::provider::future::ProvideCredentials;
        ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}

/// AWS's own HTTP client, with more authorities to trust.
async fn trusting(bundle: &Path) -> Result<SharedHttpClient> {
    let path = bundle.to_owned();
    let pem = blocking(move || {
        std::fs::read(&path).map_err(|error| Error::local(format!("read '{}'", path.display()), error))
    })
    .await?;
    let context = TlsContext::builder().with_trust_store(TrustStore::default().with_pem_certificate(pem)).build();
    let context = context.map_err(|_| {
        Error::new(ErrorKind::Invalid, format!("the certificates in '{}' cannot be used", bundle.display()))
            .hint_is("AWS_CA_BUNDLE names a file of PEM certificates")
    })?;
    Ok(client(context, true))
}

fn client(tls: TlsContext, by_proxy: bool) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let proxy = if by_proxy { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
        let provider = Provider::Rustls(CryptoMode::AwsLc);
        let mut connector =
            ConnectorBuilder::default().tls_provider(provider).tls_context(tls.clone()).proxy_config(proxy);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })
}
