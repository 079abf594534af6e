//! What is measured: what was said, then what the baseline was measured with, then what is good to know.

use storage::bench::{Baseline, Operation, Plan, Source};
use storage::{Concurrency, Error, PartSize, Result};

use crate::cli::args::{BenchArgs, Op};
use crate::cli::context::Context;

/// Requests in flight where nobody says how many.
const CONCURRENCY: [Concurrency; 4] =
    [Concurrency::Auto, Concurrency::Fixed(4), Concurrency::Fixed(16), Concurrency::Fixed(64)];

/// The plan.
pub(super) fn of(context: &Context, args: &BenchArgs, baseline: Option<&Baseline>) -> Result<Plan> {
    let earlier = baseline.map(Baseline::ran_with).transpose();
    let earlier = earlier.map_err(|error| Error::invalid(format!("has a setting that is none: {error}")))?;
    let (common, typed) = (&context.common, &context.typed);
    let is_set = |typed: bool, variable: &str| typed || context.environment.get(variable).is_some();
    let part_sizes = match (is_set(typed.part_size, "STRATA_PART_SIZE"), &earlier) {
        (false, Some(earlier)) => earlier.part_sizes.clone(),
        _ => with_auto(common.part_size.to_vec(), PartSize::Auto, typed.part_size),
    };
    let concurrency = match (is_set(typed.concurrency, "STRATA_CONCURRENCY"), &earlier) {
        (false, Some(earlier)) => earlier.concurrency.clone(),
        (false, None) => CONCURRENCY.to_vec(),
        (true, _) => with_auto(common.concurrency.to_vec(), Concurrency::Auto, typed.concurrency),
    };
    let operations = match (args.op, &earlier) {
        (Some(Op::Put), _) => vec![Operation::Put],
        (Some(Op::Get), _) => vec![Operation::Get],
        (None, Some(earlier)) => earlier.operations.clone(),
        (Some(Op::Both) | None, _) => vec![Operation::Put, Operation::Get],
    };
    let of_earlier = earlier.as_ref();
    Ok(Plan {
        size: args.size.or(of_earlier.map(|earlier| earlier.size)),
        part_sizes,
        concurrency,
        operations,
        runs: args.runs,
        source: args.source.map(Source::from).or(of_earlier.map(|earlier| earlier.source)).unwrap_or(Source::Memory),
        files: args.files.or(of_earlier.map(|earlier| earlier.files)).unwrap_or(1),
    })
}

/// A single value of a variable is what is used every day: it is measured beside what would be used without it.
fn with_auto<T: PartialEq>(mut values: Vec<T>, auto: T, typed: bool) -> Vec<T> {
    if !typed && values.len() == 1 && !values.contains(&auto) {
        values.insert(0, auto);
    }
    values
}
