//! What is missing or wrong outside of the bucket: a line, a hint, the exit code; what rests on it is skipped.

use super::checked;
use crate::support::bed::minio;
use crate::support::minio::shared_tls;
use crate::support::nobody::{NO_HOST, Nobody};

#[test]
fn the_first_thing_that_is_wrong_decides() {
    let bed = minio();
    let root = bed.bucket().server().root().clone();
    let (id, secret) = (root.id.as_str(), root.secret.as_str());
    let nobody = Nobody::bind();
    let plain = shared_tls().endpoint().replace("https", "http");
    let secure = bed.bucket().server().endpoint().replace("http", "https");
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let no_keys = [&none[..], &[("AWS_SESSION_TOKEN", "")]].concat();
    let other_bucket = [("CHECKPOINT_BUCKET", "no-such-bucket"), ("AWS_SESSION_TOKEN", "")];
    let other_bucket = [&other_bucket[..], &[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)]].concat();
    for (variables, bad, code) in [
        (&[("AWS_SECRET_ACCESS_KEY", "canary-secret")][..], "identity", 7),
        (&[("AWS_ACCESS_KEY_ID", "AKIDWRONGWRONG"), ("AWS_SESSION_TOKEN", "")], "identity", 7),
        (&[("AWS_SESSION_TOKEN", "canary-token")], "identity", 7),
        (&no_keys, "credentials", 7),
        (&other_bucket, "bucket", 4),
        (&[("S3_ENDPOINT", &nobody.endpoint())], "connection", 5),
        (&[("S3_ENDPOINT", &format!("http://{NO_HOST}:9000"))], "dns", 5),
        (&[("S3_ENDPOINT", &plain)], "service", 2),
        (&[("S3_ENDPOINT", &secure)], "tls", 2),
    ] {
        let checked = checked(&bed, variables);
        assert_eq!((checked.with(&["bad"]), checked.said.code), (vec![bad], Some(code)), "{}", checked.said.stderr);
        assert_eq!((checked.outcome("clean-up"), checked.outcome("kept")), ("good", "skipped"));
        assert_eq!(checked.outcome("multipart"), "skipped");
        let said = checked.said.stderr + &String::from_utf8(checked.said.stdout).unwrap();
        assert!(!said.contains("canary"), "{said}");
        let error: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        assert_eq!((&error["type"], &error["kind"]), (&"error".into(), &"unfit".into()));
        assert_eq!(bed.stored_keys(), Vec::<String>::new());
    }
}

#[test]
fn settings_that_name_no_store_are_usage_errors() {
    let bed = minio();
    for variables in [[("S3_ENDPOINT", "ftp://h")], [("CHECKPOINT_BUCKET", "")], [("AWS_CA_BUNDLE", "/nowhere.pem")]] {
        let secure = [("S3_ENDPOINT", "https://127.0.0.1:9")];
        let mut command = bed.command(["setup", "--check"]);
        if variables[0].0 == "AWS_CA_BUNDLE" {
            command.envs(secure);
        }
        let output = command.envs(variables).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{variables:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("\nhint: "), "{variables:?}");
    }
}

/// A person is told the same in words, and programs that read stdout get all of it.
#[test]
fn for_people() {
    let bed = minio();
    let mut command = bed.command(["setup", "--check", "-q"]);
    let said = crate::support::bed::said(command.env("AWS_SECRET_ACCESS_KEY", "wrong").output().unwrap());
    assert_eq!(said.code, Some(7));
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(text.contains("\nidentity                 bad          the secret key is wrong\n"), "{text}");
    assert!(text.contains("\nbucket                   skipped      the server refuses the keys\n"), "{text}");
    assert_eq!(
        said.stderr,
        "hint: identity: check AWS_SECRET_ACCESS_KEY for missing or surplus characters\n\
         error: 1 of 27 checks is bad\n\
         hint: what is bad rests on what stands above it: begin at the top, then check again\n"
    );
}
