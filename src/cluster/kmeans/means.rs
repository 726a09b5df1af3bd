//! The means of clusters, also of numbers so far apart that the [sums](super::sums) round
//! some of them away.

use super::prepared::Prepared;
use super::rows::Storage;
use super::scan::SMALLEST;
use super::sums::{Move, Scale, Sums};
use crate::parallel::map_blocks;

/// Rows of a block of a pass.
const BLOCK: usize = 4096;

/// The smallest numbers of some rows that are not 0.
#[derive(Debug)]
pub(super) struct Least {
    /// The smallest weighted number of each column.
    numbers: Vec<f64>,
    weight: f64,
}

impl Least {
    fn new<T: Storage>(data: &Prepared<'_, T>) -> Least {
        let rows = data.rows;
        let empty = || (vec![f64::INFINITY; rows.n_columns()], f64::INFINITY);
        let less = |least: &mut f64, x: f64| {
            if x > 0.0 && x < *least {
                *least = x;
            }
        };
        let blocks = map_blocks(rows.len(), BLOCK, |block| {
            let (mut numbers, mut lightest) = empty();
            for i in block {
                let weight = rows.weight(i);
                less(&mut lightest, weight);
                for (least, &x) in numbers.iter_mut().zip(rows.row(i)) {
                    let x: f64 = x.into();
                    // A product that is too small for a number counts as the smallest one.
                    let product = (weight * x).abs().max(SMALLEST);
                    less(least, if weight > 0.0 && x != 0.0 { product } else { 0.0 });
                }
            }
            (numbers, lightest)
        });
        let (mut numbers, mut weight) = empty();
        for (block, lightest) in blocks {
            less(&mut weight, lightest);
            numbers.iter_mut().zip(block).for_each(|(least, x)| less(least, x));
        }
        Least { numbers, weight }
    }
}

/// The new centres: of clusters of these sums, which are those of the places' `labels`, but
/// for some rows that were moved since.
pub(super) fn next_centers<T: Storage>(
    data: &Prepared<'_, T>,
    sums: &Sums,
    labels: &[u32],
    moves: &[Move],
) -> Vec<f64> {
    let d = data.rows.n_columns();
    let mut centers = means(&data.scale, sums, d);
    let rough: Vec<u32> = (0..sums.n_clusters())
        .filter(|&c| sums.count(c) > 0 && is_rounded(data, sums, c))
        .map(|c| c as u32)
        .collect();
    if !rough.is_empty() {
        direct(data, &data.by_row(labels), moves, &rough, &mut centers);
        // Clusters without rows stand where another one does, if that is a place.
        let first = rough[0] as usize * d;
        for c in (0..sums.n_clusters()).filter(|&c| sums.count(c) == 0) {
            if !centers[c * d..][..d].iter().all(|x| x.is_finite()) {
                centers.copy_within(first..first + d, c * d);
            }
        }
    }
    centers
}

/// True when what was rounded away from the rows of a cluster may show in its mean.
fn is_rounded<T: Storage>(data: &Prepared<'_, T>, sums: &Sums, cluster: usize) -> bool {
    let scale = &data.scale;
    let least = || data.least.get_or_init(|| Least::new(data));
    let weight = scale.is_weighted()
        && sums.is_rough(scale, cluster, None)
        && !scale.has_exact_weights(least().weight);
    let is_column_rounded = |j: usize| {
        sums.is_rough(scale, cluster, Some(j)) && !scale.is_exact(j, least().numbers[j])
    };
    weight || (0..data.rows.n_columns()).any(is_column_rounded)
}

/// Some means as `x₀ + Σ w (x − x₀) / Σ w`, where x₀ is the first row of the cluster: block
/// by block, and so the same on any number of threads.
fn direct<T: Storage>(
    data: &Prepared<'_, T>,
    labels: &[u32],
    moves: &[Move],
    clusters: &[u32],
    centers: &mut [f64],
) {
    let rows = data.rows;
    let d = rows.n_columns();
    let mut moves = moves.to_vec();
    moves.sort_unstable_by_key(|moved| moved.row);
    let place_of = |i: usize| {
        let moved = moves.binary_search_by_key(&(i as u32), |moved| moved.row);
        let label = moved.map_or(labels[i], |at| moves[at].to);
        clusters.binary_search(&label).ok().filter(|_| rows.weight(i) > 0.0)
    };
    let mut first = vec![None; clusters.len()];
    let mut heaviest = vec![0.0_f64; clusters.len()];
    for i in 0..rows.len() {
        if let Some(at) = place_of(i) {
            first[at].get_or_insert(i);
            heaviest[at] = heaviest[at].max(rows.weight(i));
        }
    }
    let blocks = map_blocks(rows.len(), BLOCK, |block| {
        let mut sums = vec![0.0; clusters.len() * (d + 1)];
        for i in block {
            let Some((at, first)) = place_of(i).and_then(|at| Some((at, first[at]?)))
            else {
                continue;
            };
            let weight = rows.weight(i) / heaviest[at];
            let sums = &mut sums[at * (d + 1)..][..d + 1];
            sums[d] += weight;
            for ((sum, &x), &zero) in
                sums.iter_mut().zip(rows.row(i)).zip(rows.row(first))
            {
                *sum += weight * (x.into() - zero.into());
            }
        }
        sums
    });
    let mut sums = vec![0.0; clusters.len() * (d + 1)];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += x);
    }
    for (at, &cluster) in clusters.iter().enumerate() {
        let Some(first) = first[at] else { continue };
        let sums = &sums[at * (d + 1)..][..d + 1];
        let center = &mut centers[cluster as usize * d..][..d];
        for ((center, sum), &zero) in center.iter_mut().zip(sums).zip(rows.row(first)) {
            *center = zero.into() + sum / sums[d];
        }
    }
}

/// The new centres. One that still has no rows goes to the heaviest one's place, and is
/// relocated in the next iteration.
pub(super) fn means(scale: &Scale, sums: &Sums, d: usize) -> Vec<f64> {
    let filled = |c: usize| sums.count(c) > 0;
    let weight = |c: usize| sums.weight(scale, c);
    let heaviest = || {
        let all = (0..sums.n_clusters()).filter(|&c| filled(c));
        all.reduce(|a, b| if weight(b) > weight(a) { b } else { a }).unwrap_or(0)
    };
    let mut means = vec![0.0; sums.n_clusters() * d];
    for (cluster, mean) in means.chunks_exact_mut(d).enumerate() {
        let from = if filled(cluster) { cluster } else { heaviest() };
        sums.mean(scale, from, mean);
    }
    means
}
