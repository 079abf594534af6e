//! The command line: parse, run, tell how it went.

mod achieved;
mod args;
mod bench;
mod bind;
mod completions;
mod confirm;
mod context;
mod defect;
mod exit;
mod freed;
mod get;
mod location;
mod ls;
mod output;
mod parse;
mod partial;
mod progress;
mod put;
mod quote;
mod retention;
mod rm;
mod schema;
mod setup;
mod signals;
mod source;
mod units;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::error::ErrorKind;
use storage::config::{processes_of_job, state_dir};
use storage::{Environment, Error, RuntimeConfig};
use tokio_util::sync::CancellationToken;

use achieved::Achieved;
use args::{Action, Arguments, Common};
use context::Context;
use exit::{Failure, USAGE};
use output::Output;
use parse::{Parsed, Refused, Why};
use progress::Progress;
use signals::Watch;

/// Runs the command line, the name of the program first.
pub(crate) fn run(line: Vec<OsString>) -> ExitCode {
    defect::watch();
    let outcome = defect::guarded(|| match parse::parse(&line) {
        Ok(parsed) => execute(parsed),
        Err(refused) => refuse(*refused),
    });
    outcome.unwrap_or_else(|failure| {
        let (json, color) = parse::format_wanted(&line, &Environment::process());
        Output::new(json, false, color).failure(&failure);
        failure.code.into()
    })
}

/// Help, or why the command line cannot be run.
fn refuse(Refused { why, json, color }: Refused) -> ExitCode {
    let output = Output::new(json, false, color);
    match why {
        Why::Help(help) => ended(&output, output.text(&help.render().ansi().to_string()).map_err(Into::into)),
        Why::Setting(error) => ended(&output, Err(error.into())),
        Why::Usage(usage) => {
            if json {
                output.failure(&usage_failure(&usage));
            } else {
                output.stderr(usage.render().ansi().to_string().trim_end());
            }
            USAGE.into()
        }
    }
}

/// What clap tells a person over several lines, as one object.
fn usage_failure(usage: &clap::Error) -> Failure {
    let text = usage.render().to_string();
    let message = match usage.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "arguments are missing".to_owned(),
        _ => {
            let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            first.join(" ").trim_start_matches("error: ").to_owned()
        }
    };
    Failure { code: USAGE, kind: "invalid", message, hint: Some("add --help to see what there is".to_owned()) }
}

/// Takes as many descriptors as this process may have: shells give 1,024 and allow more.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

fn execute(parsed: Parsed) -> ExitCode {
    raise_descriptors();
    let Parsed { arguments: Arguments { common, command }, environment, typed } = parsed;
    let output = Arc::new(Output::new(common.json, common.quiet, common.color));
    if let Action::Completions(args) = &command {
        return ended(&output, completions::run(&output, args));
    }
    let stdout_is_data = matches!(&command, Action::Get(args) if args.to_stdout());
    let progress = Arc::new(Progress::new(output.clone(), &common, stdout_is_data));
    let resume = match &command {
        Action::Put(args) => !args.no_resume,
        Action::Get(args) => !args.no_resume,
        _ => true,
    };
    // After a restart all processes of a job get the same at once; what is put without --rank, one of them puts.
    let begun_together = if matches!(&command, Action::Get(_)) { processes_of_job(&environment) } else { 1 };
    let state_dir = state_dir(&environment);
    let runtime = RuntimeConfig { resume, begun_together, state_dir, ..runtime_config(&common, progress.clone()) };
    if let Some(caution) = environment.open_secret() {
        output.warning(&caution);
    }
    let context = Context {
        common,
        environment,
        typed,
        output: output.clone(),
        progress,
        runtime,
        started: Instant::now(),
        achieved: Achieved::default(),
        cautioned: Once::new(),
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the command")
        .and_then(|threads| {
            let outcome = threads.block_on(supervise(&context, command));
            // A thread may still wait for stdin; nothing of it is needed any more.
            threads.shutdown_timeout(Duration::ZERO);
            outcome
        });
    ended(&output, outcome)
}

fn runtime_config(common: &Common, progress: Arc<Progress>) -> RuntimeConfig {
    RuntimeConfig {
        part_size: *common.part_size.first(),
        concurrency: *common.concurrency.first(),
        bandwidth: common.bwlimit.clone(),
        max_memory: common.max_memory,
        retries: common.retries,
        stall_timeout: common.stall_timeout,
        claim_expiry: common.claim_expiry,
        // A server may think for a while before it answers; by default that is RuntimeConfig's minute.
        first_byte_timeout: common.stall_timeout.saturating_mul(2),
        cancel: CancellationToken::new(),
        observer: progress,
        ..RuntimeConfig::default()
    }
}

/// Runs the command until it ends, or until something ends it.
async fn supervise(context: &Context, command: Action) -> anyhow::Result<()> {
    let is_patient = matches!(&command, Action::Bench(_) | Action::Setup(_));
    let grace = if is_patient { signals::PATIENT_GRACE } else { signals::GRACE };
    let (cancel, achieved) = (context.runtime.cancel.clone(), context.achieved.clone());
    let watch = Watch::start(cancel, context.common.deadline, grace, achieved)?;
    let late = match &command {
        // Nothing goes on there, and its objects are all that matters.
        Action::Bench(_) => Error::cancelled().hint_is(format!(
            "the store is too slow to be cleaned up in time: remove what is left under {}...",
            storage::bench::PREFIX
        )),
        Action::Setup(_) => Error::cancelled().hint_is(format!(
            "the store is too slow to be cleaned up in time: remove what is left under {}...",
            storage::check::PREFIX
        )),
        _ => Error::cancelled(),
    };
    let work = async {
        match command {
            Action::Put(args) => put::run(context, *args).await,
            Action::Get(args) => get::run(context, args).await,
            Action::Ls(args) => ls::run(context, args).await,
            Action::Rm(args) => rm::run(context, args).await,
            Action::Bench(args) => bench::run(context, *args).await,
            Action::Setup(args) => setup::run(context, &args).await,
            Action::Completions(args) => completions::run(&context.output, &args),
        }
    };
    let telling = async {
        context.progress.keep_telling().await;
        std::future::pending().await
    };
    let asking_for_patience = async {
        watch.cancelled_for(signals::GRACE).await;
        context.output.note("removing what was put into the store; Ctrl-C once more leaves it there");
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        outcome = telling => outcome,
        outcome = asking_for_patience, if is_patient => outcome,
        () = watch.overdue() => match context.achieved.get() {
            Some(otherwise) => {
                context.output.warning(otherwise);
                Ok(())
            }
            None => Err(late.into()),
        },
    };
    context.progress.finish();
    match (outcome, watch.cause()) {
        (Err(error), Some(cause)) => Err(error.context(cause)),
        (outcome, _) => outcome,
    }
}

/// Tells how it went, and its exit code.
fn ended(output: &Output, outcome: anyhow::Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let mut failure = Failure::of(&error);
    failure.hint = failure.hint.or_else(defect::hint);
    output.failure(&failure);
    failure.code.into()
}
