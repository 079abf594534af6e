//! How much of something is read to see whether it is still what was put.

use std::fmt;
use std::str::FromStr;

/// A share of the ranges, in percent: more than 0, at most 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample(f64);

impl Sample {
    /// Everything.
    pub const ALL: Sample = Sample(100.0);

    /// Whether that is everything.
    pub fn is_all(self) -> bool {
        self.0 >= 100.0
    }

    /// Chooses among `total` things at random, each as likely as any other: at least one, where there is one.
    pub(super) fn of(self, total: u64) -> Choice {
        // Precise enough: a total is no more than some millions.
        let wanted = (total as f64 * self.0 / 100.0).ceil() as u64;
        Choice { left: total, wanted: if self.is_all() { total } else { wanted.clamp(total.min(1), total) } }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Sample {
    type Err = String;

    /// `5%`, `0.5%`, or the number alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        match number.parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Sample(percent)),
            Ok(_) => Err(format!("'{text}' is not more than 0% and at most 100%")),
            Err(_) => Err(format!("'{text}' is not a percentage such as 5%")),
        }
    }
}

/// A choice among things that are gone through once, in order.
#[derive(Debug)]
pub(super) struct Choice {
    left: u64,
    wanted: u64,
}

impl Choice {
    /// Whether the next one is among the chosen.
    pub(super) fn takes_next(&mut self) -> bool {
        let takes = self.left > 0 && fastrand::u64(..self.left) < self.wanted;
        self.left = self.left.saturating_sub(1);
        self.wanted -= u64::from(takes);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentage_is_one() {
        for (text, shown) in [("5%", "5%"), ("5", "5%"), ("0.5 %", "0.5%"), ("100%", "100%")] {
            assert_eq!(text.parse::<Sample>().unwrap().to_string(), shown);
        }
        for text in ["0%", "0", "101%", "-5%", "NaN", "inf", "", "%", "5%%", "all"] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn as_many_as_wanted_are_chosen(total in 0u64..500, percent in 0.01f64..=100.0) {
            let mut choice = Sample(percent).of(total);
            let chosen = (0..total).filter(|_| choice.takes_next()).count() as u64;
            prop_assert!(chosen as f64 >= total as f64 * percent / 100.0 - 1e-6);
            prop_assert!(chosen as f64 <= total as f64 * percent / 100.0 + 1.0);
            prop_assert_eq!(chosen == 0, total == 0);
            prop_assert!(!choice.takes_next());
        }
    }
}
