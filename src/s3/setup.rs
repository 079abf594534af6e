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
mod place;
mod rules;
mod step;
mod versions;

pub use self::step::{State, Step, Topic};
pub use super::lifecycle::{Lifecycle, Transition, days_of, epochs_of};
pub use super::policy::iam_policy;

use std::sync::Arc;

use super::S3Storage;
use super::bucket;
use super::client::Client;
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
    let mut run = Run { client, plan, told, steps: Vec::new(), is_new: false, is_unfinished: false };
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
    /// It was there, empty, and nothing was ever said about who may get at it.
    is_unfinished: bool,
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
            return self.tell(Step::denied(topic, &[right]));
        }
        match error.kind() {
            ErrorKind::Other | ErrorKind::NotFound => self.tell(Step::failed(topic, &error)),
            _ => Err(error),
        }
    }

    /// Whether a refusal says no more than that the bucket is still to be made. Servers that do not know what is asked say so
    /// of such a bucket as well, and that is another answer.
    fn is_still_to_be_made(&self, error: &Error) -> bool {
        let is_of_it = error.code() == Some("NoSuchBucket") || bucket::lacks_right(error);
        self.is_new && self.plan.dry_run && is_of_it
    }

    /// Done now, or what would be done.
    fn did(&self) -> State {
        if self.plan.dry_run { State::WouldDo } else { State::Done }
    }
}
