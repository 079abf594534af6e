//! What every object is written with beyond its content: [`WriteSettings`].

use std::collections::BTreeMap;

use http::HeaderMap;

use super::answer::header;
use super::class::StorageClass;
use super::encryption::Encryption;
use super::head::TOKEN;
use crate::backend::Deviation;
use crate::checksum::Crc64;
use crate::config::Environment;
use crate::error::{Error, Result};
use crate::key::RESERVED_DIRECTORY;

const CLASS: &str = "x-amz-storage-class";
const METADATA: &str = "x-amz-meta-";
/// What names of our own metadata begin with.
const OURS: &str = "strata-";
/// Bytes of the names and values of an object's metadata together:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>.
const LARGEST: usize = 2048;
/// The length of a token.
const TOKEN_BYTES: usize = 32;

/// What objects are written with beyond their content. Files get all of it; manifests and claims (`.strata/`) only the
/// encryption, since they are read by every listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSettings {
    /// Encryption by the server; `None`: the bucket's default.
    pub encryption: Option<Encryption>,
    /// `None`: the bucket's default, which is `STANDARD`.
    pub storage_class: Option<StorageClass>,
    /// `x-amz-meta-` headers, by the names after that: characters of an HTTP header's name, lower case as S3 keeps them,
    /// none that begins with `strata-`; values of visible ASCII and spaces; 2 KiB in all.
    pub metadata: BTreeMap<String, String>,
}

impl WriteSettings {
    /// As these variables say: `STRATA_SSE`, `STRATA_SSE_KMS_KEY_ID`, `STRATA_PUT_STORAGE_CLASS`, and `STRATA_METADATA` with
    /// one `NAME=VALUE` a line.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a value that is not usable.
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        let get = |name| environment.get(name);
        let of = |variable: &'static str| {
            move |error: Error| {
                let hint = error.hint().map(str::to_owned).unwrap_or_default();
                Error::invalid(format!("{variable}: {error}")).hint_is(hint)
            }
        };
        let encryption = Encryption::new(get("STRATA_SSE").as_deref(), get("STRATA_SSE_KMS_KEY_ID").as_deref());
        let class = get("STRATA_PUT_STORAGE_CLASS").map(|class| class.parse());
        let pair = |line: &str| match line.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Error::invalid(format!(
                "STRATA_METADATA: '{}' is not of the form NAME=VALUE",
                line.escape_default()
            ))),
        };
        let metadata = get("STRATA_METADATA").unwrap_or_default().lines().map(pair).collect::<Result<Vec<_>>>()?;
        Ok(WriteSettings {
            encryption: encryption.map_err(of("STRATA_SSE, STRATA_SSE_KMS_KEY_ID"))?,
            storage_class: class.transpose().map_err(of("STRATA_PUT_STORAGE_CLASS"))?,
            metadata: WriteSettings::metadata_of(metadata).map_err(of("STRATA_METADATA"))?,
        })
    }

    /// Metadata out of pairs, their names in lower case.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a name that comes twice, and for names and values that no header carries.
    pub fn metadata_of(pairs: impl IntoIterator<Item = (String, String)>) -> Result<BTreeMap<String, String>> {
        let mut metadata = BTreeMap::new();
        for (name, value) in pairs {
            let name = name.to_ascii_lowercase();
            if metadata.insert(name.clone(), value).is_some() {
                return Err(Error::invalid(format!("the metadata '{}' is given twice", name.escape_default()))
                    .hint_is("give each name once; upper and lower case are the same to S3"));
            }
        }
        check_metadata(&metadata)?;
        Ok(metadata)
    }

    /// Fails where a request with these settings could not be sent.
    pub(super) fn check(&self) -> Result<()> {
        check_metadata(&self.metadata)
    }

    /// The headers of a request that makes the object `path`, but for its metadata.
    pub(super) fn headers(&self, path: &str) -> Vec<(&'static str, String)> {
        let encryption = self.encryption.iter().flat_map(Encryption::headers);
        let class = self.storage_class.filter(|_| !is_ours(path)).map(|class| (CLASS, class.name().to_owned()));
        encryption.chain(class).collect()
    }

    /// The metadata of the object `path`, by the names after `x-amz-meta-`.
    pub(super) fn metadata(&self, path: &str) -> impl Iterator<Item = (&str, &str)> {
        let metadata = self.metadata.iter().filter(move |_| !is_ours(path));
        metadata.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sixteen hexadecimal digits that stand for what the object `path` is written with; empty where that is nothing.
    pub(super) fn fingerprint(&self, path: &str) -> String {
        let mut text = Vec::new();
        let headers = self.headers(path);
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in headers.chain(self.metadata(path)) {
            text.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        match text.is_empty() {
            true => String::new(),
            false => Crc64::of(&text).to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// In what the object `path`, whose HEAD has these headers, is not as it would be written now. Nobody is bound to ask for
    /// the settings that an object has: those that are not set are not compared.
    pub(super) fn deviation(&self, path: &str, headers: &HeaderMap) -> Option<Deviation> {
        if let Some(missed) = self.missed_by(headers) {
            return Some(missed);
        }
        // S3 leaves the header out for STANDARD.
        let class = header(headers, CLASS).unwrap_or("STANDARD");
        let wanted = self.storage_class.filter(|_| !is_ours(path));
        if wanted.is_some_and(|wanted| wanted.name() != class) {
            return Some(Deviation { what: format!("of the storage class {class}"), matters: false });
        }
        let is_kept = |(name, value): (&str, &str)| {
            // The spaces within a value are for servers to keep or not.
            let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            header(headers, &format!("{METADATA}{name}")).is_some_and(|theirs| squeeze(theirs) == squeeze(value))
        };
        let missed = self.metadata(path).find(|pair| !is_kept(*pair));
        missed.map(|(name, _)| Deviation { what: format!("kept with other metadata ('{name}')"), matters: false })
    }

    /// How an object is encrypted that an answer is about, where that is not as it should be: a PutObject's answer has it, too.
    pub(super) fn missed_by(&self, headers: &HeaderMap) -> Option<Deviation> {
        let what = self.encryption.as_ref()?.missed_by(headers)?;
        Some(Deviation { what, matters: true })
    }
}

/// Manifests, claims and tombstones.
fn is_ours(path: &str) -> bool {
    path.split('/').any(|part| part == RESERVED_DIRECTORY)
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    for (name, value) in metadata {
        let shown = name.escape_default();
        let bad = |what: &str, hint: &str| Err(Error::invalid(format!("the metadata '{shown}' {what}")).hint_is(hint));
        if name.is_empty() || !name.chars().all(|c| is_token(c) && !c.is_ascii_uppercase()) {
            return bad("has a name that cannot be a header's", "use letters, digits, '-' and '_', such as run-id");
        }
        if name.starts_with(OURS) {
            return bad("has a name that strata-ckpt keeps for itself", "use a name that does not begin with strata-");
        }
        if !value.chars().all(|c| c.is_ascii_graphic() || c == ' ') || value.trim() != value || value.is_empty() {
            return bad(
                "has a value that a header cannot carry: it has ASCII characters, and no space at its ends",
                "for anything else use --meta, which keeps values in the manifest of a directory",
            );
        }
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    let allowed = LARGEST - TOKEN.len() - TOKEN_BYTES;
    match bytes <= allowed {
        true => Ok(()),
        false => Err(Error::invalid(format!("the metadata has {bytes} bytes; S3 leaves room for {allowed}"))
            .hint_is("use --meta for what is larger, which keeps values in the manifest of a directory")),
    }
}

/// The characters of a header's name: <https://www.rfc-editor.org/rfc/rfc9110#name-tokens>.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use proptest::prelude::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn settings() -> WriteSettings {
        WriteSettings {
            encryption: Encryption::new(None, Some("k")).unwrap(),
            storage_class: Some(StorageClass::StandardIa),
            metadata: WriteSettings::metadata_of(pairs(&[("Team", "vision  lab")])).unwrap(),
        }
    }

    #[test]
    fn metadata_that_a_header_cannot_carry_is_refused() {
        let long = "x".repeat(LARGEST);
        for (name, value) in [
            ("", "v"),
            ("a b", "v"),
            ("a:b", "v"),
            ("n\u{e4}me", "v"),
            ("strata-token", "v"),
            ("Strata-x", "v"),
            ("k", ""),
            ("k", " v"),
            ("k", "v\n"),
            ("k", "J\u{fc}rgen"),
            ("k", long.as_str()),
        ] {
            let error = WriteSettings::metadata_of(pairs(&[(name, value)])).unwrap_err();
            assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Invalid, true), "{name:?}={value:?}");
        }
        assert!(WriteSettings::metadata_of(pairs(&[("a", "1"), ("A", "2")])).is_err());
        let room = "x".repeat(LARGEST - TOKEN.len() - TOKEN_BYTES - 1);
        assert!(WriteSettings::metadata_of(pairs(&[("k", room.as_str())])).is_ok());
    }

    #[test]
    fn manifests_and_claims_are_only_encrypted() {
        let settings = settings();
        for path in ["run/.strata/manifest.json", "run/.strata/put.json"] {
            assert_eq!(settings.headers(path).len(), 2, "{path}");
            assert_eq!(settings.metadata(path).count(), 0, "{path}");
        }
        assert_eq!(settings.headers("run/model.bin").len(), 3);
        assert_eq!(settings.metadata("run/model.bin").collect::<Vec<_>>(), [("team", "vision  lab")]);
    }

    #[test]
    fn only_what_is_asked_for_is_compared() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let good = [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:k"),
            (CLASS, "STANDARD_IA"),
            ("x-amz-meta-team", "vision lab"),
        ];
        assert_eq!(settings().deviation("f", &headers(&good)), None);
        for (missing, matters) in [(0, true), (2, false), (3, false)] {
            let mut some = good.to_vec();
            some.remove(missing);
            assert_eq!(settings().deviation("f", &headers(&some)).map(|found| found.matters), Some(matters));
        }
        assert_eq!(WriteSettings::default().deviation("f", &headers(&good)), None);
        let standard = WriteSettings { storage_class: Some(StorageClass::Standard), ..WriteSettings::default() };
        assert_eq!(standard.deviation("f", &headers(&[])), None);
    }

    #[test]
    fn a_fingerprint_tells_settings_apart() {
        let mut others = vec![WriteSettings::default(), settings()];
        others.push(WriteSettings { encryption: Some(Encryption::Aes256), ..settings() });
        others.push(WriteSettings { storage_class: None, ..settings() });
        others.push(WriteSettings { metadata: BTreeMap::new(), ..settings() });
        let mut prints: Vec<String> = others.iter().map(|settings| settings.fingerprint("f")).collect();
        assert_eq!((prints[0].as_str(), prints[1].len()), ("", 16));
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), others.len());
    }

    proptest! {
        #[test]
        fn what_is_taken_is_a_header(name in any::<String>(), value in any::<String>()) {
            if let Ok(metadata) = WriteSettings::metadata_of([(name, value)]) {
                for (name, value) in metadata {
                    let header = [METADATA, &name].concat();
                    prop_assert!(header.parse::<http::HeaderName>().is_ok());
                    let sent: http::HeaderValue = value.parse().unwrap();
                    prop_assert_eq!(sent.to_str().unwrap(), value);
                }
            }
        }
    }
}
