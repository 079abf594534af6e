//! An object into a file: ranges written in place into a partial file beside the destination, verified, then renamed.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::backend::ObjectMeta;
use crate::body::blocking;
use crate::checksum::Crc64;
use crate::destination::{Destination, There, exists};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::journal::{Journal, Record, name_of};
use crate::key;
use crate::lane;
use crate::plan::Plan;

use super::landing::Landing;
use super::source::checksums;
use super::upload::threads;
use super::verify::Foreign;
use super::{GetOptions, Got, Overwrite, Transfer};

/// What the object must turn out to be.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Size, and the ranges that are fetched.
    pub(crate) plan: Plan,
    /// Of the whole.
    pub(crate) checksum: Option<Crc64>,
    /// Of the whole as well, where there is no `checksum`.
    pub(crate) foreign: Option<Foreign>,
    /// Of each range of the plan; empty where they are not known.
    pub(crate) parts: Vec<Crc64>,
    /// The ETag that every range must belong to.
    pub(crate) pin: Option<String>,
}

impl Expected {
    /// Of the range with this number, from 1, where it is known.
    pub(super) fn sum_of(&self, number: u32) -> Option<Crc64> {
        self.parts.get(number as usize - 1).copied()
    }

    /// There is something to compare the content with.
    pub(crate) fn is_verifiable(&self) -> bool {
        self.checksum.is_some() || self.foreign.is_some()
    }
}

impl Transfer {
    /// Gets one object as a file, and the directories above it. The destination changes only when everything is there
    /// and verified; where it already has the same content, nothing is fetched. A link at the destination is replaced,
    /// not followed.
    ///
    /// With a [`state_dir`](crate::RuntimeConfig::state_dir), a get that ends early leaves its partial file, and the
    /// next one of the same key to the same destination fetches only what is missing; otherwise it leaves nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without the object; [`ErrorKind::Exists`] under [`Overwrite::Refuse`];
    /// [`ErrorKind::Integrity`] when the bytes are not the stored ones, or the object is replaced meanwhile;
    /// [`ErrorKind::LocalIo`] when the file cannot be written.
    pub async fn get_file(&self, key: &str, destination: &Path, options: &GetOptions) -> Result<Got> {
        key::check(key)?;
        let meta = self.store().head(key).await?;
        self.get_object(&meta, destination, options).await
    }

    /// [`get_file`](Self::get_file) of an object that was looked up already.
    ///
    /// # Errors
    /// As there; [`ErrorKind::Integrity`] as well when it was replaced since.
    pub async fn get_object(&self, object: &ObjectMeta, destination: &Path, options: &GetOptions) -> Result<Got> {
        key::check(&object.key)?;
        let expected = self.expect(object, self.ranges_of(object.size)).await?;
        self.tell(&Event::Planned { files: 1, bytes: object.size });
        self.fetch(&object.key, &expected, &Destination::At(destination.to_owned()), options).await
    }

    /// Fetches an object of which it is known what it must be.
    pub(crate) async fn fetch(
        &self,
        key: &str,
        expected: &Expected,
        destination: &Destination,
        options: &GetOptions,
    ) -> Result<Got> {
        if let Some(got) = self.already_here(key, expected, destination, options).await? {
            let (transfer, key, destination) = (self.clone(), key.to_owned(), destination.clone());
            return blocking(move || {
                transfer.forget_earlier(&key, &destination);
                Ok(got)
            })
            .await;
        }
        self.check_verifiable(key, expected, options)?;
        self.fetch_new(key, expected, destination, options.overwrite).await
    }

    /// What stands for a get in its journal and in the name of its partial file.
    pub(crate) fn subject_of_get(&self, key: &str, destination: &Destination) -> Vec<String> {
        let destination = destination.absolute().to_string_lossy().into_owned();
        vec!["get".to_owned(), self.store().endpoint(), self.store().uri(key), destination]
    }

    /// Removes what an earlier get of this object left, unless another process is at it. May block.
    pub(crate) fn forget_earlier(&self, key: &str, destination: &Destination) {
        let subject = self.subject_of_get(key, destination);
        destination.forget_partial(&name_of(&subject));
        Journal::forget(self.store().runtime(), &subject);
    }

    async fn fetch_new(&self, key: &str, expected: &Expected, to: &Destination, overwrite: Overwrite) -> Result<Got> {
        if self.is_given_up() {
            return Err(Error::cancelled().action("get").on(key));
        }
        let (subject, destination) = (self.subject_of_get(key, to), to.clone());
        let (runtime, object) = (self.store().runtime().clone(), expected.clone());
        // Awaited whatever happens meanwhile, as is the commit: a thread that is left alone with them would make or
        // rename a file after everybody else has cleaned up.
        let landing = blocking(move || Landing::open(&runtime, &subject, &object, &destination)).await?;
        if landing.was_replaced {
            let message =
                format!("'{key}' was replaced in the store since the get that was interrupted: starting over");
            self.tell(&Event::Warning { message: &message });
        }
        let fetching = async {
            let checksum = self.fetch_ranges(key, expected, &landing).await?;
            self.verify_file(key, expected, checksum, &landing.file, &landing.name).await?;
            Ok(checksum)
        };
        let fetched = self.unless_given_up("get", key, fetching).await;
        let checksum = match fetched {
            Ok(checksum) => checksum,
            Err(error) => {
                lane::settled().await;
                return blocking(move || {
                    landing.end(&error);
                    Err(error)
                })
                .await;
            }
        };
        blocking(move || landing.commit(overwrite == Overwrite::Refuse)).await?;
        let size = expected.plan.size();
        self.tell(&Event::FileDone { key, bytes: size, moved: true });
        Ok(Got { size, checksum, verified: expected.is_verifiable(), moved: true })
    }

    /// Fetches every range that is missing into the file; the checksum of the whole.
    async fn fetch_ranges(&self, key: &str, expected: &Expected, landing: &Landing) -> Result<Crc64> {
        let mut sums: Vec<(u32, Crc64, u64)> = stream::iter(landing.plan.ranges())
            .map(|(part, range)| {
                async move {
                    let len = range.end - range.start;
                    if let Some(earlier) = self.fetched_before(key, part.number, &range, expected, landing).await? {
                        return Ok::<_, Error>((part.number, earlier, len));
                    }
                    let _slot = self.flow.slot().await?;
                    landing.note(Record::Started { part: part.number }).await?;
                    let checksum = self.fetch_range(key, part.number, range, expected, landing).await?;
                    landing.note(Record::Range { range: part.number, checksum }).await?;
                    Ok((part.number, checksum, len))
                }
                .boxed()
            })
            .buffer_unordered(self.store().runtime().in_flight())
            .try_collect()
            .await?;
        sums.sort_unstable_by_key(|(number, ..)| *number);
        Ok(sums.iter().fold(Crc64::EMPTY, |whole, (_, sum, len)| whole.combine(*sum, *len)))
    }

    /// The checksum of a range that an earlier run left in the file, read back and compared with what the run noted
    /// and, where it is known, with what it must be.
    async fn fetched_before(
        &self,
        key: &str,
        number: u32,
        range: &Range<u64>,
        expected: &Expected,
        landing: &Landing,
    ) -> Result<Option<Crc64>> {
        let sum = expected.sum_of(number);
        let Some(recorded) = landing.recorded(number).filter(|recorded| sum.is_none_or(|sum| sum == *recorded)) else {
            return Ok(None);
        };
        let (file, name, range) = (landing.file.clone(), landing.name.clone(), range.clone());
        let bytes = range.end - range.start;
        if !blocking(move || Ok(Landing::is_there(&file, &name, &range, recorded))).await? {
            return Ok(None);
        }
        self.tell(&Event::Resumed { key, bytes });
        Ok(Some(recorded))
    }

    /// What a get would answer if the destination has the content already.
    async fn already_here(
        &self,
        key: &str,
        expected: &Expected,
        destination: &Destination,
        options: &GetOptions,
    ) -> Result<Option<Got>> {
        let place = destination.clone();
        let Some(there) = blocking(move || place.look()).await? else { return Ok(None) };
        let shown = destination.shown();
        if matches!(there, There::Directory | There::Special) {
            let what = if there == There::Directory { "a directory" } else { "no regular file" };
            return Err(Error::new(ErrorKind::Exists, format!("'{}' is {what}", shown.display()))
                .action("get")
                .on(key)
                .hint_is("choose another destination; - writes to stdout"));
        }
        if options.overwrite == Overwrite::Refuse {
            return Err(exists(&shown).action("get").on(key));
        }
        let size = expected.plan.size();
        if !expected.is_verifiable() || there != (There::File { size }) {
            return Ok(None);
        }
        let (place, name): (_, Arc<str>) = (destination.clone(), shown.to_string_lossy().into());
        let comparing = async {
            let file = blocking(move || place.open()).await?;
            let file = Arc::new(file.ok_or_else(|| Error::new(ErrorKind::NotFound, "it was removed meanwhile"))?);
            let checksum = checksums(&file, &name, expected.plan, threads()).await?.1;
            self.verify_file(key, expected, checksum, &file, &name).await.map(|()| checksum)
        };
        let Ok(checksum) = self.unless_given_up("get", key, comparing).await else { return Ok(None) };
        self.tell(&Event::FileDone { key, bytes: size, moved: false });
        Ok(Some(Got { size, checksum, verified: true, moved: false }))
    }

    /// Warns, or fails where the caller requires it, when there is no checksum to compare with.
    pub(super) fn check_verifiable(&self, key: &str, expected: &Expected, options: &GetOptions) -> Result<()> {
        if expected.is_verifiable() {
            return Ok(());
        }
        if options.require_checksum {
            return Err(Error::new(ErrorKind::Integrity, "the store holds no checksum of it")
                .action("verify")
                .on(key)
                .hint_is("leave out --require-checksum to compare only size and ETag"));
        }
        let message = format!("the store holds no checksum of '{key}': only its size and ETag are compared");
        self.tell(&Event::Warning { message: &message });
        Ok(())
    }
}

pub(super) fn mismatch(key: &str) -> Error {
    Error::new(ErrorKind::Integrity, "the bytes do not have the checksum that was stored with them")
        .action("get")
        .on(key)
        .hint_is("the stored object is damaged, or the way to it is: try again, then another checkpoint")
}
