//! The nearest-neighbour chain (Benzécri 1982; Murtagh 1983), for reducible linkages.
//!
//! From any cluster, walk to its nearest neighbour, from there to the next, until two are
//! each other's nearest; these are merged. Distances fall strictly along the walk, and a
//! reducible linkage keeps the rest of the walk valid, so that all merges together take
//! time proportional to the square of the number of rows.
//!
//! Clusters live in the slot of their last row. Ties go to the cluster one came from, then
//! to the lowest slot; a walk begins at the lowest slot.

use super::condensed::Condensed;
use super::linkage::{Linkage, Triangle};
use super::step::{Step, Watch};
use crate::error::Result;

/// Clusters in slots, as the chain sees them.
pub(super) trait Clusters {
    /// The distance of two clusters; the same bits either way round.
    fn distance(&self, x: usize, y: usize) -> f64;

    /// Puts the union of two clusters into slot `into`; slot `from` is empty from now on.
    /// `others` are the slots of the remaining clusters and `into`.
    fn merge(&mut self, from: usize, into: usize, others: &[usize]);
}

/// All merges of `n` clusters, in the order in which the walk finds them.
pub(super) fn chain(
    n: usize,
    clusters: &mut impl Clusters,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let mut active: Vec<usize> = (0..n).collect();
    let mut walk: Vec<usize> = Vec::new();
    let mut steps = Vec::with_capacity(n.saturating_sub(1));
    while active.len() > 1 {
        let x = match walk.last() {
            Some(&x) => x,
            None => {
                walk.push(active[0]);
                active[0]
            }
        };
        let before = walk.len().checked_sub(2).map(|at| walk[at]);
        let (y, height) = nearest(x, before, &active, clusters);
        if before == Some(y) {
            walk.truncate(walk.len() - 2);
            let (from, into) = (x.min(y), x.max(y));
            if let Ok(at) = active.binary_search(&from) {
                active.remove(at);
            }
            clusters.merge(from, into, &active);
            steps.push(Step { a: from, b: into, height });
            watch.step()?;
        } else if let Some(at) = walk.iter().position(|&slot| slot == y) {
            // Rounding has made a union nearer than its parts were. What was walked after
            // `y` is walked again; it cannot come back to `y`, for the distances stand
            // still between merges, so this ends.
            walk.truncate(at + 1);
        } else {
            walk.push(y);
        }
    }
    Ok(steps)
}

/// The nearest cluster and its distance.
fn nearest(
    x: usize,
    before: Option<usize>,
    active: &[usize],
    clusters: &impl Clusters,
) -> (usize, f64) {
    let mut best = match before {
        Some(y) => (y, clusters.distance(x, y)),
        None => (usize::MAX, f64::INFINITY),
    };
    for &y in active {
        if y != x {
            let distance = clusters.distance(x, y);
            if distance < best.1 {
                best = (y, distance);
            }
        }
    }
    best
}

/// Clusters whose distances are kept in a matrix.
#[derive(Debug)]
pub(super) struct InMatrix {
    linkage: Linkage,
    distances: Condensed,
    sizes: Vec<f64>,
}

impl InMatrix {
    pub(super) fn new(
        linkage: Linkage,
        distances: Condensed,
        sizes: Vec<f64>,
    ) -> InMatrix {
        InMatrix { linkage, distances, sizes }
    }
}

impl Clusters for InMatrix {
    #[inline]
    fn distance(&self, x: usize, y: usize) -> f64 {
        self.distances.get(x, y)
    }

    fn merge(&mut self, from: usize, into: usize, others: &[usize]) {
        let ij = self.distances.get(from, into);
        for &k in others {
            if k != into {
                let sides = Triangle {
                    ik: self.distances.get(from, k),
                    jk: self.distances.get(into, k),
                    ij,
                };
                let sizes = [self.sizes[from], self.sizes[into], self.sizes[k]];
                self.distances.set(into, k, self.linkage.update(sides, sizes));
            }
        }
        self.sizes[into] += self.sizes[from];
    }
}
