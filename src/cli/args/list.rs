//! Flags that take one value, and for `bench` a list.

use storage::config::{parse_concurrency, parse_part_size};
use storage::{Concurrency, PartSize};

/// At least one value, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneOrMore<T> {
    first: T,
    more: Vec<T>,
}

impl<T: Clone> OneOrMore<T> {
    fn parse(text: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let mut values = text.split(',').map(|value| one(value.trim()));
        let first = values.next().unwrap_or_else(|| one(text))?;
        Ok(OneOrMore { first, more: values.collect::<Result<_, _>>()? })
    }

    /// The only one, where it is no list.
    pub(crate) fn first(&self) -> &T {
        &self.first
    }

    pub(crate) fn is_list(&self) -> bool {
        !self.more.is_empty()
    }

    pub(crate) fn to_vec(&self) -> Vec<T> {
        std::iter::once(&self.first).chain(&self.more).cloned().collect()
    }
}

/// Part sizes with `,` between them.
pub(super) fn parse_part_sizes(text: &str) -> Result<OneOrMore<PartSize>, String> {
    OneOrMore::parse(text, parse_part_size)
}

/// Numbers of requests with `,` between them.
pub(super) fn parse_concurrencies(text: &str) -> Result<OneOrMore<Concurrency>, String> {
    OneOrMore::parse(text, parse_concurrency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_more() {
        let one = parse_concurrencies("16").unwrap();
        assert_eq!((one.first(), one.is_list()), (&Concurrency::Fixed(16), false));
        let list = parse_part_sizes("8MiB, auto,16M").unwrap();
        assert_eq!(list.to_vec(), [PartSize::Fixed(8 << 20), PartSize::Auto, PartSize::Fixed(16 << 20)]);
        assert!(list.is_list());
        for text in ["", ",", "4,", "4,,8", "4;8"] {
            assert!(parse_concurrencies(text).is_err(), "{text}");
        }
        assert!(parse_part_sizes("8MiB,1MiB").unwrap_err().contains("'1MiB'"));
    }
}
