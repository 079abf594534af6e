//! `completions`.

use clap::{Args, ValueEnum};

/// Print a completion script for a shell, or the man page
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strata-ckpt completions bash > ~/.local/share/bash-completion/completions/strata-ckpt
  strata-ckpt completions zsh > \"${fpath[1]}/_strata-ckpt\"
  strata-ckpt completions fish > ~/.config/fish/completions/strata-ckpt.fish
  strata-ckpt completions man > ~/.local/share/man/man1/strata-ckpt.1")]
pub(crate) struct CompletionsArgs {
    /// What to print
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) format: Format,
}

/// What can be generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Man,
}
