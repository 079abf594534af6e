//! Our rule, brought to the server: read, merged, written, read back and compared.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::super::aside::is_unknown;
use super::super::client::Client;
use super::document::Document;
use super::others::Others;
use super::rule::Lifecycle;
use super::store::{self, Held};
use super::undo::taken_back;
use crate::error::{Error, ErrorKind, Result};

/// Somebody else may write at the same time; so often it is written at the most, merged with what is there.
const ROUNDS: usize = 5;
/// How long after a write it is looked once more whether our rule is still there, in milliseconds. Several that run at the same
/// time do not do so at the same moment again.
const SECOND_LOOK: Range<u64> = 500..1000;
/// Amazon's S3 may answer with the former lifecycle for a moment. How long it is asked again, at the least.
const PATIENCE: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What became of it.
#[derive(Debug)]
pub(crate) struct Applied {
    /// What the server holds of ours now; under a dry run, what it would.
    pub(crate) held: Lifecycle,
    /// It was, or would be, written.
    pub(crate) changed: bool,
    /// What our rule did before; `None` where there was none, or one that does something else.
    pub(crate) before: Option<Lifecycle>,
    /// There was a rule of our name that did something else than ours do.
    pub(crate) was_strange: bool,
    /// The rules beside ours.
    pub(crate) others: Others,
    /// Somebody else changed theirs at the same time.
    pub(crate) meanwhile: bool,
    /// The server's words for what it does not take.
    pub(crate) refusal: Option<Error>,
}

/// Where it failed, and so which right it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Read,
    Write,
}

impl Applied {
    /// What it would come to in a bucket that is not there yet.
    pub(crate) fn to_none(client: &Client, wish: &Lifecycle) -> Self {
        let held = if client.learnt.is_minio() { wish.as_minio_holds_it() } else { wish.clone() };
        let changed = !held.is_empty();
        Applied {
            held,
            changed,
            before: None,
            was_strange: false,
            others: Others::default(),
            meanwhile: false,
            refusal: None,
        }
    }
}

/// Makes our rule for `prefix` do what `wish` says, as far as the server can hold it. A lifecycle that does so already
/// is not written again; one that was written is looked at once more after a while.
pub(crate) async fn apply(
    client: &Arc<Client>,
    wish: &Lifecycle,
    prefix: &str,
    dry_run: bool,
) -> Result<Applied, (Stage, Error)> {
    let id = super::rule_id(prefix);
    let (mut changed, mut meanwhile, mut refusal) = (false, false, None);
    // What to ask for: less than what is wished where the server has refused that.
    let mut goal = wish.clone();
    // What this server was seen to make of it, and whether that was too short ago to be sure that it stays.
    let (mut made, mut is_fresh) = (None, false);
    let mut held = match store::read(client).await {
        Ok(held) => held,
        Err(error) if is_unknown(client, &error) => {
            let nothing = Applied { held: Lifecycle::default(), changed: false, ..Applied::to_none(client, wish) };
            return Ok(Applied { refusal: Some(error), ..nothing });
        }
        Err(error) => return Err((Stage::Read, error)),
    };
    let first = ours_of(&held, &id, prefix);
    let (was_strange, before) = (first == Some(None), first.flatten());
    let mut writes = 0;
    loop {
        let ours = ours_of(&held, &id, prefix);
        let is_made = |now: &Lifecycle| made.as_ref() == Some(now);
        let settled = match &ours {
            Some(Some(ours)) if is_enough(client, ours, &goal) || is_made(ours) => Some(ours.clone()),
            None if goal.is_empty() || is_made(&Lifecycle::default()) => Some(Lifecycle::default()),
            _ => None,
        };
        if settled.is_some() && is_fresh {
            // Who had read the lifecycle before our write may write it back over ours only now.
            pause(client, Duration::from_millis(fastrand::u64(SECOND_LOOK)))
                .await
                .map_err(|error| (Stage::Read, error))?;
            held = store::read(client).await.map_err(|error| (Stage::Read, error))?;
            is_fresh = false;
            continue;
        }
        meanwhile |= changed && settled.is_none();
        let done = |now: Lifecycle, document: &Document| {
            let (before, others) = (before.clone(), Others::of(document, &id, prefix));
            Applied { held: now, changed, before, was_strange, others, meanwhile, refusal: None }
        };
        if let Some(now) = settled {
            return Ok(Applied { refusal, ..done(now, &held.document) });
        }
        if dry_run {
            let would = if client.learnt.is_minio() { goal.as_minio_holds_it() } else { goal };
            let is_change = match &ours {
                Some(now) => now.as_ref() != Some(&would),
                None => !would.is_empty(),
            };
            return Ok(Applied { changed: is_change, ..done(would, &held.document) });
        }
        if writes == ROUNDS {
            return Err((Stage::Write, too_often(client)));
        }
        writes += 1;
        let others = held.document.others(&id);
        let written = write(client, &mut held, &id, prefix, &goal, &mut refusal).await?;
        let now = held.document.others(&id);
        meanwhile |= now != others;
        let others = now;
        let Some(written) = written else {
            let (held, others) = (Lifecycle::default(), Others::of(&held.document, &id, prefix));
            return Ok(Applied { held, changed, before, was_strange, others, meanwhile, refusal });
        };
        goal = written;
        changed = true;
        let earlier = held.document.text_of(&id);
        held = read_back(client, &id, prefix, &goal, &others).await.map_err(|error| (Stage::Read, error))?;
        is_fresh = true;
        if held.document.others(&id) == others {
            made = kept(ours_of(&held, &id, prefix), &goal, client.site().is_amazon());
            if made.is_none() {
                return Err((Stage::Write, taken_back(client, &held, &id, &earlier).await));
            }
        } else {
            meanwhile = true;
        }
    }
}

fn too_often(client: &Client) -> Error {
    Error::new(ErrorKind::Unavailable, "others change the lifecycle of the bucket all the time")
        .on(client.bucket.as_str())
        .at(client.site().to_string())
        .hint_is("find out who does, and run the same command again when it is quiet")
}

/// Waits, unless the caller's token fires.
async fn pause(client: &Client, time: Duration) -> Result<()> {
    tokio::select! {
        biased;
        () = client.runtime.cancel.cancelled() => Err(Error::cancelled()),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

/// Our rule as the server has it: none, one that does something else than ours do, or what it does.
pub(super) fn ours_of(held: &Held, id: &str, prefix: &str) -> Option<Option<Lifecycle>> {
    match held.document.ours(id).as_slice() {
        [] => None,
        [one] => Some(Lifecycle::of(&one.element, prefix)),
        _ => Some(None),
    }
}

/// Whether there is nothing to write: all is there, or all that this server is known to hold.
fn is_enough(client: &Client, ours: &Lifecycle, goal: &Lifecycle) -> bool {
    ours == goal || (client.learnt.is_minio() && *ours == goal.as_minio_holds_it())
}

/// Writes as much of `goal` as the server takes, and says what that is; `None` where that is nothing and nothing of ours
/// is there. Only Amazon's own S3 has to take all of it. `held` is what was there just before.
async fn write(
    client: &Arc<Client>,
    held: &mut Held,
    id: &str,
    prefix: &str,
    goal: &Lifecycle,
    refusal: &mut Option<Error>,
) -> Result<Option<Lifecycle>, (Stage, Error)> {
    // What this server can hold of it, as far as that is known beforehand.
    let wanted = if client.learnt.is_minio() { goal.as_minio_holds_it() } else { goal.clone() };
    for (number, attempt) in goal.remainders().into_iter().enumerate() {
        if number > 0 {
            // It took a while to be refused, and what others wrote meanwhile must not be lost.
            *held = store::read(client).await.map_err(|error| (Stage::Read, error))?;
        }
        let ours = ours_of(held, id, prefix);
        if attempt.is_empty() && ours.is_none() {
            break;
        }
        if number > 0 && loses(ours.as_ref(), &wanted, &attempt) {
            let stays = "the earlier rule stays as it was";
            let refused = || Error::new(ErrorKind::Other, "the server refuses the new rule").hint_is(stays);
            // Not an error of the settings as a whole: the other steps go on.
            let error = refusal.take().map_or_else(refused, |error| error.kind_is(ErrorKind::Other).hint_is(stays));
            return Err((Stage::Write, error));
        }
        let rule = (!attempt.is_empty()).then(|| attempt.to_xml(id, prefix, held.document.is_plain(id)));
        match held.write(client, id, rule.as_deref()).await {
            Ok(()) => return Ok(Some(attempt)),
            Err(error) if is_unknown(client, &error) => drop(refusal.get_or_insert(error)),
            Err(error) => return Err((Stage::Write, error)),
        }
    }
    Ok(None)
}

/// Whether with `attempt` in its place something of `ours` would end that is `wanted`, if with other days: a server that
/// holds it is not one that cannot. A rule of our name that does something else is never just removed for want of a better.
fn loses(ours: Option<&Option<Lifecycle>>, wanted: &Lifecycle, attempt: &Lifecycle) -> bool {
    match ours {
        None => false,
        Some(None) => attempt.is_empty() && !wanted.is_empty(),
        Some(Some(ours)) => {
            let things = |lifecycle: &Lifecycle| {
                [
                    lifecycle.abort_days.is_some(),
                    lifecycle.transition.is_some(),
                    lifecycle.expire_days.is_some(),
                    lifecycle.noncurrent_days.is_some(),
                ]
            };
            let all = things(ours).into_iter().zip(things(wanted)).zip(things(attempt));
            all.into_iter().any(|((ours, wanted), attempt)| ours && wanted && !attempt)
        }
    }
}

/// What the server holds after the write.
async fn read_back(client: &Arc<Client>, id: &str, prefix: &str, goal: &Lifecycle, others: &[String]) -> Result<Held> {
    let mut held = store::read(client).await?;
    if !client.site().is_amazon() {
        return Ok(held);
    }
    for delay in PATIENCE {
        let is_there = match ours_of(&held, id, prefix) {
            None => goal.is_empty(),
            Some(ours) => ours.as_ref() == Some(goal),
        };
        if is_there && held.document.others(id) == others {
            break;
        }
        pause(client, delay).await?;
        held = store::read(client).await?;
    }
    Ok(held)
}

/// What of `goal` is kept, where `ours` is read back after it was written. Servers may leave out what they cannot hold, and
/// nothing else; Amazon's own leaves nothing out.
fn kept(ours: Option<Option<Lifecycle>>, goal: &Lifecycle, amazon: bool) -> Option<Lifecycle> {
    // A rule that does nothing at all is none.
    let kept = ours.unwrap_or_else(|| Some(Lifecycle::default()))?;
    (kept == *goal || (!amazon && goal.remainders().contains(&kept))).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::super::rule::Transition;
    use super::*;

    #[test]
    fn only_what_was_asked_for_may_be_kept_and_amazon_keeps_all_of_it() {
        let goal = Lifecycle {
            abort_days: Some(7),
            transition: Some(Transition { days: 30, class: "STANDARD_IA".to_owned() }),
            expire_days: Some(90),
            noncurrent_days: None,
        };
        let less = Lifecycle { abort_days: None, ..goal.clone() };
        let sooner = Lifecycle { expire_days: Some(9), ..goal.clone() };
        let more = Lifecycle { noncurrent_days: Some(1), ..goal.clone() };
        let nothing = Lifecycle::default();
        for (ours, amazon, others) in [
            (Some(Some(&goal)), Some(&goal), Some(&goal)),
            (Some(Some(&less)), None, Some(&less)),
            (None, None, Some(&nothing)),
            (Some(Some(&sooner)), None, None),
            (Some(Some(&more)), None, None),
            (Some(None), None, None),
        ] {
            let ours = || ours.map(|ours| ours.cloned());
            assert_eq!(kept(ours(), &goal, true).as_ref(), amazon, "{ours:?}", ours = ours());
            assert_eq!(kept(ours(), &goal, false).as_ref(), others, "{ours:?}", ours = ours());
        }
        assert_eq!(kept(None, &nothing, true), Some(nothing));
    }

    #[test]
    fn what_a_server_holds_and_is_wished_is_not_given_up_for_less() {
        let of = |abort_days, expire_days| Lifecycle { abort_days, expire_days, ..Lifecycle::default() };
        let nothing = Lifecycle::default();
        for (ours, wanted, attempt, expected) in [
            (None, of(Some(7), None), nothing.clone(), false),
            (Some(Some(of(None, Some(90)))), of(Some(7), Some(3)), nothing.clone(), true),
            (Some(Some(of(None, Some(90)))), of(Some(7), Some(3)), of(Some(7), None), true),
            (Some(Some(of(None, Some(90)))), of(Some(7), Some(3)), of(None, Some(3)), false),
            // It is not wished any more.
            (Some(Some(of(None, Some(90)))), of(Some(7), None), nothing.clone(), false),
            (Some(None), of(Some(7), None), nothing.clone(), true),
            (Some(None), of(Some(7), Some(3)), of(None, Some(3)), false),
            // As MinIO holds an abort.
            (Some(None), nothing.clone(), nothing.clone(), false),
        ] {
            assert_eq!(loses(ours.as_ref(), &wanted, &attempt), expected, "{ours:?} {wanted:?} {attempt:?}");
        }
    }
}
