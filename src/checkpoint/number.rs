//! The numbers in a checkpoint's name, by which checkpoints are in order.

use crate::key;

/// The numbers in the last component of a name, in order: `epoch_9` < `epoch_10`, and a name without one before all others.
pub(super) fn numbers_of(name: &str) -> Vec<u128> {
    key::file_name(name).split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        assert!(numbers_of("epoch_9") < numbers_of("epoch_10"));
        assert!(numbers_of("epoch_1_step_900") < numbers_of("epoch_2_step_100"));
        assert!(numbers_of("final") < numbers_of("epoch_0"));
        assert!(numbers_of("run_7/epoch_1") < numbers_of("run_3/epoch_2"), "only the last component counts");
        assert_eq!(numbers_of("step-000123"), numbers_of("step_123"));
    }
}
