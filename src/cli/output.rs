//! The one place that prints. stdout is data; stderr is for people, or for programs under `--json`.
//!
//! Names come from whoever wrote to the store. A person sees their control characters escaped, so that none hides what it
//! stands in: on stderr always, of results where stdout is a terminal. What a script reads is exact.

use std::borrow::Borrow;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Mutex;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use storage::Error;

use super::args::Colour;
use super::exit::Failure;
use super::quote::visible;
use super::schema::Object;

/// Colours of what needs attention.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Colour of what is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Colour of what may need attention.
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default();
const HINT: Style = AnsiColor::Cyan.on_default();

/// What is printed, and how.
#[derive(Debug)]
pub(crate) struct Output {
    color: ColorChoice,
    json: bool,
    quiet: bool,
    /// Stands still while a line is printed.
    bar: Mutex<Option<ProgressBar>>,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool, color: Colour) -> Self {
        let color = match color {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Output { color, json, quiet, bar: Mutex::new(None) }
    }

    /// Whether programs read along.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    // --- stdout

    /// Text as it is, such as help or a script. Colours go only to a terminal. A reader that went away, as `head`
    /// does, has what it wanted.
    pub(crate) fn text(&self, text: &str) -> storage::Result<()> {
        self.above_bar(|| written(AutoStream::new(io::stdout().lock(), self.color), text))
    }

    /// Lines of data.
    pub(crate) fn lines<L: AsRef<str>>(&self, lines: impl IntoIterator<Item = L>) -> storage::Result<()> {
        let lines = lines.into_iter().fold(String::new(), |text, line| text + line.as_ref() + "\n");
        self.text(&lines)
    }

    /// The result of a command: `line` for people, `object` for programs.
    pub(crate) fn result(&self, line: &str, object: &Object<'_>) -> storage::Result<()> {
        match self.json {
            true => self.objects([object]),
            false if io::stdout().is_terminal() => self.lines([visible(line)]),
            // Not as text, from which what looks like a colour is left out.
            false => self.above_bar(|| written(io::stdout().lock(), &format!("{line}\n"))),
        }
    }

    /// Results for programs.
    pub(crate) fn objects<'a, O: Borrow<Object<'a>>>(
        &self,
        objects: impl IntoIterator<Item = O>,
    ) -> storage::Result<()> {
        self.lines(objects.into_iter().map(|object| json(object.borrow())))
    }

    // --- stderr

    /// Something worth knowing about a success.
    pub(crate) fn note(&self, message: &str) {
        if !self.quiet && !self.json {
            self.stderr(&visible(message));
        }
    }

    /// What a result comes to: `line` for people, `object` for programs.
    pub(crate) fn closing(&self, line: &str, object: &Object<'_>) {
        match self.json {
            true if self.quiet => {}
            true => self.event(object),
            false => self.note(line),
        }
    }

    /// Something a person should know.
    pub(crate) fn warning(&self, message: &str) {
        match self.json {
            true => self.event(&Object::Warning { message }),
            false => self.stderr(&format!("{UNSURE}warning:{UNSURE:#} {}", visible(message))),
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self, hint: &str) {
        self.stderr(&format!("{HINT}hint:{HINT:#} {}", visible(hint)));
    }

    /// What may be done next, where everything works.
    pub(crate) fn quiet_hint(&self, hint: &str) {
        if !self.quiet {
            self.hint(hint);
        }
    }

    /// One JSON object for programs.
    pub(crate) fn event(&self, object: &Object<'_>) {
        self.stderr(&json(object));
    }

    /// Why something failed, and what to do next.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            return self.event(&Object::Error(failure));
        }
        let Failure { message, hint, .. } = failure;
        self.stderr(&format!("{BAD}error:{BAD:#} {}", visible(message)));
        if let Some(hint) = hint {
            self.hint(hint);
        }
    }

    /// A line on stderr as it is, colours included, whatever the settings. That it cannot be written is no reason to fail.
    pub(crate) fn stderr(&self, line: &str) {
        self.above_bar(|| {
            let mut stderr = AutoStream::new(io::stderr().lock(), self.color);
            let _ = writeln!(stderr, "{line}");
        });
    }

    // --- the bar

    /// From here on, lines are printed above this bar.
    pub(crate) fn show(&self, bar: Option<ProgressBar>) {
        if let Ok(mut shown) = self.bar.lock() {
            *shown = bar;
        }
    }

    fn above_bar<T>(&self, print: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().ok().and_then(|bar| bar.clone());
        match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

fn written(to: impl Write, text: &str) -> storage::Result<()> {
    let mut stdout = BufWriter::new(to);
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::local("write to stdout", error)),
        _ => Ok(()),
    }
}

fn json(object: &Object<'_>) -> String {
    // Only maps whose keys are no strings cannot be written; there is none.
    serde_json::to_string(object).unwrap_or_default()
}
