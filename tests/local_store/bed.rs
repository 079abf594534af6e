//! A store in a directory of its own, everything in it, and the warnings it gave.

use std::ops::Deref;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use storage::backend::WriteOptions;
use storage::body::PartBody;
use storage::event::{Event, Observer};
use storage::{LocalStorage, PartSize, RuntimeConfig, StorageBackend};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Bed {
    pub(crate) store: LocalStorage,
    pub(crate) warnings: Arc<Warnings>,
    pub(crate) directory: TempDir,
}

#[derive(Default)]
pub(crate) struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { message } = event {
            self.0.lock().unwrap().push((*message).to_owned());
        }
    }
}

impl Bed {
    /// A store in `store/` of a new directory, with parts of 64 KiB.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let warnings = Arc::new(Warnings::default());
        let runtime = RuntimeConfig {
            part_size: PartSize::Fixed(64 << 10),
            observer: warnings.clone(),
            ..RuntimeConfig::default()
        };
        let store = LocalStorage::with_config(directory.path().join("store"), runtime);
        Bed { store, warnings, directory }
    }

    /// A path in the store.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.directory.path().join("store").join(key)
    }

    /// A path beside the store.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn put(&self, key: &str, data: &'static [u8]) {
        self.store.put(key, &PartBody::from_bytes(data.into()), &WriteOptions::replace()).await.unwrap();
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        self.store.list("").await.unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Every file and directory in the store, partial files included.
    pub(crate) fn everything(&self) -> Vec<String> {
        let root = self.path("");
        if !root.exists() {
            return Vec::new();
        }
        let entries = walkdir::WalkDir::new(&root).min_depth(1).sort_by_file_name();
        entries
            .into_iter()
            .map(|entry| entry.unwrap().path().strip_prefix(&root).unwrap().display().to_string())
            .collect()
    }

    /// The one partial file in the store.
    pub(crate) fn partial(&self) -> Option<PathBuf> {
        let name = self.everything().into_iter().find(|name| name.ends_with(".strata-partial"))?;
        Some(self.path(&name))
    }
}

impl Deref for Bed {
    type Target = LocalStorage;

    fn deref(&self) -> &LocalStorage {
        &self.store
    }
}

pub(crate) fn zeros(len: usize) -> Bytes {
    vec![0; len].into()
}

/// Runs the test `name` of this program again, in a process of its own that `change` prepares.
/// True in the process that shall do the work.
pub(crate) fn in_another_process(name: &str, program: &str, arguments: &[&str], uid: Option<u32>) -> bool {
    const INNER: &str = "STRATA_TEST_INNER";
    if std::env::var_os(INNER).is_some() {
        return true;
    }
    let mut command = Command::new(program);
    command.args(arguments).args(["--exact", name, "--nocapture"]).env(INNER, "1").current_dir("/");
    if let Some(uid) = uid {
        command.uid(uid).gid(uid);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// A runtime in which what blocks waits in one line, so that [`Gate`]s can stop it anywhere.
pub(crate) fn one_at_a_time() -> Runtime {
    Builder::new_current_thread().max_blocking_threads(1).build().unwrap()
}

/// Holds the thread that blocking work runs on, from its turn until it is opened.
pub(crate) struct Gate {
    reached: tokio::sync::oneshot::Receiver<()>,
    opened: std::sync::mpsc::Sender<()>,
}

impl Gate {
    pub(crate) fn shut() -> Gate {
        let (reach, reached) = tokio::sync::oneshot::channel();
        let (opened, opening) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || {
            let _ = reach.send(());
            let _ = opening.recv();
        });
        Gate { reached, opened }
    }

    pub(crate) async fn reached(&mut self) {
        (&mut self.reached).await.unwrap();
    }

    pub(crate) fn open(self) {
        self.opened.send(()).unwrap();
    }
}
