//! The distribution of one axis, and how much of it is tied.

use serde::{Deserialize, Serialize};

/// How the values of one axis are tied, and what that does to its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TieReport {
    /// The value that most customers have; the lowest of several.
    pub largest_tie_value: f64,
    /// The share of customers that have it, 0 to 1.
    pub largest_tie_share: f64,
    /// The share of customers whose value another customer has too, 0 to 1.
    pub tied_share: f64,
    /// How many different values there are.
    pub distinct_values: usize,
    /// The scores that nobody has, ascending.
    pub empty_scores: Vec<u32>,
    /// How many rows have each score, from 1 on.
    pub histogram: Vec<u64>,
}

/// The different values of an axis, ascending, with cumulated weights.
pub(super) struct Spread {
    distinct: Vec<Distinct>,
    total: f64,
}

/// One value of an axis.
pub(super) struct Distinct {
    pub(super) value: f64,
    /// Weight of the values below it.
    pub(super) below: f64,
    /// Weight of the values up to it, itself included.
    pub(super) up_to: f64,
    /// Rows with this value.
    n_rows: usize,
}

impl Spread {
    /// Rows of weight 0 do not count. Whole weights are added exactly up to 2^53; others
    /// in an order that does not depend on that of the rows.
    pub(super) fn of(values: &[f64], weights: Option<&[f64]>) -> Spread {
        let mut spread = Spread { distinct: Vec::new(), total: 0.0 };
        match weights {
            None => {
                // `+ 0.0` turns -0 into 0.
                let mut sorted: Vec<f64> = values.iter().map(|&x| x + 0.0).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                for tie in sorted.chunk_by(|a, b| a == b) {
                    spread.push(tie[0], tie.len() as f64, tie.len());
                }
            }
            Some(weights) => {
                let mut sorted: Vec<(f64, f64)> = values
                    .iter()
                    .zip(weights)
                    .filter(|&(_, &weight)| weight > 0.0)
                    .map(|(&x, &weight)| (x + 0.0, weight))
                    .collect();
                sorted.sort_unstable_by(|a, b| {
                    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
                });
                for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
                    spread.push(tie[0].0, tie.iter().map(|&(_, w)| w).sum(), tie.len());
                }
            }
        }
        spread
    }

    fn push(&mut self, value: f64, weight: f64, n_rows: usize) {
        let below = self.total;
        self.total += weight;
        self.distinct.push(Distinct { value, below, up_to: self.total, n_rows });
    }

    /// The same rows with their values negated.
    pub(super) fn negated(&self) -> Spread {
        let mut spread =
            Spread { distinct: Vec::with_capacity(self.distinct.len()), total: 0.0 };
        for v in self.distinct.iter().rev() {
            spread.push(0.0 - v.value, v.up_to - v.below, v.n_rows);
        }
        spread
    }

    pub(super) fn is_empty(&self) -> bool {
        self.distinct.is_empty()
    }

    pub(super) fn distinct(&self) -> &[Distinct] {
        &self.distinct
    }

    /// The weight of all rows.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    pub(super) fn report(
        &self,
        weights: Option<&[f64]>,
        scores: &[u32],
        n_tiles: u32,
    ) -> TieReport {
        let (mut largest, mut largest_weight, mut tied) = (f64::NAN, 0.0, 0.0);
        for v in &self.distinct {
            let weight = v.up_to - v.below;
            if weight > largest_weight {
                (largest, largest_weight) = (v.value, weight);
            }
            // A row of weight 2 stands for two customers.
            if v.n_rows > 1 || weight > 1.0 {
                tied += weight;
            }
        }
        let mut report = TieReport {
            largest_tie_value: largest,
            largest_tie_share: largest_weight / self.total,
            tied_share: tied / self.total,
            distinct_values: self.distinct.len(),
            empty_scores: Vec::new(),
            histogram: Vec::new(),
        };
        report.count(weights, scores, n_tiles);
        report
    }
}

impl TieReport {
    /// Counts the scores, 1 to `n_tiles`, of the rows that count.
    pub(super) fn count(
        &mut self,
        weights: Option<&[f64]>,
        scores: &[u32],
        n_tiles: u32,
    ) {
        self.histogram = vec![0; n_tiles as usize];
        let counts = |row: usize| weights.is_none_or(|w| w[row] > 0.0);
        for (_, &score) in scores.iter().enumerate().filter(|&(row, _)| counts(row)) {
            self.histogram[score as usize - 1] += 1;
        }
        let empty = |score: &u32| self.histogram[*score as usize - 1] == 0;
        self.empty_scores = (1..=n_tiles).filter(empty).collect();
    }
}
