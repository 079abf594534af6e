//! What keeping an object costs: [`StorageClass`].

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A storage class from which objects can be read at once
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageClass {
    /// `STANDARD`.
    #[default]
    Standard,
    /// `STANDARD_IA`: cheaper to keep, for at least 30 days, and paid for when read.
    StandardIa,
    /// `ONEZONE_IA`: the same in one zone, lost with it.
    OnezoneIa,
    /// `INTELLIGENT_TIERING`. With its optional archive tiers, objects need a restore as well.
    IntelligentTiering,
    /// `GLACIER_IR`: for at least 90 days, read at once.
    GlacierIr,
    /// `REDUCED_REDUNDANCY`; what MinIO knows beside `STANDARD`.
    ReducedRedundancy,
}

const ALL: [StorageClass; 6] = [
    StorageClass::Standard,
    StorageClass::StandardIa,
    StorageClass::OnezoneIa,
    StorageClass::IntelligentTiering,
    StorageClass::GlacierIr,
    StorageClass::ReducedRedundancy,
];

impl StorageClass {
    /// S3's own name.
    pub fn name(self) -> &'static str {
        match self {
            StorageClass::Standard => "STANDARD",
            StorageClass::StandardIa => "STANDARD_IA",
            StorageClass::OnezoneIa => "ONEZONE_IA",
            StorageClass::IntelligentTiering => "INTELLIGENT_TIERING",
            StorageClass::GlacierIr => "GLACIER_IR",
            StorageClass::ReducedRedundancy => "REDUCED_REDUNDANCY",
        }
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StorageClass {
    type Err = Error;

    /// S3's names, in upper or lower case. Classes that need a restore before an object can be read are refused: `get` and
    /// `ls --verify` could not read what `put` has stored.
    fn from_str(text: &str) -> Result<Self> {
        let upper = text.to_ascii_uppercase();
        if let Some(class) = ALL.into_iter().find(|class| class.name() == upper) {
            return Ok(class);
        }
        let names = ALL.map(StorageClass::name).join(", ");
        Err(match upper.as_str() {
            "GLACIER" | "DEEP_ARCHIVE" => {
                Error::invalid(format!("objects of the storage class {upper} cannot be read until they are restored"))
                    .hint_is("use GLACIER_IR, or let a lifecycle of the bucket move old checkpoints there")
            }
            _ => Error::invalid(format!("'{}' is no storage class for checkpoints", text.escape_default()))
                .hint_is(format!("classes are {names}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_archives_refused() {
        for class in ALL {
            assert_eq!(class.name().to_lowercase().parse::<StorageClass>().unwrap(), class);
        }
        for (text, word) in
            [("GLACIER", "restored"), ("deep_archive", "restored"), ("COLD", "no storage class"), ("", "no")]
        {
            let error = text.parse::<StorageClass>().unwrap_err();
            assert!(error.to_string().contains(word) && error.hint().is_some(), "{error}");
        }
    }
}
