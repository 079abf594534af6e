//! A bucket itself: whether it is there and where, making one, and who may get at it.

use std::sync::Arc;

use futures::StreamExt;

use super::answer::header;
use super::aside::{Aside, XMLNS, is_unknown};
use super::client::Client;
use super::endpoint::DEFAULT_REGION;
use super::list;
use super::xml::Element;
use crate::error::{Error, ErrorKind, Result};

/// The header by which a new bucket knows no access lists
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>).
const OWNERSHIP: (&str, &str) = ("x-amz-object-ownership", OWNER_ENFORCED);
/// Every object belongs to the bucket's owner, and access lists count for nothing.
pub(super) const OWNER_ENFORCED: &str = "BucketOwnerEnforced";
/// The four ways to block public access.
pub(super) const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// Whether the bucket is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// In this region, where the server tells.
    There {
        region: Option<String>,
    },
    Missing,
}

/// HeadBucket. Its refusals have no body, so a listing is asked what they mean; a policy may allow that and not HEAD.
pub(super) async fn look(client: &Arc<Client>) -> Result<Look> {
    let head = Aside { action: "look up the bucket", method: "HEAD", about: "", headers: &[], body: "" };
    let refused = match head.run(client).await {
        Ok(answer) => {
            let region = header(&answer.headers, "x-amz-bucket-region").map(str::to_owned);
            return Ok(Look::There { region });
        }
        // Who has no identity, or is no further than the proxy, is told that by any other request as well.
        Err(error) if error.kind() == ErrorKind::Denied && error.code().is_none() => return Err(error),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Other) => error,
        Err(error) => return Err(error),
    };
    match list::first(client, "", &client.bucket).await {
        Ok(_) => Ok(Look::There { region: None }),
        Err(error) if error.code() == Some("NoSuchBucket") => Ok(Look::Missing),
        Err(error) if lacks_right(&error) && refused.kind() == ErrorKind::NotFound => Ok(Look::Missing),
        Err(error) => Err(error),
    }
}

/// How a bucket was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// With all that was asked for.
    AsAsked,
    /// The server does not take a region and an ownership, so without them.
    Plain,
}

/// CreateBucket, in the client's region. That it is there by now, and ours, is success: a lost answer or another setup.
pub(super) async fn create(client: &Arc<Client>) -> Result<Made> {
    let region = client.site().region.clone();
    // us-east-1 has no constraint: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    let body = match region.as_str() {
        DEFAULT_REGION => String::new(),
        _ => format!(
            "<CreateBucketConfiguration xmlns=\"{XMLNS}\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        ),
    };
    let asked = Aside { action: "create the bucket", method: "PUT", about: "", headers: &[OWNERSHIP], body: &body };
    match made(asked.run(client).await, Made::AsAsked) {
        Err(error) if is_unknown(client, &error) => {
            let plain = Aside { headers: &[], body: "", ..asked };
            made(plain.run(client).await, Made::Plain)
        }
        outcome => outcome,
    }
}

fn made<T>(outcome: Result<T>, how: Made) -> Result<Made> {
    match outcome {
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(how),
        outcome => outcome.map(|_| how),
    }
}

/// How a bucket stands to the public.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicAccess {
    /// These ways are not blocked.
    Open(Vec<&'static str>),
    /// Nothing was ever said about it, so that none is blocked.
    Unset,
    /// The server knows no such block.
    Unknown,
}

/// GetPublicAccessBlock.
pub(super) async fn public_access(client: &Arc<Client>) -> Result<PublicAccess> {
    let asked = Aside::get("look up who may get at the bucket", "publicAccessBlock");
    match asked.ask(client).await {
        Ok(root) => {
            let is_open = |name: &&str| root.text_of(name).map(str::trim) != Some("true");
            Ok(PublicAccess::Open(BLOCKS.into_iter().filter(is_open).collect()))
        }
        Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => Ok(PublicAccess::Unset),
        Err(error) if is_unknown(client, &error) => Ok(PublicAccess::Unknown),
        Err(error) => Err(error),
    }
}

/// Blocks all four ways to the public.
pub(super) async fn block_public_access(client: &Arc<Client>) -> Result<()> {
    let blocks: String = BLOCKS.iter().map(|name| format!("<{name}>true</{name}>")).collect();
    let body = format!("<PublicAccessBlockConfiguration xmlns=\"{XMLNS}\">{blocks}</PublicAccessBlockConfiguration>");
    let action = "block public access to the bucket";
    let told = Aside { action, method: "PUT", about: "publicAccessBlock", headers: &[], body: &body };
    told.run(client).await.map(|_| ())
}

/// Who owns objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// The setting, such as [`OWNER_ENFORCED`].
    Set(String),
    /// None: whoever writes an object owns it.
    Unset,
    /// The server knows no such setting.
    Unknown,
}

/// GetBucketOwnershipControls.
pub(super) async fn ownership(client: &Arc<Client>) -> Result<Ownership> {
    match Aside::get("look up who owns objects of the bucket", "ownershipControls").ask(client).await {
        Ok(root) => {
            let set = root.child("Rule").and_then(|rule: &Element| rule.text_of("ObjectOwnership")).map(str::trim);
            Ok(set.filter(|set| !set.is_empty()).map_or(Ownership::Unset, |set| Ownership::Set(set.to_owned())))
        }
        Err(error) if error.code() == Some("OwnershipControlsNotFoundError") => Ok(Ownership::Unset),
        Err(error) if is_unknown(client, &error) => Ok(Ownership::Unknown),
        Err(error) => Err(error),
    }
}

/// PutBucketOwnershipControls: every object belongs to the bucket's owner.
pub(super) async fn enforce_ownership(client: &Arc<Client>) -> Result<()> {
    let rule = format!("<Rule><ObjectOwnership>{OWNER_ENFORCED}</ObjectOwnership></Rule>");
    let body = format!("<OwnershipControls xmlns=\"{XMLNS}\">{rule}</OwnershipControls>");
    let action = "give all objects of the bucket to its owner";
    let told = Aside { action, method: "PUT", about: "ownershipControls", headers: &[], body: &body };
    told.run(client).await.map(|_| ())
}

/// Whether nothing is in it, whatever the prefix. Where that may not be seen it is not.
pub(super) async fn is_empty(client: &Arc<Client>) -> Result<bool> {
    let whole = Arc::new(client.whole());
    let mut pages = std::pin::pin!(list::pages(&whole, "", client.bucket.clone()));
    while let Some(page) = pages.next().await {
        match page {
            Ok(objects) if objects.is_empty() => {}
            Ok(_) => return Ok(false),
            Err(error) if lacks_right(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Whether the refusal is the server's own for want of a right, as opposed to wrong keys, an expired token, or no identity, no
/// trust and no way to the server at all. All that is asked here but HEAD is refused with a code.
pub(super) fn lacks_right(error: &Error) -> bool {
    error.kind() == ErrorKind::Denied && matches!(error.code(), Some("AccessDenied" | "AllAccessDisabled"))
}
