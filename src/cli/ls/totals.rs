//! The end of `ls`: how much lies there, by state.

use storage::checkpoint::{Total, Totals};

use crate::cli::output::Output;
use crate::cli::schema::Object;
use crate::cli::units::size;

/// One line on stderr, for programs as well: whoever reads the listing from stdout sees entries alone.
pub(crate) fn tell(output: &Output, totals: &Totals) {
    output.closing(&in_words(totals), &Object::Totals(totals.into()));
}

/// `complete 3.2 GiB (3), partial 1.0 GiB (1), damaged 0 B, plain files 12 MiB (5)`.
fn in_words(totals: &Totals) -> String {
    let Totals { complete, partial, damaged, plain } = totals;
    let parts = [("complete", complete), ("partial", partial), ("damaged", damaged), ("plain files", plain)];
    let in_words = parts.map(|(state, Total { entries, bytes })| match entries {
        0 => format!("{state} 0 B"),
        _ => format!("{state} {} ({entries})", size(*bytes)),
    });
    in_words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_named() {
        let some = Total { entries: 3, bytes: 3 << 30 };
        let totals = Totals { complete: some, damaged: Total { entries: 1, bytes: 0 }, ..Totals::default() };
        assert_eq!(in_words(&totals), "complete 3 GiB (3), partial 0 B, damaged 0 B (1), plain files 0 B");
    }
}
