//! `get`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

/// Get a file or a checkpoint back, verified
#[derive(Debug, Args)]
#[command(
    override_usage = "strata-ckpt get [OPTIONS] KEY [DST]\n       strata-ckpt get [OPTIONS] --latest [PREFIX] [DST]",
    after_help = "\
Examples:
  strata-ckpt get epoch_10                      into ./epoch_10
  strata-ckpt get epoch_10/model.bin /tmp/      as /tmp/model.bin
  strata-ckpt get --latest runs/a/ restored     the checkpoint of runs/a/ with the highest number
  strata-ckpt get run.tar - | tar x"
)]
pub(crate) struct GetArgs {
    /// Name in the store, or s3://bucket/key, or file:///path; with --latest, what the names begin with
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Where to: a path, or - for stdout; KEY's own relative path by default. A directory, or a path with / at its end,
    /// takes a single file under its own name; a checkpoint's files go straight into DST
    #[arg(value_name = "DST", value_hint = ValueHint::AnyPath)]
    pub(crate) destination: Option<PathBuf>,

    /// Fail when DST exists already
    #[arg(short, long, env = "STRATA_NO_CLOBBER", value_parser = BoolishValueParser::new())]
    pub(crate) no_clobber: bool,

    /// Start over where an earlier get of the same was interrupted, and give up what it left
    #[arg(long, env = "STRATA_NO_RESUME", value_parser = BoolishValueParser::new())]
    pub(crate) no_resume: bool,

    /// Get the complete checkpoint with the highest number, epoch_10 before epoch_9
    #[arg(long, env = "STRATA_LATEST", value_parser = BoolishValueParser::new())]
    pub(crate) latest: bool,

    /// Of a checkpoint, get only files that match; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_INCLUDE", value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Of a checkpoint, leave out files that match; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_EXCLUDE", value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Get a directory that has no manifest as it is listed, unless a put is going on there
    #[arg(long, env = "STRATA_UNVERIFIED", value_parser = BoolishValueParser::new())]
    pub(crate) unverified: bool,

    /// Fail where the store holds no checksum to verify against
    #[arg(long, env = "STRATA_REQUIRE_CHECKSUM", value_parser = BoolishValueParser::new())]
    pub(crate) require_checksum: bool,
}
