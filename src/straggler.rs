//! A part or range far slower than the others sits on a bad connection: it is given up there and goes over another.
//!
//! Judged only against parts that finished since its turn came, and only while few are slow: where the network as a whole is
//! slow, nothing is given up. Dropping a request closes its connection, so the next try has another one.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::event::{Event, HighWater, Observer};

/// A try younger than this is never given up.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many parts must have finished before any can be slow.
const ENOUGH: usize = 3;
/// So many times slower than the median of the others is slow.
const SLOWER: f64 = 10.0;
/// Not more than one in so many, finished ones included, may be slow; otherwise it is the network.
const ONE_IN: usize = 4;
/// How often a part is given up.
const AT_MOST: u32 = 2;
/// Finished parts that are remembered.
const REMEMBERED: usize = 64;

/// How far a try has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) time: Duration,
    pub(crate) bytes: u64,
}

impl Pace {
    /// In bytes a second.
    fn rate(self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-6)
    }
}

/// Whether a part at `own` pace lags behind: `finished` are the rates of those that finished since it began, `flying`
/// the paces of all that are on their way, its own among them.
fn lags(own: Pace, finished: &mut [f64], flying: &[Pace]) -> bool {
    if finished.len() < ENOUGH {
        return false;
    }
    finished.sort_unstable_by(f64::total_cmp);
    let limit = finished[finished.len() / 2] / SLOWER;
    let is_slow = |pace: Pace| pace.time >= PATIENCE && pace.rate() < limit;
    let slow = flying.iter().filter(|pace| is_slow(**pace)).count();
    is_slow(own) && slow * ONE_IN <= finished.len() + flying.len()
}

/// Tells that `action` on `key` lags and begins again.
pub(crate) fn tell(observer: &dyn Observer, action: &str, key: &str, endpoint: String) {
    let error = Error::new(ErrorKind::Unavailable, "its connection is far slower than the others");
    let error = error.action(action).on(key).at(endpoint);
    observer.event(&Event::Retrying { action, key, tries: 1, delay: Duration::ZERO, error: &error });
}

/// Parts or ranges on their way at the same time.
#[derive(Debug, Default)]
pub(crate) struct Race(Mutex<Field>);

#[derive(Debug, Default)]
struct Field {
    flying: HashMap<u64, Arc<HighWater>>,
    finished: VecDeque<(Instant, f64)>,
    entered: u64,
}

impl Race {
    /// Runs `work`, which moves the range of `mark`, whose turn came at `since`. Where it lags behind the others it is
    /// dropped, `told` of it, and begun again, at most twice.
    pub(crate) async fn run<T, E, F>(
        &self,
        mark: &Arc<HighWater>,
        since: Instant,
        told: impl Fn(),
        mut work: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let entry = self.enter(mark, since);
        for _ in 0..AT_MOST {
            tokio::select! {
                biased;
                outcome = work() => return entry.ended(outcome),
                () = entry.lagging() => told(),
            }
            mark.rests();
        }
        entry.ended(work().await)
    }

    fn enter<'a>(&'a self, mark: &'a Arc<HighWater>, since: Instant) -> Entry<'a> {
        let mut field = self.field();
        field.entered += 1;
        let id = field.entered;
        field.flying.insert(id, mark.clone());
        Entry { race: self, mark, id, since }
    }

    fn field(&self) -> MutexGuard<'_, Field> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the field, until dropped.
struct Entry<'a> {
    race: &'a Race,
    mark: &'a Arc<HighWater>,
    id: u64,
    since: Instant,
}

impl Entry<'_> {
    /// Returns when it lags.
    async fn lagging(&self) {
        tokio::time::sleep(PATIENCE).await;
        while !self.lags() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn lags(&self) -> bool {
        let Some(own) = self.mark.pace() else { return false };
        let field = self.race.field();
        let recent = field.finished.iter().filter(|(when, _)| *when >= self.since);
        let mut finished: Vec<f64> = recent.map(|(_, rate)| *rate).collect();
        let flying: Vec<Pace> = field.flying.values().filter_map(|mark| mark.pace()).collect();
        drop(field);
        lags(own, &mut finished, &flying)
    }

    fn ended<T, E>(&self, outcome: Result<T, E>) -> Result<T, E> {
        if let (Ok(_), Some(pace)) = (&outcome, self.mark.pace()) {
            let mut field = self.race.field();
            if field.finished.len() == REMEMBERED {
                field.finished.pop_front();
            }
            field.finished.push_back((Instant::now(), pace.rate()));
        }
        outcome
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.race.field().flying.remove(&self.id);
        self.mark.rests();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::event::Silent;

    const FAST: f64 = 100e6;

    fn pace(seconds: u64, rate: f64) -> Pace {
        Pace { time: Duration::from_secs(seconds), bytes: (rate * seconds as f64) as u64 }
    }

    #[test]
    fn one_that_is_ten_times_slower_lags() {
        let slow = pace(3, FAST / 11.0);
        for (own, finished, expected) in [
            (slow, 3, true),
            (slow, 2, false),
            (pace(3, FAST / 9.0), 3, false),
            (pace(1, 0.0), 3, false),
            (pace(2, 0.0), 3, true),
        ] {
            assert_eq!(lags(own, &mut vec![FAST; finished], &[own]), expected, "{own:?} {finished}");
        }
        assert!(!lags(slow, &mut [FAST / 50.0, FAST / 50.0, FAST], &[slow]), "the median counts");
    }

    #[test]
    fn where_everything_is_slow_nothing_lags() {
        let slow = pace(3, FAST / 100.0);
        assert!(!lags(slow, &mut [FAST; 16], &[slow; 16]));
        assert!(lags(slow, &mut [FAST; 16], &[&[slow; 2][..], &[pace(1, FAST); 14]].concat()));
        assert!(!lags(slow, &mut [FAST; 3], &[slow; 2]), "two of five are not a few");
    }

    /// A part that never moves more than its first bytes while it hangs; how often it was begun.
    async fn begun(hangs: u32, others: usize) -> (u32, Duration) {
        let race = Race::default();
        let (tries, start) = (Cell::new(0), Instant::now());
        let mark = HighWater::new(Arc::new(Silent));
        let slow = race.run(
            &mark,
            start,
            || (),
            || async {
                tries.set(tries.get() + 1);
                mark.begins(0);
                mark.reached(1000);
                if tries.get() <= hangs {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                }
                Ok::<_, ()>(())
            },
        );
        let fast = async {
            for _ in 0..others {
                let mark = HighWater::new(Arc::new(Silent));
                let work = || async {
                    mark.begins(0);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    mark.reached(1 << 20);
                    Ok::<_, ()>(())
                };
                race.run(&mark, Instant::now(), || (), work).await.unwrap();
            }
        };
        let (outcome, ()) = futures::future::join(slow, fast).await;
        outcome.unwrap();
        assert!(race.field().flying.is_empty());
        (tries.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lagging_part_is_begun_again_at_most_twice() {
        assert_eq!(begun(1, 3).await, (2, PATIENCE));
        assert_eq!(begun(2, 3).await, (3, PATIENCE * 2));
        let (tries, time) = begun(9, 3).await;
        assert_eq!(tries, 3);
        assert!(time >= Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn one_without_others_to_compare_with_is_left_alone() {
        let (tries, time) = begun(1, 2).await;
        assert_eq!(tries, 1);
        assert!(time >= Duration::from_secs(3600));
    }
}
