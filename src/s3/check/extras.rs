//! What is not needed but good to know: copies by the server, removal of many, how soon listings follow, versions, and how
//! far away it all is.

use std::time::{Duration, Instant};

use percent_encoding::utf8_percent_encode;

use super::reach::shown;
use super::rights::OBJECT;
use super::{Doctor, SMALL, about_bucket, fresh_bytes};
use crate::backend::WriteOptions;
use crate::body::PartBody;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::answer::header;
use crate::s3::payload::Payload;
use crate::s3::request::{Outgoing, STRICT_PATH};
use crate::s3::{delete, get, list, put};

/// Requests that are timed.
const ROUNDS: usize = 10;
/// Another region, or another continent.
const FAR: Duration = Duration::from_millis(150);

impl Doctor<'_> {
    pub(super) async fn server_side_copy(&mut self) -> Result<()> {
        const NAME: &str = "server-side copy";
        let get = (self.held.get, "s3:GetObject");
        if let Some(why) = self.writes_need().or_else(|| self.lacking(&[get])) {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        let client = self.client.clone();
        let from = client.full_key(&self.scratch.place(OBJECT))?;
        let source = format!("/{}/{}", client.bucket, utf8_percent_encode(&from, STRICT_PATH));
        let to = self.scratch.place("copy");
        let outgoing = &self.put_request(&to, &[("x-amz-copy-source", &source)], Payload::Empty)?;
        let copying = client.call("copy", &to, || async {
            let answer = client.exchange(outgoing).await?;
            client.root(&answer, "CopyObjectResult")?;
            client.learnt.versions.size_is(&client.full_key(&to)?, SMALL as u64);
            Ok(())
        });
        match self.unless_cancelled(copying).await? {
            Ok(()) => self.sheet.good(NAME, "the server copies objects by itself"),
            Err(error) => {
                let detail = format!("not here: {}", error.message());
                self.sheet.note(NAME, detail, "nothing that put, get, ls and rm do rests on it");
            }
        }
        Ok(())
    }

    /// New objects are listed at once, replaced ones read as they are, removed ones gone.
    pub(super) async fn removal_and_listing(&mut self) -> Result<()> {
        let client = self.client.clone();
        if let Some(why) = self.writes_need() {
            self.sheet.skip("batch removal", &*why);
            self.sheet.skip("listing", why);
            return Ok(());
        }
        let keys = [self.scratch.place("one"), self.scratch.place("two")];
        let mut failed = None;
        let mut content = fresh_bytes(SMALL);
        for key in [&keys[0], &keys[1], &keys[1]] {
            content = fresh_bytes(SMALL);
            let body = PartBody::from_bytes(content.clone());
            let written = self.unless_cancelled(put::put(&client, key, &body, &WriteOptions::replace())).await?;
            failed = failed.or(written.err());
        }
        let (listed, read) = (self.list_names().await?, self.read_again(&keys[1]).await?);
        let removed = self.unless_cancelled(delete::delete_many(&client, &keys)).await?;
        let after = self.list_names().await?;
        match &removed {
            Ok(()) if client.learnt.deletes_singly() => {
                self.facts.deletes_many = Some(false);
                let hint = "rm takes a request for each object there";
                self.sheet.note("batch removal", "the server does not know it", hint);
            }
            Ok(()) => {
                self.facts.deletes_many = Some(true);
                self.sheet.good("batch removal", "many objects go in one request");
            }
            Err(error) => self.sheet.bad("batch removal", error),
        }
        self.listing(&keys, failed, [listed, after], read.map(|read| read.map(|read| read == content)));
        Ok(())
    }

    fn listing(
        &mut self,
        keys: &[String; 2],
        failed: Option<Error>,
        listed: [Option<Result<Vec<String>>>; 2],
        read: Option<Result<bool>>,
    ) {
        const NAME: &str = "listing";
        if let Some(error) = failed {
            return self.sheet.bad(NAME, &error);
        }
        let mut late = Vec::new();
        match read {
            Some(Ok(false)) => late.push("a replaced object was read as it had been"),
            Some(Err(error)) => return self.sheet.bad(NAME, &error),
            Some(Ok(true)) | None => {}
        }
        match listed {
            [Some(Ok(before)), Some(Ok(after))] => {
                if !keys.iter().all(|key| before.contains(key)) {
                    late.push("a new object was not listed at once");
                }
                if keys.iter().any(|key| after.contains(key)) {
                    late.push("a removed object was still listed");
                }
            }
            [Some(Err(error)), _] | [_, Some(Err(error))] => return self.sheet.bad(NAME, &error),
            _ => return self.sheet.skip(NAME, "it needs s3:ListBucket"),
        }
        match late.is_empty() {
            true => self.sheet.good(NAME, "new, replaced and removed objects show at once"),
            false => self.sheet.note(
                NAME,
                late.join("; "),
                "ls may be behind, and so may a put that follows another at once: wait a little between them",
            ),
        }
    }

    /// The names of its own objects; `None` where they may not be listed.
    async fn list_names(&self) -> Result<Option<Result<Vec<String>>>> {
        if !self.held.list {
            return Ok(None);
        }
        let (client, directory) = (&self.client, self.scratch.directory());
        let subject = format!("s3://{}", client.bucket);
        let page = self.unless_cancelled(list::first(client, &directory, &subject)).await?;
        Ok(Some(page.map(|page| page.into_iter().map(|object| object.key).collect())))
    }

    async fn read_again(&self, key: &str) -> Result<Option<Result<bytes::Bytes>>> {
        if !self.held.get {
            return Ok(None);
        }
        let client = &self.client;
        let read = client.call("get", key, || async { get::open(client, key, None, None).await?.collect().await });
        Ok(Some(self.unless_cancelled(read).await?))
    }

    /// As far as the answer to HEAD tells: the settings themselves need more rights.
    pub(super) async fn versions(&mut self) -> Result<()> {
        const NAME: &str = "versions";
        let get = (self.held.get, "s3:GetObject");
        if let Some(why) = self.writes_need().or_else(|| self.lacking(&[get])) {
            self.sheet.skip(NAME, why);
            return Ok(());
        }
        let client = self.client.clone();
        let key = self.scratch.place(OBJECT);
        let request = client.object_request("HEAD", &client.full_key(&key)?);
        let outgoing = &Outgoing::new(request, &client.bucket, None)?;
        let looking = client.call("look up", &key, || async { client.exchange(outgoing).await.map_err(Error::from) });
        let headers = match self.unless_cancelled(looking).await? {
            Ok(answer) => answer.headers,
            Err(error) => {
                self.sheet.bad(NAME, &error);
                return Ok(());
            }
        };
        let has_version = header(&headers, "x-amz-version-id").is_some_and(|id| id != "null");
        let locked = header(&headers, "x-amz-object-lock-mode");
        let cost = "what rm removes and put replaces stays as an older version, and is paid for, until a lifecycle rule \
                    for noncurrent versions removes it";
        let locked_cost = format!("{cost}, which it can only when its retention has ended");
        match (has_version, locked) {
            (_, Some(mode)) => {
                let mode = mode.to_ascii_lowercase();
                self.sheet.note(NAME, format!("kept, and locked against removal for a time ({mode})"), locked_cost);
            }
            (true, None) => self.sheet.note(NAME, "the bucket keeps older versions", cost),
            (false, None) => self.sheet.good(NAME, "none are kept: rm frees room at once"),
        }
        Ok(())
    }

    pub(super) async fn round_trip(&mut self) -> Result<()> {
        const NAME: &str = "round trip";
        let client = self.client.clone();
        let head = about_bucket(&client, "HEAD", None)?;
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let started = Instant::now();
            // Whatever it answers, it went there and back.
            if self.unless_cancelled(client.answer(&head)).await?.is_ok() {
                times.push(started.elapsed());
            }
        }
        match judged(times) {
            Some((detail, true)) => self.sheet.note(NAME, detail, "the server is far away: run in the bucket's region"),
            Some((detail, false)) => self.sheet.good(NAME, detail),
            None => {
                let silent = Error::new(ErrorKind::Unavailable, "no answer any more");
                self.sheet.bad(NAME, &silent.hint_is("try again later"));
            }
        }
        Ok(())
    }
}

/// These times in words, and whether the server is far away.
fn judged(mut times: Vec<Duration>) -> Option<(String, bool)> {
    times.sort_unstable();
    let (shortest, median, longest) = (times.first()?, times.get(times.len() / 2)?, times.last()?);
    let (count, bounds) = (times.len(), format!("{} to {}", shown(*shortest), shown(*longest)));
    let detail = format!("{}, the median of {count} small requests ({bounds})", shown(*median));
    Some((detail, *median > FAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_tells_how_far_away_a_server_is() {
        let of = |times: &[u64]| judged(times.iter().map(|time| Duration::from_millis(*time)).collect());
        assert_eq!(of(&[]), None);
        for (times, detail, is_far) in [
            (&[900, 12, 150][..], "150 ms, the median of 3 small requests (12 ms to 900 ms)", false),
            (&[151], "151 ms, the median of 1 small requests (151 ms to 151 ms)", true),
            (&[20, 200, 300, 400], "300 ms, the median of 4 small requests (20 ms to 400 ms)", true),
        ] {
            assert_eq!(of(times), Some((detail.to_owned(), is_far)));
        }
    }
}
