//! What a server makes of checksums and of conditions on writes.

use super::rights::OBJECT;
use super::{Doctor, SMALL, fresh_bytes};
use crate::backend::{Precondition, WriteOptions};
use crate::body::PartBody;
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::memory::Crc64Known;
use crate::s3::payload::Payload;
use crate::s3::put;
use crate::s3::sums::{WRONG_MD5, heeds_checksum};

/// An ETag that nothing has.
const WRONG_ETAG: &str = "\"00000000000000000000000000000000\"";
const AGAIN: &str = "check again when the server answers at once; put and get go on as if nothing were known";
const ONE_WRITER: &str = "let only one process at a time put a checkpoint: the server keeps two apart by nothing";

impl Doctor<'_> {
    pub(super) async fn checksums(&mut self) -> Result<()> {
        const NAME: &str = "checksums";
        if let Some(why) = self.writes_need() {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        let (crc64, content_md5) = self.client.learnt.sums.found();
        let wrong = Crc64::of(&fresh_bytes(SMALL)).to_string();
        if crc64 == Some(Crc64Known::Kept) {
            match self.refuses("x-amz-checksum-crc64nvme", &wrong).await? {
                Ok(true) => {}
                Ok(false) => {
                    let lies = "the server confirms a CRC-64/NVME that the bytes do not have";
                    let hint = "what is damaged on its way up would not be noticed: do not use this store";
                    self.sheet.bad(NAME, &Error::new(ErrorKind::Integrity, lies).hint_is(hint));
                    return Ok(());
                }
                Err(error) => {
                    let detail = format!("whether a wrong CRC-64/NVME is refused is not known: {}", error.message());
                    self.sheet.note(NAME, detail, AGAIN);
                    return Ok(());
                }
            }
        }
        (self.facts.crc64, self.facts.content_md5) = (crc64, content_md5);
        let heeds_md5 = match content_md5 {
            None => self.refuses("content-md5", WRONG_MD5).await?.ok(),
            Some(known) => Some(known),
        };
        let md5 = match heeds_md5 {
            Some(true) => "a wrong Content-MD5 is refused",
            Some(false) => "a wrong Content-MD5 is accepted",
            None => "whether a wrong Content-MD5 is refused is not known",
        };
        let how = match crc64 {
            Some(Crc64Known::Kept) => {
                self.sheet.good(NAME, format!("CRC-64/NVME is kept and a wrong one refused; {md5}"));
                return Ok(());
            }
            Some(Crc64Known::Refused) => "CRC-64/NVME is refused",
            Some(Crc64Known::Ignored) | None => "CRC-64/NVME is not kept",
        };
        let hint = match heeds_md5 {
            None => AGAIN,
            Some(false) => {
                "the server checks nothing of what is sent; what a checkpoint's manifest names is checked when read"
            }
            Some(true) => {
                "what is stored is checked only where a checkpoint's manifest has the checksums: put directories"
            }
        };
        self.sheet.note(NAME, format!("{how}; {md5}"), hint);
        Ok(())
    }

    /// Whether an object with a header that its bytes do not fit is refused; the last error where no answer said so.
    async fn refuses(&mut self, header: &'static str, wrong: &str) -> Result<Result<bool>> {
        let key = self.scratch.place("wrong-checksum");
        let outgoing = &self.put_request(&key, &[(header, wrong)], Payload::Bytes(fresh_bytes(SMALL)))?;
        let client = self.client.clone();
        let trying = client.call("put", &key, || async {
            let outcome = client.exchange(outgoing).await.map_err(Error::from);
            match heeds_checksum(outcome.as_ref()) {
                Some(heeds) => Ok(heeds),
                None => Err(outcome.err().unwrap_or_else(|| Error::new(ErrorKind::Other, "no answer"))),
            }
        });
        self.unless_cancelled(trying).await
    }

    /// A second write that must not happen, one over something else, and both at the end of an upload.
    pub(super) async fn conditions(&mut self) -> Result<()> {
        const NAME: &str = "conditional writes";
        // A refusal is ours or another's, which only a look at the object tells.
        let get = (self.held.get, "s3:GetObject");
        if let Some(why) = self.writes_need().or_else(|| self.lacking(&[get])) {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        let key = self.scratch.place(OBJECT);
        let mut tried = Vec::with_capacity(3);
        for (what, precondition) in
            [("If-None-Match", Precondition::Absent), ("If-Match", Precondition::Match(WRONG_ETAG.to_owned()))]
        {
            let body = PartBody::from_bytes(fresh_bytes(SMALL));
            let options = WriteOptions::under(precondition);
            let written = self.unless_cancelled(put::put(&self.client, &key, &body, &options)).await?;
            tried.push((what, written));
        }
        if self.held.abort {
            let completed = self.upload(&key, &[fresh_bytes(SMALL)], Precondition::Absent).await?;
            tried.push(("If-None-Match at the end of an upload", completed));
        }
        let mut unheeded = Vec::new();
        for (what, written) in tried {
            match written {
                Err(error) if error.kind() == ErrorKind::Exists => {}
                Ok(_) => unheeded.push(what),
                Err(error) => {
                    let error = error.hint_is("directories cannot be put there: each is claimed by such a write");
                    self.sheet.bad(NAME, &error);
                    return Ok(());
                }
            }
        }
        self.facts.conditional_writes = Some(unheeded.is_empty());
        match unheeded.is_empty() {
            true => self.sheet.good(NAME, "If-None-Match and If-Match are heeded"),
            false => self.sheet.note(NAME, format!("not heeded: {}", unheeded.join(", ")), ONE_WRITER),
        }
        Ok(())
    }

    /// What is missing for checks that put objects.
    pub(super) fn writes_need(&self) -> Option<String> {
        self.lacking(&[(self.held.put, "s3:PutObject"), (self.held.delete, "s3:DeleteObject")])
    }
}
