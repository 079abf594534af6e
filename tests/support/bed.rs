//! The binary in a directory of its own, on a store of its own: the same test runs on both.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::faulty::{BUCKET, Faulty};
use super::minio::{self, Bucket};

/// The command's own path.
pub const BINARY: &str = env!("CARGO_BIN_EXE_strata-ckpt");

pub struct Bed {
    directory: TempDir,
    environment: Vec<(String, String)>,
    bucket: Option<Bucket>,
}

/// The local store, with no configuration at all.
pub fn local() -> Bed {
    Bed { directory: tempfile::tempdir().unwrap(), environment: Vec::new(), bucket: None }
}

/// The same where every user of the machine comes to: `TMPDIR` may be in a directory of one's own.
pub fn local_within_reach() -> Bed {
    Bed { directory: tempfile::tempdir_in("/tmp").unwrap(), ..local() }
}

/// MinIO, with the page's variables and the five permissions.
pub fn minio() -> Bed {
    on(minio::shared().bucket())
}

/// The same in this bucket.
pub fn on(bucket: Bucket) -> Bed {
    Bed { directory: tempfile::tempdir().unwrap(), environment: bucket.environment(), bucket: Some(bucket) }
}

/// A scripted server.
pub fn faulty(server: &Faulty) -> Bed {
    let environment = [
        ("STORAGE_BACKEND", "s3"),
        ("CHECKPOINT_BUCKET", BUCKET),
        ("S3_ENDPOINT", &server.endpoint()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Bed { directory: tempfile::tempdir().unwrap(), environment, bucket: None }
}

/// A store that the environment names.
pub fn with(environment: Vec<(String, String)>) -> Bed {
    Bed { directory: tempfile::tempdir().unwrap(), environment, bucket: None }
}

/// The same, where the store is this bucket by another way.
pub fn with_bucket(environment: Vec<(String, String)>, bucket: Bucket) -> Bed {
    Bed { bucket: Some(bucket), ..with(environment) }
}

/// What a command said.
pub struct Said {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// As a person would read it.
impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { code, stdout, stderr } = self;
        write!(f, "exit {code:?}\n{}---\n{stderr}", String::from_utf8_lossy(stdout))
    }
}

impl Said {
    pub fn stdout_line(&self) -> String {
        let text = String::from_utf8(self.stdout.clone()).unwrap();
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        String::from_utf8_lossy(&self.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Bed {
    pub fn name(&self) -> &'static str {
        if self.bucket.is_some() { "MinIO" } else { "the local store" }
    }

    pub fn bucket(&self) -> &Bucket {
        self.bucket.as_ref().expect("only on MinIO")
    }

    pub fn bucket_or_none(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    pub fn write(&self, relative: &str, content: &[u8]) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, relative: &str) -> Vec<u8> {
        fs::read(self.path(relative)).unwrap()
    }

    pub fn uri(&self, key: &str) -> String {
        match &self.bucket {
            Some(bucket) => format!("s3://{}/{key}", bucket.name()),
            None => format!("file://{}", self.path("checkpoints").join(key).display()),
        }
    }

    /// The command, ready to run; nothing of the test's own environment reaches it.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.dressed(Command::new(BINARY));
        command.args(arguments);
        command
    }

    /// Another program in the command's directory, with its environment: one that runs [`BINARY`].
    pub fn dressed(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("HOME", self.directory.path().join("home"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        said(self.command(arguments).output().unwrap())
    }

    /// Runs it and expects exit 0.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        succeeded(self, self.run(arguments))
    }

    pub fn ok_with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).unwrap());
            child.wait_with_output().unwrap()
        });
        succeeded(self, said(output))
    }

    /// Every key in the store, ours included, in order.
    pub fn stored_keys(&self) -> Vec<String> {
        match &self.bucket {
            Some(bucket) => bucket.object_keys(),
            None => files_below(&self.path("checkpoints")).into_keys().collect(),
        }
    }

    /// No upload in progress, no partial file, neither in the store nor beside a destination.
    pub fn assert_nothing_left(&self) {
        if let Some(bucket) = &self.bucket {
            assert_eq!(bucket.uploads(), Vec::<String>::new());
        }
        let partial: Vec<PathBuf> = walkdir::WalkDir::new(self.directory.path())
            .into_iter()
            .filter_map(|entry| Some(entry.ok()?.into_path()))
            .filter(|path| path.to_string_lossy().contains(".strata-partial"))
            .collect();
        assert_eq!(partial, Vec::<PathBuf>::new());
    }

    /// The journals of transfers that were not finished.
    pub fn journals(&self) -> Vec<String> {
        files_below(&self.path("home/.local/state/strata-ckpt/journals")).into_keys().collect()
    }

    pub fn assert_same_tree(&self, a: &str, b: &str) {
        let (a, b) = (files_below(&self.path(a)), files_below(&self.path(b)));
        assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "on {}", self.name());
        for (path, content) in a {
            assert!(content == b[&path], "{path} differs on {}", self.name());
        }
    }
}

pub fn said(output: Output) -> Said {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { code: output.status.code(), stdout: output.stdout, stderr }
}

fn succeeded(bed: &Bed, said: Said) -> Said {
    assert_eq!(said.code, Some(0), "on {}: {}", bed.name(), said.stderr);
    said
}

/// Relative paths and contents of all files below a directory.
pub fn files_below(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(directory) {
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_file() {
            let relative = entry.path().strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
            files.insert(relative, fs::read(entry.path()).unwrap());
        }
    }
    files
}
