//! What is set up and comes to nothing ends the search: on a machine with a role of its own, which would otherwise sign.

use crate::support::faulty::{Answering, Faulty};
use crate::{CANARY, assert_signed_by, assumed, bed_with, machines, refused, signer};

const KEYS: &str = "aws_access_key_id = AKIDBASE\naws_secret_access_key = s3cr=t\n";
const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/a\n";

#[test]
fn a_profile_with_a_gap_is_not_the_machines_role() {
    let imds = Answering::start(machines::metadata);
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.endpoint())]);
    let sso = "sso_session = corp\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://x\n";
    for (profile, said) in [
        (format!("{ROLE}source_profile = gone\n"), "'gone' (source_profile), which is not there"),
        (format!("{ROLE}source_profile = r\n"), "its own source_profile"),
        (ROLE.to_owned(), "neither source_profile nor credential_source"),
        (format!("{ROLE}credential_source = Env\n"), "credential_source 'Env'"),
        (sso.to_owned(), "no sso_account_id"),
        (
            "sso_session = absent\nsso_account_id = 1\nsso_role_name = r\n".to_owned(),
            "'absent', and there is no such section",
        ),
        ("aws_access_key_id = AKID\n".to_owned(), "no aws_secret_access_key"),
        ("login_session = arn:aws:iam::1:user/x\n".to_owned(), "export-credentials --profile r"),
    ] {
        bed.write("home/.aws/config", format!("[profile r]\n{profile}").as_bytes());
        let refusal = refused(&bed, &server, &["ls", "--profile", "r"]);
        assert!(refusal.contains("the AWS profile 'r'") && refusal.contains(said), "{said}: {refusal}");
    }
    assert!(imds.requests().is_empty(), "nobody asked the machine");
}

/// AWS's own loader takes such a file for an empty one.
#[test]
fn a_file_that_is_not_utf_8_is_named_with_its_line() {
    let imds = Answering::start(machines::metadata);
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds.endpoint())]);
    let secret = format!("aws_access_key_id = AKIDMINE\naws_secret_access_key = {CANARY}\n");
    bed.write("home/.aws/credentials", &[b"[default]\n# J\xfcrgen\n", secret.as_bytes()].concat());
    let said = refused(&bed, &server, &["ls"]);
    assert!(said.contains(".aws/credentials' is not UTF-8: see line 2"), "{said}");
}

#[test]
fn a_token_without_a_role_is_not_the_machines_role() {
    let imds = Answering::start(machines::metadata);
    let server = Faulty::start([]);
    let endpoint = imds.endpoint();
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", "given/token");
    let bed = bed_with(&server, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint), token]);
    let said = refused(&bed, &server, &["ls"]);
    assert!(said.contains("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not"), "{said}");
    let bed = bed_with(
        &server,
        &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint), token, ("AWS_ROLE_ARN", "arn:aws:iam::1:role/a")],
    );
    let said = refused(&bed, &server, &["ls"]);
    assert!(said.contains("the web identity token in 'given/token' cannot be read"), "{said}");
}

/// An empty variable counts as unset, for whatever it names.
#[test]
fn empty_variables_are_unset() {
    let agent = Answering::start(|_| Some(crate::given("ASIAPOD")));
    let server = Faulty::start([]);
    let empty = [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CA_BUNDLE",
        "HTTP_PROXY",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    ]
    .map(|name| (name, ""));
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
    let bed = bed_with(
        &server,
        &[&empty[..], &[disabled, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.endpoint())]].concat(),
    );
    assert_signed_by(&bed, &server, "ASIAPOD");
    bed.write("home/.aws/credentials", format!("[default]\n{KEYS}").as_bytes());
    assert_signed_by(&bed, &server, "AKIDBASE");
    let bed = bed_with(&server, &[&empty[..], &[disabled, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")]].concat());
    let said = bed.run(["ls"]);
    assert_eq!(said.code, Some(7), "{said:?}");
    assert!(said.stderr.contains("no AWS credentials were found"), "{said:?}");
}

#[test]
fn profiles_with_spaces_and_the_other_variable() {
    let server = Faulty::start([]);
    let bed = bed_with(&server, &[("AWS_DEFAULT_PROFILE", "my team")]);
    bed.write("home/.aws/config", format!("\u{feff}[profile \"my team\"]\n{KEYS}").as_bytes());
    assert_signed_by(&bed, &server, "AKIDBASE");
    let bed = bed_with(&server, &[("AWS_DEFAULT_PROFILE", "my team"), ("AWS_PROFILE", "other")]);
    bed.write("home/.aws/credentials", b"[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = s\n");
    bed.ok(["ls"]);
    assert_eq!(signer(&server).unwrap(), "AKIDOTHER");
}

/// Each of these ended AWS's own loader, and the process with it.
#[test]
fn settings_that_awss_loader_does_not_know_are_no_matter() {
    let sts = Answering::start(|_| Some(assumed("AssumeRole", "ASIAROLE")));
    let server = Faulty::start([]);
    for (name, value) in [
        ("AWS_RETRY_MODE", "legacy"),
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_MAX_ATTEMPTS", "x"),
        ("AWS_CA_BUNDLE", "given/junk.pem"),
        ("SSL_CERT_FILE", "/nonexistent"),
        ("SSL_CERT_FILE", "given/junk.pem"),
    ] {
        let variables = [("AWS_ENDPOINT_URL_STS", &*sts.endpoint()), ("AWS_PROFILE", "r"), (name, value)];
        let bed = bed_with(&server, &variables);
        bed.write("given/junk.pem", b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
        let text = format!("[profile b]\n{KEYS}[profile r]\nretry_mode = legacy\n{ROLE}source_profile = b\n");
        bed.write("home/.aws/config", text.as_bytes());
        assert_signed_by(&bed, &server, "ASIAROLE");
    }
}

/// What is needed and cannot be read is a wrong setting, never a thing that is not there.
#[test]
fn certificates_that_cannot_be_read_are_a_wrong_setting() {
    let server = Faulty::start([]);
    for (name, value) in [
        ("AWS_CA_BUNDLE", "/nonexistent.pem"),
        ("AWS_CA_BUNDLE", "given/junk.pem"),
        ("SSL_CERT_FILE", "/nonexistent.pem"),
    ] {
        let variables = [("AWS_ENDPOINT_URL_STS", "https://127.0.0.1:9"), ("AWS_PROFILE", "r"), (name, value)];
        let bed = bed_with(&server, &variables);
        bed.write("given/junk.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        bed.write("home/.aws/config", format!("[profile b]\n{KEYS}[profile r]\n{ROLE}source_profile = b\n").as_bytes());
        bed.write("model.bin", b"x");
        for arguments in [&["ls"][..], &["get", "k", "-"], &["put", "model.bin"]] {
            let said = bed.run(arguments);
            assert_eq!(said.code, Some(2), "{name} {arguments:?}: {said:?}");
            assert!(said.stderr.contains(value) && said.stderr.contains(name), "{said:?}");
        }
    }
}
