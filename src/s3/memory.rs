//! What was found out about a bucket at an endpoint, kept for the commands that follow:
//! `STATE/strata-ckpt/endpoints/HASH.json`, one small file each, without any secret.
//!
//! `S3Storage::check` writes it, and whoever finds a bucket in another region. Facts are hints that spare requests. One that is old, wrong, damaged or of another version
//! costs at most what is spared by having none; what goes along with bytes for their check is never less than a server was
//! seen to look at.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::disk::sync_directory;
use crate::journal::name_of;

/// How long facts count. Servers are replaced and upgraded.
const BELIEVED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
const VERSION: u32 = 1;
/// No file of ours is longer, in bytes.
const LONGEST: u64 = 16 << 10;

/// Which bucket, reached how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) endpoint: String,
    pub(super) bucket: String,
    /// The region that the settings name, which may not be the bucket's.
    pub(super) asked_region: String,
}

/// What a server does about CRC-64/NVME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Crc64Known {
    /// It confirms the right one and refuses a wrong one.
    Kept,
    /// It says nothing about it.
    Ignored,
    /// It refuses requests that have one.
    Refused,
}

/// What is known; `None` where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    /// The region that the bucket is in.
    pub(super) region: Option<String>,
    pub(super) crc64: Option<Crc64Known>,
    /// A part with a wrong Content-MD5 is refused.
    pub(super) content_md5: Option<bool>,
    /// Many objects can be removed in one request.
    pub(super) deletes_many: Option<bool>,
    /// `If-None-Match` and `If-Match` are heeded on writes.
    pub(super) conditional_writes: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    /// RFC 3339.
    learnt: String,
    subject: Subject,
    facts: Facts,
}

/// What is kept and still counts. Whatever is wrong with the file, there are no facts then. May block.
pub(super) fn recall(state_dir: Option<&Path>, subject: &Subject) -> Facts {
    let kept = state_dir.and_then(|state_dir| read(&path_of(state_dir, subject), subject, SystemTime::now()));
    kept.map(|kept| kept.facts).unwrap_or_default()
}

fn read(path: &Path, subject: &Subject, now: SystemTime) -> Option<Kept> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    let learnt = humantime::parse_rfc3339(&kept.learnt).ok()?;
    // One from the future is of a clock that was wrong.
    let is_fresh = now.duration_since(learnt).is_ok_and(|age| age < BELIEVED_FOR);
    (kept.version == VERSION && kept.subject == *subject && is_fresh).then_some(kept)
}

/// Keeps the facts in place of earlier ones; where. May block.
pub(super) fn keep(state_dir: &Path, subject: &Subject, facts: &Facts) -> io::Result<PathBuf> {
    let path = path_of(state_dir, subject);
    let learnt = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    write(&path, &Kept { version: VERSION, learnt, subject: subject.clone(), facts: facts.clone() })?;
    Ok(path)
}

/// Keeps the bucket's region beside what is known otherwise, which gets no younger by it. May block.
pub(super) fn keep_region(state_dir: &Path, subject: &Subject, region: &str) -> io::Result<()> {
    let (path, now) = (path_of(state_dir, subject), SystemTime::now());
    let fresh = || Kept {
        version: VERSION,
        learnt: humantime::format_rfc3339_seconds(now).to_string(),
        subject: subject.clone(),
        facts: Facts::default(),
    };
    let mut kept = read(&path, subject, now).unwrap_or_else(fresh);
    kept.facts.region = Some(region.to_owned());
    write(&path, &kept)
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let directory = crate::disk::parent_of(path);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    // Only for its owner from its first byte.
    let mut file = tempfile::Builder::new().prefix(".endpoint-").tempfile_in(&directory)?;
    serde_json::to_writer_pretty(&mut file, kept)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(&directory)
}

fn path_of(state_dir: &Path, subject: &Subject) -> PathBuf {
    let Subject { endpoint, bucket, asked_region } = subject;
    let name = name_of(&[endpoint.clone(), bucket.clone(), asked_region.clone()]);
    state_dir.join("strata-ckpt").join("endpoints").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn subject() -> Subject {
        let [endpoint, bucket, asked_region] = ["http://h:9000", "b", "us-east-1"].map(str::to_owned);
        Subject { endpoint, bucket, asked_region }
    }

    fn facts() -> Facts {
        Facts {
            region: Some("eu-west-1".to_owned()),
            crc64: Some(Crc64Known::Kept),
            content_md5: Some(true),
            deletes_many: Some(false),
            conditional_writes: None,
        }
    }

    #[test]
    fn what_is_kept_is_recalled_for_a_week_and_by_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = keep(directory.path(), &subject(), &facts()).unwrap();
        keep(directory.path(), &subject(), &facts()).unwrap();
        assert_eq!(recall(Some(directory.path()), &subject()), facts());
        assert_eq!(recall(None, &subject()), Facts::default());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let now = SystemTime::now();
        assert!(read(&path, &subject(), now + BELIEVED_FOR - Duration::from_secs(60)).is_some());
        assert!(read(&path, &subject(), now + BELIEVED_FOR).is_none(), "old");
        assert!(read(&path, &subject(), now - Duration::from_secs(3600)).is_none(), "from the future");
        let other = Subject { bucket: "c".to_owned(), ..subject() };
        assert_eq!(recall(Some(directory.path()), &other), Facts::default());
        assert!(read(&path, &other, now).is_none(), "whatever the file is called");
    }

    #[test]
    fn another_version_says_nothing_and_an_unknown_fact_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = keep(directory.path(), &subject(), &facts()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let with = |from: &str, to: &str| {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            recall(Some(directory.path()), &subject())
        };
        assert_eq!(with("\"version\": 1", "\"version\": 2"), Facts::default());
        assert_eq!(with("\"region\"", "\"colour\": 7, \"region\""), facts());
        assert_eq!(with("\"kept\"", "\"perhaps\""), Facts::default());
        assert_eq!(with("\"deletes_many\": false,", "").deletes_many, None);
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_none(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
            let directory = tempfile::tempdir().unwrap();
            let path = keep(directory.path(), &subject(), &facts()).unwrap();
            let mut text = std::fs::read(&path).unwrap();
            let at = at.index(text.len());
            if cut { text.truncate(at) } else { text[at] = byte }
            std::fs::write(&path, &text).unwrap();
            // Whatever it says, it is about this bucket and from this week.
            let _ = recall(Some(directory.path()), &subject());
        }
    }
}
