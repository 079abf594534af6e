//! What an earlier process left of a put: gone on with where it fits, else given up.

use std::path::Path;

use crate::config::PartSize;
use crate::event::Event;
use crate::multipart;
use crate::plan::Plan;

use super::held::{Earlier, SendOptions};
use super::kept::{Before, Kept};
use super::{SourceFile, Transfer};

impl Transfer {
    /// The upload that can go on, with its plan. What cannot is given up.
    pub(super) async fn to_go_on_with(&self, plan: Plan, key: &str, before: &Before) -> (Plan, Option<Earlier>) {
        let store = &**self.store();
        if let Some(stale) = &before.stale {
            multipart::give_up(store, key, stale).await;
        }
        let Some(earlier) = &before.upload else { return (plan, None) };
        let (runtime, limits) = (store.runtime(), store.capabilities());
        let is_as_wanted = match runtime.part_size {
            PartSize::Auto => limits.part_size.contains(&earlier.part_size),
            PartSize::Fixed(bytes) => bytes == earlier.part_size,
        };
        let as_told = earlier.settings == store.write_settings(key);
        let theirs = Plan::new(plan.size(), PartSize::Fixed(earlier.part_size), &limits);
        match theirs {
            Ok(theirs) if runtime.resume && is_as_wanted && earlier.size == plan.size() && as_told => {
                (theirs, Some(earlier.clone()))
            }
            _ => {
                if runtime.resume && !as_told {
                    let message = format!(
                        "the unfinished upload of '{key}' was begun with another encryption, storage class or metadata: \
                         it starts over"
                    );
                    self.tell(&Event::Warning { message: &message });
                }
                multipart::give_up(store, key, &earlier.upload).await;
                (plan, None)
            }
        }
    }

    /// A held upload of `source` was completed: it is not to be gone on with.
    pub(crate) async fn forget_held(&self, source: &Path, key: &str) {
        let (kept, _) = Kept::open(&**self.store(), source, key, None, false).await;
        kept.ended().await;
    }

    /// Gives up what an earlier process left of a put of `source` that needs it no more.
    pub(crate) async fn forget_upload(&self, source: &SourceFile, key: &str, options: &SendOptions<'_>) {
        let store = &**self.store();
        let (kept, before) = Kept::open(store, source.path(), key, options.log, false).await;
        let Some(earlier) = before.upload else { return };
        let mut are_gone = true;
        for upload in [earlier.upload].into_iter().chain(before.stale) {
            are_gone &= multipart::give_up(store, key, &upload).await;
        }
        if are_gone {
            kept.ended().await;
        }
    }
}
