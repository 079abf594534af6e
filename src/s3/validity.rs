//! From when to when a certificate is valid: the one field of it that nothing else here reads.

use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;

/// Beginning and end of the validity of a certificate in DER, of which both are valid; `None` for what is none.
///
/// RFC 5280, 4.1: `Certificate { TBSCertificate { [0] version?, serial, algorithm, issuer, validity { from, until } .. } .. }`
pub(super) fn validity(der: &[u8]) -> Option<(UnixTime, UnixTime)> {
    let (from, until) = bounds(der)?;
    let seconds =
        |time: SystemTime| Some(UnixTime::since_unix_epoch(time.duration_since(SystemTime::UNIX_EPOCH).ok()?));
    Some((seconds(from)?, seconds(until)?))
}

/// The end of the validity of a certificate in DER; `None` for what is none.
pub(super) fn ends(der: &[u8]) -> Option<SystemTime> {
    Some(bounds(der)?.1)
}

fn bounds(der: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let (_, certificate, _) = element(der)?;
    let (_, mut tbs, _) = element(certificate)?;
    let (tag, _, rest) = element(tbs)?;
    if tag == 0xa0 {
        tbs = rest;
    }
    for _ in ["serial", "algorithm", "issuer"] {
        (_, _, tbs) = element(tbs)?;
    }
    let (_, validity, _) = element(tbs)?;
    let (from_tag, from, rest) = element(validity)?;
    let (until_tag, until, _) = element(rest)?;
    Some((time(from_tag, from)?, time(until_tag, until)?))
}

fn time(tag: u8, content: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.is_ascii())?;
    // UTCTime has two digits for the year, of which 50 and later are of the last century.
    let text = match (tag, text.get(..2)?) {
        (0x17, year) => format!("{}{text}", if year < "50" { "20" } else { "19" }),
        (0x18, _) => text.to_owned(),
        _ => return None,
    };
    let field = |from: usize, to: usize| text.get(from..to);
    let (day, time) = ([field(0, 4)?, field(4, 6)?, field(6, 8)?], [field(8, 10)?, field(10, 12)?, field(12, 14)?]);
    humantime::parse_rfc3339(&format!("{}T{}Z", day.join("-"), time.join(":"))).ok()
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        // More than 16 MiB is no certificate.
        long @ 0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (bytes.iter().fold(0usize, |len, byte| (len << 8) | usize::from(*byte)), rest)
        }
        0x80 | 0x84.. => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*tag, content, rest))
}

/// How long it is still valid; `None` where it is not.
pub(super) fn left(ends: SystemTime, now: SystemTime) -> Option<Duration> {
    ends.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["h".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 3, 9);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_of_its_forms() {
        for year in [2031, 2061] {
            let expected = humantime::parse_rfc3339(&format!("{year}-03-09T00:00:00Z")).unwrap();
            assert_eq!(ends(&certificate(year)), Some(expected));
            let (from, until) = validity(&certificate(year)).unwrap();
            assert!(from < until);
        }
        assert_eq!(ends(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let _ = ends(&bytes);
            let mut der = certificate(2031);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = ends(&der);
            let _ = ends(&der[..at]);
        }
    }
}
