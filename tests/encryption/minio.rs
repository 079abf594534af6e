//! On MinIO, whose key management service has one key; what is there is asked as root.

use http::HeaderMap;

use super::{fill, support};
use support::bed::{self, Bed};
use support::minio::{KMS_KEY, shared};

const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const ALL: [&str; 6] =
    ["small.bin", "large.bin", "run/small.bin", "run/large.bin", "run/.strata/manifest.json", "run/.strata/put.json"];

fn head(bed: &Bed, key: &str) -> HeaderMap {
    let answer = bed.bucket().as_root("HEAD", &format!("/{key}"), b"");
    assert_eq!(answer.status, 200, "{key}");
    answer.headers
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn put_all(bed: &Bed, flags: &[&str]) {
    for source in ["small.bin", "large.bin", "run"] {
        let said = bed.ok(["put", source, "--part-size", "5MiB"].iter().chain(flags));
        assert!(!said.stderr.contains("warning"), "{}", said.stderr);
    }
}

fn get_all(bed: &Bed) {
    for (source, destination) in [("small.bin", "back/small.bin"), ("large.bin", "back/large.bin"), ("run", "back/run")]
    {
        bed.ok(["get", source, destination, "--require-checksum", "--part-size", "5MiB"]);
    }
    bed.assert_same_tree("run", "back/run");
    assert!(bed.read("large.bin") == bed.read("back/large.bin"));
    assert_eq!(bed.read("back/small.bin"), b"small");
    let listed = bed.ok(["ls", "--verify"]);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("complete"));
    bed.assert_nothing_left();
}

#[test]
fn every_object_is_encrypted_as_it_was_asked_for() {
    let keys = ["--sse-kms-key-id", KMS_KEY];
    for (flags, algorithm) in [
        (&["--sse", "aes256"][..], "AES256"),
        (&["--sse", "aws:kms"], "aws:kms"),
        (&keys, "aws:kms"),
        (&["--sse", "AWS:KMS", keys[0], keys[1]], "aws:kms"),
    ] {
        let bed = bed::minio();
        fill(&bed);
        put_all(&bed, flags);
        for key in ALL {
            let headers = head(&bed, key);
            assert_eq!(value(&headers, ALGORITHM), algorithm, "{key}");
            assert_eq!(value(&headers, KEY).ends_with(KMS_KEY), algorithm == "aws:kms", "{key}");
        }
        get_all(&bed);
        for source in ["small.bin", "large.bin", "run"] {
            let again = bed.ok(["put", source].iter().chain(flags));
            assert!(again.stderr.contains("nothing sent") && !again.stderr.contains("warning"), "{}", again.stderr);
        }
        let mut piped = vec!["put", "-", "stream.bin"];
        piped.extend(flags);
        bed.ok_with_input(piped, &bed.read("large.bin"));
        assert_eq!(value(&head(&bed, "stream.bin"), ALGORITHM), algorithm);
    }
}

#[test]
fn a_bucket_that_encrypts_by_itself() {
    for algorithm in ["AES256", "aws:kms"] {
        let bed = bed::on(shared().bucket());
        let key =
            if algorithm == "aws:kms" { format!("<KMSMasterKeyID>{KMS_KEY}</KMSMasterKeyID>") } else { String::new() };
        let rule = format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}\
             </SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        );
        let kept = bed.bucket().as_root("PUT", "?encryption=", rule.as_bytes());
        assert_eq!(kept.status, 200, "{kept:?}");
        fill(&bed);
        put_all(&bed, &[]);
        for key in ALL {
            assert_eq!(value(&head(&bed, key), ALGORITHM), algorithm, "{key}");
        }
        get_all(&bed);
        assert!(bed.ok(["put", "run"]).stderr.contains("nothing sent"));
        bed.ok(["rm", "run"]);
    }
}

#[test]
fn class_and_metadata_are_the_files_own() {
    let bed = bed::minio();
    fill(&bed);
    let flags = ["--storage-class", "reduced_redundancy", "--metadata", "Team=vision lab", "--metadata", "run-id=a=7"];
    put_all(&bed, &flags);
    for key in ALL {
        let headers = head(&bed, key);
        let of_a_file = !key.contains(".strata/");
        let found = ["x-amz-storage-class", "x-amz-meta-team", "x-amz-meta-run-id"].map(|name| value(&headers, name));
        let expected = if of_a_file { ["REDUCED_REDUNDANCY", "vision lab", "a=7"] } else { [""; 3] };
        assert_eq!(found, expected, "{key}");
    }
    get_all(&bed);
}

#[test]
fn what_a_server_does_not_have_is_said() {
    let bed = bed::minio();
    fill(&bed);
    for source in ["small.bin", "large.bin", "run"] {
        let said = bed.run(["put", source, "--storage-class", "STANDARD_IA"]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(
            said.stderr.contains("does not have this storage class") && said.stderr.contains("hint:"),
            "{}",
            said.stderr
        );
        let said = bed.run(["put", source, "--sse-kms-key-id", "no-such-key"]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("the KMS key cannot be used") && said.stderr.contains("hint:"), "{}", said.stderr);
    }
    bed.assert_nothing_left();
    let data = bed.stored_keys().into_iter().filter(|key| !key.ends_with(".strata/put.json")).count();
    assert_eq!(data, 0, "{:?}", bed.stored_keys());
}

#[test]
fn the_same_content_otherwise() {
    let bed = bed::minio();
    fill(&bed);
    put_all(&bed, &["--sse", "AES256"]);
    for source in ["small.bin", "large.bin", "run"] {
        // What costs or labels is no reason to send gigabytes again.
        let labelled = bed.ok(["put", source, "--storage-class", "REDUCED_REDUNDANCY", "--metadata", "a=b"]);
        assert!(labelled.stderr.contains("nothing sent"), "{}", labelled.stderr);
        assert_eq!(labelled.stderr.matches("stays as it is").count(), 1, "{}", labelled.stderr);
        // Encryption is: exit 0 means that it is as it was asked for.
        let encrypted = bed.ok(["put", source, "--sse-kms-key-id", KMS_KEY]);
        assert_eq!(encrypted.stderr.matches("is sent again").count(), 1, "{}", encrypted.stderr);
        assert!(bed.ok(["put", source]).stderr.contains("nothing sent"), "who asks for nothing is content");
    }
    for key in ALL.into_iter().filter(|key| !key.contains(".strata/")) {
        assert_eq!(value(&head(&bed, key), ALGORITHM), "aws:kms", "{key}");
    }
    get_all(&bed);
}

#[test]
fn a_removal_encrypts_its_tombstone_by_the_variables() {
    let bed = bed::minio();
    fill(&bed);
    bed.ok(["put", "run", "--sse", "AES256"]);
    let mut command = bed.command(["rm", "run"]);
    assert!(command.env("STRATA_SSE", "AES256").output().unwrap().status.success());
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}
