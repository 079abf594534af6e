//! DeleteObject, and DeleteObjects for many.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode};
use md5::{Digest, Md5};
use quick_xml::escape::escape;
use rusoto_core::signature::SignedRequest;
use rusoto_s3::{DeleteObjectRequest, S3};

use super::answer::Answer;
use super::client::Client;
use super::dispatch::Control;
use super::noted::{Kind, Version};
use super::payload::Payload;
use super::request::Outgoing;
use super::xml::Element;
use crate::error::{Error, ErrorKind, Result};

const ACTION: &str = "remove";
/// Keys of one request, S3's limit: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>.
const AT_ONCE: usize = 1000;
/// Requests at once for those that go one by one.
const SINGLY: usize = 16;

/// Removes an object; one that is not there is no error.
pub(super) async fn delete(client: &Arc<Client>, path: &str) -> Result<()> {
    let full = client.full_key(path).map_err(|error| error.action(ACTION).on(path))?;
    let control = Control {
        action: ACTION,
        key: path.to_owned(),
        headers: Vec::new(),
        root: None,
        runtime: client.runtime.clone(),
    };
    let input = DeleteObjectRequest { bucket: client.bucket.clone(), key: full, ..DeleteObjectRequest::default() };
    match control.run(client, |s3| async move { s3.delete_object(input).await }).await {
        Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Removes many objects, a thousand in a request; those that are not there are no error.
pub(super) async fn delete_many(client: &Arc<Client>, paths: &[String]) -> Result<()> {
    let (together, mut singly): (Vec<&String>, Vec<&String>) = paths.iter().partition(|path| survives_xml(path));
    for chunk in together.chunks(AT_ONCE) {
        match chunk {
            [one] => singly.push(one),
            _ if client.learnt.deletes_singly() => singly.extend(chunk),
            _ => match delete_chunk(client, chunk).await {
                Err(error) if is_unknown(&error) => {
                    client.learnt.must_delete_singly();
                    singly.extend(chunk);
                }
                outcome => outcome?,
            },
        }
    }
    let singly: Vec<_> = singly.into_iter().map(|path| delete(client, path).boxed()).collect();
    stream::iter(singly).buffer_unordered(SINGLY).try_collect().await
}

/// XML 1.0 has no other control characters, not even as references, and not every parser keeps space at the ends.
fn survives_xml(path: &str) -> bool {
    path.trim() == path && path.chars().all(|c| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}')
}

/// Not every server knows the call, and each says so in its own way. The objects are asked for one by one then, and that
/// says what is wrong.
fn is_unknown(error: &Error) -> bool {
    let is_of_the_call = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Other);
    is_of_the_call && !error.is_retryable() && error.code() != Some("NoSuchBucket")
}

async fn delete_chunk(client: &Arc<Client>, paths: &[&String]) -> Result<()> {
    // The keys that are left, by which the server calls them.
    let mut left = HashMap::with_capacity(paths.len());
    for path in paths {
        left.insert(client.full_key(path).map_err(|error| error.action(ACTION).on(path.as_str()))?, path.as_str());
    }
    let subject = format!("{} and {} more", paths[0], paths.len() - 1);
    let left = &Mutex::new(left);
    client
        .call(ACTION, &subject, || async move {
            let keys: Vec<String> = lock(left).keys().cloned().collect();
            // Only a long answer names the marks that it leaves.
            let is_quiet = !client.learnt.versions.any_seen();
            let outgoing = request(client, &keys, is_quiet)?;
            let answer = client.exchange(&outgoing).await?;
            let root = client.root(&answer, "DeleteResult")?;
            for element in root.children.iter().filter(|child| child.name == "Deleted") {
                if let (Some(key), Some(id)) = (element.text_of("Key"), element.text_of("DeleteMarkerVersionId")) {
                    client.learnt.versions.add(key.to_owned(), id.trim(), Kind::DeleteMarker);
                }
            }
            // Which of them stays nobody knows.
            let refused = refusals(&root).map_err(|refusal| refusal.explained(client))?;
            let mut left = lock(left);
            let refused = keep_refused(&mut left, refused);
            let worst = refused.iter().find(|(_, refusal)| !refusal.may_pass()).or_else(|| refused.iter().next());
            match worst {
                None => Ok(()),
                Some((key, refusal)) => {
                    let path = left.get(key).copied().unwrap_or(key);
                    Err(refusal.explained(client).on(path))
                }
            }
        })
        .await
}

/// Removes one version for good, a delete marker included; it takes `s3:DeleteObjectVersion`. One
/// that is not there is no error.
pub(super) async fn delete_version(client: &Arc<Client>, version: &Version) -> Result<()> {
    let mut request = client.object_request("DELETE", &version.key);
    request.add_param("versionId", version.id.as_str());
    let outgoing = &Outgoing::new(request, &client.bucket, None)?;
    let removing = client.call(ACTION, &version.key, || async move { Ok(client.exchange(outgoing).await.map(drop)?) });
    match removing.await {
        Err(error) if matches!(error.code(), Some("NoSuchVersion" | "NoSuchKey")) => Ok(()),
        outcome => outcome,
    }
}

/// The refusals of an answer by key; one without a key on its own.
fn refusals(root: &Element) -> Result<HashMap<String, Refusal>, Refusal> {
    let mut refused = HashMap::new();
    for element in root.children.iter().filter(|child| child.name == "Error") {
        let refusal = Refusal::of(element);
        match element.text_of("Key").filter(|key| !key.is_empty()) {
            Some(key) => drop(refused.insert(key.to_owned(), refusal)),
            None => return Err(refusal),
        }
    }
    Ok(refused)
}

/// Leaves in `left` what was refused, and of the refusals those that are about it: one of another key says nothing of what
/// was asked, and must not make the next request one without keys, which S3 takes for malformed.
fn keep_refused(left: &mut HashMap<String, &str>, mut refused: HashMap<String, Refusal>) -> HashMap<String, Refusal> {
    refused.retain(|key, refusal| left.contains_key(key) && refusal.code != "NoSuchKey");
    left.retain(|key, _| refused.contains_key(key));
    refused
}

/// Why one key was not removed.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    fn of(element: &Element) -> Self {
        let text = |name: &str| element.text_of(name).unwrap_or_default().trim().to_owned();
        Refusal { code: text("Code"), message: text("Message") }
    }

    fn status(&self) -> StatusCode {
        match self.code.as_str() {
            "AccessDenied" => StatusCode::FORBIDDEN,
            "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
            "SlowDown" | "ServiceUnavailable" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn may_pass(&self) -> bool {
        self.status().is_server_error()
    }

    /// The same words as for a request of its own.
    fn explained(&self, client: &Client) -> Error {
        let (code, message) = (escape(self.code.as_str()), escape(self.message.as_str()));
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let answer = Answer { status: self.status(), headers: http::HeaderMap::new(), body: body.into() };
        client.refuse(&answer, &Method::DELETE).error
    }
}

fn request(client: &Client, keys: &[String], is_quiet: bool) -> Result<Outgoing> {
    let path = format!("/{}", client.bucket);
    let mut request = SignedRequest::new("POST", "s3", &client.site().rusoto_region(), &path);
    request.add_param("delete", "");
    request.add_header("content-type", "application/xml");
    let mut xml = format!(r#"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>{is_quiet}</Quiet>"#);
    for key in keys {
        // Writing to a String cannot fail.
        let _ = write!(xml, "<Object><Key>{}</Key></Object>", escape(key.as_str()));
    }
    xml.push_str("</Delete>");
    // S3 wants a check of this body, and every server knows this one.
    let md5 = BASE64.encode(Md5::digest(xml.as_bytes()));
    let mut outgoing = Outgoing::new(request, &client.bucket, Some(Payload::Bytes(xml.into())))?;
    outgoing.set("content-md5", &md5)?;
    Ok(outgoing)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(keys: &[(&str, &str)]) -> HashMap<String, Refusal> {
        let refusal = |code: &str| Refusal { code: code.to_owned(), message: String::new() };
        keys.iter().map(|(key, code)| ((*key).to_owned(), refusal(code))).collect()
    }

    #[test]
    fn only_what_was_sent_and_refused_is_sent_again() {
        for (answer, expected) in [
            (&[][..], &[][..]),
            (&[("a", "SlowDown")], &["a"]),
            (&[("a", "SlowDown"), ("z", "SlowDown")], &["a"]),
            (&[("z", "SlowDown")], &[]),
            (&[("b", "NoSuchKey")], &[]),
        ] {
            let mut left = HashMap::from([("a".to_owned(), "a"), ("b".to_owned(), "b")]);
            let refused = keep_refused(&mut left, refused(answer));
            let keys = |map: Vec<&String>| map.into_iter().cloned().collect::<Vec<_>>();
            assert_eq!(keys(left.keys().collect()), expected, "{answer:?}");
            assert_eq!(keys(refused.keys().collect()), expected, "{answer:?}");
        }
    }

    #[test]
    fn keys_that_xml_cannot_carry_go_alone() {
        for (path, together) in
            [(" a", false), ("a b/<&>\"'\u{e9}", true), ("a\nb", false), ("a\u{1}", false), ("\u{ffff}", false)]
        {
            assert_eq!(survives_xml(path), together, "{path:?}");
        }
    }
}
