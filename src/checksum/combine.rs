//! Combining CRC-64/NVME values: multiplication by a power of x, modulo the polynomial, as zlib does it for CRC-32
//! (`x2nmodp` and `multmodp` in its crc32.c). The crate for checksums squares matrices instead, which took a tenth of
//! the processor time of an upload (docs/performance.md).

/// The polynomial of CRC-64/NVME without its leading term, reflected: the highest bit is the coefficient of 1
/// (<https://nvmexpress.org/specifications/>, NVM Command Set, "64b CRC").
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

/// `x` to the power of two to the power of the index.
const POWERS: [u64; 67] = {
    let mut powers = [1 << 62; 67];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = multiply(powers[n - 1], powers[n - 1]);
        n += 1;
    }
    powers
};

/// What `crc` becomes by `bytes` bytes of zero after it: times x to the power of eight for each.
pub(super) fn times_x_to_the(crc: u64, bytes: u64) -> u64 {
    let (mut product, mut left, mut power) = (crc, bytes, 3);
    while left > 0 {
        if left & 1 == 1 {
            product = multiply(POWERS[power], product);
        }
        (left, power) = (left >> 1, power + 1);
    }
    product
}

const fn multiply(a: u64, b: u64) -> u64 {
    let (mut product, mut multiple, mut bit) = (0, b, 1 << 63);
    while bit != 0 {
        if a & bit != 0 {
            product ^= multiple;
        }
        multiple = if multiple & 1 == 1 { (multiple >> 1) ^ POLYNOMIAL } else { multiple >> 1 };
        bit >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use crc_fast::{CrcAlgorithm, checksum_combine};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_combines_as_the_crate_does(first: u64, second: u64, len in prop_oneof![0u64..100_000, any::<u64>()]) {
            let theirs = checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, len);
            prop_assert_eq!(times_x_to_the(first, len) ^ second, theirs);
        }
    }
}
