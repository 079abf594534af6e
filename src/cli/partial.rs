//! `ls --partial` and `rm --partial`: what was begun and not ended.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use storage::checkpoint::{self, Leftover, LeftoverKind};
use storage::{Error, ErrorKind, Result, Transfer};

use super::args::{LsArgs, RmArgs};
use super::confirm::confirm;
use super::context::Context;
use super::exit::{Failure, Several, of_kind};
use super::freed;
use super::location::Location;
use super::quote::visible;
use super::schema::Object;
use super::units::size;

/// Runs `ls --partial`.
pub(crate) async fn list(context: &Context, args: &LsArgs) -> anyhow::Result<()> {
    if args.verify || args.sample.is_some() || args.files {
        return Err(Error::invalid("--partial lists what is unfinished; it verifies and unfolds nothing")
            .hint_is("leave --verify, --sample and --files out, or --partial")
            .into());
    }
    let (transfer, found) = look(context, args.names.as_deref()).await?;
    if context.output.is_json() {
        return Ok(context.output.objects(found.iter().map(|left| object(&transfer, left)))?);
    }
    if found.is_empty() {
        context.output.note("nothing is unfinished");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["NAME", "KIND", "FILES", "SIZE", "UPLOADS"]);
    for left in &found {
        let Leftover { name, files, bytes, uploads, .. } = left;
        let name = visible(name).into_owned();
        table.add_row([name, in_words(left.kind).to_owned(), files.to_string(), size(*bytes), uploads.to_string()]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let whys =
        std::iter::once("WHAT HAPPENED".to_owned()).chain(found.iter().map(|left| visible(&left.why).into_owned()));
    Ok(context.output.lines(table.lines().zip(whys).map(|(line, why)| line + &why))?)
}

/// Runs `rm --partial`, for everything or for what begins with one of the prefixes.
pub(crate) async fn remove(context: &Context, args: &RmArgs) -> anyhow::Result<()> {
    let prefixes: Vec<Option<&str>> = match args.keys.as_slice() {
        [] => vec![None],
        keys => keys.iter().map(|key| Some(key.as_str())).collect(),
    };
    let mut found = Vec::new();
    for prefix in prefixes {
        let (transfer, left) = look(context, prefix).await?;
        found.extend(left.into_iter().map(|left| (transfer.clone(), left)));
    }
    let (live, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, left)| left.live);
    for (_, left) in live {
        context.output.warning(&format!("'{}' is left alone: {}", left.name, left.why));
    }
    if found.is_empty() {
        context.output.note("nothing was abandoned");
        return Ok(());
    }
    let lines =
        || found.iter().map(|(transfer, left)| line(&transfer.store().uri(&left.name), left)).collect::<Vec<_>>();
    if !args.dry_run && !args.yes && !confirm(context, &lines()).await? {
        context.output.note("nothing was removed");
        return Ok(());
    }
    let (mut failed, mut total) = (Vec::new(), 0);
    for (transfer, left) in &found {
        let outcome = match args.dry_run {
            true => Ok(()),
            false => checkpoint::remove_leftover(transfer, left).await,
        };
        match outcome {
            Ok(()) => {
                total += left.bytes;
                let uri = transfer.store().uri(&left.name);
                let Leftover { name, files, bytes, .. } = left;
                let object =
                    Object::Removed { uri: &uri, key: name, files: *files, bytes: *bytes, dry_run: args.dry_run };
                context.output.result(&line(&uri, left), &object)?;
            }
            Err(error) if found.len() == 1 || error.kind() == ErrorKind::Cancelled => return Err(error.into()),
            Err(error) => {
                failed.push(of_kind(error.kind()).0);
                context.output.failure(&Failure::of_storage(&error));
            }
        }
    }
    freed::tell(context, total, args.dry_run);
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Several { codes: failed, of: found.len() }.into()),
    }
}

async fn look(context: &Context, prefix: Option<&str>) -> Result<(Transfer, Vec<Leftover>)> {
    let location = Location::parse_prefix(prefix.unwrap_or_default())?;
    let transfer = context.open(&location).await?;
    let found = checkpoint::leftovers(&transfer, &location.prefix()).await?;
    Ok((transfer, found))
}

fn line(uri: &str, left: &Leftover) -> String {
    format!("{uri}  {}", visible(&left.why))
}

fn in_words(kind: LeftoverKind) -> &'static str {
    match kind {
        LeftoverKind::Checkpoint => "checkpoint",
        LeftoverKind::Upload => "upload",
        LeftoverKind::Download => "download",
        LeftoverKind::PartialFile => "partial file",
        LeftoverKind::Check => "check",
        LeftoverKind::Bench => "bench",
    }
}

fn object<'a>(transfer: &Transfer, left: &'a Leftover) -> Object<'a> {
    let Leftover { name, why, live, files, bytes, uploads, .. } = left;
    let kind = match left.kind {
        LeftoverKind::Checkpoint => "checkpoint",
        LeftoverKind::Upload => "upload",
        LeftoverKind::Download => "download",
        LeftoverKind::PartialFile => "partial_file",
        LeftoverKind::Check => "check",
        LeftoverKind::Bench => "bench",
    };
    let uri = transfer.store().uri(name);
    Object::Leftover { name, uri, kind, why, live: *live, files: *files, bytes: *bytes, uploads: *uploads }
}
