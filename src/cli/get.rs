//! `get`.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use storage::checkpoint::{self, CheckpointGot, Found, GetCheckpoint};
use storage::{Error, ErrorKind, GetOptions, ObjectMeta, Overwrite, Result, Transfer, key};

use super::args::GetArgs;
use super::context::{Context, filter};
use super::location::Location;
use super::quote::shell;
use super::schema::{Kind, Object, Tally};
use super::units::{files, summary};

impl GetArgs {
    /// Whether the content goes to stdout.
    pub(crate) fn to_stdout(&self) -> bool {
        self.destination.as_deref() == Some(Path::new("-"))
    }

    fn overwrite(&self) -> Overwrite {
        if self.no_clobber { Overwrite::Refuse } else { Overwrite::Replace }
    }
}

/// What was got.
struct Done {
    path: PathBuf,
    kind: Kind,
    tally: Tally,
    verified: bool,
}

/// Runs `get`.
pub(crate) async fn run(context: &Context, args: GetArgs) -> anyhow::Result<()> {
    let (transfer, name) = wanted(context, &args).await?;
    let Done { path, kind, tally, verified } = match checkpoint::find(&**transfer.store(), &name).await? {
        Found::File(object) => file(&transfer, &object, &args).await?,
        Found::Checkpoint(manifest) => {
            let (path, options) = directory(&name, &args)?;
            let got = checkpoint::get(&transfer, &name, &manifest, &path, &options).await?;
            of_checkpoint(path, &got, true)
        }
        Found::Directory { objects, being_put } => {
            if being_put || !args.unverified {
                return Err(no_manifest(&name, objects.len(), being_put, args.unverified).into());
            }
            let (path, options) = directory(&name, &args)?;
            let got = checkpoint::get_unverified(&transfer, &name, &objects, &path, &options).await?;
            of_checkpoint(path, &got, false)
        }
    };

    context.progress.finish();
    let tally = context.progress.counted(tally);
    let (path, uri) = (path.to_string_lossy(), transfer.store().uri(&name));
    let object = Object::Get { path: &path, uri: &uri, kind, tally, verified };
    match (args.to_stdout(), context.output.is_json()) {
        (true, true) => context.output.event(&object),
        (true, false) => {}
        (false, _) => context.output.result(&path, &object)?,
    }
    context.output.note(&match tally.moved_files {
        0 => "nothing fetched: the destination already has it".to_owned(),
        _ if verified => format!("{}; verified", summary("got", &tally, context.started.elapsed())),
        _ => format!("{}; not verified", summary("got", &tally, context.started.elapsed())),
    });
    Ok(())
}

/// The store, and the name in it.
async fn wanted(context: &Context, args: &GetArgs) -> Result<(Transfer, String)> {
    if args.latest {
        let location = Location::parse_prefix(args.key.as_deref().unwrap_or_default())?;
        let transfer = context.open(&location).await?;
        let name = checkpoint::latest(&**transfer.store(), &location.prefix()).await?;
        return Ok((transfer, name));
    }
    let Some(key) = &args.key else {
        return Err(Error::invalid("no KEY is given")
            .hint_is("write strata-ckpt get KEY [DST], or strata-ckpt get --latest for the newest checkpoint"));
    };
    let location = Location::parse(key)?;
    key::check(&location.key)?;
    Ok((context.open(&location).await?, location.key))
}

async fn file(transfer: &Transfer, object: &ObjectMeta, args: &GetArgs) -> Result<Done> {
    let name = &object.key;
    if !args.include.is_empty() || !args.exclude.is_empty() {
        return Err(Error::invalid(format!("--include and --exclude are for checkpoints; '{name}' is a single file"))
            .hint_is("leave them (or their variables) out"));
    }
    let options = GetOptions { overwrite: args.overwrite(), require_checksum: args.require_checksum };
    let (path, got) = if args.to_stdout() {
        let stdout = std::io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| Error::local("write to stdout", error))?;
        let writer = tokio::fs::File::from_std(stdout.into());
        (PathBuf::from("-"), transfer.get_stream(name, writer, &options).await?)
    } else {
        let path = file_destination(name, args.destination.as_deref());
        let got = transfer.get_object(object, &path, &options).await?;
        (path, got)
    };
    Ok(Done { path, kind: Kind::File, tally: Tally::one(got.size, got.moved), verified: got.verified })
}

/// A file goes to DST itself, or below it where that is a directory or ends in `/`; without DST, to its own path.
fn file_destination(name: &str, destination: Option<&Path>) -> PathBuf {
    match destination {
        None => PathBuf::from(name),
        Some(path) if path.is_dir() || path.as_os_str().as_bytes().ends_with(b"/") => path.join(key::file_name(name)),
        Some(path) => path.to_owned(),
    }
}

/// Where the files of a checkpoint go, and how.
fn directory(name: &str, args: &GetArgs) -> Result<(PathBuf, GetCheckpoint)> {
    if args.to_stdout() {
        return Err(Error::invalid(format!("'{name}' is a checkpoint of several files, which cannot go to stdout"))
            .hint_is(format!(
                "get one of its files (strata-ckpt ls {} shows them), or name a directory",
                shell(name)
            )));
    }
    let path = args.destination.clone().unwrap_or_else(|| PathBuf::from(name));
    let filter = filter(&args.include, &args.exclude)?;
    let options = GetCheckpoint { filter, overwrite: args.overwrite(), require_checksum: args.require_checksum };
    Ok((path, options))
}

fn no_manifest(name: &str, objects: usize, being_put: bool, unverified: bool) -> Error {
    let under = files(objects as u64);
    if !being_put {
        return Error::new(ErrorKind::NotFound, format!("'{name}' is no complete checkpoint: {under}, no manifest"))
            .hint_is("--unverified gets the files as they are listed");
    }
    let kind = if unverified { ErrorKind::Exists } else { ErrorKind::NotFound };
    Error::new(kind, format!("'{name}' is no complete checkpoint: it is being put or removed, or that was interrupted"))
        .hint_is("wait until that is done, or run the same put or rm again to finish it")
}

fn of_checkpoint(path: PathBuf, got: &CheckpointGot, verified: bool) -> Done {
    let CheckpointGot { files, bytes, moved_files, moved_bytes } = *got;
    Done { path, kind: Kind::Checkpoint, tally: Tally::of(files, bytes, moved_files, moved_bytes), verified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_file_goes() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().to_owned();
        let go = |destination: Option<&Path>| file_destination("a/m.bin", destination);
        assert_eq!(go(None), Path::new("a/m.bin"));
        assert_eq!(go(Some(&there)), there.join("m.bin"));
        assert_eq!(go(Some(Path::new("new/"))), Path::new("new/m.bin"));
        assert_eq!(go(Some(Path::new("new"))), Path::new("new"));
    }
}
