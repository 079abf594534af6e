//! The bucket itself: where it is, or that it is made.

use super::super::bucket::{self, Look, Made};
use super::Run;
use super::step::{State, Step, Topic};
use crate::error::Result;

/// What the creation takes; the second because a new bucket is given its ownership with it.
const TO_CREATE: [&str; 2] = ["s3:CreateBucket", "s3:PutBucketOwnershipControls"];

impl Run<'_, '_> {
    /// Whether the bucket is there now.
    pub(super) async fn bucket(&mut self) -> Result<bool> {
        match bucket::look(self.client).await {
            Ok(Look::There { region }) => {
                let step = self.found(region);
                self.tell(step)?;
                Ok(true)
            }
            Ok(Look::Missing) => {
                self.is_new = true;
                self.create().await
            }
            Err(error) if bucket::lacks_right(&error) => {
                let right = "s3:ListBucket";
                // Amazon's S3 says of every bucket that does not exist that it does not; MinIO only to who may know.
                let why = match self.client.site().is_amazon() {
                    true => {
                        format!("it exists, but access is denied: it belongs to somebody else, or {right} is missing")
                    }
                    false => format!(
                        "access is denied: {right} is missing, it belongs to somebody else, or it does not exist"
                    ),
                };
                let detail = self.named(&why);
                self.tell(Step { detail, ..Step::denied(Topic::Bucket, &[right]) })?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// `region` is what the server says; it may answer for a bucket that is elsewhere.
    fn found(&self, region: Option<String>) -> Step {
        let used = &self.client.site().region;
        let step = |detail: String| Step::new(Topic::Bucket, State::Found, self.named(&detail));
        match region {
            Some(region) if region != *used => {
                let hint = Some(format!("set AWS_REGION={region}"));
                Step { hint, ..step(format!("in {region}; AWS_REGION says {used}")) }
            }
            _ => step(format!("in {used}")),
        }
    }

    async fn create(&mut self) -> Result<bool> {
        let region = self.client.site().region.clone();
        let created = self.named(&format!("created in {region}"));
        if self.plan.dry_run {
            self.tell(Step::new(Topic::Bucket, State::WouldDo, created))?;
            return Ok(false);
        }
        let detail = match bucket::create(self.client).await {
            Ok(Made::AsAsked) => created,
            Ok(Made::Plain) => self.named("created where the server puts it: it takes no region, or no ownership"),
            Err(error) if bucket::lacks_right(&error) => {
                let detail =
                    self.named(&format!("it does not exist, and to create it takes {}", TO_CREATE.join(" and ")));
                self.tell(Step { detail, ..Step::denied(Topic::Bucket, &TO_CREATE) })?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.tell(Step::new(Topic::Bucket, State::Done, detail))?;
        Ok(true)
    }

    fn named(&self, what: &str) -> String {
        format!("{}: {what}", self.client.bucket)
    }
}
