//! Amazon's own names: hosts of its S3, and names that stand where a bucket's would but are none.

use crate::error::{Error, Result};

/// Which of Amazon's endpoints is meant
/// (<https://docs.aws.amazon.com/general/latest/gr/s3.html>). What a region does not have, its names do not resolve to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Variant {
    /// Reached over IPv6 as well.
    pub(super) dual_stack: bool,
    /// With cryptography validated after FIPS 140 at the server's end.
    pub(super) fips: bool,
}

impl Variant {
    /// The host of S3 in a region.
    pub(super) fn host(self, region: &str) -> String {
        let fips = if self.fips { "-fips" } else { "" };
        let dual_stack = if self.dual_stack { ".dualstack" } else { "" };
        format!("s3{fips}{dual_stack}.{region}.{}", domain(region))
    }
}

impl Variant {
    /// By which of these endpoints a host is of S3, that of the region or the old one of all regions; `None` for others, those
    /// inside a private network among them.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        if host == "s3.amazonaws.com" {
            return Some(Variant::default());
        }
        let region = host.split('.').find(|label| !matches!(*label, "s3" | "s3-fips" | "dualstack"))?;
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let mut all = all.into_iter().map(|(dual_stack, fips)| Variant { dual_stack, fips });
        all.find(|variant| variant.host(region) == host)
    }
}

/// Regions that are not below `amazonaws.com`, by how their names begin: the partitions of botocore's `partitions.json`.
const ELSEWHERE: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];
const DOMAIN: &str = "amazonaws.com";

fn domain(region: &str) -> &'static str {
    ELSEWHERE.iter().find(|(start, _)| region.starts_with(start)).map_or(DOMAIN, |(_, domain)| domain)
}

/// Whether a host is Amazon's, by its name.
pub(super) fn is_amazon(host: &str) -> bool {
    let mut domains = ELSEWHERE.iter().map(|(_, domain)| *domain).chain([DOMAIN]);
    domains.any(|domain| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')))
}

/// Refuses what S3 takes in place of a bucket's name and this library does not: ARNs, and the endings that
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html> reserves.
pub(super) fn check_kind(bucket: &str) -> Result<()> {
    let of_its_own = "use the bucket that it leads to, by that bucket's own name";
    let lower = bucket.to_ascii_lowercase();
    let (what, hint) = if let Some(arn) = lower.strip_prefix("arn:") {
        let resource = arn.rsplit(':').next().unwrap_or_default();
        if arn.contains(":s3express:") {
            ("the ARN of an S3 Express bucket", NO_EXPRESS.to_owned())
        } else if arn.contains(":s3-object-lambda:") {
            ("the ARN of an Object Lambda access point", of_its_own.to_owned())
        } else if arn.contains(":s3-outposts:") {
            ("the ARN of a bucket on Outposts", "use a bucket in a region".to_owned())
        } else if arn.contains(":accesspoint") {
            ("the ARN of an access point", of_its_own.to_owned())
        } else if arn.contains(":s3:::") && !resource.is_empty() {
            ("the ARN of a bucket", format!("use its name alone: {}", resource.escape_default()))
        } else {
            ("an ARN", "use the name of a bucket".to_owned())
        }
    } else if bucket.ends_with("--x-s3") || bucket.ends_with("--xa-s3") {
        ("an S3 Express bucket", NO_EXPRESS.to_owned())
    } else if bucket.ends_with("--ol-s3") {
        ("the alias of an Object Lambda access point", of_its_own.to_owned())
    } else if bucket.ends_with("-s3alias") {
        ("the alias of an access point", of_its_own.to_owned())
    } else if bucket.ends_with(".mrap") {
        ("the alias of a multi-region access point", of_its_own.to_owned())
    } else if bucket.ends_with("--table-s3") {
        ("a table bucket", "use a general purpose bucket".to_owned())
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("'{}' is {what}, which is not supported", bucket.escape_default())).hint_is(hint))
}

const NO_EXPRESS: &str = "use a general purpose bucket: S3 Express has a sign-in and listings of its own";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (region, dual_stack, fips, host) in [
            ("us-east-1", false, false, "s3.us-east-1.amazonaws.com"),
            ("us-east-1", true, false, "s3.dualstack.us-east-1.amazonaws.com"),
            ("us-gov-west-1", false, true, "s3-fips.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, true, "s3-fips.dualstack.us-east-1.amazonaws.com"),
            ("cn-north-1", true, false, "s3.dualstack.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", false, false, "s3.eusc-de-east-1.amazonaws.eu"),
            ("us-isob-east-1", false, false, "s3.us-isob-east-1.sc2s.sgov.gov"),
            ("mars-north-1", false, false, "s3.mars-north-1.amazonaws.com"),
        ] {
            assert_eq!(Variant { dual_stack, fips }.host(region), host);
            assert!(is_amazon(host), "{host}");
            assert_eq!(Variant::of_host(host), Some(Variant { dual_stack, fips }));
        }
        assert!(!is_amazon("notamazonaws.com") && !is_amazon("amazonaws.com.example.org"));
    }

    #[test]
    fn what_only_looks_alike_is_a_bucket() {
        for name in ["my-bucket", "s3alias", "x-s3", "mrap", "my--bucket", "arn"] {
            assert!(check_kind(name).is_ok(), "{name}");
        }
        assert!(check_kind("my-checkpoints--usw2-az1--x-s3").is_err());
    }
}
