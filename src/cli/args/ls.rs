//! `ls`.

use clap::Args;
use clap::builder::BoolishValueParser;
use storage::checkpoint::Sample;

/// List checkpoints, and the files beside them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt ls
  strata-ckpt ls runs/a/                        what begins with runs/a/
  strata-ckpt ls epoch_10                       one checkpoint and its files
  strata-ckpt ls epoch_10 --verify              is it still what was put?
  strata-ckpt ls runs/a/ --sample 5%            the same, of a twentieth of each
  strata-ckpt ls s3://bucket/runs/ --json")]
pub(crate) struct LsArgs {
    /// What names begin with; the full name of a checkpoint shows its files, one that goes on inside it some of them
    #[arg(value_name = "PREFIX")]
    pub(crate) names: Option<String>,

    /// Show the files of each checkpoint
    #[arg(long, env = "STRATA_FILES", value_parser = BoolishValueParser::new())]
    pub(crate) files: bool,

    /// List only what is unfinished: interrupted puts, gets and removals, and what they left
    #[arg(long, env = "STRATA_PARTIAL", value_parser = BoolishValueParser::new())]
    pub(crate) partial: bool,

    /// Read everything that is listed, without keeping it, and compare it with its checksums; exit 6 on damage
    #[arg(long, env = "STRATA_VERIFY", value_parser = BoolishValueParser::new())]
    pub(crate) verify: bool,

    /// Read only so much of it, chosen at random, at least one range of each checkpoint; implies --verify
    #[arg(long, env = "STRATA_SAMPLE", allow_negative_numbers = true, value_name = "PERCENT")]
    pub(crate) sample: Option<Sample>,
}
