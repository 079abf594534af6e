//! A listing folded into checkpoints and plain files as it comes, so that no more of it is held than what is not decided
//! yet. Keys come in the order of their bytes: all that lies below a name comes together, and what says that the name is
//! a checkpoint (`.strata/`) comes before nearly all of it.

use std::mem::take;
use std::time::SystemTime;

use crate::backend::ObjectMeta;
use crate::key;

use super::claim::Claim;

/// An object that belongs to no checkpoint, or is not known to yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainFile {
    /// Its key.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Option<SystemTime>,
}

/// All that lies below the name of a checkpoint.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) manifest: Option<Mark>,
    pub(super) claim: Option<Mark>,
    /// Paths below the name of what ranks keep there.
    pub(super) ranks: Vec<String>,
    pub(super) objects: Vec<PlainFile>,
}

/// A manifest or a claim is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) modified: Option<SystemTime>,
}

/// What comes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Folded {
    Group(Group),
    Plain(PlainFile),
}

/// The directories above the last key, and what is decided. An object belongs to the innermost committed checkpoint above
/// it, even where an unfinished put lies between; where there is none, to the innermost unfinished one.
#[derive(Debug, Default)]
pub(super) struct Fold {
    open: Vec<Directory>,
    decided: Vec<Folded>,
}

/// A directory whose end has not come.
#[derive(Debug, Default)]
struct Directory {
    /// Its objects, and those below it that may turn out to be.
    group: Group,
    /// Unfinished puts below it, which are part of it if it turns out to be committed.
    unfinished: Vec<Group>,
    /// Neither manifest nor claim can come any more.
    settled: bool,
}

/// To whom what lies below a directory belongs.
enum Owner {
    /// The open directory of this index.
    Open(usize),
    /// Not known before more has come.
    Undecided,
    Nobody,
}

impl Fold {
    /// The next object, in the order of keys.
    pub(super) fn push(&mut self, object: ObjectMeta) {
        let ObjectMeta { key, size, modified, .. } = object;
        while self.open.last().is_some_and(|directory| below(&directory.group.name, &key).is_none()) {
            self.close();
        }
        let (name, own) = own_of(&key);
        let parents: Vec<&str> = match own {
            Some(_) => key::ancestors(name).chain([name]).collect(),
            None => key::ancestors(&key).collect(),
        };
        for parent in parents.iter().skip(self.open.len()) {
            let group = Group { name: (*parent).to_owned(), ..Group::default() };
            self.open.push(Directory { group, ..Directory::default() });
        }
        let last_own = &Claim::key("")[1..];
        for directory in &mut self.open {
            directory.settled |= below(&directory.group.name, &key).is_some_and(|path| path > last_own);
        }
        let is_ours = key::check(&key).is_err() && key.split('/').any(|part| part == key::RESERVED_DIRECTORY);
        match (own, self.open.get_mut(parents.len().wrapping_sub(1))) {
            (Some(Own::Manifest), Some(Directory { group, .. })) => group.manifest = Some(Mark { modified }),
            (Some(Own::Claim), Some(Directory { group, .. })) => group.claim = Some(Mark { modified }),
            (Some(Own::Rank), Some(Directory { group, .. })) => group.ranks.push(key[name.len() + 1..].to_owned()),
            _ if is_ours => {}
            (_, _) => self.assign(self.open.len(), vec![PlainFile { key, size, modified }]),
        }
    }

    /// What is decided since the last call.
    pub(super) fn decided(&mut self) -> Vec<Folded> {
        take(&mut self.decided)
    }

    /// Nothing more comes: the rest.
    pub(super) fn end(mut self) -> Vec<Folded> {
        while !self.open.is_empty() {
            self.close();
        }
        self.decided
    }

    /// The innermost directory has come to its end.
    fn close(&mut self) {
        let Some(Directory { mut group, unfinished, .. }) = self.open.pop() else { return };
        let depth = self.open.len();
        if group.manifest.is_some() {
            for mut inner in unfinished {
                group.objects.append(&mut inner.objects);
                self.decided.push(Folded::Group(inner));
            }
            self.decided.push(Folded::Group(group));
        } else if group.claim.is_some() {
            self.place(depth, unfinished.into_iter().chain([group]).collect());
        } else {
            self.place(depth, unfinished);
            self.assign(depth, group.objects);
        }
    }

    /// Files that lie below the outermost `depth` open directories.
    fn assign(&mut self, depth: usize, mut files: Vec<PlainFile>) {
        let home = match self.owner(depth) {
            Owner::Open(owner) => owner,
            // Below one that is open, or it would be decided.
            Owner::Undecided => depth - 1,
            Owner::Nobody => {
                return self.decided.extend(files.into_iter().map(Folded::Plain));
            }
        };
        self.open[home].group.objects.append(&mut files);
    }

    /// Unfinished puts that lie below the outermost `depth` open directories.
    fn place(&mut self, depth: usize, mut groups: Vec<Group>) {
        match self.owner(depth) {
            Owner::Open(owner) if self.open[owner].group.manifest.is_some() => {
                for group in &mut groups {
                    self.open[owner].group.objects.append(&mut group.objects);
                }
                self.decided.extend(groups.into_iter().map(Folded::Group));
            }
            Owner::Undecided => self.open[depth - 1].unfinished.append(&mut groups),
            Owner::Open(_) | Owner::Nobody => self.decided.extend(groups.into_iter().map(Folded::Group)),
        }
    }

    fn owner(&self, depth: usize) -> Owner {
        let above = || self.open[..depth].iter().enumerate().rev();
        for (index, directory) in above() {
            if directory.group.manifest.is_some() {
                return Owner::Open(index);
            } else if !directory.settled {
                return Owner::Undecided;
            }
        }
        let unfinished = above().find(|(_, directory)| directory.group.claim.is_some());
        unfinished.map_or(Owner::Nobody, |(index, _)| Owner::Open(index))
    }
}

/// What strata-ckpt keeps below a checkpoint's name.
#[derive(Clone, Copy)]
enum Own {
    Manifest,
    Claim,
    Rank,
}

/// The checkpoint's name where the key is one of its own objects.
fn own_of(key: &str) -> (&str, Option<Own>) {
    let ranks = format!("/{}/rank-", key::RESERVED_DIRECTORY);
    if let Some(name) = key.strip_suffix(&key::manifest_of("")) {
        (name, Some(Own::Manifest))
    } else if let Some(name) = key.strip_suffix(&Claim::key("")) {
        (name, Some(Own::Claim))
    } else if let Some((name, _)) = key.rsplit_once(&ranks) {
        (name, Some(Own::Rank))
    } else {
        (key, None)
    }
}

fn below<'a>(name: &str, key: &'a str) -> Option<&'a str> {
    key.strip_prefix(name)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn object(key: &str) -> ObjectMeta {
        let (etag, checksum, stored, token, deviation) = (None, None, None, None, None);
        ObjectMeta { key: key.to_owned(), size: 1, etag, modified: None, checksum, stored, token, deviation }
    }

    /// The keys of each group, of plain files under `None`; ranks with a `#`.
    type Sorted = BTreeMap<Option<String>, Vec<String>>;

    fn fold(keys: &[&str]) -> Sorted {
        let mut fold = Fold::default();
        let mut all = Vec::new();
        for key in keys {
            fold.push(object(key));
            all.append(&mut fold.decided());
        }
        all.append(&mut fold.end());
        let mut sorted = Sorted::new();
        for folded in all {
            match folded {
                Folded::Plain(file) => sorted.entry(None).or_default().push(file.key),
                Folded::Group(group) => {
                    let keys = group.objects.into_iter().map(|object| object.key);
                    let ranks = group.ranks.into_iter().map(|path| format!("#{path}"));
                    let before = sorted.insert(Some(group.name), keys.chain(ranks).collect());
                    assert!(before.is_none(), "one name, one group");
                }
            }
        }
        for keys in sorted.values_mut() {
            keys.sort();
        }
        sorted
    }

    /// The rule as it reads, with the whole listing at hand.
    fn by_the_rule(keys: &[&str]) -> Sorted {
        let names = |suffix: String| keys.iter().filter_map(move |key| key.strip_suffix(&*suffix)).collect::<Vec<_>>();
        let committed = names(key::manifest_of(""));
        let named: Vec<&str> = committed.iter().copied().chain(names(Claim::key(""))).collect();
        let mut sorted: Sorted = named.iter().map(|name| (Some((*name).to_owned()), Vec::new())).collect();
        for key in keys {
            let above: Vec<&str> = key::ancestors(key).collect();
            let inside = |of: &[&str]| above.iter().rev().find(|name| of.contains(name)).map(|name| (*name).to_owned());
            if let Some((name, path)) = key.rsplit_once("/.strata/rank-") {
                if let Some(group) = sorted.get_mut(&Some(name.to_owned())) {
                    group.push(format!("#.strata/rank-{path}"));
                }
            } else if !key.split('/').any(|part| part == ".strata") {
                let owner = inside(&committed).or_else(|| inside(&named));
                sorted.entry(owner).or_default().push((*key).to_owned());
            }
        }
        for keys in sorted.values_mut() {
            keys.sort();
        }
        sorted
    }

    #[test]
    fn plain_files_are_told_at_once_and_a_checkpoint_with_its_end() {
        let mut fold = Fold::default();
        fold.push(object("a/b/x"));
        fold.push(object("c"));
        assert_eq!(fold.decided().len(), 2);
        for key in ["d/.strata/manifest.json", "d/x", "d/y"] {
            fold.push(object(key));
            assert!(fold.decided().is_empty());
        }
        fold.push(object("e"));
        assert_eq!(fold.decided().len(), 2);
        assert!(fold.end().is_empty());
    }

    #[test]
    fn files_before_the_manifest_belong_to_it() {
        let keys = ["d/!", "d/-x/+/y", "d/.a", "d/.strata/manifest.json", "d/x", "d0"];
        let sorted = fold(&keys);
        assert_eq!(sorted, by_the_rule(&keys));
        assert_eq!(sorted[&Some("d".to_owned())], ["d/!", "d/-x/+/y", "d/.a", "d/x"]);
    }

    proptest! {
        #[test]
        fn a_stream_is_folded_as_the_whole(
            keys in proptest::collection::btree_set(
                "((-|a|b|\\.a|\\.z|\\+)/){0,3}(x|-|\\.strata/manifest\\.json|\\.strata/put\\.json|\\.strata/rank-1|\\.strata/junk)",
                0..40,
            )
        ) {
            // A checkpoint has a name.
            let keys: Vec<&str> = keys.iter().map(String::as_str).filter(|key| !key.starts_with(".strata")).collect();
            prop_assert_eq!(fold(&keys), by_the_rule(&keys));
        }
    }
}
