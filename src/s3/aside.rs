//! What is asked of a bucket itself, or told to it, beside its objects. Built by hand: rusoto's types of these calls know
//! neither the newer headers nor the newer elements, and would drop what they do not know.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use rusoto_core::signature::SignedRequest;

use super::answer::Answer;
use super::client::Client;
use super::payload::Payload;
use super::request::Outgoing;
use super::xml::Element;
use crate::error::{Error, ErrorKind, Result};

/// The namespace of what is sent.
pub(super) const XMLNS: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One call about the bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aside<'a> {
    /// A verb phrase for errors.
    pub(super) action: &'static str,
    pub(super) method: &'static str,
    /// What the query names, such as `lifecycle`; empty for the bucket itself.
    pub(super) about: &'static str,
    pub(super) headers: &'a [(&'static str, &'a str)],
    /// XML; empty for none.
    pub(super) body: &'a str,
}

impl Aside<'_> {
    /// A question.
    pub(super) const fn get(action: &'static str, about: &'static str) -> Aside<'static> {
        Aside { action, method: "GET", about, headers: &[], body: "" }
    }

    /// The answer, tried as often as it may be.
    pub(super) async fn run(self, client: &Arc<Client>) -> Result<Answer> {
        let mut request =
            SignedRequest::new(self.method, "s3", &client.site().rusoto_region(), &format!("/{}", client.bucket));
        if !self.about.is_empty() {
            request.add_param(self.about, "");
        }
        let body = (!self.body.is_empty()).then(|| Payload::Bytes(self.body.as_bytes().to_vec().into()));
        let mut outgoing = Outgoing::new(request, &client.bucket, body)?;
        for (name, value) in self.headers {
            outgoing.set(name, value)?;
        }
        if !self.body.is_empty() {
            outgoing.set("content-type", "application/xml")?;
            // S3 wants a check of such bodies, and every server knows this one.
            outgoing.set("content-md5", &BASE64.encode(Md5::digest(self.body.as_bytes())))?;
        }
        let outgoing = &outgoing;
        client.call(self.action, &client.bucket, || async move { Ok(client.exchange(outgoing).await?) }).await
    }

    /// The document that answers a question. Servers do not agree on the name of its root.
    pub(super) async fn ask(self, client: &Arc<Client>) -> Result<Element> {
        let answer = self.run(client).await?;
        match Element::parse(&answer.body) {
            Some(root) if root.name != "Error" => Ok(root),
            _ => Err(Error::new(ErrorKind::Other, "the answer is empty, cut off or not one of S3")
                .action(self.action)
                .on(client.bucket.as_str())
                .at(client.site().to_string())),
        }
    }
}

/// The code of errors about answers that nobody refused: they are not understood, and that is another matter.
pub(super) const NOT_UNDERSTOOD: &str = "NotUnderstood";

/// Whether a refusal says that the server knows no such thing, or not in this form. Each server says so in its own way;
/// Amazon's own S3 knows all that is asked here.
pub(super) fn is_unknown(client: &Client, error: &Error) -> bool {
    let is_of_the_call = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Other);
    is_of_the_call
        && !error.is_retryable()
        && !matches!(error.code(), Some("NoSuchBucket" | NOT_UNDERSTOOD))
        && !client.site().is_amazon()
}
