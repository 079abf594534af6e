//! `setup --check`: a line for each check, as soon as it is done.

use storage::check::{Check, Outcome};
use storage::checkpoint::{self, Detail, Totals};
use storage::{ErrorKind, LocalStorage, Result};

use crate::cli::context::Context;
use crate::cli::exit::{Unfit, of_kind};
use crate::cli::location::Location;
use crate::cli::ls::totals;
use crate::cli::output::{BAD, UNSURE};
use crate::cli::quote::visible;
use crate::cli::schema::Object;

use super::line::WIDTHS;

/// Runs `setup --check`, which ends with what the store holds.
pub(crate) async fn run(context: &Context) -> anyhow::Result<()> {
    let location = Location::parse_prefix("")?;
    let mut told = Ok(());
    let mut tell = |check: &Check| {
        // The first line that could not be written is what is told in the end.
        if told.is_ok() {
            told = print(context, check);
        }
    };
    let (checks, uri) = match context.local_directory(&location)? {
        Some(directory) => {
            let store = LocalStorage::with_config(directory, context.runtime.clone());
            (store.check(&mut tell).await?, storage::StorageBackend::uri(&store, ""))
        }
        None => context.check_s3(&mut tell).await?,
    };
    told?;
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let checked = Object::Checked {
        uri: &uri,
        good: count(Outcome::Good),
        notes: count(Outcome::Note),
        bad: count(Outcome::Bad),
        skipped: count(Outcome::Skipped),
        seconds: (context.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
    };
    if context.output.is_json() {
        context.output.objects([checked])?;
    }
    if can_be_listed(&checks) {
        match holdings(context, &location).await {
            Ok(totals) => totals::tell(&context.output, &totals),
            Err(error) if error.kind() == ErrorKind::Cancelled || count(Outcome::Bad) == 0 => return Err(error.into()),
            // What is bad is told already, and may be why.
            Err(error) => context.output.note(&format!("what {uri} holds is not known: {error}")),
        }
    }
    let codes: Vec<u8> = checks.iter().filter_map(|check| Some(of_kind(check.kind?).0)).collect();
    match (codes.is_empty(), count(Outcome::Note)) {
        (false, _) => return Err(Unfit { codes, of: checks.len() }.into()),
        (true, 0) => context.output.note(&format!("{uri} is fit for use")),
        (true, 1) => context.output.note(&format!("{uri} is fit for use; there is a note")),
        (true, notes) => context.output.note(&format!("{uri} is fit for use; there are {notes} notes")),
    }
    Ok(())
}

/// Whether the store lets itself be listed, whatever else is bad.
fn can_be_listed(checks: &[Check]) -> bool {
    // A local directory that is not there yet is a note, and empty.
    let works = |check: &Check| matches!(check.outcome, Outcome::Good | Outcome::Note);
    checks.iter().any(|check| matches!(check.name, "s3:ListBucket" | "directory") && works(check))
}

async fn holdings(context: &Context, location: &Location) -> Result<Totals> {
    let transfer = context.open(location).await?;
    let entries = checkpoint::list(&**transfer.store(), "", Detail::Checkpoints).await?;
    context.progress.finish();
    Ok(Totals::of(&entries))
}

fn print(context: &Context, check: &Check) -> Result<()> {
    let Check { name, outcome, detail, hint, kind } = check;
    let output = &context.output;
    if output.is_json() {
        let kind = kind.map(|kind| of_kind(kind).1);
        let outcome = outcome.to_string();
        return output.objects([Object::Check { name, outcome: &outcome, detail, hint: hint.as_deref(), kind }]);
    }
    let style = match outcome {
        Outcome::Bad => BAD,
        Outcome::Note => UNSURE,
        Outcome::Good | Outcome::Skipped => anstyle::Style::new(),
    };
    let (names, outcomes) = WIDTHS;
    let line = format!("{name:names$}  {style}{outcome:outcomes$}{style:#}  {}", visible(detail));
    output.lines([line.trim_end()])?;
    if let Some(hint) = hint {
        // stderr may be read alone.
        let hint = format!("{name}: {}", visible(hint));
        match outcome {
            Outcome::Bad => output.hint(&hint),
            _ => output.quiet_hint(&hint),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_wide_enough() {
        assert_eq!("s3:AbortMultipartUpload".len(), WIDTHS.0);
        assert_eq!("cannot hold".len(), WIDTHS.1);
        assert!(Outcome::Skipped.to_string().len() < WIDTHS.1);
    }
}
