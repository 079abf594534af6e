//! PutObject: an object in one request.

use std::sync::Arc;

use rusoto_core::signature::SignedRequest;

use super::answer;
use super::client::Client;
use super::failure::Failure;
use super::payload::Payload;
use super::request::Outgoing;
use super::settle::{Expected, Found, look, taken};
use super::sums::Checked;
use crate::backend::{Precondition, Stored, WriteOptions};
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};

const ACTION: &str = "put";

/// Writes an object; a lost answer is settled by looking.
pub(super) async fn put(client: &Arc<Client>, path: &str, body: &PartBody, options: &WriteOptions) -> Result<Stored> {
    let full = client.full_key(path).map_err(|error| error.action(ACTION).on(path))?;
    let mut request = client.object_request("PUT", &full);
    request.add_header("content-type", "application/octet-stream");
    request.add_header("x-amz-meta-strata-token", &options.token);
    for (name, value) in client.writes.headers(path) {
        request.add_header(name, &value);
    }
    for (name, value) in client.writes.metadata(path) {
        request.add_header(format!("x-amz-meta-{name}"), value);
    }
    add_condition(&mut request, &options.precondition);
    let outgoing = &Outgoing::new(request, &client.bucket, Some(Payload::Part(body.clone())))?;
    let checked = &Checked::new(outgoing, body);
    let runtime = &match options.even_cancelled {
        true => client.runtime.undisturbed(),
        false => client.runtime.clone(),
    };
    client
        .call_under(runtime, ACTION, path, || async move {
            let failure = match send(client, checked, body).await.inspect_err(|_| body.rests()) {
                Ok(stored) => return Ok(stored),
                Err(failure) => failure,
            };
            let was_taken = is_taken(&failure, &options.precondition);
            if !failure.maybe_done && !was_taken {
                return Err(failure.error);
            }
            let checksum = body.checksum().await?;
            let expected = Expected { path, size: body.len(), checksum, token: &options.token };
            match look(client, expected, None, runtime).await {
                Ok(Found::Ours(stored)) => Ok(stored),
                Ok(Found::Other) if was_taken => Err(taken()),
                Ok(Found::Nothing) if was_taken && matches!(options.precondition, Precondition::Match(_)) => {
                    Err(taken())
                }
                // It was there a moment ago.
                Ok(Found::Nothing) if was_taken => Err(failure.error.retryable(None)),
                Ok(_) => Err(failure.error),
                Err(error) if was_taken || error.kind() == ErrorKind::Integrity => Err(error),
                Err(_) => Err(failure.error),
            }
        })
        .await
}

/// The precondition does not hold. An object that must be there and is gone is answered by 404.
pub(super) fn is_taken(failure: &Failure, precondition: &Precondition) -> bool {
    match failure.code() {
        "PreconditionFailed" => true,
        "NoSuchKey" => matches!(precondition, Precondition::Match(_)),
        _ => false,
    }
}

/// What must hold at the destination, as headers.
pub(super) fn add_condition(request: &mut SignedRequest, precondition: &Precondition) {
    match precondition {
        Precondition::None => {}
        Precondition::Absent => request.add_header("if-none-match", "*"),
        Precondition::Match(etag) => request.add_header("if-match", etag),
    }
}

async fn send(client: &Client, checked: &Checked<'_>, body: &PartBody) -> Result<Stored, Failure> {
    let answer = client.exchange_checked(checked).await?;
    let Some(etag) = answer::etag(&answer.headers) else {
        return Err(Failure::unknown(no_etag()));
    };
    let checksum = answer::checksum(&answer.headers);
    if let Some(theirs) = checksum
        && theirs != body.checksum().await?
    {
        return Err(Failure::unknown(differs()));
    }
    Ok(Stored { size: body.len(), etag: Some(etag), checksum, deviation: client.writes.missed_by(&answer.headers) })
}

/// An answer to a write that S3 would not give.
pub(super) fn no_etag() -> Error {
    Error::new(ErrorKind::Unavailable, "the server's confirmation has no ETag").retryable(None)
}

/// The checksum that came back is not the one that was sent.
pub(super) fn differs() -> Error {
    Error::new(ErrorKind::Integrity, "the server confirmed other bytes than were sent").retryable(None)
}
