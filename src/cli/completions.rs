//! `completions`: scripts for shells, and the man page, from the same description that parses.

use std::io;

use anyhow::Context as _;
use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::args::{CompletionsArgs, Format, command};
use super::output::Output;

/// Prints what was asked for.
pub(crate) fn run(output: &Output, args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let mut shell = |shell: Shell| generate(shell, &mut command(), "strata-ckpt", &mut bytes);
    match args.format {
        Format::Bash => shell(Shell::Bash),
        Format::Zsh => shell(Shell::Zsh),
        Format::Fish => shell(Shell::Fish),
        Format::Powershell => shell(Shell::PowerShell),
        Format::Man => man(&mut bytes).context("cannot make the man page")?,
    }
    let mut text = String::from_utf8(bytes).context("what was generated is not UTF-8")?;
    if args.format == Format::Bash {
        // clap_complete 4.6 names the subcommands of a program with '-' in its name in two ways, so that none is found.
        text = text.replace("strata__subcmd__ckpt", "strata__ckpt");
    }
    Ok(output.text(&text)?)
}

/// One page: the command, then each subcommand with its own flags. Common flags are told of once.
fn man(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = command();
    let common: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    command.build();
    let mut whole = Vec::new();
    Man::new(command.clone()).render(&mut whole)?;
    page.extend(replaced(&whole, ".SH EXTRA", ".SH NOTES"));
    for subcommand in command.get_subcommands() {
        let own = subcommand.clone().mut_args(|arg| match common.contains(arg.get_id()) {
            true => arg.hide(true),
            false => arg,
        });
        section(own, page)?;
    }
    Ok(())
}

/// The part of a subcommand, under a heading of its own; its examples keep their lines.
fn section(subcommand: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let title = subcommand.get_display_name().unwrap_or_else(|| subcommand.get_name()).to_owned();
    let part = Man::new(subcommand).title(title);
    part.render_title(page)?;
    part.render_name_section(page)?;
    part.render_synopsis_section(page)?;
    part.render_options_section(page)?;
    let mut examples = Vec::new();
    part.render_extra_section(&mut examples)?;
    page.extend(replaced(&examples, ".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n"));
    page.extend(b".fi\n");
    Ok(())
}

fn replaced(roff: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(roff).replace(from, to).into_bytes()
}
