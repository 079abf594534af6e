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

/// An ETag that nothing has.
const WRONG_ETAG: &str = "\"00000000000000000000000000000000\"";
const ONE_WRITER: &str = "let only one process at a time put a checkpoint: the server keeps two apart by nothing";

impl Doctor<'_> {
    pub(super) async fn checksums(&mut self) -> Result<()> {
        const NAME: &str = "checksums";
        if let Some(why) = self.writes_need() {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        let (crc64, content_md5) = self.client.learnt.sums.found();
        if crc64 == Some(Crc64Known::Kept) && !self.refuses_wrong_crc64().await? {
            let lies = "the server confirms a CRC-64/NVME that the bytes do not have";
            let hint = "what is damaged on its way up would not be noticed: do not use this store";
            self.sheet.bad(NAME, &Error::new(ErrorKind::Integrity, lies).hint_is(hint));
            return Ok(());
        }
        (self.facts.crc64, self.facts.content_md5) = (crc64, content_md5);
        let md5 = match content_md5 {
            Some(true) => "a wrong Content-MD5 is refused",
            Some(false) => "a wrong Content-MD5 is accepted",
            None => "Content-MD5 was not tried",
        };
        let how = match crc64 {
            Some(Crc64Known::Kept) => {
                self.sheet.good(NAME, format!("CRC-64/NVME is kept and a wrong one refused; {md5}"));
                return Ok(());
            }
            Some(Crc64Known::Refused) => "CRC-64/NVME is refused",
            Some(Crc64Known::Ignored) | None => "CRC-64/NVME is not kept",
        };
        let hint = match content_md5 {
            Some(false) => {
                "nothing that is sent is checked by the server; what a checkpoint's manifest names is checked when it is read"
            }
            _ => "what is stored is checked only where a checkpoint's manifest has the checksums: put directories",
        };
        self.sheet.note(NAME, format!("{how}; {md5}"), hint);
        Ok(())
    }

    async fn refuses_wrong_crc64(&mut self) -> Result<bool> {
        let key = self.scratch.place("wrong-checksum");
        let (sent, other) = (fresh_bytes(SMALL), fresh_bytes(SMALL));
        let wrong = Crc64::of(&other).to_string();
        let outgoing = self.put_request(&key, &[("x-amz-checksum-crc64nvme", &wrong)], Payload::Bytes(sent))?;
        Ok(self.unless_cancelled(self.client.exchange(&outgoing)).await?.is_err())
    }

    /// A second write that must not happen, one over something else, and both at the end of an upload.
    pub(super) async fn conditions(&mut self) -> Result<()> {
        const NAME: &str = "conditional writes";
        if let Some(why) = self.writes_need() {
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
