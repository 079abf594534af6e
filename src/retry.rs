//! When to try again: exponential backoff with full jitter, under a budget that all transfers of a process share.
//!
//! Full jitter after <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>;
//! the budget after the retry quota of AWS's SDKs: an outage must not multiply the load on the server.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::RuntimeConfig;
use crate::error::{Error, ErrorKind, Result, Retryable};
use crate::event::Event;

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// A server's Retry-After is believed up to this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Retries that a process may still spend. Each retry takes one, each success gives one back, up to the capacity.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    left: Arc<AtomicI64>,
    capacity: i64,
    refusals: Arc<AtomicU64>,
}

impl RetryBudget {
    /// A budget of `capacity` retries.
    pub fn new(capacity: u32) -> Self {
        RetryBudget {
            left: Arc::new(AtomicI64::new(capacity.into())),
            capacity: capacity.into(),
            refusals: Arc::default(),
        }
    }

    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left > 0).then(|| left - 1)).is_ok()
    }

    /// How often a store was overloaded or away: it asked for less, broke a connection or did not answer in time.
    pub(crate) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    fn give_back(&self) {
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| (left < self.capacity).then_some(left + 1));
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget::new(500)
    }
}

/// The delay before try number `tries + 1`: uniform between zero and an exponentially growing bound.
fn backoff(tries: u32) -> Duration {
    let bound = FIRST_DELAY.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_DELAY);
    bound.mul_f64(fastrand::f64())
}

/// Runs `one_try` until it succeeds, fails for good, or tries, budget or the caller's patience run out.
/// `action` is a verb phrase for the error's text.
pub(crate) async fn run<T, F, Fut>(config: &RuntimeConfig, action: &str, key: &str, mut one_try: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let mut tries = 1;
    loop {
        let outcome = tokio::select! {
            biased;
            () = config.cancel.cancelled() => Err(Error::cancelled()),
            outcome = one_try() => outcome,
        };
        let error = match outcome {
            Ok(value) => {
                config.retry_budget.give_back();
                return Ok(value);
            }
            Err(error) => error.action(action).on(key),
        };
        let after = match error.retry() {
            Retryable::Yes { after } => after,
            Retryable::Later => return Err(gave_up(error).after_tries(tries)),
            Retryable::No => return Err(error.after_tries(tries)),
        };
        if error.kind() == ErrorKind::Unavailable {
            config.retry_budget.refusals.fetch_add(1, Ordering::Relaxed);
        }
        if tries > config.retries || !config.retry_budget.take() {
            return Err(gave_up(error).after_tries(tries));
        }
        let delay = backoff(tries).max(after.unwrap_or_default().min(LONGEST_RETRY_AFTER));
        config.observer.event(&Event::Retrying { action, key, tries, delay, error: &error });
        tokio::select! {
            biased;
            () = config.cancel.cancelled() => return Err(Error::cancelled().action(action).on(key).after_tries(tries)),
            () = tokio::time::sleep(delay) => {}
        }
        tries += 1;
    }
}

fn gave_up(error: Error) -> Error {
    let error = match error.kind() {
        ErrorKind::Other => error.kind_is(ErrorKind::Unavailable),
        _ => error,
    };
    match error.hint() {
        None if error.kind() == ErrorKind::Unavailable => {
            error.hint_is("the store may be overloaded or restarting: run the same command again later")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn flaky() -> Error {
        Error::new(ErrorKind::Unavailable, "SlowDown").retryable(None)
    }

    #[tokio::test(start_paused = true)]
    async fn stops_after_the_tries_and_says_how_many() {
        let config = RuntimeConfig { retries: 3, ..RuntimeConfig::default() };
        let calls = Cell::new(0);
        let error = run::<(), _, _>(&config, "put", "k", || async {
            calls.set(calls.get() + 1);
            Err(flaky())
        })
        .await
        .unwrap_err();
        assert_eq!((calls.get(), error.tries()), (4, 4));
        assert_eq!(error.to_string(), "cannot put 'k': SlowDown (gave up after 4 tries)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_stops_retries_and_success_refills_it() {
        let config = RuntimeConfig { retries: 100, retry_budget: RetryBudget::new(2), ..RuntimeConfig::default() };
        let calls = Cell::new(0);
        let fail = || async {
            calls.set(calls.get() + 1);
            Err::<(), _>(flaky())
        };
        run(&config, "put", "k", fail).await.unwrap_err();
        assert_eq!(calls.get(), 3);
        run(&config, "put", "k", || async { Ok(()) }).await.unwrap();
        run(&config, "put", "k", fail).await.unwrap_err();
        assert_eq!(calls.get(), 5, "one retry was given back");
    }

    #[tokio::test(start_paused = true)]
    async fn final_errors_are_not_repeated() {
        let calls = Cell::new(0);
        let config = RuntimeConfig::default();
        let error = run::<(), _, _>(&config, "get", "k", || async {
            calls.set(calls.get() + 1);
            Err(Error::new(ErrorKind::Denied, "AccessDenied"))
        })
        .await
        .unwrap_err();
        assert_eq!((calls.get(), error.kind()), (1, ErrorKind::Denied));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_as_long_as_the_server_asks() {
        let config = RuntimeConfig { retries: 1, ..RuntimeConfig::default() };
        let start = tokio::time::Instant::now();
        let _ = run::<(), _, _>(&config, "get", "k", || async {
            Err(Error::new(ErrorKind::Unavailable, "SlowDown").retryable(Some(Duration::from_secs(30))))
        })
        .await;
        assert!(start.elapsed() >= Duration::from_secs(30));
    }

    #[test]
    fn delays_are_bounded() {
        for tries in 1..80 {
            assert!(backoff(tries) <= LONGEST_DELAY);
        }
    }
}
