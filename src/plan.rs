//! How an object is cut into parts and ranges: pure arithmetic, within the store's limits, before the first byte.

use std::ops::Range;

use crate::backend::{Capabilities, Part};
use crate::config::{DEFAULT_PART_SIZE, MIB, PartSize};
use crate::error::{Error, Result};

/// The parts of an object of known size. All have the same size but the last, which may be smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    size: u64,
    part_size: u64,
}

impl Plan {
    /// Cuts `size` bytes. [`PartSize::Auto`] is 8 MiB, doubled until the parts suffice.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the object is larger than the store allows, or a fixed
    /// part size needs more parts than it allows; the hint says which one would do.
    pub fn new(size: u64, part_size: PartSize, limits: &Capabilities) -> Result<Self> {
        let max_parts = u64::from(limits.max_parts);
        if size > limits.max_object_size {
            return Err(Error::invalid(format!(
                "{size} bytes are more than the store's limit of {} for an object",
                limits.max_object_size
            ))
            .hint_is("split it into shards and put their directory"));
        }
        let smallest = size.div_ceil(max_parts);
        let part_size = match part_size {
            PartSize::Fixed(bytes) if bytes < smallest => {
                return Err(Error::invalid(format!("parts of {bytes} bytes are too small: {size} bytes would need {} of them, the store takes {max_parts}", size.div_ceil(bytes.max(1))))
                    .hint_is(format!("use --part-size auto, or at least {}MiB", smallest.div_ceil(MIB))));
            }
            PartSize::Fixed(bytes) => bytes,
            PartSize::Auto => {
                let mut bytes = DEFAULT_PART_SIZE;
                while bytes < smallest {
                    bytes *= 2;
                }
                bytes
            }
        };
        Ok(Plan { size, part_size })
    }

    /// The plan of an object that was cut before, as its manifest says. `part_size` of at least 1 byte.
    pub(crate) fn existing(size: u64, part_size: u64) -> Self {
        Plan { size, part_size: part_size.max(1) }
    }

    /// Size of the object in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size of every part but the last, in bytes.
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// How many parts; an empty object has one.
    pub fn parts(&self) -> u64 {
        self.size.div_ceil(self.part_size).max(1)
    }

    /// The parts in order, with the bytes that each covers.
    pub fn ranges(self) -> impl Iterator<Item = (Part, Range<u64>)> + Send {
        (1u32..).zip(0..self.parts()).map(move |(number, index)| {
            let offset = index * self.part_size;
            (Part { number, offset }, offset..self.size.min(offset.saturating_add(self.part_size)))
        })
    }
}

/// A range of a buffer that lies in memory.
pub(crate) fn as_indices(range: &Range<u64>) -> Range<usize> {
    // A buffer in memory is never longer than usize can count.
    let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    index(range.start)..index(range.end)
}

/// How large the n-th part (from 1) of a stream of unknown length is: the part size for the first thousand parts, then
/// doubled for each thousand more, up to `largest`. So a short stream has small parts and a long one fits in 10,000.
pub(crate) fn stream_part_size(number: u32, first: u64, largest: u64) -> u64 {
    let doublings = (number.saturating_sub(1) / 1000).min(20);
    (first << doublings).min(largest.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s3() -> Capabilities {
        Capabilities {
            part_size: 5 * MIB..=5 << 30,
            max_parts: 10_000,
            max_object_size: 5 << 40,
            conditional_writes: None,
        }
    }

    #[test]
    fn a_fixed_size_that_does_not_suffice_is_refused_with_one_that_does() {
        let error = Plan::new(200 << 30, PartSize::Fixed(8 * MIB), &s3()).unwrap_err();
        assert_eq!(error.hint(), Some("use --part-size auto, or at least 21MiB"));
        assert!(Plan::new(200 << 30, PartSize::Fixed(21 * MIB), &s3()).is_ok());
        assert!(Plan::new((5 << 40) + 1, PartSize::Auto, &s3()).is_err());
    }

    #[test]
    fn the_default_is_eight_mebibytes() {
        assert_eq!(Plan::new(80_000 * MIB, PartSize::Auto, &s3()).unwrap().part_size(), 8 * MIB);
        assert_eq!(Plan::new(80_000 * MIB + 1, PartSize::Auto, &s3()).unwrap().part_size(), 16 * MIB);
    }

    #[test]
    fn a_stream_has_room_for_terabytes() {
        let total: u64 = (1..=10_000).map(|number| stream_part_size(number, 8 * MIB, 5 << 30)).sum();
        assert!(total > 5 << 40);
        assert_eq!(stream_part_size(10_000, 8 * MIB, 32 * MIB), 32 * MIB);
    }

    proptest! {
        #[test]
        fn the_plan_covers_each_byte_once_within_the_limits(size in 0u64..=5 << 40, fixed in proptest::option::of(5 * MIB..=5 << 30)) {
            let wanted = fixed.map_or(PartSize::Auto, PartSize::Fixed);
            let Ok(plan) = Plan::new(size, wanted, &s3()) else {
                let fixed = fixed.expect("auto always suffices");
                prop_assert!(size.div_ceil(fixed) > 10_000);
                return Ok(());
            };
            prop_assert!(plan.parts() <= 10_000);
            prop_assert!(s3().part_size.contains(&plan.part_size()));
            let mut at = 0;
            for ((part, range), number) in plan.ranges().zip(1..) {
                prop_assert_eq!(part.number, number);
                prop_assert_eq!((part.offset, range.start), (at, at));
                prop_assert!(range.end > range.start || size == 0);
                at = range.end;
            }
            prop_assert_eq!(at, size);
        }
    }
}
