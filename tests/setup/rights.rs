//! Who may not do a step is told which right is missing, and what somebody who has it must run.

use super::support::bed::{Said, on, said};
use super::support::minio::{self, Keys};
use super::{setup, summary, told};

#[test]
fn with_the_five_permissions_alone() {
    let bed = on(minio::shared().bucket());
    let replaced = [(bed.bucket().name(), "BUCKET"), (bed.bucket().server().endpoint(), "ENDPOINT")];
    let arguments = ["--transition-after-epochs", "120", "--epoch-duration", "6h", "--prefix", "my runs"];
    insta::assert_snapshot!("rights_five", told(&setup(&bed, &arguments), &replaced));

    let json = setup(&bed, &[&arguments[..], &["--json"]].concat());
    let checked = json.json_lines().into_iter().find(|line| line["type"] == "checked").unwrap();
    assert_eq!((json.code, &checked["bad"]), (Some(7), &0.into()), "what is allowed is tried all the same");
    let done = summary(&json);
    let rights: Vec<&str> =
        done["missing_rights"].as_array().unwrap().iter().map(|right| right.as_str().unwrap()).collect();
    assert!(rights.contains(&"s3:GetLifecycleConfiguration"), "{rights:?}");
    let command = done["command"].as_str().unwrap();
    assert!(command.contains("--prefix 'my runs' ") && command.contains("--transition-after-epochs 120"), "{command}");
    assert_eq!(bed.bucket().object_keys(), Vec::<String>::new());
}

/// What was printed for the administrator does what it says.
#[test]
fn the_command_for_an_administrator_can_be_run() {
    let bed = on(minio::shared().bucket());
    let arguments = ["--expire-after-epochs", "60", "--epoch-duration", "36h", "--prefix", "a 'b'", "--json"];
    let command = summary(&setup(&bed, &arguments))["command"].as_str().unwrap().to_owned();
    let root = bed.bucket().server().root();
    let mut shell = bed.dressed(std::process::Command::new("sh"));
    shell
        .args(["-c", &command.replacen("strata-ckpt", super::support::bed::BINARY, 1)])
        .env_remove("STORAGE_BACKEND")
        .env_remove("CHECKPOINT_BUCKET")
        .env_remove("S3_ENDPOINT")
        .env_remove("AWS_SESSION_TOKEN")
        .envs([("AWS_ACCESS_KEY_ID", &root.id), ("AWS_SECRET_ACCESS_KEY", &root.secret)]);
    let ran = said(shell.output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let held = bed.bucket().as_root("GET", "?lifecycle=", b"");
    assert_eq!((held.texts("Days"), held.texts("Prefix")), (vec!["90".to_owned()], vec!["a 'b'/".to_owned()]));
}

#[test]
fn one_right_that_is_missing_is_the_only_one_named() {
    let bed = on(minio::shared().bucket());
    let five = ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject", "s3:AbortMultipartUpload"];
    let run = |keys: Keys, arguments: &[&str]| -> Said {
        let variables = [
            ("AWS_ACCESS_KEY_ID", keys.id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret),
            ("AWS_SESSION_TOKEN", keys.token.unwrap()),
        ];
        said(bed.command([&["setup", "--json"], arguments].concat()).envs(variables).output().unwrap())
    };
    let looking = ["s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"];
    let expire = ["--expire-after-epochs", "60", "--epoch-duration", "1d"];
    let keys = bed.bucket().keys_with(&[&five[..], &looking].concat());
    let denied = run(keys.clone(), &expire);
    assert_eq!(denied.code, Some(7));
    assert_eq!(summary(&denied)["missing_rights"], serde_json::json!(["s3:PutLifecycleConfiguration"]), "{denied:?}");
    let versioning = run(keys, &["--versioning"]);
    let both = serde_json::json!(["s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"]);
    assert_eq!(summary(&versioning)["missing_rights"], both, "{versioning:?}");

    let all = [&five[..], &looking, &["s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"]].concat();
    let allowed = run(bed.bucket().keys_with(&all), &[&expire[..], &["--versioning"]].concat());
    assert_eq!(allowed.code, Some(0), "{allowed:?}");
}

#[test]
fn a_bucket_that_may_not_be_made() {
    let bed = on(minio::shared().bucket());
    // The five permissions are for one bucket; this is another.
    let missing = format!("{}-no", &bed.bucket().name()[..30]);
    let keys = bed.bucket().keys_under(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::{missing}"]}}]}}"#
    ));
    let run = |flags: &[&str]| {
        let mut command = bed.command([&["setup"], flags].concat());
        command.env("CHECKPOINT_BUCKET", &missing).envs([
            ("AWS_ACCESS_KEY_ID", &keys.id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret),
            ("AWS_SESSION_TOKEN", keys.token.as_ref().unwrap()),
        ]);
        said(command.output().unwrap())
    };
    let replaced = [(missing.as_str(), "BUCKET"), (bed.bucket().server().endpoint(), "ENDPOINT")];
    insta::assert_snapshot!("rights_create", told(&run(&[]), &replaced));
    let rights = serde_json::json!(["s3:CreateBucket", "s3:PutBucketOwnershipControls"]);
    assert_eq!(summary(&run(&["--json"]))["missing_rights"], rights);
}
