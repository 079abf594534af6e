//! Columns of text within the width of a terminal.

use anstream::adapter::strip_str;

/// Between two columns.
const GAP: usize = 2;

/// A column: its title, and a value for each row, which may be coloured.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) is_right: bool,
    pub(super) values: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        let values = self.values.iter().map(|value| shown(value));
        values.chain([self.title.len()]).max().unwrap_or(0)
    }
}

/// Lines of the columns beside each other, the titles first.
pub(super) fn lines<'a>(columns: impl IntoIterator<Item = &'a Column>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for column in columns {
        let width = column.width();
        let values = std::iter::once(column.title).chain(column.values.iter().map(String::as_str));
        for (row, value) in values.enumerate() {
            let fill = " ".repeat(width - shown(value));
            let value = if column.is_right { fill + value } else { value.to_owned() + &fill };
            match lines.get_mut(row) {
                Some(line) => *line += &format!("{}{value}", " ".repeat(GAP)),
                None => lines.push(value),
            }
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The columns that fit into the width: those named in `expendable` go, in that order, until the rest does.
pub(super) fn narrowed(mut columns: Vec<Column>, expendable: &[&str], width: usize) -> Vec<Column> {
    for title in expendable {
        if width_of(&columns) <= width {
            break;
        }
        columns.retain(|column| column.title != *title);
    }
    columns
}

/// All columns; where they do not fit beside each other, in several tables below each other, each of which begins with the
/// first `keys` columns.
pub(super) fn stacked(columns: &[Column], keys: usize, width: usize) -> Vec<String> {
    let (keys, mut rest) = columns.split_at(keys.min(columns.len()));
    let mut all = Vec::new();
    while !rest.is_empty() {
        let fits = |count: &usize| width_of(keys.iter().chain(&rest[..*count])) <= width;
        let count = (1..=rest.len()).rev().find(fits).unwrap_or(1);
        if !all.is_empty() {
            all.push(String::new());
        }
        all.extend(lines(keys.iter().chain(&rest[..count])));
        rest = &rest[count..];
    }
    all
}

fn width_of<'a>(columns: impl IntoIterator<Item = &'a Column>) -> usize {
    let (count, sum) = columns.into_iter().fold((0, 0), |(count, sum), column| (count + 1, sum + column.width()));
    sum + GAP * usize::saturating_sub(count, 1)
}

/// How many characters are seen.
fn shown(text: &str) -> usize {
    strip_str(text).map(|piece| piece.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let column = |title, is_right, values: [&str; 2]| {
            let values = values.map(str::to_owned).to_vec();
            Column { title, is_right, values }
        };
        vec![
            column("OP", false, ["put", "get"]),
            column("RATE", true, ["1 B/s", "200 B/s"]),
            column("CHANGE", true, ["\u{1b}[31m-9%\u{1b}[0m", "+1%"]),
        ]
    }

    #[test]
    fn beside_each_other() {
        let expected = ["OP      RATE  CHANGE", "put    1 B/s     \u{1b}[31m-9%\u{1b}[0m", "get  200 B/s     +1%"];
        assert_eq!(lines(&columns()), expected);
        assert_eq!(stacked(&columns(), 1, 20), expected);
    }

    #[test]
    fn below_each_other_and_without_the_least_important() {
        let expected = ["OP      RATE", "put    1 B/s", "get  200 B/s", "", "OP   CHANGE"];
        assert_eq!(stacked(&columns(), 1, 19)[..5], expected);
        assert_eq!(stacked(&columns(), 1, 1).len(), 7, "what does not fit at all is shown too");
        let titles =
            |width| narrowed(columns(), &["RATE", "CHANGE"], width).iter().map(|c| c.title).collect::<Vec<_>>();
        assert_eq!((titles(20), titles(19)), (vec!["OP", "RATE", "CHANGE"], vec!["OP", "CHANGE"]));
        assert_eq!(titles(1), ["OP"]);
    }
}
