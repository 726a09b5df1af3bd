//! Any linkage, also one that is not reducible, by arrays of nearest neighbours
//! (Müllner 2011, section 3.1).
//!
//! Each cluster remembers its nearest neighbour among the slots above its own. A merge
//! makes few of these wrong; the rest stay, and a wrong one is at least a lower bound,
//! looked up again only when it comes first. The time is that of the square of the number
//! of rows for usual data, of its cube at worst.
//!
//! Clusters live in the slot of their last row. Ties go to the pair with the lowest slot,
//! then to the lowest second slot.

use super::condensed::Condensed;
use super::linkage::{Linkage, Triangle};
use super::step::{Step, Watch};
use crate::error::Result;

/// The nearest neighbour of a slot among the slots above.
#[derive(Clone, Copy)]
struct Neighbour {
    slot: usize,
    /// Its distance, or a lower bound of it.
    distance: f64,
    /// False when only the bound holds.
    exact: bool,
}

/// All merges, in order. Distances are squared or not as the linkage wants them.
pub(super) fn generic(
    linkage: Linkage,
    mut distances: Condensed,
    mut sizes: Vec<f64>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Step>> {
    let n = distances.n();
    let mut active: Vec<usize> = (0..n).collect();
    let mut nearest: Vec<Neighbour> =
        (0..n).map(|slot| look_up(slot, &active[slot + 1..], &distances)).collect();
    let mut steps = Vec::with_capacity(n.saturating_sub(1));
    while active.len() > 1 {
        let (i, j) = closest_pair(&active, &mut nearest, &distances);
        let ij = distances.get(i, j);
        steps.push(Step { a: i, b: j, height: ij });
        active.retain(|&slot| slot != i);
        for &k in active.iter().filter(|&&k| k != j) {
            let sides = Triangle { ik: distances.get(i, k), jk: distances.get(j, k), ij };
            let updated = linkage.update(sides, [sizes[i], sizes[j], sizes[k]]);
            distances.set(j, k, updated);
            if k < j {
                let known = &mut nearest[k];
                if updated < known.distance {
                    *known = Neighbour { slot: j, distance: updated, exact: true };
                } else if known.slot == i || known.slot == j {
                    known.exact = false;
                } else if updated == known.distance && known.exact && j < known.slot {
                    known.slot = j;
                }
            }
        }
        sizes[j] += sizes[i];
        let above = active.partition_point(|&slot| slot <= j);
        nearest[j] = look_up(j, &active[above..], &distances);
        watch.step()?;
    }
    Ok(steps)
}

fn closest_pair(
    active: &[usize],
    nearest: &mut [Neighbour],
    distances: &Condensed,
) -> (usize, usize) {
    loop {
        let (mut at, mut least) = (0, f64::INFINITY);
        for (position, &slot) in active.iter().enumerate() {
            if nearest[slot].distance < least {
                (at, least) = (position, nearest[slot].distance);
            }
        }
        let slot = active[at];
        if nearest[slot].exact {
            return (slot, nearest[slot].slot);
        }
        nearest[slot] = look_up(slot, &active[at + 1..], distances);
    }
}

/// The lowest of the nearest slots; at infinity when there is none.
fn look_up(slot: usize, above: &[usize], distances: &Condensed) -> Neighbour {
    let mut best = Neighbour { slot, distance: f64::INFINITY, exact: true };
    for &other in above {
        let distance = distances.get(slot, other);
        if distance < best.distance {
            (best.slot, best.distance) = (other, distance);
        }
    }
    best
}
