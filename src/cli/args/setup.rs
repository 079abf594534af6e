//! `setup`.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use storage::config::parse_duration;

/// Prepare the store: bucket, lifecycle, permissions
#[derive(Debug, Args)]
#[command(after_help = "\
Creates the bucket in AWS_REGION where it is missing (public access blocked, objects owned by the bucket's owner, default \
encryption), applies the lifecycle to what is under CHECKPOINT_PREFIX, and checks everything. Running it again changes \
nothing that is as it should be. Rules of others in the lifecycle stay as they are; ours has an id of its own. What is \
asked for is what there will be: a rule that is left out next time is taken away. A right that is missing is named, with \
the command that an administrator has to run. On the local store it makes the directory.

Epochs become days, rounded up: --transition-after-epochs 120 --epoch-duration 6h is 30 days. S3 moves objects to infrequent \
access after 30 days at the earliest, and none below 128 KiB. A lifecycle counts days since an object was written, and \
knows no checkpoints.

Examples:
  strata-ckpt setup --dry-run
  strata-ckpt setup --transition-after-epochs 120 --epoch-duration 6h
  strata-ckpt setup --check                      only look whether everything works
  strata-ckpt setup --iam-policy > policy.json   for the identity that trains
  strata-ckpt setup --env --bucket my-ckpts      writes .env")]
pub(crate) struct SetupArgs {
    /// Only check that everything works
    #[arg(
        long,
        env = "STRATA_SETUP_CHECK",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["iam_policy", "env", "versioning", "abort_days", "transition_after_epochs", "expire_after_epochs", "noncurrent_days", "dry_run"]
    )]
    pub(crate) check: bool,

    /// Print the policy with the five permissions on this bucket and prefix, and send nothing
    #[arg(
        long,
        env = "STRATA_SETUP_IAM_POLICY",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["env", "versioning", "abort_days", "transition_after_epochs", "expire_after_epochs", "noncurrent_days", "dry_run"]
    )]
    pub(crate) iam_policy: bool,

    /// ARN of the KMS key of an encrypted bucket: the policy has the two permissions on it, too
    #[arg(long, env = "STRATA_KMS_KEY", value_name = "ARN", requires = "iam_policy")]
    pub(crate) kms_key: Option<String>,

    /// Write the settings into .env, or into the file that --env-file names, and send nothing
    #[arg(
        long,
        env = "STRATA_SETUP_ENV",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["versioning", "abort_days", "transition_after_epochs", "expire_after_epochs", "noncurrent_days"]
    )]
    pub(crate) env: bool,

    /// With --env, replace a file that is there
    #[arg(long, env = "STRATA_SETUP_FORCE", value_parser = BoolishValueParser::new(), requires = "env")]
    pub(crate) force: bool,

    /// Abort uploads that are unfinished after so many days; by default 7
    #[arg(long, allow_negative_numbers = true, env = "STRATA_ABORT_DAYS", value_name = "N", value_parser = parse_count)]
    pub(crate) abort_days: Option<NonZeroU32>,

    /// Move checkpoints to a cheaper storage class after so many epochs
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_TRANSITION_AFTER_EPOCHS",
        value_name = "N",
        value_parser = parse_count
    )]
    pub(crate) transition_after_epochs: Option<NonZeroU32>,

    /// Delete checkpoints after so many epochs, the newest ones as well when training pauses
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_EXPIRE_AFTER_EPOCHS",
        value_name = "N",
        value_parser = parse_count
    )]
    pub(crate) expire_after_epochs: Option<NonZeroU32>,

    /// How long an epoch takes, such as 6h; needed where epochs are counted
    #[arg(long, env = "STRATA_EPOCH_DURATION", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) epoch_duration: Option<Duration>,

    /// Where checkpoints move: STANDARD_IA (the default), ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR
    #[arg(long, env = "STRATA_STORAGE_CLASS", value_name = "CLASS")]
    pub(crate) storage_class: Option<String>,

    /// Turn versioning on: what rm removes and put replaces is then kept as an old version, and paid for
    #[arg(long, env = "STRATA_SETUP_VERSIONING", value_parser = BoolishValueParser::new())]
    pub(crate) versioning: bool,

    /// Delete old versions so many days after they were replaced or removed
    #[arg(
        long,
        allow_negative_numbers = true,
        env = "STRATA_NONCURRENT_DAYS",
        value_name = "N",
        value_parser = parse_count
    )]
    pub(crate) noncurrent_days: Option<NonZeroU32>,

    /// Say what would be done, and do nothing
    #[arg(long, env = "STRATA_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
}

fn parse_count(text: &str) -> Result<NonZeroU32, String> {
    // S3's numbers of days have 31 bits.
    let fits = |count: &NonZeroU32| i32::try_from(count.get()).is_ok();
    text.parse().ok().filter(fits).ok_or_else(|| format!("'{text}' is not a whole number from 1 to {}", i32::MAX))
}
