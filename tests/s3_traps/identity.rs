//! Keys out of the AWS files, read by AWS's own chain: rusoto cuts secrets at their `=` and panics on a line without.

use std::process::{Command, Output};

use crate::support::bed::{self, Bed};
use crate::support::faulty::{BUCKET, Faulty, Operation};
use crate::support::minio;

/// `strata-ckpt ls` against an endpoint, with a credentials file as the only source of keys.
fn ls(bed: &Bed, endpoint: &str, bucket: &str, credentials: &str) -> Output {
    bed.write("credentials", credentials.as_bytes());
    let mut command: Command = bed.command(["ls"]);
    command
        .envs([("STORAGE_BACKEND", "s3"), ("CHECKPOINT_BUCKET", bucket), ("S3_ENDPOINT", endpoint)])
        .envs([("AWS_REGION", "us-east-1"), ("STRATA_RETRIES", "0"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .env("AWS_SHARED_CREDENTIALS_FILE", bed.path("credentials"));
    command.output().unwrap()
}

fn profile(id: &str, secret: &str) -> String {
    format!(
        "# a comment\n[other]\naws_access_key_id=no\n\n[default]\naws_access_key_id = {id}\naws_secret_access_key={secret}\n"
    )
}

/// MinIO checks the signature, so it is the whole secret that was used.
#[test]
fn a_secret_with_equals_signs_is_whole() {
    let server = minio::shared();
    let root = server.root();
    assert!(root.secret.contains('=') && root.secret.ends_with('='));
    let bucket = server.bucket();
    bucket.write("model.bin", b"content");
    let bed = bed::local();
    let output = ls(&bed, server.endpoint(), bucket.name(), &profile(&root.id, &root.secret));
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("model.bin"), "{output:?}");
    let cut = root.secret.split('=').next().unwrap();
    let output = ls(&bed, server.endpoint(), bucket.name(), &profile(&root.id, cut));
    assert_eq!(output.status.code(), Some(7), "{output:?}");
}

#[test]
fn a_token_with_equals_signs_is_whole() {
    let server = Faulty::start([]);
    let credentials = profile("AKIDFILE", "secret") + "aws_session_token = a=b/+==\n";
    let output = ls(&bed::local(), &server.endpoint(), BUCKET, &credentials);
    assert!(output.status.success(), "{output:?}");
    let request = server.requests(Operation::List).pop().unwrap();
    assert_eq!(request.header("x-amz-security-token"), Some("a=b/+=="));
    assert!(request.header("authorization").unwrap().contains("Credential=AKIDFILE/"));
}

/// One clear line and a hint, no panic, and nothing of the file.
#[test]
fn a_line_without_an_equals_sign_is_an_error() {
    let server = Faulty::start([]);
    for line in ["wJalrXUtnFEMIhunter2", "  wJalrXUtnFEMIhunter2", "[default"] {
        let credentials = format!("[default]\naws_access_key_id = AKIDFILE\n{line}\n");
        let output = ls(&bed::local(), &server.endpoint(), BUCKET, &credentials);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{line}: {stderr}");
        assert!(stderr.contains("hint: "), "{line}: {stderr}");
        assert!(!stderr.contains("hunter2") && !stderr.contains("panicked"), "{line}: {stderr}");
        assert!(server.requests(Operation::Any).is_empty());
    }
}
