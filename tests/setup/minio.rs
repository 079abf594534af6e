//! MinIO holds a part of a lifecycle, refuses the rest or drops it silently.

use base64::Engine;
use md5::{Digest, Md5};

use super::support::bed::{Bed, Said, on, said, with};
use super::support::minio::{self, Bucket};
use super::{setup, state, states, summary, told};

const FOREIGN: &str = "<Rule><ID>theirs</ID><Filter><And><Prefix>x/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>\
    <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status>\
    <Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays>\
    <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>";

/// As the identity that may do everything.
fn as_root(bucket: &Bucket) -> Bed {
    let root = bucket.server().root();
    let mut environment = bucket.environment();
    environment.retain(|(name, _)| !name.starts_with("AWS_") || name == "AWS_REGION");
    environment.extend([
        ("AWS_ACCESS_KEY_ID".to_owned(), root.id.clone()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), root.secret.clone()),
    ]);
    with(environment)
}

fn lifecycle(bucket: &Bucket) -> String {
    String::from_utf8(bucket.as_root("GET", "?lifecycle=", b"").body.to_vec()).unwrap()
}

#[test]
fn what_it_can_hold_is_applied_and_the_rest_said() {
    let bucket = minio::shared().bucket();
    let bed = as_root(&bucket);
    let replaced = [(bucket.name(), "BUCKET"), (bucket.server().endpoint(), "ENDPOINT")];
    // Refused: a rule that only aborts, and STANDARD_IA. Nothing can be held, and that is no failure.
    let script = ["--transition-after-epochs", "120", "--epoch-duration", "6h"];
    insta::assert_snapshot!("minio_nothing", told(&setup(&bed, &script), &replaced));
    assert!(lifecycle(&bucket).contains("NoSuchLifecycleConfiguration"));
    // Dropped silently: the abort beside an expiration.
    let all = [&script[..], &["--expire-after-epochs", "400", "--noncurrent-days", "4"]].concat();
    insta::assert_snapshot!("minio_part", told(&setup(&bed, &all), &replaced));
    let held = lifecycle(&bucket);
    assert!(held.contains("<Days>100</Days>") && held.contains("<NoncurrentDays>4</NoncurrentDays>"), "{held}");
    let again = setup(&bed, &[&all[..], &["--json"]].concat());
    assert_eq!((again.code, state(&again, "expiration").as_str()), (Some(0), "found"));
    assert_eq!(
        (state(&again, "abort_uploads").as_str(), state(&again, "transition").as_str()),
        ("cannot_hold", "cannot_hold")
    );
    assert_eq!((&summary(&again)["changed"], lifecycle(&bucket)), (&false.into(), held));
    // A dry run foresees it.
    let dry = setup(&bed, &["--dry-run", "--expire-after-epochs", "9", "--epoch-duration", "1d", "--json"]);
    assert_eq!(
        (state(&dry, "abort_uploads").as_str(), state(&dry, "expiration").as_str()),
        ("cannot_hold", "would_do")
    );
}

#[test]
fn newer_elements_in_the_rules_of_others_survive() {
    let bucket = minio::shared().bucket();
    let lifecycle_of_theirs = format!("<LifecycleConfiguration>{FOREIGN}</LifecycleConfiguration>");
    let md5 = base64::engine::general_purpose::STANDARD.encode(Md5::digest(lifecycle_of_theirs.as_bytes()));
    let headers = [("content-md5", md5.as_str())];
    let written = bucket.as_root_with("PUT", "?lifecycle=", &headers, lifecycle_of_theirs.as_bytes());
    assert_eq!(written.status, 200, "{written:?}");
    let before = lifecycle(&bucket);
    let theirs = before.split("<Rule>").nth(1).unwrap().split("</Rule>").next().unwrap().to_owned();
    assert!(theirs.contains("ObjectSizeGreaterThan") && theirs.contains("NewerNoncurrentVersions"), "{theirs}");
    let bed = as_root(&bucket);
    let said = setup(&bed, &["--expire-after-epochs", "90", "--epoch-duration", "1d", "--json"]);
    assert_eq!((said.code, state(&said, "other_rules").as_str()), (Some(0), "found"), "{said:?}");
    let after = lifecycle(&bucket);
    assert!(after.contains(&theirs) && after.contains("strata-ckpt"), "{after}");
    // Ours goes again, theirs stays.
    let said = setup(&bed, &["--json"]);
    assert_eq!((said.code, state(&said, "expiration").as_str()), (Some(0), "done"), "{said:?}");
    assert_eq!(lifecycle(&bucket), before);
}

#[test]
fn a_missing_bucket_is_made_and_then_takes_a_checkpoint() {
    let bucket = minio::shared().bucket();
    let name = format!("{}-new", &bucket.name()[..30]);
    let bed = as_root(&bucket);
    bed.write("epoch_1/model.bin", b"weights");
    let run = |arguments: &[&str]| bed.command(arguments).env("CHECKPOINT_BUCKET", &name).output().unwrap();
    let missing = run(&["put", "epoch_1"]);
    assert_eq!(missing.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("create it with `strata-ckpt setup`"), "{missing:?}");
    for expected in ["done", "found"] {
        let made = run(&["setup", "--json"]);
        let first = String::from_utf8_lossy(&made.stdout).lines().next().unwrap().to_owned();
        assert!(made.status.success() && first.contains(&format!("\"state\":\"{expected}\"")), "{made:?}");
    }
    let put = run(&["put", "epoch_1"]);
    assert!(put.status.success(), "{put:?}");
}

#[test]
fn a_dry_run_says_of_a_new_bucket_what_becomes_of_it() {
    let bucket = minio::shared().bucket();
    let name = format!("{}-dry", &bucket.name()[..30]);
    let bed = as_root(&bucket);
    let run = |flags: &[&str]| {
        said(bed.command([&["setup", "--json"], flags].concat()).env("CHECKPOINT_BUCKET", &name).output().unwrap())
    };
    let flags = ["--expire-after-epochs", "9", "--epoch-duration", "1d", "--versioning"];
    let (dry, real) = (run(&[&flags[..], &["--dry-run"]].concat()), run(&flags));
    assert_eq!((dry.code, real.code), (Some(0), Some(0)), "{dry:?} {real:?}");
    let told: Vec<_> =
        states(&real).into_iter().map(|(step, state)| (step, state.replace("done", "would_do"))).collect();
    assert_eq!(states(&dry), told);
    assert_eq!(state(&real, "public_access"), "cannot_hold");
    let details = |said: &Said| -> Vec<serde_json::Value> {
        said.json_lines()
            .iter()
            .filter(|line| line["type"] == "setup_step")
            .map(|line| line["detail"].clone())
            .collect()
    };
    assert_eq!(details(&dry), details(&real));
}

/// MinIO says 403 of a bucket that is not there to who may do nothing with it.
#[test]
fn a_bucket_that_may_not_be_there_is_not_said_to_be_there() {
    let bed = on(minio::shared().bucket());
    let name = format!("{}-nil", &bed.bucket().name()[..30]);
    let said = said(bed.command(["setup"]).env("CHECKPOINT_BUCKET", &name).output().unwrap());
    let stdout = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.code == Some(7) && stdout.contains("or it does not exist") && !stdout.contains("it exists"),
        "{said:?}"
    );
    assert!(said.stderr.contains("an administrator has to run: strata-ckpt setup "), "{said:?}");
}

#[test]
fn wrong_keys_are_no_missing_right() {
    let bucket = minio::shared().bucket();
    let bed = on(bucket);
    let wrong_secret = [("AWS_SECRET_ACCESS_KEY", "canary-secret")];
    let wrong_key = [("AWS_ACCESS_KEY_ID", "AKIDWRONG"), ("AWS_SESSION_TOKEN", "")];
    for (variables, text) in
        [(&wrong_secret[..], "the secret key is wrong"), (&wrong_key, "does not know this access key")]
    {
        let output = bed.command(["setup"]).envs(variables.iter().copied()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{stderr}");
        assert!(stderr.contains(text) && !stderr.contains("administrator") && !stderr.contains("canary"), "{stderr}");
    }
}
