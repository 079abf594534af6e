//! The credential service beside a container: ECS by a path, EKS Pod Identity and others by a whole URL
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>). AWS's own provider takes empty
//! variables for set ones, and does not name the file of its token where that cannot be read.

use std::net::IpAddr;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::uri::Scheme;
use http::{HeaderValue, Request, Uri};

use super::config_files::variable;
use super::envoy::Envoy;
use super::given;
use super::unidentified::{Failed, tagged};
use crate::error::{Error, ErrorKind, Result};

/// Where ECS has it.
const ECS: &str = "http://169.254.170.2";
/// The addresses of ECS and of EKS: beside loopback the only ones that are asked without TLS.
const ALLOWED: [IpAddr; 3] = [
    IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
const PATH: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const URL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// The service that the process's variables name, if they do: its URL, and the variable.
pub(super) fn named() -> Option<(String, &'static str)> {
    let path = variable(PATH).map(|path| (format!("{ECS}/{}", path.trim_start_matches('/')), PATH));
    path.or_else(|| Some((variable(URL)?, URL)))
}

/// What the service gives to who shows the token.
pub(super) async fn ask(url: &str, variable: &'static str, envoy: &Envoy) -> Result<Credentials> {
    let invalid = |why: &str| {
        Error::new(ErrorKind::Denied, format!("{variable} cannot be used: {why}"))
            .hint_is("it is https, or http on loopback or at an address of ECS or EKS")
    };
    let uri: Uri = url.parse().map_err(|_| invalid("it is not a URL"))?;
    if uri.scheme() != Some(&Scheme::HTTPS) && !is_beside(&uri).await {
        return Err(invalid("its host is none that may be asked without TLS"));
    }
    let token = token().await?;
    let mut request = Request::get(uri).header(ACCEPT, "application/json");
    if let Some(token) = &token {
        request = request.header(AUTHORIZATION, token.clone());
    }
    let request = request.body(Bytes::new()).map_err(|_| invalid("it is not a URL"))?;
    let failed = Failed {
        what: "the container's credential service gives no credentials".to_owned(),
        hint: format!("check {variable}, and the role that the task or pod has"),
    };
    let token = token.as_ref().and_then(|token| token.to_str().ok()).unwrap_or_default();
    let answer = match envoy.ask(request).await {
        Ok(answer) if answer.status.is_success() => answer,
        Ok(_) => return Err(failed.at(envoy, &[token])),
        Err(error) if error.kind() == ErrorKind::Invalid => return Err(error),
        Err(error) => return Err(failed.because(&error.to_string())),
    };
    let given = given::of_container(&answer.body).and_then(|given| tagged(given, Feature::CredentialsHttp));
    given.ok_or_else(|| failed.at(envoy, &[token]))
}

/// Whether all that a host stands for may be asked without TLS.
async fn is_beside(uri: &Uri) -> bool {
    let is_allowed = |address: IpAddr| address.is_loopback() || ALLOWED.contains(&address);
    let Some(host) = uri.host().map(|host| host.trim_matches(['[', ']'])) else { return false };
    match host.parse() {
        Ok(address) => is_allowed(address),
        Err(_) => match tokio::net::lookup_host((host, 80)).await {
            Ok(found) => {
                let found: Vec<_> = found.collect();
                !found.is_empty() && found.iter().all(|address| is_allowed(address.ip()))
            }
            Err(_) => false,
        },
    }
}

/// What is shown to the service: the token in the file, which is read anew each time, before the one in the variable.
async fn token() -> Result<Option<HeaderValue>> {
    let (text, from) = match variable(TOKEN_FILE) {
        Some(file) => {
            let text = tokio::fs::read_to_string(&file).await.map_err(|error| {
                Error::new(ErrorKind::Denied, format!("the token in '{file}' cannot be read: {}", error.kind()))
                    .hint_is(format!("{TOKEN_FILE} names this file; what is to write the token has not, or elsewhere"))
            })?;
            (text, TOKEN_FILE)
        }
        None => match variable(TOKEN) {
            Some(text) => (text, TOKEN),
            None => return Ok(None),
        },
    };
    // An editor ends a file with a line break.
    let mut value = HeaderValue::from_str(text.trim_end_matches(['\r', '\n'])).map_err(|_| {
        Error::new(ErrorKind::Denied, format!("the token of {from} has characters that none has"))
            .hint_is("it is one line of printable characters")
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_is_beside_is_asked_in_clear() {
        for (url, allowed) in [
            ("http://127.0.0.1:80/x", true),
            ("http://[::1]/x", true),
            ("http://169.254.170.2/x", true),
            ("http://169.254.170.23/x", true),
            ("http://[fd00:ec2::23]/x", true),
            ("http://localhost:80/x", true),
            ("http://169.254.169.254/x", false),
            ("http://192.0.2.1/x", false),
            ("/x", false),
        ] {
            assert_eq!(is_beside(&url.parse().unwrap()).await, allowed, "{url}");
        }
    }
}
