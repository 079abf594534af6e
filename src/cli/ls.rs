//! `ls`.

use std::time::SystemTime;

use alphanumeric_sort::compare_str;
use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use storage::checkpoint::{self, CheckpointEntry, Entry, Member, State};
use storage::{Error, ErrorKind, ObjectMeta, Result, StorageBackend};

use super::args::LsArgs;
use super::context::Context;
use super::location::Location;
use super::output::{BAD, UNSURE};
use super::quote::visible;
use super::schema::Object;
use super::units::{about, size};

const HEADER: [&str; 4] = ["NAME", "FILES", "SIZE", "AGE"];

/// Runs `ls`.
pub(crate) async fn run(context: &Context, args: LsArgs) -> anyhow::Result<()> {
    let location = Location::parse_prefix(args.names.as_deref().unwrap_or_default())?;
    let transfer = context.open(&location).await?;
    let store = &**transfer.store();
    let mut entries = checkpoint::list(store, &location.key).await?;
    let exact = select(&mut entries, &location);
    if entries.is_empty() {
        return Ok(nothing(context, store, &location)?);
    }
    entries.sort_by(|a, b| compare_str(a.name(), b.name()));
    let unfold = args.files || exact;
    let now = SystemTime::now();
    if context.output.is_json() {
        for entry in &entries {
            let keys = member_keys(entry, unfold);
            context.output.objects(objects(entry, &keys, store))?;
        }
    } else {
        let rows = entries.iter().flat_map(|entry| rows(entry, unfold, now)).collect();
        context.output.lines(table(rows))?;
    }
    Ok(())
}

/// Keeps what is meant; true when that is one thing of exactly that name.
fn select(entries: &mut Vec<Entry>, location: &Location) -> bool {
    let exact = !location.key.is_empty() && entries.iter().any(|entry| entry.name() == location.key);
    match exact {
        true => entries.retain(|entry| entry.name() == location.key),
        false => entries.retain(|entry| entry.name().starts_with(&location.prefix())),
    }
    exact
}

fn nothing(context: &Context, store: &dyn StorageBackend, location: &Location) -> Result<()> {
    if location.key.is_empty() {
        context.output.note(&format!("nothing in {} yet", store.uri("")));
        return Ok(());
    }
    let message = format!("nothing in {} begins with '{}'", store.uri(""), location.prefix());
    Err(Error::new(ErrorKind::NotFound, message).hint_is("strata-ckpt ls without a prefix shows all there is"))
}

// --- for people

/// A line: four columns, then a state that may be coloured and of any length.
struct Row {
    columns: [String; 4],
    state: String,
    style: Style,
}

fn rows(entry: &Entry, unfold: bool, now: SystemTime) -> Vec<Row> {
    let age = |time: Option<SystemTime>| match time {
        Some(time) => about(now.duration_since(time).unwrap_or_default()),
        None => "-".to_owned(),
    };
    match entry {
        Entry::File(ObjectMeta { key, size: bytes, modified, .. }) => {
            let columns = [visible(key).into_owned(), "-".to_owned(), size(*bytes), age(*modified)];
            vec![Row { columns, state: "file".to_owned(), style: Style::new() }]
        }
        Entry::Checkpoint(checkpoint) => {
            let CheckpointEntry { name, state, files, bytes, modified, why, members, .. } = checkpoint;
            let columns = [visible(name).into_owned(), files.to_string(), size(*bytes), age(*modified)];
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let style = match state {
                State::Complete => Style::new(),
                State::Partial => UNSURE,
                State::Damaged => BAD,
            };
            let whole = Row { columns, state: format!("{state}{why}"), style };
            let members = members.iter().filter(|_| unfold).map(|member| member_row(name, member));
            std::iter::once(whole).chain(members).collect()
        }
    }
}

fn member_row(name: &str, member: &Member) -> Row {
    let path = format!("{name}/{}", member.path);
    let columns = [visible(&path).into_owned(), "-".to_owned(), size(member.size), "-".to_owned()];
    match member.missing {
        true => Row { columns, state: "missing".to_owned(), style: BAD },
        false => Row { columns, state: "file".to_owned(), style: Style::new() },
    }
}

fn table(rows: Vec<Row>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(HEADER);
    for row in &rows {
        table.add_row(&row.columns);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if matches!(index, 1 | 2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let states = rows.iter().map(|Row { state, style, .. }| format!("{style}{state}{style:#}"));
    let states = std::iter::once("STATE".to_owned()).chain(states);
    table.lines().zip(states).map(|(line, state)| line + &state).collect()
}

// --- for programs

fn objects<'a>(entry: &'a Entry, keys: &'a [String], store: &dyn StorageBackend) -> Vec<Object<'a>> {
    match entry {
        Entry::File(ObjectMeta { key, size, modified, .. }) => vec![Object::File {
            key,
            uri: store.uri(key),
            bytes: *size,
            modified: rfc3339(*modified),
            checkpoint: None,
            checksum: None,
            missing: None,
        }],
        Entry::Checkpoint(checkpoint) => {
            let CheckpointEntry { name, state, files, bytes, modified, meta, members, why } = checkpoint;
            let whole = Object::Checkpoint {
                name,
                uri: store.uri(name),
                state: state.to_string(),
                why: why.as_deref(),
                files: *files,
                bytes: *bytes,
                modified: rfc3339(*modified),
                meta,
            };
            let members = members.iter().zip(keys).map(|(member, key)| Object::File {
                key,
                uri: store.uri(key),
                bytes: member.size,
                modified: None,
                checkpoint: Some(name),
                checksum: member.checksum.map(|sum| sum.to_string()),
                missing: Some(member.missing),
            });
            std::iter::once(whole).chain(members).collect()
        }
    }
}

/// The keys of a checkpoint's files where it is unfolded, else none.
fn member_keys(entry: &Entry, unfold: bool) -> Vec<String> {
    match entry {
        Entry::Checkpoint(CheckpointEntry { name, members, .. }) if unfold => {
            members.iter().map(|member| format!("{name}/{}", member.path)).collect()
        }
        _ => Vec::new(),
    }
}

fn rfc3339(time: Option<SystemTime>) -> Option<String> {
    // The formatter ends at the year 9999, and begins in 1970.
    let printable = |time: &SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.as_secs() < 253_402_300_800)
    };
    time.filter(printable).map(|time| humantime::format_rfc3339_seconds(time).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str) -> Entry {
        let (etag, checksum, stored, token) = (None, None, None, None);
        Entry::File(ObjectMeta { key: key.to_owned(), size: 1, etag, modified: None, checksum, stored, token })
    }

    fn selected(keys: &[&str], prefix: &str) -> (Vec<String>, bool) {
        let mut entries: Vec<Entry> = keys.iter().map(|key| file(key)).collect();
        let exact = select(&mut entries, &Location::parse(prefix).unwrap());
        (entries.iter().map(|entry| entry.name().to_owned()).collect(), exact)
    }

    #[test]
    fn a_full_name_means_itself_and_a_slash_its_inside() {
        let keys = ["epoch_1", "epoch_10", "epoch_2/a"];
        assert_eq!(selected(&keys, "epoch_1"), (vec!["epoch_1".into()], true));
        assert_eq!(selected(&keys, "epoch_"), (keys.map(str::to_owned).to_vec(), false));
        assert_eq!(selected(&keys, "epoch_2/"), (vec!["epoch_2/a".into()], false));
        assert_eq!(selected(&keys, "epoch_3/"), (vec![], false));
    }

    #[test]
    fn columns_line_up() {
        let now = SystemTime::UNIX_EPOCH;
        let rows = ["a", "bb\n", "üüü"].iter().flat_map(|key| rows(&file(key), false, now)).collect();
        let lines = table(rows);
        assert_eq!(lines.len(), 4);
        let widths: Vec<usize> = lines.iter().filter_map(|line| line.find(['S', 'f'])).collect();
        assert!(lines[0].ends_with("STATE") && lines[2].starts_with("bb\\n"), "{lines:?} {widths:?}");
        let state_at = |line: &String| line.chars().count() - line.split("  ").last().unwrap().chars().count();
        assert!(lines.iter().all(|line| state_at(line) == state_at(&lines[0])), "{lines:?}");
    }
}
