//! `setup`: which of its works is meant.

#[cfg(feature = "s3")]
mod bucket;
mod check;
mod dotenv;
#[cfg(feature = "s3")]
mod lifecycle;
mod line;
mod local;

pub(crate) use dotenv::refuse_special;
use storage::{Error, Result};

use super::args::{Backend, SetupArgs};
use super::context::Context;
use super::parse::Typed;

/// Runs `setup`.
pub(crate) async fn run(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    if args.env {
        return dotenv::write(context, args);
    }
    if context.common.backend == Backend::Local {
        only_on_s3(args, &context.typed)?;
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

/// Refuses what only a bucket has, where it was typed: a variable is there for the buckets that are prepared at other times.
fn only_on_s3(args: &SetupArgs, typed: &Typed) -> Result<()> {
    match args.iam_policy.then_some("--iam-policy").or(typed.of_bucket) {
        None => Ok(()),
        Some(flag) => Err(Error::invalid(format!("{flag} is about a bucket, and the store is a local directory"))
            .hint_is("set STORAGE_BACKEND=s3 and CHECKPOINT_BUCKET, or use --backend s3 --bucket NAME")),
    }
}
