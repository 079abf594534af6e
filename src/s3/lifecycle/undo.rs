//! A rule of ours that came back as something that it was not.

use std::sync::Arc;

use super::super::client::Client;
use super::document::Document;
use super::store::{self, Held};
use crate::error::{Error, ErrorKind};

/// A rule that is not what was written may delete what it must not, so the `earlier` one takes its place again, or none
/// where there was none.
pub(super) async fn taken_back(client: &Arc<Client>, held: &Held, id: &str, earlier: &str) -> Error {
    let is_back = !earlier.is_empty() && is_put_back(client, held, id, earlier).await;
    let hint = match is_back {
        true => "the earlier rule was put back in its place: the new one might have done more than it should",
        false => match held.write(client, id, None).await {
            Ok(()) if earlier.is_empty() => "our rule was taken out again: it might have done more than it should",
            Ok(()) => {
                "our rule was taken out, since the server did not take the earlier one back: it might have done more \
                 than it should"
            }
            Err(_) => "look at it with the server's own tools: our rule is in there, and may do more than it should",
        },
    };
    Error::new(ErrorKind::Other, "the server holds another lifecycle than the one that it took")
        .action("write the lifecycle of the bucket")
        .on(client.bucket.as_str())
        .at(client.site().to_string())
        .hint_is(hint)
}

/// Who changes one rule on its way may change the earlier one as well.
async fn is_put_back(client: &Arc<Client>, held: &Held, id: &str, earlier: &str) -> bool {
    let expected = held.document.with(id, Some(earlier));
    let expected = expected.as_deref().and_then(|text| Document::parse(text.as_bytes()));
    if held.write(client, id, Some(earlier)).await.is_err() {
        return false;
    }
    match (store::read(client).await, expected) {
        (Ok(now), Some(expected)) => now.document.is_same_for(id, &expected),
        _ => false,
    }
}
