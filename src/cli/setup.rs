//! `setup`: which of its works is meant.

#[cfg(feature = "s3")]
mod bucket;
mod check;
mod dotenv;
#[cfg(feature = "s3")]
mod lifecycle;
mod line;
mod local;

use storage::{Error, Result};

use super::args::{Backend, SetupArgs};
use super::context::Context;

/// Runs `setup`.
pub(crate) async fn run(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    if args.env {
        return dotenv::write(context, args);
    }
    if context.common.backend == Backend::Local {
        only_on_s3(args)?;
        if !args.check {
            local::run(context, args)?;
        }
        return match args.dry_run && !args.check {
            true => Ok(()),
            false => check::run(context).await,
        };
    }
    on_s3(context, args).await
}

#[cfg(feature = "s3")]
async fn on_s3(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    if args.check {
        return check::run(context).await;
    }
    if args.iam_policy {
        return bucket::print_policy(context, args);
    }
    bucket::run(context, args).await
}

#[cfg(not(feature = "s3"))]
async fn on_s3(_: &Context, _: &SetupArgs) -> anyhow::Result<()> {
    Err(Error::invalid("this strata-ckpt was built without S3")
        .hint_is("build it with the feature s3, which is on by default")
        .into())
}

/// Refuses what only a bucket has.
fn only_on_s3(args: &SetupArgs) -> Result<()> {
    let flags = [
        ("--iam-policy", args.iam_policy),
        ("--kms-key", args.kms_key.is_some()),
        ("--abort-days", args.abort_days.is_some()),
        ("--transition-after-epochs", args.transition_after_epochs.is_some()),
        ("--expire-after-epochs", args.expire_after_epochs.is_some()),
        ("--noncurrent-days", args.noncurrent_days.is_some()),
        ("--storage-class", args.storage_class.is_some()),
        ("--versioning", args.versioning),
    ];
    match flags.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(Error::invalid(format!("{flag} is about a bucket, and the store is a local directory"))
            .hint_is("set STORAGE_BACKEND=s3 and CHECKPOINT_BUCKET, or use --backend s3 --bucket NAME")),
    }
}
