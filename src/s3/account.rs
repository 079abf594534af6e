//! Whose bucket it is, and who pays: two headers that go with every request.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::config::S3Config;
use crate::error::{Error, Result};

const PAYER: HeaderName = HeaderName::from_static("x-amz-request-payer");
const OWNER: HeaderName = HeaderName::from_static("x-amz-expected-bucket-owner");
/// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html>.
const DIGITS: usize = 12;

/// The two headers.
#[derive(Debug, Default)]
pub(super) struct Account {
    requester_pays: bool,
    owner: Option<HeaderValue>,
}

impl Account {
    pub(super) fn new(settings: &S3Config) -> Result<Self> {
        let owner = match settings.expected_bucket_owner.as_deref() {
            None => None,
            Some(owner) => Some(check_owner(owner)?),
        };
        Ok(Account { requester_pays: settings.requester_pays, owner })
    }

    /// The account that the bucket has to belong to.
    pub(super) fn owner(&self) -> Option<&str> {
        self.owner.as_ref().and_then(|owner| owner.to_str().ok())
    }

    /// Puts the headers into a request that is about to be signed. A bucket that is made by it has no owner yet.
    pub(super) fn put_into(&self, headers: &mut HeaderMap, makes_a_bucket: bool) {
        if makes_a_bucket {
            return;
        }
        if self.requester_pays {
            headers.insert(PAYER, HeaderValue::from_static("requester"));
        }
        if let Some(owner) = &self.owner {
            headers.insert(OWNER, owner.clone());
        }
    }
}

fn check_owner(owner: &str) -> Result<HeaderValue> {
    let value = HeaderValue::from_str(owner).ok();
    let fits = owner.len() == DIGITS && owner.bytes().all(|byte| byte.is_ascii_digit());
    value.filter(|_| fits).ok_or_else(|| {
        Error::invalid(format!("'{}' is not the id of an AWS account", owner.escape_default()))
            .hint_is("--expected-bucket-owner is the owner's account id: twelve digits, without hyphens")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_twelve_digits() {
        assert!(check_owner("111122223333").is_ok());
        for owner in ["", "1111-2222-3333", "11112222333", "1111222233334", "11112222333x", "\u{661}11122223333"] {
            assert!(check_owner(owner).unwrap_err().hint().is_some(), "{owner}");
        }
    }

    #[test]
    fn without_settings_nothing_is_added() {
        let mut headers = HeaderMap::new();
        Account::default().put_into(&mut headers, false);
        assert!(headers.is_empty());
        let settings = S3Config {
            requester_pays: true,
            expected_bucket_owner: Some("111122223333".to_owned()),
            ..S3Config::new("bucket")
        };
        let account = Account::new(&settings).unwrap();
        account.put_into(&mut headers, true);
        assert!(headers.is_empty());
        account.put_into(&mut headers, false);
        assert_eq!((headers[PAYER].as_bytes(), headers[OWNER].as_bytes()), (&b"requester"[..], &b"111122223333"[..]));
    }
}
