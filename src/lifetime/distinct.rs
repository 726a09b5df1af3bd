//! Equal histories, counted.

use super::curvature::Jet;
use super::history::PurchaseHistory;
use crate::error::{ErrorKind, Result};
use crate::parallel::map_blocks;

/// Histories with weights, ordered by the number of repeat purchases. Equal ones are one
/// row where that is worth while.
#[derive(Clone, Debug)]
pub(super) struct Distinct {
    /// Rows of one number of repeat purchases.
    pub(super) runs: Vec<Run>,
    pub(super) last: Vec<f64>,
    pub(super) age: Vec<f64>,
    pub(super) weight: Vec<f64>,
}

/// Neighbours with the same number of repeat purchases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) x: f64,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// No run is longer, so that they can be the blocks of parallel work.
const RUN: usize = 4096;

/// So many rows tell whether equal ones are common.
const SAMPLE: usize = 2048;

impl Distinct {
    /// Rows of weight 0 are left out.
    pub(super) fn new(
        rows: &[PurchaseHistory],
        weights: Option<&[f64]>,
    ) -> Result<Distinct> {
        if u32::try_from(rows.len()).is_err() {
            return Err(ErrorKind::Length {
                what: "the histories".into(),
                expected: u32::MAX as usize,
                found: rows.len(),
            }
            .into());
        }
        let order = order(rows, weights);
        let weight_of = |at: u32| weights.map_or(1.0, |w| w[at as usize]);
        let mut distinct = Distinct {
            runs: Vec::new(),
            last: Vec::with_capacity(order.len()),
            age: Vec::with_capacity(order.len()),
            weight: Vec::with_capacity(order.len()),
        };
        let mut before: Option<PurchaseHistory> = None;
        for at in order {
            let row = rows[at as usize];
            if before == Some(row) {
                if let Some(weight) = distinct.weight.last_mut() {
                    *weight += weight_of(at);
                }
                continue;
            }
            let place = distinct.last.len();
            match distinct.runs.last_mut() {
                Some(run) if run.x == row.frequency && place - run.start < RUN => {
                    run.end = place + 1;
                }
                _ => distinct.runs.push(Run {
                    x: row.frequency,
                    start: place,
                    end: place + 1,
                }),
            }
            distinct.last.push(row.age_at_last_purchase);
            distinct.age.push(row.age);
            distinct.weight.push(weight_of(at));
            before = Some(row);
        }
        Ok(distinct)
    }

    /// The sum of what `of` says of neighbouring runs, which are the same whatever the number of
    /// threads.
    pub(super) fn sum_over_runs<const N: usize>(
        &self,
        of: impl Fn(&[Run]) -> Jet<N> + Sync,
    ) -> Jet<N> {
        // Ends of the blocks: enough rows that they are worth a thread.
        const ROWS: usize = 8192;
        let mut ends = Vec::new();
        let mut start = 0;
        for (i, run) in self.runs.iter().enumerate() {
            if run.end - start >= ROWS || i + 1 == self.runs.len() {
                ends.push(i + 1);
                start = run.end;
            }
        }
        let parts = map_blocks(ends.len(), 1, |block| {
            let start = if block.start == 0 { 0 } else { ends[block.start - 1] };
            of(&self.runs[start..ends[block.start]])
        });
        let mut sum = Jet::ZERO;
        parts.iter().for_each(|part| sum.add(1.0, part));
        sum
    }

    /// A single history.
    pub(super) fn of_one(history: &PurchaseHistory) -> Distinct {
        Distinct {
            runs: vec![Run { x: history.frequency, start: 0, end: 1 }],
            last: vec![history.age_at_last_purchase],
            age: vec![history.age],
            weight: vec![1.0],
        }
    }

    /// How many different histories there are.
    pub(super) fn len(&self) -> usize {
        self.last.len()
    }

    /// All weights together.
    pub(super) fn total(&self) -> f64 {
        self.weight.iter().sum()
    }

    /// Weighted sums of repeat purchases and of ages.
    pub(super) fn sums(&self) -> (f64, f64) {
        let (mut purchases, mut ages) = (0.0, 0.0);
        for run in &self.runs {
            for i in run.start..run.end {
                purchases += self.weight[i] * run.x;
                ages += self.weight[i] * self.age[i];
            }
        }
        (purchases, ages)
    }

    /// Time from the first to the last purchase for each repeat purchase; `None` where there
    /// is no such time.
    pub(super) fn mean_gap(&self) -> Option<f64> {
        let (mut time, mut purchases) = (0.0, 0.0);
        for run in &self.runs {
            for i in run.start..run.end {
                time += self.weight[i] * self.last[i];
                purchases += self.weight[i] * run.x;
            }
        }
        let gap = time / purchases;
        (gap.is_finite() && gap > 0.0).then_some(gap)
    }

    /// The same rows with other weights; those of weight 0 are left out.
    pub(super) fn reweighted(&self, weights: &[f64]) -> Distinct {
        let mut kept = Distinct {
            runs: Vec::with_capacity(self.runs.len()),
            last: Vec::new(),
            age: Vec::new(),
            weight: Vec::new(),
        };
        for run in &self.runs {
            let start = kept.last.len();
            for i in (run.start..run.end).filter(|&i| weights[i] > 0.0) {
                kept.last.push(self.last[i]);
                kept.age.push(self.age[i]);
                kept.weight.push(weights[i]);
            }
            let end = kept.last.len();
            if end > start {
                kept.runs.push(Run { x: run.x, start, end });
            }
        }
        kept
    }

    /// Every `step`-th row, for a first look.
    pub(super) fn every(&self, step: usize) -> Distinct {
        let mut few = Distinct {
            runs: Vec::new(),
            last: Vec::new(),
            age: Vec::new(),
            weight: Vec::new(),
        };
        for run in &self.runs {
            let start = few.last.len();
            for i in (run.start.next_multiple_of(step)..run.end).step_by(step) {
                few.last.push(self.last[i]);
                few.age.push(self.age[i]);
                few.weight.push(self.weight[i]);
            }
            if few.last.len() > start {
                few.runs.push(Run { x: run.x, start, end: few.last.len() });
            }
        }
        few
    }
}

/// The rows that count, by repeat purchases; those with equal ones next to each other where
/// they are common.
fn order(rows: &[PurchaseHistory], weights: Option<&[f64]>) -> Vec<u32> {
    let counts = |at: u32| weights.is_none_or(|w| w[at as usize] > 0.0);
    let mut order: Vec<u32> = (0..rows.len() as u32).filter(|&at| counts(at)).collect();
    let key = |at: u32| {
        let row = rows[at as usize];
        // Times are not negative, so that their bits have their order.
        (row.frequency as u64, row.age.to_bits(), row.age_at_last_purchase.to_bits())
    };
    let step = order.len().div_ceil(SAMPLE).max(1);
    let mut sample: Vec<u32> = order.iter().copied().step_by(step).collect();
    let n_sample = sample.len();
    sample.sort_unstable_by_key(|&at| key(at));
    sample.dedup_by_key(|at| key(*at));
    if sample.len() * 20 > n_sample * 19 && order.len() >= SAMPLE {
        by_frequency(rows, order)
    } else {
        order.sort_unstable_by_key(|&at| (key(at), at));
        order
    }
}

/// A stable sort by the number of repeat purchases.
fn by_frequency(rows: &[PurchaseHistory], mut order: Vec<u32>) -> Vec<u32> {
    let x = |at: u32| rows[at as usize].frequency;
    let most = order.iter().fold(0.0, |most: f64, &at| most.max(x(at)));
    if most > order.len() as f64 {
        order.sort_by_key(|&at| x(at) as u64);
        return order;
    }
    let mut next = vec![0_u32; most as usize + 2];
    order.iter().for_each(|&at| next[x(at) as usize + 1] += 1);
    for i in 1..next.len() {
        next[i] += next[i - 1];
    }
    let mut sorted = vec![0; order.len()];
    for &at in &order {
        let place = &mut next[x(at) as usize];
        sorted[*place as usize] = at;
        *place += 1;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn rows(n: u64, different: u64) -> Result<Vec<PurchaseHistory>> {
        (0..n)
            .map(|i| {
                let i = (i * 7919) % different;
                let (x, age) = (i % 5, 1.0 + i as f64);
                PurchaseHistory::new(x, if x == 0 { 0.0 } else { age / 2.0 }, age)
            })
            .collect()
    }

    #[test]
    fn nothing_is_lost_on_the_way() -> Result<(), Error> {
        for (n, different) in [(0, 1), (1, 1), (40, 7), (30_000, 30_000), (30_000, 400)] {
            let rows = rows(n, different)?;
            let distinct = Distinct::new(&rows, None)?;
            assert_eq!(distinct.len() as u64, n.min(different));
            assert_eq!(distinct.total(), n as f64);
            assert!(
                distinct
                    .runs
                    .windows(2)
                    .all(|w| w[0].x <= w[1].x && w[0].end == w[1].start)
            );
            let sum: f64 = rows.iter().map(|row| row.frequency).sum();
            assert_eq!(distinct.sums().0, sum);
            assert!(distinct.runs.iter().all(|run| run.end - run.start <= RUN));
            if n > 0 {
                let few = distinct.every(3).len();
                assert!(few.abs_diff(distinct.len() / 3) <= distinct.runs.len() + 1);
            }
        }
        Ok(())
    }

    #[test]
    fn weights_are_counts() -> Result<(), Error> {
        let rows = rows(4, 2)?;
        let distinct = Distinct::new(&rows, Some(&[1.0, 0.0, 2.5, 0.0]))?;
        assert_eq!((distinct.len(), distinct.total()), (1, 3.5));
        Ok(())
    }
}
