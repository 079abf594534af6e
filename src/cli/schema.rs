//! What `--json` prints: one object a line, told apart by `type`. Fields and types are only ever added.

use std::collections::BTreeMap;

use serde::Serialize;

use storage::bench::{Bottleneck, Cell, Change, Operation, Page, Recommendation, Setup, Stages};
use storage::checkpoint::{Total, Totals};

use super::exit::Failure;

/// A line of JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Object<'a> {
    // --- results, on stdout
    /// `put` is done.
    Put {
        uri: &'a str,
        key: &'a str,
        kind: Kind,
        #[serde(flatten)]
        tally: Tally,
        /// CRC-64/NVME of a file, as S3 writes it; null for a checkpoint.
        checksum: Option<String>,
        /// False where the store had the same already.
        changed: bool,
        /// With `--rank`, the ranks that are not there yet; the checkpoint is committed when there are none.
        #[serde(skip_serializing_if = "Option::is_none")]
        missing_ranks: Option<&'a [u32]>,
        /// The command that brings it back.
        restore: &'a str,
    },
    /// `get` is done. On stderr where stdout is the content.
    Get {
        /// `-` for stdout.
        path: &'a str,
        uri: &'a str,
        kind: Kind,
        #[serde(flatten)]
        tally: Tally,
        /// False where the store held no checksum to compare with.
        verified: bool,
    },
    /// `rm`, or `put --keep-last` after its own, removed a file or a checkpoint, or `rm` would have.
    Removed { uri: &'a str, key: &'a str, files: u64, bytes: u64, dry_run: bool },
    /// `ls`: a checkpoint.
    Checkpoint {
        name: &'a str,
        uri: String,
        /// `complete`, `partial` or `damaged`.
        state: String,
        /// Why it is not complete.
        why: Option<&'a str>,
        files: u64,
        bytes: u64,
        /// RFC 3339 in UTC.
        modified: Option<String>,
        /// What `put --meta` was given.
        meta: &'a BTreeMap<String, String>,
        /// With `--verify`: `all`, `sample`; absent where nothing was read.
        #[serde(skip_serializing_if = "Option::is_none")]
        verified: Option<&'static str>,
        /// With `--verify`: bytes that were read.
        #[serde(skip_serializing_if = "Option::is_none")]
        verified_bytes: Option<u64>,
    },
    /// `ls`: a file, of a checkpoint or by itself.
    File {
        key: &'a str,
        uri: String,
        bytes: u64,
        /// RFC 3339 in UTC; null for the files of a checkpoint.
        modified: Option<String>,
        /// The checkpoint that it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        checkpoint: Option<&'a str>,
        /// CRC-64/NVME, as the checkpoint's manifest has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        checksum: Option<String>,
        /// The manifest lists it, but it is not there in that size.
        #[serde(skip_serializing_if = "Option::is_none")]
        missing: Option<bool>,
        /// With `--verify`: it was read and differs from its checksum.
        #[serde(skip_serializing_if = "Option::is_none")]
        damaged: Option<bool>,
        /// How it is damaged, of a file by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
        /// With `--verify`, of a file by itself: `all`, `no_checksum`; absent where nothing was read.
        #[serde(skip_serializing_if = "Option::is_none")]
        verified: Option<&'static str>,
        /// With `--verify`, of a file by itself: bytes that were read.
        #[serde(skip_serializing_if = "Option::is_none")]
        verified_bytes: Option<u64>,
    },

    /// `ls --partial`: what was begun and not ended.
    Leftover {
        name: &'a str,
        uri: String,
        /// `checkpoint`, `upload`, `download`, `partial_file` or `check`.
        kind: &'a str,
        why: &'a str,
        /// Somebody is at it.
        live: bool,
        files: u64,
        bytes: u64,
        uploads: u64,
    },

    /// `setup`: a step is done.
    SetupStep {
        /// `bucket`, `public_access`, `ownership`, `versioning`, `lifecycle`, `abort_uploads`, `transition`, `expiration`,
        /// `old_versions`, `other_rules`, `check`; `settings` with `--env`; `directory`, `writing`, `space` of the local store.
        step: &'a str,
        /// `found`, `done`, `would_do`, `cannot_hold`, `denied`, `failed`.
        state: &'a str,
        detail: &'a str,
        /// How it was before it was changed.
        before: Option<&'a str>,
        /// The right that is missing.
        right: Option<&'a str>,
        hint: Option<&'a str>,
    },
    /// `setup`: the whole.
    Setup {
        uri: &'a str,
        /// Null for the local store, as is the region.
        endpoint: Option<&'a str>,
        region: Option<&'a str>,
        dry_run: bool,
        /// Something was done, or would have been.
        changed: bool,
        missing_rights: &'a [&'a str],
        /// What somebody who has the missing rights has to run.
        command: Option<&'a str>,
    },
    /// `setup --iam-policy`.
    #[cfg(feature = "s3")]
    IamPolicy { policy: serde_json::Value },
    /// `bench`: one operation with one part size and concurrency.
    BenchCell(&'a Cell),
    /// `bench`: the whole.
    Bench {
        /// Of strata-ckpt.
        version: &'static str,
        /// When it ended, RFC 3339 in UTC.
        time: String,
        seconds: f64,
        #[serde(flatten)]
        setup: &'a Setup,
        stages: &'a Stages,
        bottlenecks: &'a [Bottleneck],
        /// The same in one sentence.
        bottleneck: &'a str,
        recommended: &'a Recommendation,
        /// What the documented 200 MB/s means here.
        page: &'a Page,
        /// With `--baseline`: each cell that both have.
        #[serde(skip_serializing_if = "Option::is_none")]
        baseline: Option<&'a [Change]>,
        /// With `--baseline`, in per cent.
        #[serde(skip_serializing_if = "Option::is_none")]
        tolerance_percent: Option<f64>,
    },

    /// `setup --check`: one check.
    Check {
        name: &'a str,
        /// `good`, `note`, `bad` or `skipped`.
        outcome: &'a str,
        detail: &'a str,
        hint: Option<&'a str>,
        /// Of a bad one, as in `error`.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    /// `setup --check`: how many came out how.
    Checked { uri: &'a str, good: usize, notes: usize, bad: usize, skipped: usize, seconds: f64 },

    // --- events, on stderr
    /// `bench`: a run is done.
    BenchRun {
        op: Operation,
        part_size: &'a str,
        concurrency: &'a str,
        bytes: u64,
        seconds: f64,
        /// The number of this run over all cells, from 1, and how many there are.
        run: u32,
        runs: u32,
    },
    /// `bench`: how far it is, about every second; bytes are those of the current run.
    BenchProgress { doing: &'a str, run: u32, runs: u32, bytes_done: u64, bytes: u64, seconds: f64 },
    /// How far it is, about every second and at the end.
    Progress { files_done: u64, files: u64, bytes_done: u64, bytes: u64, seconds: f64 },
    /// `ls`: at its end, sums by state.
    Totals(TotalsObject),
    /// How many objects of a listing have come, about every second.
    Listing { objects: u64, seconds: f64 },
    /// A file is at its destination and verified.
    FileDone { key: &'a str, bytes: u64, moved: bool },
    /// What an earlier run had moved was checked and counts.
    Resumed { key: &'a str, bytes: u64 },
    /// A checkpoint became visible.
    Committed { key: &'a str, files: u64, bytes: u64 },
    /// A request failed and will be repeated; `try` is the number of the next one.
    Retry { action: &'a str, key: &'a str, r#try: u32, delay_seconds: f64, message: String },
    /// Something worth knowing.
    Warning { message: &'a str },
    /// Why the command failed; its last line.
    Error(&'a Failure),
}

/// Bytes that are there, by state.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct TotalsObject {
    complete: Sum,
    partial: Sum,
    damaged: Sum,
    plain: Sum,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Sum {
    /// Checkpoints, or plain files.
    entries: u64,
    bytes: u64,
}

impl From<&Totals> for TotalsObject {
    fn from(totals: &Totals) -> Self {
        let sum = |total: Total| Sum { entries: total.entries, bytes: total.bytes };
        let Totals { complete, partial, damaged, plain } = *totals;
        TotalsObject { complete: sum(complete), partial: sum(partial), damaged: sum(damaged), plain: sum(plain) }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    File,
    Checkpoint,
}

/// How much there was, and how much of it had to be moved.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Tally {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) moved_files: u64,
    pub(crate) moved_bytes: u64,
    /// What an earlier run had moved.
    pub(crate) resumed_bytes: u64,
    /// What went more than once.
    pub(crate) again_bytes: u64,
}

impl Tally {
    /// Files and bytes, and those of them that were not at the destination.
    pub(crate) fn of(files: u64, bytes: u64, moved_files: u64, moved_bytes: u64) -> Self {
        Tally { files, bytes, moved_files, moved_bytes, resumed_bytes: 0, again_bytes: 0 }
    }

    /// One file.
    pub(crate) fn one(bytes: u64, moved: bool) -> Self {
        Tally::of(1, bytes, u64::from(moved), if moved { bytes } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_their_type_first_and_flat_fields() {
        let removed = Object::Removed { uri: "file:///s/k", key: "k", files: 1, bytes: 2, dry_run: false };
        let get = Object::Get { path: "k", uri: "u", kind: Kind::File, tally: Tally::one(2, false), verified: true };
        let retry = Object::Retry { action: "put", key: "k", r#try: 2, delay_seconds: 0.5, message: "m".to_owned() };
        let json = |object| serde_json::to_string(&object).unwrap();
        assert_eq!(
            json(removed),
            r#"{"type":"removed","uri":"file:///s/k","key":"k","files":1,"bytes":2,"dry_run":false}"#
        );
        assert_eq!(
            json(get),
            r#"{"type":"get","path":"k","uri":"u","kind":"file","files":1,"bytes":2,"moved_files":0,"moved_bytes":0,"resumed_bytes":0,"again_bytes":0,"verified":true}"#
        );
        assert_eq!(
            json(retry),
            r#"{"type":"retry","action":"put","key":"k","try":2,"delay_seconds":0.5,"message":"m"}"#
        );
    }

    #[test]
    fn a_failure_is_the_error_object() {
        let error = storage::Error::new(storage::ErrorKind::Denied, "AccessDenied").hint_is("ask");
        let json = serde_json::to_string(&Object::Error(&Failure::of_storage(&error))).unwrap();
        assert_eq!(json, r#"{"type":"error","code":7,"kind":"denied","message":"AccessDenied","hint":"ask"}"#);
    }
}
