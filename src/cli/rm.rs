//! `rm`.

use std::collections::BTreeSet;

use storage::checkpoint::{self, Removed};
use storage::{Error, ErrorKind, Result, Transfer, key};

use super::args::RmArgs;
use super::context::Context;
use super::exit::{Failure, Several, of_kind};
use super::freed;
use super::location::{Location, Place};
use super::partial;
use super::retention;
use super::schema::Object;

/// Runs `rm`: each key in turn, also after one has failed.
pub(crate) async fn run(context: &Context, args: RmArgs) -> anyhow::Result<()> {
    // A variable makes no selection of keys that are named.
    let partial = context.typed.partial || (args.partial && args.keys.is_empty() && !context.typed.selection);
    if partial || context.typed.selection {
        refuse_empty(&args.keys)?;
    }
    match (context.typed.selection, partial) {
        (true, true) => return Err(contradiction().into()),
        (true, false) => return retention::remove(context, &args).await,
        (false, true) => return partial::remove(context, &args).await,
        (false, false) => {}
    }
    let locations = args.keys.iter().map(|text| located(text)).collect::<Result<Vec<Location>>>()?;
    let mut seen = BTreeSet::new();
    let mut failed = Vec::new();
    // One store a place: what it learns, such as the bucket's region, it tells once.
    let mut opened: Vec<(&Place, Transfer)> = Vec::new();
    let mut total = 0;
    for location in &locations {
        let transfer = match opened.iter().find(|(place, _)| *place == &location.place) {
            Some((_, transfer)) => transfer.clone(),
            None => {
                let transfer = context.open(location).await?;
                opened.push((&location.place, transfer.clone()));
                transfer
            }
        };
        let (store, name) = (transfer.store(), &location.key);
        let uri = store.uri(name);
        if !seen.insert(uri.clone()) {
            continue;
        }
        let removed = match args.dry_run {
            true => checkpoint::preview_removal(&transfer, name).await,
            false => checkpoint::remove(&transfer, name).await,
        };
        match removed {
            Ok(Removed { files, bytes }) => {
                total += bytes;
                let object = Object::Removed { uri: &uri, key: name, files, bytes, dry_run: args.dry_run };
                context.output.result(&uri, &object)?;
            }
            Err(error) if locations.len() == 1 || error.kind() == ErrorKind::Cancelled => return Err(error.into()),
            Err(error) => {
                failed.push(of_kind(error.kind()).0);
                context.output.failure(&Failure::of_storage(&error));
            }
        }
    }
    if failed.len() < seen.len() {
        freed::tell(context, total, args.dry_run);
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Several { codes: failed, of: seen.len() }.into()),
    }
}

fn contradiction() -> Error {
    Error::invalid("--partial selects what was abandoned, the other selections what is complete")
        .hint_is("run one after the other: rm --partial, and rm with --keep-last, --keep-every or --older-than")
}

/// Only no KEY at all means everything: an empty one comes from a variable of a script that is not set.
fn refuse_empty(keys: &[String]) -> Result<()> {
    let is_nothing = |text: &str| text.trim_matches('/').is_empty();
    for key in keys {
        let is_bucket = Location::parse(key).is_ok_and(|location| matches!(location.place, Place::S3 { .. }));
        let below = key.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        if is_bucket && below.is_some_and(|(_, key)| is_nothing(key)) {
            return Err(Error::invalid(format!("'{key}' ends with an empty KEY, and would select the whole bucket"))
                .hint_is(format!(
                    "say what names begin with, or write {} for all of it; in a script, is its variable set?",
                    key.trim_end_matches('/')
                )));
        }
        if is_nothing(key) {
            return Err(Error::invalid("a KEY is empty, and would select the whole store").hint_is(
                "say what names begin with, or leave KEY out to select from all of them; in a script, is its variable set?",
            ));
        }
    }
    Ok(())
}

fn located(text: &str) -> Result<Location> {
    let location = Location::parse(text)?;
    key::check(&location.key)?;
    Ok(location)
}
