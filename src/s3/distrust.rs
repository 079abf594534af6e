//! Why a server is not believed to be who it says, in words. rustls and webpki know reasons by the names of their types.

use std::time::{Duration, SystemTime};

use rustls::CertificateError as Reason;
use rustls::pki_types::UnixTime;

use crate::error::{Error, ErrorKind};

const AUTHORITY: &str =
    "for a private authority set AWS_CA_BUNDLE to its certificate; also check the host name in the endpoint";
const CLOCK: &str = "have it renewed; check this machine's clock as well";
const NAME: &str = "check the host name in the endpoint (S3_ENDPOINT): it must be one that the certificate is for";
const ANEW: &str = "have the server given another certificate";
/// What `openssl req -x509` makes says that it is an authority.
const OWN: &str = "to trust this very certificate set AWS_CA_BUNDLE to a file with it; or give the server one that an authority has \
                   signed";

/// The error for a certificate that proves nothing.
pub(super) fn bad_certificate(why: &Reason) -> Error {
    let (what, hint) = in_words(why);
    Error::new(ErrorKind::Denied, format!("the server's certificate {what}")).hint_is(hint)
}

/// What is wrong with it, after "the server's certificate", and what to do.
fn in_words(why: &Reason) -> (String, &'static str) {
    let not_trusted = |why: &str| format!("is not trusted: {why}");
    match why {
        Reason::ExpiredContext { not_after, .. } => (format!("has expired on {}", day(*not_after)), CLOCK),
        Reason::Expired => ("has expired".to_owned(), CLOCK),
        Reason::NotValidYetContext { not_before, .. } => {
            (format!("is not valid before {}", day(*not_before)), "check this machine's clock")
        }
        Reason::NotValidYet => ("is not valid yet".to_owned(), "check this machine's clock"),
        Reason::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            (format!("is for {names}, not for {}", expected.to_str()), NAME)
        }
        Reason::NotValidForName => ("is for another name".to_owned(), NAME),
        Reason::UnknownIssuer => (not_trusted("no authority that is known here has signed it"), AUTHORITY),
        Reason::Revoked => ("was revoked by its authority".to_owned(), ANEW),
        Reason::BadEncoding => ("cannot be read".to_owned(), ANEW),
        Reason::BadSignature => (not_trusted("it is not what its authority has signed"), ANEW),
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => {
            (not_trusted("it is not made for servers"), ANEW)
        }
        Reason::UnhandledCriticalExtension => {
            (not_trusted("it says something that must be understood and is not known here"), ANEW)
        }
        // They name an algorithm by numbers.
        why if spoken(why).starts_with("unsupported signature algorithm") => {
            (not_trusted("it is signed in a way that is not known here"), ANEW)
        }
        Reason::Other(other) => of_webpki(&other.0.to_string()),
        why => (not_trusted(&spoken(why)), AUTHORITY),
    }
}

/// That a certificate may sign others, and therefore is none of a server (RFC 5280, 4.2.1.9); rustls has no name for it.
pub(super) fn is_authority(why: &Reason) -> bool {
    matches!(why, Reason::Other(why) if why.0.to_string().contains("CaUsedAsEndEntity"))
}

/// Those of webpki's reasons that rustls has no name for.
fn of_webpki(name: &str) -> (String, &'static str) {
    let (what, hint) = match name {
        "CaUsedAsEndEntity" => ("it is that of an authority, not a server's own", OWN),
        "EndEntityUsedAsCa" => ("what has signed it is no authority", ANEW),
        "UnsupportedCertVersion" => ("it is of an old form, before X.509 version 3", ANEW),
        "SignatureAlgorithmMismatch" => ("it names two ways in which it is signed", ANEW),
        "PathLenConstraintViolated" | "NameConstraintViolation" => {
            ("one of its authorities may not sign such a certificate", ANEW)
        }
        other => return (format!("is not trusted: {}", spaced(&alone(other))), AUTHORITY),
    };
    (format!("is not trusted: {what}"), hint)
}

fn spoken(why: &Reason) -> String {
    spaced(&alone(&why.to_string()))
}

/// A name without what it carries, such as `Context { .. }`.
fn alone(text: &str) -> String {
    text.split(['(', '{', '[']).next().unwrap_or_default().trim().to_owned()
}

/// Names of types, such as `HandshakeFailure`, as words.
pub(super) fn spaced(text: &str) -> String {
    let word = |word: &str| {
        let is_name = word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().any(|c| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_alphanumeric());
        match is_name {
            false => word.to_owned(),
            true => word.chars().fold(String::new(), |mut words, c| {
                if c.is_ascii_uppercase() && !words.is_empty() {
                    words.push(' ');
                }
                words.push(c.to_ascii_lowercase());
                words
            }),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn day(time: UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
    let text = time.map(|time| humantime::format_rfc3339_seconds(time).to_string()).unwrap_or_default();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A name as rustls has it, such as `DnsName("h")`, without what is around it.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, inside)| inside).trim_end_matches(')').trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::OtherError;
    use std::sync::Arc;

    fn said(why: &Reason) -> String {
        bad_certificate(why).message().to_owned()
    }

    #[test]
    fn every_reason_is_said_in_words() {
        let webpki = |name: &str| Reason::Other(OtherError(Arc::new(std::io::Error::other(name.to_owned()))));
        for (why, told) in [
            (webpki("CaUsedAsEndEntity"), "is not trusted: it is that of an authority, not a server's own"),
            (webpki("UnsupportedCertVersion"), "is not trusted: it is of an old form, before X.509 version 3"),
            (webpki("TrailingData(Certificate)"), "is not trusted: trailing data"),
            (Reason::Revoked, "was revoked by its authority"),
            (Reason::NotValidForName, "is for another name"),
            (Reason::InvalidPurpose, "is not trusted: it is not made for servers"),
            (Reason::InvalidOcspResponse, "is not trusted: invalid ocsp response"),
            (Reason::ApplicationVerificationFailure, "is not trusted: application verification failure"),
        ] {
            assert_eq!(said(&why), format!("the server's certificate {told}"));
        }
    }

    #[test]
    fn names_of_types_become_words() {
        for (text, words) in [
            ("received fatal alert: HandshakeFailure", "received fatal alert: handshake failure"),
            ("peer is incompatible: NoCipherSuitesInCommon", "peer is incompatible: no cipher suites in common"),
            ("peer doesn't support any known protocol", "peer doesn't support any known protocol"),
            ("TLS is A (b)", "TLS is A (b)"),
        ] {
            assert_eq!(spaced(text), words);
        }
    }
}
