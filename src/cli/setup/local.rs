//! `setup` of the local store: its directory.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};
use storage::{Error, ErrorKind, Result};

use super::super::args::SetupArgs;
use super::super::context::Context;
use super::super::location::Location;
use super::super::schema::Object;
use super::super::units::size;
use super::line::Line;

/// Makes the directory where it is missing, and says whether it can be used.
pub(super) fn run(context: &Context, args: &SetupArgs) -> anyhow::Result<()> {
    let Some(directory) = context.local_directory(&Location::parse("")?)? else { return Ok(()) };
    let print = |step, state, detail: &str| Line::new(step, state, detail).print(context);
    // A slash at the end would hide a file.
    let directory: PathBuf = directory.components().collect();
    let shown = directory.display().to_string();
    let is_there = directory.is_dir();
    let only_look = args.dry_run || args.check;
    match (is_there, only_look) {
        (true, _) => print("directory", "found", &shown)?,
        (false, _) if directory.exists() => return Err(in_the_way(&directory).into()),
        (false, true) if args.check => {
            return Err(Error::new(ErrorKind::NotFound, format!("the directory '{shown}' does not exist"))
                .hint_is("strata-ckpt setup makes it; so does the first put")
                .into());
        }
        (false, true) => print("directory", "would do", &format!("created: {shown}"))?,
        (false, false) => {
            std::fs::create_dir_all(&directory)
                .map_err(|error| Error::local(format!("create the directory '{shown}'"), error).kind_is_local())?;
            print("directory", "done", &format!("created: {shown}"))?;
        }
    }
    let existing = nearest(&directory);
    writable(&existing, only_look)?;
    print("writing", "found", "allowed")?;
    if let Ok(stat) = statvfs(&existing) {
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        print("space", "found", &format!("{} are free", size(free)))?;
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

/// The directory itself, or the one that it would be made in.
fn nearest(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    absolute.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Tries it where something may be written, for what permissions say is not all.
fn writable(directory: &Path, only_look: bool) -> Result<()> {
    let tried = match only_look {
        true => accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).map_err(Into::into),
        false => tempfile::tempfile_in(directory).map(drop),
    };
    tried.map_err(|error| Error::local(format!("write into '{}'", directory.display()), error).kind_is_local())
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
