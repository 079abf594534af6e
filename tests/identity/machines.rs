//! Containers and instances, whose metadata services give credentials; and what is asked of them.

use crate::support::faulty::{Answering, Faulty, Request, Response};
use crate::{CANARY, assert_signed_by, bed_with, given, refused};

/// EKS Pod Identity: a full URI on loopback, and a token in a file.
#[test]
fn a_container_with_a_token_file() {
    let agent = Answering::start(|_| Some(given("ASIAPOD")));
    let server = Faulty::start([]);
    let uri = agent.endpoint() + "/v1/credentials";
    let bed = bed_with(
        &server,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "given/token"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this one"),
        ],
    );
    bed.write("given/token", b"pod-token");
    assert_signed_by(&bed, &server, "ASIAPOD");
    let asked = agent.requests().pop().unwrap();
    assert_eq!((asked.path(), asked.header("authorization")), ("/v1/credentials", Some("pod-token")));
}

/// Only loopback and the addresses of ECS and EKS may be asked without TLS.
#[test]
fn a_container_uri_elsewhere_is_not_asked() {
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/steal")]);
    refused(&bed, &server, &["ls"]);
}

#[test]
fn what_a_container_agent_does_wrong_is_told_without_its_secrets() {
    let server = Faulty::start([]);
    let garbage = format!("{{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"{CANARY}\"");
    for answer in [Response::new(500), Response::new(404).body("{}"), Response::new(200).body(garbage)] {
        let agent = Answering::start(move |_| Some(answer.clone()));
        let bed = bed_with(&server, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint())]);
        refused(&bed, &server, &["ls", "-v"]);
    }
}

pub(crate) fn metadata(request: &Request) -> Option<Response> {
    let response = match (request.method.as_str(), request.path()) {
        ("PUT", "/latest/api/token") => {
            assert!(request.header("x-aws-ec2-metadata-token-ttl-seconds").is_some());
            Response::new(200).header("x-aws-ec2-metadata-token-ttl-seconds", "21600").body("v2-token")
        }
        ("GET", path) if request.header("x-aws-ec2-metadata-token") == Some("v2-token") => {
            if path.ends_with("/security-credentials-extended/") || path.ends_with("/security-credentials/") {
                Response::new(200).body("trainer")
            } else if path.ends_with("/trainer") {
                given("ASIAIMDS")
            } else {
                Response::new(404)
            }
        }
        _ => Response::new(401),
    };
    Some(response)
}

/// The token first, then the role by its name, then its credentials.
#[test]
fn an_instance_with_a_role() {
    let imds = Answering::start(metadata);
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.endpoint())]);
    assert_signed_by(&bed, &server, "ASIAIMDS");
    assert_eq!(imds.requests()[0].method, "PUT");
    // A profile that says no more than a region leaves the question to the machine, as with the AWS CLI.
    bed.write("home/.aws/config", b"[profile region]\nregion = us-east-1\n");
    bed.ok(["ls", "--profile", "region"]);
    assert_eq!(crate::signer(&server).unwrap(), "ASIAIMDS");
}

#[test]
fn an_instance_is_not_asked_where_that_is_disabled_or_keys_are_given() {
    let imds = Answering::start(metadata);
    let server = Faulty::start([]);
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.endpoint());
    let endpoint = (endpoint.0, endpoint.1.as_str());
    let bed = bed_with(&server, &[endpoint, ("AWS_EC2_METADATA_DISABLED", "true")]);
    refused(&bed, &server, &["ls"]);
    let bed = bed_with(&server, &[endpoint, ("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", "s")]);
    assert_signed_by(&bed, &server, "AKIDENV");
    assert!(imds.requests().is_empty());
}

/// A hop limit that is too low swallows the answer with the token; an instance may have version 2 switched off.
#[test]
fn a_service_that_gives_no_token_is_told_apart_from_none() {
    let server = Faulty::start([]);
    let silent = Answering::start(|_| None);
    let old =
        Answering::start(|request| if request.method == "PUT" { Some(Response::new(404)) } else { metadata(request) });
    let roleless =
        Answering::start(|request| if request.method == "PUT" { metadata(request) } else { Some(Response::new(404)) });
    for (endpoint, said) in [
        (silent.endpoint(), "--http-put-response-hop-limit 2"),
        (old.endpoint(), "refuses the token of its version 2 (IMDSv2)"),
        (roleless.endpoint(), "no AWS credentials were found"),
        ("http://127.0.0.1:9".to_owned(), "no AWS credentials were found"),
    ] {
        let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
        let refusal = refused(&bed, &server, &["ls"]);
        assert!(refusal.contains(said), "{refusal}");
    }
}

#[test]
fn a_token_file_that_is_not_there_is_named() {
    let agent = Answering::start(|_| Some(given("ASIAPOD")));
    let server = Faulty::start([]);
    let bed = bed_with(
        &server,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "given/gone"),
        ],
    );
    assert!(refused(&bed, &server, &["ls"]).contains("the token in 'given/gone' cannot be read"));
    assert!(agent.requests().is_empty());
}

/// Answers that are wrong, and none: a hop limit that is too low swallows the token.
#[test]
fn what_a_metadata_service_does_wrong_is_told() {
    let server = Faulty::start([]);
    let garbage = |request: &Request| match request.method.as_str() {
        "PUT" => metadata(request),
        _ if request.path().ends_with("/trainer") => Some(Response::new(200).body(format!("{CANARY}{{"))),
        _ => metadata(request),
    };
    for imds in [
        Answering::start(|_| Some(Response::new(500))),
        Answering::start(|_| Some(Response::new(403))),
        Answering::start(garbage),
        Answering::start(|_| None),
    ] {
        let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.endpoint())]);
        refused(&bed, &server, &["ls", "-v"]);
        assert!(!imds.requests().is_empty());
    }
}

/// What they give is a secret in clear: no proxy sees it, whatever the environment says of proxies.
#[test]
fn no_proxy_is_between_the_command_and_its_machine() {
    let proxy = Answering::start(|_| Some(Response::new(502)));
    let proxied = proxy.endpoint();
    let server = Faulty::start([]);
    let store = server.endpoint().replace("127.0.0.1", "localhost");
    let (agent, imds) = (Answering::start(|_| Some(given("ASIAPOD"))), Answering::start(metadata));
    let proxies = [("HTTP_PROXY", proxied.as_str()), ("http_proxy", &proxied), ("ALL_PROXY", &proxied)];
    let proxies = [&proxies[..], &[("NO_PROXY", "localhost"), ("S3_ENDPOINT", &store)]].concat();
    let bed = bed_with(&server, &[&proxies[..], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint())]].concat());
    assert_signed_by(&bed, &server, "ASIAPOD");
    let bed = bed_with(&server, &[&proxies[..], &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.endpoint())]].concat());
    assert_signed_by(&bed, &server, "ASIAIMDS");
    assert!(proxy.requests().is_empty());
}
