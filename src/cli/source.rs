//! SRC of a put, and the name in the store that it gets.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use storage::{Error, Result, key};

use super::context::{Context, resolved};
use super::location::Location;
use super::quote::shell;

/// What is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stdin,
    File(PathBuf),
    Directory(PathBuf),
}

impl Source {
    /// Looks at what was typed; only files and directories can be put, and what links lead to.
    pub(crate) fn look_at(path: &Path) -> Result<Self> {
        let shown = path.display();
        if path == Path::new("-") {
            return Ok(Source::Stdin);
        }
        if path.to_str().is_none() {
            return Err(
                Error::invalid(format!("the name of '{shown}' is not UTF-8")).hint_is("rename it: keys are UTF-8")
            );
        }
        let kind = match std::fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => {
                let error = Error::local(format!("read '{shown}'"), error);
                return Err(match error.hint() {
                    Some(_) => error,
                    None => error.hint_is("the source comes first, then its name in the store: put SRC [KEY]"),
                });
            }
        };
        let special = match () {
            () if kind.is_file() => return Ok(Source::File(path.to_owned())),
            () if kind.is_dir() => return Ok(Source::Directory(path.to_owned())),
            () if kind.is_fifo() => "a FIFO",
            () if kind.is_socket() => "a socket",
            () => "a device",
        };
        Err(Error::invalid(format!("'{shown}' is {special}, not a file or a directory"))
            .hint_is("what it yields can be piped: strata-ckpt put - KEY"))
    }

    /// The name in the store: KEY where it is given, else the source's own relative path.
    pub(crate) fn name(&self, key: Option<&str>) -> Result<(Location, String)> {
        let location = match (key, self) {
            (Some(key), _) => Location::parse(key)?,
            (None, Source::Stdin) => {
                return Err(Error::invalid("stdin has no name of its own").hint_is("name it: strata-ckpt put - KEY"));
            }
            (None, Source::File(path) | Source::Directory(path)) => {
                Location::parse(&key::of_path(path).ok_or_else(|| needs_key(path))?)?
            }
        };
        let name = match self {
            Source::Stdin if location.is_directory => {
                return Err(Error::invalid("stdin has no name of its own to put into a directory")
                    .hint_is("give the whole key, without / at its end"));
            }
            Source::File(path) => location.key_for(path.file_name().and_then(|name| name.to_str()).unwrap_or_default()),
            Source::Stdin | Source::Directory(_) => location.key.clone(),
        };
        key::check(&name)?;
        Ok((location, name))
    }

    /// Flags that choose among the files of a directory, or describe it, are for directories.
    pub(crate) fn refuse_flags(&self, given: &[(&str, bool)]) -> Result<()> {
        let what = match self {
            Source::Directory(_) => return Ok(()),
            Source::Stdin => "stdin".to_owned(),
            Source::File(path) => format!("'{}'", path.display()),
        };
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::invalid(format!("{flag} is for directories; {what} is a single file"))
                .hint_is("put the directory that holds it, or leave the flag (or its variable) out")),
        }
    }
}

fn needs_key(source: &Path) -> Error {
    let why = if source.is_absolute() { "is absolute" } else { "has no name below the working directory" };
    let name = resolved(source).file_name().map(|name| name.to_string_lossy().into_owned());
    let (source, name) = (source.to_string_lossy(), name.unwrap_or_else(|| "KEY".to_owned()));
    Error::invalid(format!("'{source}' {why}, so it cannot be its own key")).hint_is(format!(
        "name it in the store: strata-ckpt put {} {}",
        shell(&source),
        shell(&name)
    ))
}

/// A store that is put into itself would never end.
pub(crate) fn refuse_the_store(context: &Context, location: &Location, source: &Path) -> Result<()> {
    let Some(store) = context.local_directory(location)?.map(|directory| resolved(&directory)) else { return Ok(()) };
    let directory = resolved(source);
    if !store.starts_with(&directory) {
        return Ok(());
    }
    let is = if store == directory { "is the store itself" } else { "contains the store" };
    Err(Error::invalid(format!("'{}' {is}, {}", source.display(), store.display()))
        .hint_is("put a directory inside it, or keep the store elsewhere with CHECKPOINT_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: &Source, key: Option<&str>) -> String {
        source.name(key).unwrap().1
    }

    #[test]
    fn names_in_the_store() {
        let file = Source::File("./a/m.bin".into());
        let directory = Source::Directory("a/b/".into());
        assert_eq!(named(&file, None), "a/m.bin");
        assert_eq!(named(&file, Some("k")), "k");
        assert_eq!(named(&file, Some("runs/")), "runs/m.bin");
        assert_eq!(named(&file, Some("s3://bucket")), "m.bin");
        assert_eq!(named(&directory, None), "a/b");
        assert_eq!(named(&directory, Some("runs/")), "runs");
        assert_eq!(named(&Source::Stdin, Some("k/x")), "k/x");
    }

    #[test]
    fn the_error_says_what_to_type() {
        let error = Source::File("/data/my model.bin".into()).name(None).unwrap_err();
        assert_eq!(error.hint(), Some("name it in the store: strata-ckpt put '/data/my model.bin' 'my model.bin'"));
        for (source, key) in
            [(Source::Stdin, None), (Source::Stdin, Some("runs/")), (Source::Directory("d".into()), Some("/"))]
        {
            assert!(source.name(key).is_err(), "{source:?} {key:?}");
        }
    }
}
