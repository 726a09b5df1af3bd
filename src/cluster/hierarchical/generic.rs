//! Any linkage, also one that is not reducible, by nearest neighbours in a heap (Müllner
//! 2011, figure 3).
//!
//! Each cluster remembers a neighbour among the slots above its own, and a lower bound of
//! the distance to the nearest of them. The heap gives the cluster of the least bound. If
//! the bound is the distance to the neighbour, the two are a closest pair; else the
//! neighbour is looked up again. The time is that of the square of the number of rows for
//! usual data, of its cube at worst.
//!
//! Clusters live in the slot of their last row. A neighbour that is looked up is the
//! lowest of the nearest slots, and gives way only to a union that is strictly nearer than
//! the bound. Among clusters of equal bounds the layout of the heap decides. So the merges
//! of tied distances are those of SciPy, but they are not in the order of the rows.

use super::condensed::Condensed;
use super::heap::BoundHeap;
use super::linkage::{Linkage, Triangle};
use super::step::{Step, Watch};
use crate::error::Result;

/// All merges, in order, from distances that are not squared.
pub(super) fn generic(
    linkage: Linkage,
    mut distances: Condensed,
    mut sizes: Vec<f64>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let n = distances.n();
    let mut active: Vec<usize> = (0..n).collect();
    let mut neighbours = Neighbours::new(&active, &distances);
    let mut steps = Vec::with_capacity(n.saturating_sub(1));
    while active.len() > 1 {
        let (i, j) = neighbours.closest_pair(&active, &distances);
        let ij = distances.get(i, j);
        neighbours.heap.remove_first();
        active.retain(|&slot| slot != i);
        for &k in active.iter().filter(|&&k| k != j) {
            let sides = Triangle { ik: distances.get(i, k), jk: distances.get(j, k), ij };
            let updated = linkage.update(sides, [sizes[i], sizes[j], sizes[k]]);
            distances.set(j, k, updated);
            if k < j {
                neighbours.replace(k, i, j, updated);
            }
        }
        neighbours.look_up(j, &active, &distances);
        sizes[j] += sizes[i];
        steps.push(Step { a: i, b: j, height: ij });
        watch.step()?;
    }
    Ok(steps)
}

/// For each slot but the last, a neighbour among the slots above.
struct Neighbours {
    slots: Vec<usize>,
    /// The slots by a lower bound of their distances to all slots above.
    heap: BoundHeap,
}

impl Neighbours {
    fn new(active: &[usize], distances: &Condensed) -> Neighbours {
        let (slots, bounds) =
            active.iter().filter_map(|&slot| nearest(slot, active, distances)).unzip();
        Neighbours { slots, heap: BoundHeap::new(bounds) }
    }

    fn closest_pair(
        &mut self,
        active: &[usize],
        distances: &Condensed,
    ) -> (usize, usize) {
        loop {
            let first = self.heap.first();
            let neighbour = self.slots[first];
            if self.heap.bound(first) == distances.get(first, neighbour) {
                return (first, neighbour);
            }
            self.look_up(first, active, distances);
        }
    }

    /// Finds the neighbour of a slot, unless it is the last one.
    fn look_up(&mut self, slot: usize, active: &[usize], distances: &Condensed) {
        if let Some((neighbour, distance)) = nearest(slot, active, distances) {
            self.slots[slot] = neighbour;
            self.heap.change(slot, distance);
        }
    }

    /// Tells slot `k` that what was in slot `from` is now in slot `into`, at a distance.
    fn replace(&mut self, k: usize, from: usize, into: usize, distance: f64) {
        if distance < self.heap.bound(k) {
            self.slots[k] = into;
            self.heap.change(k, distance);
        } else if self.slots[k] == from {
            self.slots[k] = into;
        }
    }
}

/// The lowest of the nearest slots above a slot, and its distance.
fn nearest(slot: usize, active: &[usize], distances: &Condensed) -> Option<(usize, f64)> {
    let above = active.partition_point(|&other| other <= slot);
    let (&first, others) = active[above..].split_first()?;
    let mut best = (first, distances.get(slot, first));
    for &other in others {
        let distance = distances.get(slot, other);
        if distance < best.1 {
            best = (other, distance);
        }
    }
    Some(best)
}
