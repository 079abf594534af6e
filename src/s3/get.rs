//! GetObject: a range whose status, place and length are checked.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, try_unfold};
use http::HeaderMap;
use http::response::Parts;
use hyper::body::Incoming;

use super::answer::{self, header, next_piece};
use super::client::Client;
use super::failure::Failure;
use super::head::head;
use super::request::Outgoing;
use super::sums::asking;
use crate::backend::{ObjectBody, ObjectMeta};
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};

const ACTION: &str = "read";

/// Begins to read; not repeated.
pub(super) async fn open(
    client: &Arc<Client>,
    path: &str,
    range: Option<Range<u64>>,
    pin: Option<&str>,
) -> Result<ObjectBody> {
    let outcome = match range {
        Some(range) if range.start >= range.end => open_nothing(client, path, range).await,
        None => asking(client, |sums| open_some(client, path, None, pin, sums)).await,
        // For a range no server has a checksum.
        range => open_some(client, path, range, pin, false).await,
    };
    outcome.map_err(|error| error.action(ACTION).on(path).at(client.site().to_string()))
}

/// A range without bytes, which HTTP cannot ask for.
async fn open_nothing(client: &Arc<Client>, path: &str, range: Range<u64>) -> Result<ObjectBody> {
    let meta = head(client, path, RuntimeConfig { retries: 0, ..client.runtime.clone() }).await?;
    if range.start > range.end || range.end > meta.size {
        return Err(outside(&range, Some(meta.size)));
    }
    Ok(ObjectBody { meta, range, bytes: futures::stream::empty().boxed() })
}

async fn open_some(
    client: &Arc<Client>,
    path: &str,
    range: Option<Range<u64>>,
    pin: Option<&str>,
    sums: bool,
) -> Result<ObjectBody> {
    let full = client.full_key(path)?;
    let mut request = client.object_request("GET", &full);
    if let Some(range) = &range {
        request.add_header("range", &format!("bytes={}-{}", range.start, range.end - 1));
    }
    if sums {
        request.add_header("x-amz-checksum-mode", "ENABLED");
    }
    if let Some(pin) = pin {
        request.add_header("if-match", pin);
    }
    let mut outgoing = Outgoing::new(request, &client.bucket, None)?;
    outgoing.failed_contacts = client.learnt.failed_contacts.clone();
    let (parts, body) = client.send(&outgoing).await.map_err(|failure| refused(failure, range.as_ref()))?;
    let etag = answer::etag(&parts.headers);
    match (pin, &etag) {
        (Some(pin), Some(etag)) if pin != etag => return Err(replaced()),
        (Some(_), None) => return Err(strange("the answer has no ETag")),
        (None, None) if is_page(&parts.headers) => return Err(strange("a web page came back instead of the object")),
        _ => {}
    }
    let (got, size) = placed(&parts, range.as_ref())?;
    let is_whole = got == (0..size);
    let meta = ObjectMeta {
        key: path.to_owned(),
        size,
        checksum: if is_whole { answer::checksum(&parts.headers) } else { None },
        stored: if is_whole { answer::stored(&parts.headers) } else { None },
        etag,
        modified: header(&parts.headers, "last-modified").and_then(|date| httpdate::parse_http_date(date).ok()),
        token: header(&parts.headers, "x-amz-meta-strata-token").map(str::to_owned),
        deviation: None,
    };
    let about = (path.to_owned(), client.site().to_string());
    let bytes = counted(body, got.end - got.start, client.runtime.stall_timeout, about);
    Ok(ObjectBody { meta, range: got, bytes })
}

/// What S3 serves has an ETag, also where it is a page.
fn is_page(headers: &HeaderMap) -> bool {
    header(headers, "content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
}

fn refused(failure: Failure, range: Option<&Range<u64>>) -> Error {
    match (failure.code(), range) {
        ("PreconditionFailed", _) => replaced(),
        ("InvalidRange", Some(range)) => outside(range, None),
        _ => failure.error,
    }
}

pub(super) fn replaced() -> Error {
    Error::new(ErrorKind::Integrity, "the object was replaced while it was being read")
        .code_is("PreconditionFailed")
        .hint_is("run the same command again to get the new one")
}

fn outside(range: &Range<u64>, size: Option<u64>) -> Error {
    let of = size.map(|size| format!(" of {size} bytes")).unwrap_or_default();
    Error::invalid(format!("bytes {} to {} do not lie inside the object{of}", range.start, range.end))
}

/// An answer that may be better the next time.
fn strange(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Other, what).retryable(None)
}

/// Which bytes are coming, and the size of the whole. Exactly what was asked for, or an error.
fn placed(parts: &Parts, range: Option<&Range<u64>>) -> Result<(Range<u64>, u64)> {
    let length = match header(&parts.headers, "content-length") {
        Some(text) => Some(text.parse::<u64>().map_err(|_| strange("the answer has no usable length"))?),
        None => None,
    };
    match (parts.status.as_u16(), range) {
        (206, Some(asked)) => {
            let content_range = header(&parts.headers, "content-range").and_then(parse_content_range);
            let Some((got, size)) = content_range else {
                return Err(strange("the answer does not say which bytes it has"));
            };
            if got.start == asked.start && got.end == size && size < asked.end {
                return Err(outside(asked, Some(size)));
            }
            if got != *asked || got.end > size || length.is_some_and(|length| length != got.end - got.start) {
                return Err(strange(format!(
                    "the server sends bytes {} to {} where {} to {} were asked for",
                    got.start, got.end, asked.start, asked.end
                )));
            }
            Ok((got, size))
        }
        (200, None) => match length {
            Some(size) => Ok((0..size, size)),
            None => Err(strange("the answer does not say how long the object is")),
        },
        // A server may leave a range that is the whole object out of account.
        (200, Some(asked)) if asked.start == 0 && length == Some(asked.end) => Ok((asked.clone(), asked.end)),
        (200, Some(_)) => Err(strange("the server sends the whole object where a range was asked for")),
        (status, _) => Err(strange(format!("the server answered {status} where an object should come"))),
    }
}

/// `bytes 0-9/10` as `(0..10, 10)`.
fn parse_content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let range = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    (range.start < range.end).then_some((range, size.parse().ok()?))
}

/// The body, which must have exactly `length` bytes.
fn counted(body: Incoming, length: u64, stall: Duration, about: (String, String)) -> BoxStream<'static, Result<Bytes>> {
    try_unfold((body, length, about), move |(mut body, left, about)| async move {
        let piece = next_piece(&mut body, stall).await;
        let checked = match piece {
            Ok(Some(piece)) => match left.checked_sub(piece.len() as u64) {
                Some(left) => Ok(Some((piece, left))),
                None => Err(strange("the server sends more bytes than it announced")),
            },
            Ok(None) if left > 0 => {
                Err(Error::new(ErrorKind::Unavailable, format!("the server stopped {left} bytes before the end"))
                    .retryable(None))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match checked {
            Ok(Some((piece, left))) => Ok(Some((piece, (body, left, about)))),
            Ok(None) => Ok(None),
            Err(error) => Err(error.action(ACTION).on(about.0).at(about.1)),
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], range: Option<Range<u64>>) -> Result<(Range<u64>, u64)> {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        placed(&response.body(()).unwrap().into_parts().0, range.as_ref())
    }

    #[test]
    fn a_range_must_be_the_one_that_was_asked_for() {
        let good = answer(206, &[("content-range", "bytes 5-9/100"), ("content-length", "5")], Some(5..10));
        assert_eq!(good.unwrap(), (5..10, 100));
        for headers in [
            &[][..],
            &[("content-range", "bytes 5-9/*")],
            &[("content-range", "bytes 5-8/100")],
            &[("content-range", "bytes 4-9/100")],
            &[("content-range", "bytes 5-9/7")],
            &[("content-range", "bytes 9-5/100")],
            &[("content-range", "bytes 5-18446744073709551615/100")],
            &[("content-range", "items 5-9/100")],
            &[("content-range", "bytes 5-9/100"), ("content-length", "6")],
        ] {
            let error = answer(206, headers, Some(5..10)).unwrap_err();
            assert!(error.is_retryable(), "{headers:?}: {error}");
        }
    }

    #[test]
    fn a_range_past_the_end_is_the_callers_mistake() {
        let error = answer(206, &[("content-range", "bytes 5-6/7")], Some(5..10)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_whole_object_is_taken_for_a_range_only_where_it_is_one() {
        let length = [("content-length", "10")];
        assert_eq!(answer(200, &length, None).unwrap(), (0..10, 10));
        assert_eq!(answer(200, &length, Some(0..10)).unwrap(), (0..10, 10));
        for range in [0..9, 1..10, 0..11] {
            assert!(answer(200, &length, Some(range)).unwrap_err().is_retryable());
        }
        assert!(answer(200, &[], None).is_err());
        assert!(answer(204, &length, None).is_err());
    }
}
