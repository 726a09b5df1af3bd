//! The squared distance of a row to every centre.

use super::rows::{Rows, Storage};
use crate::simd::{self, Arithmetic, Four, Kernel};

/// How many centres are done at once.
pub(super) const LANES: usize = 4;

/// Centres in groups of [`LANES`], and inside a group column by column, so that one
/// value of a row meets the centres of a group in one vector instruction.
///
/// A distance is the sum of squared differences in the order of the columns, whatever
/// the layout: everything that compares a row with centres goes through here, so that
/// the labels of a fit and later assignments agree to the bit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lanes {
    n_clusters: usize,
    n_columns: usize,
    /// The last group is filled up with zeros, which are never looked at.
    groups: Vec<f64>,
}

/// The nearest centre of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearest {
    /// The lowest index among the centres at the least distance.
    pub(super) index: usize,
    /// Squared distance to it.
    pub(super) cost: f64,
    /// Squared distance to the next one; infinity if there is none.
    pub(super) next_cost: f64,
    /// Sum of the squared distances to all centres: not finite when any is not.
    pub(super) total: f64,
}

impl Lanes {
    /// Of row-major centres with `n_columns` (at least 1) columns.
    pub(super) fn new(centers: &[f64], n_columns: usize) -> Lanes {
        let n_clusters = centers.len() / n_columns;
        let mut groups = vec![0.0; n_clusters.div_ceil(LANES) * LANES * n_columns];
        for (i, center) in centers.chunks_exact(n_columns).enumerate() {
            let start = i / LANES * LANES * n_columns + i % LANES;
            for (place, &c) in groups[start..].iter_mut().step_by(LANES).zip(center) {
                *place = c;
            }
        }
        Lanes { n_clusters, n_columns, groups }
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub(super) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    pub(super) fn n_groups(&self) -> usize {
        self.n_clusters.div_ceil(LANES)
    }

    /// The coordinates of the centres of a group, column by column.
    #[inline(always)]
    fn group(&self, group: usize) -> &[[f64; LANES]] {
        let size = LANES * self.n_columns;
        self.groups[group * size..(group + 1) * size].as_chunks().0
    }

    /// Visits the squared distance to each centre, in the order of the centres.
    #[inline(always)]
    pub(super) fn each<T: Storage>(&self, x: &[T], mut visit: impl FnMut(usize, f64)) {
        for g in 0..self.n_groups() {
            let mut sums = [0.0; LANES];
            for (&value, centers) in x.iter().zip(self.group(g)) {
                for (sum, center) in sums.iter_mut().zip(centers) {
                    let difference = value.into() - center;
                    *sum += difference * difference;
                }
            }
            for (index, sum) in (g * LANES..self.n_clusters).zip(sums) {
                visit(index, sum);
            }
        }
    }

    /// The squared distances of some rows to the centres of the groups from `first` on: of
    /// as many at once as keep the adders busy, each of which waits for its last sum.
    #[inline(always)]
    pub(super) fn groups_of<A: Arithmetic, T: Storage, const G: usize, const N: usize>(
        &self,
        first: usize,
        rows: &[&[T]; N],
    ) -> [[A::Four; N]; G] {
        let d = self.n_columns;
        let mut groups = [self.group(first); G];
        for (g, group) in groups.iter_mut().enumerate() {
            *group = &self.group(first + g)[..d];
        }
        let mut cut = *rows;
        for row in &mut cut {
            *row = &row[..d];
        }
        let mut sums = [[A::Four::splat(0.0); N]; G];
        for j in 0..d {
            let mut centers = [sums[0][0]; G];
            for (centers, group) in centers.iter_mut().zip(&groups) {
                *centers = A::Four::load(&group[j]);
            }
            for (r, row) in cut.iter().enumerate() {
                let x = A::Four::splat(row[j].into());
                for (centers, sums) in centers.iter().zip(&mut sums) {
                    let difference = x.sub(*centers);
                    sums[r] = difference.mul(difference).add(sums[r]);
                }
            }
        }
        sums
    }

    /// The squared distances to all centres.
    pub(super) fn distances(&self, x: &[f64], out: &mut [f64]) {
        self.each(x, |index, distance| out[index] = distance);
    }

    /// The nearest centre. A row with a NaN or an infinity has a `total` that is not
    /// finite.
    #[inline(always)]
    pub(super) fn nearest<T: Storage>(&self, x: &[T]) -> Nearest {
        let (mut index, mut cost, mut next_cost) = (0, f64::INFINITY, f64::INFINITY);
        let mut total = 0.0;
        self.each(x, |i, distance| {
            total += distance;
            let nearer = distance < cost;
            let loser = if nearer { cost } else { distance };
            next_cost = if loser < next_cost { loser } else { next_cost };
            cost = if nearer { distance } else { cost };
            index = if nearer { i } else { index };
        });
        Nearest { index, cost, next_cost, total }
    }

    /// The nearest centres of the listed rows.
    pub(super) fn nearest_of<T: Storage>(
        &self,
        rows: Rows<'_, T>,
        list: &[u32],
        out: &mut Vec<u32>,
    ) {
        out.clear();
        simd::run(NearestOf { lanes: self, rows, list, out });
    }
}

struct NearestOf<'a, 'r, T> {
    lanes: &'a Lanes,
    rows: Rows<'r, T>,
    list: &'a [u32],
    out: &'a mut Vec<u32>,
}

impl<T: Storage> Kernel for NearestOf<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        for &row in self.list {
            let row = self.rows.row(row as usize);
            self.out.push(self.lanes.nearest(row).index as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::squared_euclidean;

    #[test]
    fn lanes_give_the_bits_of_the_plain_sum() {
        for (k, p) in [(1, 1), (3, 2), (4, 5), (5, 3), (9, 16), (10, 7)] {
            let number = |i: usize| ((i * 7919 % 1009) as f64 - 500.0) / 7.0;
            let centers: Vec<f64> = (0..k * p).map(number).collect();
            let x: Vec<f64> = (0..p).map(|j| number(j + 5_000)).collect();
            let lanes = Lanes::new(&centers, p);
            let mut distances = vec![f64::NAN; k];
            lanes.distances(&x, &mut distances);
            let plain: Vec<f64> =
                centers.chunks_exact(p).map(|c| squared_euclidean(&x, c)).collect();
            assert_eq!(distances, plain);
            let nearest = lanes.nearest(&x);
            let mut sorted = plain.clone();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(nearest.cost, sorted[0]);
            assert_eq!(
                nearest.next_cost,
                sorted.get(1).copied().unwrap_or(f64::INFINITY)
            );
            assert_eq!(plain.iter().position(|&d| d == sorted[0]), Some(nearest.index));
        }
    }

    #[test]
    fn the_lowest_index_wins_a_tie() {
        let lanes = Lanes::new(&[5.0, 1.0, 3.0, 1.0, 3.0, 1.0], 1);
        let nearest = lanes.nearest(&[2.0]);
        assert_eq!((nearest.index, nearest.cost, nearest.next_cost), (1, 1.0, 1.0));
    }
}
