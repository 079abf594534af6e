//! `NAME/.strata/put.json`: what is going on at a name, who is at it and until when, and what it has done so far.
//!
//! Claim and journal in one object, so that whatever an interrupted writer leaves behind is known by name, and another
//! host can take it over. Every write of it is conditional on the one that was seen before.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::backend::{PartReceipt, StorageBackend, UploadId};
use crate::checksum::Crc64;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{self, RESERVED_DIRECTORY};
use crate::transfer::{Earlier, Held, HeldPart};

use super::find::read_bounded;
use super::manifest::{MAX_BYTES, Manifest, NEWER, Writer};
use super::process::Process;
use super::rank::MAX_WORLD_SIZE;

const VERSION: u32 = 1;
/// The largest claim that is read and written, in bytes: it may hold a manifest and the receipts of all parts.
const LARGEST: u64 = 4 * MAX_BYTES;

/// The claim, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) version: u32,
    pub(crate) state: ClaimState,
    pub(crate) writer: Writer,
    /// Tells on the same machine whether the writer still runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Process>,
    /// RFC 3339 in UTC, as all times.
    pub(crate) since: String,
    /// When anybody may take over unless it is renewed before; absent where nobody holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
    /// Ranks that put the checkpoint together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) world_size: u32,
    /// Paths below the name that the writer puts, has put, or removes, and those of writers before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<String>,
    /// Multipart uploads that were begun and not ended, by the paths of their files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) uploads: BTreeMap<String, KeptUpload>,
    /// Of [`ClaimState::Committing`]: all that is needed to finish, by whomever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<Box<Commit>>,
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_one(world_size: &u32) -> bool {
    *world_size == 1
}

/// What the writer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClaimState {
    /// Files are being put; there is no manifest yet, or an older one.
    Putting,
    /// Everything was sent. No file is replaced any more; whoever finds this unfinished finishes it.
    Committing,
    /// The manifest was written. The names serve where it is lost.
    Committed,
    /// The manifest is removed first, then the files, then this.
    Removing,
}

/// A multipart upload that was begun, and the parts of it that the store has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptUpload {
    upload: String,
    token: String,
    size: u64,
    part_size: u64,
    /// Stands for the store's settings under which it was begun.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    settings: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<KeptPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptPart {
    number: u32,
    size: u64,
    crc64nvme: Crc64,
    etag: String,
}

impl KeptUpload {
    pub(crate) fn of(earlier: &Earlier) -> Self {
        let mut kept = KeptUpload {
            upload: earlier.upload.0.clone(),
            token: earlier.token.clone(),
            size: earlier.size,
            part_size: earlier.part_size,
            settings: earlier.settings.clone(),
            parts: Vec::new(),
        };
        earlier.parts.iter().for_each(|part| kept.add(part));
        kept
    }

    fn of_held(held: &Held) -> Self {
        let size = |parts: &[HeldPart]| parts.iter().map(|part| part.size).sum();
        let mut kept = KeptUpload {
            upload: held.upload.clone(),
            token: held.token.clone(),
            size: size(&held.parts),
            part_size: held.parts.first().map_or(1, |part| part.size),
            settings: held.settings.clone(),
            parts: Vec::new(),
        };
        for (number, HeldPart { size, checksum, etag }) in (1..).zip(held.parts.iter().cloned()) {
            kept.parts.push(KeptPart { number, size, crc64nvme: checksum, etag });
        }
        kept
    }

    pub(crate) fn add(&mut self, part: &PartReceipt) {
        self.parts.retain(|kept| kept.number != part.number);
        let PartReceipt { number, size, checksum, etag } = part.clone();
        self.parts.push(KeptPart { number, size, crc64nvme: checksum, etag });
    }

    /// Bytes of the parts that the store has, as far as the claim says.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    pub(crate) fn id(&self) -> UploadId {
        UploadId(self.upload.clone())
    }

    pub(crate) fn to_earlier(&self) -> Earlier {
        let receipt = |part: &KeptPart| PartReceipt {
            number: part.number,
            size: part.size,
            checksum: part.crc64nvme,
            etag: part.etag.clone(),
        };
        Earlier {
            upload: self.id(),
            token: self.token.clone(),
            size: self.size,
            part_size: self.part_size,
            settings: self.settings.clone(),
            parts: self.parts.iter().map(receipt).collect(),
        }
    }
}

/// A commit that was decided: with this and nothing else anybody can finish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    pub(crate) manifest: Manifest,
    /// The ETag of the object that the manifest replaces; absent where there must be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<String>,
    /// Files whose parts are all there and which appear only once the old manifest is out of the way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) held: BTreeMap<String, HeldFile>,
    /// The manifests of the ranks that it was made of, and their ETags: a rank that begins again takes its own back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ranks: BTreeMap<String, Option<String>>,
}

/// A file that is ready to appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldFile {
    #[serde(flatten)]
    pub(crate) held: Held,
    /// The ETag of the object that it replaces; absent where there must be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<String>,
}

/// A claim as it was read, and the ETag by which it can be replaced.
#[derive(Clone, Debug)]
pub(crate) struct SeenClaim {
    /// `None` where what is there is not valid: it says nothing, but it is there.
    pub(crate) claim: Option<Claim>,
    pub(crate) etag: String,
}

impl Claim {
    /// Taken `now`, by the store's clock.
    pub(crate) fn new(state: ClaimState, files: Vec<String>, now: SystemTime) -> Self {
        Claim {
            version: VERSION,
            state,
            writer: Writer::this_process(),
            process: Process::this(),
            since: rfc3339(now),
            expires: None,
            world_size: 1,
            files,
            uploads: BTreeMap::new(),
            commit: None,
        }
    }

    /// Where the claim of a checkpoint lies.
    pub(crate) fn key(name: &str) -> String {
        format!("{name}/{RESERVED_DIRECTORY}/put.json")
    }

    /// Every upload that it names: those that go on, and those of a commit that was decided.
    pub(crate) fn all_uploads(&self) -> BTreeMap<String, KeptUpload> {
        let held = self.commit.iter().flat_map(|commit| &commit.held);
        let held = held.filter(|(_, file)| !file.held.parts.is_empty());
        let held = held.map(|(path, file)| (path.clone(), KeptUpload::of_held(&file.held)));
        held.chain(self.uploads.clone()).collect()
    }

    /// For so long from `now` on, by the store's clock.
    pub(crate) fn renew(&mut self, expiry: Duration, now: SystemTime) {
        self.expires = now.checked_add(expiry).map(rfc3339);
    }

    /// A put or a removal that is going on or was interrupted.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.state != ClaimState::Committed
    }

    /// Whether its writer may still be at it: the claim has not expired, and where the writer is a process of this
    /// machine it runs. `now` is the store's: one clock for all that put there, whatever their own say.
    pub(crate) fn is_live(&self, now: SystemTime) -> bool {
        if !self.is_unfinished() {
            return false;
        }
        let Some(expires) = self.expires.as_ref().and_then(|text| humantime::parse_rfc3339(text).ok()) else {
            return false;
        };
        expires > now && self.process.as_ref().and_then(|process| process.is_running(self.writer.pid)) != Some(false)
    }

    /// Who holds it, for errors.
    pub(crate) fn holder(&self) -> String {
        let Writer { host, pid, .. } = &self.writer;
        let doing = match self.state {
            ClaimState::Removing => "is removing it",
            _ => "is putting it",
        };
        format!("process {pid} on {host} {doing} since {}", self.since)
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Other, "the claim cannot be written as JSON").caused_by(error))?;
        match json.len() as u64 <= LARGEST {
            true => Ok(json),
            false => Err(Error::invalid(format!("its claim would have {} bytes, more than {LARGEST}", json.len()))
                .hint_is("use a larger --part-size, or put it as several checkpoints")),
        }
    }

    /// Reads a claim that may come from anybody.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        let bad = |what: String| Error::new(ErrorKind::Integrity, what);
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let unreadable = |error: serde_json::Error| bad(format!("it is not valid: {error}"));
        let head: Head = serde_json::from_slice(json).map_err(unreadable)?;
        if head.version > VERSION {
            return Err(bad(format!("it is of version {}; this program reads version {VERSION}", head.version))
                .code_is(NEWER)
                .hint_is("use a newer strata-ckpt"));
        }
        let claim: Claim = serde_json::from_slice(json).map_err(unreadable)?;
        if !(1..=MAX_WORLD_SIZE).contains(&claim.world_size) {
            return Err(bad(format!("it is of {} ranks; there can be 1 to {MAX_WORLD_SIZE}", claim.world_size)));
        }
        let named = claim.uploads.keys().chain(claim.commit.iter().flat_map(|commit| commit.held.keys()));
        for path in named {
            key::check(path)?;
        }
        if let Some(commit) = &claim.commit {
            commit.manifest.check()?;
        }
        Ok(claim)
    }

    /// What lies at the claim's key; `None` where nothing does.
    pub(crate) async fn see(store: &dyn StorageBackend, claim_key: &str) -> Result<Option<SeenClaim>> {
        let Some((json, etag)) = read_bounded(store, claim_key, LARGEST).await? else { return Ok(None) };
        let etag = etag.ok_or_else(|| {
            Error::new(ErrorKind::Other, "the server gives objects no ETag").action("read").on(claim_key)
        })?;
        match Claim::from_json(&json) {
            Ok(claim) => Ok(Some(SeenClaim { claim: Some(claim), etag })),
            // Whoever wrote it may be at work.
            Err(error) if error.code() == Some(NEWER) => Err(error.action("read the claim").on(claim_key)),
            Err(_) => Ok(Some(SeenClaim { claim: None, etag })),
        }
    }

    /// The claim of `name`, `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] where what is there is no valid claim.
    pub(crate) async fn read(store: &dyn StorageBackend, name: &str) -> Result<Option<Self>> {
        let key = Claim::key(name);
        let Some((json, _)) = read_bounded(store, &key, LARGEST).await? else { return Ok(None) };
        Claim::from_json(&json).map(Some).map_err(|error| error.action("read").on(key))
    }
}

pub(super) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::PartReceipt;
    use proptest::prelude::*;

    fn claim() -> Claim {
        let part = PartReceipt { number: 1, size: 5, checksum: Crc64::of(b"12345"), etag: "\"e\"".to_owned() };
        let upload = UploadId("u".to_owned());
        let earlier = Earlier {
            upload,
            token: "t".to_owned(),
            size: 8,
            part_size: 5,
            settings: String::new(),
            parts: vec![part],
        };
        let mut claim = Claim::new(ClaimState::Putting, vec!["a".to_owned(), "b/c".to_owned()], SystemTime::now());
        claim.uploads.insert("a".to_owned(), KeptUpload::of(&earlier));
        claim.renew(Duration::from_secs(60), SystemTime::now());
        claim
    }

    #[test]
    fn deep_json_is_an_error() {
        let text = String::from_utf8(claim().to_json().unwrap()).unwrap();
        let deep = text.replacen('{', &format!("{{\"x\":{},", "[".repeat(100_000)), 1);
        assert_eq!(Claim::from_json(deep.as_bytes()).unwrap_err().kind(), ErrorKind::Integrity);
    }

    proptest! {
        #[test]
        fn damaged_json_is_a_value_or_an_error(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let mut json = claim().to_json().unwrap();
            let at = at.index(json.len());
            if cut { json.truncate(at) } else { json[at] = byte }
            if let Ok(claim) = Claim::from_json(&json) {
                let _ = (claim.is_live(SystemTime::now()), claim.is_unfinished(), claim.holder());
                prop_assert!(claim.uploads.keys().all(|path| key::check(path).is_ok()));
            }
        }

        #[test]
        fn any_bytes_are_a_value_or_an_error(json in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Claim::from_json(&json);
        }
    }
}
