//! What only the local store promises: its files, its attributes, its links and its errors.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod attributes;
mod bed;
mod errors;
mod leftovers;
mod links;
mod listing;
mod partials;
