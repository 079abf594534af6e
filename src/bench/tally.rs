//! What was run so far: of each cell one histogram and a few figures a run, so that a hundred runs need no more memory
//! than one.

use std::time::Duration;

use crate::error::Result;

use super::meter::Counts;
use super::once::Run;
use super::plan::{Operation, Plan, Settings, Source};
use super::report::Cell;

/// The runs of one cell.
pub(super) struct Runs {
    pub(super) operation: Operation,
    pub(super) settings: Settings,
    /// Of all runs together.
    pub(super) counts: Counts,
    pub(super) each: Vec<Figures>,
}

/// What is kept of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) bytes: u64,
    pub(super) time: Duration,
    pub(super) first_byte: Option<Duration>,
    pub(super) spent: super::machine::Spent,
}

impl Figures {
    /// Bytes a second.
    pub(super) fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-6)
    }
}

/// All cells, as far as they were run.
pub(super) struct Tally<'a> {
    plan: &'a Plan,
    source: Source,
    cores: usize,
    /// Beside [`cells`](Self::cells): puts before gets, settings as the plan has them.
    runs: Vec<Runs>,
    cells: Vec<Cell>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(plan: &'a Plan, source: Source, cores: usize) -> Self {
        Tally { plan, source, cores, runs: Vec::new(), cells: Vec::new() }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Adds a run to its cell; no other cell is touched.
    pub(super) fn add(&mut self, operation: Operation, settings: Settings, run: &Run) -> Result<()> {
        let place = |operation: Operation, settings: Settings| {
            let settings = self.plan.settings().iter().position(|planned| *planned == settings);
            (operation == Operation::Get, settings)
        };
        let own = place(operation, settings);
        let at = self.runs.partition_point(|runs| place(runs.operation, runs.settings) < own);
        let is_new = self.runs.get(at).is_none_or(|runs| (runs.operation, runs.settings) != (operation, settings));
        if is_new {
            self.runs.insert(at, Runs { operation, settings, counts: Counts::new()?, each: Vec::new() });
        }
        let runs = &mut self.runs[at];
        runs.counts.add(&run.counts);
        let Run { bytes, time, spent, .. } = *run;
        runs.each.push(Figures { bytes, time, first_byte: run.counts.first_byte, spent });
        let cell = Cell::of(runs, (self.plan.files, self.source, self.cores));
        match is_new {
            true => self.cells.insert(at, cell),
            false => self.cells[at] = cell,
        }
        Ok(())
    }

    /// The cells that were run.
    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(super) fn into_cells(self) -> Vec<Cell> {
        self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::Spent;
    use super::*;
    use crate::config::{Concurrency, PartSize};

    fn run(millis: u64) -> Run {
        let mut counts = Counts::new().unwrap();
        counts.parts.record(millis * 1000).unwrap();
        counts.first_byte = Some(Duration::from_millis(1));
        Run { bytes: 1000, time: Duration::from_millis(millis), counts, spent: Spent::default() }
    }

    #[test]
    fn runs_come_together_in_the_order_of_the_plan() {
        let (few, many) = (Concurrency::Fixed(4), Concurrency::Fixed(64));
        let plan = Plan {
            size: None,
            part_sizes: vec![PartSize::Auto],
            concurrency: vec![few, many],
            operations: vec![Operation::Put, Operation::Get],
            runs: Some(2),
            source: Source::Memory,
            files: 1,
        };
        let settings = |concurrency| Settings { concurrency, ..Settings::DEFAULT };
        let mut tally = Tally::new(&plan, Source::Memory, 2);
        for (operation, concurrency, millis) in [
            (Operation::Get, many, 10),
            (Operation::Put, many, 20),
            (Operation::Put, few, 30),
            (Operation::Put, many, 40),
        ] {
            tally.add(operation, settings(concurrency), &run(millis)).unwrap();
        }
        let cells: Vec<_> =
            tally.cells().iter().map(|cell| (cell.op, &*cell.concurrency, cell.runs, cell.parts)).collect();
        let expected = [(Operation::Put, "4", 1, 1), (Operation::Put, "64", 2, 2), (Operation::Get, "64", 1, 1)];
        assert_eq!(cells, expected);
        assert_eq!(tally.cells()[1].bytes_per_second.median, 37_500.0);
    }

    /// A histogram a cell, however many runs there are.
    #[test]
    fn a_run_leaves_only_a_few_figures() {
        assert!(std::mem::size_of::<Figures>() <= 256, "{}", std::mem::size_of::<Figures>());
        let plan = Plan {
            size: None,
            part_sizes: vec![PartSize::Auto],
            concurrency: vec![Concurrency::Auto],
            operations: vec![Operation::Put],
            runs: Some(100),
            source: Source::Memory,
            files: 1,
        };
        let mut tally = Tally::new(&plan, Source::Memory, 2);
        (1..=100).for_each(|millis| tally.add(Operation::Put, Settings::DEFAULT, &run(millis)).unwrap());
        assert_eq!((tally.runs.len(), tally.runs[0].counts.parts.len(), tally.cells().len()), (1, 100, 1));
    }
}
