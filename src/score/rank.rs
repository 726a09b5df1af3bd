//! The place of one value among others.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// How ties count in a percentile rank. With `n` values, `l` of them below `x` and `e`
/// equal to it:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankKind {
    /// The mean rank of the values equal to `x`: `100 (l + (e + 1) / 2) / n`; without an
    /// equal value, `100 l / n`.
    #[default]
    Rank,
    /// Values up to `x`: `100 (l + e) / n`.
    Weak,
    /// Values below `x`: `100 l / n`.
    Strict,
    /// The mean of weak and strict: `100 (l + e / 2) / n`.
    Mean,
}

impl RankKind {
    fn percent(self, below: usize, equal: usize, n: usize) -> f64 {
        // Twice the rank, so that halves are integers.
        let doubled = match self {
            RankKind::Rank => 2 * below + equal + usize::from(equal > 0),
            RankKind::Weak => 2 * (below + equal),
            RankKind::Strict => 2 * below,
            RankKind::Mean => 2 * below + equal,
        };
        50.0 * doubled as f64 / n as f64
    }
}

/// The percentile rank of `x` among `values`, 0 to 100, in the definitions of SciPy's
/// `percentileofscore`.
///
/// ```
/// use segmenta::score::{RankKind, percentile_rank};
///
/// assert_eq!(percentile_rank(&[1.0, 2.0, 3.0, 3.0, 4.0], 3.0, RankKind::Rank)?, 70.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When there are no values, or a value or `x` is not finite.
pub fn percentile_rank(values: &[f64], x: f64, kind: RankKind) -> Result<f64> {
    check_finite(values)?;
    if !x.is_finite() {
        let feature = "x".to_owned();
        return Err(ErrorKind::NonFinite { feature, found: x, row: None }.into());
    }
    let below = values.iter().filter(|&&v| v < x).count();
    let equal = values.iter().filter(|&&v| v == x).count();
    Ok(kind.percent(below, equal, values.len()))
}

/// The percentile rank of every value among all of them, 0 to 100, in `O(n log n)`.
///
/// # Errors
/// When there are no values, or a value is not finite.
pub fn percentile_ranks(values: &[f64], kind: RankKind) -> Result<Vec<f64>> {
    check_finite(values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = |&x: &f64| {
        let below = sorted.partition_point(|&v| v < x);
        let equal = sorted[below..].partition_point(|&v| v <= x);
        kind.percent(below, equal, sorted.len())
    };
    Ok(values.iter().map(rank).collect())
}

/// `(x - mean) / sd` of every value, with the population's standard deviation (divisor
/// `n`).
///
/// # Errors
/// When there are no values, a value is not finite, or all values are equal.
pub fn z_score(values: &[f64]) -> Result<Vec<f64>> {
    check_finite(values)?;
    let moments = Moments::of(values, None)
        .ok_or_else(|| Error::undefined("the z-score", "all values are equal"))?;
    Ok(values.iter().map(|&x| moments.standardise(x)).collect())
}

/// Mean and population standard deviation, as found after division by a power of two, so
/// that no sum and no square overflows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moments {
    pub(super) unit: f64,
    pub(super) mean: f64,
    pub(super) sd: f64,
}

impl Moments {
    /// `None` when no two values of positive weight differ. Values are finite, weights
    /// finite and not negative.
    pub(super) fn of(values: &[f64], weights: Option<&[f64]>) -> Option<Moments> {
        let weight = |row: usize| weights.map_or(1.0, |w| w[row]);
        let rows = || (0..values.len()).filter(|&row| weight(row) > 0.0);
        let first = values[rows().next()?];
        if rows().all(|row| values[row] == first) {
            return None;
        }
        let largest = rows().map(|row| values[row].abs()).fold(0.0, f64::max);
        // A power of two at most as large, so that dividing by it is exact; 2^-1000 for
        // smaller numbers, whose quotients are then in range as well.
        let unit = 2_f64.powi((largest.log2().floor() as i32).clamp(-1000, 1023));
        let total: f64 = rows().map(weight).sum();
        let mean =
            rows().map(|row| weight(row) / total * (values[row] / unit)).sum::<f64>();
        let variance = rows()
            .map(|row| weight(row) / total * (values[row] / unit - mean).powi(2))
            .sum::<f64>();
        let sd = variance.sqrt();
        // Numbers that differ by less than their mean's rounding.
        (sd > 0.0 && total.is_finite()).then_some(Moments { unit, mean, sd })
    }

    pub(super) fn standardise(&self, x: f64) -> f64 {
        (x / self.unit - self.mean) / self.sd
    }
}

fn check_finite(values: &[f64]) -> Result<()> {
    if values.is_empty() {
        return Err(too_few_values());
    }
    match values.iter().position(|x| !x.is_finite()) {
        Some(row) => Err(ErrorKind::NonFinite {
            feature: "values".to_owned(),
            found: values[row],
            row: Some(row),
        }
        .into()),
        None => Ok(()),
    }
}

fn too_few_values() -> Error {
    ErrorKind::TooFewRows { what: "values".into(), needed: 1, found: 0 }.into()
}
