//! `setup`.

use clap::Args;
use clap::builder::BoolishValueParser;

/// Try everything that transfers with the store rest on
#[derive(Debug, Args)]
#[command(after_help = "\
One line for each check: good, note (it works, and there is something to know), bad, or skipped because something before it \
is bad. A hint on stderr says what to do. Exit 0 where nothing is bad, else the code of what is.

With the five permissions and no more, about 5 MiB are put under .strata-check-... and removed again, also after Ctrl-C. \
What was learnt about the server is kept for a week and spares put and get some requests.

Examples:
  strata-ckpt setup --check
  strata-ckpt setup --check --json")]
pub(crate) struct SetupArgs {
    /// Check everything, and change nothing
    #[arg(long, env = "STRATA_SETUP_CHECK", value_parser = BoolishValueParser::new())]
    pub(crate) check: bool,
}
