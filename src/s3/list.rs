//! ListObjectsV2, parsed here: rusoto reads a key of one space as empty, fails on control characters and does not decode.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, stream};
use percent_encoding::percent_decode_str;
use rusoto_core::signature::SignedRequest;
use tokio_util::task::AbortOnDropHandle;

use super::client::Client;
use super::request::Outgoing;
use super::xml::Element;
use crate::backend::ObjectMeta;
use crate::error::{Error, ErrorKind, Result};

/// Pages without an object that may follow each other: servers that skip over many removed versions give some.
const EMPTY_PAGES: u32 = 100;

/// One page of a listing.
struct Page {
    objects: Vec<ObjectMeta>,
    /// Where the next page begins; `None` on the last.
    next: Option<String>,
}

/// The first page of the objects whose keys begin with `prefix`, and no other.
pub(super) async fn first(client: &Arc<Client>, prefix: &str, subject: &str) -> Result<Vec<ObjectMeta>> {
    Listing::new(client, prefix, subject.to_owned()).page(None).await.map(|page| page.objects)
}

/// The pages of the objects whose keys begin with `prefix`. The next one is on its way while one is worked on.
pub(super) fn pages(
    client: &Arc<Client>,
    prefix: &str,
    subject: String,
) -> impl Stream<Item = Result<Vec<ObjectMeta>>> + Send + 'static {
    let listing = Arc::new(Listing::new(client, prefix, subject));
    let walk = Walk { listing, coming: None, last: None, empty: 0, tokens: HashSet::new() };
    stream::try_unfold(Some(walk), |walk| async move {
        match walk {
            Some(walk) => walk.turn().await.map(Some),
            None => Ok(None),
        }
    })
}

struct Listing {
    client: Arc<Client>,
    /// What every key of this store begins with.
    base: String,
    full_prefix: String,
    subject: String,
}

/// How far a listing is.
struct Walk {
    listing: Arc<Listing>,
    /// The page that is on its way; none before the first.
    coming: Option<AbortOnDropHandle<Result<Page>>>,
    /// The last key so far.
    last: Option<String>,
    /// Pages without an object since.
    empty: u32,
    tokens: HashSet<String>,
}

impl Walk {
    async fn turn(mut self) -> Result<(Vec<ObjectMeta>, Option<Self>)> {
        let Page { objects, next } = match self.coming.take() {
            Some(coming) => coming.await.map_err(|error| Error::new(ErrorKind::Other, error.to_string()))??,
            None => self.listing.page(None).await?,
        };
        let goes_on = match (&self.last, objects.last()) {
            (Some(before), Some(last)) => *before < last.key,
            _ => true,
        };
        self.empty = if objects.is_empty() { self.empty + 1 } else { 0 };
        if !goes_on || self.empty > EMPTY_PAGES || next.as_ref().is_some_and(|token| !self.tokens.insert(token.clone()))
        {
            return Err(Error::new(ErrorKind::Other, "the server repeats pages of the listing")
                .action("list")
                .on(&self.listing.subject)
                .at(self.listing.client.site().to_string()));
        }
        if let Some(last) = objects.last() {
            self.last = Some(last.key.clone());
        }
        let Some(token) = next else { return Ok((objects, None)) };
        let listing = self.listing.clone();
        let coming = tokio::spawn(async move { listing.page(Some(&token)).await });
        self.coming = Some(AbortOnDropHandle::new(coming));
        Ok((objects, Some(self)))
    }
}

impl Listing {
    fn new(client: &Arc<Client>, prefix: &str, subject: String) -> Self {
        let base = if client.prefix.is_empty() { String::new() } else { format!("{}/", client.prefix) };
        Listing { client: client.clone(), full_prefix: format!("{base}{prefix}"), base, subject }
    }

    async fn page(&self, token: Option<&str>) -> Result<Page> {
        let Listing { client, base, full_prefix, subject } = self;
        let path = format!("/{}", client.bucket);
        let mut request = SignedRequest::new("GET", "s3", &client.site().rusoto_region(), &path);
        request.add_param("list-type", "2");
        request.add_param("encoding-type", "url");
        request.add_param("prefix", full_prefix.as_str());
        if let Some(token) = token {
            request.add_param("continuation-token", token);
        }
        let outgoing = &Outgoing::new(request, &client.bucket, None)?;
        client
            .call("list", subject, || async move {
                let answer = client.exchange(outgoing).await?;
                let root = client.root(&answer, "ListBucketResult")?;
                read(&root, base).ok_or_else(|| {
                    Error::new(ErrorKind::Other, "the server's listing is not as S3's must be").retryable(None)
                })
            })
            .await
    }
}

/// The page that `root` is; keys lose `base`. `None` when anything needed is missing or does not parse.
fn read(root: &Element, base: &str) -> Option<Page> {
    let encoded = root.text_of("EncodingType").is_some_and(|kind| kind.eq_ignore_ascii_case("url"));
    let objects = root
        .children
        .iter()
        .filter(|child| child.name == "Contents")
        .map(|object| {
            let raw = object.text_of("Key")?;
            let full = if encoded { decode(raw)? } else { raw.to_owned() };
            Some(ObjectMeta {
                key: full.strip_prefix(base)?.to_owned(),
                size: object.text_of("Size")?.trim().parse().ok()?,
                etag: object.text_of("ETag").filter(|etag| !etag.is_empty()).map(str::to_owned),
                modified: object.text_of("LastModified").and_then(|time| humantime::parse_rfc3339(time.trim()).ok()),
                checksum: None,
                stored: None,
                token: None,
                deviation: None,
            })
        })
        // What the console makes for an empty directory of the prefix's own name is no object below it.
        .filter(|object| object.as_ref().is_none_or(|object| !object.key.is_empty()))
        .collect::<Option<Vec<_>>>()?;
    let next = match root.text_of("IsTruncated").map(str::trim) {
        Some("true") => Some(root.text_of("NextContinuationToken").filter(|token| !token.is_empty())?.to_owned()),
        Some("false") => None,
        _ => return None,
    };
    Some(Page { objects, next })
}

/// What `encoding-type=url` did: a form's encoding, in which a space may be a plus.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing(inside: &str) -> Option<Page> {
        let xml = format!("<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3\">{inside}</ListBucketResult>");
        read(&Element::parse(xml.as_bytes()).unwrap(), "runs/")
    }

    fn object(key: &str, size: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified><ETag>&quot;e&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    }

    #[test]
    fn every_key_survives() {
        let encoded = [
            ("runs/%20", " "),
            ("runs/a+b%2Bc", "a b+c"),
            ("runs/%0A%01%5C%2F", "\n\u{1}\\/"),
            ("runs/%C3%A9", "\u{e9}"),
        ];
        let inside: String = encoded.iter().map(|(raw, _)| object(raw, "1")).collect();
        let page =
            listing(&format!("<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{inside}")).unwrap();
        let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, encoded.map(|(_, key)| key));
        assert_eq!(page.objects[0].etag.as_deref(), Some("\"e\""));
        assert!(page.objects[0].modified.is_some() && page.next.is_none());
        let plain =
            listing(&format!("<IsTruncated>false</IsTruncated>{}{}", object("runs/ ", "1"), object("runs/a+%20", "2")));
        let keys: Vec<String> = plain.unwrap().objects.into_iter().map(|object| object.key).collect();
        assert_eq!(keys, [" ", "a+%20"], "a server that does not encode is not decoded");
    }

    #[test]
    fn the_folder_of_the_prefix_is_no_object() {
        let inside = format!("<IsTruncated>false</IsTruncated>{}{}", object("runs/", "0"), object("runs/a", "1"));
        let keys: Vec<String> = listing(&inside).unwrap().objects.into_iter().map(|object| object.key).collect();
        assert_eq!(keys, ["a"]);
    }

    #[test]
    fn what_is_incomplete_is_refused() {
        let truncated = "<IsTruncated>true</IsTruncated>";
        assert_eq!(
            listing(&format!("{truncated}<NextContinuationToken>t</NextContinuationToken>")).unwrap().next.as_deref(),
            Some("t")
        );
        let end = "<IsTruncated>false</IsTruncated>";
        for inside in [
            truncated.to_owned(),
            String::new(),
            format!("{end}<Contents><Size>1</Size></Contents>"),
            format!("{end}<Contents><Key>runs/a</Key></Contents>"),
            format!("{end}{}", object("runs/a", "-1")),
            format!("{end}{}", object("runs/a", "18446744073709551616")),
            format!("{end}{}", object("other/a", "1")),
            format!("{end}<EncodingType>url</EncodingType>{}", object("runs/%FF", "1")),
        ] {
            assert!(listing(&inside).is_none(), "{inside}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_listing_is_a_page_or_nothing(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let objects: String = ["runs/a", "runs/b%2Fc"].iter().map(|key| object(key, "7")).collect();
            let inside = format!("<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{objects}");
            let mut xml = format!("<ListBucketResult xmlns=\"http://s3\">{inside}</ListBucketResult>").into_bytes();
            let at = at.index(xml.len());
            if cut { xml.truncate(at) } else { xml[at] = byte }
            let page = Element::parse(&xml).and_then(|root| read(&root, "runs/"));
            prop_assert!(page.is_none_or(|page| page.objects.len() <= 2));
        }
    }
}
