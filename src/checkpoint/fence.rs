//! What is looked at before a manifest is written: nobody else is putting the same name, and the files are still those
//! that were sent. It narrows the window in which two writers could mix their files; it does not close it.

use futures::FutureExt;

use crate::backend::StorageBackend;
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::{Transfer, object_at};

use super::group;
use super::manifest::{FileEntry, Writer};
use super::marker::Marker;

/// Fails where `marker` is of a process that is at work on this machine.
pub(super) fn refuse_live(name: &str, action: &str, marker: Option<&Marker>) -> Result<()> {
    let Some(Marker { writer, since, .. }) = marker.filter(|marker| marker.is_unfinished()) else { return Ok(()) };
    if !is_at_work(writer) {
        return Ok(());
    }
    let Writer { host, pid, .. } = writer;
    Err(Error::new(ErrorKind::Exists, format!("process {pid} on {host} is at work on it since {since}"))
        .action(action)
        .on(name)
        .hint_is("wait until it is done, or stop it, then run the same command again"))
}

/// The writer runs on this machine, and is the same program as this. A process of our own id is ourselves, or who had
/// the id before us: in a container that starts again it is often the same.
fn is_at_work(writer: &Writer) -> bool {
    let program = |pid: &str| std::fs::read(format!("/proc/{pid}/comm")).ok();
    let this = Writer::this_process();
    writer.host == this.host
        && writer.pid != this.pid
        && program("self").is_some_and(|ours| program(&writer.pid.to_string()) == Some(ours))
}

/// Fails where another put of the name began meanwhile, or one of the files is not what was sent.
pub(super) async fn confirm_ours(transfer: &Transfer, name: &str, writer: &Writer, files: &[FileEntry]) -> Result<()> {
    let store = &**transfer.store();
    match Marker::read(store, name).await? {
        Some(marker) if marker.writer.token == writer.token => {}
        Some(Marker { writer: Writer { host, .. }, .. }) => {
            return Err(overtaken(name, format!("another put or removal of it began meanwhile on {host}")));
        }
        None => return Err(overtaken(name, "it was removed meanwhile".to_owned())),
    }
    let group = transfer.group();
    let work = files.iter().map(|file| confirm_file(store, name, file).boxed());
    group::all(&group, Box::new(work)).await.map(|_| ())
}

async fn confirm_file(store: &dyn StorageBackend, name: &str, file: &FileEntry) -> Result<()> {
    let same = object_at(store, &format!("{name}/{}", file.path)).await?.is_some_and(|object| {
        object.size == file.size
            && match object.checksum {
                Some(checksum) => checksum == file.crc64nvme,
                None => object.etag.is_none() || file.etag.is_none() || object.etag == file.etag,
            }
    });
    match same {
        true => Ok(()),
        false => Err(overtaken(name, format!("'{}' was replaced or removed meanwhile", file.path))),
    }
}

pub(super) fn overtaken(name: &str, what: String) -> Error {
    Error::new(ErrorKind::Exists, what).action("put the checkpoint").on(name).hint_is(
        "one name takes one put at a time: see what is there (strata-ckpt ls), then run the same command again",
    )
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::{PutCheckpoint, put};
    use crate::event::{Event, Observer};
    use crate::{LocalStorage, RuntimeConfig};

    /// Writes a file as soon as the first one has been put.
    struct Meddler(PathBuf);

    impl Observer for Meddler {
        fn event(&self, event: &Event<'_>) {
            if matches!(event, Event::FileDone { .. }) {
                std::fs::write(&self.0, "meddled").unwrap();
            }
        }
    }

    /// The error of a put of `run/a` and `run/b` during which `meddled` is written, and whether it was committed.
    async fn meddled_with(meddled: &str) -> (Error, bool) {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        std::fs::create_dir(at("run")).unwrap();
        for file in ["run/a", "run/b"] {
            std::fs::write(at(file), file).unwrap();
        }
        let runtime = RuntimeConfig { observer: Arc::new(Meddler(at(meddled))), ..RuntimeConfig::default() };
        let transfer = Transfer::new(Arc::new(LocalStorage::with_config(at("store"), runtime)));
        let outcome = put(&transfer, &at("run"), "run", &PutCheckpoint::default()).await;
        (outcome.unwrap_err(), Path::new(&at("store/run/.strata/manifest.json")).exists())
    }

    #[tokio::test]
    async fn files_that_another_writes_over_are_not_committed() {
        let (error, committed) = meddled_with("store/run/a").await;
        assert_eq!((error.kind(), committed), (ErrorKind::Exists, false));
        assert!(error.to_string().contains("'a' was replaced or removed meanwhile"), "{error}");
    }

    #[tokio::test]
    async fn a_marker_that_another_writes_over_ends_the_put() {
        let (error, committed) = meddled_with("store/run/.strata/put.json").await;
        assert_eq!((error.kind(), committed), (ErrorKind::Integrity, false), "{error}");
    }

    #[tokio::test]
    async fn a_source_that_changes_or_grows_is_not_committed() {
        for meddled in ["run/a", "run/c"] {
            let (error, committed) = meddled_with(meddled).await;
            assert_eq!((error.kind(), committed), (ErrorKind::Integrity, false), "{error}");
        }
    }
}
