//! How many checkpoints are kept: never none.

use std::num::NonZeroU64;

/// `--keep-last`.
pub(super) fn parse_last(text: &str) -> Result<NonZeroU64, String> {
    let none = "0 would keep nothing; keep at least 1, and remove what is to go by name: strata-ckpt rm KEY";
    parse(text, none, "a number of checkpoints")
}

/// `--keep-every`.
pub(super) fn parse_every(text: &str) -> Result<NonZeroU64, String> {
    parse(text, "nothing is a multiple of 0; 1 keeps every one, 10 every tenth", "a number to count by")
}

fn parse(text: &str, none: &str, what: &str) -> Result<NonZeroU64, String> {
    match text.parse::<u64>() {
        Ok(count) => NonZeroU64::new(count).ok_or_else(|| none.to_owned()),
        Err(_) => Err(format!("'{text}' is not {what}; write 1 or more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_refused_and_so_is_what_is_no_number() {
        assert_eq!(parse_last("3").map(NonZeroU64::get), Ok(3));
        assert_eq!(parse_every("18446744073709551615").map(NonZeroU64::get), Ok(u64::MAX));
        for text in ["0", "00", "-1", "", "3.5", "all", "18446744073709551616"] {
            assert!(parse_last(text).is_err() && parse_every(text).is_err(), "{text}");
        }
    }
}
