//! `put`.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use storage::checkpoint::{self, PutCheckpoint, Rank};
use storage::checksum::Crc64;
use storage::{Error, Overwrite, Result, Transfer};

use super::args::PutArgs;
use super::context::{Context, filter};
use super::location::Location;
use super::quote::shell;
use super::retention;
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
        ("--rank", args.rank.is_some()),
        ("--world-size", args.world_size.is_some()),
        ("--keep-last", args.keep_last.is_some()),
    ])?;
    let rank = rank(&args)?;
    refuse_twice(&args.meta)?;
    if let Source::Directory(path) = &source {
        refuse_the_store(context, &location, path)?;
    }
    let done = send(context, &location, &source, &key, &args, rank).await?;

    context.progress.finish();
    let restore = restore(context, &location, &key);
    let Done { uri, kind, tally, checksum, changed, missing, committed } = done;
    let tally = context.progress.counted(tally);
    let checksum = checksum.map(|sum| sum.to_string());
    let missing_ranks = missing.as_deref();
    let put = Object::Put { uri: &uri, key: &key, kind, tally, checksum, changed, missing_ranks, restore: &restore };
    context.output.result(&uri, &put)?;
    context.output.note(&match changed {
        true => summary("put", &tally, context.started.elapsed()),
        false => "nothing sent: the store already has it".to_owned(),
    });
    match missing.as_deref() {
        None | Some([]) => context.output.note(&format!("restore with: {restore}")),
        Some([one]) => context.output.note(&format!("the checkpoint appears when rank {one} is there as well")),
        Some(several) => {
            context.output.note(&format!("the checkpoint appears when {} more ranks are there", several.len()));
        }
    }
    // What was put has been told of: nothing that happens from here on is about it.
    match (args.keep_last, committed) {
        (Some(keep_last), Some(transfer)) => {
            context.achieved.set(retention::unpruned(&key, "the command was ended"));
            Ok(retention::after_put(context, &transfer, &key, keep_last).await?)
        }
        _ => Ok(()),
    }
}

/// `--rank` and `--world-size`, which mean something only together.
fn rank(args: &PutArgs) -> Result<Option<Rank>> {
    let (given, missing) = match (args.rank, args.world_size) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) if args.force => {
            return Err(Error::invalid("--force replaces a checkpoint as a whole, not the files of one rank")
                .hint_is("remove the old checkpoint first (strata-ckpt rm), or put under another name"));
        }
        (Some(rank), Some(world_size)) => return Rank::new(rank, world_size).map(Some),
        (Some(_), None) => ("--rank", "--world-size"),
        (None, Some(_)) => ("--world-size", "--rank"),
    };
    Err(Error::invalid(format!("{given} is given without {missing}"))
        .hint_is("each of the N processes of a job puts its own files with --rank R --world-size N"))
}

/// What was put.
struct Done {
    uri: String,
    kind: Kind,
    tally: Tally,
    checksum: Option<Crc64>,
    changed: bool,
    /// With `--rank`, the ranks that are not there yet.
    missing: Option<Vec<u32>>,
    /// Of a checkpoint that stands by this command's own doing, or did already: where. Of several ranks one has committed.
    committed: Option<Transfer>,
}

async fn send(
    context: &Context,
    location: &Location,
    source: &Source,
    key: &str,
    args: &PutArgs,
    rank: Option<Rank>,
) -> Result<Done> {
    if args.no_clobber && args.force {
        return Err(Error::invalid("--no-clobber and --force contradict each other").hint_is("leave one of them out"));
    }
    let overwrite = if args.no_clobber { Overwrite::Refuse } else { Overwrite::Replace };
    let filter = filter(&args.include, &args.exclude)?;
    let transfer = context.open_to_write(location, &args.writing).await?;
    let uri = transfer.store().uri(key);
    let put = match source {
        Source::Directory(path) => {
            let meta = args.meta.iter().cloned().collect();
            let options = PutCheckpoint { filter, meta, overwrite, force: args.force, rank };
            let put = checkpoint::put(&transfer, path, key, &options).await?;
            let checkpoint::CheckpointPut { files, bytes, moved_files, moved_bytes, committed, missing_ranks } = put;
            let missing = rank.map(|_| missing_ranks);
            let tally = Tally::of(files, bytes, moved_files, moved_bytes);
            let changed = committed || moved_files > 0;
            let committed = (committed || rank.is_none()).then_some(transfer);
            return Ok(Done { uri, kind: Kind::Checkpoint, tally, checksum: None, changed, missing, committed });
        }
        Source::File(path) => transfer.put_file(path, key, overwrite).await?,
        Source::Stdin => {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| Error::local("read stdin", error))?;
            transfer.put_stream(tokio::fs::File::from_std(stdin.into()), key, overwrite).await?
        }
    };
    let tally = Tally::one(put.size, put.moved);
    let (changed, checksum) = (put.moved, Some(put.checksum));
    Ok(Done { uri, kind: Kind::File, tally, checksum, changed, missing: None, committed: None })
}

/// A key has one value; which of two was meant only the user knows.
fn refuse_twice(meta: &[(String, String)]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match meta.iter().find(|(key, _)| !seen.insert(key)) {
        None => Ok(()),
        Some((key, _)) => Err(Error::invalid(format!("--meta gives '{key}' twice")).hint_is("give each key once")),
    }
}

/// The command that brings it back.
fn restore(context: &Context, location: &Location, key: &str) -> String {
    let name = location.full_name(key);
    let dashes = if name.starts_with('-') { "-- " } else { "" };
    format!("strata-ckpt get{} {dashes}{}", context.typed.store_flags, shell(&name))
}
