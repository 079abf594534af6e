//! ListObjectsV2, parsed here: rusoto reads a key of one space as empty, fails on control characters and does not decode.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rusoto_core::signature::SignedRequest;

use super::client::Client;
use super::request::Outgoing;
use super::xml::Element;
use crate::backend::{ListPage, ObjectMeta};
use crate::error::{Error, ErrorKind, Result};

/// One page of the objects whose keys begin with `prefix`.
pub(super) async fn page(client: &Arc<Client>, prefix: &str, next: Option<&str>, subject: &str) -> Result<ListPage> {
    let base = if client.prefix.is_empty() { String::new() } else { format!("{}/", client.prefix) };
    let path = format!("/{}", client.bucket);
    let mut request = SignedRequest::new("GET", "s3", &client.site().rusoto_region(), &path);
    request.add_param("list-type", "2");
    // Without it XML could not carry every key.
    request.add_param("encoding-type", "url");
    request.add_param("prefix", format!("{base}{prefix}").as_str());
    if let Some(next) = next {
        request.add_param("continuation-token", next);
    }
    let outgoing = &Outgoing::new(request, &client.bucket, None)?;
    let base = base.as_str();
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

/// The page that `root` is; keys lose `base`. `None` when anything needed is missing or does not parse.
fn read(root: &Element, base: &str) -> Option<ListPage> {
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
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let next = match root.text_of("IsTruncated").map(str::trim) {
        Some("true") => Some(root.text_of("NextContinuationToken").filter(|token| !token.is_empty())?.to_owned()),
        Some("false") => None,
        _ => return None,
    };
    Some(ListPage { objects, next })
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

    fn listing(inside: &str) -> Option<ListPage> {
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
