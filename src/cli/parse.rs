//! From raw arguments to settings: help first, which depends on nothing, then the variables, then everything again.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use storage::{Environment, Error};

use super::args::{Action, Arguments, Colour, STORE_FLAGS, command};
use super::bind::{BadVariable, bind};
use super::quote;
use super::setup::refuse_special;

/// Flags of `setup` that a local store has no use for.
const OF_BUCKET: [(&str, &str); 7] = [
    ("kms_key", "--kms-key"),
    ("abort_days", "--abort-days"),
    ("transition_after_epochs", "--transition-after-epochs"),
    ("expire_after_epochs", "--expire-after-epochs"),
    ("noncurrent_days", "--noncurrent-days"),
    ("storage_class", "--storage-class"),
    ("versioning", "--versioning"),
];

/// A command line that can be run.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) arguments: Arguments,
    pub(crate) environment: Environment,
    /// What was typed.
    pub(crate) typed: Typed,
}

/// Which flags were typed, as opposed to set by a variable.
#[derive(Debug)]
pub(crate) struct Typed {
    /// Those that say which store is meant, quoted for a shell, each with a space before it.
    pub(crate) store_flags: String,
    /// `--part-size`.
    pub(crate) part_size: bool,
    /// `--concurrency`.
    pub(crate) concurrency: bool,
    /// `--keep-last`, `--keep-every` or `--older-than`: their variables alone select nothing.
    pub(crate) selection: bool,
    /// `--partial`.
    pub(crate) partial: bool,
    /// `--request-payer` or `--expected-bucket-owner`, which mean nothing to a local store.
    pub(crate) account: Option<&'static str>,
    /// A flag of `setup` that only a bucket has.
    pub(crate) of_bucket: Option<&'static str>,
    /// `--profile`.
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub(crate) profile: bool,
    /// `--endpoint-url`.
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub(crate) endpoint_url: bool,
    /// `--region`.
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub(crate) region: bool,
    /// `--tolerance`.
    pub(crate) tolerance: bool,
}

/// A command line that cannot be run.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: Why,
    pub(crate) json: bool,
    pub(crate) color: Colour,
}

/// Why there is nothing to run.
#[derive(Debug)]
pub(crate) enum Why {
    /// Help or the version was asked for.
    Help(clap::Error),
    /// The arguments are wrong.
    Usage(clap::Error),
    /// A variable or a `.env` file is wrong.
    Setting(Error),
}

/// Parses arguments, the name of the program first.
pub(crate) fn parse(line: &[OsString]) -> Result<Parsed, Box<Refused>> {
    let process = Environment::process();
    let refuse = |why: Why, environment: &Environment| {
        let (json, color) = format_wanted(line, environment);
        Box::new(Refused { why, json, color })
    };
    let (unset, _) = bind(command(), &Environment::default());
    let plain = unset.try_get_matches_from(line).map_err(|error| refuse(classify(error, line), &process))?;
    let plain = Arguments::from_arg_matches(&plain).map_err(|error| refuse(Why::Usage(error), &process))?;
    let environment = match plain.command {
        Action::Completions(_) => Environment::default(),
        _ => with_dotenv(process.clone(), plain.common.env_file.as_deref(), is_to_be_written(line, &process))
            .map_err(|error| refuse(Why::Setting(error), &process))?,
    };
    let (bound, bad) = bind(command(), &environment);
    let matches = bound.try_get_matches_from(line).map_err(|error| refuse(Why::Usage(error), &environment))?;
    if let Some(bad) = bad.into_iter().find(|bad| matters(bad, &matches)) {
        return Err(refuse(Why::Setting(bad.error), &environment));
    }
    let arguments = Arguments::from_arg_matches(&matches).map_err(|error| refuse(Why::Usage(error), &environment))?;
    refuse_lists(&arguments, &matches).map_err(|error| refuse(Why::Setting(error), &environment))?;
    let typed = Typed::of(&matches);
    refuse_nothing(&arguments.command, &typed).map_err(|error| refuse(Why::Usage(error), &environment))?;
    Ok(Parsed { arguments, environment, typed })
}

/// Whether the file of variables is what the command makes.
fn is_to_be_written(line: &[OsString], process: &Environment) -> bool {
    let matches = bind(command(), process).0.try_get_matches_from(line);
    let setup = matches.as_ref().ok().and_then(|matches| matches.subcommand_matches("setup"));
    setup.is_some_and(|setup| setup.get_flag("env"))
}

/// The variables behind the process's own: those of the file that is named, or of `./.env`. The one that is named has to exist
/// unless it is `to_be_written`; that one is a regular file if it is there.
fn with_dotenv(process: Environment, flag: Option<&Path>, to_be_written: bool) -> storage::Result<Environment> {
    let named = flag.map(|path| path.to_owned()).or_else(|| process.get("STRATA_ENV_FILE").map(Into::into));
    let path = named.as_deref().unwrap_or(Path::new(".env"));
    if to_be_written {
        refuse_special(path)?;
    }
    let is_required = named.is_some() && !to_be_written;
    process.with_dotenv(path, is_required).map_err(|error| match error.hint() {
        None if named.is_some() => error.hint_is("--env-file and STRATA_ENV_FILE name a file of lines NAME=value"),
        _ => error,
    })
}

/// Help is rendered anew from the command whose variables are shown.
fn classify(error: clap::Error, line: &[OsString]) -> Why {
    let rendered = || command().try_get_matches_from(line).err().filter(|shown| shown.kind() == error.kind());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Why::Help(rendered().unwrap_or(error)),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Why::Usage(rendered().unwrap_or(error)),
        _ => Why::Usage(error),
    }
}

/// `--json` and `--color` of a line that may not parse.
pub(crate) fn format_wanted(line: &[OsString], environment: &Environment) -> (bool, Colour) {
    let matches = bind(command(), environment).0.ignore_errors(true).try_get_matches_from(line).ok();
    let innermost = matches.as_ref().map(|matches| matches.subcommand().map_or(matches, |(_, inner)| inner));
    let json = innermost.and_then(|matches| matches.try_get_one::<bool>("json").ok().flatten()).copied();
    let color = innermost.and_then(|matches| matches.try_get_one::<Colour>("color").ok().flatten()).copied();
    // What stands behind the argument that does not parse is not seen.
    let typed = line.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    (json.unwrap_or(false) || typed, color.unwrap_or(Colour::Auto))
}

/// Only `bench` tries several part sizes and concurrencies.
fn refuse_lists(arguments: &Arguments, matches: &ArgMatches) -> storage::Result<()> {
    let Arguments { common, command } = arguments;
    if matches!(command, Action::Bench(_)) {
        return Ok(());
    }
    let flags = [
        (common.part_size.is_list(), "part_size", "--part-size", "STRATA_PART_SIZE"),
        (common.concurrency.is_list(), "concurrency", "--concurrency", "STRATA_CONCURRENCY"),
    ];
    match flags.into_iter().find(|(is_list, ..)| *is_list) {
        None => Ok(()),
        Some((_, id, flag, variable)) => {
            let name = if is_typed(matches, id) { flag } else { variable };
            Err(Error::invalid(format!("{name} is a list; this command takes one value"))
                .hint_is("only bench tries several: give one value, such as the one that bench recommends"))
        }
    }
}

/// `rm` of nothing. Not left to clap, for which a flag that its variable sets is no flag, as those of retention have to be.
fn refuse_nothing(command: &Action, typed: &Typed) -> Result<(), clap::Error> {
    match command {
        Action::Rm(args) if args.keys.is_empty() && !args.partial && !typed.selection => {
            let mut rm = Arguments::command();
            let rm = rm.find_subcommand_mut("rm").map(|rm| rm.clone().bin_name("strata-ckpt rm"));
            let mut command = rm.unwrap_or_else(Arguments::command);
            Err(command.error(ErrorKind::MissingRequiredArgument, "name what to remove, or select it"))
        }
        _ => Ok(()),
    }
}

fn matters(bad: &BadVariable, matches: &ArgMatches) -> bool {
    match (&bad.subcommand, matches.subcommand()) {
        (Some(theirs), Some((ours, _))) if theirs != ours => false,
        _ => !is_typed(matches, &bad.id),
    }
}

/// Whether the flag was typed, before or after the subcommand.
fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    let here = |matches: &ArgMatches| {
        matches.ids().any(|known| known.as_str() == id) && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    here(matches) || matches.subcommand().is_some_and(|(_, inner)| here(inner))
}

impl Typed {
    fn of(matches: &ArgMatches) -> Self {
        let innermost = matches.subcommand().map_or(matches, |(_, inner)| inner);
        let store_flags = STORE_FLAGS
            .iter()
            .filter(|id| is_typed(matches, id))
            .filter_map(|id| {
                let value = innermost.get_raw(id)?.next()?.to_string_lossy().into_owned();
                Some(format!(" --{} {}", id.replace('_', "-"), quote::shell(&value)))
            })
            .collect();
        let typed = |id| is_typed(matches, id);
        Typed {
            store_flags,
            part_size: typed("part_size"),
            concurrency: typed("concurrency"),
            partial: typed("partial"),
            selection: ["keep_last", "keep_every", "older_than"].into_iter().any(typed),
            account: [("request_payer", "--request-payer"), ("expected_bucket_owner", "--expected-bucket-owner")]
                .into_iter()
                .find_map(|(id, flag)| typed(id).then_some(flag)),
            of_bucket: OF_BUCKET.into_iter().find_map(|(id, flag)| typed(id).then_some(flag)),
            profile: typed("profile"),
            endpoint_url: typed("endpoint_url"),
            region: typed("region"),
            tolerance: typed("tolerance"),
        }
    }
}
