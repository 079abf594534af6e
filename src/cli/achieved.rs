//! What a command has done for good before it ends.

use std::sync::{Arc, OnceLock};

/// Set once what the command was asked for is done and told of, whatever becomes of the work that follows it: ended early
/// from there on, it has not failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Achieved(Arc<OnceLock<String>>);

impl Achieved {
    /// Done, with what to say if the command is ended before the rest is.
    pub(crate) fn set(&self, otherwise: String) {
        let _ = self.0.set(otherwise);
    }

    /// What to say of the rest, once what was asked for is done.
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
