//! What is done, what must hold while it is not, and what when it is.

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;

use crate::support::bed::{Bed, Said, files_below};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// A directory, as a new checkpoint.
    Put,
    /// The same, where plain files of other content have its files' names.
    PutOver,
    /// A file in two parts over another one.
    PutFile,
    /// A checkpoint into a new directory.
    Get,
    /// The same over other files.
    GetOver,
    /// A file in two parts over another one.
    GetFile,
    /// Of a checkpoint.
    Remove,
    /// Of what is older than the newest.
    Prune,
    /// A directory, and then what is older.
    PutAndPrune,
}

/// The checkpoint's name, and that of the directory that is put.
const NAME: &str = "epoch_1";
/// One that is newer, of the same content.
const NEWER: &str = "epoch_2";
const FILE: &str = "model.bin";
const OLD: &[u8] = b"what was there before";

/// A trainer's marker, an empty file, one in a directory, and one of two parts.
fn content() -> &'static BTreeMap<String, Vec<u8>> {
    static CONTENT: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let bytes = |len: usize| (0..len).map(|i| (i * 31 % 251) as u8).collect();
        [(".metadata", bytes(7)), ("empty", Vec::new()), (FILE, bytes(6 << 20)), ("sub/rng.bin", bytes(70_000))]
            .into_iter()
            .map(|(path, content)| (path.to_owned(), content))
            .collect()
    })
}

impl Job {
    pub(crate) fn is_get(self) -> bool {
        matches!(self, Job::Get | Job::GetOver | Job::GetFile)
    }

    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Job::Put | Job::PutOver => &["put", NAME, "--part-size", "5MiB"],
            Job::PutFile => &["put", "epoch_1/model.bin", FILE, "--part-size", "5MiB"],
            Job::Get | Job::GetOver => &["get", NAME, "got", "--part-size", "5MiB"],
            Job::GetFile => &["get", FILE, "got.bin", "--part-size", "5MiB"],
            Job::Remove => &["rm", NAME],
            Job::Prune => &["rm", "--keep-last", "1", "--yes"],
            Job::PutAndPrune => &["put", NAME, NEWER, "--keep-last", "1", "--part-size", "5MiB"],
        }
    }

    /// As things are before it is done.
    pub(crate) fn prepare(self, bed: &Bed) {
        let own = ["home", "checkpoints", NAME];
        for entry in fs::read_dir(bed.path("")).unwrap().map(|entry| entry.unwrap()) {
            if !own.iter().any(|own| entry.file_name() == *own) {
                let is_directory = entry.file_type().unwrap().is_dir();
                let remove =
                    if is_directory { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
                remove.unwrap();
            }
        }
        if !bed.path(NAME).exists() {
            content().iter().for_each(|(path, content)| bed.write(&format!("{NAME}/{path}"), content));
        }
        match self {
            Job::Put => empty(bed),
            Job::PutOver => {
                empty(bed);
                content().keys().for_each(|path| store(bed, &format!("{NAME}/{path}"), OLD));
            }
            Job::PutFile => {
                empty(bed);
                store(bed, FILE, OLD);
            }
            Job::Get | Job::GetOver => {
                if bed.stored_keys().is_empty() {
                    bed.ok(["put", NAME, "--part-size", "5MiB"]);
                }
                if self == Job::GetOver {
                    content().keys().for_each(|path| bed.write(&format!("got/{path}"), OLD));
                }
            }
            Job::GetFile => {
                if bed.stored_keys().is_empty() {
                    bed.ok(["put", "epoch_1/model.bin", FILE, "--part-size", "5MiB"]);
                }
                bed.write("got.bin", OLD);
            }
            Job::Remove => {
                bed.ok(["put", NAME, "--part-size", "5MiB"]);
            }
            Job::Prune => {
                empty(bed);
                bed.ok(["put", NAME, "--part-size", "5MiB"]);
                bed.ok(["put", NAME, NEWER, "--part-size", "5MiB"]);
            }
            Job::PutAndPrune => {
                empty(bed);
                bed.ok(["put", NAME, "--part-size", "5MiB"]);
            }
        }
    }

    /// Whenever the command ended, and however: a final name holds the whole of one content or of the other.
    pub(crate) fn assert_whole(self, bed: &Bed, when: &str) {
        let new = content();
        let is_whole = |path: &str, there: &[u8], old: bool| there == new[path] || old && there == OLD;
        match self {
            Job::Prune | Job::PutAndPrune => {
                let listed = bed.ok(["ls", "--json"]).json_lines();
                let state = |name: &str| {
                    let line = listed.iter().find(|line| line["name"] == name);
                    line.map_or("none", |line| line["state"].as_str().unwrap())
                };
                let states = (state(NAME), state(NEWER));
                match (self, states) {
                    // Nothing goes before the newer one is there.
                    (Job::PutAndPrune, ("complete", "none" | "partial")) => assert_back(bed, NAME, when),
                    (_, ("complete" | "partial" | "none", "complete")) => assert_back(bed, NEWER, when),
                    _ => panic!("{when}: {states:?}"),
                }
            }
            Job::Put | Job::PutOver | Job::Remove => {
                for (path, there) in stored(bed) {
                    if let Some(path) = path.strip_prefix("epoch_1/").filter(|path| !path.starts_with(".strata/")) {
                        assert!(is_whole(path, &there, self == Job::PutOver), "{when}: {path} is neither");
                    }
                }
                let is_committed = bed.stored_keys().contains(&format!("{NAME}/.strata/manifest.json"));
                if is_committed {
                    assert_back(bed, NAME, when);
                }
                let listed = bed.ok(["ls", "--json"]).json_lines();
                let states: Vec<_> = listed.iter().filter(|line| line["name"] == NAME).collect();
                assert!(states.iter().all(|line| line["state"] != "damaged"), "{when}: {listed:?}");
                assert_eq!(states.iter().any(|line| line["state"] == "complete"), is_committed, "{when}: {listed:?}");
            }
            Job::PutFile => {
                let there = &stored(bed)[FILE];
                assert!(is_whole(FILE, there, true), "{when}: {FILE} is neither, {} bytes", there.len());
            }
            Job::Get => {
                if bed.path("got").exists() {
                    assert!(files_below(&bed.path("got")) == *new, "{when}: a part of a checkpoint has its final name");
                }
            }
            Job::GetOver => {
                for (path, there) in got(bed) {
                    assert!(is_whole(&path, &there, true), "{when}: {path} is neither, {} bytes", there.len());
                }
            }
            Job::GetFile => {
                let there = bed.read("got.bin");
                assert!(is_whole(FILE, &there, true), "{when}: it is neither, {} bytes", there.len());
            }
        }
    }

    /// After the command was run again; `nameless` uploads were begun a moment before it was killed.
    pub(crate) fn assert_done(self, bed: &Bed, again: &Said, nameless: usize, when: &str) {
        // Somebody whose removal was killed at its last word learns that nothing is there any more.
        let codes: &[i32] = if self == Job::Remove { &[0, 4] } else { &[0] };
        assert!(again.code.is_some_and(|code| codes.contains(&code)), "{when}: {:?} {}", again.code, again.stderr);
        match self {
            Job::Put | Job::PutOver => assert_back(bed, NAME, when),
            Job::PutFile => assert!(stored(bed)[FILE] == content()[FILE], "{when}"),
            Job::Get | Job::GetOver => assert!(got(bed) == *content(), "{when}"),
            Job::GetFile => assert!(bed.read("got.bin") == content()[FILE], "{when}"),
            Job::Remove => assert!(stored(bed).is_empty(), "{when}"),
            Job::Prune | Job::PutAndPrune => {
                // What is left of a removal that was cut short is no checkpoint that the same command would see again.
                bed.ok(["rm", "--partial", "--yes"]);
                assert_back(bed, NEWER, when);
                let newer = |key: &String| key.strip_prefix(NEWER).is_some_and(|path| path.starts_with('/'));
                assert!(stored(bed).keys().all(newer), "{when}: {:?}", bed.stored_keys());
            }
        }
        let left = leftovers(bed);
        assert!(left.len() <= nameless, "{when}: {left:?} left behind");
    }
}

/// Uploads of which only the server knows: it had begun them, and the line that names them was not written yet. That is
/// one call long, and what a lifecycle rule is for, since listing uploads takes a permission that we do without.
pub(crate) fn nameless_uploads(bed: &Bed) -> usize {
    let is_named = files_below(&bed.path("home/.local"))
        .values()
        .any(|journal| String::from_utf8_lossy(journal).contains("\"did\":\"upload\""));
    bed.bucket_or_none().filter(|_| !is_named).map_or(0, |bucket| bucket.uploads().len())
}

/// Partial files, journals and uploads.
pub(crate) fn leftovers(bed: &Bed) -> Vec<String> {
    let uploads = bed.bucket_or_none().map(|bucket| bucket.uploads()).unwrap_or_default();
    let all = walkdir::WalkDir::new(bed.path("")).into_iter().map(|entry| entry.unwrap().path().display().to_string());
    let partial = all.filter(|path| path.contains(".strata-partial"));
    uploads.into_iter().chain(bed.journals()).chain(partial).collect()
}

fn assert_back(bed: &Bed, name: &str, when: &str) {
    let said = bed.run(["get", name, "back", "-q"]);
    assert_eq!(said.code, Some(0), "{when}: {}", said.stderr);
    assert!(files_below(&bed.path("back")) == *content(), "{when}: what comes back is not what was put");
    fs::remove_dir_all(bed.path("back")).unwrap();
}

/// What another tool would do to the store.
fn empty(bed: &Bed) {
    match bed.bucket_or_none() {
        Some(bucket) => bucket.object_keys().iter().for_each(|key| bucket.delete(key)),
        None => {
            let _ = fs::remove_dir_all(bed.path("checkpoints"));
        }
    }
}

fn store(bed: &Bed, key: &str, content: &[u8]) {
    match bed.bucket_or_none() {
        Some(bucket) => bucket.write(key, content),
        None => bed.write(&format!("checkpoints/{key}"), content),
    }
}

fn got(bed: &Bed) -> BTreeMap<String, Vec<u8>> {
    named(files_below(&bed.path("got")))
}

fn stored(bed: &Bed) -> BTreeMap<String, Vec<u8>> {
    named(match bed.bucket_or_none() {
        Some(bucket) => bucket.object_keys().into_iter().map(|key| (key.clone(), bucket.read(&key))).collect(),
        None => files_below(&bed.path("checkpoints")),
    })
}

/// What has its final name.
fn named(mut all: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    all.retain(|key, _| !key.contains(".strata-partial"));
    all
}
