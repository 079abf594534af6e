//! What a person is told when the store cannot be used: one line, a hint, the right exit code, nothing written.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::bed::{Bed, Said, minio};
use support::nobody::{NO_HOST, Nobody};

/// Names and numbers of this run, replaced by what they are.
fn settled(bed: &Bed, said: &Said) -> String {
    // How many retries are told depends on how long they take.
    let lines = said.stderr.lines().filter(|line| !line.contains("; trying again in "));
    let mut text = format!("exit {}\n{}", said.code.unwrap(), lines.collect::<Vec<_>>().join("\n"));
    let server = bed.bucket().server();
    let authority = server.endpoint().trim_start_matches("http://");
    for (from, to) in [
        (bed.bucket().name(), "BUCKET"),
        (bed.bucket().keys().id.as_str(), "KEYID"),
        (authority, "HOST:PORT"),
        (authority.rsplit_once(':').unwrap().1, "PORT"),
    ] {
        text = text.replace(from, to);
    }
    assert!(said.stdout.is_empty(), "nothing on stdout");
    text
}

fn with(bed: &Bed, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let output = bed.command(arguments).envs(variables.iter().copied()).output().unwrap();
    Said { code: output.status.code(), stdout: output.stdout, stderr: String::from_utf8(output.stderr).unwrap() }
}

fn bed() -> Bed {
    let bed = minio();
    bed.write("model.bin", b"content");
    bed
}

#[test]
fn an_unknown_bucket() {
    let bed = bed();
    for arguments in [&["put", "model.bin"][..], &["get", "model.bin"], &["ls"], &["rm", "model.bin"]] {
        // Temporary keys are for one bucket: root's are asked about another.
        let root = bed.bucket().server().root();
        let variables = [
            ("CHECKPOINT_BUCKET", "no-such-bucket"),
            ("AWS_ACCESS_KEY_ID", &root.id),
            ("AWS_SECRET_ACCESS_KEY", &root.secret),
            ("AWS_SESSION_TOKEN", ""),
        ];
        let said = with(&bed, &variables, arguments);
        assert_eq!(said.code, Some(4), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains("no-such-bucket"), "{arguments:?}: {}", said.stderr);
        insta::assert_snapshot!(format!("unknown_bucket_{}", arguments[0]), settled(&bed, &said));
    }
}

#[test]
fn another_bucket_than_the_one_allowed() {
    let bed = bed();
    let said = with(&bed, &[("CHECKPOINT_BUCKET", "not-mine")], &["put", "model.bin"]);
    insta::assert_snapshot!(settled(&bed, &said));
}

#[test]
fn a_wrong_key_and_a_wrong_secret() {
    let bed = bed();
    let wrong_key = [("AWS_ACCESS_KEY_ID", "AKIDWRONG"), ("AWS_SESSION_TOKEN", "")];
    insta::assert_snapshot!("wrong_key", settled(&bed, &with(&bed, &wrong_key, &["put", "model.bin"])));
    let wrong_secret = [("AWS_SECRET_ACCESS_KEY", "canary-secret")];
    let said = with(&bed, &wrong_secret, &["put", "model.bin"]);
    assert!(!said.stderr.contains("canary"));
    insta::assert_snapshot!("wrong_secret", settled(&bed, &said));
}

#[test]
fn no_credentials_at_all() {
    let bed = bed();
    let none = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_SESSION_TOKEN", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    insta::assert_snapshot!(settled(&bed, &with(&bed, &none, &["ls"])));
}

#[test]
fn half_of_the_credentials() {
    let bed = bed();
    insta::assert_snapshot!(settled(&bed, &with(&bed, &[("AWS_SECRET_ACCESS_KEY", "")], &["ls"])));
}

#[test]
fn nobody_listens() {
    let bed = bed();
    let nobody = Nobody::bind();
    let said = with(&bed, &[("S3_ENDPOINT", &nobody.endpoint())], &["put", "model.bin"]);
    insta::assert_snapshot!(settled(&bed, &said).replace(&nobody.port().to_string(), "PORT"));
}

#[test]
fn no_such_host() {
    let bed = bed();
    let said = with(&bed, &[("S3_ENDPOINT", &format!("http://{NO_HOST}:9000"))], &["put", "model.bin"]);
    insta::assert_snapshot!(settled(&bed, &said).replace(NO_HOST, "minio.invalid"));
}

#[test]
fn endpoints_that_are_none() {
    let bed = bed();
    for (name, endpoint) in [("scheme", "ftp://127.0.0.1:9000"), ("port", "http://127.0.0.1:port"), ("space", "a b")] {
        let said = with(&bed, &[("S3_ENDPOINT", endpoint)], &["put", "model.bin"]);
        assert_eq!(said.code, Some(2), "{endpoint}");
        insta::assert_snapshot!(format!("endpoint_{name}"), settled(&bed, &said));
    }
}

#[test]
fn every_spelling_of_the_endpoint_works() {
    let bed = bed();
    let authority = bed.bucket().server().endpoint().trim_start_matches("http://").to_owned();
    let by_name = authority.replace("127.0.0.1", "LocalHost");
    for endpoint in [
        format!("http://{authority}/"),
        format!("HTTP://{authority}"),
        authority.clone(),
        format!("{authority}/"),
        format!("http://{by_name}"),
        by_name,
    ] {
        for arguments in [&["put", "model.bin"][..], &["get", "model.bin", "back.bin"], &["rm", "model.bin"]] {
            let said = with(&bed, &[("S3_ENDPOINT", &endpoint)], arguments);
            assert_eq!(said.code, Some(0), "{endpoint} {arguments:?}: {}", said.stderr);
        }
    }
}

#[test]
fn plain_http_where_the_server_speaks_tls_and_the_other_way_round() {
    let bed = bed();
    let tls = support::minio::shared_tls().endpoint();
    let port = tls.rsplit_once(':').unwrap().1;
    let plain = tls.replace("https", "http");
    let said = with(&bed, &[("S3_ENDPOINT", &plain)], &["ls"]);
    insta::assert_snapshot!("http_to_tls", settled(&bed, &said).replace(port, "PORT"));
    let secure = bed.bucket().server().endpoint().replace("http", "https");
    insta::assert_snapshot!("tls_to_http", settled(&bed, &with(&bed, &[("S3_ENDPOINT", &secure)], &["ls"])));
    // No AWS_CA_BUNDLE: the certificate is nobody's.
    let said = with(&bed, &[("S3_ENDPOINT", tls)], &["ls"]);
    insta::assert_snapshot!("untrusted_certificate", settled(&bed, &said).replace(port, "PORT"));
}

#[test]
fn each_permission_that_is_missing_is_told() {
    let bed = bed();
    for (name, denied, arguments) in [
        ("put", "s3:PutObject", &["put", "model.bin"][..]),
        ("get", "s3:GetObject", &["get", "there.bin"]),
        ("list", "s3:ListBucket", &["ls"]),
        ("delete", "s3:DeleteObject", &["rm", "there.bin"]),
    ] {
        bed.bucket().write("there.bin", b"1234567");
        let keys = bed.bucket().keys_without(denied);
        let token = keys.token.clone().unwrap();
        let variables =
            [("AWS_ACCESS_KEY_ID", &*keys.id), ("AWS_SECRET_ACCESS_KEY", &keys.secret), ("AWS_SESSION_TOKEN", &token)];
        let said = with(&bed, &variables, arguments);
        assert_eq!(said.code, Some(7), "{denied}: {}", said.stderr);
        insta::assert_snapshot!(format!("without_{name}"), settled(&bed, &said));
    }
    assert_eq!(bed.bucket().object_keys(), ["there.bin"], "nothing was written or removed");
}

#[test]
fn missing_and_clashing_keys() {
    let bed = bed();
    let fails = |name: &str, arguments: &[&str]| {
        insta::assert_snapshot!(format!("key_{name}"), settled(&bed, &bed.run(arguments)));
    };
    fails("missing", &["get", "nothing/here.bin"]);
    bed.ok(["put", "model.bin", "a/file"]);
    fails("below_a_file", &["put", "model.bin", "a/file/below"]);
    fails("a_directory", &["put", "model.bin", "a"]);
    bed.write("run/x.bin", b"x");
    bed.ok(["put", "run"]);
    fails("inside_a_checkpoint", &["put", "model.bin", "run/y.bin"]);
    bed.write("run/x.bin", b"y");
    let said = bed.run(["put", "run"]);
    assert_eq!(said.code, Some(8), "{}", said.stderr);
    assert!(said.stderr.contains("it was committed at 20"), "{}", said.stderr);
    fails("member_of_a_checkpoint", &["rm", "run/x.bin"]);
    fails("a_bare_directory", &["get", "a"]);
    assert_eq!(bed.bucket().read("run/x.bin"), b"x");
}
