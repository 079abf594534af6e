//! Who the command is to the store: every source of credentials through the real binary, credentials that end before a
//! transfer does, clocks that are wrong, and secrets that are never shown.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod clock;
mod dotenv;
mod gaps;
mod long;
mod machines;
mod profiles;
mod secrets;
mod tokens;

use support::bed::{self, Bed, Said, files_below};
use support::faulty::{BUCKET, Faulty, Operation, Response};

/// What no output may have in it.
const CANARY: &str = "hunter2/canary+SECRET=";

/// A directory whose commands reach the scripted store and have no credentials, nor a machine that gives some.
fn bed(server: &Faulty) -> Bed {
    bed_with(server, &[])
}

fn bed_with(server: &Faulty, more: &[(&str, &str)]) -> Bed {
    let endpoint = server.endpoint();
    let usual = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("S3_ENDPOINT", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("STRATA_RETRIES", "2"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ];
    let disabled = ("AWS_EC2_METADATA_DISABLED", "true");
    let is_given = more.iter().any(|(name, _)| name.starts_with("AWS_EC2_METADATA"));
    let variables = usual.into_iter().chain((!is_given).then_some(disabled)).chain(more.iter().copied());
    bed::with(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// The id that signed the last request.
fn signer(server: &Faulty) -> Option<String> {
    let request = server.requests(Operation::Any).pop()?;
    Some(request.header("authorization")?.split("Credential=").nth(1)?.split('/').next()?.to_owned())
}

/// `ls` succeeds and was signed with this id.
fn assert_signed_by(bed: &Bed, server: &Faulty, id: &str) {
    let said = bed.ok(["ls"]);
    assert_eq!(signer(server).as_deref(), Some(id), "{}", said.stderr);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
}

/// `ls` ends with 7 and a hint, without a request to the store and without a secret.
fn refused(bed: &Bed, server: &Faulty, arguments: &[&str]) -> String {
    let said = bed.run(arguments);
    assert_eq!(said.code, Some(7), "{}", said.stderr);
    assert!(said.stderr.contains("hint: ") && !said.stderr.contains("panicked"), "{}", said.stderr);
    assert!(server.requests(Operation::Any).is_empty(), "{}", said.stderr);
    assert_silent(bed, &said, &[CANARY]);
    said.stderr
}

/// None of these is on stdout, on stderr, or in a file that the command wrote; those of the test lie in `given/`.
fn assert_silent(bed: &Bed, said: &Said, secrets: &[&str]) {
    let mut written = String::from_utf8_lossy(&said.stdout).into_owned() + &said.stderr;
    for (path, content) in files_below(&bed.path(".")) {
        if !path.starts_with("given/") && !path.contains(".aws/") && path != ".env" {
            written += &String::from_utf8_lossy(&content);
        }
    }
    for secret in secrets {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
}

/// What a token service answers: an hour of credentials with this id.
fn assumed(action: &str, id: &str) -> Response {
    Response::xml(
        200,
        &format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
             <SessionToken>{CANARY}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
             <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/a/b</Arn><AssumedRoleId>A:b</AssumedRoleId>\
             </AssumedRoleUser></{action}Result></{action}Response>"
        ),
    )
}

/// What metadata services answer: the same as JSON.
fn given(id: &str) -> Response {
    let text = format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","LastUpdated":"2020-01-01T00:00:00Z","AccessKeyId":"{id}","SecretAccessKey":"{CANARY}","Token":"{CANARY}","Expiration":"2099-01-01T00:00:00Z"}}"#
    );
    Response::new(200).header("content-type", "application/json").body(text)
}

/// A field of a form that was sent.
fn field(body: &[u8], name: &str) -> Option<String> {
    let pairs = std::str::from_utf8(body).unwrap().split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(own, _)| *own == name)?.1.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
}
