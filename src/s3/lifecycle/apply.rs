//! Our rule, brought to the server: read, merged, written, read back and compared.

use std::sync::Arc;
use std::time::Duration;

use super::super::aside::is_unknown;
use super::super::client::Client;
use super::document::Document;
use super::rule::Lifecycle;
use super::store::{self, Held};
use crate::error::{Error, ErrorKind, Result};

/// Somebody else may write at the same time; so often it is read, merged and written again.
const ROUNDS: usize = 3;
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
    /// Rules that are not ours.
    pub(crate) others: usize,
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

/// Makes our rule for `prefix` do what `wish` says, as far as the server can hold it. A lifecycle that does so already
/// is not written again.
pub(crate) async fn apply(
    client: &Arc<Client>,
    wish: &Lifecycle,
    prefix: &str,
    dry_run: bool,
) -> Result<Applied, (Stage, Error)> {
    let id = super::rule_id(prefix);
    let (mut changed, mut meanwhile, mut refusal, mut before, mut was_strange) = (false, false, None, None, false);
    // What to ask for: less than what is wished where the server has refused that.
    let mut goal = wish.clone();
    let mut held = match store::read(client).await {
        Ok(held) => held,
        Err(error) if is_unknown(client, &error) => {
            let (held, refusal) = (Lifecycle::default(), Some(error));
            return Ok(Applied { held, changed, before, was_strange, others: 0, meanwhile, refusal });
        }
        Err(error) => return Err((Stage::Read, error)),
    };
    for round in 0..ROUNDS {
        let ours = ours_of(&held, &id, prefix);
        if round == 0 {
            was_strange = ours == Some(None);
            before = ours.clone().flatten();
        }
        let others = held.document.others(&id);
        let done = |held| {
            let (before, others) = (before.clone(), others.len());
            Applied { held, changed, before, was_strange, others, meanwhile, refusal: None }
        };
        match &ours {
            Some(Some(ours)) if is_enough(client, ours, &goal) => return Ok(Applied { refusal, ..done(ours.clone()) }),
            None if goal.is_empty() => return Ok(Applied { refusal, ..done(Lifecycle::default()) }),
            _ => {}
        }
        if dry_run {
            let would = if client.learnt.is_minio() { goal.as_minio_holds_it() } else { goal };
            let is_change = match &ours {
                Some(now) => now.as_ref() != Some(&would),
                None => !would.is_empty(),
            };
            return Ok(Applied { changed: is_change, ..done(would) });
        }
        let written = write(client, &mut held, &id, prefix, &goal, &mut refusal).await?;
        let now = held.document.others(&id);
        meanwhile |= now != others;
        let others = now;
        let Some(written) = written else {
            let others = others.len();
            return Ok(Applied {
                held: Lifecycle::default(),
                changed,
                before,
                was_strange,
                others,
                meanwhile,
                refusal,
            });
        };
        goal = written;
        changed = true;
        let earlier = held.document.text_of(&id);
        held = read_back(client, &id, prefix, &goal, &others).await.map_err(|error| (Stage::Read, error))?;
        if held.document.others(&id) == others {
            let others = others.len();
            return match kept(ours_of(&held, &id, prefix), &goal, client.site().is_amazon()) {
                Some(held) => Ok(Applied { held, changed, before, was_strange, others, meanwhile, refusal }),
                None => Err((Stage::Write, taken_back(client, &held, &id, &earlier).await)),
            };
        }
        meanwhile = true;
    }
    let often = Error::new(ErrorKind::Unavailable, "others change the lifecycle of the bucket all the time")
        .on(client.bucket.as_str())
        .at(client.site().to_string())
        .hint_is("find out who does, and run the same command again when it is quiet");
    Err((Stage::Write, often))
}

/// Our rule as the server has it: none, one that does something else than ours do, or what it does.
fn ours_of(held: &Held, id: &str, prefix: &str) -> Option<Option<Lifecycle>> {
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
        tokio::select! {
            biased;
            () = client.runtime.cancel.cancelled() => return Err(Error::cancelled()),
            () = tokio::time::sleep(delay) => {}
        }
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

/// A rule that is not what was written may delete what it must not, so the `earlier` one takes its place again, or none
/// where there was none.
async fn taken_back(client: &Arc<Client>, held: &Held, id: &str, earlier: &str) -> Error {
    let is_back = !earlier.is_empty() && is_put_back(client, held, id, earlier).await;
    let hint = match is_back {
        true => "the earlier rule was put back in its place: the new one might have done more than it should",
        false => match held.write(client, id, None).await {
            Ok(()) if earlier.is_empty() => "our rule was taken out again: it might have done more than it should",
            Ok(()) => {
                "our rule was taken out, since the server did not take the earlier one back: it might have done more \
                 than it should"
            }
            Err(_) => "look at it with the server's own tools: our rule is in there, and may do more than it should",
        },
    };
    Error::new(ErrorKind::Other, "the server holds another lifecycle than the one that it took")
        .action("write the lifecycle of the bucket")
        .on(client.bucket.as_str())
        .at(client.site().to_string())
        .hint_is(hint)
}

/// Who changes one rule on its way may change the earlier one as well.
async fn is_put_back(client: &Arc<Client>, held: &Held, id: &str, earlier: &str) -> bool {
    let expected = held.document.with(id, Some(earlier));
    let expected = expected.as_deref().and_then(|text| Document::parse(text.as_bytes()));
    if held.write(client, id, Some(earlier)).await.is_err() {
        return false;
    }
    match (store::read(client).await, expected) {
        (Ok(now), Some(expected)) => now.document.is_same_for(id, &expected),
        _ => false,
    }
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
