//! Scores made of the distances from rows to centroids.

use ndarray::ArrayView2;

use super::points::{Centroids, Groups, Points, sums_by_group};
use crate::error::{Error, Result};

/// Weighted sum of the squared Euclidean distances from each row to the weighted mean of
/// its group, Σᵢ wᵢ ‖xᵢ - c(i)‖². Shape of `x`: (rows, features); unit: the features',
/// squared. Without weights each row has weight 1.
///
/// This is what k-means minimises, for any labels: the centroids are the best for the
/// labels, not those of a model.
///
/// ```
/// use segmenta::metrics::inertia;
/// use segmenta::ndarray::array;
///
/// let x = array![[1.0], [3.0], [10.0]];
/// assert_eq!(inertia(x.view(), &["low", "low", "high"], None)?, 2.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When there are no rows, the lengths differ, an element or weight is not finite, a
/// weight is negative, or the sum is beyond the range of numbers.
pub fn inertia<L: Ord>(
    x: ArrayView2<'_, f64>,
    labels: &[L],
    weights: Option<&[f64]>,
) -> Result<f64> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    match weights {
        None => inertia_of(&points, &groups),
        Some(weights) => weighted_inertia(&points, &groups, weights),
    }
}

pub(super) fn inertia_of(points: &Points<'_>, groups: &Groups) -> Result<f64> {
    if points.n_rows() == 0 {
        return Err(Error::undefined("the inertia", "there are no rows"));
    }
    let centroids = Centroids::new(points, groups, None);
    finite(points.unscale_squares(within(points, groups, &centroids)))
}

fn weighted_inertia(
    points: &Points<'_>,
    groups: &Groups,
    weights: &[f64],
) -> Result<f64> {
    if weights.len() != points.n_rows() {
        return Err(Error::length("the weights", points.n_rows(), weights.len()));
    }
    if points.n_rows() == 0 {
        return Err(Error::undefined("the inertia", "there are no rows"));
    }
    let usable = |weight: f64| weight.is_finite() && weight >= 0.0;
    if let Some((row, weight)) = weights.iter().enumerate().find(|(_, w)| !usable(**w)) {
        let name = format!("weight of row {row}");
        return Err(Error::parameter(name, "finite and at least 0", weight));
    }
    // Weights relative to the largest, so that their sums stay in range.
    let heaviest = weights.iter().copied().fold(0.0, f64::max);
    if heaviest == 0.0 {
        return Ok(0.0);
    }
    let relative: Vec<f64> = weights.iter().map(|weight| weight / heaviest).collect();
    let centroids = Centroids::new(points, groups, Some(&relative));
    let (_, sum) = sums_by_group(groups, |i| {
        relative[i] * centroids.squared_to(groups.codes[i], points.row(i))
    });
    finite(points.unscale_squares(heaviest * sum))
}

fn finite(inertia: f64) -> Result<f64> {
    if inertia.is_finite() {
        return Ok(inertia);
    }
    Err(Error::undefined("the inertia", "it is beyond the range of 64-bit numbers"))
}

/// Sum of the squared distances of the rows from their centroids.
fn within(points: &Points<'_>, groups: &Groups, centroids: &Centroids) -> f64 {
    let square = |i: usize| centroids.squared_to(groups.codes[i], points.row(i));
    sums_by_group(groups, square).1
}

/// Variance between the groups over variance within, (B / (k - 1)) / (W / (n - k)), from
/// 0 up, more is better (Caliński & Harabasz 1974). `x` has shape (rows, features).
///
/// W is the [`inertia`], B = Σ nₖ ‖cₖ - c‖² with the mean c of all rows.
///
/// ```
/// use segmenta::metrics::calinski_harabasz_score;
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [2.0], [10.0], [12.0]];
/// assert_eq!(calinski_harabasz_score(x.view(), &[0, 0, 1, 1])?, 50.0);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths differ or an element is not finite. Undefined for one group, for as
/// many groups as rows, and for W = 0, where every row lies on its centroid and the ratio
/// has no value.
pub fn calinski_harabasz_score<L: Ord>(
    x: ArrayView2<'_, f64>,
    labels: &[L],
) -> Result<f64> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    calinski_harabasz_of(&points, &groups)
}

pub(super) fn calinski_harabasz_of(points: &Points<'_>, groups: &Groups) -> Result<f64> {
    const WHAT: &str = "the Calinski-Harabasz score";
    groups.require_separable(WHAT)?;
    let centroids = Centroids::new(points, groups, None);
    let within = within(points, groups, &centroids);
    if within == 0.0 {
        return Err(Error::undefined(WHAT, "no group has any spread"));
    }
    let n = points.n_rows() as f64;
    // The mean of all rows, as a difference from the first centroid.
    let mut mean = vec![0.0; points.n_columns()];
    for (c, &size) in groups.sizes.iter().enumerate() {
        for (mean, difference) in mean.iter_mut().zip(centroids.between(c, 0)) {
            *mean += size as f64 / n * difference;
        }
    }
    let mut between = 0.0;
    for (c, &size) in groups.sizes.iter().enumerate() {
        let differences = centroids.between(c, 0).zip(&mean);
        let square: f64 =
            differences.map(|(difference, mean)| (difference - mean).powi(2)).sum();
        between += size as f64 * square;
    }
    let k = groups.len() as f64;
    let score = (between / (k - 1.0)) / (within / (n - k));
    if !score.is_finite() {
        return Err(Error::undefined(WHAT, "the groups have next to no spread"));
    }
    Ok(score)
}

/// Mean over the groups of the worst (Sᵢ + Sⱼ) / Mᵢⱼ, from 0 up, less is better (Davies &
/// Bouldin 1979, with p = 2 and q = 1). `x` has shape (rows, features).
///
/// Sᵢ is the mean Euclidean distance of the rows of group i from their centroid, Mᵢⱼ the
/// distance between two centroids. Other software takes Sᵢ as a root mean square (q = 2)
/// and gets other numbers.
///
/// ```
/// use segmenta::metrics::davies_bouldin_score;
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [2.0], [10.0], [12.0]];
/// assert_eq!(davies_bouldin_score(x.view(), &[0, 0, 1, 1])?, 0.2);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths differ or an element is not finite. Undefined for one group, for as
/// many groups as rows, and when two centroids coincide up to rounding.
pub fn davies_bouldin_score<L: Ord>(x: ArrayView2<'_, f64>, labels: &[L]) -> Result<f64> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    davies_bouldin_of(&points, &groups)
}

pub(super) fn davies_bouldin_of(points: &Points<'_>, groups: &Groups) -> Result<f64> {
    /// Below this share of the spreads a distance of centroids is rounding: the error of
    /// a mean is a few units of the last place of what was averaged.
    const COINCIDENT: f64 = 16.0 * f64::EPSILON;
    const WHAT: &str = "the Davies-Bouldin score";
    groups.require_separable(WHAT)?;
    let centroids = Centroids::new(points, groups, None);
    let distance = |i: usize| centroids.squared_to(groups.codes[i], points.row(i)).sqrt();
    let (sums, _) = sums_by_group(groups, distance);
    let spreads: Vec<f64> =
        sums.iter().zip(&groups.sizes).map(|(sum, &size)| sum / size as f64).collect();
    let k = groups.len();
    let mut worst = vec![0.0_f64; k];
    for a in 0..k {
        for b in a + 1..k {
            let square: f64 = centroids.between(a, b).map(|x| x * x).sum();
            let (apart, spread) = (square.sqrt(), spreads[a] + spreads[b]);
            if apart <= COINCIDENT * spread {
                return Err(Error::undefined(WHAT, "two groups have the same centroid"));
            }
            let ratio = spread / apart;
            worst[a] = worst[a].max(ratio);
            worst[b] = worst[b].max(ratio);
        }
    }
    Ok(worst.iter().sum::<f64>() / k as f64)
}
