//! What the bucket does by itself, one line for each thing.

use super::super::lifecycle::{Applied, Expiration, Lifecycle, Others, Stage, Transition, When, apply};
use super::super::versioning::Versioning;
use super::Run;
use super::step::{State, Step, Topic};
use crate::error::Result;

impl Run<'_, '_> {
    pub(super) async fn lifecycle(&mut self, versioning: Versioning) -> Result<()> {
        let (client, plan) = (self.client, self.plan);
        let prefix = client.scope();
        let applied = match apply(client, &plan.lifecycle, &prefix, plan.dry_run).await {
            Ok(applied) => applied,
            Err((Stage::Read, error)) if self.is_still_to_be_made(&error) => Applied::to_none(client, &plan.lifecycle),
            Err((stage, error)) => {
                let right = match stage {
                    Stage::Read => "s3:GetLifecycleConfiguration",
                    Stage::Write => "s3:PutLifecycleConfiguration",
                };
                return self.fail(Topic::Lifecycle, right, error);
            }
        };
        let told = Lines { run: self, applied: &applied, scope: &prefix, versioning };
        for step in told.all() {
            self.tell(step)?;
        }
        Ok(())
    }
}

/// What is to be said of a lifecycle.
struct Lines<'a, 'b, 'c> {
    run: &'a Run<'b, 'c>,
    applied: &'a Applied,
    scope: &'a str,
    versioning: Versioning,
}

impl Lines<'_, '_, '_> {
    fn all(&self) -> Vec<Step> {
        let steps = [self.abort(), self.transition(), self.expiration(), self.old_versions(), self.others()];
        let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
        if self.applied.was_strange && self.applied.changed {
            self.tell_what_was_strange(&mut steps);
        }
        steps
    }

    /// What somebody disabled or changed by hand is not lost without a word.
    fn tell_what_was_strange(&self, steps: &mut Vec<Step>) {
        let did = self.run.did();
        let before = Some("a rule of this name that did something else".to_owned());
        match steps.iter_mut().find(|step| step.state == did && step.before.is_none()) {
            Some(step) => step.before = before,
            None => {
                let detail = "our rule is taken away".to_owned();
                steps.insert(0, Step { before, ..Step::new(Topic::Lifecycle, did, detail) });
            }
        }
    }

    /// One thing that a rule does; `None` where it is neither wished nor was there. `of` takes it from a lifecycle,
    /// `words` say what it means, `without` what it means that the server cannot hold it.
    fn line<T: PartialEq>(
        &self,
        topic: Topic,
        of: impl Fn(&Lifecycle) -> Option<T>,
        words: impl Fn(&T) -> String,
        without: impl Fn(&T) -> String,
    ) -> Option<Step> {
        let wish = of(&self.run.plan.lifecycle);
        let before = self.applied.before.as_ref().and_then(&of);
        match (wish, before) {
            (None, None) => None,
            (None, Some(before)) => {
                let before = Some(words(&before));
                Some(Step { before, ..Step::new(topic, self.run.did(), "no more".to_owned()) })
            }
            (Some(wish), before) => {
                let held = of(&self.applied.held);
                Some(match held {
                    Some(held) if held == wish && (!self.applied.changed || before.as_ref() == Some(&wish)) => {
                        Step::new(topic, State::Found, words(&wish))
                    }
                    Some(held) if held == wish => {
                        let before = before.as_ref().map(&words);
                        Step { before, ..Step::new(topic, self.run.did(), words(&wish)) }
                    }
                    _ => Step { hint: self.refusal(), ..Step::new(topic, State::CannotHold, without(&wish)) },
                })
            }
        }
    }

    /// The server's own words. What MinIO refuses is known, and its words are of no help.
    fn refusal(&self) -> Option<String> {
        let error = self.applied.refusal.as_ref().filter(|_| !self.run.client.learnt.is_minio())?;
        Some(error.to_string())
    }

    /// `unfinished uploads under runs/a/`.
    fn scoped(&self, what: &str) -> String {
        match self.scope {
            "" => what.to_owned(),
            scope => format!("{what} under {scope}"),
        }
    }

    fn abort(&self) -> Option<Step> {
        let words = |days: &u32| format!("{} are aborted after {}", self.scoped("unfinished uploads"), in_days(*days));
        let without = |_: &u32| match self.run.client.learnt.is_minio() {
            true => {
                "MinIO has no such rule: it aborts every upload after a day by itself, so an interrupted put has a \
                day to go on"
                    .to_owned()
            }
            false => "this server has no such rule: uploads of interrupted puts stay until the same put goes on, or \
                `strata-ckpt rm --partial` removes them"
                .to_owned(),
        };
        self.line(Topic::Abort, |lifecycle| lifecycle.abort_days, words, without)
    }

    fn transition(&self) -> Option<Step> {
        let words = |Transition { days, class }: &Transition| {
            format!("{} of 128 KiB or more move to {class} after {}", self.scoped("objects"), in_days(*days))
        };
        let without = |Transition { class, .. }: &Transition| {
            format!("this server has no {class}: old checkpoints stay where they are, at the same cost")
        };
        let step = self.line(Topic::Transition, |lifecycle| lifecycle.transition.clone(), words, without)?;
        let paid = self.applied.held.days_paid_in_vain().map(|days| {
            format!("what is moved is paid for at least {days} days, also where it is deleted earlier: delete later, or do not move")
        });
        Some(Step { hint: step.hint.or(paid), ..step })
    }

    fn expiration(&self) -> Option<Step> {
        let hides = self.versioning.keeps();
        let verb = if hides { "hidden" } else { "deleted" };
        let words = |days: &u32| format!("{} are {verb} after {}", self.scoped("objects"), in_days(*days));
        let without = |_: &u32| "this server does not delete by age: old checkpoints stay".to_owned();
        let step = self.line(Topic::Expiration, |lifecycle| lifecycle.expire_days, words, without)?;
        let Some(days) = self.applied.held.expire_days else { return Some(step) };
        let mut hint = format!(
            "it takes the newest checkpoint as well when training pauses for {}; `strata-ckpt rm --keep-last N` counts \
            checkpoints and keeps the newest",
            in_days(days)
        );
        if hides && self.run.plan.lifecycle.noncurrent_days.is_none() {
            hint += "; with versioning the bytes stay, and are paid for, until --noncurrent-days N deletes them";
        }
        Some(Step { hint: Some(hint), ..step })
    }

    fn old_versions(&self) -> Option<Step> {
        let keeps = if self.versioning.keeps() { "" } else { "; there are none without versioning" };
        let words = |days: &u32| {
            let what = self.scoped("old versions");
            format!("{what} are deleted {} after they were replaced or removed{keeps}", in_days(*days))
        };
        let without = |_: &u32| "this server does not delete old versions by itself: they stay".to_owned();
        self.line(Topic::OldVersions, |lifecycle| lifecycle.noncurrent_days, words, without)
    }

    fn others(&self) -> Option<Step> {
        let Others { foreign, siblings, expirations } = &self.applied.others;
        let rules = |count: &usize, whose: &str| match count {
            0 => None,
            1 => Some(format!("1 rule {whose}")),
            count => Some(format!("{count} rules {whose}")),
        };
        let parts = [rules(foreign, "of others"), rules(siblings, "of strata-ckpt for other prefixes")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            return None;
        }
        let kept = if foreign + siblings == 1 { "is kept as it is" } else { "are kept as they are" };
        let meanwhile = match self.applied.meanwhile {
            true => "; the lifecycle was changed at the same time: have a look at it",
            false => "",
        };
        let detail = format!("{} {kept}{meanwhile}", parts.join(" and "));
        let told: Vec<String> = expirations.iter().map(|one| self.of_ours(one)).collect();
        let hint = (!told.is_empty()).then(|| told.join("; "));
        Some(Step { hint, ..Step::new(Topic::OtherRules, State::Found, detail) })
    }

    /// What a rule that is not ours does to objects of ours.
    fn of_ours(&self, Expiration { id, scope, when, by_size }: &Expiration) -> String {
        let verb = if self.versioning.keeps() { "hides" } else { "deletes" };
        let some =
            if *by_size { ", by their size: checkpoints may be among them" } else { ": checkpoints are among them" };
        let place = if scope.is_empty() { String::new() } else { format!(" under {scope}") };
        let when = match when {
            When::After(days) => format!("after {}", in_days(*days)),
            When::From(date) => format!("from {date} on"),
        };
        let rule = if id.is_empty() { "a rule without an id".to_owned() } else { format!("the rule '{id}'") };
        format!("{rule} {verb} objects{place} {when}{some}")
    }
}

fn in_days(days: u32) -> String {
    match days {
        1 => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}
