//! The distribution of one axis, and how much of it is tied.

use serde::{Deserialize, Serialize};

use super::select::{Tie, select};
use crate::parallel::gather_blocks;

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

/// Different values of an axis, ascending, with cumulated weights.
pub(super) struct Spread {
    distinct: Vec<Distinct>,
    total: f64,
    /// How the values are tied; the scores are not counted yet.
    ties: TieReport,
    /// True when `distinct` has all values, false when it has those that were asked for.
    complete: bool,
}

/// One value of an axis.
#[derive(Clone, Copy)]
pub(super) struct Distinct {
    pub(super) value: f64,
    /// Weight of the values below it.
    pub(super) below: f64,
    /// Weight of the values up to it, itself included.
    pub(super) up_to: f64,
}

impl Spread {
    /// The values at these places of the ascending order, which may come in any order.
    /// Without `with_ties` nothing is known of the ties.
    pub(super) fn of(values: &[f64], mut places: Vec<u64>, with_ties: bool) -> Spread {
        places.sort_unstable();
        let selection = select(values, &places, with_ties);
        let distinct = |tie: &Tie| Distinct {
            value: tie.value,
            below: tie.below as f64,
            up_to: tie.up_to as f64,
        };
        let total = selection.n_rows as f64;
        let largest = selection.largest.map(|tie| (tie.value, tie.up_to - tie.below));
        let (value, n_rows) = largest.unwrap_or((f64::NAN, 0));
        Spread {
            distinct: selection.ties.iter().map(distinct).collect(),
            total,
            ties: TieReport {
                largest_tie_value: value,
                largest_tie_share: n_rows as f64 / total,
                tied_share: selection.n_tied as f64 / total,
                distinct_values: selection.n_distinct,
                empty_scores: Vec::new(),
                histogram: Vec::new(),
            },
            complete: false,
        }
    }

    /// All values. Rows of weight 0 do not count. Whole weights are added exactly up to
    /// 2^53; others in an order that does not depend on that of the rows.
    pub(super) fn weighted(values: &[f64], weights: &[f64]) -> Spread {
        let mut sorted: Vec<(f64, f64)> = values
            .iter()
            .zip(weights)
            .filter(|&(_, &weight)| weight > 0.0)
            // `+ 0.0` turns -0 into 0.
            .map(|(&x, &weight)| (x + 0.0, weight))
            .collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut distinct = Vec::new();
        let mut total = 0.0;
        let (mut largest, mut largest_weight, mut tied) = (f64::NAN, 0.0, 0.0);
        for rows in sorted.chunk_by(|a, b| a.0 == b.0) {
            let (value, below) = (rows[0].0, total);
            total += rows.iter().map(|&(_, w)| w).sum::<f64>();
            distinct.push(Distinct { value, below, up_to: total });
            let weight = total - below;
            if weight > largest_weight {
                (largest, largest_weight) = (value, weight);
            }
            // A row of weight 2 stands for two customers.
            if rows.len() > 1 || weight > 1.0 {
                tied += weight;
            }
        }
        let ties = TieReport {
            largest_tie_value: largest,
            largest_tie_share: largest_weight / total,
            tied_share: tied / total,
            distinct_values: distinct.len(),
            empty_scores: Vec::new(),
            histogram: Vec::new(),
        };
        Spread { distinct, total, ties, complete: true }
    }

    /// The values negated, and so in the opposite order.
    pub(super) fn negated(&self) -> Vec<Distinct> {
        let mut total = 0.0;
        let negate = |v: &Distinct| {
            // Counts are exact; weights are added up again in the order of the values.
            let below = if self.complete { total } else { self.total - v.up_to };
            let up_to = below + (v.up_to - v.below);
            total = up_to;
            Distinct { value: 0.0 - v.value, below, up_to }
        };
        self.distinct.iter().rev().map(negate).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.total == 0.0
    }

    pub(super) fn distinct(&self) -> &[Distinct] {
        &self.distinct
    }

    /// The weight of all rows.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    pub(super) fn report(
        self,
        weights: Option<&[f64]>,
        scores: &[u32],
        n_tiles: u32,
    ) -> TieReport {
        let mut report = self.ties;
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
        let none = || vec![0_u64; n_tiles as usize];
        self.histogram = gather_blocks(
            scores.len(),
            1 << 15,
            none,
            |histogram, rows| {
                // Neighbours rarely wait for each other in two histograms.
                let mut other = none();
                for (place, row) in rows.enumerate() {
                    if weights.is_none_or(|w| w[row] > 0.0) {
                        let score = scores[row] as usize - 1;
                        let to =
                            if place % 2 == 0 { &mut *histogram } else { &mut other };
                        to[score] += 1;
                    }
                }
                add(histogram, &other);
            },
            |mut a, b| {
                add(&mut a, &b);
                a
            },
        );
        let empty = |score: &u32| self.histogram[*score as usize - 1] == 0;
        self.empty_scores = (1..=n_tiles).filter(empty).collect();
    }
}

fn add(sums: &mut [u64], counts: &[u64]) {
    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}
