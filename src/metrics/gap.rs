//! The gap statistic, for which a single segment is a possible answer.

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::Score;
use super::dispersion::inertia_of;
use super::points::{Groups, Points};
use crate::error::{Error, Result};
use crate::random::Random;

/// The gap of one number of segments.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GapRow {
    /// The number of segments.
    pub n_clusters: usize,
    /// E*\[ln W*\] - ln W: how much tighter the data are than structureless ones.
    /// Undefined where W is 0, for the data or for one of the references.
    pub gap: Score,
    /// sd(ln W*) √(1 + 1/B); 0 where the gap is undefined.
    pub standard_error: f64,
}

/// Gaps of 1, 2, … segments, made by [`gap_statistic`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapTable {
    rows: Vec<GapRow>,
    best: Option<usize>,
}

impl GapTable {
    /// One row for each number of segments, from 1 on.
    #[must_use]
    pub fn rows(&self) -> &[GapRow] {
        &self.rows
    }

    /// The smallest k with gap(k) ≥ gap(k + 1) - s(k + 1), which is the rule of the paper;
    /// `None` when no k satisfies it before the table or the defined gaps end.
    #[must_use]
    pub fn best(&self) -> Option<usize> {
        self.best
    }
}

/// The gap statistic of Tibshirani, Walther & Hastie (2001) for 1 to `k_max` segments.
///
/// `fit(data, k)` gives one label a row; it is called for `x` and for `n_references` (B)
/// matrices of the same shape (rows, features), whose features are independent and
/// uniform over the range that they have in `x`: reference (a) of the paper, not the box
/// of the principal components (b). W is the [`inertia`](super::inertia), with squared
/// Euclidean distances, and sd divides by B. The same seed gives the same references.
///
/// ```
/// use segmenta::metrics::gap_statistic;
/// use segmenta::ndarray::Array2;
///
/// // Two narrow groups, split at the middle: one cut is found, no further one is sought.
/// let x = Array2::from_shape_fn((40, 1), |(i, _)| (i % 2 * 100 + i / 2) as f64);
/// let gaps = gap_statistic(x.view(), 3, 20, 7, |data, k| {
///     Ok(data.column(0).iter().map(|&x| k > 1 && x > 59.5).collect::<Vec<bool>>())
/// })?;
/// assert_eq!(gaps.best(), Some(2));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When `k_max` or `n_references` is 0, `x` has no rows or an element that is not finite,
/// labels have the wrong length, or `fit` fails.
pub fn gap_statistic<L: Ord>(
    x: ArrayView2<'_, f64>,
    k_max: usize,
    n_references: usize,
    seed: u64,
    mut fit: impl FnMut(ArrayView2<'_, f64>, usize) -> Result<Vec<L>>,
) -> Result<GapTable> {
    if k_max == 0 {
        return Err(Error::parameter("k_max", "at least 1", k_max));
    }
    if n_references == 0 {
        return Err(Error::parameter("n_references", "at least 1", n_references));
    }
    let mut log_within = |data: ArrayView2<'_, f64>| -> Result<Vec<Option<f64>>> {
        let points = Points::new(&data)?;
        (1..=k_max)
            .map(|k| {
                let groups = Groups::new(&fit(data, k)?, points.n_rows())?;
                let within = inertia_of(&points, &groups)?;
                Ok((within > 0.0).then(|| within.ln()))
            })
            .collect()
    };
    let observed = log_within(x)?;
    let mut references = Vec::with_capacity(n_references);
    for b in 0..n_references {
        references.push(log_within(uniform_like(x, seed, b as u64).view())?);
    }
    let rows: Vec<GapRow> = observed
        .iter()
        .enumerate()
        .map(|(at, &observed)| {
            let drawn: Option<Vec<f64>> = references.iter().map(|w| w[at]).collect();
            gap_row(at + 1, observed, drawn)
        })
        .collect();
    let best = best(&rows);
    Ok(GapTable { rows, best })
}

fn gap_row(n_clusters: usize, observed: Option<f64>, drawn: Option<Vec<f64>>) -> GapRow {
    let undefined = |reason: &str| GapRow {
        n_clusters,
        gap: Score::Undefined(reason.to_owned()),
        standard_error: 0.0,
    };
    let Some(observed) = observed else {
        return undefined("no group has any spread");
    };
    let Some(drawn) = drawn else {
        return undefined("no group of a reference has any spread");
    };
    let n = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / n;
    let variance = drawn.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n;
    GapRow {
        n_clusters,
        gap: Score::Value(mean - observed),
        standard_error: variance.sqrt() * (1.0 + 1.0 / n).sqrt(),
    }
}

fn best(rows: &[GapRow]) -> Option<usize> {
    for pair in rows.windows(2) {
        let (gap, next) = (pair[0].gap.value()?, pair[1].gap.value()?);
        if gap >= next - pair[1].standard_error {
            return Some(pair[0].n_clusters);
        }
    }
    None
}

/// A matrix of the shape of `x`, uniform over the range of each column.
fn uniform_like(x: ArrayView2<'_, f64>, seed: u64, stream: u64) -> Array2<f64> {
    let mut random = Random::new(seed, stream);
    let ranges: Vec<(f64, f64)> = x
        .columns()
        .into_iter()
        .map(|column| {
            column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| {
                (low.min(v), high.max(v))
            })
        })
        .collect();
    Array2::from_shape_fn(x.dim(), |(_, j)| {
        let (low, high) = ranges[j];
        let u = random.unit();
        // Not low + u (high - low), whose difference may overflow; and a constant
        // feature stays constant to the bit.
        if low == high { low } else { low * (1.0 - u) + high * u }
    })
}
