//! Cluster features: what is kept of many rows.

use crate::distance::squared_euclidean;
use crate::error::{Error, Result};

/// What is kept of many rows: their weight `w`, their mean `μ`, and the sum of their
/// weighted squared deviations `S = Σ wᵢ ‖xᵢ − μ‖²`, in the form of BETULA (Lang &
/// Schubert 2020).
///
/// Two of them merge without a look at the rows:
///
/// ```text
/// w = w₁ + w₂
/// μ = μ₁ + (w₂ / w) (μ₂ − μ₁)
/// S = S₁ + S₂ + (w₁ w₂ / w) ‖μ₁ − μ₂‖²
/// ```
///
/// Each term is a sum of things that are not negative, so nothing cancels. The older form
/// of BIRCH (Zhang, Ramakrishnan & Livny 1996), with `Σ x` and `Σ ‖x‖²`, loses all digits
/// of `S` for rows that are far from the origin and near to each other.
///
/// ```
/// use segmenta::cluster::hierarchical::micro::ClusterFeature;
///
/// let mut feature = ClusterFeature::new(&[1e8 + 1.0], 1.0)?;
/// feature.merge(&ClusterFeature::new(&[1e8 + 4.0], 2.0)?)?;
/// assert_eq!((feature.weight(), feature.mean()), (3.0, &[1e8 + 3.0][..]));
/// assert_eq!(feature.deviation(), 6.0); // 1 · 2² + 2 · 1²
/// assert_eq!(feature.radius(), 2.0_f64.sqrt());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterFeature {
    weight: f64,
    mean: Vec<f64>,
    deviation: f64,
}

impl ClusterFeature {
    /// That of one row, of a weight above 0.
    ///
    /// # Errors
    /// When there is no column, a number is NaN or infinite, or the weight is not finite
    /// and above 0.
    pub fn new(row: &[f64], weight: f64) -> Result<ClusterFeature> {
        if row.is_empty() {
            return Err(Error::parameter("columns", "at least 1", 0));
        }
        if let Some(x) = row.iter().find(|x| !x.is_finite()) {
            return Err(Error::parameter("row", "finite numbers", x));
        }
        if !(weight.is_finite() && weight > 0.0) {
            return Err(Error::parameter("weight", "finite and above 0", weight));
        }
        Ok(ClusterFeature { weight, mean: row.to_vec(), deviation: 0.0 })
    }

    pub(super) fn of(weight: f64, mean: &[f64], deviation: f64) -> ClusterFeature {
        ClusterFeature { weight, mean: mean.to_vec(), deviation }
    }

    /// Adds the rows of another.
    ///
    /// # Errors
    /// When the numbers of columns differ, or the sums are no longer finite; nothing has
    /// changed then.
    pub fn merge(&mut self, other: &ClusterFeature) -> Result<()> {
        if self.mean.len() != other.mean.len() {
            let what = "the mean of the other cluster feature";
            return Err(Error::length(what, self.mean.len(), other.mean.len()));
        }
        let square = squared_euclidean(&self.mean, &other.mean);
        let weight = self.weight + other.weight;
        let deviation = self.deviation
            + other.deviation
            + increase(self.weight, other.weight, square);
        if !(weight.is_finite() && deviation.is_finite()) {
            return Err(Error::undefined("the merged cluster feature", "it overflows"));
        }
        pull(self.mean.iter_mut(), &other.mean, other.weight / weight);
        (self.weight, self.deviation) = (weight, deviation);
        Ok(())
    }

    /// The weight of the rows.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The weighted mean of the rows.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// `S`: the sum of the weighted squared distances of the rows to their mean.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    /// `√(S / w)`: the root of the mean squared distance of the rows to their mean.
    #[must_use]
    pub fn radius(&self) -> f64 {
        (self.deviation / self.weight).sqrt()
    }
}

/// By how much `S` grows beyond the sum of the two when clusters of these weights merge,
/// whose means have this squared distance.
#[inline(always)]
pub(super) fn increase(a: f64, b: f64, square: f64) -> f64 {
    // the share first: a product of two small weights would vanish
    let share = b / (a + b);
    a * share * square
}

/// Moves a mean towards another by a share of the way.
#[inline(always)]
pub(super) fn pull<'m>(mean: impl Iterator<Item = &'m mut f64>, to: &[f64], share: f64) {
    for (mean, to) in mean.zip(to) {
        *mean += share * (to - *mean);
    }
}
