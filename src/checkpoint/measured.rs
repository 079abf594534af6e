//! What a measurement that was killed leaves: files, or checkpoints that know the uploads of their puts.

use std::collections::BTreeMap;

use crate::error::{ErrorKind, Result};
use crate::key::BENCH_PREFIX;
use crate::transfer::Transfer;

use super::checks;
use super::claim::Claim;
use super::remove::remove;

/// Whether the name is that of a measurement.
pub(super) fn is_name(name: &str) -> bool {
    name.rsplit('/').next().unwrap_or(name).starts_with(BENCH_PREFIX)
}

/// Removes the checkpoints under the name of a measurement, and so their uploads, unless something new lies there.
pub(super) async fn remove_checkpoints(transfer: &Transfer, name: &str) -> Result<()> {
    let store = &**transfer.store();
    let objects = store.list(&format!("{name}/")).await?;
    let mut found = BTreeMap::new();
    checks::collect(&mut found, &objects, store.now());
    if found.values().any(|traces| traces.live) {
        return Ok(());
    }
    let claim = Claim::key("");
    for checkpoint in objects.iter().filter_map(|object| object.key.strip_suffix(&claim)) {
        match remove(transfer, checkpoint).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
