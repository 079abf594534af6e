//! The snippet of the user's documentation, exactly as it stands there; a test runs it.
#![allow(missing_docs)]

include!("page/snippet.rs");
