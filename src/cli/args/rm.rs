//! `rm`.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use storage::checkpoint::Retention;
use storage::config::parse_duration;

use super::count::{parse_every, parse_last};

/// Remove files and checkpoints
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt rm epoch_1 epoch_2
  strata-ckpt rm --dry-run runs/a/epoch_3
  strata-ckpt rm --partial --yes runs/a/        what was abandoned there
  strata-ckpt rm --keep-last 3 --dry-run        what would go of each run
  strata-ckpt rm --keep-last 3 --keep-every 10 runs/a/ --yes
  strata-ckpt rm --older-than 7d runs/

What a selection keeps: --keep-last, --keep-every and --older-than are joined, so that what one of them keeps is kept. Only \
complete checkpoints count and go, never partial or damaged ones. Siblings under one parent are one run, in order of the \
numbers in their last component, then of time. The newest of a run by number and the newest by time are never removed, nor \
is one that a put is writing. Names without a number, such as best or final, go by --older-than alone. A variable of these \
three adds its rule to a selection that is typed; by itself it selects nothing. That of --partial counts where there is \
neither a KEY nor another selection. Only without any KEY is everything selected from; an empty one is refused.")]
pub(crate) struct RmArgs {
    /// Names in the store, or s3://bucket/key, or file:///path; with a selection, what names begin with
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Remove what was abandoned, of all names or of those that begin with KEY: uploads, files of interrupted puts, partial
    /// files. ls --partial shows it
    #[arg(long, env = "STRATA_RM_PARTIAL", value_parser = BoolishValueParser::new())]
    pub(crate) partial: bool,

    /// Remove complete checkpoints, but keep the N with the highest numbers of each run
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_RM_KEEP_LAST",
        value_name = "N",
        value_parser = parse_last
    )]
    pub(crate) keep_last: Option<NonZeroU64>,

    /// Remove complete checkpoints, but keep those whose first number is a multiple of K: epoch_10 and epoch_20_step_7 with
    /// 10
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_RM_KEEP_EVERY",
        value_name = "K",
        value_parser = parse_every
    )]
    pub(crate) keep_every: Option<NonZeroU64>,

    /// Remove complete checkpoints, but keep those that were committed within TIME, such as 12h or 7d
    #[arg(long, env = "STRATA_RM_OLDER_THAN", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) older_than: Option<Duration>,

    /// Remove a selection without being asked
    #[arg(short, long, env = "STRATA_YES", value_parser = BoolishValueParser::new())]
    pub(crate) yes: bool,

    /// Print what would be removed, and remove nothing
    #[arg(long, env = "STRATA_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
}

impl RmArgs {
    /// What is kept of a selection.
    pub(crate) fn retention(&self) -> Retention {
        let RmArgs { keep_last, keep_every, older_than, .. } = *self;
        Retention { keep_last, keep_every, older_than }
    }
}
