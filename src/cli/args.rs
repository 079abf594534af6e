//! What the command line takes, and what its help says.

mod bench;
mod common;
mod completions;
mod count;
mod get;
mod list;
mod ls;
mod put;
mod rm;
mod setup;
mod writing;

use clap::{CommandFactory, Parser, Subcommand};

pub(crate) use bench::{BenchArgs, Op};
pub(crate) use common::{AddressingStyle, Backend, Colour, Common, STORE_FLAGS};
pub(crate) use completions::{CompletionsArgs, Format};
pub(crate) use get::GetArgs;
pub(crate) use ls::LsArgs;
pub(crate) use put::PutArgs;
pub(crate) use rm::RmArgs;
pub(crate) use setup::SetupArgs;
pub(crate) use writing::{WritingArgs, of_s3};

const ABOUT: &str = "Move training checkpoints between this machine and a store: a local directory, Amazon S3, MinIO";

const AFTER_HELP: &str = "\
A file or a directory is stored under its own relative path, and restored there. A directory is one checkpoint: it \
becomes visible when it is complete, and not before. The store is ./checkpoints (CHECKPOINT_DIR) unless \
STORAGE_BACKEND is s3; a full s3://bucket/key or file:///path stands wherever KEY does. Running the same command again \
is always safe.

Every flag can be set by its variable, in the environment or in a .env file; a flag wins over both. Credentials come \
from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the AWS configuration files; no flag takes a secret.

Exit codes: 0 done, 1 other failure, 2 usage or configuration, 3 some failed, 4 not found, 5 gave up after retries, 6 \
a checksum or size is wrong, 7 credentials or permission, 8 it exists or another writer won, 9 local disk or file, 10 bench \
found the store slower than its baseline, 129, 130 and 143 \
ended by SIGHUP, SIGINT, SIGTERM.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "strata-ckpt",
    version,
    about = ABOUT,
    after_help = AFTER_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Put(Box<PutArgs>),
    Get(GetArgs),
    Ls(LsArgs),
    Rm(RmArgs),
    Bench(Box<BenchArgs>),
    Setup(Box<SetupArgs>),
    Completions(CompletionsArgs),
}

/// The command line as help, completions and the man page show it: variables by name, never by value.
pub(crate) fn command() -> clap::Command {
    names_only(Arguments::command())
}

/// The variable of a flag, for texts.
fn variable_of(flag: &str) -> String {
    let command = Arguments::command();
    let mut arguments = command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments);
    let named = arguments.find(|arg| arg.get_long() == flag.strip_prefix("--"));
    named.and_then(|arg| arg.get_env()).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn names_only(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(names_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn no_subcommand_hides_a_common_flag() {
        let command = command();
        let common: Vec<_> = command.get_arguments().map(clap::Arg::get_id).collect();
        for arg in command.get_subcommands().flat_map(clap::Command::get_arguments) {
            assert!(!common.contains(&arg.get_id()), "{arg}");
        }
    }

    #[test]
    fn every_flag_has_a_variable_of_its_own() {
        let mut command = command();
        command.build();
        let all = command.get_subcommands().chain([&command]);
        for arg in all.flat_map(clap::Command::get_arguments) {
            let built_in = matches!(arg.get_id().as_str(), "help" | "version");
            assert!(built_in || arg.is_positional() || arg.get_env().is_some(), "{arg}");
        }
    }
}
