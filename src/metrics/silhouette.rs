//! How much closer each row is to its own group than to the next.

use ndarray::ArrayView2;
use serde::Serialize;

use super::panels::Sorted;
use super::points::{Centroids, Groups, Points, sums_by_group};
use super::sums::{Sums, map_all, map_some};
use crate::error::{Error, Result};
use crate::random::Random;

const WHAT: &str = "the silhouette";

/// The stream of random numbers that draws rows.
const STREAM: u64 = 0x5111_0e77;

/// Silhouette of each row, (b - a) / max(a, b), from -1 to 1 (Rousseeuw 1987).
///
/// a is the mean Euclidean distance to the *other* rows of the own group, b the least
/// mean distance to the rows of another group. A row alone in its group has 0, and so has
/// a row with a = b = 0. `x` has shape (rows, features).
///
/// Exact, over all pairs of rows: O(n² d) time. No matrix of distances is kept: memory is
/// O(n d) and, for k groups, n k sums or 128 MiB of them, whichever is less.
/// For many rows see [`sampled_silhouette_score`] and [`simplified_silhouette`].
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

/// Sums of distances that are kept at once, so that each pair of rows is met once.
const MOST_SUMS: usize = 1 << 24;

fn samples_of(points: &Points<'_>, groups: &Groups) -> Result<Vec<f64>> {
    groups.require_separable(WHAT)?;
    let (n, k) = (points.n_rows(), groups.len());
    let sorted = Sorted::new(points, groups);
    let read = |position: usize, sums: &Sums, place: usize| {
        sample(sorted.codes[position], sums.of(place), groups)
    };
    let in_order = if n.saturating_mul(k) <= MOST_SUMS {
        map_all(&sorted, k, read)
    } else {
        let positions: Vec<usize> = (0..n).collect();
        map_some(&sorted, k, &positions, read)
    };
    let mut samples = vec![0.0; n];
    for (&row, sample) in sorted.order.iter().zip(in_order) {
        samples[row] = sample;
    }
    Ok(samples)
}

/// The silhouette of a row of group `own`, from the sums of its distances to each group.
fn sample(own: usize, sums: impl Iterator<Item = f64>, groups: &Groups) -> f64 {
    if groups.sizes[own] == 1 {
        return 0.0;
    }
    let (mut a, mut b) = (0.0, f64::INFINITY);
    for (c, (sum, &size)) in sums.zip(&groups.sizes).enumerate() {
        if c == own {
            // Its distance to itself is 0 and adds nothing to the sum.
            a = sum / (size - 1) as f64;
        } else {
            b = f64::min(b, sum / size as f64);
        }
    }
    contrast(a, b)
}

/// (b - a) / max(a, b), or 0 where both are 0.
fn contrast(a: f64, b: f64) -> f64 {
    let larger = a.max(b);
    if larger > 0.0 { (b - a) / larger } else { 0.0 }
}

/// An estimate of [`silhouette_score`] from some of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SampledSilhouette {
    /// The mean silhouette of the rows that were drawn: unbiased.
    pub score: f64,
    /// The estimated standard deviation of `score` over all draws; 0 when all rows were
    /// drawn.
    pub standard_error: f64,
    /// How many rows were drawn.
    pub n_sampled: usize,
}

/// Estimates [`silhouette_score`] from `n_sampled` rows: O(n d) time for each of them, and
/// O(n d) memory.
///
/// The rows are a simple random sample without replacement, drawn by `seed` (Knuth,
/// *The Art of Computer Programming*, 3.4.2, algorithm S). Each is compared with all rows,
/// so its silhouette is exact, and the mean of those is an unbiased estimate of the mean
/// over all rows. With the variance s² of the m silhouettes drawn (divisor m - 1), its
/// standard error is √((1 - m/n) s²/m): the finite population correction 1 - m/n makes it
/// 0 when all rows are drawn (Cochran 1977, *Sampling Techniques*, theorems 2.1, 2.2 and
/// 2.4). Comparing the drawn rows among themselves, as is often done, would be biased.
///
/// When `n_sampled` is the number of rows or more, the score is exact. The same seed gives
/// the same bits.
///
/// ```
/// use segmenta::metrics::{sampled_silhouette_score, silhouette_score};
/// use segmenta::ndarray::Array2;
///
/// let x = Array2::from_shape_fn((300, 2), |(i, j)| ((i * 7 + j) % 11 + 50 * (i % 3)) as f64);
/// let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
/// let exact = silhouette_score(x.view(), &labels)?;
/// let estimate = sampled_silhouette_score(x.view(), &labels, 100, 1)?;
/// assert_eq!(estimate.n_sampled, 100);
/// assert!((estimate.score - exact).abs() < 4.0 * estimate.standard_error);
/// let all = sampled_silhouette_score(x.view(), &labels, 300, 1)?;
/// assert_eq!((all.score, all.standard_error), (exact, 0.0));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// As [`silhouette_samples`]; and when `n_sampled` is below 2, for one row tells nothing
/// of the spread.
pub fn sampled_silhouette_score<L: Ord>(
    x: ArrayView2<'_, f64>,
    labels: &[L],
    n_sampled: usize,
    seed: u64,
) -> Result<SampledSilhouette> {
    if n_sampled < 2 {
        return Err(Error::parameter("n_sampled", "at least 2", n_sampled));
    }
    let points = Points::new(&x)?;
    let groups = Groups::new(labels, points.n_rows())?;
    groups.require_separable(WHAT)?;
    let n = points.n_rows();
    if n_sampled >= n {
        let score = silhouette_of(&points, &groups)?;
        return Ok(SampledSilhouette { score, standard_error: 0.0, n_sampled: n });
    }
    let sorted = Sorted::new(&points, &groups);
    let mut drawn = vec![false; n];
    draw(n, n_sampled, seed).for_each(|row| drawn[row] = true);
    let positions: Vec<usize> = (0..n).filter(|&at| drawn[sorted.order[at]]).collect();
    let samples = map_some(&sorted, groups.len(), &positions, |position, sums, place| {
        sample(sorted.codes[position], sums.of(place), &groups)
    });
    let score = mean(&samples);
    let squares = samples.iter().map(|s| (s - score) * (s - score)).sum::<f64>();
    let m = n_sampled as f64;
    let variance = squares / (m - 1.0) / m * ((n - n_sampled) as f64 / n as f64);
    Ok(SampledSilhouette { score, standard_error: variance.sqrt(), n_sampled })
}

/// `m` of the numbers `0..n`, ascending; each set of `m` is equally likely.
fn draw(n: usize, m: usize, seed: u64) -> impl Iterator<Item = usize> {
    let mut random = Random::new(seed, STREAM);
    let mut wanted = m;
    (0..n).filter(move |i| {
        let take = wanted > 0 && random.below(n - i) < wanted;
        wanted -= usize::from(take);
        take
    })
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
    Ok(owns.map(|(&own, sums)| sample(own, sums.iter().copied(), &groups)).collect())
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
