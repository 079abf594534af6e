//! Events of the library become a bar, lines, or JSON objects on stderr.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use storage::event::{Event, Observer};

use super::args::Common;
use super::output::Output;
use super::quote::visible;
use super::schema::{Object, Tally};
use super::units::{about, rate, size};

const BAR: &str = "{wide_bar} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left  {msg}";
/// Bytes that are removed have no rate that says anything.
const REMOVAL: &str = "{wide_bar} {binary_bytes} of {binary_total_bytes}  {msg}";
const LINE_EVERY: Duration = Duration::from_secs(10);
const OBJECT_EVERY: Duration = Duration::from_secs(1);

/// Whether the terminal knows nothing but lines, or says nothing of what it knows; the bar would not be drawn.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Bar,
    Lines,
    Objects,
    Hidden,
}

/// The observer of a command.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Arc<Output>,
    mode: Mode,
    verbose: bool,
    started: Instant,
    warned: Mutex<Option<Instant>>,
    /// Warnings that were told: each store that is opened has its own.
    told: Mutex<BTreeSet<String>>,
    bar: OnceLock<ProgressBar>,
    files: Count,
    bytes: Count,
    /// Bytes that were there already; they are done without having moved.
    skipped: AtomicU64,
    resumed: AtomicU64,
    again: AtomicU64,
    /// Objects of a listing that came.
    listed: AtomicU64,
    versions_kept: AtomicBool,
    finished: AtomicBool,
}

#[derive(Debug, Default)]
struct Count {
    planned: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// `stdout_is_data`: the content itself goes to stdout, so that no bar may be drawn where that is a terminal too.
    pub(crate) fn new(output: Arc<Output>, common: &Common, stdout_is_data: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !(stdout_is_data && std::io::stdout().is_terminal());
        let mode = match () {
            () if common.quiet || common.no_progress => Mode::Hidden,
            () if common.json => Mode::Objects,
            // It can neither go back nor overwrite.
            () if terminal && is_dumb() => Mode::Lines,
            () if terminal => Mode::Bar,
            () if std::io::stderr().is_terminal() => Mode::Hidden,
            () => Mode::Lines,
        };
        Progress {
            output,
            mode,
            verbose: common.verbose,
            started: Instant::now(),
            warned: Mutex::new(None),
            told: Mutex::default(),
            bar: OnceLock::new(),
            files: Count::default(),
            bytes: Count::default(),
            skipped: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            again: AtomicU64::new(0),
            listed: AtomicU64::new(0),
            versions_kept: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        }
    }

    fn is_new(&self, warning: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
    }

    /// How progress is shown.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Tells from time to time how far it is, until dropped.
    pub(crate) async fn keep_telling(&self) {
        let every = match self.mode {
            Mode::Lines => LINE_EVERY,
            Mode::Objects => OBJECT_EVERY,
            Mode::Bar | Mode::Hidden => return,
        };
        loop {
            tokio::time::sleep(every).await;
            self.tell();
        }
    }

    /// The last word; the bar goes away. Only the first call counts.
    pub(crate) fn finish(&self) {
        if self.finished.swap(true, Relaxed) {
            return;
        }
        self.output.show(None);
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
        if self.mode == Mode::Objects {
            self.tell();
        }
    }

    /// Whether what was removed is only hidden, since the bucket keeps versions.
    pub(crate) fn versions_kept(&self) -> bool {
        self.versions_kept.load(Relaxed)
    }

    /// The tally with what was counted on the way. What an earlier run moved did not have to be moved now.
    pub(crate) fn counted(&self, tally: Tally) -> Tally {
        let (resumed_bytes, again_bytes) = (self.resumed.load(Relaxed), self.again.load(Relaxed));
        Tally { resumed_bytes, again_bytes, moved_bytes: tally.moved_bytes.saturating_sub(resumed_bytes), ..tally }
    }

    fn tell(&self) {
        let (files, bytes) = (&self.files, &self.bytes);
        let (done, planned) = (bytes.done.load(Relaxed), bytes.planned.load(Relaxed));
        let (files_done, files_planned) = (files.done.load(Relaxed), files.planned.load(Relaxed));
        let seconds = self.started.elapsed().as_secs_f64();
        if files_planned == 0 {
            return match (self.listed.load(Relaxed), self.mode) {
                (0, _) => {}
                (objects, Mode::Objects) => self.output.event(&Object::Listing { objects, seconds: millis(seconds) }),
                (objects, _) => self.output.stderr(&listed_in_words(objects)),
            };
        }
        if self.mode == Mode::Objects {
            return self.output.event(&Object::Progress {
                files_done,
                files: files_planned,
                bytes_done: done,
                bytes: planned,
                seconds: millis(seconds),
            });
        }
        let moved = done.saturating_sub(self.skipped.load(Relaxed));
        let left = match moved {
            0 => "unknown time".to_owned(),
            _ => about(Duration::from_secs_f64(seconds * (planned.saturating_sub(done)) as f64 / moved as f64)),
        };
        let speed = rate(moved, self.started.elapsed());
        self.output.stderr(&format!(
            "{} of {}, {files_done} of {files_planned} files, {speed}, {left} left",
            size(done),
            size(planned)
        ));
    }

    /// The bar, and whether it was made just now: with this length, since a bar of none is drawn full.
    fn bar(&self, length: u64) -> (&ProgressBar, bool) {
        let mut is_new = false;
        let bar = self.bar.get_or_init(|| {
            is_new = true;
            let bar = ProgressBar::new(length).with_style(bar_style(BAR));
            bar.enable_steady_tick(Duration::from_millis(200));
            self.output.show(Some(bar.clone()));
            bar
        });
        (bar, is_new)
    }

    fn listed(&self, objects: u64) {
        self.listed.store(objects, Relaxed);
        // Only a listing that takes its time is worth a line, and none that belongs to a transfer.
        let waits = self.started.elapsed() > PATIENCE && self.files.planned.load(Relaxed) == 0;
        if self.mode == Mode::Bar && waits && !self.finished.load(Relaxed) {
            let bar = self.bar.get_or_init(|| {
                let bar = ProgressBar::new_spinner();
                bar.enable_steady_tick(Duration::from_millis(200));
                self.output.show(Some(bar.clone()));
                bar
            });
            bar.set_message(listed_in_words(objects));
        }
    }

    fn planned(&self, files: u64, bytes: u64) {
        let all_files = self.files.planned.fetch_add(files, Relaxed) + files;
        self.bytes.planned.fetch_add(bytes, Relaxed);
        if self.mode == Mode::Bar {
            match self.bar(bytes) {
                (_, true) => {}
                (bar, false) if all_files == files => {
                    // Of a listing until now.
                    bar.set_style(bar_style(BAR));
                    bar.set_message("");
                    bar.set_length(bytes);
                }
                (bar, false) => bar.inc_length(bytes),
            }
            self.show_files(self.files.done.load(Relaxed), all_files);
        }
    }

    fn may_warn(&self) -> bool {
        let Ok(mut warned) = self.warned.lock() else { return true };
        let may = warned.is_none_or(|at| at.elapsed() >= BETWEEN_WARNINGS);
        if may {
            *warned = Some(Instant::now());
        }
        may
    }

    fn moved(&self, bytes: u64) {
        self.bytes.done.fetch_add(bytes, Relaxed);
        if self.mode == Mode::Bar {
            self.bar(0).0.inc(bytes);
        }
    }

    /// Bytes are done without having moved.
    fn skip(&self, bytes: u64) {
        self.skipped.fetch_add(bytes, Relaxed);
        self.moved(bytes);
    }

    fn resumed(&self, key: &str, bytes: u64) {
        self.resumed.fetch_add(bytes, Relaxed);
        self.skip(bytes);
        if self.mode == Mode::Objects {
            self.output.event(&Object::Resumed { key, bytes });
        }
        if self.verbose {
            self.output.note(&format!("resumed {}  {} were there from before", visible(key), size(bytes)));
        }
    }

    fn file_done(&self, key: &str, bytes: u64, moved: bool) {
        let done = self.files.done.fetch_add(1, Relaxed) + 1;
        if !moved {
            self.skip(bytes);
        }
        match self.mode {
            Mode::Bar => self.show_files(done, self.files.planned.load(Relaxed)),
            Mode::Objects => {
                self.output.event(&Object::FileDone { key, bytes, moved });
            }
            Mode::Lines | Mode::Hidden => {}
        }
        if self.verbose {
            let what = if moved { "done" } else { "same" };
            self.output.note(&format!("{what} {}  {}", visible(key), size(bytes)));
        }
    }

    /// A removal begins.
    pub(crate) fn removing(&self, files: u64, bytes: u64) {
        self.planned(files, bytes);
        if self.mode == Mode::Bar {
            self.bar(bytes).0.set_style(bar_style(REMOVAL));
        }
    }

    /// So much of it is gone.
    pub(crate) fn removed(&self, files: u64, bytes: u64) {
        let done = self.files.done.fetch_add(files, Relaxed) + files;
        self.moved(bytes);
        if self.mode == Mode::Bar {
            self.show_files(done, self.files.planned.load(Relaxed));
        }
    }

    fn show_files(&self, done: u64, planned: u64) {
        if planned > 1 {
            self.bar(0).0.set_message(format!("{done} of {planned} files"));
        }
    }
}

fn bar_style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn listed_in_words(objects: u64) -> String {
    format!("{objects} objects listed so far")
}

/// A first retry is told only to whom waits longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Many requests fail at once when a server does: without --verbose one retry in this time is told.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(5);

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Planned { files, bytes } => self.planned(*files, *bytes),
            Event::Moved { bytes } => self.moved(*bytes),
            Event::Resumed { key, bytes } => self.resumed(key, *bytes),
            Event::Again { bytes } => {
                self.again.fetch_add(*bytes, Relaxed);
            }
            Event::FileDone { key, bytes, moved } => self.file_done(key, *bytes, *moved),
            Event::VersionsKept => self.versions_kept.store(true, Relaxed),
            Event::Listed { objects } => self.listed(*objects),
            Event::Warning { message } if self.is_new(message) => self.output.warning(message),
            Event::Committed { key, files, bytes } if self.mode == Mode::Objects => {
                self.output.event(&Object::Committed { key, files: *files, bytes: *bytes });
            }
            Event::Retrying { action, key, tries, delay, error } => {
                let (next, seconds) = (tries + 1, millis(delay.as_secs_f64()));
                if self.output.is_json() {
                    let message = error.to_string();
                    self.output.event(&Object::Retry { action, key, r#try: next, delay_seconds: seconds, message });
                } else if self.verbose || (*tries > 1 || self.started.elapsed() > PATIENCE) && self.may_warn() {
                    self.output.warning(&format!("{error}; trying again in {seconds:.1} s (try {next})"));
                }
            }
            _ => {}
        }
    }
}

/// Seconds to three places.
fn millis(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
