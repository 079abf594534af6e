//! `rm --keep-last`, `--keep-every`, `--older-than`, and `put --keep-last`.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use storage::checkpoint::{self, Pruned, Removed, Surplus};
use storage::{ErrorKind, Result, Transfer};

use super::args::RmArgs;
use super::confirm::confirm;
use super::context::Context;
use super::exit::{Failure, Several, of_kind};
use super::freed;
use super::location::{Location, Place};
use super::schema::Object;
use super::units::size;

/// Runs `rm` on a selection, of everything or of what begins with one of the prefixes. All of it is looked at before
/// anything is removed.
pub(crate) async fn remove(context: &Context, args: &RmArgs) -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (transfer, prefixes) in stores(context, &args.keys).await? {
        let surplus = checkpoint::surplus(&transfer, &prefixes, &args.retention()).await?;
        // One store may have two names.
        let new = surplus.into_iter().filter(|one| seen.insert(transfer.store().uri(&one.name)));
        found.extend(new.map(|one| (transfer.clone(), one)));
    }
    let (free, busy): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, one)| one.left_alone.is_none());
    for (_, one) in &busy {
        leave_alone(context, &one.name, one.left_alone.as_deref().unwrap_or_default());
    }
    if free.is_empty() {
        context.output.note("nothing to remove");
        return Ok(());
    }
    let lines = || free.iter().map(|(transfer, one)| line(transfer, one)).collect::<Vec<_>>();
    if !args.dry_run && !args.yes && !confirm(context, &lines()).await? {
        context.output.note("nothing was removed");
        return Ok(());
    }
    carry_out(context, &free, args.dry_run).await
}

async fn carry_out(context: &Context, free: &[(Transfer, Surplus)], dry_run: bool) -> anyhow::Result<()> {
    let planned = |count: fn(&Removed) -> u64| free.iter().map(|(_, one)| count(&one.removal)).sum();
    if !dry_run {
        context.progress.removing(planned(|removal| removal.files), planned(|removal| removal.bytes));
    }
    let (mut failed, mut total) = (Vec::new(), 0);
    let (mut refusals, mut untried) = (Refusals::default(), 0);
    let mut store = None;
    for (transfer, one) in free {
        if !store.replace(transfer.store()).is_some_and(|before| Arc::ptr_eq(before, transfer.store())) {
            refusals = Refusals::default();
        }
        if refusals.are_of_all() {
            untried += 1;
            failed.push(of_kind(ErrorKind::Denied).0);
            continue;
        }
        let outcome = match dry_run {
            true => Ok(Pruned::Removed(one.removal)),
            false => checkpoint::remove_surplus(transfer, one).await,
        };
        match outcome {
            Ok(Pruned::Removed(removed)) => {
                refusals.removed = true;
                total += removed.bytes;
                let uri = transfer.store().uri(&one.name);
                context.output.result(&uri, &object(&uri, one, removed, dry_run))?;
                if !dry_run {
                    context.progress.removed(removed.files, removed.bytes);
                }
            }
            Ok(Pruned::LeftAlone(why)) => leave_alone(context, &one.name, &why),
            Err(error) if free.len() == 1 || error.kind() == ErrorKind::Cancelled => return Err(error.into()),
            Err(error) => {
                failed.push(of_kind(error.kind()).0);
                refusals.count += usize::from(error.kind() == ErrorKind::Denied);
                context.output.failure(&Failure::of_storage(&error));
            }
        }
    }
    context.progress.finish();
    if untried > 0 {
        context.output.warning(&format!("not tried: {untried} more"));
    }
    freed::tell(context, total, dry_run);
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Several { codes: failed, of: free.len() }.into()),
    }
}

/// Removals that a store refused. A policy may protect one checkpoint; where the first two stay, the identity may remove none,
/// and asking for each of many would only say so many times.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    count: usize,
    removed: bool,
}

impl Refusals {
    fn are_of_all(self) -> bool {
        self.count >= 2 && !self.removed
    }
}

/// The stores that the prefixes are in, each with all of its own: a run is one, however many prefixes select from it.
async fn stores(context: &Context, keys: &[String]) -> Result<Vec<(Transfer, Vec<String>)>> {
    let everything = [String::new()];
    let mut stores: Vec<(Place, Transfer, Vec<String>)> = Vec::new();
    for key in if keys.is_empty() { &everything } else { keys } {
        let location = Location::parse_prefix(key)?;
        match stores.iter_mut().find(|(place, ..)| *place == location.place) {
            Some((_, _, prefixes)) => prefixes.push(location.prefix()),
            None => {
                let transfer = context.open(&location).await?;
                let prefixes = vec![location.prefix()];
                stores.push((location.place, transfer, prefixes));
            }
        }
    }
    Ok(stores.into_iter().map(|(_, transfer, prefixes)| (transfer, prefixes)).collect())
}

/// Removes what is older beside a checkpoint that was just committed. That is safe in the store whatever happens here, so
/// what cannot be removed is a warning, and left to the next put.
pub(crate) async fn after_put(context: &Context, transfer: &Transfer, name: &str, keep_last: NonZeroU64) -> Result<()> {
    let warn = |error: storage::Error| {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        context.output.warning(&unpruned(name, &format!("{error}{hint}")));
    };
    let found = match checkpoint::surplus_beside(transfer, name, keep_last).await {
        Ok(found) => found,
        Err(error) => {
            warn(error);
            return Ok(());
        }
    };
    let (mut total, mut refusals) = (0, Refusals::default());
    for one in &found {
        match checkpoint::remove_surplus(transfer, one).await {
            Ok(Pruned::Removed(removed)) => {
                refusals.removed = true;
                total += removed.bytes;
                let uri = transfer.store().uri(&one.name);
                match context.output.is_json() {
                    true => context.output.objects([object(&uri, one, removed, false)])?,
                    // stdout is the URI of what was put.
                    false => context.output.note(&format!("removed {uri}")),
                }
            }
            Ok(Pruned::LeftAlone(why)) => leave_alone(context, &one.name, &why),
            Err(error) => {
                let is_over = error.kind() == ErrorKind::Cancelled;
                refusals.count += usize::from(error.kind() == ErrorKind::Denied);
                // One word for all of a kind.
                if !refusals.are_of_all() {
                    warn(error);
                }
                if is_over || refusals.are_of_all() {
                    break;
                }
            }
        }
    }
    if total > 0 {
        freed::tell(context, total, false);
    }
    Ok(())
}

/// What is said where older checkpoints stay beside one that was put.
pub(crate) fn unpruned(name: &str, why: &str) -> String {
    format!("'{name}' is committed, but older ones stay for now: {why}")
}

fn leave_alone(context: &Context, name: &str, why: &str) {
    context.output.warning(&format!("'{name}' is left alone: {why}"));
}

fn line(transfer: &Transfer, one: &Surplus) -> String {
    format!("{}  {}", transfer.store().uri(&one.name), size(one.removal.bytes))
}

fn object<'a>(uri: &'a str, one: &'a Surplus, removed: Removed, dry_run: bool) -> Object<'a> {
    Object::Removed { uri, key: &one.name, files: removed.files, bytes: removed.bytes, dry_run }
}
