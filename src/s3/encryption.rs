//! How the server encrypts what it is given: [`Encryption`].

use http::HeaderMap;

use super::answer::header;
use crate::error::{Error, Result};

/// What the header names that S3 reads, and answers with.
const ALGORITHM: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
/// The longest id, ARN or alias of a key, in characters: <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>.
const LONGEST_KEY: usize = 2048;

/// Encryption by the server, in place of the bucket's default
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>). Whether a bucket key is used is
/// left to the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// SSE-S3: AES-256 under keys of the server's own.
    Aes256,
    /// SSE-KMS: under a key of a key management service, named by its id, ARN or alias; `None`: the account's own for S3.
    Kms(Option<String>),
    /// DSSE-KMS: the same in two layers.
    KmsDsse(Option<String>),
}

impl Encryption {
    /// Out of what the AWS CLI calls `--sse` (`AES256`, `aws:kms`, `aws:kms:dsse`, in upper or lower case) and
    /// `--sse-kms-key-id`, which alone means `aws:kms`. `None` where neither is given.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for another algorithm, a key with `AES256`, and what cannot be the
    /// name of a key.
    pub fn new(algorithm: Option<&str>, key: Option<&str>) -> Result<Option<Self>> {
        let key = key.map(|key| check_key(key).map(|()| key.to_owned())).transpose()?;
        Ok(Some(match (algorithm.map(str::to_ascii_lowercase).as_deref(), key) {
            (None, None) => return Ok(None),
            (Some("aes256"), None) => Encryption::Aes256,
            (Some("aes256"), Some(_)) => {
                return Err(Error::invalid("AES256 is encryption under the server's own keys: it takes no KMS key")
                    .hint_is("use --sse aws:kms with --sse-kms-key-id, or leave the key out"));
            }
            (None | Some("aws:kms"), key) => Encryption::Kms(key),
            (Some("aws:kms:dsse"), key) => Encryption::KmsDsse(key),
            (Some(other), _) => {
                return Err(Error::invalid(format!("'{}' is no encryption of S3's", other.escape_default()))
                    .hint_is("--sse is AES256, aws:kms or aws:kms:dsse"));
            }
        }))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Encryption::Aes256 => "AES256",
            Encryption::Kms(_) => "aws:kms",
            Encryption::KmsDsse(_) => "aws:kms:dsse",
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Encryption::Aes256 => None,
            Encryption::Kms(key) | Encryption::KmsDsse(key) => key.as_deref(),
        }
    }

    /// What goes with a request that makes an object.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let key = self.key().map(|key| (KEY, key.to_owned()));
        std::iter::once((ALGORITHM, self.algorithm().to_owned())).chain(key).collect()
    }

    /// How an object is encrypted that an answer is about, where that is not this. An alias is not compared with the key that
    /// the server names, since only the key management service knows which key it stands for.
    pub(super) fn missed_by(&self, headers: &HeaderMap) -> Option<String> {
        match header(headers, ALGORITHM) {
            None => return Some("not encrypted, for all that the server tells".to_owned()),
            Some(theirs) if theirs != self.algorithm() => return Some(format!("encrypted with {theirs}")),
            Some(_) => {}
        }
        let (ours, theirs) = (self.key()?, header(headers, KEY)?);
        (!is_same_key(ours, theirs)).then(|| format!("encrypted under the key {theirs}"))
    }
}

/// Whether a key, as it was typed, may be the one that a server names. Servers name keys by their ARNs.
fn is_same_key(ours: &str, theirs: &str) -> bool {
    let is_arn = |key: &str| key.starts_with("arn:");
    let is_alias = |key: &str| key.starts_with("alias/") || key.contains(":alias/");
    let id = |key: &str| key.rsplit(['/', ':']).next().map(str::to_owned);
    ours == theirs || is_alias(ours) || (!(is_arn(ours) && is_arn(theirs)) && id(ours) == id(theirs))
}

fn check_key(key: &str) -> Result<()> {
    if !key.is_empty() && key.len() <= LONGEST_KEY && key.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid(format!("'{}' is not the name of a KMS key", key.escape_default()))
        .hint_is("--sse-kms-key-id is a key's id, its ARN, or an alias such as alias/checkpoints"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn as_the_aws_cli_calls_it() {
        let new = |algorithm, key| Encryption::new(algorithm, key).unwrap();
        assert_eq!(new(None, None), None);
        assert_eq!([new(Some("AES256"), None), new(Some("aes256"), None)], [const { Some(Encryption::Aes256) }; 2]);
        assert_eq!(new(Some("AWS:KMS"), None), Some(Encryption::Kms(None)));
        assert_eq!(new(None, Some("alias/a")), Some(Encryption::Kms(Some("alias/a".to_owned()))));
        assert_eq!(new(Some("aws:kms:dsse"), Some("k")), Some(Encryption::KmsDsse(Some("k".to_owned()))));
        let long = "k".repeat(LONGEST_KEY + 1);
        for (algorithm, key) in [
            (Some("AES256"), Some("k")),
            (Some("kms"), None),
            (Some(""), None),
            (None, Some("")),
            (None, Some("a b")),
            (None, Some("k\n")),
            (None, Some("schl\u{fc}ssel")),
            (None, Some(long.as_str())),
        ] {
            let error = Encryption::new(algorithm, key).unwrap_err();
            assert_eq!((error.kind(), error.hint().is_some()), (ErrorKind::Invalid, true), "{algorithm:?} {key:?}");
        }
    }

    #[test]
    fn a_key_has_several_names() {
        let arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
        for (ours, theirs, same) in [
            (arn, arn, true),
            ("1234abcd", arn, true),
            ("alias/checkpoints", arn, true),
            ("arn:aws:kms:us-east-1:111122223333:alias/checkpoints", arn, true),
            ("my-key", "arn:aws:kms:my-key", true),
            ("5678", arn, false),
            ("arn:aws:kms:eu-west-1:111122223333:key/1234abcd", arn, false),
        ] {
            assert_eq!(is_same_key(ours, theirs), same, "{ours}");
        }
    }

    #[test]
    fn what_an_answer_says() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let kms = Encryption::Kms(Some("k1".to_owned()));
        assert_eq!(kms.missed_by(&headers(&[(ALGORITHM, "aws:kms"), (KEY, "arn:aws:kms:k1")])), None);
        assert_eq!(kms.missed_by(&headers(&[(ALGORITHM, "aws:kms")])), None);
        assert!(kms.missed_by(&headers(&[(ALGORITHM, "aws:kms"), (KEY, "arn:aws:kms:k2")])).is_some());
        assert!(kms.missed_by(&headers(&[(ALGORITHM, "AES256")])).is_some());
        assert!(kms.missed_by(&headers(&[])).is_some());
        assert_eq!(Encryption::Aes256.missed_by(&headers(&[(ALGORITHM, "AES256")])), None);
    }
}
