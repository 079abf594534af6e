//! The whole of it, on a server whose buckets are like AWS's.

use std::process::Command;

use super::support::bed::{BINARY, Bed, said as output_of, with};
use super::support::moto::{self, Moto};
use super::{setup, state, states, summary, told};

const EPOCHS: [&str; 4] = ["--transition-after-epochs", "120", "--epoch-duration", "6h"];
/// Of somebody else, in the same bucket.
const FOREIGN: &str = "<Rule><ID>theirs</ID><Filter><And><Prefix>x/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And>\
    </Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";

struct Scene {
    server: &'static Moto,
    bucket: String,
    bed: Bed,
}

fn scene(region: &str, prefix: &str) -> Scene {
    let (server, bucket) = (moto::shared(), moto::new_name());
    let mut environment = server.environment(&bucket, region);
    environment.push(("CHECKPOINT_PREFIX".to_owned(), prefix.to_owned()));
    Scene { server, bed: with(environment), bucket }
}

impl Scene {
    fn lifecycle(&self) -> String {
        let answer = self.server.call("GET", &format!("{}?lifecycle=", self.bucket), "");
        if answer.status == 404 { String::new() } else { String::from_utf8(answer.body.to_vec()).unwrap() }
    }

    fn told(&self, arguments: &[&str]) -> String {
        let said = setup(&self.bed, arguments);
        told(&said, &[(&self.bucket, "BUCKET"), (self.server.endpoint(), "ENDPOINT")])
    }

    fn ask(&self, about: &str, element: &str) -> Vec<String> {
        self.server.call("GET", &format!("{}?{about}=", self.bucket), "").texts(element)
    }
}

#[test]
fn a_new_bucket_first_shown_then_made_then_found() {
    let scene = scene("eu-west-1", "runs/a");
    let exists = || scene.server.call("HEAD", &scene.bucket, "").status == 200;
    insta::assert_snapshot!("amazon_dry_run", scene.told(&[&EPOCHS[..], &["--dry-run"]].concat()));
    assert!(!exists(), "a dry run makes nothing");

    insta::assert_snapshot!("amazon_made", scene.told(&EPOCHS));
    let made = scene.lifecycle();
    assert_eq!(scene.ask("location", "LocationConstraint"), ["eu-west-1"]);
    assert_eq!(scene.ask("ownershipControls", "ObjectOwnership"), ["BucketOwnerEnforced"]);
    for block in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"] {
        assert_eq!(scene.ask("publicAccessBlock", block), ["true"], "{block}");
    }
    for part in [
        "<ID>strata-ckpt:runs/a/</ID>",
        "<Prefix>runs/a/</Prefix>",
        "<DaysAfterInitiation>7</DaysAfterInitiation>",
        "<Days>30</Days><StorageClass>STANDARD_IA</StorageClass>",
    ] {
        assert!(made.contains(part), "{part} is not in {made}");
    }
    assert!(!made.contains("Expiration"), "nothing is deleted unless it is asked for: {made}");

    insta::assert_snapshot!("amazon_found", scene.told(&EPOCHS));
    assert_eq!(scene.lifecycle(), made);
    let again = setup(&scene.bed, &[&EPOCHS[..], &["--json"]].concat());
    assert!(states(&again).iter().all(|(_, state)| state == "found"), "{again:?}");
    assert_eq!(summary(&again)["changed"], false);
    let keys = scene.server.call("GET", &format!("{}?list-type=2", scene.bucket), "").texts("Key");
    assert_eq!(keys, Vec::<String>::new(), "the check leaves nothing behind");
}

#[test]
fn rules_of_others_stay_and_ours_is_never_doubled() {
    let scene = scene("us-east-1", "runs/a");
    assert_eq!(scene.server.call("PUT", &scene.bucket, "").status, 200);
    let lifecycle = format!("<LifecycleConfiguration>{FOREIGN}</LifecycleConfiguration>");
    let put = scene.server.call("PUT", &format!("{}?lifecycle=", scene.bucket), &lifecycle);
    assert_eq!(put.status, 200, "{put:?}");
    let theirs_at_first = scene.lifecycle();
    let theirs = theirs_at_first.split("<Rule>").nth(1).unwrap().split("</Rule>").next().unwrap();

    for (arguments, expected) in [
        (&["--abort-days", "3"][..], "<DaysAfterInitiation>3</DaysAfterInitiation>"),
        (&["--expire-after-epochs", "100", "--epoch-duration", "1d"], "<Days>100</Days>"),
        (&["--expire-after-epochs", "101", "--epoch-duration", "1d"], "<Days>101</Days>"),
        (&["--noncurrent-days", "5"], "<NoncurrentDays>5</NoncurrentDays>"),
    ] {
        let said = setup(&scene.bed, &[arguments, &["--json"]].concat());
        assert_eq!((said.code, state(&said, "other_rules").as_str()), (Some(0), "found"), "{said:?}");
        let now = scene.lifecycle();
        assert!(now.contains(theirs) && now.contains(expected), "{now}");
        assert_eq!((now.matches("<Rule>").count(), now.matches("strata-ckpt:runs/a/").count()), (2, 1), "{now}");
    }
    // Another prefix has a rule of its own.
    let other = scene.bed.command(["setup", "--prefix", "runs/ab"]).output().unwrap();
    assert!(other.status.success(), "{other:?}");
    assert_eq!(scene.lifecycle().matches("<Rule>").count(), 3);
}

#[test]
fn what_is_not_asked_for_any_more_is_taken_away() {
    let scene = scene("us-east-1", "");
    let all = [
        "--transition-after-epochs=60",
        "--expire-after-epochs=200",
        "--epoch-duration=12h",
        "--noncurrent-days=9",
        "--storage-class=GLACIER_IR",
        "--versioning",
    ];
    insta::assert_snapshot!("amazon_all", scene.told(&all));
    assert!(scene.lifecycle().contains("<ID>strata-ckpt</ID>"));
    insta::assert_snapshot!("amazon_less", scene.told(&[]));
    assert!(!scene.lifecycle().contains("Expiration") && !scene.lifecycle().contains("Transition>"));
    assert_eq!(scene.ask("versioning", "Status"), ["Enabled"], "it is never turned off");
}

#[test]
fn a_bucket_that_is_there_is_looked_at_and_left_as_it_is() {
    let scene = scene("us-east-1", "");
    assert_eq!(scene.server.call("PUT", &scene.bucket, "").status, 200);
    // It is in use, if for something else.
    assert_eq!(scene.server.call("PUT", &format!("{}/site/index.html", scene.bucket), "<p>").status, 200);
    insta::assert_snapshot!("amazon_open", scene.told(&[]));
    assert_eq!(scene.server.call("GET", &format!("{}?publicAccessBlock=", scene.bucket), "").status, 404);
    assert_eq!(scene.server.call("GET", &format!("{}?ownershipControls=", scene.bucket), "").status, 404);
}

/// A bucket as a setup leaves it that was interrupted behind its creation.
#[test]
fn a_bucket_that_was_only_begun_is_finished() {
    let scene = scene("us-east-1", "runs/a");
    assert_eq!(scene.server.call("PUT", &scene.bucket, "").status, 200);
    insta::assert_snapshot!("amazon_begun_dry_run", scene.told(&["--dry-run"]));
    assert_eq!(scene.server.call("GET", &format!("{}?publicAccessBlock=", scene.bucket), "").status, 404);
    insta::assert_snapshot!("amazon_begun", scene.told(&[]));
    assert_eq!(scene.ask("publicAccessBlock", "RestrictPublicBuckets"), ["true"]);
    assert_eq!(scene.ask("ownershipControls", "ObjectOwnership"), ["BucketOwnerEnforced"]);
    let again = setup(&scene.bed, &["--json"]);
    assert!(states(&again).iter().all(|(_, state)| state == "found"), "{again:?}");
}

/// A flag more ends what the flags of before asked for, so all of them are in the command.
#[test]
fn the_command_that_is_shown_for_old_versions_keeps_the_rest() {
    let scene = scene("us-east-1", "a b");
    let said = setup(&scene.bed, &[&EPOCHS[..], &["--versioning", "--abort-days", "3"]].concat());
    let hint = said.stderr.lines().find(|line| line.contains("--noncurrent-days N")).unwrap();
    let command = &hint[hint.find("strata-ckpt setup").unwrap()..];
    let mut shell = scene.bed.dressed(Command::new("sh"));
    let command = command.replacen("strata-ckpt", BINARY, 1).replace("--noncurrent-days N", "--noncurrent-days 5");
    let ran = output_of(shell.args(["-c", &command]).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let held = scene.lifecycle();
    for part in
        ["<Days>30</Days>", "<NoncurrentDays>5</NoncurrentDays>", "<DaysAfterInitiation>3</DaysAfterInitiation>"]
    {
        assert!(held.contains(part), "{part} is not in {held}");
    }
}

#[test]
fn the_same_bucket_by_two_at_once_is_made_once() {
    let scene = scene("eu-central-1", "");
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| setup(&scene.bed, &["--json"]))).collect();
        for run in runs {
            let said = run.join().unwrap();
            assert_eq!(said.code, Some(0), "{said:?}");
        }
    });
    assert_eq!(scene.lifecycle().matches("<Rule>").count(), 1);
}
