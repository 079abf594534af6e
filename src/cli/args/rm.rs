//! `rm`.

use clap::Args;
use clap::builder::BoolishValueParser;

/// Remove files and checkpoints
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt rm epoch_1 epoch_2
  strata-ckpt rm --dry-run runs/a/epoch_3")]
pub(crate) struct RmArgs {
    /// Names in the store, or s3://bucket/key, or file:///path
    #[arg(value_name = "KEY", required = true)]
    pub(crate) keys: Vec<String>,

    /// Print what would be removed, and remove nothing
    #[arg(long, env = "STRATA_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
}
