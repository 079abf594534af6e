//! `ls`.

use clap::Args;
use clap::builder::BoolishValueParser;

/// List checkpoints, and the files beside them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt ls
  strata-ckpt ls runs/a/                        what begins with runs/a/
  strata-ckpt ls epoch_10                       one checkpoint and its files
  strata-ckpt ls s3://bucket/runs/ --json")]
pub(crate) struct LsArgs {
    /// What names begin with; the full name of a checkpoint shows its files
    #[arg(value_name = "PREFIX")]
    pub(crate) names: Option<String>,

    /// Show the files of each checkpoint
    #[arg(long, env = "STRATA_FILES", value_parser = BoolishValueParser::new())]
    pub(crate) files: bool,
}
