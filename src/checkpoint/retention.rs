//! Which checkpoints may go: pure, from names, times of commit and the rules.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

use super::number::numbers_of;

/// What is kept of the complete checkpoints of a run; the rest may go.
///
/// Checkpoints under one parent are one run, however they are named. Within a run they are in order of the numbers in the
/// last component of their names (`epoch_9` < `epoch_10`), then of their times. The rules are joined: what one of them
/// keeps is kept, so that a rule more never takes more away. The newest of a run by number and the newest by time are
/// kept whatever the rules say, and without a rule everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Keeps so many with the highest numbers. Names without a number are kept as well: which of them is the better one, and
    /// whether `best` is older than `epoch_7`, is not guessed.
    pub keep_last: Option<NonZeroU64>,
    /// Keeps those whose first number is a multiple of this (`epoch_10_step_5000` with 10), and names without a number.
    pub keep_every: Option<NonZeroU64>,
    /// Keeps those that were committed within this time before now, and those of which the store does not say when. The time
    /// is that of the manifest in the store, and now is by the clock of this machine.
    pub older_than: Option<Duration>,
}

/// A complete checkpoint, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complete<'a> {
    pub(super) name: &'a str,
    /// When it was committed.
    pub(super) at: Option<SystemTime>,
}

/// A checkpoint that may go, and those of its run that stay whatever the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MayGo<'a> {
    pub(super) name: &'a str,
    /// The newest by number and the newest by time, which may be one.
    pub(super) newest: Vec<&'a str>,
}

impl Retention {
    /// Whether there is no rule, so that everything is kept.
    pub fn is_empty(&self) -> bool {
        *self == Retention::default()
    }

    /// What may go, run by run in order of their names, in each the oldest first.
    pub(super) fn may_go<'a>(&self, complete: &[Complete<'a>], now: SystemTime) -> Vec<MayGo<'a>> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut runs: BTreeMap<&str, Vec<Ranked<'a>>> = BTreeMap::new();
        for &Complete { name, at } in complete {
            runs.entry(run_of(name)).or_default().push(Ranked { numbers: numbers_of(name), at, name });
        }
        runs.into_values().flat_map(|run| self.may_go_of(run, now)).collect()
    }

    fn may_go_of<'a>(&self, mut run: Vec<Ranked<'a>>, now: SystemTime) -> Vec<MayGo<'a>> {
        run.sort_unstable();
        let latest = run.iter().max_by_key(|one| (one.at, *one));
        let mut newest: Vec<&str> = run.last().into_iter().chain(latest).map(|one| one.name).collect();
        newest.dedup();
        let stays = |place: usize, one: &Ranked<'_>| {
            newest.contains(&one.name)
                || self.keeps_by_number(run.len() - place, &one.numbers)
                || self.keeps_by_age(one.at, now)
        };
        let gone = run.iter().enumerate().filter(|(place, one)| !stays(*place, one));
        gone.map(|(_, one)| MayGo { name: one.name, newest: newest.clone() }).collect()
    }

    /// `from_end` is 1 for the highest number. Names without one are in order before all others, so they take nobody's place.
    fn keeps_by_number(&self, from_end: usize, numbers: &[u128]) -> bool {
        let Some(first) = numbers.first() else { return self.keep_last.is_some() || self.keep_every.is_some() };
        self.keep_last.is_some_and(|last| u64::try_from(from_end).is_ok_and(|place| place <= last.get()))
            || self.keep_every.is_some_and(|every| first.is_multiple_of(u128::from(every.get())))
    }

    fn keeps_by_age(&self, at: Option<SystemTime>, now: SystemTime) -> bool {
        let Some(limit) = self.older_than else { return false };
        // What is of the future, by another machine's clock, is young.
        let is_older = at.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age > limit));
        !is_older
    }
}

/// In order of numbers, then time; a name ends what is the same otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked<'a> {
    numbers: Vec<u128>,
    at: Option<SystemTime>,
    name: &'a str,
}

/// The run that a checkpoint belongs to: the directory that its own is in, empty at the root of the store.
pub(super) fn run_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1000 * DAY)
    }

    fn rules(keep_last: u64, keep_every: u64, older_than_days: u64) -> Retention {
        Retention {
            keep_last: NonZeroU64::new(keep_last),
            keep_every: NonZeroU64::new(keep_every),
            older_than: Some(Duration::from_secs(older_than_days * DAY)).filter(|time| !time.is_zero()),
        }
    }

    /// What goes of checkpoints of so many days ago.
    fn gone<'a>(rules: Retention, all: &[(&'a str, u64)]) -> Vec<&'a str> {
        let all: Vec<Complete<'_>> = all
            .iter()
            .map(|&(name, days)| Complete { name, at: Some(now() - Duration::from_secs(days * DAY)) })
            .collect();
        rules.may_go(&all, now()).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn the_highest_numbers_stay_and_the_oldest_go_first() {
        let run = [("epoch_10", 1), ("epoch_2", 3), ("epoch_9", 2), ("epoch_1", 4)];
        assert_eq!(gone(rules(2, 0, 0), &run), ["epoch_1", "epoch_2"]);
        assert_eq!(gone(rules(9, 0, 0), &run), [""; 0]);
        assert_eq!(gone(Retention::default(), &run), [""; 0], "without a rule nothing goes");
    }

    #[test]
    fn each_parent_is_a_run() {
        let runs =
            [("b/epoch_1", 1), ("b/epoch_2", 1), ("a/epoch_8", 1), ("a/epoch_9", 1), ("epoch_5", 1), ("a/x/1", 1)];
        assert_eq!(gone(rules(1, 0, 0), &runs), ["a/epoch_8", "b/epoch_1"]);
    }

    #[test]
    fn rules_are_joined() {
        let run = [("e_10", 9), ("e_11", 8), ("e_12", 7), ("e_20", 6), ("e_21", 5), ("e_22", 4)];
        assert_eq!(gone(rules(1, 10, 0), &run), ["e_11", "e_12", "e_21"]);
        assert_eq!(gone(rules(1, 10, 7), &run), ["e_11"], "exactly seven days is not older than seven days");
        assert_eq!(gone(rules(0, 0, 5), &run), ["e_10", "e_11", "e_12", "e_20"]);
    }

    #[test]
    fn the_newest_by_number_and_by_time_never_go() {
        let run = [("epoch_9", 30), ("epoch_2", 10), ("epoch_3", 20)];
        assert_eq!(gone(rules(0, 0, 1), &run), ["epoch_3"]);
        assert_eq!(gone(rules(1, 0, 0), &run), ["epoch_3"]);
    }

    #[test]
    fn names_without_a_number_go_by_age_alone() {
        let run = [("final", 50), ("best", 40), ("epoch_1", 30), ("epoch_2", 20)];
        assert_eq!(gone(rules(1, 0, 0), &run), ["epoch_1"]);
        assert_eq!(gone(rules(0, 7, 0), &run), ["epoch_1"]);
        assert_eq!(gone(rules(0, 0, 25), &run), ["final", "best", "epoch_1"]);
    }

    #[test]
    fn the_first_number_is_the_one_that_is_counted_by() {
        let run = [("epoch_3_step_10", 4), ("epoch_10_step_7", 3), ("epoch_0", 5), ("epoch_11", 1)];
        assert_eq!(gone(rules(0, 10, 0), &run), ["epoch_3_step_10"]);
    }

    #[test]
    fn what_has_no_time_or_one_to_come_is_young() {
        let at = [None, Some(now() + Duration::from_secs(DAY)), Some(now() - Duration::from_secs(9 * DAY))];
        let all: Vec<Complete<'_>> =
            ["e_1", "e_2", "e_0"].into_iter().zip(at).map(|(name, at)| Complete { name, at }).collect();
        let gone = rules(0, 0, 1).may_go(&all, now());
        assert_eq!(gone, [MayGo { name: "e_0", newest: vec!["e_2"] }]);
    }

    prop_compose! {
        fn checkpoints()(
            all in proptest::collection::btree_map("[ab]/(epoch_|step_|best|v[0-3]_)[0-9]{0,3}", proptest::option::of(0u64..40), 0..24)
        ) -> Vec<(String, Option<SystemTime>)> {
            all.into_iter().map(|(name, days)| (name, days.map(|days| now() - Duration::from_secs(days * DAY)))).collect()
        }
    }

    fn complete(all: &[(String, Option<SystemTime>)]) -> Vec<Complete<'_>> {
        all.iter().map(|(name, at)| Complete { name, at: *at }).collect()
    }

    fn names<'a>(rules: Retention, all: &[Complete<'a>]) -> BTreeSet<&'a str> {
        rules.may_go(all, now()).into_iter().map(|one| one.name).collect()
    }

    proptest! {
        #[test]
        fn the_newest_stay_and_so_does_what_any_rule_keeps(all in checkpoints(), last in 0u64..6, every in 0u64..6, days in 0u64..30) {
            let all = complete(&all);
            let rules = rules(last, every, days);
            let gone = names(rules, &all);
            for run in ["a", "b"] {
                let of_run = || all.iter().filter(|one| run_of(one.name) == run);
                if let Some(highest) = of_run().map(|one| numbers_of(one.name)).max() {
                    prop_assert!(of_run().any(|one| numbers_of(one.name) == highest && !gone.contains(one.name)));
                    let latest = of_run().map(|one| one.at).max().flatten();
                    prop_assert!(of_run().any(|one| one.at == latest && !gone.contains(one.name)));
                }
                let numbered = of_run().filter(|one| !numbers_of(one.name).is_empty()).count() as u64;
                let kept = of_run().filter(|one| !numbers_of(one.name).is_empty() && !gone.contains(one.name)).count() as u64;
                prop_assert!(kept >= last.min(numbered));
            }
            for one in all.iter().filter(|one| gone.contains(one.name)) {
                let numbers = numbers_of(one.name);
                prop_assert!(every == 0 || !numbers[0].is_multiple_of(u128::from(every)));
                prop_assert!(last == 0 || !numbers.is_empty());
                prop_assert!(days == 0 || one.at.is_some_and(|at| now().duration_since(at).unwrap() > Duration::from_secs(days * DAY)));
                let newer = all.iter().filter(|other| run_of(other.name) == run_of(one.name) && numbers_of(other.name) >= numbers);
                prop_assert!(newer.count() as u64 > last);
            }
        }

        #[test]
        fn a_rule_more_takes_nothing_more(all in checkpoints(), last in 0u64..6, every in 0u64..6, days in 0u64..30) {
            let all = complete(&all);
            let joined = names(rules(last, every, days), &all);
            for fewer in [rules(0, every, days), rules(last, 0, days), rules(last, every, 0)] {
                prop_assert!(fewer.is_empty() || joined.is_subset(&names(fewer, &all)), "{fewer:?}");
            }
        }

        #[test]
        fn nothing_more_goes_the_second_time(all in checkpoints(), last in 0u64..6, every in 0u64..6, days in 0u64..30) {
            let rules = rules(last, every, days);
            let mut all = complete(&all);
            let gone = names(rules, &all);
            all.retain(|one| !gone.contains(one.name));
            prop_assert_eq!(names(rules, &all), BTreeSet::new());
        }

        #[test]
        fn the_order_of_the_listing_decides_nothing(all in checkpoints(), last in 1u64..6) {
            let mut all = complete(&all);
            let gone = rules(last, 0, 0).may_go(&all, now());
            all.reverse();
            prop_assert_eq!(rules(last, 0, 0).may_go(&all, now()), gone);
        }
    }
}
