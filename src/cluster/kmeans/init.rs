//! The first centres.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::nearest::Lanes;
use super::rows::Rows;
use crate::distance::squared_euclidean;
use crate::error::{Error, Result};
use crate::parallel::{for_each_block, map_blocks};
use crate::random::Random;

/// Where the first centres come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Init {
    /// Greedy k-means++ (Arthur & Vassilvitskii 2007, §2.2 and §7). The first centre is a
    /// row drawn by weight `w`. For each further one, `2 + ⌊ln k⌋` rows are drawn with
    /// probability proportional to `w · D²`, where `D` is the distance to the nearest
    /// centre so far, and the row that leaves the least `Σ w · D²` becomes a centre. The
    /// default.
    #[default]
    #[serde(rename = "k-means++")]
    KMeansPlusPlus,
    /// Different rows, drawn by weight without replacement.
    #[serde(rename = "random")]
    Random,
    /// These centres, shape `(n_clusters, n_columns)` in the encoded columns. There is
    /// one run then, whatever `n_init` says.
    #[serde(rename = "centers", with = "nested")]
    Centers(Array2<f64>),
}

/// Rows of a block of a pass.
const BLOCK: usize = 2048;

/// Row-major centres of one run.
pub(super) fn first_centers(
    init: &Init,
    rows: Rows<'_>,
    n_clusters: usize,
    random: &mut Random,
) -> Result<Vec<f64>> {
    match init {
        Init::KMeansPlusPlus => plus_plus(rows, n_clusters, random),
        Init::Random => random_rows(rows, n_clusters, random),
        Init::Centers(centers) => Ok(centers.iter().copied().collect()),
    }
}

fn plus_plus(rows: Rows<'_>, n_clusters: usize, random: &mut Random) -> Result<Vec<f64>> {
    let n_trials = 2 + (n_clusters as f64).ln() as usize;
    let p = rows.n_columns();
    let totals = totals(rows, |i| rows.weight(i));
    let first = draw(rows, &totals, |i| rows.weight(i), random)?;
    let mut centers = rows.row(first).to_vec();
    let mut closest = vec![f64::INFINITY; rows.len()];
    approach(rows, &centers, &mut closest)?;
    let mut potentials = self::totals(rows, |i| rows.weight(i) * closest[i]);
    while centers.len() < n_clusters * p {
        let mass = |i: usize| rows.weight(i) * closest[i];
        let mut candidates = Vec::with_capacity(n_trials * p);
        for _ in 0..n_trials {
            let at = draw(rows, &potentials, mass, random)?;
            candidates.extend_from_slice(rows.row(at));
        }
        let lanes = Lanes::new(&candidates, p);
        // For each block, the potential that each candidate would leave.
        let left = map_blocks(rows.len(), BLOCK, |block| {
            let mut sums = vec![0.0; n_trials];
            let mut distances = vec![0.0; n_trials];
            for i in block {
                lanes.distances(rows.row(i), &mut distances);
                for (sum, distance) in sums.iter_mut().zip(&distances) {
                    *sum += rows.weight(i) * distance.min(closest[i]);
                }
            }
            sums
        });
        let sum_of = |trial: usize| left.iter().map(|sums| sums[trial]).sum::<f64>();
        let sums: Vec<f64> = (0..n_trials).map(sum_of).collect();
        let best = (1..n_trials).fold(0, |a, b| if sums[b] < sums[a] { b } else { a });
        let center = &candidates[best * p..][..p];
        approach(rows, center, &mut closest)?;
        centers.extend_from_slice(center);
        potentials = left.iter().map(|sums| sums[best]).collect();
    }
    Ok(centers)
}

/// Lowers the squared distances to the nearest centre by a new centre.
fn approach(rows: Rows<'_>, center: &[f64], closest: &mut [f64]) -> Result<()> {
    for_each_block(closest, BLOCK, |start, block| {
        for (i, closest) in block.iter_mut().enumerate() {
            *closest = closest.min(squared_euclidean(rows.row(start + i), center));
        }
        Ok(())
    })
}

fn random_rows(
    rows: Rows<'_>,
    n_clusters: usize,
    random: &mut Random,
) -> Result<Vec<f64>> {
    let mut weights: Vec<f64> = (0..rows.len()).map(|i| rows.weight(i)).collect();
    let mut centers = Vec::with_capacity(n_clusters * rows.n_columns());
    for _ in 0..n_clusters {
        let totals = totals(rows, |i| weights[i]);
        let chosen = rows.row(draw(rows, &totals, |i| weights[i], random)?);
        centers.extend_from_slice(chosen);
        for_each_block(&mut weights, BLOCK, |start, block| {
            for (i, weight) in block.iter_mut().enumerate() {
                if rows.row(start + i) == chosen {
                    *weight = 0.0;
                }
            }
            Ok::<(), Error>(())
        })?;
    }
    Ok(centers)
}

/// The sum of `mass` over each block of rows.
fn totals(rows: Rows<'_>, mass: impl Fn(usize) -> f64 + Sync) -> Vec<f64> {
    map_blocks(rows.len(), BLOCK, |block| block.map(&mass).sum())
}

/// A row drawn with probability proportional to its mass, of which `totals` has the sum
/// over each block. A row without mass is never drawn.
fn draw(
    rows: Rows<'_>,
    totals: &[f64],
    mass: impl Fn(usize) -> f64,
    random: &mut Random,
) -> Result<usize> {
    let mut left = random.unit() * totals.iter().sum::<f64>();
    // The last place with any mass serves where rounding has left a little over.
    let mut block = None;
    for (b, &total) in totals.iter().enumerate().filter(|(_, total)| **total > 0.0) {
        block = Some(b);
        if left < total {
            break;
        }
        left -= total;
    }
    let start = block.unwrap_or(0) * BLOCK;
    let mut drawn = None;
    for i in start..(start + BLOCK).min(rows.len()) {
        let mass = mass(i);
        if mass > 0.0 {
            drawn = Some(i);
            if left < mass {
                break;
            }
            left -= mass;
        }
    }
    drawn.ok_or_else(|| {
        Error::undefined(
            "a choice of first centres",
            "rows differ by so little that their squared distances are 0",
        )
    })
}

/// A matrix as a list of rows.
mod nested {
    use ndarray::Array2;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        matrix: &Array2<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let rows: Vec<Vec<f64>> =
            matrix.rows().into_iter().map(|row| row.to_vec()).collect();
        rows.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Array2<f64>, D::Error> {
        let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(D::Error::custom("the rows of the centers differ in length"));
        }
        let shape = (rows.len(), width);
        Array2::from_shape_vec(shape, rows.into_iter().flatten().collect())
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_in_proportion_to_their_mass_and_never_without() {
        let data: Vec<f64> = (0..5000).map(f64::from).collect();
        let weights: Vec<f64> = (0..5000)
            .map(|i| [0.0, 3.0, 0.0, 1.0, 0.0][i % 5] * f64::from(i >= 2500))
            .collect();
        let rows = Rows::new(&data, (5000, 1), Some(&weights)).unwrap();
        let totals = totals(rows, |i| weights[i]);
        let mut random = Random::new(5, 0);
        let mut counts = [0; 5];
        for _ in 0..8000 {
            let at = draw(rows, &totals, |i| weights[i], &mut random).unwrap();
            assert!(at >= 2500);
            counts[at % 5] += 1;
        }
        assert_eq!([counts[0], counts[2], counts[4]], [0; 3]);
        // 6000 expected; four standard deviations are 155.
        assert!((5845..=6155).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn first_centers_are_different_rows_of_positive_weight() {
        let data = [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 9.0];
        let weights = [1.0, 2.0, 1.0, 1.0, 0.5, 1.0, 0.0];
        let rows = Rows::new(&data, (7, 1), Some(&weights)).unwrap();
        for init in [Init::KMeansPlusPlus, Init::Random] {
            for stream in 0..30 {
                let mut random = Random::new(1, stream);
                let mut centers = first_centers(&init, rows, 3, &mut random).unwrap();
                centers.sort_by(f64::total_cmp);
                assert_eq!(centers, [1.0, 2.0, 3.0]);
            }
        }
    }
}
