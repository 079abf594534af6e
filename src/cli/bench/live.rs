//! What is seen while it runs: the table on a terminal, lines elsewhere, objects for programs.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use storage::bench::{Cell, Operation, PREFIX, Settings, Step, Watcher};
use storage::event::{Event, Observer};

use super::{table, terminal};
use crate::cli::context::Context;
use crate::cli::output::Output;
use crate::cli::progress::{Mode, Progress};
use crate::cli::schema::Object;
use crate::cli::units::{rate, size};

/// Of a terminal that does not tell: columns and lines.
const COMMON_SIZE: (usize, usize) = (80, 24);
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
    /// As far as they were measured, on a terminal.
    cells: Vec<Cell>,
    /// The one that ran last.
    newest: usize,
    /// Bytes that were put, all of them together.
    stored: u64,
    keeps_versions: bool,
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
            cells: Vec::new(),
            newest: 0,
            stored: 0,
            keeps_versions: false,
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
        let now = self.now();
        if now.keeps_versions && now.stored > 0 {
            self.output.warning(&format!(
                "{} that were put for this stay in the bucket as old versions under {PREFIX}..., until a lifecycle rule \
                 removes them (see --noncurrent-days of strata-ckpt setup)",
                size(now.stored)
            ));
        }
    }

    /// Said before the runs begin: it is known from the first put.
    fn keeps_versions(&self) {
        if !std::mem::replace(&mut self.now().keeps_versions, true) {
            self.output.warning(
                "the bucket keeps old versions: each run stays there, hidden and paid for, although it is removed",
            );
        }
    }

    /// Of each name that it puts anew the same warning is one.
    fn is_new(&self, warning: &str) -> bool {
        let warning = warning.replace(|c: char| c.is_ascii_digit(), "");
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(warning)
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
                let text = now.text(terminal::size(&io::stderr()).unwrap_or(COMMON_SIZE));
                drop(now);
                bar.set_message(text);
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
    /// What a terminal of this size shows: where it is, then the table. The cursor stands at the right edge of the last line,
    /// so the terminal's `^C` begins another one, and what is cleared then is one line too few at the top: an empty one.
    fn text(&self, (width, height): (usize, usize)) -> String {
        let line: String = self.line().chars().take(width).collect();
        let mut lines = vec![String::new(), line];
        if !self.cells.is_empty() && height > 5 {
            lines.extend(table::live(&self.cells, self.newest, (width, height - 3)));
        }
        lines.join("\n")
    }

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
    format!("{operation}, parts {}, -j {}", settings.part_size_text(), settings.concurrency_text())
}

/// Where the cell is.
fn place(cells: &[Cell], operation: Operation, settings: Settings) -> usize {
    cells.iter().position(|cell| (cell.op, cell.settings) == (operation, settings)).unwrap_or(0)
}

impl Watcher for Live {
    fn step(&self, step: &Step<'_>) {
        match step {
            Step::Preparing { what, bytes } => self.begins((*what).to_owned(), *bytes),
            Step::Settled { bytes, runs, time } => {
                self.now().runs = *runs;
                let runs = if *runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
                let time = Duration::from_secs(time.as_secs_f64().round().max(1.0) as u64);
                self.output.note(&format!("{runs} of {}: about {}", size(*bytes), humantime::format_duration(time)));
            }
            Step::Began { operation, settings, bytes } => {
                self.now().run += 1;
                self.begins(doing(*operation, *settings), *bytes);
            }
            Step::Moved { bytes } => self.now().bytes_done += bytes,
            Step::Ran { operation, settings, bytes, seconds, cells } => {
                let (run, runs) = {
                    let mut now = self.now();
                    if self.mode == Mode::Bar {
                        now.newest = place(cells, *operation, *settings);
                        now.cells = cells.to_vec();
                    }
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
            Step::Stored { bytes } => self.now().stored += bytes,
            Step::Told(Event::VersionsKept) => self.keeps_versions(),
            // Each run opens its store anew, which may warn anew.
            Step::Told(Event::Warning { message }) if !self.is_new(message) => {}
            Step::Told(event) => self.progress.event(event),
            _ => {}
        }
    }
}
