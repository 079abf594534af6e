//! Secrets taken out of foreign text: a server may repeat what it was sent.

/// What stands in a secret's place.
const GONE: &str = "[redacted]";
/// Shorter ones would take out what only looks like them.
const SHORTEST: usize = 8;
/// A signature is the hexadecimal form of 32 bytes.
const SIGNATURE: usize = 64;

/// The text without these secrets, and without anything that has the form of a signature.
pub(super) fn redacted(mut text: String, secrets: &[&str]) -> String {
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        for form in [
            (*secret).to_owned(),
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string(),
        ] {
            text = text.replace(&form, GONE);
        }
    }
    without_signatures(&text)
}

fn without_signatures(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(start);
        let len = from.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (run, after) = from.split_at(len);
        kept.push_str(before);
        kept.push_str(if len >= SIGNATURE { GONE } else { run });
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_repeats_is_taken_out() {
        let signature = "0f".repeat(32);
        for (text, expected) in [
            (format!("Signature={signature}, odd"), "Signature=[redacted], odd"),
            ("the token a/b+c=d/e is odd".to_owned(), "the token [redacted] is odd"),
            ("the token a%2Fb%2Bc%3Dd%2Fe is odd".to_owned(), "the token [redacted] is odd"),
            (
                "the etag 9b2cf535f27731c974343645a3985328 is odd".to_owned(),
                "the etag 9b2cf535f27731c974343645a3985328 is odd",
            ),
            ("ä short b".to_owned(), "ä short b"),
        ] {
            assert_eq!(redacted(text, &["a/b+c=d/e", "short", ""]), expected);
        }
    }
}
