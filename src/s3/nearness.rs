//! Which hosts are this machine or near it, by their names alone: nothing is looked up.

use std::net::IpAddr;

/// This machine: `localhost`, a name below it, or an address of the loopback.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = bare(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// An address that is not routed in public: loopback, RFC 1918, RFC 4193, link-local.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// This machine, a private address, or a name that only a private network knows: one without a dot, or below `.local`
/// (RFC 6762) or `.internal` (reserved by ICANN in 2024).
pub(super) fn is_near(host: &str) -> bool {
    let host = bare(host);
    match host.parse::<IpAddr>() {
        Ok(address) => is_private(address),
        Err(_) => {
            !host.contains('.')
                || ["localhost", "local", "internal"].iter().any(|end| host.rsplit('.').next() == Some(end))
        }
    }
}

/// Without the brackets of an IPv6 address and the dot of an absolute name.
fn bare(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private() {
        for (address, private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("192.168.0.1", true),
            ("169.254.1.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("::ffff:10.0.0.1", true),
            ("52.216.1.1", false),
            ("2600:1f00::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), private, "{address}");
        }
    }

    #[test]
    fn what_is_near() {
        for (host, near, loopback) in [
            ("localhost", true, true),
            ("LocalHost.", true, true),
            ("b.localhost", true, true),
            ("127.8.9.1", true, true),
            ("[::1]", true, true),
            ("::ffff:127.0.0.1", true, true),
            ("minio", true, false),
            ("nas.local", true, false),
            ("s3.test.internal", true, false),
            ("172.16.0.1", true, false),
            ("172.32.0.1", false, false),
            ("[fd12::7]", true, false),
            ("[fe80::7]", true, false),
            ("[2001:db8::1]", false, false),
            ("8.8.8.8", false, false),
            ("s3.example.com", false, false),
            ("localhost.example.com", false, false),
            ("local.example", false, false),
            ("notlocalhost", true, false),
        ] {
            assert_eq!((is_near(host), is_loopback(host)), (near, loopback), "{host}");
        }
    }
}
