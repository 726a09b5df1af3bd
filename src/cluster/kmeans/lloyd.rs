//! Lloyd's algorithm from given centres.

use super::bounds::Bounds;
use super::label::{Labels, Pass};
use super::means::next_centers;
use super::prepared::Prepared;
use super::rows::Storage;
use super::sums::{Move, Sums};
use crate::distance::squared_euclidean;
use crate::error::Result;

/// When to stop, and how to get there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_iter: usize,
    /// On the summed squared shift of the centres.
    pub(super) tolerance: f64,
    /// Whether rows may be passed over that cannot have changed their label.
    pub(super) bounds: bool,
}

/// The share of pairs of rows and centres that a sieve may let through to be kept.
const FINE_ENOUGH: f64 = 0.5;

/// Where a run ended.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) centers: Vec<f64>,
    pub(super) inertia: f64,
    pub(super) n_iter: usize,
    pub(super) converged: bool,
    /// How many times a centre without rows was moved to a far row.
    pub(super) n_relocated: usize,
}

/// Moves the centres to the means of their rows until the labels, or nearly the centres,
/// stay. `labels`, of as many rows, are overwritten. `watch` is told the number of the
/// iteration and an estimate of the inertia before it.
pub(super) fn lloyd<T: Storage>(
    data: &Prepared<'_, T>,
    mut centers: Vec<f64>,
    limits: Limits,
    labels: &mut Labels,
    watch: &mut dyn FnMut(usize, f64) -> Result<()>,
) -> Result<Run> {
    let (d, n) = (data.rows.n_columns(), data.rows.len());
    let n_clusters = centers.len() / d;
    labels.restart();
    let mut sums = Sums::new(n_clusters, d);
    let mut bounds = Bounds::new(n_clusters, &data.tiles, limits.bounds);
    let (mut n_iter, mut converged, mut n_relocated) = (0, false, 0);
    let mut settled = false;
    let mut sieve = data.placed.is_some();
    while n_iter < limits.max_iter && !converged {
        n_iter += 1;
        let pass = Pass::new(data, &centers, &bounds, sieve);
        let changes = pass.relabel(labels);
        sums = sums.merge(&changes.sums);
        if sieve {
            let all = n as f64 * n_clusters as f64;
            sieve = changes.n_compared as f64 <= FINE_ENOUGH * all;
        } else {
            bounds.observe(changes.n_moved, changes.n_scanned, n);
        }
        watch(n_iter, estimate(data, &sums, &centers))?;
        let (shown, moves) = relocate(data, &sums, &labels.labels, &centers);
        let relocated = moves.len();
        let shown = shown.as_ref().unwrap_or(&sums);
        let moved = next_centers(data, shown, &labels.labels, &moves);
        // Centres that were relocated have no rows yet, so the labels are not final even
        // if they are those of the iteration before.
        let same_labels = relocated == 0 && changes.n_moved == 0;
        converged =
            same_labels || squared_euclidean(&moved, &centers) <= limits.tolerance;
        n_relocated += relocated;
        settled = moved == centers;
        if settled {
            break;
        }
        bounds.shift(&centers, &moved, data.tiles.frame().unit());
        centers = moved;
    }
    if !settled {
        Pass::new(data, &centers, &bounds, sieve).relabel(labels);
    }
    labels.sort_by_row(data);
    let inertia = data.inertia(&centers, &labels.labels);
    Ok(Run { centers, inertia, n_iter, converged, n_relocated })
}

/// The inertia of labels whose sums are known, as `Σ w‖x − o‖² − Σ W (2 m·c − ‖c‖²)`, where
/// o is the origin, and the means m and the centres c are taken relative to it. It is as
/// exact as the first term.
fn estimate<T: Storage>(data: &Prepared<'_, T>, sums: &Sums, centers: &[f64]) -> f64 {
    let d = data.rows.n_columns();
    let origin = data.tiles.frame().origin();
    let mut mean = vec![0.0; d];
    let mut inertia = data.squares;
    for (c, center) in centers.chunks_exact(d).enumerate() {
        if sums.count(c) > 0 && sums.weight(&data.scale, c) > 0.0 {
            data.mean(sums, c, &mut mean);
            let columns = mean.iter().zip(center).zip(origin);
            let saved = columns.map(|((m, c), o)| (2.0 * (m - o) - (c - o)) * (c - o));
            inertia -= sums.weight(&data.scale, c) * saved.sum::<f64>();
        }
    }
    inertia.max(0.0)
}

/// Gives each centre without rows the row that is farthest from its own centre: the
/// farthest row to the first such centre, the next to the second. Labels, those of the
/// places, stay as they are.
/// Returns the sums after that, where there is such a centre, and the rows that are given.
fn relocate<T: Storage>(
    data: &Prepared<'_, T>,
    sums: &Sums,
    labels: &[u32],
    centers: &[f64],
) -> (Option<Sums>, Vec<Move>) {
    let empty: Vec<u32> =
        (0..sums.n_clusters() as u32).filter(|&c| sums.count(c as usize) == 0).collect();
    if empty.is_empty() {
        return (None, Vec::new());
    }
    let (rows, labels) = (data.rows, data.by_row(labels));
    let mut far: Vec<(f64, usize)> = data
        .costs(centers, &labels)
        .into_iter()
        .enumerate()
        .filter(|&(i, distance)| distance > 0.0 && rows.weight(i) > 0.0)
        .map(|(i, distance)| (distance, i))
        .collect();
    let order =
        |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if far.len() > empty.len() {
        far.select_nth_unstable_by(empty.len(), order);
        far.truncate(empty.len());
    }
    far.sort_by(order);
    let moves: Vec<Move> = empty
        .iter()
        .zip(&far)
        .map(|(&to, &(_, i))| Move { row: i as u32, from: labels[i], to })
        .collect();
    let mut shown = sums.clone();
    shown.apply(rows, &data.scale, &moves);
    (Some(shown), moves)
}

#[cfg(test)]
mod tests {
    use super::super::prepared::Order;
    use super::super::rows::Rows;
    use super::*;
    use crate::random::Random;

    /// Boxes of rows of many columns spare nothing, and are given up for bounds; few columns
    /// keep them.
    #[test]
    fn a_run_in_spatial_order_is_as_one_in_the_given_order() {
        for (n, d, k, boxes) in [(3000, 24, 12, false), (3000, 2, 40, true)] {
            let mut random = Random::new(9, d as u64);
            let data: Vec<f64> = (0..n * d).map(|_| random.unit()).collect();
            let rows = Rows::new(&data, (n, d), None).unwrap();
            let limits = Limits { max_iter: 40, tolerance: 0.0, bounds: true };
            let run = |order: Order| {
                let (data, _) = Prepared::new(rows, &[], order).unwrap();
                let mut labels = Labels::new(n);
                let first = (0..k * d).map(|i| data.rows.row(i / d * 7)[i % d]).collect();
                let watch = &mut |_, _| Ok(());
                let run = lloyd(&data, first, limits, &mut labels, watch).unwrap();
                let bounds = Bounds::new(k, &data.tiles, false);
                let pass = Pass::new(&data, &run.centers, &bounds, true);
                let changes = pass.relabel(&mut Labels::new(n));
                let fine = changes.n_compared as f64 <= FINE_ENOUGH * (n * k) as f64;
                assert!(order == Order::Given || fine == boxes);
                (run.centers, run.inertia, run.n_iter, run.converged, labels.labels)
            };
            assert_eq!(run(Order::Given), run(Order::Spatial));
        }
    }
}
