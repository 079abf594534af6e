//! From training epochs, which a store knows nothing of, to days.

use std::time::Duration;

/// The most days that S3 takes: its number has 31 bits.
const MOST_DAYS: u32 = i32::MAX as u32;
const DAY: u128 = 86_400 * 1_000_000_000;

/// How many whole days so many epochs of this length take, rounded up, at least 1; `None` where S3 has no number for it.
#[must_use]
pub fn days_of(epochs: u32, length: Duration) -> Option<u32> {
    let days = (u128::from(epochs) * length.as_nanos()).div_ceil(DAY).max(1);
    u32::try_from(days).ok().filter(|days| *days <= MOST_DAYS)
}

/// The fewest epochs of this length that fill so many days.
#[must_use]
pub fn epochs_of(days: u32, length: Duration) -> u64 {
    let epochs = (u128::from(days) * DAY).div_ceil(length.as_nanos().max(1));
    u64::try_from(epochs).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn epochs_in_days() {
        for (epochs, length, days) in [
            (120, 6 * HOUR, 30),
            (121, 6 * HOUR, 31),
            (1, HOUR, 1),
            (24, HOUR, 1),
            (25, HOUR, 2),
            (7, 24 * HOUR, 7),
            (1, Duration::from_millis(1), 1),
        ] {
            assert_eq!(days_of(epochs, length), Some(days), "{epochs} of {length:?}");
        }
        assert_eq!((epochs_of(30, 6 * HOUR), epochs_of(30, 7 * HOUR), epochs_of(30, 60 * HOUR)), (120, 103, 12));
        assert_eq!(days_of(u32::MAX, 24 * HOUR), None);
        assert_eq!(days_of(u32::MAX, Duration::MAX), None);
    }

    proptest! {
        #[test]
        fn days_are_long_enough_and_hardly_longer(epochs in 1..1_000_000_u32, seconds in 1..10_000_000_u64) {
            let length = Duration::from_secs(seconds);
            let wanted = u128::from(epochs) * length.as_nanos();
            if let Some(days) = days_of(epochs, length) {
                prop_assert!(days >= 1 && u128::from(days) * DAY >= wanted);
                prop_assert!(days == 1 || u128::from(days - 1) * DAY < wanted);
            } else {
                prop_assert!(wanted > u128::from(MOST_DAYS) * DAY);
            }
        }

        #[test]
        fn more_epochs_are_never_fewer_days(epochs in 1..100_000_u32, more in 0..100_000_u32, seconds in 1..100_000_u64) {
            let length = Duration::from_secs(seconds);
            prop_assert!(days_of(epochs, length) <= days_of(epochs + more, length));
        }

        #[test]
        fn the_epochs_of_days_fill_them_and_no_fewer_do(days in 1..4000_u32, seconds in 1..10_000_000_u64) {
            let length = Duration::from_secs(seconds);
            let epochs = u32::try_from(epochs_of(days, length)).unwrap();
            prop_assert!(days_of(epochs, length).unwrap() >= days);
            prop_assert!(u128::from(epochs - 1) * length.as_nanos() < u128::from(days) * DAY);
        }
    }
}
