//! Preparing a bucket: it is made where it is missing, its lifecycle is brought to what is wished, and what else matters
//! is looked at. Each step says what was found and done; the same again finds everything there.
//!
//! ```no_run
//! # async fn example(storage: &storage::S3Storage) -> storage::Result<()> {
//! use storage::s3::setup::{self, Lifecycle, Plan};
//!
//! let lifecycle = Lifecycle { abort_days: Some(7), ..Lifecycle::default() };
//! let plan = Plan { lifecycle, versioning: false, dry_run: false };
//! let outcome = setup::run(storage, &plan, &mut |_step| Ok(())).await?;
//! assert!(outcome.is_there);
//! # Ok(())
//! # }
//! ```

mod access;
mod rules;
mod step;

pub use self::step::{State, Step, Topic};
pub use super::lifecycle::{Lifecycle, Transition, days_of, epochs_of};
pub use super::policy::iam_policy;

use std::sync::Arc;

use super::S3Storage;
use super::bucket::{self, Look, Made};
use super::client::Client;
use super::versioning::{self, Versioning};
use crate::error::{Error, ErrorKind, Result};

/// What a bucket should be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What happens by itself to what is under the prefix of the storage.
    pub lifecycle: Lifecycle,
    /// Turn versioning on. It is never turned off.
    pub versioning: bool,
    /// Only look, and say what would be done.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every step, as it was told.
    pub steps: Vec<Step>,
    /// The bucket is there, as far as can be seen.
    pub is_there: bool,
    /// The region that it was found or made in.
    pub region: String,
}

/// Told of each step when it is done; its error ends everything.
pub type Told<'a> = dyn FnMut(&Step) -> Result<()> + Send + 'a;

/// Prepares the bucket of `storage` as `plan` says. What a missing right keeps from being done is told as
/// [`State::Denied`], and the other steps are tried all the same.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a lifecycle that S3 would not take; [`ErrorKind::Exists`] where the bucket's name is taken by
/// somebody else; wrong credentials, and a server that cannot be reached.
pub async fn run(storage: &S3Storage, plan: &Plan, told: &mut Told<'_>) -> Result<Outcome> {
    let client = &storage.client;
    plan.lifecycle.check(client.site().is_amazon())?;
    let mut run = Run { client, plan, told, steps: Vec::new(), is_new: false };
    let is_there = run.bucket().await?;
    if is_there || plan.dry_run {
        run.public_access().await?;
        run.ownership().await?;
        let versioning = run.versioning().await?;
        run.lifecycle(versioning).await?;
    }
    let steps = run.steps;
    Ok(Outcome { steps, is_there, region: client.site().region.clone() })
}

struct Run<'a, 'b> {
    client: &'a Arc<Client>,
    plan: &'a Plan,
    told: &'a mut Told<'b>,
    steps: Vec<Step>,
    /// The bucket was made by this run, or would have been.
    is_new: bool,
}

impl Run<'_, '_> {
    fn tell(&mut self, step: Step) -> Result<()> {
        (self.told)(&step)?;
        self.steps.push(step);
        Ok(())
    }

    /// A step that failed: a right that is missing, or the server's own refusal. Anything else is no matter of one step.
    fn fail(&mut self, topic: Topic, right: &'static str, error: Error) -> Result<()> {
        if bucket::lacks_right(&error) {
            return self.tell(Step::denied(topic, right));
        }
        match error.kind() {
            ErrorKind::Other | ErrorKind::NotFound => self.tell(Step::failed(topic, &error)),
            _ => Err(error),
        }
    }

    /// Done now, or what would be done.
    fn did(&self) -> State {
        if self.plan.dry_run { State::WouldDo } else { State::Done }
    }

    async fn bucket(&mut self) -> Result<bool> {
        let client = self.client;
        match bucket::look(client).await {
            Ok(Look::There { region }) => {
                let used = client.site().region.clone();
                let detail = match &region {
                    Some(region) if *region != used => format!("in {region}; AWS_REGION says {used}"),
                    _ => format!("in {used}"),
                };
                let hint = region.filter(|region| *region != used).map(|region| format!("set AWS_REGION={region}"));
                self.tell(Step { hint, ..Step::new(Topic::Bucket, State::Found, detail) })?;
                return Ok(true);
            }
            Ok(Look::Missing) => self.is_new = true,
            Err(error) if bucket::lacks_right(&error) => {
                let detail =
                    "it exists, but access is denied: it belongs to somebody else, or s3:ListBucket is missing";
                self.tell(Step { detail: detail.to_owned(), ..Step::denied(Topic::Bucket, "s3:ListBucket") })?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
        let region = client.site().region.clone();
        if self.plan.dry_run {
            self.tell(Step::new(Topic::Bucket, State::WouldDo, format!("created in {region}")))?;
            return Ok(false);
        }
        match bucket::create(client).await {
            Ok(Made::AsAsked) => self.tell(Step::new(Topic::Bucket, State::Done, format!("created in {region}")))?,
            Ok(Made::Plain) => {
                let detail = "created where the server puts it: it takes no region, or no ownership".to_owned();
                self.tell(Step::new(Topic::Bucket, State::Done, detail))?;
            }
            Err(error) if bucket::lacks_right(&error) => {
                let step = Step::denied(Topic::Bucket, "s3:CreateBucket and s3:PutBucketOwnershipControls");
                let detail = format!("it does not exist, and to create it takes {}", step.right.unwrap_or_default());
                self.tell(Step { detail, ..step })?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    async fn versioning(&mut self) -> Result<Versioning> {
        let (client, topic) = (self.client, Topic::Versioning);
        let found = match (self.is_new && self.plan.dry_run, versioning::look(client)) {
            (true, _) => Versioning::Off,
            (false, looking) => match looking.await {
                Ok(found) => found,
                Err(error) => {
                    self.fail(topic, "s3:GetBucketVersioning", error)?;
                    return Ok(Versioning::Unknown);
                }
            },
        };
        let consequence = "rm then hides: what is removed or replaced is kept, and paid for, as an old version";
        let cleaning = match self.plan.lifecycle.noncurrent_days {
            Some(_) => None,
            None => {
                Some("--noncurrent-days N deletes old versions N days after they were replaced or removed".to_owned())
            }
        };
        match (found, self.plan.versioning) {
            (Versioning::Unknown, true) => {
                let detail = "this server keeps no versions: what is removed or replaced is gone".to_owned();
                self.tell(Step::new(topic, State::CannotHold, detail))?;
            }
            (Versioning::Unknown, false) => {
                self.tell(Step::new(topic, State::Found, "off: this server keeps no versions".to_owned()))?;
            }
            (Versioning::On, _) => {
                self.tell(Step { hint: cleaning, ..Step::new(topic, State::Found, format!("on; {consequence}")) })?;
            }
            (_, true) => {
                if !self.plan.dry_run
                    && let Err(error) = versioning::enable(client).await
                {
                    self.fail(topic, "s3:PutBucketVersioning", error)?;
                    return Ok(found);
                }
                self.tell(Step {
                    hint: cleaning,
                    ..Step::new(topic, self.did(), format!("turned on; {consequence}"))
                })?;
                return Ok(Versioning::On);
            }
            (Versioning::Suspended, false) => {
                let detail = "suspended: old versions from before are still kept".to_owned();
                self.tell(Step { hint: cleaning, ..Step::new(topic, State::Found, detail) })?;
            }
            (Versioning::Off, false) => {
                self.tell(Step::new(topic, State::Found, "off: what is removed is gone".to_owned()))?;
            }
        }
        Ok(found)
    }
}
