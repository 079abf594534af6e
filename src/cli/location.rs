//! What can stand for KEY: a key of the store that the settings name, `s3://bucket/key`, or `file:///path`.

use std::path::{Path, PathBuf};

use storage::{Error, Result};

/// Where something is, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) place: Place,
    /// Below [`place`](Self::place), without the `/` at its end; may be empty, for a listing.
    pub(crate) key: String,
    /// It ended in `/`: it takes a single file under the file's own name.
    pub(crate) is_directory: bool,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that flags and environment name.
    Here,
    /// A bucket, without a prefix.
    S3 { bucket: String },
    /// A directory.
    Directory(PathBuf),
}

impl Location {
    /// Reads what was typed. A path of `file://` is the key of its last component in the directory that holds it.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return match text {
                "-" => {
                    Err(Error::invalid("the key cannot be '-'")
                        .hint_is("- stands for stdin and stdout, in SRC and DST"))
                }
                _ => Ok(Location::new(Place::Here, text)),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "s3" => match rest.split_once('/').unwrap_or((rest, "")) {
                ("", _) => Err(Error::invalid(format!("'{text}' names no bucket")).hint_is("write s3://bucket/key")),
                (bucket, key) => Ok(Location::new(Place::S3 { bucket: bucket.to_owned() }, key)),
            },
            "file" if rest.starts_with('/') => {
                let path = rest.trim_end_matches('/');
                let (directory, key) = path.rsplit_once('/').unwrap_or(("", path));
                let mut location = Location::new(Place::Directory(root_of(directory)), key);
                location.is_directory = rest.ends_with('/');
                Ok(location)
            }
            "file" => {
                Err(Error::invalid(format!("'{text}' is no absolute path")).hint_is("write file:///path, with three /"))
            }
            _ => Err(Error::invalid(format!("'{text}': there is no store of the kind '{scheme}'"))
                .hint_is("write a key such as epoch_10/model.bin, s3://bucket/key, or file:///path")),
        }
    }

    /// The same for a listing: a directory of `file://` is a store itself, unless it is one checkpoint, whole or not.
    pub(crate) fn parse_prefix(text: &str) -> Result<Self> {
        let location = Location::parse(text)?;
        let Place::Directory(directory) = &location.place else { return Ok(location) };
        let path = directory.join(&location.key);
        let ours = path.join(storage::key::RESERVED_DIRECTORY);
        let is_checkpoint = ["manifest.json", "put.json"].iter().any(|name| ours.join(name).is_file());
        match path.is_dir() && !is_checkpoint {
            true => Ok(Location::new(Place::Directory(path), "")),
            false => Ok(location),
        }
    }

    fn new(place: Place, key: &str) -> Self {
        // A key of nothing else is no key; a bucket of nothing else is its root.
        let whole = place == Place::Here && key.trim_end_matches('/').is_empty();
        let trimmed = if whole { key } else { key.strip_suffix('/').unwrap_or(key) };
        let is_directory = !whole && (trimmed.len() < key.len() || key.is_empty());
        Location { place, key: trimmed.to_owned(), is_directory }
    }

    /// The key for a single file of that name: KEY itself, or below KEY where it ends in `/`.
    pub(crate) fn key_for(&self, name: &str) -> String {
        match (self.is_directory, self.key.as_str()) {
            (false, key) => key.to_owned(),
            (true, "") => name.to_owned(),
            (true, directory) => format!("{directory}/{name}"),
        }
    }

    /// A key of this place, as it can be typed.
    pub(crate) fn full_name(&self, key: &str) -> String {
        match &self.place {
            Place::Here => key.to_owned(),
            Place::S3 { bucket } => format!("s3://{bucket}/{key}"),
            Place::Directory(directory) => format!("file://{}", directory.join(key).display()),
        }
    }

    /// What names in a listing begin with.
    pub(crate) fn prefix(&self) -> String {
        match self.key.is_empty() || !self.is_directory {
            true => self.key.clone(),
            false => format!("{}/", self.key),
        }
    }
}

fn root_of(directory: &str) -> PathBuf {
    Path::new("/").join(directory)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Place, String, bool) {
        let Location { place, key, is_directory } = Location::parse(text).unwrap();
        (place, key, is_directory)
    }

    #[test]
    fn keys_and_full_names() {
        let s3 = || Place::S3 { bucket: "b".to_owned() };
        assert_eq!(parsed("epoch_10/model.bin"), (Place::Here, "epoch_10/model.bin".to_owned(), false));
        assert_eq!(parsed("runs/"), (Place::Here, "runs".to_owned(), true));
        assert_eq!(parsed("s3://b/a/c"), (s3(), "a/c".to_owned(), false));
        assert_eq!(parsed("S3://b/a/"), (s3(), "a".to_owned(), true));
        assert_eq!(parsed("s3://b"), (s3(), String::new(), true));
        assert_eq!(parsed("file:///a/b c"), (Place::Directory("/a".into()), "b c".to_owned(), false));
        assert_eq!(parsed("file:///a/"), (Place::Directory("/".into()), "a".to_owned(), true));
        assert_eq!([parsed(""), parsed("/")], ["", "/"].map(|key| (Place::Here, key.to_owned(), false)));
        assert_eq!(parsed("a:b/c"), (Place::Here, "a:b/c".to_owned(), false));
    }

    #[test]
    fn what_is_no_location() {
        for text in ["s3://", "s3:///key", "file://a/b", "gs://b/k", "-"] {
            let error = Location::parse(text).unwrap_err();
            assert_eq!(error.kind(), storage::ErrorKind::Invalid, "{text}");
            assert!(error.hint().is_some(), "{text}");
        }
    }

    #[test]
    fn a_directory_takes_a_file_under_its_own_name() {
        let key = |text: &str| Location::parse(text).unwrap().key_for("m.bin");
        assert_eq!([key("a"), key("a/"), key("s3://b"), key("s3://b/a/")], ["a", "a/m.bin", "m.bin", "a/m.bin"]);
    }

    #[test]
    fn a_directory_is_listed_as_a_store_and_a_checkpoint_as_itself() {
        let directory = tempfile::tempdir().unwrap();
        let uri = format!("file://{}", directory.path().display());
        let store = Location::parse_prefix(&uri).unwrap();
        assert_eq!((store.place, store.key.as_str()), (Place::Directory(directory.path().to_owned()), ""));
        std::fs::create_dir(directory.path().join(".strata")).unwrap();
        for name in ["manifest.json", "put.json"] {
            let path = directory.path().join(".strata").join(name);
            std::fs::write(&path, "{}").unwrap();
            let location = Location::parse_prefix(&uri).unwrap();
            assert!(!location.key.is_empty() && uri.ends_with(&location.key), "{name}");
            std::fs::remove_file(&path).unwrap();
        }
    }
}
