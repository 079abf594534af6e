//! `ls`.

mod objects;
mod table;
pub(crate) mod totals;

use std::iter::repeat;

use alphanumeric_sort::compare_str;
use storage::checkpoint::{self, CheckpointEntry, Detail, Entry, Sample, Totals};
use storage::{Error, ErrorKind, Result, StorageBackend};

use super::args::LsArgs;
use super::context::Context;
use super::location::Location;
use super::partial;

/// Runs `ls`.
pub(crate) async fn run(context: &Context, args: LsArgs) -> anyhow::Result<()> {
    if args.partial {
        return partial::list(context, &args).await;
    }
    let location = Location::parse_prefix(args.names.as_deref().unwrap_or_default())?;
    let transfer = context.open(&location).await?;
    let store = &**transfer.store();
    let sample = args.sample.or(args.verify.then_some(Sample::ALL));
    let detail = match args.files || sample.is_some() {
        true => Detail::Files,
        false => Detail::FilesOf(&location.key),
    };
    let around = checkpoint::around(store, &location.key).await?;
    let (mut entries, exact) = match around {
        Some(name) => (inside(store, name, &location.prefix()).await?, true),
        None => {
            let mut entries = checkpoint::list(store, &location.key, detail).await?;
            let exact = select(&mut entries, &location);
            (entries, exact)
        }
    };
    if entries.is_empty() {
        return Ok(nothing(context, store, &location)?);
    }
    entries.sort_by(|a, b| compare_str(a.name(), b.name()));
    let verified = match sample {
        Some(sample) => checkpoint::verify(&transfer, &mut entries, sample).await?,
        None => Vec::new(),
    };
    context.progress.finish();
    let (unfold, now) = (args.files || exact, store.now());
    let listed = || entries.iter().zip(verified.iter().map(Some).chain(repeat(None)));
    match context.output.is_json() {
        true => objects::print(&context.output, store, listed(), unfold)?,
        false => {
            let rows = || listed().flat_map(|(entry, verified)| table::rows(entry, verified.zip(sample), unfold, now));
            table::print(&context.output, rows, sample.is_some())?;
        }
    }
    // Of a part of a checkpoint there is no state.
    if around.is_none() {
        totals::tell(&context.output, &Totals::of(&entries));
    }
    match verified.iter().filter(|verified| verified.damage.is_some()).count() {
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

/// The checkpoint of this name with those of its files whose keys begin with the prefix; nothing where none do. From a
/// listing of all of it: its files are not to be taken for plain ones, nor the others for missing.
async fn inside(store: &dyn StorageBackend, name: &str, prefix: &str) -> Result<Vec<Entry>> {
    let mut entries = checkpoint::list(store, &format!("{name}/"), Detail::FilesOf(name)).await?;
    entries.retain_mut(|entry| {
        let Entry::Checkpoint(checkpoint) = entry else { return entry.name().starts_with(prefix) };
        let CheckpointEntry { name: of, members, .. } = &mut **checkpoint;
        if of != name {
            return of.starts_with(prefix);
        }
        members.retain(|member| format!("{name}/{}", member.path).starts_with(prefix));
        !members.is_empty()
    });
    Ok(entries)
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
        totals::tell(&context.output, &Totals::default());
        return Ok(());
    }
    let message = format!("nothing in {} begins with '{}'", store.uri(""), location.prefix());
    Err(Error::new(ErrorKind::NotFound, message).hint_is("strata-ckpt ls without a prefix shows all there is"))
}

#[cfg(test)]
mod tests {
    use storage::checkpoint::PlainFile;

    use super::*;

    fn file(key: &str) -> Entry {
        Entry::File(PlainFile { key: key.to_owned(), size: 1, modified: None })
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
}
