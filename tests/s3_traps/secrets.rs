//! No key, token or signature in any output: rusoto logs `authorization` and session tokens at debug level, and some
//! servers repeat in their refusals what they were sent.

use crate::support::bed::{self, Bed, Said};
use crate::support::faulty::{Action, BUCKET, Faulty, Operation, Response, Rule};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=EXAMPLEKEY";
const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN//////////wEaDKfs==";

fn run(bed: &Bed, server: &Faulty, arguments: &[&str]) -> Said {
    let mut command = bed.command(arguments);
    command
        .envs([("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", BUCKET), ("S3_ENDPOINT", &server.endpoint())])
        .envs([("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", TOKEN)])
        .envs([
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("STRATA_RETRIES", "1"),
            ("AWS_REGION", "us-east-1"),
        ]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { code: output.status.code(), stdout: output.stdout, stderr }
}

/// Nothing secret, and no signature that the server has seen, on stdout, on stderr or in any file.
fn assert_silent(bed: &Bed, server: &Faulty, arguments: &[&str], said: &Said) {
    let mut written = String::from_utf8_lossy(&said.stdout).into_owned() + &said.stderr;
    for content in bed::files_below(&bed.path(".")).into_values() {
        written += &String::from_utf8_lossy(&content);
    }
    let signatures = server.requests(Operation::Any).into_iter().map(|request| {
        let authorization = request.header("authorization").expect("every request is signed");
        authorization.split("Signature=").nth(1).unwrap().to_owned()
    });
    let secrets = [ID, SECRET, TOKEN, "Signature=", "x-amz-security-token"].map(str::to_owned);
    for secret in secrets.into_iter().chain(signatures) {
        assert!(!written.contains(&secret), "{arguments:?}: {secret} in {written}");
    }
}

#[test]
fn commands_tell_no_secret_at_any_verbosity() {
    let server = Faulty::start([Rule::nth(2, Operation::Any, Action::refuse(500, "InternalError"))]);
    let bed = bed::local();
    bed.write("epoch_1/model.bin", b"weights");
    bed.write("epoch_1/optimizer.bin", b"moments");
    for arguments in [
        &["put", "-v", "epoch_1"][..],
        &["put", "--json", "epoch_1/model.bin", "single"],
        &["ls", "-v", "--json"],
        &["get", "-v", "epoch_1", "restored"],
        &["rm", "-v", "epoch_1"],
        &["get", "-v", "absent"],
    ] {
        let said = run(&bed, &server, arguments);
        assert_eq!(said.code, Some(if arguments.contains(&"absent") { 4 } else { 0 }), "{arguments:?}: {said:?}");
        assert_silent(&bed, &server, arguments, &said);
    }
}

/// What AWS answers to a wrong secret: the text that was signed, which holds the token, and the signature.
#[test]
fn a_server_that_repeats_them_does_not_make_us_tell() {
    let told = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
         <AWSAccessKeyId>{ID}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256</StringToSign>\
         <CanonicalRequest>PUT\n/\n\nx-amz-security-token:{TOKEN}\n</CanonicalRequest></Error>"
    );
    let expired =
        format!("<Error><Code>ExpiredToken</Code><Message>expired</Message><Token-0>{TOKEN}</Token-0></Error>");
    for refusal in [told, expired] {
        let refusal = Action::Answer(Response::xml(403, &refusal));
        let server = Faulty::start([Rule::always(Operation::Any, refusal)]);
        let bed = bed::local();
        bed.write("epoch_1/model.bin", b"weights");
        for arguments in [&["put", "-v", "epoch_1"][..], &["ls", "--json"], &["get", "epoch_1/model.bin", "to"]] {
            let said = run(&bed, &server, arguments);
            assert_eq!(said.code, Some(7), "{arguments:?}: {said:?}");
            assert_silent(&bed, &server, arguments, &said);
        }
    }
}
