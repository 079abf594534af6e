//! One run of a cell: a put or a get on a store that was opened for it, as a command would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::{self, Found, GetCheckpoint, PutCheckpoint};
use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::transfer::{GetOptions, Overwrite, Transfer};

use super::machine::{Cost, Spent};
use super::meter::{Counts, Meter};
use super::plan::{Operation, Settings};
use super::sample::{Sample, Scratch};
use super::{OpenStore, Step, Watcher};

/// What runs share.
pub(super) struct Bench<'a> {
    pub(super) runtime: &'a RuntimeConfig,
    pub(super) stores: &'a dyn OpenStore,
    pub(super) watcher: &'a Arc<dyn Watcher>,
}

/// What one run showed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) bytes: u64,
    pub(super) time: Duration,
    pub(super) counts: Counts,
    pub(super) spent: Spent,
}

impl Run {
    /// Bytes a second.
    pub(super) fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-6)
    }
}

impl Bench<'_> {
    /// Looks at what will be cleared at the end: what cannot be reached, or not be looked at, is found before anything is
    /// written.
    pub(super) async fn look(&self, prefix: &str) -> Result<()> {
        let observer = Meter::start(Operation::Get, self.watcher.clone())?;
        let runtime = RuntimeConfig { observer, state_dir: None, resume: false, ..self.runtime.clone() };
        let store = self.stores.open(runtime).await?;
        store.list(&format!("{prefix}/")).await.map(drop)
    }

    /// Puts the sample under a name where nothing is.
    pub(super) async fn put(&self, settings: Settings, sample: &Sample, name: &str) -> Result<Run> {
        sample.renew().await?;
        self.timed(Operation::Put, settings, sample.bytes(), |transfer| async move {
            match sample.single() {
                Some(path) => transfer.put_file(path, name, Overwrite::Replace).await.map(|put| put.moved),
                None => {
                    let put = checkpoint::put(&transfer, &sample.directory, name, &PutCheckpoint::default()).await?;
                    Ok(put.moved_files == put.files)
                }
            }
        })
        .await
        .inspect(|run| self.watcher.step(&Step::Stored { bytes: run.bytes }))
    }

    /// Gets what was put, to where nothing is.
    pub(super) async fn get(&self, settings: Settings, sample: &Sample, scratch: &Scratch, name: &str) -> Result<Run> {
        let destination = scratch.path("got");
        let (to, is_file) = (&destination, sample.single().is_some());
        let run = self
            .timed(Operation::Get, settings, sample.bytes(), |transfer| async move {
                if is_file {
                    return transfer.get_file(name, to, &GetOptions::default()).await.map(|got| got.moved);
                }
                match checkpoint::find(&**transfer.store(), name).await? {
                    Found::Checkpoint(manifest) => {
                        let got = checkpoint::get(&transfer, name, &manifest, to, &GetCheckpoint::default()).await?;
                        Ok(got.moved_files == got.files)
                    }
                    _ => Err(Error::new(ErrorKind::NotFound, "what was put a moment ago is not there").on(name)),
                }
            })
            .await;
        // Also where it failed, so that no run finds what another has got.
        let gone = crate::body::blocking(move || {
            let removed =
                if is_file { std::fs::remove_file(&destination) } else { std::fs::remove_dir_all(&destination) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::local(format!("remove '{}'", destination.display()), error))
                }
                _ => Ok(()),
            }
        });
        let gone = gone.await;
        let run = run?;
        gone.map(|()| run)
    }

    async fn timed<W>(
        &self,
        operation: Operation,
        settings: Settings,
        bytes: u64,
        work: impl FnOnce(Transfer) -> W,
    ) -> Result<Run>
    where
        W: Future<Output = Result<bool>>,
    {
        let meter = Meter::start(operation, self.watcher.clone())?;
        let Settings { part_size, concurrency } = settings;
        // Nothing is resumed: every byte of a run moves in it.
        let runtime = RuntimeConfig {
            part_size,
            concurrency,
            observer: meter.clone(),
            state_dir: None,
            resume: false,
            ..self.runtime.clone()
        };
        let transfer = Transfer::new(self.stores.open(runtime).await?);
        meter.begins();
        let (cost, started) = (Cost::from_now(), Instant::now());
        let moved = work(transfer).await?;
        let (time, spent, counts) = (started.elapsed(), cost.spent(), meter.counts());
        if !moved || counts.skipped {
            return Err(Error::new(ErrorKind::Other, "a run found its bytes there already, so it measured nothing"));
        }
        Ok(Run { bytes, time, counts, spent })
    }
}
