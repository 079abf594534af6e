//! `setup`.

mod check;

use super::args::SetupArgs;
use super::context::Context;

/// Runs `setup`.
pub(crate) async fn run(context: &Context, args: SetupArgs) -> anyhow::Result<()> {
    // Without --check there is nothing else to do yet.
    let SetupArgs { check: _ } = args;
    check::run(context).await
}
