//! MinIO as the tests use it: an identity with the five permissions and no sixth, and another tool's view of the bucket.
#![cfg(all(feature = "s3", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::{bed, minio, s5cmd};

#[test]
fn an_identity_has_the_five_permissions() {
    for server in [minio::shared(), minio::shared_tls()] {
        let bucket = server.bucket();
        let status = |method, target, body: &[u8]| bucket.as_limited(method, target, body).status;
        assert_eq!(status("PUT", "/a/b%20c", b"content"), 200);
        assert_eq!(status("GET", "/a/b%20c", b""), 200);
        assert_eq!(status("HEAD", "/absent", b""), 404, "ListBucket tells absent from forbidden");
        assert_eq!(status("GET", "?list-type=2", b""), 200);
        assert_eq!(bucket.objects(), [("a/b c".to_owned(), 7)]);
        assert_eq!(bucket.read("a/b c"), b"content");
        assert_eq!(status("DELETE", "/a/b%20c", b""), 204);
        assert!(bucket.objects().is_empty());
    }
}

#[test]
fn an_identity_has_no_sixth_permission() {
    let bucket = minio::shared().bucket();
    let created = bucket.as_limited("POST", "/k?uploads", b"");
    let upload = created.texts("UploadId").pop().unwrap();
    assert_eq!(bucket.uploads(), ["k"], "root sees uploads in progress");
    for (method, target) in [
        ("GET", "?uploads".to_owned()),
        ("GET", "?location".to_owned()),
        ("GET", "?lifecycle".to_owned()),
        ("GET", format!("/k?uploadId={upload}")),
        ("PUT", "-new".to_owned()),
        ("DELETE", String::new()),
    ] {
        let answer = bucket.as_limited(method, &target, b"");
        assert_eq!((answer.status, answer.texts("Code")), (403, vec!["AccessDenied".to_owned()]), "{method} {target}");
    }
    let other = minio::shared().bucket();
    assert_eq!(other.call(bucket.keys(), "PUT", "/k", b"").status, 403, "another bucket");
    assert_eq!(bucket.as_limited("DELETE", &format!("/k?uploadId={upload}"), b"").status, 204);
    assert!(bucket.uploads().is_empty());
}

/// Names of files with what tools encode differently, and one that takes several parts.
fn checkpoint() -> Vec<(&'static str, Vec<u8>)> {
    let weights = (0..20u32 << 20).map(|i| (i % 251) as u8).collect();
    vec![
        ("epoch_1/model.safetensors", weights),
        ("epoch_1/a b+c%2Fd.bin", b"odd".to_vec()),
        ("epoch_1/\u{fc}ber/empty", Vec::new()),
    ]
}

#[test]
fn s5cmd_reads_what_we_wrote() {
    let bed = bed::minio();
    for (path, content) in checkpoint() {
        bed.write(path, &content);
    }
    bed.ok(["put", "epoch_1"]);
    bed.ok(["put", "epoch_1/model.safetensors", "single.bin"]);
    let name = bed.bucket().name();
    let listed = String::from_utf8(s5cmd::run(bed.bucket(), &["ls", &format!("s3://{name}/*")])).unwrap();
    for (path, content) in checkpoint() {
        let to = bed.path("theirs").join(path);
        s5cmd::run(bed.bucket(), &["cp", "--raw", &format!("s3://{name}/{path}"), to.to_str().unwrap()]);
        assert!(bed.read(&format!("theirs/{path}")) == content, "{path}");
        assert!(listed.contains(path), "{path} in {listed}");
    }
    let single = s5cmd::run(bed.bucket(), &["cat", &format!("s3://{name}/single.bin")]);
    assert!(single == checkpoint()[0].1);
}

#[test]
fn we_read_what_s5cmd_wrote() {
    let bed = bed::minio();
    let name = bed.bucket().name();
    for (path, content) in checkpoint() {
        bed.write(&format!("theirs/{path}"), &content);
    }
    let from = format!("{}/", bed.path("theirs/epoch_1").display());
    s5cmd::run(bed.bucket(), &["cp", "--part-size", "5", &from, &format!("s3://{name}/epoch_1/")]);
    for (path, content) in checkpoint() {
        bed.ok(["get", path, "file"]);
        assert!(bed.read("file") == content, "{path}");
    }
    let refused = bed.run(["get", "epoch_1"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("--unverified"), "{refused:?}");
    bed.ok(["get", "--unverified", "epoch_1"]);
    bed.assert_same_tree("epoch_1", "theirs/epoch_1");
    bed.assert_nothing_left();
}

#[test]
fn a_file_that_another_tool_replaced_is_noticed() {
    let bed = bed::minio();
    bed.write("run/a.bin", &[1; 100]);
    bed.write("run/b.bin", &[2; 200]);
    bed.ok(["put", "run"]);
    bed.write("other.bin", &[7; 100]);
    let other = bed.path("other.bin");
    s5cmd::run(bed.bucket(), &["cp", other.to_str().unwrap(), &bed.uri("run/a.bin")]);
    let said = bed.run(["get", "run", "back"]);
    assert_eq!(said.code, Some(6), "{}", said.stderr);
    assert!(!bed.path("back").exists(), "a checkpoint that does not verify never appears");

    s5cmd::run(bed.bucket(), &["rm", &bed.uri("run/a.bin")]);
    let listed = bed.ok(["--json", "ls"]).json_lines();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["why"]),
        (&"damaged".into(), &"'a.bin' is missing or has another size".into())
    );
    assert_eq!(bed.run(["get", "run", "back"]).code, Some(6));
    bed.assert_nothing_left();
}

/// What old versions and delete markers there are, asked as root.
fn versions(bed: &bed::Bed) -> (usize, usize) {
    let listed = bed.bucket().as_root("GET", "?versions=", b"");
    let text = String::from_utf8(listed.body.to_vec()).unwrap();
    (text.matches("<Version>").count(), text.matches("<DeleteMarker>").count())
}

#[test]
fn what_is_removed_from_a_bucket_that_keeps_versions_is_called_hidden() {
    for bucket in [minio::shared().versioned_bucket(), minio::shared().locked_bucket()] {
        let bed = bed::on(bucket);
        bed.write("run/a.bin", &[1; 6 << 20]);
        bed.write("run/b.bin", b"b");
        bed.write("file", b"old");
        bed.ok(["put", "run"]);
        bed.ok(["put", "file"]);
        bed.write("file", b"newer");
        bed.ok(["put", "file"]);
        bed.ok(["get", "file", "back"]);
        assert_eq!(bed.read("back"), b"newer");
        bed.write("run/b.bin", b"c");
        bed.ok(["put", "run", "--force"]);
        bed.ok(["get", "run", "again"]);
        bed.assert_same_tree("again", "run");

        let preview = bed.ok(["rm", "--dry-run", "run", "file"]);
        let removed = bed.ok(["rm", "run", "file"]);
        assert_eq!(removed.stdout, preview.stdout);
        assert!(removed.stderr.contains("are hidden, not freed: the bucket keeps old versions"), "{removed:?}");
        assert_eq!(preview.stderr.replace("would be hidden", "are hidden"), removed.stderr);
        assert!(!removed.stderr.contains("\nfreed"), "{removed:?}");
        assert!(bed.ok(["ls"]).stdout.is_empty());
        assert_eq!(bed.run(["get", "run"]).code, Some(4));
        let (versions, markers) = versions(&bed);
        assert!(versions >= 6 && markers >= 4, "{versions} versions, {markers} markers");

        bed.ok(["put", "run"]);
        bed.ok(["get", "run", "third"]);
        bed.assert_same_tree("third", "run");
        let pruned = bed.ok(["rm", "--keep-last", "1", "--yes"]);
        assert!(pruned.stderr.contains("nothing to remove"), "{pruned:?}");
        assert!(bed.bucket().uploads().is_empty());
    }
}

#[test]
fn what_is_removed_from_other_buckets_is_freed() {
    let bed = bed::minio();
    bed.write("file", b"content");
    bed.ok(["put", "file"]);
    assert_eq!(bed.ok(["rm", "file"]).stderr.trim(), "freed 7 B");
}
