//! The question before a selection is removed.

use std::io::{IsTerminal, Write};

use storage::{Error, ErrorKind, Result};

use super::context::Context;
use super::quote::visible;

/// Shows what would go and asks whoever sits at the terminal; without one, nothing is removed.
pub(crate) async fn confirm(context: &Context, lines: &[String]) -> Result<bool> {
    if !std::io::stdin().is_terminal() || context.output.is_json() {
        return Err(Error::invalid("nobody is there to be asked whether to remove them")
            .hint_is("add --yes to remove without being asked, or --dry-run to see what would go"));
    }
    for line in lines {
        context.output.stderr(&visible(line));
    }
    let mut stderr = std::io::stderr();
    let failed = |error| Error::local("ask on the terminal", error);
    write!(stderr, "remove {}? [y/N] ", if lines.len() == 1 { "it" } else { "them" }).map_err(failed)?;
    stderr.flush().map_err(failed)?;
    let asked = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    // Whoever presses Ctrl-C has answered.
    let answer = tokio::select! {
        biased;
        () = context.runtime.cancel.cancelled() => return Err(Error::cancelled()),
        answer = asked => answer.map_err(|error| Error::new(ErrorKind::Other, error.to_string()))?.map_err(failed)?,
    };
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
