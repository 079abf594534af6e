//! Lanes: threads that move bytes. Each drives connections of its own, so that a byte is received, summed and written,
//! or read, summed and sent, by one thread, without waking another. They may wait for a disk, which holds up only the
//! requests on them: everything else, such as signals, deadlines and claims, runs on the caller's threads.

use std::cell::Cell;
use std::future::Future;
use std::sync::atomic::{AtomicIsize, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

use crate::body;
use crate::error::{Error, ErrorKind, Result};

/// One lane moves about a gibibyte a second; more of them than this outrun any network card.
const MOST: usize = 16;
/// How many tasks a lane runs before it looks at its sockets again: a piece is a lot of work.
const TASKS_BETWEEN_LOOKS: u32 = 8;

struct Lane {
    runtime: Handle,
    /// Requests on it.
    busy: AtomicUsize,
}

thread_local! {
    /// The number of the lane that this thread is, from 1; zero elsewhere.
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of the lane that the calling thread is, from 1 to [`count`]; zero elsewhere.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

/// How many lanes there are: one a processor, up to sixteen.
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from).min(MOST))
}

/// Runs `work` on the lane with the fewest requests. When the caller drops this, the work is dropped there soon after.
/// Where threads cannot be started, it runs on the caller's.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let idlest = lanes().iter().min_by_key(|lane| lane.busy.load(Ordering::Relaxed)).filter(|_| number() == 0);
    let Some(lane) = idlest else { return work.await };
    lane.busy.fetch_add(1, Ordering::Relaxed);
    let state = Arc::new(AtomicU8::new(RUNNING));
    let ends = Ends(state.clone());
    let work = async move {
        let _ends = ends;
        work.await
    };
    let mut running = Running { task: lane.runtime.spawn(work), lane, state };
    match (&mut running.task).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::new(ErrorKind::Other, "a worker thread stopped unexpectedly").caused_by(error)),
    }
}

/// Runs `work`, which may wait for a disk: here on a lane, elsewhere where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match number() {
        0 => body::blocking(work).await,
        _ => work(),
    }
}

/// Returns when the work that was dropped has ended on its lanes, so that what it held can be had again; at the latest
/// after a while, since a lane may wait for a disk.
pub(crate) async fn settled() {
    let since = Instant::now();
    while ABANDONED.load(Ordering::Acquire) > 0 && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How long [`settled`] waits: less than an interrupted command has to clean up.
const PATIENCE: Duration = Duration::from_millis(500);
/// Work that nobody waits for any more and that has not ended.
static ABANDONED: AtomicIsize = AtomicIsize::new(0);
const RUNNING: u8 = 0;
const LEFT: u8 = 1;
const ENDED: u8 = 2;

/// Work on a lane, ended when dropped.
struct Running<T> {
    task: JoinHandle<Result<T>>,
    lane: &'static Lane,
    state: Arc<AtomicU8>,
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        ABANDONED.fetch_add(1, Ordering::AcqRel);
        if self.state.compare_exchange(RUNNING, LEFT, Ordering::AcqRel, Ordering::Acquire).is_err() {
            ABANDONED.fetch_sub(1, Ordering::AcqRel);
        }
        self.task.abort();
        self.lane.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Dropped with the work itself, on its lane.
struct Ends(Arc<AtomicU8>);

impl Drop for Ends {
    fn drop(&mut self) {
        if self.0.swap(ENDED, Ordering::AcqRel) == LEFT {
            ABANDONED.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Started when first needed, and there until the process ends.
fn lanes() -> &'static [Lane] {
    static LANES: OnceLock<Vec<Lane>> = OnceLock::new();
    LANES.get_or_init(|| (1..=count()).filter_map(start).collect())
}

fn start(number: usize) -> Option<Lane> {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let drive = move || {
        let runtime = Builder::new_current_thread().enable_all().event_interval(TASKS_BETWEEN_LOOKS).build();
        let Ok(runtime) = runtime else { return };
        NUMBER.set(number);
        if tell.send(runtime.handle().clone()).is_ok() {
            runtime.block_on(std::future::pending::<()>());
        }
    };
    std::thread::Builder::new().name(format!("lane-{number}")).spawn(drive).ok()?;
    Some(Lane { runtime: told.recv().ok()?, busy: AtomicUsize::new(0) })
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn work_runs_on_lanes_and_its_own_work_stays_there() {
        assert_eq!(number(), 0);
        let nested = async {
            let outer = number();
            Ok((outer, run(async { Ok(number()) }).await?))
        };
        let (outer, inner) = run(nested).await.unwrap();
        assert!((1..=count()).contains(&outer));
        assert_eq!(outer, inner);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        struct Tells(Arc<Notify>);
        impl Drop for Tells {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell_begun, tells) = (begun.clone(), Tells(ended.clone()));
        let work = run(async move {
            tell_begun.notify_one();
            let _tells = tells;
            std::future::pending::<Result<()>>().await
        });
        tokio::select! {
            _ = work => unreachable!("it never ends by itself"),
            () = begun.notified() => {}
        }
        ended.notified().await;
        // The work of other tests counts as well, and whoever waits for it waits no longer than is good for a command.
        while ABANDONED.load(Ordering::Acquire) > 0 {
            settled().await;
        }
    }
}
