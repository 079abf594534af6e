//! `put`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueHint};

use super::count::parse_last;
use super::writing::WritingArgs;

/// Put a file, a directory (one checkpoint), or stdin into the store
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt put epoch_10/model.bin            stored as epoch_10/model.bin
  strata-ckpt put epoch_10 --meta step=12000    one checkpoint of all files below epoch_10
  strata-ckpt put epoch_10 --keep-last 3        and remove what is older beside it
  strata-ckpt put shards epoch_10 --rank 3 --world-size 64
  strata-ckpt put /scratch/model.bin runs/a/    stored as runs/a/model.bin
  tar c run | strata-ckpt put - run.tar")]
pub(crate) struct PutArgs {
    /// File or directory, or - for stdin
    #[arg(value_name = "SRC", value_hint = ValueHint::AnyPath)]
    pub(crate) source: PathBuf,

    /// Name in the store, or s3://bucket/key, or file:///path; a relative SRC is its own. With / at its end, it takes a
    /// single file under the file's own name
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,

    /// Fail when KEY exists already
    #[arg(short, long, env = "STRATA_NO_CLOBBER", value_parser = BoolishValueParser::new())]
    pub(crate) no_clobber: bool,

    /// Start over where an earlier put of the same was interrupted, and give up what it left
    #[arg(long, env = "STRATA_NO_RESUME", value_parser = BoolishValueParser::new())]
    pub(crate) no_resume: bool,

    /// Of a directory, put only files that match; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_INCLUDE", value_name = "GLOB")]
    pub(crate) include: Vec<String>,

    /// Of a directory, leave out files that match; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_EXCLUDE", value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,

    /// Keep a value, such as the step or the loss, in a directory's manifest; repeatable. In the variable, one a line
    #[arg(long, env = "STRATA_META", value_name = "KEY=VALUE", value_parser = parse_meta)]
    pub(crate) meta: Vec<(String, String)>,

    /// Replace a committed checkpoint of other content; for the seconds of the change there is none
    #[arg(long, env = "STRATA_FORCE", value_parser = BoolishValueParser::new())]
    pub(crate) force: bool,

    /// When a directory is committed, remove the complete checkpoints beside it but for the N with the highest numbers, the
    /// newest, and this one. What cannot be removed is a warning
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_PUT_KEEP_LAST",
        value_name = "N",
        value_parser = parse_last
    )]
    pub(crate) keep_last: Option<NonZeroU64>,

    /// Put the files of one rank, from 0, of a job that puts one checkpoint together; it appears with the last rank
    #[arg(long, env = "STRATA_RANK", value_name = "R")]
    pub(crate) rank: Option<u32>,

    /// How many ranks put the checkpoint together
    #[arg(long, env = "STRATA_WORLD_SIZE", value_name = "N")]
    pub(crate) world_size: Option<u32>,

    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

pub(super) fn parse_meta(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not of the form KEY=VALUE")),
    }
}
