//! What a bucket does with objects by itself, after some days
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>).
//!
//! A bucket has one lifecycle for all who use it, and a write replaces all of it. So the rules of others are never
//! understood and written anew: they are kept as the bytes that they are, and only our own rule is made here.
//!
//! | file | what |
//! |---|---|
//! | `days` | from training epochs to days |
//! | `rule` | our rule: what it does, its bounds, its XML |
//! | `document` | the whole lifecycle as text, with our rule put in or taken out |
//! | `others` | the rules beside ours, and what they do to our objects |
//! | `store` | reading and writing it |
//! | `command` | the flags that a rule comes from |
//! | `apply` | what the server can hold, written, read back, compared, and looked at once more |
//! | `undo` | a rule that came back as something that it was not |

mod apply;
mod command;
mod days;
mod document;
mod others;
mod rule;
mod store;
mod undo;

pub(super) use apply::{Applied, Stage, apply};
pub(super) use command::to_delete_old_versions;
pub use days::{days_of, epochs_of};
pub(super) use others::{Expiration, Others, When};
pub(super) use rule::rule_id;
pub use rule::{Lifecycle, Transition};
