//! `ls`.

use std::time::SystemTime;

use alphanumeric_sort::compare_str;
use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use storage::checkpoint::{self, CheckpointEntry, Entry, Extent, Member, Sample, State, Verified};
use storage::{Error, ErrorKind, ObjectMeta, Result, StorageBackend};

use super::args::LsArgs;
use super::context::Context;
use super::location::Location;
use super::output::{BAD, UNSURE};
use super::partial;
use super::quote::visible;
use super::schema::Object;
use super::units::{about, size};

const HEADER: [&str; 4] = ["NAME", "FILES", "SIZE", "AGE"];

/// Runs `ls`.
pub(crate) async fn run(context: &Context, args: LsArgs) -> anyhow::Result<()> {
    if args.partial {
        return partial::list(context, &args).await;
    }
    let location = Location::parse_prefix(args.names.as_deref().unwrap_or_default())?;
    let transfer = context.open(&location).await?;
    let store = &**transfer.store();
    let mut entries = checkpoint::list(store, &location.key).await?;
    let exact = select(&mut entries, &location);
    if entries.is_empty() {
        return Ok(nothing(context, store, &location)?);
    }
    entries.sort_by(|a, b| compare_str(a.name(), b.name()));
    let sample = args.sample.or(args.verify.then_some(Sample::ALL));
    let verified = match sample {
        Some(sample) => checkpoint::verify(&transfer, &mut entries, sample).await?.into_iter().map(Some).collect(),
        None => vec![None; entries.len()],
    };
    context.progress.finish();
    let unfold = args.files || exact;
    let now = SystemTime::now();
    let listed = || entries.iter().zip(&verified);
    if context.output.is_json() {
        for (entry, verified) in listed() {
            let keys = member_keys(entry, unfold);
            context.output.objects(objects(entry, verified.as_ref(), &keys, store))?;
        }
    } else {
        let rows = listed().flat_map(|(entry, verified)| rows(entry, verified.as_ref().zip(sample), unfold, now));
        context.output.lines(table(rows.collect(), sample.is_some()))?;
    }
    match verified.iter().flatten().filter(|verified| verified.damage.is_some()).count() {
        0 => Ok(()),
        damaged => Err(is_damaged(damaged, entries.len()).into()),
    }
}

fn is_damaged(damaged: usize, all: usize) -> Error {
    let message = match (damaged, all) {
        (_, 1) => "it is damaged".to_owned(),
        (1, _) => format!("1 of {all} is damaged"),
        _ => format!("{damaged} of {all} are damaged"),
    };
    Error::new(ErrorKind::Integrity, message)
        .hint_is("put what is damaged again from where it is whole, or remove it; other checkpoints are not affected")
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

/// A line: four columns, what was verified if anything, then a state that may be coloured and of any length.
struct Row {
    columns: [String; 4],
    verified: String,
    state: String,
    style: Style,
}

fn rows(entry: &Entry, verified: Option<(&Verified, Sample)>, unfold: bool, now: SystemTime) -> Vec<Row> {
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
    match entry {
        Entry::File(ObjectMeta { key, size: bytes, modified, .. }) => {
            let columns = [visible(key).into_owned(), "-".to_owned(), size(*bytes), age(*modified)];
            let (state, style) = match damage {
                Some(damage) => (format!("damaged: {damage}"), BAD),
                None => ("file".to_owned(), Style::new()),
            };
            vec![Row { columns, verified, state, style }]
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
            let whole = Row { columns, verified, state: format!("{state}{why}"), style };
            let members = members.iter().filter(|_| unfold).map(|member| member_row(name, member));
            std::iter::once(whole).chain(members).collect()
        }
    }
}

fn member_row(name: &str, member: &Member) -> Row {
    let path = format!("{name}/{}", member.path);
    let columns = [visible(&path).into_owned(), "-".to_owned(), size(member.size), "-".to_owned()];
    let (state, style) = match member {
        Member { missing: true, .. } => ("missing", BAD),
        Member { damaged: true, .. } => ("damaged", BAD),
        _ => ("file", Style::new()),
    };
    Row { columns, verified: "-".to_owned(), state: state.to_owned(), style }
}

fn table(rows: Vec<Row>, with_verified: bool) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let verified = |text: &'static str| with_verified.then_some(text);
    table.set_header(HEADER.into_iter().chain(verified("VERIFIED")));
    for Row { columns, verified, .. } in &rows {
        table.add_row(columns.iter().chain(with_verified.then_some(verified)));
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

fn objects<'a>(
    entry: &'a Entry,
    verified: Option<&'a Verified>,
    keys: &'a [String],
    store: &dyn StorageBackend,
) -> Vec<Object<'a>> {
    let extent = verified.and_then(|verified| match verified.extent {
        Extent::All => Some("all"),
        Extent::Sample => Some("sample"),
        Extent::NoChecksum => Some("no_checksum"),
        _ => None,
    });
    let bytes_read = verified.map(|verified| verified.bytes);
    match entry {
        Entry::File(ObjectMeta { key, size, modified, .. }) => vec![Object::File {
            key,
            uri: store.uri(key),
            bytes: *size,
            modified: rfc3339(*modified),
            checkpoint: None,
            checksum: None,
            missing: None,
            damaged: verified.map(|verified| verified.damage.is_some()),
            why: verified.and_then(|verified| verified.damage.as_deref()),
            verified: extent,
            verified_bytes: bytes_read,
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
                verified: extent,
                verified_bytes: bytes_read,
            };
            let members = members.iter().zip(keys).map(|(member, key)| Object::File {
                key,
                uri: store.uri(key),
                bytes: member.size,
                modified: None,
                checkpoint: Some(name),
                checksum: member.checksum.map(|sum| sum.to_string()),
                missing: Some(member.missing),
                damaged: verified.map(|_| member.damaged),
                why: None,
                verified: None,
                verified_bytes: None,
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
        let rows = ["a", "bb\n", "üüü"].iter().flat_map(|key| rows(&file(key), None, false, now)).collect();
        let lines = table(rows, false);
        assert_eq!(lines.len(), 4);
        let widths: Vec<usize> = lines.iter().filter_map(|line| line.find(['S', 'f'])).collect();
        assert!(lines[0].ends_with("STATE") && lines[2].starts_with("bb\\n"), "{lines:?} {widths:?}");
        let state_at = |line: &String| line.chars().count() - line.split("  ").last().unwrap().chars().count();
        assert!(lines.iter().all(|line| state_at(line) == state_at(&lines[0])), "{lines:?}");
    }
}
