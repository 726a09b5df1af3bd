//! How much closer each row is to its own group than to the next.

use ndarray::ArrayView2;

use super::panels::{Panels, TASK, common_group};
use super::points::{Centroids, Groups, Points, sums_by_group};
use crate::error::{Error, Result};
use crate::parallel::map_blocks;

const WHAT: &str = "the silhouette";

/// Silhouette of each row, (b - a) / max(a, b), from -1 to 1 (Rousseeuw 1987).
///
/// a is the mean Euclidean distance to the *other* rows of the own group, b the least
/// mean distance to the rows of another group. A row alone in its group has 0, and so has
/// a row with a = b = 0. `x` has shape (rows, features).
///
/// Exact, over all pairs of rows: O(n² d) time, but only O(n d) memory, since no matrix
/// of distances is kept. For many rows see [`simplified_silhouette`].
///
/// # Errors
/// When the lengths differ or an element is not finite. Undefined for one group, and for
/// as many groups as rows.
pub fn silhouette_samples<L: Ord>(
    x: ArrayView2<'_, f64>,
    labels: &[L],
) -> Result<Vec<f64>> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    samples_of(&points, &groups)
}

/// Mean of [`silhouette_samples`].
///
/// ```
/// use segmenta::metrics::silhouette_score;
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [1.0], [10.0], [11.0]];
/// let score = silhouette_score(x.view(), &[0, 0, 1, 1])?;
/// assert!((score - (9.5 / 10.5 + 8.5 / 9.5) / 2.0).abs() < 1e-15);
/// assert!(silhouette_score(x.view(), &[0, 0, 0, 0]).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// As [`silhouette_samples`].
pub fn silhouette_score<L: Ord>(x: ArrayView2<'_, f64>, labels: &[L]) -> Result<f64> {
    Ok(mean(&silhouette_samples(x, labels)?))
}

pub(super) fn silhouette_of(points: &Points<'_>, groups: &Groups) -> Result<f64> {
    Ok(mean(&samples_of(points, groups)?))
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

fn samples_of(points: &Points<'_>, groups: &Groups) -> Result<Vec<f64>> {
    groups.require_separable(WHAT)?;
    let (n, k) = (points.n_rows(), groups.len());
    let panels = Panels::new(points, groups);
    let blocks = map_blocks(n, TASK, |positions| {
        let mut sums = vec![0.0; positions.len() * k];
        panels.visit(positions.clone(), 0, |place, codes, squares| {
            let distances = squares.map(f64::sqrt);
            let sums = &mut sums[place * k..(place + 1) * k];
            if let Some(c) = common_group(codes) {
                let [s, t, u, v, w, x, y, z] = distances;
                sums[c] += ((s + t) + (u + v)) + ((w + x) + (y + z));
            } else {
                for (&c, distance) in codes.iter().zip(distances) {
                    sums[c] += distance;
                }
            }
        });
        let owns = &panels.codes[positions];
        owns.iter()
            .zip(sums.chunks(k))
            .map(|(&own, sums)| sample(own, sums, groups))
            .collect::<Vec<f64>>()
    });
    let mut samples = vec![0.0; n];
    for (&row, sample) in panels.order.iter().zip(blocks.into_iter().flatten()) {
        samples[row] = sample;
    }
    Ok(samples)
}

/// The silhouette of a row of group `own`, from the sums of its distances to each group.
fn sample(own: usize, sums: &[f64], groups: &Groups) -> f64 {
    if groups.sizes[own] == 1 {
        return 0.0;
    }
    // Its distance to itself is 0 and adds nothing to the sum.
    let a = sums[own] / (groups.sizes[own] - 1) as f64;
    let others = sums.iter().zip(&groups.sizes).enumerate();
    let b = others
        .filter(|&(c, _)| c != own)
        .map(|(_, (sum, &size))| sum / size as f64)
        .fold(f64::INFINITY, f64::min);
    contrast(a, b)
}

/// (b - a) / max(a, b), or 0 where both are 0.
fn contrast(a: f64, b: f64) -> f64 {
    let larger = a.max(b);
    if larger > 0.0 { (b - a) / larger } else { 0.0 }
}

/// [`silhouette_samples`] for any measure of distance, given as the condensed matrix of
/// n (n - 1) / 2 distances: row 0 to rows 1, 2, …, then row 1 to rows 2, 3, …
///
/// Needs O(n k) memory for k groups.
///
/// ```
/// use segmenta::metrics::silhouette_samples_from_distances;
///
/// let samples = silhouette_samples_from_distances(&[1.0, 4.0, 5.0], &["a", "a", "b"])?;
/// assert_eq!(samples, [0.75, 0.8, 0.0]);
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the lengths do not fit together, or a distance is negative, NaN or infinite.
/// Undefined for one group, and for as many groups as rows.
pub fn silhouette_samples_from_distances<L: Ord>(
    distances: &[f64],
    labels: &[L],
) -> Result<Vec<f64>> {
    let n = labels.len();
    let n_pairs = (n as u128) * (n.saturating_sub(1) as u128) / 2;
    if distances.len() as u128 != n_pairs {
        let needed = usize::try_from(n_pairs).unwrap_or(usize::MAX);
        return Err(Error::length("the condensed distances", needed, distances.len()));
    }
    let groups = Groups::new(labels, n)?;
    groups.require_separable(WHAT)?;
    // Silhouettes do not depend on the unit: one in which no sum overflows.
    let largest = distances.iter().copied().fold(0.0, f64::max);
    let unit = if largest > 1e200 { 2.0_f64.powi(-400) } else { 1.0 };
    let k = groups.len();
    let mut sums = vec![0.0; n * k];
    let mut rest = distances;
    for i in 0..n {
        let (to_later, after) = rest.split_at(n - 1 - i);
        rest = after;
        for (j, &distance) in (i + 1..n).zip(to_later) {
            if !(distance.is_finite() && distance >= 0.0) {
                let name = format!("the distance of rows {i} and {j}");
                return Err(Error::parameter(name, "finite and at least 0", distance));
            }
            sums[i * k + groups.codes[j]] += unit * distance;
            sums[j * k + groups.codes[i]] += unit * distance;
        }
    }
    let owns = groups.codes.iter().zip(sums.chunks(k));
    Ok(owns.map(|(&own, sums)| sample(own, sums, &groups)).collect())
}

/// Mean of (b - a) / max(a, b) over the rows, with the Euclidean distance a to the own
/// centroid and b to the nearest other one, from -1 to 1 (Hruschka, Campello & de Castro
/// 2006). `x` has shape (rows, features).
///
/// O(n k d) in place of O(n² d). It is larger than [`silhouette_score`] and cannot be
/// compared with it, only with itself. A row alone in its group lies on its centroid and
/// counts 1, and a row with a = b = 0 counts 0.
///
/// # Errors
/// When the lengths differ or an element is not finite. Undefined for one group, and for
/// as many groups as rows.
pub fn simplified_silhouette<L: Ord>(
    x: ArrayView2<'_, f64>,
    labels: &[L],
) -> Result<f64> {
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    simplified_silhouette_of(&points, &groups)
}

pub(super) fn simplified_silhouette_of(
    points: &Points<'_>,
    groups: &Groups,
) -> Result<f64> {
    groups.require_separable("the simplified silhouette")?;
    let centroids = Centroids::new(points, groups, None);
    let (_, sum) = sums_by_group(groups, |i| {
        let (own, row) = (groups.codes[i], points.row(i));
        let a = centroids.squared_to(own, row);
        let b = (0..groups.len())
            .filter(|&c| c != own)
            .map(|c| centroids.squared_to(c, row))
            .fold(f64::INFINITY, f64::min);
        contrast(a.sqrt(), b.sqrt())
    });
    Ok(sum / points.n_rows() as f64)
}
