//! The first centres.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::prepared::Prepared;
use super::rows::{Rows, Storage, squared};
use super::scalable::scalable;
use super::trial::{BLOCK, Closest, Start};
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
    /// k-means|| (Bahmani, Moseley, Vattani, Kumar & Vassilvitskii 2012, algorithm 2): of
    /// a first row drawn by weight, five rounds of passes over the rows make about `10 k`
    /// candidates. In a round each row is drawn with probability
    /// `min(1, 2k · w · D² / Σ w · D²)`, independently of the others. Of the candidates,
    /// each weighted by the rows nearest to it, greedy k-means++ and a few iterations of
    /// Lloyd's algorithm make the centres, which need not be rows. It takes fewer passes
    /// than k-means++ and gains with many clusters.
    ///
    /// Whether a row is drawn depends on the seed, the round and its number only. Where
    /// the rounds leave fewer different candidates than clusters, more follow.
    #[serde(rename = "k-means||")]
    KMeansParallel,
    /// Different rows, drawn by weight without replacement.
    #[serde(rename = "random")]
    Random,
    /// These centres, shape `(n_clusters, n_columns)` in the encoded columns. There is
    /// one run then, whatever `n_init` says.
    #[serde(rename = "centers", with = "nested")]
    Centers(Array2<f64>),
}

impl Init {
    /// How many runs share the passes over the rows in which they seek their first centres:
    /// up to five, but no more than need as much memory as the rows, and at least one.
    pub(super) fn runs_at_once<T: Storage>(&self, rows: Rows<'_, T>) -> usize {
        match self {
            Init::KMeansPlusPlus => Closest::runs_beside::<T>(rows.n_columns()),
            _ => 1,
        }
    }
}

/// Row-major centres of some runs, one for each stream of random numbers. `closest` is
/// memory for them.
pub(super) fn first_centers<T: Storage>(
    init: &Init,
    data: &Prepared<'_, T>,
    n_clusters: usize,
    randoms: &mut [Random],
    closest: &mut Closest,
) -> Result<Vec<Vec<f64>>> {
    let rows = data.rows;
    let each = randoms.iter_mut();
    match init {
        Init::KMeansPlusPlus => plus_plus(rows, n_clusters, randoms, closest),
        Init::KMeansParallel => {
            each.map(|random| scalable(data, n_clusters, random)).collect()
        }
        Init::Random => {
            each.map(|random| random_rows(rows, n_clusters, random)).collect()
        }
        Init::Centers(centers) => {
            Ok(each.map(|_| centers.iter().copied().collect()).collect())
        }
    }
}

/// Greedy k-means++ of several runs: each as if alone, but all of them in one pass over the
/// rows for each centre, since reading the rows is what takes the time.
pub(super) fn plus_plus<T: Storage>(
    rows: Rows<'_, T>,
    n_clusters: usize,
    randoms: &mut [Random],
    closest: &mut Closest,
) -> Result<Vec<Vec<f64>>> {
    let n_trials = 2 + (n_clusters as f64).ln() as usize;
    let p = rows.n_columns();
    let weight = |i: usize| rows.weight(i);
    let weights = totals(rows, weight);
    let mut starts = Vec::with_capacity(randoms.len());
    for random in &mut *randoms {
        let first = draw(rows, &weights, weight, random)?;
        let centers = rows.row(first).iter().map(|&x| x.into()).collect();
        starts.push(Start { centers, candidates: Vec::new() });
    }
    closest.restart(rows.len(), p, starts.len());
    let left = closest.lower(rows, &starts);
    let mut potentials: Vec<Vec<f64>> =
        (0..starts.len()).map(|run| column(&left, run, 0)).collect();
    for _ in 1..n_clusters {
        for (run, (start, random)) in starts.iter_mut().zip(&mut *randoms).enumerate() {
            let newest = &start.centers[start.centers.len() - p..];
            let mass = |i: usize| {
                let before = closest.distance(run, i);
                let distance = squared(rows.row(i), newest);
                rows.weight(i) * if distance < before { distance } else { before }
            };
            start.candidates.clear();
            for _ in 0..n_trials {
                let at = draw(rows, &potentials[run], mass, random)?;
                start.candidates.extend(rows.row(at).iter().map(|&x| x.into()));
            }
        }
        let left = closest.lower(rows, &starts);
        for (run, start) in starts.iter_mut().enumerate() {
            let sum_of =
                |lane: usize| left.iter().map(|runs| runs[run][lane]).sum::<f64>();
            let sums: Vec<f64> = (0..=n_trials).map(sum_of).collect();
            let best =
                (2..=n_trials).fold(1, |a, b| if sums[b] < sums[a] { b } else { a });
            start.centers.extend_from_slice(&start.candidates[(best - 1) * p..][..p]);
            potentials[run] = column(&left, run, best);
        }
    }
    Ok(starts.into_iter().map(|start| start.centers).collect())
}

fn column(sums: &[Vec<Vec<f64>>], run: usize, lane: usize) -> Vec<f64> {
    sums.iter().map(|runs| runs[run][lane]).collect()
}

fn random_rows<T: Storage>(
    rows: Rows<'_, T>,
    n_clusters: usize,
    random: &mut Random,
) -> Result<Vec<f64>> {
    let mut weights: Vec<f64> = (0..rows.len()).map(|i| rows.weight(i)).collect();
    let mut centers = Vec::with_capacity(n_clusters * rows.n_columns());
    for _ in 0..n_clusters {
        let totals = totals(rows, |i| weights[i]);
        let chosen = rows.row(draw(rows, &totals, |i| weights[i], random)?);
        centers.extend(chosen.iter().map(|&x| x.into()));
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
pub(super) fn totals<T: Storage>(
    rows: Rows<'_, T>,
    mass: impl Fn(usize) -> f64 + Sync,
) -> Vec<f64> {
    map_blocks(rows.len(), BLOCK, |block| block.map(&mass).sum())
}

/// A row drawn with probability proportional to its mass, of which `totals` has the sum
/// over each block. A row without mass is never drawn.
pub(super) fn draw<T: Storage>(
    rows: Rows<'_, T>,
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
    use super::super::prepared::Order;
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
        let (data, _) = Prepared::new(rows, &[], Order::Given).unwrap();
        for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
            let mut randoms: Vec<Random> =
                (0..30).map(|stream| Random::new(1, stream)).collect();
            let mut closest = Closest::default();
            let runs =
                first_centers(&init, &data, 3, &mut randoms, &mut closest).unwrap();
            for mut centers in runs {
                centers.sort_by(f64::total_cmp);
                assert_eq!(centers, [1.0, 2.0, 3.0]);
            }
        }
    }

    #[test]
    fn runs_beside_each_other_are_as_runs_alone() {
        for (n, d) in [(1, 1), (5000, 3), (4096, 40)] {
            let mut random = Random::new(8, 0);
            let data: Vec<f64> =
                (0..n * d).map(|i| (i / d % 7) as f64 + 0.2 * random.unit()).collect();
            let rows = Rows::new(&data, (n, d), None).unwrap();
            let k = 12.min(n);
            let streams = || (0..11).map(|stream| Random::new(3, stream));
            let mut closest = Closest::default();
            let mut randoms: Vec<Random> = streams().collect();
            let together = plus_plus(rows, k, &mut randoms, &mut closest).unwrap();
            for (mut random, together) in streams().zip(together) {
                let alone = std::slice::from_mut(&mut random);
                let alone = plus_plus(rows, k, alone, &mut closest).unwrap();
                assert_eq!(alone, [together]);
            }
        }
    }
}
