//! `setup` of a bucket, step by step, and its policy.

use storage::s3::setup::{self, Outcome, Plan, State, Step, Topic};
use storage::{S3Config, StorageBackend};

use super::super::args::{AddressingStyle, SetupArgs};
use super::super::context::Context;
use super::super::exit::{Failure, Unfinished, of_kind};
use super::super::quote::shell;
use super::super::schema::Object;
use super::line::Line;
use super::{check, lifecycle};

/// Prints the policy.
pub(super) fn print_policy(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    let policy = setup::iam_policy(&context.bucket_config()?, args.kms_key.as_deref())?;
    match context.output.is_json() {
        true => {
            let policy = serde_json::from_str(&policy)?;
            context.output.objects([&Object::IamPolicy { policy }])?;
        }
        false => context.output.lines([policy])?,
    }
    Ok(())
}

/// Prepares the bucket, and checks it.
pub(super) async fn run(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    let config = context.bucket_config()?;
    let lifecycle = lifecycle::wished(args, config.endpoint.is_none())?;
    let storage = context.bucket_storage(config.clone(), context.runtime.clone()).await?;
    let plan = Plan { lifecycle, versioning: args.versioning, dry_run: args.dry_run };
    let mut told = |step: &Step| print(context, args, step);
    let outcome = setup::run(&storage, &plan, &mut told).await?;

    let checked = match outcome.is_there && !args.dry_run {
        true => Some(check::run(context).await),
        false => None,
    };
    let rights = missing_rights(&outcome.steps);
    let command = (!rights.is_empty()).then(|| command_line(&config, &outcome, context, args));
    if context.output.is_json() {
        let changed = outcome.steps.iter().any(|step| matches!(step.state, State::Done | State::WouldDo));
        context.output.objects([&Object::Setup {
            uri: &storage.uri(""),
            endpoint: Some(&storage.endpoint()),
            region: Some(&outcome.region),
            dry_run: args.dry_run,
            changed,
            missing_rights: &rights,
            command: command.as_deref(),
        }])?;
    }
    let mut codes: Vec<u8> = outcome.steps.iter().filter_map(|step| Some(of_kind(step.failure?).0)).collect();
    match checked {
        _ if codes.is_empty() => checked.unwrap_or(Ok(())),
        Some(Err(error)) => {
            // Both are to be seen; the last line tells of the steps.
            let failure = Failure::of(&error);
            context.output.failure(&failure);
            codes.push(failure.code);
            Err(unfinished(codes, &outcome, &rights, command).into())
        }
        _ => Err(unfinished(codes, &outcome, &rights, command).into()),
    }
}

fn print(context: &Context, args: &SetupArgs, step: &Step) -> storage::Result<()> {
    let Step { topic, state, detail, before, rights, hint, .. } = step;
    let detail = match lifecycle::in_epochs(args, *topic) {
        Some(epochs) if *state != State::CannotHold => format!("{detail} ({epochs})"),
        _ => detail.clone(),
    };
    let (step, state) = (topic.as_str(), state.as_str());
    // What the flags leave out is taken away, so a flag more is no use without those of now.
    let hint = hint.as_ref().map(|hint| match topic {
        Topic::Versioning => format!("{hint}: {} --noncurrent-days N", same_again(context, args)),
        _ => hint.clone(),
    });
    let (before, hint) = (before.as_deref(), hint.as_deref());
    let right = (!rights.is_empty()).then(|| rights.join(" and "));
    Line { step, state, detail: &detail, before, right: right.as_deref(), hint }.print(context)
}

/// The command as it was typed, with the settings of the lifecycle from wherever they came.
fn same_again(context: &Context, args: &SetupArgs) -> String {
    format!("strata-ckpt setup{}{}", context.typed.store_flags, lifecycle::flags(args))
}

fn missing_rights(steps: &[Step]) -> Vec<&'static str> {
    let mut rights: Vec<&str> = steps.iter().flat_map(|step| step.rights.iter().copied()).collect();
    rights.dedup();
    rights
}

fn unfinished(codes: Vec<u8>, outcome: &Outcome, rights: &[&str], command: Option<String>) -> Unfinished {
    let steps = outcome.steps.iter().filter(|step| step.failure.is_some()).count();
    Unfinished { codes, steps, of: outcome.steps.len(), rights: rights.join(", "), command }
}

/// What an administrator has to run, whose environment is another one.
fn command_line(config: &S3Config, outcome: &Outcome, context: &Context, args: &SetupArgs) -> String {
    let style = match context.common.addressing_style {
        AddressingStyle::Auto => None,
        AddressingStyle::Path => Some("path"),
        AddressingStyle::Virtual => Some("virtual"),
    };
    let prefix = Some(config.prefix.as_str()).filter(|prefix| !prefix.is_empty());
    let pairs = [
        ("--bucket", Some(config.bucket.as_str())),
        ("--prefix", prefix),
        ("--region", Some(outcome.region.as_str())),
        ("--endpoint-url", config.endpoint.as_deref()),
        ("--addressing-style", style),
    ];
    let store: String =
        pairs.into_iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", shell(value?)))).collect();
    format!("strata-ckpt setup --backend s3{store}{}", lifecycle::flags(args))
}
