//! HeadObject of single parts: where an object that was written in parts was cut.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use rusoto_s3::{HeadObjectRequest, S3};

use super::answer::header;
use super::client::Client;
use super::dispatch::Control;
use super::get::replaced;
use crate::backend::ObjectMeta;
use crate::checksum::StoredChecksum;
use crate::error::{ErrorKind, Result};

/// Sizes of all parts; `None` where the server does not tell. See
/// [`part_sizes`](crate::StorageBackend::part_sizes).
pub(super) async fn sizes(client: &Arc<Client>, meta: &ObjectMeta, exact: bool) -> Result<Option<Vec<u64>>> {
    let Some(count) = meta.stored.as_ref().and_then(StoredChecksum::parts) else { return Ok(None) };
    if count == 1 {
        return Ok(Some(vec![meta.size]));
    }
    if !exact {
        let (first, last) = futures::try_join!(size_of(client, meta, 1, count), size_of(client, meta, count, count))?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let before_last = usize::try_from(count - 1).unwrap_or_default();
        if first.checked_mul(u64::from(count - 1)).and_then(|sum| sum.checked_add(last)) == Some(meta.size) {
            let mut sizes = vec![first; before_last];
            sizes.push(last);
            return Ok(Some(sizes));
        }
    }
    let sizes: Vec<Option<u64>> = stream::iter(1..=count)
        .map(|number| size_of(client, meta, number, count).boxed())
        .buffered(client.runtime.in_flight())
        .try_collect()
        .await?;
    let sizes: Option<Vec<u64>> = sizes.into_iter().collect();
    let whole = |sizes: &Vec<u64>| sizes.iter().try_fold(0u64, |sum, size| sum.checked_add(*size)) == Some(meta.size);
    Ok(sizes.filter(whole))
}

/// The size of one of `count` parts; `None` where the server knows no parts, or knows others.
async fn size_of(client: &Arc<Client>, meta: &ObjectMeta, number: u32, count: u32) -> Result<Option<u64>> {
    let full = client.full_key(&meta.key).map_err(|error| error.action("look up").on(&*meta.key))?;
    let control = Control {
        action: "look up",
        key: meta.key.clone(),
        headers: Vec::new(),
        root: None,
        runtime: client.runtime.clone(),
    };
    let input = HeadObjectRequest {
        bucket: client.bucket.clone(),
        key: full,
        part_number: Some(number.into()),
        if_match: meta.etag.clone(),
        ..HeadObjectRequest::default()
    };
    match control.run(client, |s3| async move { s3.head_object(input).await }).await {
        Ok((output, headers)) => {
            let known = header(&headers, "x-amz-mp-parts-count").and_then(|text| text.parse().ok());
            let size = output.content_length.and_then(|length| u64::try_from(length).ok());
            Ok(size.filter(|size| known == Some(count) && *size <= meta.size))
        }
        Err(error) if error.kind() == ErrorKind::Exists => Err(replaced().action("look up").on(&*meta.key)),
        // A server that takes no part numbers here, or counts other parts.
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Other) => Ok(None),
        Err(error) => Err(error),
    }
}
