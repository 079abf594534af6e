//! `setup --check`: whether the store can be used.

use bytes::Bytes;
use storage::StorageBackend;

use super::super::context::Context;
use super::line::Line;

/// Writes, reads and removes one small object.
pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let storage = context.bucket_storage(context.bucket_config()?, context.runtime.clone()).await?;
    let key = format!(".strata-setup-{}/probe", uuid::Uuid::new_v4().simple());
    let content = Bytes::from_static(b"strata-ckpt setup");
    storage.write(&key, content.clone()).await?;
    let read = storage.read(&key).await;
    // Also where reading failed.
    storage.delete(&key).await?;
    if read? != content {
        return Err(storage::Error::new(storage::ErrorKind::Integrity, "what was read is not what was written")
            .on(key)
            .at(storage.endpoint())
            .into());
    }
    let detail = "a small object was written, read and removed";
    Ok(Line::new("check", "found", detail).print(context)?)
}
