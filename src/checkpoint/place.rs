//! Where the files of a checkpoint go: into a directory that is there, or into a new one that is filled beside its place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::body::blocking;
use crate::destination::{Destination, Partial, exists};
use crate::disk::{Directory, partial_name};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Journal, Record, name_of};
use crate::key;
use crate::transfer::{Overwrite, Transfer, can_go_on};

/// One of the files.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    /// Below the checkpoint, with `/`.
    pub(super) path: String,
    /// It is fetched in several ranges, so that its partial file is worth going on with.
    pub(super) has_ranges: bool,
}

/// Where the files go.
#[derive(Debug)]
pub(super) struct Place {
    transfer: Transfer,
    /// The checkpoint.
    name: String,
    members: Arc<[Member]>,
    root: Directory,
    shown: PathBuf,
    new: Option<New>,
}

/// A directory that is not in its place yet.
#[derive(Debug)]
struct New {
    partial: Partial,
    journal: Option<Journal>,
}

impl Place {
    /// Looks at the destination before anything is fetched.
    pub(super) async fn prepare(
        transfer: &Transfer,
        name: &str,
        destination: &Path,
        members: Vec<Member>,
        overwrite: Overwrite,
    ) -> Result<Self> {
        let (transfer, name, shown) = (transfer.clone(), name.to_owned(), destination.to_owned());
        blocking(move || match std::fs::metadata(&shown) {
            Ok(there) if there.is_dir() => Place::existing(transfer, name, shown, members.into(), overwrite),
            Ok(_) => Err(Error::new(
                ErrorKind::Exists,
                format!("'{}' is a file; a checkpoint is a directory", shown.display()),
            )
            .hint_is("choose another destination")),
            Err(_) => Place::beside(transfer, name, shown, members.into()),
        })
        .await
    }

    fn existing(
        transfer: Transfer,
        name: String,
        shown: PathBuf,
        members: Arc<[Member]>,
        overwrite: Overwrite,
    ) -> Result<Self> {
        let opened = Directory::open(&shown);
        let root = opened.map_err(|error| Error::local(format!("look into '{}'", shown.display()), error))?;
        let place = Place { transfer, name, members, root, shown, new: None };
        for member in &*place.members {
            // A link or a file where a directory is needed is told before anything is fetched.
            let to = place.destination(&member.path);
            if to.look()?.is_some() && overwrite == Overwrite::Refuse {
                return Err(exists(&to.shown()));
            }
        }
        Ok(place)
    }

    /// Claims the directory beside the place, and what an earlier run of the same get left in it.
    fn beside(transfer: Transfer, name: String, shown: PathBuf, members: Arc<[Member]>) -> Result<Self> {
        let to = Destination::At(shown.clone());
        let subject = transfer.subject_of_get(&name, &to);
        let (partial, root) = to.partial_directory(&name_of(&subject))?;
        let runtime = transfer.store().runtime().clone();
        let journal = match partial.is_found_again() {
            true => Journal::open(&runtime, &subject).map(|(journal, _)| journal),
            false => None,
        };
        if let Some(journal) = &journal {
            // Says where the files are. What of them is there says their own journals, and the manifest.
            let partial = partial.path();
            journal.restart(&Record::Download { partial, size: 0, part_size: 0, etag: None, checksum: None });
        }
        let place = Place { transfer, name, members, root, shown, new: Some(New { partial, journal }) };
        place.clear(runtime.resume).map_err(|error| place.failed(error))?;
        Ok(place)
    }

    /// Where one of the files goes.
    pub(super) fn destination(&self, path: &str) -> Destination {
        Destination::Below { root: self.root.clone(), shown: self.shown.clone(), path: path.to_owned() }
    }

    /// All files are there: a new directory gets its name, where nothing has it.
    pub(super) async fn finish(mut self) -> Result<()> {
        blocking(move || {
            let Some(New { partial, journal }) = self.new.take() else {
                // Of a get that was killed when the directory had its name, or before somebody else made one.
                self.transfer.forget_earlier(&self.name, &Destination::At(self.shown.clone()));
                return Ok(());
            };
            let outcome = match self.seal().map_err(|error| self.failed(error)) {
                Ok(()) => partial.commit(true),
                Err(error) => {
                    drop(partial);
                    Err(error)
                }
            };
            // The directory has its name, or is gone.
            if let Some(journal) = journal {
                journal.remove();
            }
            outcome
        })
        .await
    }

    /// The get failed with `error`, which comes back: keeps what the same command can go on with later.
    pub(super) async fn end(mut self, error: Error) -> Error {
        if can_go_on(error.kind()) {
            return error;
        }
        let cleaned = blocking(move || {
            for member in self.members.iter().filter(|member| member.has_ranges) {
                self.transfer.forget_earlier(&member.key, &self.destination(&member.path));
            }
            if let Some(New { partial, journal }) = self.new.take() {
                drop(partial);
                journal.into_iter().for_each(|journal| journal.remove());
            }
            Ok(())
        });
        let _ = cleaned.await;
        error
    }

    /// Nothing is in the new directory but the files, and all of them last.
    fn seal(&self) -> std::io::Result<()> {
        let files: BTreeSet<&Path> = self.members.iter().map(|member| Path::new(&member.path)).collect();
        self.root.clear(&|path| files.contains(path))?;
        let directories: BTreeSet<&str> = self.members.iter().flat_map(|member| key::ancestors(&member.path)).collect();
        for directory in directories {
            let mut names = Path::new(directory).iter();
            names.try_fold(self.root.clone(), |above, name| above.child(name, false))?.sync()?;
        }
        Ok(())
    }

    /// Removes what is not of these files: an older checkpoint of the same name may have had others. True where nothing
    /// is left.
    fn clear(&self, resume: bool) -> std::io::Result<bool> {
        let mut kept = BTreeSet::new();
        for member in self.members.iter().filter(|_| resume) {
            let path = PathBuf::from(&member.path);
            if member.has_ranges {
                let subject = self.transfer.subject_of_get(&member.key, &self.destination(&member.path));
                kept.insert(path.with_file_name(partial_name(key::file_name(&member.path), &name_of(&subject))));
            }
            kept.insert(path);
        }
        self.root.clear(&|path| kept.contains(path))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        let error = Error::local(format!("write '{}'", self.shown.display()), error);
        match error.kind() {
            ErrorKind::NotFound => error.kind_is(ErrorKind::LocalIo),
            _ => error,
        }
    }
}

impl Drop for Place {
    /// Also where the get is dropped in the middle, like one that is interrupted.
    fn drop(&mut self) {
        let Some(New { partial, journal }) = self.new.take() else { return };
        match journal {
            Some(journal) if !self.clear(true).unwrap_or(false) => {
                journal.flush();
                partial.keep();
            }
            journal => {
                drop(partial);
                journal.into_iter().for_each(|journal| journal.remove());
            }
        }
    }
}
