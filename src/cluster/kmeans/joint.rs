//! The inner pass of greedy k-means++ in few columns: the points of all runs stand side by
//! side, so that hardly a lane is empty.

use super::nearest::{LANES, Lanes};
use super::rows::{Rows, Storage};
use crate::simd::{Arithmetic, Four, Kernel};

/// Rows that are done at once.
const ROWS: usize = 4;

/// Groups of points that are met at once, and so the newest centres of all runs.
const GROUPS: usize = 2;

/// More runs have no room in as many groups.
pub(super) const MOST_RUNS: usize = GROUPS * LANES;

/// What the rows are compared with.
pub(super) struct Joint {
    /// The newest centre of each run, and after them the candidates run by run.
    lanes: Lanes,
    /// The run of each lane, group by group.
    runs: Vec<[usize; LANES]>,
    n_runs: usize,
}

impl Joint {
    /// Of the newest centre of each run, at most [`MOST_RUNS`], and its candidates, row-major.
    pub(super) fn new(newest: &[&[f64]], candidates: &[&[f64]], p: usize) -> Joint {
        let n_runs = newest.len();
        assert!((1..=MOST_RUNS).contains(&n_runs));
        let each = candidates.iter().enumerate();
        let owners = each.flat_map(|(run, own)| std::iter::repeat_n(run, own.len() / p));
        let mut runs: Vec<usize> = (0..n_runs).chain(owners).collect();
        runs.resize(runs.len().next_multiple_of(LANES), 0);
        Joint {
            lanes: Lanes::new(&[newest.concat(), candidates.concat()].concat(), p),
            runs: runs.as_chunks().0.to_vec(),
            n_runs,
        }
    }

    /// For each run the sum of its newest centre, and those of its candidates.
    fn by_run(&self, sums: &[[f64; LANES]]) -> Vec<Vec<f64>> {
        let mut by_run = vec![Vec::new(); self.n_runs];
        let runs = self.runs.as_flattened().iter();
        for (&run, &sum) in runs.zip(sums.as_flattened()).take(self.lanes.n_clusters()) {
            by_run[run].push(sum);
        }
        by_run
    }
}

/// One block of the rows. Gives for each run the potential with its newest centre, which is
/// counted in, and those that each of its candidates would leave.
pub(super) struct JointTrial<'a, 'r, T> {
    pub(super) rows: Rows<'r, T>,
    pub(super) points: &'a Joint,
    /// The first row.
    pub(super) start: usize,
    /// Squared distances to the nearest centre but for the newest one, run by run.
    pub(super) closest: &'a mut [f64],
}

impl<T: Storage> Kernel for JointTrial<'_, '_, T> {
    type Output = Vec<Vec<f64>>;

    #[inline(always)]
    fn run<A: Arithmetic>(mut self) -> Vec<Vec<f64>> {
        let Joint { lanes, n_runs, .. } = self.points;
        let n_groups = lanes.n_groups();
        let mut sums = vec![[0.0; LANES]; n_groups];
        let mut least = [[0.0; ROWS]; MOST_RUNS];
        let len = self.closest.len() / n_runs;
        for at in (0..len).step_by(ROWS) {
            let four = self.rows_from(at, len);
            let mut group = 0;
            while group + GROUPS <= n_groups {
                let distances = lanes.groups_of::<A, T, GROUPS, ROWS>(group, &four.rows);
                if group == 0 {
                    self.lower::<A>(at, &distances, &mut least);
                }
                self.leave::<A>(&four.weights, group, &distances, &least, &mut sums);
                group += GROUPS;
            }
            if group < n_groups {
                let distances = lanes.groups_of::<A, T, 1, ROWS>(group, &four.rows);
                if group == 0 {
                    self.lower::<A>(at, &distances, &mut least);
                }
                self.leave::<A>(&four.weights, group, &distances, &least, &mut sums);
            }
        }
        self.points.by_run(&sums)
    }
}

/// Some rows of a block. Where rows are missing at the end, the first stands again, without
/// weight.
struct FourRows<'r, T> {
    rows: [&'r [T]; ROWS],
    weights: [f64; ROWS],
}

impl<'r, T: Storage> JointTrial<'_, 'r, T> {
    #[inline(always)]
    fn rows_from(&self, at: usize, len: usize) -> FourRows<'r, T> {
        let first = self.start + at;
        let mut four =
            FourRows { rows: [self.rows.row(first); ROWS], weights: [0.0; ROWS] };
        for r in 0..ROWS.min(len - at) {
            four.rows[r] = self.rows.row(first + r);
            four.weights[r] = self.rows.weight(first + r);
        }
        four
    }

    /// Counts in the newest centres, which stand in the first lanes.
    #[inline(always)]
    fn lower<A: Arithmetic>(
        &mut self,
        at: usize,
        distances: &[[A::Four; ROWS]],
        least: &mut [[f64; ROWS]; MOST_RUNS],
    ) {
        let n_runs = self.points.n_runs;
        let len = self.closest.len() / n_runs;
        for (g, distances) in distances.iter().enumerate() {
            let mut newest = [[0.0; ROWS]; LANES];
            for (r, distances) in distances.iter().enumerate() {
                let mut lanes = [0.0; LANES];
                distances.store(&mut lanes);
                for (newest, distance) in newest.iter_mut().zip(lanes) {
                    newest[r] = distance;
                }
            }
            for (run, newest) in (g * LANES..n_runs).zip(newest) {
                let own = &mut self.closest[run * len..][..len][at..];
                for (r, (closest, distance)) in own.iter_mut().zip(newest).enumerate() {
                    *closest = if distance < *closest { distance } else { *closest };
                    least[run][r] = *closest;
                }
            }
        }
    }

    /// Adds what the points of some groups leave.
    #[inline(always)]
    fn leave<A: Arithmetic>(
        &self,
        weights: &[f64; ROWS],
        first: usize,
        distances: &[[A::Four; ROWS]],
        least: &[[f64; ROWS]; MOST_RUNS],
        sums: &mut [[f64; LANES]],
    ) {
        for (g, distances) in distances.iter().enumerate() {
            let runs = self.points.runs[first + g];
            let mut own = [[0.0; ROWS]; LANES];
            for (own, run) in own.iter_mut().zip(runs) {
                *own = least[run % MOST_RUNS];
            }
            let mut sum = A::Four::load(&sums[first + g]);
            for r in 0..ROWS {
                let least = A::Four::load(&[own[0][r], own[1][r], own[2][r], own[3][r]]);
                let left = distances[r].min(least);
                sum = A::Four::splat(weights[r]).mul(left).add(sum);
            }
            sum.store(&mut sums[first + g]);
        }
    }
}
