//! Our rule, brought to the server: read, merged, written, read back and compared.

use std::sync::Arc;
use std::time::Duration;

use super::super::aside::is_unknown;
use super::super::client::Client;
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
    let (mut changed, mut meanwhile, mut refusal, mut before) = (false, false, None, None);
    // What to ask for: less than what is wished where the server has refused that.
    let mut goal = wish.clone();
    let mut held = match store::read(client).await {
        Ok(held) => held,
        Err(error) if is_unknown(client, &error) => {
            let (held, refusal) = (Lifecycle::default(), Some(error));
            return Ok(Applied { held, changed, before, others: 0, meanwhile, refusal });
        }
        Err(error) => return Err((Stage::Read, error)),
    };
    for round in 0..ROUNDS {
        let ours = ours_of(&held, &id, prefix);
        if round == 0 {
            before = ours.clone().flatten();
        }
        let others = held.document.others(&id);
        let done =
            |held| Applied { held, changed, before: before.clone(), others: others.len(), meanwhile, refusal: None };
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
        let written =
            write(client, &held, &id, prefix, &goal, &mut refusal).await.map_err(|error| (Stage::Write, error))?;
        let Some(written) = written else { return Ok(Applied { refusal, ..done(Lifecycle::default()) }) };
        goal = written;
        changed = true;
        held = read_back(client, &id, prefix, &goal, &others).await.map_err(|error| (Stage::Read, error))?;
        if held.document.others(&id) == others {
            return match kept(ours_of(&held, &id, prefix), &goal, client.site().is_amazon()) {
                Some(held) => Ok(Applied { held, changed, before, others: others.len(), meanwhile, refusal }),
                None => Err((Stage::Write, taken_back(client, &held, &id).await)),
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
/// is there. Only Amazon's own S3 has to take all of it.
async fn write(
    client: &Arc<Client>,
    held: &Held,
    id: &str,
    prefix: &str,
    goal: &Lifecycle,
    refusal: &mut Option<Error>,
) -> Result<Option<Lifecycle>> {
    for attempt in goal.remainders() {
        let rule = (!attempt.is_empty()).then(|| attempt.to_xml(id, prefix, held.document.is_plain(id)));
        if rule.is_none() && held.document.ours(id).is_empty() {
            break;
        }
        match held.write(client, id, rule.as_deref()).await {
            Ok(()) => return Ok(Some(attempt)),
            Err(error) if is_unknown(client, &error) => drop(refusal.get_or_insert(error)),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
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

/// A rule that is not what was written may delete what it must not, so it goes again.
async fn taken_back(client: &Arc<Client>, held: &Held, id: &str) -> Error {
    let hint = match held.write(client, id, None).await {
        Ok(()) => "our rule was taken out again: it might have done more than it should",
        Err(_) => "look at it with the server's own tools: our rule is in there, and may do more than it should",
    };
    Error::new(ErrorKind::Other, "the server holds another lifecycle than the one that it took")
        .action("write the lifecycle of the bucket")
        .on(client.bucket.as_str())
        .at(client.site().to_string())
        .hint_is(hint)
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
}
