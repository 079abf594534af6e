//! The MinIO launcher keeps its word: five permissions, nothing else.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::minio;

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
