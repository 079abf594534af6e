//! Credentials as JSON: what processes print, and what containers are given.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use serde_json::{Map, Value};

/// What a `credential_process` prints, of version 1; `None` for anything else.
pub(super) fn of_process(json: &[u8]) -> Option<Credentials> {
    let mut fields = Fields::parse(json)?;
    match fields.take(&["Version"])? {
        Value::Number(version) if version.as_i64() == Some(1) => credentials(fields, "CredentialProcess"),
        _ => None,
    }
}

/// What the credential service of a container answers; `None` for anything else.
pub(super) fn of_container(json: &[u8]) -> Option<Credentials> {
    credentials(Fields::parse(json)?, "EcsContainer")
}

fn credentials(mut fields: Fields, by: &'static str) -> Option<Credentials> {
    let id = fields.text(&["AccessKeyId"])?;
    let secret = fields.text(&["SecretAccessKey"])?;
    let token = fields.text(&["SessionToken", "Token"]);
    let expiry = match fields.text(&["Expiration"]) {
        Some(text) => Some(time(&text)?),
        None => None,
    };
    Some(Credentials::new(id, secret, token, expiry, by))
}

/// RFC 3339, in any zone.
fn time(text: &str) -> Option<SystemTime> {
    DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok()?.try_into().ok()
}

/// The fields of an object, by names in any case. Texts are moved out, not copied, into where they are zeroed.
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(json: &[u8]) -> Option<Self> {
        match serde_json::from_slice(json).ok()? {
            Value::Object(fields) => Some(Fields(fields)),
            _ => None,
        }
    }

    fn take(&mut self, names: &[&str]) -> Option<Value> {
        let is_one = |name: &&String| names.iter().any(|own| name.eq_ignore_ascii_case(own));
        let name = self.0.keys().find(is_one)?.clone();
        self.0.remove(&name)
    }

    fn text(&mut self, names: &[&str]) -> Option<String> {
        match self.take(names)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_documented_is_read_and_nothing_else() {
        let given = of_process(
            br#"{"version":1,"AccessKeyId":"i","SecretAccessKey":"s=","Expiration":"1970-01-01T01:00:00+00:30"}"#,
        );
        let given = given.unwrap();
        assert_eq!((given.access_key_id(), given.secret_access_key(), given.session_token()), ("i", "s=", None));
        assert_eq!(given.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1800)));
        for text in [
            "",
            "[]",
            r#"{"Version":2,"AccessKeyId":"i","SecretAccessKey":"s"}"#,
            r#"{"Version":"1","AccessKeyId":"i","SecretAccessKey":"s"}"#,
            r#"{"AccessKeyId":"i","SecretAccessKey":"s"}"#,
            r#"{"Version":1,"AccessKeyId":"i"}"#,
            r#"{"Version":1,"AccessKeyId":"i","SecretAccessKey":"s","Expiration":"soon"}"#,
        ] {
            assert!(of_process(text.as_bytes()).is_none(), "{text}");
        }
        let given = of_container(br#"{"AccessKeyId":"i","SecretAccessKey":"s","Token":"t"}"#).unwrap();
        assert_eq!(given.session_token(), Some("t"));
    }
}
