//! Whether the bucket keeps what is removed and replaced. It is turned on where that is asked for, and never off.

use super::super::versioning::{self, Versioning};
use super::Run;
use super::step::{State, Step, Topic};
use crate::error::Result;

const CONSEQUENCE: &str = "rm then hides: what is removed or replaced is kept, and paid for, as an old version";
const CLEANING: &str = "a lifecycle rule can delete old versions N days after they were replaced or removed";

impl Run<'_, '_> {
    /// How it is now, or would be.
    pub(super) async fn versioning(&mut self) -> Result<Versioning> {
        let topic = Topic::Versioning;
        let found = match versioning::look(self.client).await {
            Ok(found) => found,
            Err(error) if self.is_still_to_be_made(&error) => Versioning::Off,
            Err(error) => {
                self.fail(topic, "s3:GetBucketVersioning", error)?;
                return Ok(Versioning::Unknown);
            }
        };
        if self.plan.versioning && matches!(found, Versioning::Off | Versioning::Suspended) {
            return self.turn_on(found).await;
        }
        let (state, detail) = match found {
            Versioning::On => (State::Found, format!("on; {CONSEQUENCE}")),
            Versioning::Suspended => (State::Found, "suspended: old versions from before are still kept".to_owned()),
            Versioning::Off => (State::Found, "off: what is removed is gone".to_owned()),
            Versioning::Unknown if self.plan.versioning => {
                (State::CannotHold, "this server keeps no versions: what is removed or replaced is gone".to_owned())
            }
            Versioning::Unknown => (State::Found, "off: this server keeps no versions".to_owned()),
        };
        let hint = if found.keeps() { self.cleaning() } else { None };
        self.tell(Step { hint, ..Step::new(topic, state, detail) })?;
        Ok(found)
    }

    async fn turn_on(&mut self, found: Versioning) -> Result<Versioning> {
        if !self.plan.dry_run
            && let Err(error) = versioning::enable(self.client).await
        {
            self.fail(Topic::Versioning, "s3:PutBucketVersioning", error)?;
            return Ok(found);
        }
        let step = Step::new(Topic::Versioning, self.did(), format!("turned on; {CONSEQUENCE}"));
        self.tell(Step { hint: self.cleaning(), ..step })?;
        Ok(Versioning::On)
    }

    /// How to be rid of old versions, unless that is taken care of.
    fn cleaning(&self) -> Option<String> {
        self.plan.lifecycle.noncurrent_days.is_none().then(|| CLEANING.to_owned())
    }
}
