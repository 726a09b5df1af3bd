//! The nearest neighbour of each slot, found while the distances pass by.
//!
//! Pairs of slots have a strict order, so that ties fall the same way on any number of
//! threads: by distance, then by the exclusive or of the two slots' numbers, then by the
//! lower one. A slot's pairs are told apart by the exclusive or alone, and of slots that
//! are all equally far from each other many are mutually nearest: the lowest slot would
//! be everybody's nearest, and merge with one of them at a time.

use super::packed::row_start;
use crate::simd::{Arithmetic, Kernel};

/// Distances of which the least is sought side by side.
const LANES: usize = 16;

/// Columns whose best pairs stay in the nearest cache while rows go by.
const STRIP: usize = 512;

/// For each slot the best pair so far: its distance, and the exclusive or of its slots.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    distances: Vec<f64>,
    keys: Vec<i64>,
}

impl Nearest {
    /// Forgets all, and expects `m` slots.
    pub(super) fn reset(&mut self, m: usize) {
        self.distances.clear();
        self.distances.resize(m, f64::INFINITY);
        self.keys.clear();
        self.keys.resize(m, i64::MAX);
    }

    /// Keeps the better pair of each slot.
    pub(super) fn absorb(&mut self, other: &Nearest) {
        for (slot, (&distance, &key)) in
            other.distances.iter().zip(&other.keys).enumerate()
        {
            self.offer(slot, distance, key);
        }
    }

    #[inline(always)]
    fn offer(&mut self, slot: usize, distance: f64, key: i64) {
        let (best, best_key) = (&mut self.distances[slot], &mut self.keys[slot]);
        if closer(distance, key, *best, *best_key) {
            (*best, *best_key) = (distance, key);
        }
    }

    /// The slots that are each other's nearest, the lower one first, with their distance;
    /// in the order of the lower ones.
    pub(super) fn reciprocal(&self) -> Vec<(usize, usize, f64)> {
        let slots = self.distances.iter().zip(&self.keys).enumerate();
        slots
            .filter_map(|(a, (&distance, &key))| {
                let b = a ^ usize::try_from(key).ok()?;
                (a < b && self.keys.get(b) == Some(&key)).then_some((a, b, distance))
            })
            .collect()
    }
}

#[inline(always)]
fn closer(distance: f64, key: i64, than: f64, than_key: i64) -> bool {
    (distance < than) | ((distance == than) & (key < than_key))
}

/// Shows [`Nearest`] some rows of a packed triangle, from row `first` on.
pub(super) struct Observe<'a> {
    pub(super) first: usize,
    pub(super) n_rows: usize,
    pub(super) values: &'a [f64],
    pub(super) nearest: &'a mut Nearest,
}

impl Kernel for Observe<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Observe { first, n_rows, values, nearest } = self;
        let end = first + n_rows;
        let origin = row_start(first);
        for from in (0..end).step_by(STRIP) {
            for a in first.max(from + 1)..end {
                let to = a.min(from + STRIP);
                let start = row_start(a) - origin;
                let row = &values[start + from..start + to];
                offer_to_columns(a, from, row, nearest);
                let distance = least(row);
                if distance <= nearest.distances[a] {
                    nearest.offer(a, distance, least_key(a, from, row, distance));
                }
            }
        }
    }
}

// Three loops, for the compiler makes vectors of each alone.

/// Offers the distances of slot `a` from the slots `from`, `from + 1`, … to those.
#[inline(always)]
fn offer_to_columns(a: usize, from: usize, row: &[f64], nearest: &mut Nearest) {
    let to = from + row.len();
    let distances = &mut nearest.distances[from..to];
    let keys = &mut nearest.keys[from..to];
    for c in 0..row.len() {
        let (distance, key) = (row[c], (a ^ (from + c)) as i64);
        let (best, best_key) = (distances[c], keys[c]);
        let take = closer(distance, key, best, best_key);
        distances[c] = if take { distance } else { best };
        keys[c] = if take { key } else { best_key };
    }
}

#[inline(always)]
fn least(row: &[f64]) -> f64 {
    let lesser = |x: f64, y: f64| if x < y { x } else { y };
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut least = [f64::INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            least[lane] = lesser(chunk[lane], least[lane]);
        }
    }
    least.into_iter().chain(rest.iter().copied()).fold(f64::INFINITY, lesser)
}

/// The least key of slot `a` and those that are at this distance.
#[inline(always)]
fn least_key(a: usize, from: usize, row: &[f64], distance: f64) -> i64 {
    let mut least = i64::MAX;
    for (c, &x) in row.iter().enumerate() {
        let key = if x == distance { (a ^ (from + c)) as i64 } else { i64::MAX };
        least = least.min(key);
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::simd::{baseline, run};

    /// The rule, read off all pairs.
    fn slow(m: usize, values: &[f64]) -> Vec<(f64, i64)> {
        let distance = |a: usize, b: usize| values[row_start(a.max(b)) + a.min(b)];
        let best = |a: usize| {
            let pairs = (0..m).filter(|&b| b != a);
            let pairs = pairs.map(|b| (distance(a, b), (a ^ b) as i64));
            pairs.min_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)))
        };
        (0..m).map(|a| best(a).unwrap_or((f64::INFINITY, i64::MAX))).collect()
    }

    #[test]
    fn neighbours_are_those_of_the_rule_in_any_parts() {
        let mut random = Random::new(3, 0);
        for (m, levels) in [(1, 9.0), (2, 1.0), (13, 3.0), (700, 1e9), (650, 4.0)] {
            let values: Vec<f64> =
                (0..row_start(m)).map(|_| (random.unit() * levels).floor()).collect();
            let expected = slow(m, &values);
            for parts in [1, 3] {
                let mut all = Nearest::default();
                all.reset(m);
                for part in 0..parts {
                    let (first, end) = (part * m / parts, (part + 1) * m / parts);
                    let mut nearest = Nearest::default();
                    nearest.reset(m);
                    let values = &values[row_start(first)..row_start(end)];
                    let n_rows = end - first;
                    let observe =
                        Observe { first, n_rows, values, nearest: &mut nearest };
                    if part == 1 {
                        baseline(observe)
                    } else {
                        run(observe)
                    }
                    all.absorb(&nearest);
                }
                let found: Vec<(f64, i64)> =
                    all.distances.iter().copied().zip(all.keys).collect();
                assert_eq!(found, expected, "{m} {levels}");
            }
        }
    }

    #[test]
    fn slots_that_are_all_equally_far_find_a_partner_each() {
        let values = [1.0; 28];
        let mut nearest = Nearest::default();
        nearest.reset(8);
        run(Observe { first: 0, n_rows: 8, values: &values, nearest: &mut nearest });
        let pairs: Vec<(usize, usize)> =
            nearest.reciprocal().into_iter().map(|(a, b, _)| (a, b)).collect();
        assert_eq!(pairs, [(0, 1), (2, 3), (4, 5), (6, 7)]);
    }
}
