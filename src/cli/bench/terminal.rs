//! How large a terminal is.

use std::os::fd::AsFd;

/// Columns and lines; `None` of what is no terminal, or of one that does not tell.
pub(super) fn size(of: &impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(of).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}
