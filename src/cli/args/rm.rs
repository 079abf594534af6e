//! `rm`.

use clap::Args;
use clap::builder::BoolishValueParser;

/// Remove files and checkpoints
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt rm epoch_1 epoch_2
  strata-ckpt rm --dry-run runs/a/epoch_3
  strata-ckpt rm --partial --yes runs/a/        what was abandoned there")]
pub(crate) struct RmArgs {
    /// Names in the store, or s3://bucket/key, or file:///path
    #[arg(value_name = "KEY", required_unless_present = "partial")]
    pub(crate) keys: Vec<String>,

    /// Remove what was abandoned, of all names or of those that begin with KEY: uploads, files of interrupted puts, partial
    /// files. ls --partial shows it
    #[arg(long, env = "STRATA_RM_PARTIAL", value_parser = BoolishValueParser::new())]
    pub(crate) partial: bool,

    /// Remove a selection without being asked
    #[arg(short, long, env = "STRATA_YES", value_parser = BoolishValueParser::new())]
    pub(crate) yes: bool,

    /// Print what would be removed, and remove nothing
    #[arg(long, env = "STRATA_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
}
