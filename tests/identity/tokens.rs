//! Tokens that are exchanged for credentials: web identity (EKS), and single sign-on.

use sha1::{Digest, Sha1};

use crate::support::bed::{Bed, said};
use crate::support::faulty::{Answering, Faulty, Response};
use crate::{CANARY, assert_signed_by, assumed, bed_with, field, refused};

const BASE: &str = "aws_access_key_id = AKIDBASE\naws_secret_access_key = s\n";

fn with_token(server: &Faulty, sts: &Answering) -> Bed {
    let bed = bed_with(
        server,
        &[
            ("AWS_ENDPOINT_URL_STS", &sts.endpoint()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "given/token"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/irsa"),
            ("AWS_ROLE_SESSION_NAME", "pod"),
        ],
    );
    bed.write("given/token", format!("jwt.{CANARY}").as_bytes());
    bed
}

/// The token file and the role in the environment, as EKS sets them; before static keys of a profile, after a role of one.
#[test]
fn a_web_identity_has_its_place_in_the_order() {
    let sts = Answering::start(|request| {
        let action = field(&request.body, "Action").unwrap();
        let id = if action == "AssumeRole" { "ASIAROLE" } else { "ASIATOKEN" };
        Some(assumed(&action, id))
    });
    let server = Faulty::start([]);
    let bed = with_token(&server, &sts);
    assert_signed_by(&bed, &server, "ASIATOKEN");
    let asked = sts.requests().pop().unwrap();
    let sent = ["RoleArn", "RoleSessionName", "WebIdentityToken"].map(|name| field(&asked.body, name).unwrap());
    assert_eq!(sent, ["arn:aws:iam::123456789012:role/irsa", "pod", &format!("jwt.{CANARY}")]);
    bed.write("home/.aws/credentials", format!("[default]\n{BASE}").as_bytes());
    assert_signed_by(&bed, &server, "ASIATOKEN");
    bed.write("home/.aws/config", b"[default]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = default\n");
    assert_signed_by(&bed, &server, "ASIAROLE");
    bed.write("home/.aws/config", format!("[profile named]\n{BASE}").as_bytes());
    bed.ok(["ls", "--profile", "named"]);
    assert_eq!(crate::signer(&server).unwrap(), "AKIDBASE", "what is typed wins over the environment");
    for (arguments, signer) in [(&["ls"][..], "ASIATOKEN"), (&["ls", "--profile", "named"], "AKIDBASE")] {
        let listed = said(bed.command(arguments).env("AWS_PROFILE", "named").output().unwrap());
        assert_eq!((listed.code, &*crate::signer(&server).unwrap()), (Some(0), signer), "by that name: {listed:?}");
    }
}

#[test]
fn a_web_identity_of_a_profile() {
    let sts = Answering::start(|_| Some(assumed("AssumeRoleWithWebIdentity", "ASIATOKEN")));
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_ENDPOINT_URL_STS", &sts.endpoint())]);
    bed.write("given/token", b"jwt");
    bed.write(
        "home/.aws/config",
        b"[default]\nrole_arn = arn:aws:iam::1:role/a\nweb_identity_token_file = given/token\nrole_session_name = n\n",
    );
    assert_signed_by(&bed, &server, "ASIATOKEN");
}

#[test]
fn what_is_wrong_with_a_web_identity_is_told() {
    let server = Faulty::start([]);
    let expired = "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>";
    let sts = Answering::start(move |_| Some(Response::xml(400, expired)));
    let bed = with_token(&server, &sts);
    assert!(refused(&bed, &server, &["ls"]).contains("Token expired"));
    std::fs::remove_file(bed.path("given/token")).unwrap();
    refused(&bed, &server, &["ls"]);
}

/// Whoever refused is told, not whoever else there is; in the service's own words, never in a programmer's.
#[test]
fn the_step_that_failed_is_the_one_that_is_told() {
    let server = Faulty::start([]);
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User me may not</Message></Error></ErrorResponse>";
    for (answer, words) in [
        (Response::xml(403, denied), "answered AccessDenied: User me may not"),
        (Response::xml(400, "<Error><Code>InvalidParameterValue</Code></Error>"), "InvalidParameterValue (status 400)"),
        (Response::new(403), "answered with status 403 and no reason"),
    ] {
        let sts = Answering::start(move |_| Some(answer.clone()));
        let role = "[profile r]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = team\n";
        let process =
            "credential_process = printf '{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\",\"SecretAccessKey\":\"s\"}'\n";
        let portal = portal(200, ROLE);
        let over_sso = single_sign_on(&server, &portal);
        cached(&over_sso, "2099-01-01T00:00:00Z");
        let config = String::from_utf8(over_sso.read("home/.aws/config")).unwrap() + role;
        over_sso.write("home/.aws/config", config.as_bytes());
        let over_process = bed_with(&server, &[]);
        over_process.write("home/.aws/config", format!("[profile team]\n{process}{role}").as_bytes());
        let by_token = with_token(&server, &sts);
        by_token.write("home/.aws/config", format!("[default]\n{process}").as_bytes());
        for (bed, profile, what) in [
            (&over_sso, Some("r"), "the role arn:aws:iam::1:role/a of the AWS profile 'r' cannot be assumed"),
            (&over_process, Some("r"), "the role arn:aws:iam::1:role/a of the AWS profile 'r' cannot be assumed"),
            (&by_token, None, "cannot be had for the web identity token in 'given/token'"),
        ] {
            let arguments = ["ls", "--profile", profile.unwrap_or_default()];
            let arguments = if profile.is_some() { &arguments[..] } else { &arguments[..1] };
            let said = said(bed.command(arguments).env("AWS_ENDPOINT_URL_STS", sts.endpoint()).output().unwrap());
            assert_eq!(said.code, Some(7), "{said:?}");
            assert!(said.stderr.contains(what) && said.stderr.contains(words), "{said:?}");
            for wrong in ["sso login", "credential_process", "Error {", "ErrorMetadata", "dispatch failure"] {
                assert!(!said.stderr.contains(wrong), "{wrong}: {said:?}");
            }
        }
    }
}

fn cached(bed: &Bed, expires_at: &str) {
    let name: String = Sha1::digest(b"corp").iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(r#"{{"accessToken":"sso-{CANARY}","expiresAt":"{expires_at}"}}"#);
    bed.write(&format!("home/.aws/sso/cache/{name}.json"), text.as_bytes());
}

fn single_sign_on(server: &Faulty, portal: &Answering) -> Bed {
    let bed = bed_with(server, &[("AWS_ENDPOINT_URL_SSO", &portal.endpoint())]);
    bed.write(
        "home/.aws/config",
        b"[profile team]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Trainer\n\
          [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n",
    );
    bed
}

fn portal(status: u16, body: &'static str) -> Answering {
    let body = body.replace("CANARY", CANARY);
    Answering::start(move |_| Some(Response::new(status).header("content-type", "application/json").body(body.clone())))
}

const ROLE: &str = r#"{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"CANARY","sessionToken":"CANARY","expiration":4070908800000}}"#;

#[test]
fn a_session_of_single_sign_on() {
    let server = Faulty::start([]);
    let portal = portal(200, ROLE);
    let bed = single_sign_on(&server, &portal);
    cached(&bed, "2099-01-01T00:00:00Z");
    bed.ok(["ls", "--profile", "team"]);
    assert_eq!(crate::signer(&server).unwrap(), "ASIASSO");
    let asked = portal.requests().pop().unwrap();
    assert_eq!((asked.param("account_id"), asked.param("role_name")), (Some("123456789012"), Some("Trainer")));
    assert_eq!(asked.header("x-amz-sso_bearer_token"), Some(&*format!("sso-{CANARY}")));
}

#[test]
fn a_session_that_ended_names_the_command_that_begins_another() {
    let server = Faulty::start([]);
    let refusal = r#"{"__type":"UnauthorizedException","message":"Session token not found or invalid"}"#;
    for (expires_at, portal) in [
        (Some("2020-01-01T00:00:00Z"), portal(200, ROLE)),
        (None, portal(200, ROLE)),
        (Some("no time"), portal(200, ROLE)),
        (Some("2099-01-01T00:00:00Z"), portal(401, refusal)),
        (Some("2099-01-01T00:00:00Z"), portal(200, "CANARY")),
    ] {
        let bed = single_sign_on(&server, &portal);
        if let Some(expires_at) = expires_at {
            cached(&bed, expires_at);
        }
        let said = refused(&bed, &server, &["ls", "-v", "--profile", "team"]);
        assert!(said.contains("aws sso login --profile team"), "{said}");
    }
}
