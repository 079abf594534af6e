//! `setup` of the local store: its directory.

use std::path::{Path, PathBuf};

use storage::{Error, ErrorKind};

use super::super::args::SetupArgs;
use super::super::context::Context;
use super::super::location::Location;
use super::super::schema::Object;
use super::line::Line;

/// Makes the directory where it is missing.
pub(super) fn run(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    let Some(directory) = context.local_directory(&Location::parse("")?)? else { return Ok(()) };
    let print = |step, state, detail: &str| Line::new(step, state, detail).print(context);
    // A slash at the end would hide a file.
    let directory: PathBuf = directory.components().collect();
    let shown = directory.display().to_string();
    let is_there = directory.is_dir();
    match (is_there, args.dry_run) {
        (true, _) => print("directory", "found", &shown)?,
        (false, _) if directory.exists() => return Err(in_the_way(&directory).into()),
        (false, true) => print("directory", "would do", &format!("created: {shown}"))?,
        (false, false) => {
            std::fs::create_dir_all(&directory)
                .map_err(|error| Error::local(format!("create the directory '{shown}'"), error).kind_is_local())?;
            print("directory", "done", &format!("created: {shown}"))?;
        }
    }
    let done = Object::Setup {
        uri: &format!("file://{}", std::path::absolute(&directory).unwrap_or(directory).display()),
        endpoint: None,
        region: None,
        dry_run: args.dry_run,
        changed: !is_there,
        missing_rights: &[],
        command: None,
    };
    if context.output.is_json() {
        context.output.objects([&done])?;
    }
    Ok(())
}

fn in_the_way(directory: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("'{}' is a file, not a directory", directory.display()))
        .hint_is("set CHECKPOINT_DIR to another directory, or move the file away")
}

/// That something is missing on the way is a matter of this machine, not of the store.
trait KindIsLocal {
    fn kind_is_local(self) -> Self;
}

impl KindIsLocal for Error {
    fn kind_is_local(self) -> Self {
        match self.kind() {
            ErrorKind::NotFound => Error::new(ErrorKind::LocalIo, self.to_string()),
            _ => self,
        }
    }
}
