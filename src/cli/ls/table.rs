//! The table of `ls`, laid out a thousand rows at a time: a listing may be longer than what should be held as text.

use std::iter::{from_fn, once};
use std::time::SystemTime;

use anstyle::Style;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use storage::Result;
use storage::checkpoint::{CheckpointEntry, Entry, Extent, Member, PlainFile, Sample, State, Verified};

use crate::cli::output::{BAD, Output, UNSURE};
use crate::cli::quote::visible;
use crate::cli::units::{about, size};

const HEADER: [&str; 5] = ["NAME", "FILES", "SIZE", "AGE", "VERIFIED"];
const ROWS_AT_ONCE: usize = 1000;
/// Between columns.
const GAP: u16 = 2;

/// A line: some columns, then a state that may be coloured and of any length.
pub(super) struct Row {
    columns: [String; 5],
    state: String,
    style: Style,
}

/// The line of an entry, and with `unfold` those of its files.
pub(super) fn rows<'a>(
    entry: &'a Entry,
    verified: Option<(&Verified, Sample)>,
    unfold: bool,
    now: SystemTime,
) -> impl Iterator<Item = Row> + use<'a> {
    let damage = verified.and_then(|(verified, _)| verified.damage.as_deref());
    let verified = match verified {
        Some((Verified { extent: Extent::All, .. }, _)) => "all".to_owned(),
        Some((Verified { extent: Extent::Sample, .. }, sample)) => sample.to_string(),
        Some((Verified { extent: Extent::NoChecksum, .. }, _)) => "no checksum".to_owned(),
        Some(_) | None => "-".to_owned(),
    };
    let age = |time: Option<SystemTime>| match time {
        Some(time) => about(now.duration_since(time).unwrap_or_default()),
        None => "-".to_owned(),
    };
    let (first, name, members) = match entry {
        Entry::File(PlainFile { key, size: bytes, modified }) => {
            let columns = [visible(key).into_owned(), "-".to_owned(), size(*bytes), age(*modified), verified];
            let (state, style) = match damage {
                Some(damage) => (format!("damaged: {damage}"), BAD),
                None => ("file".to_owned(), Style::new()),
            };
            (Row { columns, state, style }, key, [].as_slice())
        }
        Entry::Checkpoint(checkpoint) => {
            let CheckpointEntry { name, state, files, bytes, modified, why, members, .. } = &**checkpoint;
            let columns = [visible(name).into_owned(), files.to_string(), size(*bytes), age(*modified), verified];
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let style = match state {
                State::Complete => Style::new(),
                State::Partial => UNSURE,
                State::Damaged => BAD,
            };
            (Row { columns, state: format!("{state}{why}"), style }, name, members.as_slice())
        }
    };
    let members = members.iter().filter(move |_| unfold).map(move |member| member_row(name, member));
    once(first).chain(members)
}

fn member_row(name: &str, member: &Member) -> Row {
    let path = format!("{name}/{}", member.path);
    let none = || "-".to_owned();
    let columns = [visible(&path).into_owned(), none(), size(member.size), none(), none()];
    let (state, style) = match member {
        Member { missing: true, .. } => ("missing", BAD),
        Member { damaged: true, .. } => ("damaged", BAD),
        _ => ("file", Style::new()),
    };
    Row { columns, state: state.to_owned(), style }
}

/// Prints the rows, which are made twice: to measure the columns, and to fill them.
pub(super) fn print<I: Iterator<Item = Row>>(output: &Output, rows: impl Fn() -> I, with_verified: bool) -> Result<()> {
    let columns = if with_verified { HEADER.len() } else { HEADER.len() - 1 };
    let mut widths: Vec<u16> = vec![0; columns];
    for chunk in chunks(rows()) {
        let (table, _) = table(chunk, &widths);
        for (width, found) in widths.iter_mut().zip(table.column_max_content_widths()) {
            *width = found.max(*width);
        }
    }
    for (index, chunk) in chunks(rows()).enumerate() {
        let (table, states) = table(chunk, &widths);
        let states = once("STATE".to_owned()).chain(states);
        let lines = table.lines().zip(states).map(|(line, state)| line + &state);
        output.lines(lines.skip(usize::from(index > 0)))?;
    }
    Ok(())
}

fn chunks(mut rows: impl Iterator<Item = Row>) -> impl Iterator<Item = Vec<Row>> {
    from_fn(move || Some(rows.by_ref().take(ROWS_AT_ONCE).collect::<Vec<_>>()).filter(|chunk| !chunk.is_empty()))
}

/// A header and rows, each column at least as wide as given, and the states that follow them.
fn table(rows: Vec<Row>, widths: &[u16]) -> (Table, Vec<String>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(&HEADER[..widths.len()]);
    let mut states = Vec::new();
    for Row { columns, state, style } in rows {
        table.add_row(&columns[..widths.len()]);
        states.push(format!("{style}{state}{style:#}"));
    }
    for (index, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
        column.set_padding((0, GAP));
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(GAP))));
        if matches!(index, 1 | 2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    (table, states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: Vec<Row>, widths: &[u16]) -> Vec<String> {
        let (table, states) = table(rows, widths);
        table.lines().zip(once("STATE".to_owned()).chain(states)).map(|(line, state)| line + &state).collect()
    }

    #[test]
    fn columns_line_up() {
        let files =
            ["a", "bb\n", "üüü"].map(|key| Entry::File(PlainFile { key: key.to_owned(), size: 1, modified: None }));
        let now = SystemTime::UNIX_EPOCH;
        let rows = || files.iter().flat_map(|file| rows(file, None, false, now)).collect();
        let lines_of = |widths: &[u16]| lines(rows(), widths);
        for widths in [[0; 4], [9, 0, 0, 0]] {
            let lines = lines_of(&widths);
            assert_eq!(lines.len(), 4);
            assert!(lines[0].ends_with("STATE") && lines[2].starts_with("bb\\n"), "{lines:?}");
            let state_at = |line: &String| line.chars().count() - line.split("  ").last().unwrap().chars().count();
            assert!(lines.iter().all(|line| state_at(line) == state_at(&lines[0])), "{lines:?}");
        }
        assert_eq!(lines_of(&[9, 0, 0, 0])[0].find("FILES"), Some(11), "as wide as another part of the table needs");
    }
}
