//! Who may get at a bucket. A new one is closed; of one that is there it is only said how it is: others may rely on it.

use super::super::bucket::{self, OWNER_ENFORCED, Ownership};
use super::Run;
use super::step::{State, Step, Topic};
use crate::error::Result;

const BLOCKED: &str = "blocked";
const ENFORCED: &str = "the bucket's owner owns every object; access lists are off";

impl Run<'_, '_> {
    pub(super) async fn public_access(&mut self) -> Result<()> {
        let (client, topic) = (self.client, Topic::PublicAccess);
        if self.is_new && self.plan.dry_run {
            return self.tell(Step::new(topic, State::WouldDo, BLOCKED.to_owned()));
        }
        let open = match bucket::public_access(client).await {
            Ok(Some(open)) => open,
            Ok(None) => {
                let detail =
                    "this server has no block for it: nothing is public unless a policy makes it so".to_owned();
                return self.tell(Step::new(topic, State::CannotHold, detail));
            }
            Err(error) => return self.fail(topic, "s3:GetBucketPublicAccessBlock", error),
        };
        if open.is_empty() {
            return self.tell(Step::new(topic, State::Found, BLOCKED.to_owned()));
        }
        if self.is_new {
            return match bucket::block_public_access(client).await {
                Ok(()) => self.tell(Step::new(topic, State::Done, BLOCKED.to_owned())),
                Err(error) => self.fail(topic, "s3:PutBucketPublicAccessBlock", error),
            };
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
        if self.is_new && self.plan.dry_run {
            return self.tell(Step::new(topic, State::WouldDo, ENFORCED.to_owned()));
        }
        let found = match bucket::ownership(client).await {
            Ok(found) => found,
            Err(error) => return self.fail(topic, "s3:GetBucketOwnershipControls", error),
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
}
