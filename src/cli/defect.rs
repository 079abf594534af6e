//! A panic is a defect of this program: it is told as every other failure, by the place of the code. Its own words are for
//! programmers, and may show what is a secret.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook};
use std::sync::OnceLock;

use super::exit::Failure;

/// Where the first one was.
static PLACE: OnceLock<String> = OnceLock::new();

/// From here on panics say nothing by themselves.
pub(crate) fn watch() {
    set_hook(Box::new(|panic| note(panic.location())));
}

fn note(place: Option<&Location<'_>>) {
    let place = place.map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
    let _ = PLACE.set(place);
}

/// What `work` comes to; a failure where it ended in a panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let message = "strata-ckpt failed by a defect of its own".to_owned();
        Failure { code: 1, kind: "other", message, hint: hint() }
    })
}

/// What to do about a defect that has shown itself, in this thread or another.
pub(crate) fn hint() -> Option<String> {
    let place = PLACE.get()?;
    Some(format!("please report it: the command, `strata-ckpt --version` and this place in the code: {place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_is_told_by_its_place_alone() {
        note(Some(Location::caller()));
        let failure = guarded(|| -> () { panic!("hunter2") }).unwrap_err();
        assert_eq!(failure.code, 1);
        assert!(failure.hint.unwrap().contains("src/cli/defect.rs:"));
        assert!(!failure.message.contains("hunter2"));
        assert_eq!(guarded(|| 7).unwrap(), 7);
    }
}
