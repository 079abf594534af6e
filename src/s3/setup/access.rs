//! Who may get at a bucket. A new one is closed, and so is one that nobody has used or said anything about, as a setup leaves
//! it that was interrupted; of any other it is only said how it is: others may rely on it.

use super::super::bucket::{self, BLOCKS, OWNER_ENFORCED, Ownership, PublicAccess};
use super::Run;
use super::step::{State, Step, Topic};
use crate::error::Result;

const BLOCKED: &str = "blocked";
const ENFORCED: &str = "the bucket's owner owns every object; access lists are off";
/// Why a bucket that was there is closed all the same.
const UNFINISHED: &str = "the bucket is empty and nothing was set, as where a setup was interrupted";
const READ_ACCESS: &str = "s3:GetBucketPublicAccessBlock";
const READ_OWNERSHIP: &str = "s3:GetBucketOwnershipControls";

impl Run<'_, '_> {
    pub(super) async fn public_access(&mut self) -> Result<()> {
        let (client, topic) = (self.client, Topic::PublicAccess);
        let found = match bucket::public_access(client).await {
            Err(error) if self.is_still_to_be_made(&error) => PublicAccess::Unset,
            Err(error) => return self.fail(topic, READ_ACCESS, error),
            Ok(found) => found,
        };
        let open = match found {
            PublicAccess::Unknown => {
                let detail =
                    "this server has no block for it: nothing is public unless a policy makes it so".to_owned();
                return self.tell(Step::new(topic, State::CannotHold, detail));
            }
            // Amazon's S3 blocks it in every new bucket by itself.
            PublicAccess::Open(open) if open.is_empty() => {
                let state = if self.is_new { State::Done } else { State::Found };
                return self.tell(Step::new(topic, state, BLOCKED.to_owned()));
            }
            PublicAccess::Open(open) => open,
            PublicAccess::Unset => {
                self.is_unfinished = !self.is_new && bucket::is_empty(client).await?;
                BLOCKS.to_vec()
            }
        };
        if self.is_ours_to_close() {
            if !self.plan.dry_run
                && let Err(error) = bucket::block_public_access(client).await
            {
                return self.fail(topic, "s3:PutBucketPublicAccessBlock", error);
            }
            let detail = self.closed(BLOCKED);
            return self.tell(Step::new(topic, self.did(), detail));
        }
        let detail = format!("not blocked, and left so: {}", open.join(", "));
        let hint = format!(
            "to block it: aws s3api put-public-access-block --bucket {} --public-access-block-configuration \
            BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
            client.bucket
        );
        self.tell(Step { hint: Some(hint), ..Step::new(topic, State::Found, detail) })
    }

    pub(super) async fn ownership(&mut self) -> Result<()> {
        let (client, topic) = (self.client, Topic::Ownership);
        let found = match bucket::ownership(client).await {
            Err(error) if self.is_still_to_be_made(&error) => Ownership::Unset,
            Err(error) => return self.fail(topic, READ_OWNERSHIP, error),
            Ok(found) => found,
        };
        let set = match found {
            Ownership::Set(set) if set == OWNER_ENFORCED => {
                let state = if self.is_new { State::Done } else { State::Found };
                return self.tell(Step::new(topic, state, ENFORCED.to_owned()));
            }
            Ownership::Unknown => {
                let detail = "this server has no such setting".to_owned();
                return self.tell(Step::new(topic, State::CannotHold, detail));
            }
            Ownership::Unset if self.is_ours_to_close() => match self.enforce_ownership().await {
                Ok(()) => {
                    let detail = self.closed(ENFORCED);
                    return self.tell(Step::new(topic, self.did(), detail));
                }
                // Somebody has given rights in its access list, so it is no bucket that was only begun.
                Err(error) if error.code() == Some("InvalidBucketAclWithObjectOwnership") => "ObjectWriter".to_owned(),
                Err(error) => return self.fail(topic, "s3:PutBucketOwnershipControls", error),
            },
            Ownership::Set(set) => set,
            Ownership::Unset => "ObjectWriter".to_owned(),
        };
        let detail = format!("{set}, and left so: access lists count");
        let hint = format!(
            "to turn them off: aws s3api put-bucket-ownership-controls --bucket {} --ownership-controls \
            'Rules=[{{ObjectOwnership={OWNER_ENFORCED}}}]'",
            client.bucket
        );
        self.tell(Step { hint: Some(hint), ..Step::new(topic, State::Found, detail) })
    }

    async fn enforce_ownership(&self) -> Result<()> {
        match self.plan.dry_run {
            true => Ok(()),
            false => bucket::enforce_ownership(self.client).await,
        }
    }

    /// Nobody else can rely on how it is.
    fn is_ours_to_close(&self) -> bool {
        self.is_new || self.is_unfinished
    }

    fn closed(&self, how: &str) -> String {
        match self.is_unfinished {
            true => format!("{how}; {UNFINISHED}"),
            false => how.to_owned(),
        }
    }
}
