//! What is seen while it runs: the table on a terminal, lines elsewhere, objects for programs.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use storage::bench::{Operation, Settings, Step, Watcher};
use storage::event::{Event, Observer};

use super::table;
use crate::cli::context::Context;
use crate::cli::output::Output;
use crate::cli::progress::{Mode, Progress};
use crate::cli::schema::Object;
use crate::cli::units::{rate, size};

const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);
const OBJECT_EVERY: Duration = Duration::from_secs(1);

/// The watcher of a measurement.
#[derive(Debug)]
pub(super) struct Live {
    output: Arc<Output>,
    progress: Arc<Progress>,
    mode: Mode,
    started: Instant,
    bar: Option<ProgressBar>,
    now: Mutex<Now>,
    /// Warnings that were told.
    warned: Mutex<BTreeSet<String>>,
}

/// Where it is.
#[derive(Debug)]
struct Now {
    doing: String,
    since: Instant,
    bytes_done: u64,
    bytes: u64,
    /// The number of the current run, from 1.
    run: u32,
    runs: u32,
    table: Vec<String>,
}

impl Live {
    pub(super) fn new(context: &Context) -> Self {
        let mode = context.progress.mode();
        let bar = (mode == Mode::Bar).then(|| {
            let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new_spinner().with_style(style);
            context.output.show(Some(bar.clone()));
            bar
        });
        let now = Now {
            doing: "opening the store".to_owned(),
            since: Instant::now(),
            bytes_done: 0,
            bytes: 0,
            run: 0,
            runs: 0,
            table: Vec::new(),
        };
        let (output, progress) = (context.output.clone(), context.progress.clone());
        Live { output, progress, mode, started: context.started, bar, now: Mutex::new(now), warned: Mutex::default() }
    }

    /// Tells from time to time how far it is, until dropped.
    pub(super) async fn keep_telling(&self) -> Infallible {
        let every = match self.mode {
            Mode::Bar => BAR_EVERY,
            Mode::Lines => LINE_EVERY,
            Mode::Objects => OBJECT_EVERY,
            Mode::Hidden => return std::future::pending().await,
        };
        loop {
            tokio::time::sleep(every).await;
            self.tell();
        }
    }

    /// The table goes away, for the final one.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            self.output.show(None);
            bar.finish_and_clear();
        }
    }

    fn is_new(&self, warning: &str) -> bool {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        let now = self.now();
        let seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        match (self.mode, &self.bar) {
            (Mode::Objects, _) => {
                let Now { doing, run, runs, bytes_done, bytes, .. } = &*now;
                let (run, runs, bytes_done, bytes) = (*run, *runs, *bytes_done, *bytes);
                self.output.event(&Object::BenchProgress { doing, run, runs, bytes_done, bytes, seconds });
            }
            (Mode::Lines, _) => self.output.stderr(&now.line()),
            (_, Some(bar)) => {
                let text = now.table.iter().chain([&now.line()]).fold(String::new(), |text, line| text + line + "\n");
                drop(now);
                bar.set_message(text.trim_end().to_owned());
                bar.tick();
            }
            _ => {}
        }
    }

    fn begins(&self, doing: String, bytes: u64) {
        let mut now = self.now();
        (now.doing, now.since, now.bytes_done, now.bytes) = (doing, Instant::now(), 0, bytes);
        drop(now);
        if self.mode == Mode::Bar {
            self.tell();
        }
    }
}

impl Now {
    fn line(&self) -> String {
        let run = if self.runs == 0 { String::new() } else { format!("run {} of {}: ", self.run.max(1), self.runs) };
        let moved = match self.bytes {
            0 => String::new(),
            bytes => {
                let done = self.bytes_done;
                format!(", {} of {} ({})", size(done), size(bytes), rate(done, self.since.elapsed()))
            }
        };
        format!("{run}{}{moved}", self.doing)
    }
}

fn doing(operation: Operation, settings: Settings) -> String {
    format!("{operation}, parts {}, connections {}", settings.part_size_text(), settings.concurrency_text())
}

impl Watcher for Live {
    fn step(&self, step: &Step<'_>) {
        match step {
            Step::Preparing { what, bytes } => self.begins((*what).to_owned(), *bytes),
            Step::Settled { bytes, runs } => {
                self.now().runs = *runs;
                if self.mode == Mode::Lines {
                    self.output.stderr(&format!("at most {runs} runs of {}", size(*bytes)));
                }
            }
            Step::Began { operation, settings, bytes } => {
                self.now().run += 1;
                self.begins(doing(*operation, *settings), *bytes);
            }
            Step::Moved { bytes } => self.now().bytes_done += bytes,
            Step::Ran { operation, settings, bytes, seconds, cells } => {
                let (run, runs) = {
                    let mut now = self.now();
                    now.table = if self.mode == Mode::Bar { table::cells(cells) } else { Vec::new() };
                    (now.run, now.runs)
                };
                let time = Duration::from_secs_f64(seconds.max(0.0));
                match self.mode {
                    Mode::Lines => {
                        let doing = doing(*operation, *settings);
                        self.output.stderr(&format!("run {run} of {runs}: {doing}: {}", rate(*bytes, time)));
                    }
                    Mode::Objects => {
                        let (part_size, concurrency) = (settings.part_size_text(), settings.concurrency_text());
                        self.output.event(&Object::BenchRun {
                            op: *operation,
                            part_size: &part_size,
                            concurrency: &concurrency,
                            bytes: *bytes,
                            seconds: (seconds * 1e6).round() / 1e6,
                            run,
                            runs,
                        });
                    }
                    Mode::Bar => self.tell(),
                    Mode::Hidden => {}
                }
            }
            // Each run opens its store anew, which may warn anew.
            Step::Told(Event::Warning { message }) if !self.is_new(message) => {}
            Step::Told(event) => self.progress.event(event),
            _ => {}
        }
    }
}
