//! Programs that the tests run.

use std::env;
use std::path::PathBuf;

/// The program that `variable` names, the one on PATH, or the one that `scripts/test.sh` keeps at `in_cache`.
///
/// # Panics
/// Where there is none: a test that needs it must not pass without it.
pub fn find(variable: &str, name: &str, in_cache: &str) -> PathBuf {
    let value = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = value(variable) {
        return path.into();
    }
    let caches = value("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(value("HOME")?).join(".cache")))
        .map(|caches| caches.join("strata-ckpt").join(in_cache));
    env::split_paths(&value("PATH").unwrap_or_default())
        .map(|directory| directory.join(name))
        .chain(caches)
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test needs {name}, which is not here: run ./scripts/test.sh, it brings it"))
}
