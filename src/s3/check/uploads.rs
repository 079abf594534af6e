//! Uploads in parts, completed and aborted, and ranges of what they made.

use bytes::Bytes;

use super::rights::OBJECT;
use super::{Doctor, SMALL, fresh_bytes};
use crate::backend::{Part, PartReceipt, Precondition, Stored, UploadId, WriteOptions};
use crate::body::PartBody;
use crate::config::{MIB, PATIENT_CANCEL_GRACE};
use crate::error::{Error, ErrorKind, Result};
use crate::s3::memory::Crc64Known;
use crate::s3::payload::Payload;
use crate::s3::sums::SPARE;
use crate::s3::upload::part_request;
use crate::s3::{complete, get, put, upload};

/// The smallest part that S3 takes before the last one
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PART: usize = 5 * MIB as usize;

impl Doctor<'_> {
    pub(super) async fn multipart_and_ranges(&mut self) -> Result<()> {
        const NAME: &str = "multipart";
        let needs = [
            (self.held.put, "s3:PutObject"),
            (self.held.abort, "s3:AbortMultipartUpload"),
            (self.held.delete, "s3:DeleteObject"),
            // By which the end of an upload is proved.
            (self.held.get, "s3:GetObject"),
        ];
        if let Some(why) = self.lacking(&needs) {
            self.sheet.skip(NAME, why);
            return self.ranges(None).await;
        }
        let key = self.scratch.place("parts");
        // What would stay for good is kept small.
        let stays = self.client.learnt.versions.any_seen() && !self.held.versions_go;
        let parts = if stays { vec![fresh_bytes(SMALL)] } else { vec![fresh_bytes(PART), fresh_bytes(SMALL)] };
        let made = self.upload(&key, &parts, Precondition::None).await?;
        let aborted = match &made {
            Ok(_) => self.begin_and_abort().await?,
            Err(_) => Ok(()),
        };
        match made.and(aborted) {
            Ok(()) => {
                let detail = match stays {
                    true => {
                        "an object of one small part was put together, since it stays as an old version, and an upload was aborted"
                    }
                    false => "an object of two parts was put together, and an upload was aborted",
                };
                self.sheet.good(NAME, detail);
                self.ranges(Some((key, parts.concat().into()))).await
            }
            Err(error) => {
                self.sheet.bad(NAME, &error);
                self.ranges(None).await
            }
        }
    }

    /// An object of several parts; given up where it fails.
    ///
    /// # Errors
    /// The outer one only where the caller's token fires.
    pub(super) async fn upload(
        &mut self,
        path: &str,
        parts: &[Bytes],
        precondition: Precondition,
    ) -> Result<Result<Stored>> {
        let client = self.client.clone();
        let options = WriteOptions::under(precondition);
        let id = match self.begin(path, &options).await? {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        let note = match self.note(path, &id).await? {
            Ok(note) => note,
            Err(error) => return Ok(Err(error)),
        };
        let work = async {
            let mut receipts: Vec<PartReceipt> = Vec::with_capacity(parts.len());
            let mut offset = 0;
            for (number, bytes) in (1..).zip(parts) {
                let body = PartBody::from_bytes(bytes.clone());
                let part = Part { number, offset };
                receipts.push(upload::put_part(&client, path, &id, part, &body).await?);
                offset += bytes.len() as u64;
            }
            complete::complete(&client, path, &id, &receipts, &options).await
        };
        let outcome = self.unless_cancelled(work).await?;
        if outcome.is_err() {
            // Where that fails it is tried once more at the end.
            if upload::abort(&client, path, &id).await.is_err() {
                return Ok(outcome);
            }
        }
        if let Ok(stored) = &outcome {
            client.learnt.versions.size_is(&client.full_key(path)?, stored.size);
        }
        self.scratch.ended(path, &id);
        self.scratch.forget(&note).await;
        Ok(outcome)
    }

    /// Notes an upload in the store; its name there. An upload that cannot be noted gets no part, and is aborted at the end.
    async fn note(&mut self, path: &str, id: &UploadId) -> Result<Result<String>> {
        let (key, json) = self.scratch.note_of(path, id);
        let body = PartBody::from_bytes(json);
        let options = WriteOptions::replace();
        Ok(self.unless_cancelled(put::put(&self.client, &key, &body, &options)).await?.map(|_| key))
    }

    /// The id is waited for a little longer than the caller's token allows: who does not know it can abort nothing.
    async fn begin(&mut self, path: &str, options: &WriteOptions) -> Result<Result<UploadId>> {
        let client = self.client.clone();
        let beginning = upload::begin(&client, path, options);
        tokio::pin!(beginning);
        let begun = tokio::select! {
            biased;
            begun = &mut beginning => Ok(begun),
            () = self.cancel.cancelled() => Err(Error::cancelled()),
        };
        match begun {
            Ok(begun) => Ok(begun.inspect(|id| self.scratch.begun(path, id))),
            Err(cancelled) => {
                if let Ok(Ok(id)) = tokio::time::timeout(PATIENT_CANCEL_GRACE, beginning).await {
                    self.scratch.begun(path, &id);
                }
                Err(cancelled)
            }
        }
    }

    /// An upload with one part that comes to nothing; beside it, whether a wrong Content-MD5 is refused with parts.
    async fn begin_and_abort(&mut self) -> Result<Result<()>> {
        let client = self.client.clone();
        let path = self.scratch.place("aborted");
        let id = match self.begin(&path, &WriteOptions::replace()).await? {
            Ok(id) => id,
            Err(error) => return Ok(Err(error)),
        };
        let note = match self.note(&path, &id).await? {
            Ok(note) => note,
            Err(error) => return Ok(Err(error)),
        };
        let body = PartBody::from_bytes(fresh_bytes(SMALL));
        let sending = async {
            upload::put_part(&client, &path, &id, Part { number: 1, offset: 0 }, &body).await?;
            // Where CRC-64 is kept, a part may be refused for want of it.
            if client.learnt.sums.found().0 != Some(Crc64Known::Kept) {
                let full = client.full_key(&path)?;
                client.heeds_md5(&part_request(&client, &full, &id, 1, Payload::Bytes(SPARE.into()))?).await;
            }
            upload::abort(&client, &path, &id).await
        };
        let outcome = self.unless_cancelled(sending).await?;
        if outcome.is_ok() {
            self.scratch.ended(&path, &id);
            self.scratch.forget(&note).await;
        }
        Ok(outcome)
    }

    /// Exactly the bytes that were asked for, of the object in parts or of the small one.
    async fn ranges(&mut self, large: Option<(String, Bytes)>) -> Result<()> {
        const NAME: &str = "ranges";
        let client = self.client.clone();
        let there = self.held.put && self.held.delete;
        if let Some(why) = self.lacking(&[(self.held.get, "s3:GetObject"), (there, "an object to read from")]) {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        // Across the border of two parts, where there are two.
        let (key, content, range) = match large {
            Some((key, content)) if content.len() > PART => (key, content, PART - 500..PART + 500),
            Some((key, content)) => (key, content, 100..200),
            None => (self.scratch.place(OBJECT), self.object.clone(), 100..200),
        };
        let expected = content.slice(range.clone());
        let asked = range.start as u64..range.end as u64;
        let read = client.call("read", &key, || async {
            get::open(&client, &key, Some(asked.clone()), None).await?.collect().await
        });
        match self.unless_cancelled(read).await? {
            Ok(got) if got == expected => {
                self.sheet.good(NAME, "exactly the bytes that were asked for");
            }
            Ok(_) => {
                let differs = Error::new(ErrorKind::Integrity, "other bytes came back than lie there");
                self.sheet.bad(NAME, &differs.hint_is("do not use this store before its server is repaired"));
            }
            Err(error) => self.sheet.bad(NAME, &error),
        }
        Ok(())
    }
}
