//! The five permissions, each tried; and whether there are more, tried by reading settings alone.

use futures::future::join_all;
use rusoto_core::signature::SignedRequest;

use super::introduce::is_missing_right;
use super::{Doctor, about_bucket};
use crate::backend::{UploadId, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::failure::Details;
use crate::s3::noted::Version;
use crate::s3::payload::Payload;
use crate::s3::request::Outgoing;
use crate::s3::upload::part_request;
use crate::s3::{delete, get, put, upload};

/// Reading these settings of the bucket is nothing that a transfer does: subresource and permission. Some servers give who may
/// list a bucket its versions, and who may read an object its tags: those say nothing.
const SUPERFLUOUS: [(&str, &str); 9] = [
    ("policy", "s3:GetBucketPolicy"),
    ("acl", "s3:GetBucketAcl"),
    ("lifecycle", "s3:GetLifecycleConfiguration"),
    ("location", "s3:GetBucketLocation"),
    ("versioning", "s3:GetBucketVersioning"),
    ("encryption", "s3:GetEncryptionConfiguration"),
    ("object-lock", "s3:GetBucketObjectLockConfiguration"),
    ("tagging", "s3:GetBucketTagging"),
    ("uploads", "s3:ListBucketMultipartUploads"),
];
/// How many more rights than the five are tried: those, that to list parts and that to remove versions.
const TRIED: usize = SUPERFLUOUS.len() + 2;
/// No upload has it.
const NO_UPLOAD: &str = "c3RyYXRhLWNrcHQtbm8tc3VjaC11cGxvYWQ";
/// A small object that later checks work with.
pub(super) const OBJECT: &str = "object";

impl Doctor<'_> {
    pub(super) async fn rights(&mut self) -> Result<()> {
        let client = self.client.clone();
        let absent = self.scratch.absent();
        // What could not be taken away again is not put there.
        let deleted = self.unless_cancelled(delete::delete(&client, &absent)).await?;
        let no_upload = UploadId(NO_UPLOAD.to_owned());
        let aborted = self.unless_cancelled(upload::abort(&client, &absent, &no_upload)).await?;
        (self.held.delete, self.held.abort) = (is_held(&deleted), is_held(&aborted));

        let list = self.held.list;
        self.tell_right("s3:ListBucket", if list { Ok("new names are listed") } else { Err(None) });
        self.held.delete_version = self.may_remove_versions(&absent).await?;
        let put = match self.held.delete {
            true => self.put_small_object().await?,
            false => self.unless_cancelled(self.part_of_no_upload(&absent)).await?,
        };
        self.held.put = is_held(&put);
        let told = if self.held.delete { "an object was put" } else { "allowed, as far as was tried" };
        self.tell_tried("s3:PutObject", put, told);
        self.get().await?;
        self.tell_tried("s3:DeleteObject", deleted, "allowed");
        self.tell_tried("s3:AbortMultipartUpload", aborted, "allowed");
        Ok(())
    }

    /// Whether versions may be removed, of a name where nothing is. That nothing goes by `null`, which is what a bucket
    /// calls the version of an object that has none.
    async fn may_remove_versions(&self, absent: &str) -> Result<bool> {
        let nothing = Version { key: self.client.full_key(absent)?, id: "null".to_owned() };
        Ok(self.unless_cancelled(delete::delete_version(&self.client, &nothing)).await?.is_ok())
    }

    /// Puts the small object. In a bucket that keeps versions its first one is removed again, if it can be: that alone tells
    /// whether what is put stays, for want of a right or under a lock.
    async fn put_small_object(&mut self) -> Result<Result<()>> {
        let client = self.client.clone();
        let key = self.scratch.place(OBJECT);
        let body = PartBody::from_bytes(self.object.clone());
        let options = WriteOptions::replace();
        let put = self.unless_cancelled(put::put(&client, &key, &body, &options)).await?.map(drop);
        if put.is_err() || !client.learnt.versions.any_seen() {
            return Ok(put);
        }
        self.held.versions_go = self.scratch.remove_first_version(&key, self.held.delete_version).await?;
        match self.held.versions_go {
            true => Ok(self.unless_cancelled(put::put(&client, &key, &body, &options)).await?.map(drop)),
            false => Ok(put),
        }
    }

    /// A part of an upload that does not exist needs the permission and leaves nothing.
    async fn part_of_no_upload(&self, path: &str) -> Result<()> {
        let client = &self.client;
        let full = client.full_key(path)?;
        let none = UploadId(NO_UPLOAD.to_owned());
        let request = &part_request(client, &full, &none, 1, Payload::Bytes("0".into()))?;
        client.call("put", path, || async { client.exchange(request).await.map(drop).map_err(Error::from) }).await
    }

    async fn get(&mut self) -> Result<()> {
        const NAME: &str = "s3:GetObject";
        let client = self.client.clone();
        let is_there = self.held.put && self.held.delete;
        let key = if is_there { self.scratch.place(OBJECT) } else { self.scratch.absent() };
        let read = client.call("get", &key, || async { get::open(&client, &key, None, None).await?.collect().await });
        match self.unless_cancelled(read).await? {
            Ok(got) if got == self.object => {
                self.held.get = true;
                self.sheet.good(NAME, "what was put came back");
            }
            Ok(_) => {
                let differs = Error::new(ErrorKind::Integrity, "other bytes came back than were put");
                self.sheet.bad(NAME, &differs.hint_is("do not use this store before its server is repaired"));
            }
            Err(error) if !is_there && error.code() == Some("NoSuchKey") => {
                self.held.get = true;
                self.sheet.good(NAME, "allowed, as far as was tried");
            }
            // S3 says no as well where nothing is and the identity may not know that.
            Err(error) if !is_there && !self.held.list && is_missing_right(&error) => {
                self.sheet.skip(NAME, "nothing could be put to be read, and s3:ListBucket is missing");
            }
            Err(error) => self.tell_tried(NAME, Err(error), ""),
        }
        Ok(())
    }

    /// Held with a word about it; or missing, with the error where it is another one than that.
    fn tell_right(&mut self, name: &'static str, outcome: Result<&str, Option<Error>>) {
        match outcome {
            Ok(detail) => self.sheet.good(name, detail),
            Err(Some(error)) => self.sheet.bad(name, &error),
            Err(None) => {
                let on = self.resource(name);
                self.sheet.bad(name, &Error::new(ErrorKind::Denied, "denied").hint_is(format!("grant {name} on {on}")));
            }
        }
    }

    fn tell_tried(&mut self, name: &'static str, outcome: Result<()>, detail: &str) {
        let outcome = match outcome {
            Ok(()) => Ok(detail),
            Err(error) if is_missing_right(&error) => Err(None),
            // The permission is there; what was asked for was not.
            Err(error) if is_answered(&error) => Ok(detail),
            Err(error) => Err(Some(error)),
        };
        self.tell_right(name, outcome);
    }

    /// What a policy has to name for the permission.
    fn resource(&self, permission: &str) -> String {
        let (bucket, prefix) = (&self.client.bucket, &self.client.prefix);
        let region = &self.client.site().region;
        let partition = match region {
            china if china.starts_with("cn-") => "aws-cn",
            government if government.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let objects = match (permission, prefix.as_str()) {
            ("s3:ListBucket", _) => String::new(),
            (_, "") => "/*".to_owned(),
            (_, prefix) => format!("/{prefix}/*"),
        };
        format!("arn:{partition}:s3:::{bucket}{objects}")
    }

    /// Only what reading shows, and nothing is done with it; that versions may be removed is known by then.
    pub(super) async fn other_rights(&mut self) -> Result<()> {
        const NAME: &str = "other rights";
        const UNTRIED: &str = "rights that write cannot be tried without writing";
        let client = self.client.clone();
        let of_bucket = SUPERFLUOUS.map(|(about, permission)| (about_bucket(&client, "GET", Some(about)), permission));
        let mut parts = client.object_request("GET", &client.full_key(&self.scratch.absent())?);
        parts.add_param("uploadId", NO_UPLOAD);
        let of_parts = (Outgoing::new(parts, &client.bucket, None), "s3:ListMultipartUploadParts");
        let asked = of_bucket.into_iter().chain([of_parts]).map(|(outgoing, permission)| {
            let client = &client;
            async move {
                let answer = client.answer(&outgoing.ok()?).await.ok()?;
                let code = Details::of(&answer, &[]).code.unwrap_or_default();
                let names_none = code.starts_with("NoSuch") || code.ends_with("NotFoundError");
                let is_told_of_none = answer.status.as_u16() == 404 && names_none && code != "NoSuchBucket";
                (answer.status.is_success() || is_told_of_none).then_some(permission)
            }
        });
        let mut found: Vec<&str> = self.unless_cancelled(join_all(asked)).await?.into_iter().flatten().collect();
        found.extend(self.held.delete_version.then_some("s3:DeleteObjectVersion"));
        match found.is_empty() {
            true => self.sheet.good(NAME, format!("none of {TRIED} that were tried; {UNTRIED}")),
            false => self.sheet.note(
                NAME,
                format!("more rights than needed: {}; {UNTRIED}", found.join(", ")),
                "five permissions are enough: strata-ckpt setup --iam-policy prints the policy",
            ),
        }
        Ok(())
    }

    /// A request that writes an object, without any check of its body.
    pub(super) fn put_request(&self, path: &str, headers: &[(&'static str, &str)], body: Payload) -> Result<Outgoing> {
        let full = self.client.full_key(path)?;
        let request: SignedRequest = self.client.object_request("PUT", &full);
        let mut outgoing = Outgoing::new(request, &self.client.bucket, Some(body))?;
        for (name, value) in headers {
            outgoing.set(name, value)?;
        }
        Ok(outgoing)
    }
}

fn is_held(outcome: &Result<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(error) => !is_missing_right(error) && is_answered(error),
    }
}

/// The server has looked at what was asked, beyond who asked.
fn is_answered(error: &Error) -> bool {
    matches!(error.code(), Some("NoSuchUpload" | "NoSuchKey" | "InvalidArgument"))
}
