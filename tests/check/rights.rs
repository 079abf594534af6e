//! On a real MinIO: exactly the five permissions, each of them missing, and more than five.

use std::os::unix::fs::PermissionsExt;

use super::{KEPT, checked, kept};
use crate::support::bed::{self, Bed, files_below, minio};
use crate::support::minio::{Keys, shared, shared_tls};

fn variables(keys: &Keys) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", keys.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret.clone()),
        ("AWS_SESSION_TOKEN", keys.token.clone().unwrap_or_default()),
    ]
}

fn checked_as(bed: &Bed, keys: &Keys) -> super::Checked {
    let variables = variables(keys);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    checked(bed, &variables)
}

/// Numbers and names of this run, replaced by what they are.
fn settled(bed: &Bed, text: &str) -> String {
    let server = bed.bucket().server().endpoint();
    let (_, port) = server.rsplit_once(':').unwrap();
    let id = &bed.bucket().keys().id;
    let shown = format!("{}…{}", &id[..4], &id[id.len() - 4..]);
    text.replace(bed.bucket().name(), "BUCKET")
        .replace(&format!(":{port}"), ":PORT")
        .replace(&shown, "ID")
        .replace(bed.path("").to_str().unwrap().trim_end_matches('/'), "HERE")
}

/// As where the round trip is short: a machine that is busy makes it a note.
fn near(text: &str, told: &str) -> (String, String) {
    let far = "round trip               note";
    if !text.contains(far) {
        return (text.to_owned(), told.to_owned());
    }
    let told = told.lines().filter(|line| !line.starts_with("hint: round trip: "));
    let told = told.fold(String::new(), |told, line| told + line + "\n").replace("; there is a note\n", "\n");
    (text.replace(far, "round trip               good"), told)
}

#[test]
fn with_the_five_permissions_all_is_good_and_nothing_is_left() {
    let bed = minio();
    bed.bucket().write("mine.bin", b"mine");
    let said = bed.ok(["setup", "--check"]);
    let (text, told) = near(&settled(&bed, &String::from_utf8(said.stdout).unwrap()), &settled(&bed, &said.stderr));
    insta::with_settings!({ filters => [
        (r"[0-9.]+ m?s\b", "TIME"),
        (r"endpoints/[0-9a-f]{16}", "endpoints/HASH"),
    ] }, { insta::assert_snapshot!("five_permissions", format!("{text}-- stderr\n{told}")) });
    assert_eq!(bed.stored_keys(), ["mine.bin"]);
    bed.assert_nothing_left();

    let checked = checked(&bed, &[]);
    assert_eq!((checked.said.code, checked.with(&["bad", "skipped", "note"])), (Some(0), vec![]));
    let (path, content) = kept(&bed);
    assert_eq!(bed.path(&path).metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for fact in ["\"crc64\": \"kept\"", "\"deletes_many\": true", "\"conditional_writes\": true"] {
        assert!(content.contains(fact), "{content}");
    }
    let keys = bed.bucket().keys();
    for secret in [&keys.id, &keys.secret, keys.token.as_ref().unwrap()] {
        let written = [&content, &checked.said.stderr, &String::from_utf8(checked.said.stdout.clone()).unwrap()];
        assert!(!written.iter().any(|text| text.contains(secret.as_str())), "a secret is told");
    }
}

#[test]
fn below_a_prefix() {
    let bed = minio();
    let checked = checked(&bed, &[("CHECKPOINT_PREFIX", "team a/é")]);
    assert_eq!((checked.said.code, checked.with(&["bad", "skipped", "note"])), (Some(0), vec![]));
    bed.assert_nothing_left();
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}

#[test]
fn each_permission_that_is_missing_is_named() {
    for (missing, skipped) in [
        ("s3:PutObject", &["multipart", "checksums", "conditional writes", "batch removal", "versions"][..]),
        ("s3:GetObject", &["multipart", "ranges", "conditional writes", "server-side copy", "versions"]),
        ("s3:ListBucket", &["listing"]),
        ("s3:DeleteObject", &["multipart", "ranges", "checksums", "listing"]),
        ("s3:AbortMultipartUpload", &["multipart"]),
    ] {
        let bed = minio();
        let checked = checked_as(&bed, &bed.bucket().keys_without(missing));
        assert_eq!(checked.said.code, Some(7), "{missing}: {}", checked.said.stderr);
        assert_eq!(checked.with(&["bad"]), [missing]);
        assert!(checked.hint(missing).starts_with(&format!("grant {missing} on arn:aws:s3:::")), "{missing}");
        let all_skipped = checked.with(&["skipped"]);
        assert!(skipped.iter().all(|name| all_skipped.contains(name)), "{missing}: {all_skipped:?}");
        let is_told = checked.said.stderr.contains(r#"{"type":"totals","complete":{"entries":0,"bytes":0}"#);
        assert_eq!(is_told, missing != "s3:ListBucket", "{missing}: {}", checked.said.stderr);
        assert_eq!(bed.stored_keys(), Vec::<String>::new(), "without {missing}");
        bed.assert_nothing_left();
    }
}

#[test]
fn more_rights_than_needed_are_a_note() {
    let bed = minio();
    let root = bed.bucket().server().root().clone();
    let checked = checked_as(&bed, &root);
    assert_eq!((checked.said.code, checked.with(&["note"])), (Some(0), vec!["other rights"]));
    let told = checked.detail("other rights");
    for right in
        ["s3:GetBucketPolicy", "s3:GetEncryptionConfiguration", "s3:ListMultipartUploadParts", "s3:DeleteObjectVersion"]
    {
        assert!(told.contains(right), "{told}");
    }
    assert!(told.ends_with("; rights that write cannot be tried without writing"), "{told}");
    assert!(!String::from_utf8_lossy(&checked.said.stdout).contains(&root.secret));
}

#[test]
fn over_tls_the_certificate_is_looked_at() {
    let bed = bed::on(shared_tls().bucket());
    let trusted = checked(&bed, &[]);
    assert_eq!(trusted.said.code, Some(0), "{}", trusted.said.stderr);
    let detail = trusted.detail("tls");
    assert!(detail.starts_with("TLS 1.3 in ") && detail.contains("the certificate is valid until "), "{detail}");

    let untrusted = checked(&bed, &[("AWS_CA_BUNDLE", "")]);
    assert_eq!((untrusted.said.code, untrusted.with(&["bad"])), (Some(7), vec!["tls"]));
    assert!(untrusted.hint("tls").contains("AWS_CA_BUNDLE"));
    assert_eq!(files_below(&bed.path(KEPT)).len(), 1, "what was kept before stays");
}

#[test]
fn a_bucket_that_keeps_versions_says_what_that_costs() {
    let bed = bed::on(shared().locked_bucket());
    let checked = checked(&bed, &[]);
    assert_eq!((checked.said.code, checked.outcome("versions")), (Some(0), "note"), "{}", checked.said.stderr);
    assert!(checked.hint("versions").contains("noncurrent"));
    assert_eq!(bed.stored_keys(), Vec::<String>::new());
}

/// All that is kept under the prefix of checks: versions and delete markers with their sizes.
fn versions(bed: &Bed) -> (usize, usize, u64) {
    let answer = bed.bucket().as_root("GET", &format!("?versions=&prefix={}", ".strata-check-"), b"");
    let sizes: u64 = answer.texts("Size").iter().map(|size| size.parse::<u64>().unwrap()).sum();
    let count = |what: &str| String::from_utf8_lossy(&answer.body).matches(what).count();
    (count("<Version>"), count("<DeleteMarker>"), sizes)
}

#[test]
fn old_versions_are_removed_where_that_is_allowed() {
    let bed = bed::on(shared().versioned_bucket());
    let six = ["PutObject", "GetObject", "ListBucket", "DeleteObject", "AbortMultipartUpload", "DeleteObjectVersion"];
    let six = six.map(|name| format!("s3:{name}"));
    let six: Vec<&str> = six.iter().map(String::as_str).collect();
    let checked = checked_as(&bed, &bed.bucket().keys_with(&six));
    assert_eq!((checked.said.code, checked.outcome("clean-up")), (Some(0), "good"), "{:?}", checked.checks);
    assert!(checked.detail("multipart").contains("two parts"), "{}", checked.detail("multipart"));
    assert!(checked.detail("other rights").starts_with("more rights than needed: s3:DeleteObjectVersion;"));
    assert_eq!(versions(&bed), (0, 0, 0));
}

/// Whoever may remove versions cannot remove these, and must not uncover them by removing what hides them.
#[test]
fn versions_that_are_locked_stay_hidden_and_few() {
    for mode in ["GOVERNANCE", "COMPLIANCE"] {
        let bed = bed::on(shared().locked_bucket_in(mode));
        let root = bed.bucket().server().root().clone();
        for (keys, why) in [(&root, "until their retention ends"), (bed.bucket().keys(), "s3:DeleteObjectVersion")] {
            let (objects, markers, bytes) = versions(&bed);
            let checked = checked_as(&bed, keys);
            assert_eq!(
                (checked.said.code, checked.outcome("clean-up")),
                (Some(0), "note"),
                "{mode}: {:?}",
                checked.checks
            );
            assert_eq!(bed.stored_keys(), Vec::<String>::new(), "{mode}, {why}");
            let (all_objects, all_markers, all_bytes) = versions(&bed);
            let (objects, markers, bytes) = (all_objects - objects, all_markers - markers, all_bytes - bytes);
            assert!(bytes < 20_000 && objects > 0 && markers > 0, "{objects} {markers} {bytes}");
            let told = format!("{objects} old versions ({bytes} bytes) and {markers} delete markers stay under s3://");
            assert!(checked.detail("clean-up").starts_with(&told), "{} is not {told}", checked.detail("clean-up"));
            let hint = checked.hint("clean-up");
            assert!(hint.contains(why) && hint.contains("retention"), "{hint}");
            assert!(checked.detail("multipart").contains("one small part"), "{}", checked.detail("multipart"));
            bed.assert_nothing_left();
        }
    }
}

#[test]
fn old_versions_that_stay_are_few_and_counted() {
    let bed = bed::on(shared().versioned_bucket());
    let checked = checked(&bed, &[]);
    assert_eq!((checked.said.code, checked.outcome("clean-up")), (Some(0), "note"), "{:?}", checked.checks);
    let (objects, markers, bytes) = versions(&bed);
    assert!(bytes < 20_000 && objects > 0 && markers > 0, "{objects} {markers} {bytes}");
    let told = format!("{objects} old versions ({bytes} bytes) and {markers} delete markers stay under s3://");
    assert!(checked.detail("clean-up").starts_with(&told), "{} is not {told}", checked.detail("clean-up"));
    assert!(checked.hint("clean-up").contains("s3:DeleteObjectVersion"));
    // The rule of now may not be read with five permissions.
    assert!(checked.hint("clean-up").contains("with the flags that it was given before and --noncurrent-days N"));
    assert!(checked.detail("multipart").contains("one small part"), "{}", checked.detail("multipart"));
    assert_eq!(checked.outcome("ranges"), "good");
}
