//! What is wrong before anything is sent.

use super::support;
use support::bed::{faulty, local};
use support::faulty::{Faulty, Operation};

#[test]
fn settings_that_cannot_be() {
    let server = Faulty::start([]);
    let bed = faulty(&server);
    bed.write("f", b"x");
    let long = format!("k={}", "v".repeat(2048));
    let lines: [&[&str]; 14] = [
        &["--sse", "aes128"],
        &["--sse", "AES256", "--sse-kms-key-id", "k"],
        &["--sse-kms-key-id", ""],
        &["--sse-kms-key-id", "a key"],
        &["--storage-class", "GLACIER"],
        &["--storage-class", "deep_archive"],
        &["--storage-class", "COLD"],
        &["--metadata", "novalue"],
        &["--metadata", "a b=c"],
        &["--metadata", "strata-token=1"],
        &["--metadata", "k=J\u{fc}rgen"],
        &["--metadata", "k=1", "--metadata", "K=2"],
        &["--metadata", &long],
        &["--expected-bucket-owner", "1111-2222-3333"],
    ];
    for flags in lines {
        let said = bed.run(["put", "f"].iter().chain(flags));
        assert_eq!(said.code, Some(2), "{flags:?}: {}", said.stderr);
    }
    assert_eq!(bed.run(["ls", "--request-payer", "owner"]).code, Some(2));
    for (name, value) in [
        ("STRATA_SSE", "aes128"),
        ("STRATA_PUT_STORAGE_CLASS", "GLACIER"),
        ("STRATA_METADATA", "a=b\nc"),
        ("STRATA_REQUEST_PAYER", "owner"),
        ("STRATA_EXPECTED_BUCKET_OWNER", "me"),
    ] {
        let output = bed.command(["put", "f"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(server.requests(Operation::Any).is_empty());
}

#[test]
fn a_local_store_does_not_look_as_if_it_encrypted() {
    let bed = local();
    bed.write("f", b"x");
    for flags in
        [["--sse", "AES256"], ["--sse-kms-key-id", "k"], ["--storage-class", "STANDARD"], ["--metadata", "a=b"]]
    {
        let said = bed.run(["put", "f"].iter().chain(&flags));
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("is for S3 stores") && said.stderr.contains("(STRATA_"), "{}", said.stderr);
        let uri = format!("file://{}", bed.path("x/f").display());
        let said = bed.run(["put", "f", uri.as_str()].iter().chain(&flags));
        assert_eq!(said.code, Some(2), "{}", said.stderr);
    }
    let output = bed.command(["put", "f"]).env("STRATA_SSE", "AES256").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    for flags in [["--request-payer", "requester"], ["--expected-bucket-owner", "111122223333"]] {
        assert_eq!(bed.run(["ls"].iter().chain(&flags)).code, Some(2));
    }
    // Variables that say which bucket is meant are nothing to a directory, as those of the region and the endpoint are.
    bed.ok(["put", "f"]);
    let output = bed.command(["ls"]).env("STRATA_EXPECTED_BUCKET_OWNER", "111122223333").output().unwrap();
    assert!(output.status.success());
}
