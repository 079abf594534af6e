//! Which names an object may have, and what a key means as a local path.

use std::path::{Component, Path};

use crate::error::{Error, Result};

/// The longest key of S3, in bytes of UTF-8 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
pub const MAX_KEY_BYTES: usize = 1024;
/// The directory inside a checkpoint that holds its manifest; no file of a user's may live in one.
pub const RESERVED_DIRECTORY: &str = ".strata";
/// The end of the names of files that are being written.
pub const PARTIAL_SUFFIX: &str = ".strata-partial";

/// What the names begin with under which a measurement puts its objects.
pub(crate) const BENCH_PREFIX: &str = ".strata-bench-";

/// Checks a key: 1 to 1,024 bytes, relative, no empty, `.` or `..` component, no NUL, nothing of our own names.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the reason.
pub fn check(key: &str) -> Result<()> {
    check_shape(key)?;
    if key.split('/').any(|part| part == RESERVED_DIRECTORY || part.ends_with(PARTIAL_SUFFIX)) {
        return Err(bad(key, "has a name that strata-ckpt keeps for itself (.strata, *.strata-partial)"));
    }
    Ok(())
}

/// [`check`] without the last condition: our own manifests pass.
pub(crate) fn check_shape(key: &str) -> Result<()> {
    let reason = if key.is_empty() {
        return Err(Error::invalid("the key is empty").hint_is("name the object, for example epoch_10/model.bin"));
    } else if key.len() > MAX_KEY_BYTES {
        return Err(Error::invalid(format!("the key is {} bytes long; S3 allows {MAX_KEY_BYTES}", key.len()))
            .hint_is("choose a shorter name"));
    } else if key.starts_with('/') {
        "starts with '/'"
    } else if key.contains('\0') {
        "contains a NUL byte"
    } else if key.ends_with('/') {
        "ends with '/'"
    } else if key.split('/').any(|part| part == "..") {
        "has a '..' in it"
    } else if key.split('/').any(|part| part.is_empty() || part == ".") {
        "has an empty or '.' component"
    } else {
        return Ok(());
    };
    Err(bad(key, reason))
}

fn bad(key: &str, reason: &str) -> Error {
    Error::invalid(format!("the key '{}' {reason}", key.escape_default()))
        .hint_is("keys are relative paths such as epoch_10/model.bin")
}

/// The key that a relative path stands for by itself, cleaned of `./`; `None` where it needs a KEY
/// (absolute, with `..`, empty after cleaning, or not UTF-8).
pub fn of_path(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The last component.
pub fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// The key's directories, outermost first: `a`, `a/b` for `a/b/c`.
pub fn ancestors(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(end, _)| &key[..end])
}

/// Where the manifest of the checkpoint `name` lies.
pub fn manifest_of(name: &str) -> String {
    format!("{name}/{RESERVED_DIRECTORY}/manifest.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_key() {
        let long = "x".repeat(1025);
        for key in
            ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a/.", "a\0b", ".strata/x", "a/.m.strata-partial", &long]
        {
            assert!(check(key).is_err(), "{key:?}");
        }
        for key in ["a", "a b/c+d%2F", " ", "ü/\u{1F600}", "a\\b", "..a/b..", ".hidden", &long[..1024]] {
            assert!(check(key).is_ok(), "{key:?}");
        }
    }

    #[test]
    fn relative_paths_name_themselves() {
        assert_eq!(of_path(Path::new("./epoch_10/./model.bin")).as_deref(), Some("epoch_10/model.bin"));
        for path in ["/etc/passwd", "../a", ".", "a/../b", ""] {
            assert_eq!(of_path(Path::new(path)), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_checked_key_never_leaves_its_root(key in "[a-z./ \\\\%+\u{e9}]{1,40}") {
            if check(&key).is_ok() {
                prop_assert_eq!(of_path(Path::new(&key)), Some(key.clone()), "key and path are one to one");
            }
        }

        #[test]
        fn any_text_is_refused_or_stays_below_its_root(key in any::<String>()) {
            if check(&key).is_ok() {
                let path = Path::new("/root").join(&key);
                prop_assert!(path.starts_with("/root") && path.components().count() == 2 + key.split('/').count());
                prop_assert_eq!(of_path(Path::new(&key)), Some(key));
            }
        }
    }
}
