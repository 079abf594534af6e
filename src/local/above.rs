//! The directories above a store.

use std::path::{Component, Path, PathBuf};

/// Room for what is looked for below a directory, in bytes of a key.
const ROOM: usize = 64;

/// The store's directory as the file system knows it, cut in two: a directory far above it, and the key that it has there.
/// That is the file system's root, unless the path is too long for a key or a name in it is not UTF-8.
pub(super) fn split(root: &Path) -> (PathBuf, String) {
    let real = real(root);
    let mut key = String::new();
    let mut above = real.as_path();
    while let (Some(Component::Normal(name)), Some(parent)) = (above.components().next_back(), above.parent()) {
        let Some(name) = name.to_str() else { break };
        if name.len() + key.len() > crate::key::MAX_KEY_BYTES - ROOM {
            break;
        }
        key = if key.is_empty() { name.to_owned() } else { format!("{name}/{key}") };
        above = parent;
    }
    (above.to_owned(), key)
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|existing| Some((existing, existing.canonicalize().ok()?)));
    match existing.and_then(|(existing, real)| Some((real, path.strip_prefix(existing).ok()?))) {
        Some((real, rest)) => real.components().chain(rest.components()).collect(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_path_is_above() {
        assert_eq!(split(Path::new("/nonexistent/a b/\u{e9}")), ("/".into(), "nonexistent/a b/\u{e9}".to_owned()));
        assert_eq!(split(Path::new("/")), ("/".into(), String::new()));
    }

    #[test]
    fn links_are_followed_and_long_paths_are_cut() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("real")).unwrap();
        std::os::unix::fs::symlink("real", real.join("link")).unwrap();
        let (above, key) = split(&real.join("link/new"));
        assert_eq!(above.join(key), real.join("real/new"));
        let long = Path::new("/x").join("y/".repeat(700));
        let (above, key) = split(&long);
        assert!(key.len() < 1024 && above.starts_with("/x/y") && above.join(&key) == long);
    }
}
