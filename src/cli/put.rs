//! `put`.

use std::os::fd::AsFd;

use storage::checkpoint::{self, PutCheckpoint};
use storage::checksum::Crc64;
use storage::{Error, Overwrite, Result};

use super::args::PutArgs;
use super::context::{Context, filter};
use super::location::Location;
use super::quote::shell;
use super::schema::{Kind, Object, Tally};
use super::source::{Source, refuse_the_store};
use super::units::summary;

/// Runs `put`.
pub(crate) async fn run(context: &Context, args: PutArgs) -> anyhow::Result<()> {
    let source = Source::look_at(&args.source)?;
    let (location, key) = source.name(args.key.as_deref())?;
    source.refuse_flags(&[
        ("--include", !args.include.is_empty()),
        ("--exclude", !args.exclude.is_empty()),
        ("--meta", !args.meta.is_empty()),
    ])?;
    if let Source::Directory(path) = &source {
        refuse_the_store(context, &location, path)?;
    }
    let done = send(context, &location, &source, &key, &args).await?;

    context.progress.finish();
    let restore = restore(context, &location, &key);
    let Done { uri, kind, tally, checksum, changed } = done;
    let tally = context.progress.counted(tally);
    let checksum = checksum.map(|sum| sum.to_string());
    context
        .output
        .result(&uri, &Object::Put { uri: &uri, key: &key, kind, tally, checksum, changed, restore: &restore })?;
    context.output.note(&match changed {
        true => summary("put", &tally, context.started.elapsed()),
        false => "nothing sent: the store already has it".to_owned(),
    });
    context.output.note(&format!("restore with: {restore}"));
    Ok(())
}

/// What was put.
struct Done {
    uri: String,
    kind: Kind,
    tally: Tally,
    checksum: Option<Crc64>,
    changed: bool,
}

async fn send(context: &Context, location: &Location, source: &Source, key: &str, args: &PutArgs) -> Result<Done> {
    let overwrite = if args.no_clobber { Overwrite::Refuse } else { Overwrite::Replace };
    let filter = filter(&args.include, &args.exclude)?;
    let transfer = context.open(location).await?;
    let uri = transfer.store().uri(key);
    let put = match source {
        Source::Directory(path) => {
            let options = PutCheckpoint { filter, meta: args.meta.iter().cloned().collect(), overwrite };
            let put = checkpoint::put(&transfer, path, key, &options).await?;
            let checkpoint::CheckpointPut { files, bytes, moved_files, moved_bytes, committed } = put;
            let tally = Tally::of(files, bytes, moved_files, moved_bytes);
            let changed = committed || moved_files > 0;
            return Ok(Done { uri, kind: Kind::Checkpoint, tally, checksum: None, changed });
        }
        Source::File(path) => transfer.put_file(path, key, overwrite).await?,
        Source::Stdin => {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| Error::local("read stdin", error))?;
            transfer.put_stream(tokio::fs::File::from_std(stdin.into()), key, overwrite).await?
        }
    };
    let tally = Tally::one(put.size, put.moved);
    Ok(Done { uri, kind: Kind::File, tally, checksum: Some(put.checksum), changed: put.moved })
}

/// The command that brings it back.
fn restore(context: &Context, location: &Location, key: &str) -> String {
    let name = location.full_name(key);
    let dashes = if name.starts_with('-') { "-- " } else { "" };
    format!("strata-ckpt get{} {dashes}{}", context.typed.store_flags, shell(&name))
}
