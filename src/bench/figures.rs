//! Several runs as a few numbers.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The same quantity of several runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the runs had less.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// How far the run that is furthest from the median lies from it, in per cent of it; `None` of one run alone.
    pub spread_percent: Option<f64>,
}

impl Spread {
    /// Of these values; of none, zeros.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first().copied(), sorted.last().copied()) else {
            return Spread { median: 0.0, min: 0.0, max: 0.0, spread_percent: None };
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        let furthest = (max - median).max(median - min);
        let spread_percent =
            (sorted.len() > 1).then(|| if median > 0.0 { rounded(100.0 * furthest / median) } else { 0.0 });
        Spread { median: median.round(), min: min.round(), max: max.round(), spread_percent }
    }
}

/// Latencies of all parts of a cell, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// 95 of a hundred were faster.
    pub p95: f64,
    /// 99 of a hundred were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| seconds(histogram.value_at_quantile(quantile));
        Latency { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: seconds(histogram.max()) }
    }
}

/// A latency curve: pairs of a quantile, 0 to 1, and the seconds within which so many parts were done. It ends with the
/// slowest of them: of ten parts nobody knows how long 99 of a hundred take.
pub(super) fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let last = 1.0 - 1.0 / histogram.len().max(1) as f64;
    let steps = histogram.iter_quantiles(4);
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for step in steps {
        let quantile = step.quantile_iterated_to();
        if quantile > last {
            break;
        }
        let point = (quantile, seconds(step.value_iterated_to()));
        if curve.last() != Some(&point) {
            curve.push(point);
        }
    }
    if !histogram.is_empty() {
        curve.push((last, seconds(histogram.max())));
    }
    curve
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

/// To three places, which is more than is measured.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread() {
        let spread = Spread::of(&[110.0, 100.0, 80.0]);
        assert_eq!((spread.median, spread.min, spread.max, spread.spread_percent), (100.0, 80.0, 110.0, Some(20.0)));
        assert_eq!(Spread::of(&[1.0, 3.0]).median, 2.0);
        assert_eq!((Spread::of(&[7.0]).spread_percent, Spread::of(&[]).median), (None, 0.0));
    }

    #[test]
    fn percentiles_and_curve() {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        (1..=1000).for_each(|millis| histogram.record(millis * 1000).unwrap());
        let Latency { p50, p95, p99, max } = Latency::of(&histogram);
        for (found, expected) in [(p50, 0.5), (p95, 0.95), (p99, 0.99), (max, 1.0)] {
            assert!((found - expected).abs() < 0.002, "{found} {expected}");
        }
        let curve = curve(&histogram);
        assert!(curve.len() > 10 && curve.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        let (quantile, slowest) = curve[curve.len() - 1];
        assert!((quantile - 0.999).abs() < 1e-9 && (slowest - 1.0).abs() < 0.002, "no more than a thousand parts show");
    }

    #[test]
    fn a_curve_of_few_parts_is_short() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        assert_eq!(curve(&histogram), []);
        (1..=10).for_each(|millis| histogram.record(millis * 1000).unwrap());
        let curve = curve(&histogram);
        assert!(curve.iter().all(|(quantile, _)| *quantile <= 0.9), "{curve:?}");
    }
}
