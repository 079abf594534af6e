//! One line a step, as it is done.

use super::super::context::Context;
use super::super::output::{BAD, GOOD, UNSURE};
use super::super::quote::visible;
use super::super::schema::Object;

/// How wide the first two columns are: the longest name of a step or a check, and the longest state or outcome.
pub(super) const WIDTHS: (usize, usize) = (23, 11);

/// A step as it is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// What it is about, in words.
    pub(super) step: &'a str,
    /// How it ended, in words: `found`, `done`, `would do`, `cannot hold`, `denied`, `failed`.
    pub(super) state: &'a str,
    pub(super) detail: &'a str,
    /// How it was before it was changed.
    pub(super) before: Option<&'a str>,
    /// The right that is missing.
    pub(super) right: Option<&'a str>,
    pub(super) hint: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn new(step: &'a str, state: &'a str, detail: &'a str) -> Self {
        Line { step, state, detail, before: None, right: None, hint: None }
    }

    /// Prints it; its hint stands below it.
    pub(super) fn print(self, context: &Context) -> storage::Result<()> {
        let Line { step, state, detail, before, right, hint } = self;
        let colour = match state {
            "denied" | "failed" => BAD,
            "would do" | "cannot hold" => UNSURE,
            _ => GOOD,
        };
        let (first, second) = WIDTHS;
        let pad = " ".repeat(second.saturating_sub(state.len()));
        let was = before.map(|before| format!("; before: {before}")).unwrap_or_default();
        let line = format!("{step:first$}  {colour}{state}{colour:#}{pad}  {}{}", visible(detail), visible(&was));
        let (step, state) = (&step.replace(' ', "_"), &state.replace(' ', "_"));
        match context.output.is_json() {
            true => context.output.objects([Object::SetupStep { step, state, detail, before, right, hint }])?,
            // Coloured, and not to be escaped once more.
            false => context.output.lines([line])?,
        }
        match hint {
            Some(hint) if colour == BAD && !context.output.is_json() => context.output.hint(&visible(hint)),
            Some(hint) if !context.output.is_json() => context.output.quiet_hint(&visible(hint)),
            _ => {}
        }
        Ok(())
    }
}
