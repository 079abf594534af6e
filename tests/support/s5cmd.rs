//! Another tool for S3, written by other people: s5cmd (https://github.com/peak/s5cmd).

use std::process::Command;

use super::minio::Bucket;
use super::tool;

/// What s5cmd prints, under the bucket's own five permissions; it must succeed.
pub fn run(bucket: &Bucket, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(tool::find("STRATA_TEST_S5CMD", "s5cmd", "python/bin/s5cmd"))
        .args(["--endpoint-url", bucket.server().endpoint()])
        .args(arguments)
        .env_clear()
        .envs(bucket.environment())
        .output()
        .unwrap();
    assert!(output.status.success(), "s5cmd {arguments:?}: {output:?}");
    output.stdout
}
