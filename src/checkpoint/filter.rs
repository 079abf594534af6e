//! `--include` and `--exclude`: which files of a directory take part.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};
use crate::key;

/// Globs over paths relative to the directory. A glob without `/` is matched against the file's name at any depth;
/// `*` never matches `/`, `**` does. A file takes part when an include matches, or there are none, and no exclude does.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    /// A filter of these globs.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the glob that does not parse.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let include = if include.is_empty() { None } else { Some(set_of(include)?) };
        Ok(Filter { include, exclude: set_of(exclude)? })
    }

    /// Whether the file at this relative path takes part.
    pub fn takes(&self, path: &str) -> bool {
        let matches = |set: &GlobSet| set.is_match(path);
        self.include.as_ref().is_none_or(matches) && !matches(&self.exclude)
    }
}

fn set_of(globs: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(parse(glob)?);
        if !glob.contains('/') {
            set.add(parse(&format!("**/{glob}"))?);
        }
    }
    set.build().map_err(|error| Error::invalid(format!("the globs cannot be used together: {error}")))
}

fn parse(glob: &str) -> Result<Glob> {
    GlobBuilder::new(glob)
        .literal_separator(true)
        .build()
        .map_err(|error| Error::invalid(format!("'{glob}' is not a glob: {}", error.kind())))
}

/// Files by which trainers tell that a checkpoint is whole; they are written last, so that the trainers' own readers see
/// what ours see: PyTorch's distributed checkpoints, Orbax, Hugging Face's sharded weights.
pub(crate) fn is_marker(path: &str) -> bool {
    let name = key::file_name(path);
    name == ".metadata" || name == "commit_success.txt" || name.ends_with(".index.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        Filter::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn names_match_at_any_depth_and_paths_from_the_top() {
        let weights = filter(&["*.safetensors"], &[]);
        assert!(weights.takes("a.safetensors") && weights.takes("x/y/a.safetensors") && !weights.takes("a.bin"));
        let top = filter(&["x/*.bin"], &["x/b.bin"]);
        assert!(top.takes("x/a.bin") && !top.takes("x/b.bin") && !top.takes("y/x/a.bin") && !top.takes("x/y/a.bin"));
        assert!(filter(&["x/**"], &[]).takes("x/y/z"));
        assert!(filter(&[], &[]).takes("anything"));
        assert!(!filter(&[], &["optimizer*"]).takes("rank_0/optimizer.pt"));
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Filter::new(&["[".to_owned()], &[]).unwrap_err();
        assert!(error.to_string().starts_with("'[' is not a glob"), "{error}");
    }
}
