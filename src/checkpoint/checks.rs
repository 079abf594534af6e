//! What a check of the store or a measurement leaves when it is killed: it lies under a name of its own, and is nobody's data.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::backend::UploadId;
use crate::backend::{ObjectMeta, StorageBackend};
use crate::check::PREFIX;
use crate::check::note::{self, UploadNote};
use crate::error::{ErrorKind, Result};
use crate::key;

use super::claim::Claim;
use super::find::read_bounded;

/// A check takes seconds, and with a slow server minutes: what was written later may be one that is going on.
const MAY_GO_ON: Duration = Duration::from_secs(3600);

/// The objects under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traces {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Something of it is younger than an hour, or of unknown age.
    pub(super) live: bool,
    /// The keys of the notes of uploads.
    pub(super) notes: Vec<String>,
}

/// The name of the check or measurement that `key` is of: the prefix and what is added to it, which is 12 hexadecimal
/// digits, or for a check in a directory 6 letters or digits. A name that only begins like that is somebody's.
pub(super) fn name_of(key: &str) -> Option<&str> {
    key::ancestors(key).find(|name| {
        let last = name.rsplit('/').next().unwrap_or(name);
        let added = |prefix| last.strip_prefix(prefix);
        let is_hex =
            |text: &str| text.len() == 12 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_short = |text: &str| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        [PREFIX, key::BENCH_PREFIX].into_iter().filter_map(added).any(is_hex) || added(PREFIX).is_some_and(is_short)
    })
}

/// Adds those objects of a page that are of checks.
pub(super) fn collect(found: &mut BTreeMap<String, Traces>, page: &[ObjectMeta], now: SystemTime) {
    for object in page {
        let Some(name) = name_of(&object.key) else { continue };
        let traces = found.entry(name.to_owned()).or_default();
        traces.files += 1;
        traces.bytes += object.size;
        let age = object.modified.and_then(|at| now.duration_since(at).ok());
        traces.live |= age.is_none_or(|age| age < MAY_GO_ON);
        if object.key.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).is_some_and(note::is_name) {
            traces.notes.push(object.key.clone());
        }
    }
}

/// The uploads that the notes of a check name, each with its key, which is one of the check's own whatever a note says.
pub(super) async fn uploads(
    store: &dyn StorageBackend,
    name: &str,
    notes: &[String],
) -> Result<Vec<(String, UploadId)>> {
    let mut uploads = Vec::with_capacity(notes.len());
    for key in notes {
        let json = match read_bounded(store, key, note::LARGEST).await {
            // What no check has written names nothing.
            Err(error) if error.kind() == ErrorKind::Integrity => None,
            read => read?,
        };
        let Some(UploadNote { path, upload }) = json.and_then(|(json, _)| UploadNote::from_json(&json)) else {
            continue;
        };
        let key = format!("{name}/{path}");
        if key::check(&key).is_ok() {
            uploads.push((key, UploadId(upload)));
        }
    }
    Ok(uploads)
}

/// Whether it lies in a checkpoint, which somebody has put with all that is in it.
pub(super) async fn is_in_a_checkpoint(store: &dyn StorageBackend, name: &str) -> Result<bool> {
    for above in key::ancestors(name) {
        if store.exists(&key::manifest_of(above)).await? || store.exists(&Claim::key(above)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what lies under the name, unless something new does; first the uploads, while there is something that names them.
pub(super) async fn remove(store: &dyn StorageBackend, name: &str) -> Result<()> {
    let objects = store.list(&format!("{name}/")).await?;
    let mut found = BTreeMap::new();
    collect(&mut found, &objects, SystemTime::now());
    if found.values().any(|traces| traces.live) || is_in_a_checkpoint(store, name).await? {
        return Ok(());
    }
    for (key, upload) in uploads(store, name, &found.remove(name).unwrap_or_default().notes).await? {
        store.abort(&key, &upload).await?;
    }
    let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
    store.delete_many(&keys).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_checks_make() {
        for (key, name) in [
            (".strata-check-0123456789ab/object", Some(".strata-check-0123456789ab")),
            ("runs/a/.strata-check-0123456789ab/x/y", Some("runs/a/.strata-check-0123456789ab")),
            (".strata-check-aZ09bc/store/a/object", Some(".strata-check-aZ09bc")),
            (".strata-check-0123456789ab", None),
            (".strata-check-0123456789AB/object", None),
            (".strata-check-list/object", None),
            (".strata-bench-0123456789ab/1", Some(".strata-bench-0123456789ab")),
            ("runs/.strata-bench-0123456789ab/1/.strata/put.json", Some("runs/.strata-bench-0123456789ab")),
            (".strata-bench-aZ09bc/1", None),
            (".strata-check-/object", None),
            ("a.strata-check-0123456789ab/object", None),
        ] {
            assert_eq!(name_of(key), name, "{key}");
        }
    }

    #[test]
    fn what_is_young_or_of_unknown_age_may_be_going_on() {
        let now = SystemTime::now();
        let object = |key: &str, modified| {
            let (etag, checksum, stored, token, deviation) = (None, None, None, None, None);
            ObjectMeta { key: key.to_owned(), size: 2, etag, modified, checksum, stored, token, deviation }
        };
        let (old, young) = (now - Duration::from_secs(3601), now - Duration::from_secs(3599));
        for (second, live) in [(Some(old), false), (Some(young), true), (None, true), (Some(now + MAY_GO_ON), true)] {
            let page = [".strata-check-0123456789ab/a", "mine", ".strata-check-0123456789ab/b"];
            let page: Vec<ObjectMeta> =
                page.into_iter().zip([Some(old), None, second]).map(|(key, at)| object(key, at)).collect();
            let mut found = BTreeMap::new();
            collect(&mut found, &page, now);
            let expected = Traces { files: 2, bytes: 4, live, notes: Vec::new() };
            assert_eq!(found.into_iter().collect::<Vec<_>>(), [(".strata-check-0123456789ab".to_owned(), expected)]);
        }
    }
}
