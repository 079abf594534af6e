//! Environment variables become defaults of their flags: flag, then the process's environment, then `.env`, then the
//! built-in default. Done here and not by clap, which knows no `.env`, and takes an empty variable for a value.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use std::error::Error as _;
use storage::{Environment, Error};

/// A variable whose value its flag does not take.
#[derive(Debug)]
pub(crate) struct BadVariable {
    /// The subcommand that the flag belongs to; `None` for a common one.
    pub(crate) subcommand: Option<String>,
    /// The flag's id.
    pub(crate) id: String,
    pub(crate) error: Error,
}

/// The command with all variables applied that are set and usable, and those that are not. A bad variable matters only
/// where its flag is not given.
pub(crate) fn bind(command: Command, environment: &Environment) -> (Command, Vec<BadVariable>) {
    let mut bad = Vec::new();
    let command = bind_args(command, None, environment, &mut bad).mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        bind_args(subcommand, Some(&name), environment, &mut bad)
    });
    (command, bad)
}

fn bind_args(command: Command, name: Option<&str>, environment: &Environment, bad: &mut Vec<BadVariable>) -> Command {
    command.mut_args(|arg| {
        let Some(variable) = arg.get_env().map(|variable| variable.to_string_lossy().into_owned()) else { return arg };
        let unbound = arg.env(None::<&'static str>);
        let Some(value) = environment.get(&variable) else { return unbound };
        let bound = match unbound.get_action() {
            ArgAction::Append => unbound.clone().default_values(value.lines().map(str::to_owned)),
            _ => unbound.clone().default_value(value.clone()),
        };
        match refusal(&bound, &value) {
            None => bound,
            Some(why) => {
                let error = Error::invalid(format!("{variable}: {why}"))
                    .hint_is(format!("correct the variable {variable}, in the environment or in .env, or unset it"));
                let id = unbound.get_id().to_string();
                bad.push(BadVariable { subcommand: name.map(str::to_owned), id, error });
                unbound
            }
        }
    })
}

/// Why the flag does not take its new default, in the words of its parser.
fn refusal(bound: &Arg, value: &str) -> Option<String> {
    // The flags that it goes with or against are not there.
    let alone = bound.clone().conflicts_with(Resettable::Reset).requires(Resettable::Reset);
    let alone = Command::new("value").no_binary_name(true).arg(alone);
    let error = alone.try_get_matches_from(std::iter::empty::<&str>()).err()?;
    if matches!(bound.get_action(), ArgAction::SetTrue) {
        return Some(format!("'{value}' is neither yes nor no; write 1 or 0"));
    }
    Some(match (error.kind(), error.get(ContextKind::ValidValue), error.source()) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid)), _) => {
            format!("'{value}' is not one of {}", valid.join(", "))
        }
        (_, _, Some(why)) => why.to_string(),
        _ => format!("'{value}' is not usable"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Action, Arguments, Backend, command};
    use clap::FromArgMatches;
    use storage::{Concurrency, PartSize};

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn parse(environment: &Environment, line: &[&str]) -> Arguments {
        let (command, bad) = bind(command(), environment);
        assert!(bad.is_empty(), "{bad:?}");
        Arguments::from_arg_matches(&command.try_get_matches_from(line).unwrap()).unwrap()
    }

    #[test]
    fn flag_before_environment_before_dotenv_before_default() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("env");
        std::fs::write(&file, "STRATA_RETRIES=1\nSTRATA_CONCURRENCY=1\nSTRATA_PART_SIZE=5MiB\n").unwrap();
        let environment = environment(&[("STRATA_RETRIES", "2"), ("STRATA_CONCURRENCY", "2"), ("STRATA_COLOR", "")])
            .with_dotenv(&file, true)
            .unwrap();
        let common = parse(&environment, &["strata-ckpt", "ls", "-j", "3"]).common;
        assert_eq!((*common.concurrency.first(), common.retries), (Concurrency::Fixed(3), 2));
        assert_eq!((*common.part_size.first(), common.max_memory), (PartSize::Fixed(5 << 20), 512 << 20));
    }

    #[test]
    fn switches_and_lists() {
        let environment =
            environment(&[("STRATA_JSON", "yes"), ("STRATA_QUIET", "0"), ("STRATA_INCLUDE", "*.bin\n{a,b}")]);
        let arguments = parse(&environment, &["strata-ckpt", "put", "x"]);
        assert!(arguments.common.json && !arguments.common.quiet);
        let Action::Put(put) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!(put.include, ["*.bin", "{a,b}"]);
    }

    #[test]
    fn a_variable_of_a_flag_that_goes_against_others_is_no_conflict() {
        let pairs =
            [("STRATA_SETUP_ENV", "1"), ("STRATA_KMS_KEY", "arn"), ("STRATA_ABORT_DAYS", "3"), ("STRATA_DRY_RUN", "1")];
        let Action::Setup(setup) = parse(&environment(&pairs), &["strata-ckpt", "setup"]).command else { panic!() };
        assert!(setup.env && setup.dry_run && setup.abort_days.is_some());
        let Action::Setup(setup) = parse(&environment(&pairs), &["strata-ckpt", "setup", "--check"]).command else {
            panic!()
        };
        assert!(setup.check && setup.abort_days.is_some());
    }

    #[test]
    fn a_common_flag_wins_before_and_after_the_subcommand() {
        let environment = environment(&[("STORAGE_BACKEND", "S3")]);
        for line in [["strata-ckpt", "--backend", "local", "ls"], ["strata-ckpt", "ls", "--backend", "local"]] {
            assert_eq!(parse(&environment, &line).common.backend, Backend::Local, "{line:?}");
        }
        assert_eq!(parse(&environment, &["strata-ckpt", "ls"]).common.backend, Backend::S3);
    }

    #[test]
    fn a_bad_variable_is_named_with_its_parsers_words() {
        let pairs = [
            ("STRATA_PART_SIZE", "tiny", "STRATA_PART_SIZE: 'tiny' is not a size; write it like 8MiB, 512KiB or 1GiB"),
            ("STORAGE_BACKEND", "gcs", "STORAGE_BACKEND: 'gcs' is not one of local, s3"),
            ("STRATA_JSON", "maybe", "STRATA_JSON: 'maybe' is neither yes nor no; write 1 or 0"),
            ("STRATA_META", "a=1\nb", "STRATA_META: 'b' is not of the form KEY=VALUE"),
        ];
        for (name, value, expected) in pairs {
            let (_, bad) = bind(command(), &environment(&[(name, value)]));
            let texts: Vec<String> = bad.iter().map(|bad| bad.error.to_string()).collect();
            assert_eq!(texts, [expected]);
        }
    }
}
