//! Sources of credentials, asked in the order of the AWS CLI
//! (<https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-configure.html#configure-precedence>). One that is set gives
//! them or ends the search: only what nobody has set up is passed over.

use std::future::Future;
use std::time::Duration;

use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::region::Region;

use super::config_files::{ConfigFiles, variable};
use super::credentials::StaticCredentials;
use super::envoy::{Envoy, Noted};
use super::failure::one_line;
use super::profile::{self, Base, Plan, SingleSignOn, Source};
use super::proxy::Proxies;
use super::role::{TokenService, WebIdentity};
use super::roots::Roots;
use super::unidentified::{Failed, nowhere, root, tagged};
use super::{container, instance, process};
use crate::config::{Environment, PROFILE};
use crate::error::{Error, ErrorKind, Result};

/// A source (a process, a metadata service) that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to ask.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// A profile that is named, as opposed to what `AWS_PROFILE` of the process says.
    pub(super) profile: Option<String>,
    /// Whether that is by a variable alone.
    pub(super) profile_of_environment: bool,
    pub(super) region: String,
    /// Whom to trust, as the store is trusted.
    pub(super) roots: Roots,
}

impl Sources {
    /// Asks them in turn, with everything read anew: files may have changed, and an error is never kept.
    pub(super) async fn ask(&self) -> Result<Credentials> {
        if self.profile.is_none()
            && let Some(keys) = of_environment()?
        {
            return Ok(keys);
        }
        // Who we are is not known then, whatever else the files say.
        let files = ConfigFiles::read(self.profile.as_deref()).await;
        let files = files.map_err(|error| error.kind_is(ErrorKind::Denied))?;
        let plan = profile::plan(&files, self.profile.is_some())?;
        // A role of a profile comes before a token of the environment, its keys come after it.
        if plan.roles.is_empty()
            && self.is_ambient()
            && let Some(identity) = WebIdentity::of_environment()?
        {
            return self.exchanged(&identity, &files, Feature::CredentialsEnvVarsStsWebIdToken).await;
        }
        if let Some(base) = &plan.base {
            return self.of_plan(&plan, base, &files).await;
        }
        match self.beside(&files, true, true).await? {
            Some(credentials) => Ok(credentials),
            None => Err(nowhere(self.profile.as_deref())),
        }
    }

    /// What is named wins over the environment; what its own variables name does not.
    fn is_ambient(&self) -> bool {
        let Some(profile) = &self.profile else { return true };
        self.profile_of_environment && PROFILE.iter().find_map(|name| variable(name)).as_ref() == Some(profile)
    }

    /// What a profile stands for: its base, then its roles, of which the last one is assumed first.
    async fn of_plan(&self, plan: &Plan, base: &Base, files: &ConfigFiles) -> Result<Credentials> {
        let mut credentials = match base {
            Base::Keys(keys) => keys.clone(),
            Base::Token(identity) => self.exchanged(identity, files, Feature::CredentialsStsAssumeRoleWebId).await?,
            Base::SingleSignOn(single) => self.signed_on(single).await?,
            Base::Process { profile, command } => {
                let what = format!("the credential_process of the AWS profile '{profile}'");
                within(&what, process::ask(profile, command)).await?
            }
            Base::Source { profile, source } => self.source(profile, *source, files).await?,
        };
        if plan.roles.is_empty() {
            return Ok(credentials);
        }
        let service = TokenService::new(&self.region, files, self.envoy())?;
        for role in plan.roles.iter().rev() {
            let what = format!("the token service, for the role {},", role.arn);
            credentials = within(&what, service.assume(role, &credentials)).await?;
        }
        Ok(credentials)
    }

    async fn exchanged(&self, identity: &WebIdentity, files: &ConfigFiles, feature: Feature) -> Result<Credentials> {
        let service = TokenService::new(&self.region, files, self.envoy())?;
        within("the token service, for a web identity,", service.exchange(identity, feature)).await
    }

    async fn source(&self, profile: &str, source: Source, files: &ConfigFiles) -> Result<Credentials> {
        let (found, value) = match source {
            Source::Environment => (of_environment()?, "Environment"),
            Source::Container => (self.beside(files, true, false).await?, "EcsContainer"),
            Source::Instance => (self.beside(files, false, true).await?, "Ec2InstanceMetadata"),
        };
        found.ok_or_else(|| {
            let text = format!("the AWS profile '{profile}' has the credential_source {value}, and there are none");
            Error::new(ErrorKind::Denied, text).hint_is(match source {
                Source::Environment => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
                Source::Container => "it counts inside a container of ECS or EKS alone",
                Source::Instance => "it counts on an EC2 instance with a role alone",
            })
        })
    }

    /// Credentials of a session that `aws sso login` began.
    async fn signed_on(&self, single: &SingleSignOn) -> Result<Credentials> {
        let SingleSignOn { profile, session, start_url, region, account, role } = single;
        let envoy = self.envoy();
        let region = Region::new(region.clone());
        let config = ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(envoy.clone());
        let mut builder = SsoCredentialsProvider::builder()
            .configure(&config)
            .account_id(account)
            .role_name(role)
            .start_url(start_url)
            .region(region);
        if let Some(session) = session {
            builder = builder.session_name(session);
        }
        let provider = builder.build();
        let what = format!("the SSO session of the AWS profile '{profile}'");
        let failed = Failed {
            what: format!("{what} gives no credentials"),
            hint: format!("run `aws sso login --profile {profile}`, then the same command again"),
        };
        let asked = async { Ok(provider.provide_credentials().await) };
        match within(&what, asked).await? {
            Ok(given) => tagged(given, Feature::CredentialsSso).ok_or_else(|| failed.at(&envoy, &[])),
            Err(error) => Err(match envoy.noted() {
                Some(Noted::Refused(refusal)) if !refusal.is_unauthorized() && refusal.status < 500 => {
                    failed.because(&one_line(&refusal.to_string())).hint_is(format!(
                        "check sso_account_id ({account}) and sso_role_name ({role}), or run `aws sso login --profile {profile}`"
                    ))
                }
                Some(noted) => failed.because(&one_line(&noted.error().to_string())),
                None => failed.because(&root(&error)),
            }),
        }
    }

    /// For services elsewhere: by the proxies of the process, as AWS's own tools, never by those of a `.env`.
    fn envoy(&self) -> Envoy {
        Envoy::new(self.roots.clone(), Proxies::from_environment(&Environment::process()))
    }

    /// What services of this machine give. Never through a proxy: it would see their secrets, and what it reaches by their
    /// addresses is itself.
    async fn beside(&self, files: &ConfigFiles, container: bool, instance: bool) -> Result<Option<Credentials>> {
        let envoy = Envoy::new(self.roots.clone(), Proxies::default());
        if let Some((url, variable)) = container::named().filter(|_| container) {
            let asked = container::ask(&url, variable, &envoy);
            return within("the container's credential service", asked).await.map(Some);
        }
        if !instance || instance::is_disabled() {
            return Ok(None);
        }
        within("this machine's metadata service", instance::ask(files, &envoy)).await
    }
}

/// Keys of the process's environment.
fn of_environment() -> Result<Option<Credentials>> {
    let keys = StaticCredentials::from_environment(&Environment::process())?;
    Ok(keys.and_then(|keys| tagged(keys.into_credentials(), Feature::CredentialsEnvVars)))
}

/// As long as there is patience.
async fn within<T>(what: &str, asked: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let text = format!("{what} gave no credentials within {}", humantime::format_duration(PATIENCE));
            Err(Error::new(ErrorKind::Denied, text)
                .hint_is("see why it takes so long, then run the same command again"))
        }
    }
}
