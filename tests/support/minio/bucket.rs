//! A bucket with an identity that has exactly the five permissions on it.

use serde_json::json;

use super::client::{Answer, encode, encode_path};
use super::{Keys, Minio};

/// The page's minimal policy, and nothing else.
const PERMISSIONS: [&str; 5] =
    ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject", "s3:AbortMultipartUpload"];

/// A bucket of one test's own, empty at first.
pub struct Bucket {
    server: &'static Minio,
    name: String,
    keys: Keys,
}

impl Bucket {
    pub(super) fn create(server: &'static Minio, name: String) -> Self {
        let created = server.client.call(&server.root, "s3", "PUT", &format!("/{name}"), b"");
        assert_eq!(created.status, 200, "{created:?}");
        let keys = limited(server, &name, &PERMISSIONS);
        Bucket { server, name, keys }
    }

    /// With Object Lock, and a day's retention in this mode for every version that is written.
    pub(super) fn create_locked(server: &'static Minio, name: String, mode: &str) -> Self {
        let lock = [("x-amz-bucket-object-lock-enabled", "true")];
        let created = server.client.call_with(&server.root, "PUT", &format!("/{name}"), &lock, b"");
        assert_eq!(created.map(|answer| answer.status), Some(200));
        let keys = limited(server, &name, &PERMISSIONS);
        let bucket = Bucket { server, name, keys };
        let retention = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
            <Mode>{mode}</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
        );
        let kept = bucket.as_root("PUT", "?object-lock=", retention.as_bytes());
        assert_eq!(kept.status, 200, "{kept:?}");
        bucket
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn server(&self) -> &Minio {
        self.server
    }

    /// The identity with the five permissions on this bucket: temporary keys, so with a session token.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// An identity with all but one of the five permissions.
    pub fn keys_without(&self, permission: &str) -> Keys {
        let left: Vec<&str> = PERMISSIONS.into_iter().filter(|other| *other != permission).collect();
        assert_eq!(left.len(), PERMISSIONS.len() - 1, "{permission} is none of the five");
        limited(self.server, &self.name, &left)
    }

    /// An identity that may do these things and nothing else.
    pub fn keys_with(&self, permissions: &[&str]) -> Keys {
        limited(self.server, &self.name, permissions)
    }

    /// An identity under this policy.
    pub fn keys_under(&self, policy: &str) -> Keys {
        assumed(self.server, policy)
    }

    /// The page's variables, and those that this server needs beyond them.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("STORAGE_BACKEND", "s3".to_owned()),
            ("CHECKPOINT_BUCKET", self.name.clone()),
            ("S3_ENDPOINT", self.server.endpoint.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.keys.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.keys.secret.clone()),
        ];
        variables.extend(self.keys.token.clone().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables.extend(self.server.ca().map(|ca| ("AWS_CA_BUNDLE", ca.display().to_string())));
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// As root: every key, in order, with its size.
    pub fn objects(&self) -> Vec<(String, u64)> {
        let mut objects = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.as_root("GET", &format!("?list-type=2&encoding-type=url&start-after={after}"), b"");
            assert_eq!(page.status, 200, "{page:?}");
            let keys = page.keys();
            let sizes = page.texts("Size").into_iter().map(|size| size.parse().unwrap());
            after = keys.last().map(|key| encode(key)).unwrap_or_default();
            objects.extend(keys.into_iter().zip(sizes));
            if page.texts("IsTruncated") != ["true"] {
                return objects;
            }
        }
    }

    /// As root: the keys alone.
    pub fn object_keys(&self) -> Vec<String> {
        self.objects().into_iter().map(|(key, _)| key).collect()
    }

    /// As root: the content.
    pub fn read(&self, key: &str) -> Vec<u8> {
        let answer = self.as_root("GET", &format!("/{}", encode_path(key)), b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.into()
    }

    /// As root: what another tool would have put there.
    pub fn write(&self, key: &str, content: &[u8]) {
        let answer = self.as_root("PUT", &format!("/{}", encode_path(key)), content);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// As root.
    pub fn delete(&self, key: &str) {
        let answer = self.as_root("DELETE", &format!("/{}", encode_path(key)), b"");
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// As root: the keys of all multipart uploads in progress.
    pub fn uploads(&self) -> Vec<String> {
        let answer = self.as_root("GET", "?uploads&encoding-type=url", b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.keys()
    }

    /// As root.
    pub fn abort_uploads(&self) {
        let answer = self.as_root("GET", "?uploads&encoding-type=url", b"");
        for (key, id) in answer.keys().into_iter().zip(answer.texts("UploadId")) {
            let target = format!("/{}?uploadId={}", encode_path(&key), encode(&id));
            assert_eq!(self.as_root("DELETE", &target, b"").status, 204);
        }
    }

    /// What the server answers to the identity with the five permissions; `target` follows the bucket's name.
    pub fn as_limited(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.call(&self.keys, method, target, body)
    }

    /// What the server answers to root; `target` follows the bucket's name.
    pub fn as_root(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.call(&self.server.root, method, target, body)
    }

    /// What the server answers to root, with headers of its own; `target` follows the bucket's name.
    pub fn as_root_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer =
            self.server.client.call_with(&self.server.root, method, &format!("/{}{target}", self.name), headers, body);
        answer.unwrap_or_else(|| panic!("{method} {target} was not answered"))
    }

    /// What the server answers to `keys`; `target` follows the bucket's name.
    pub fn call(&self, keys: &Keys, method: &str, target: &str, body: &[u8]) -> Answer {
        self.server.client.call(keys, "s3", method, &format!("/{}{target}", self.name), body)
    }
}

/// Keys under a policy of their own, from the server's security token service.
fn limited(server: &Minio, bucket: &str, permissions: &[&str]) -> Keys {
    let resource = format!("arn:aws:s3:::{bucket}");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": permissions, "Resource": [resource, format!("{resource}/*")] }],
    });
    assumed(server, &policy.to_string())
}

fn assumed(server: &Minio, policy: &str) -> Keys {
    let form = format!("Action=AssumeRole&Version=2011-06-15&DurationSeconds=43200&Policy={}", encode(policy));
    let answer = server.client.call(&server.root, "sts", "POST", "/", form.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let one = |element| answer.texts(element).pop().unwrap_or_else(|| panic!("no {element} in {answer:?}"));
    Keys { id: one("AccessKeyId"), secret: one("SecretAccessKey"), token: Some(one("SessionToken")) }
}
