//! What candidates would leave of the squared distances to the nearest centre: the inner
//! pass of greedy k-means++.

use super::joint::{Joint, JointTrial, MOST_RUNS};
use super::nearest::{LANES, Lanes};
use super::rows::{Rows, Storage, squared};
use crate::parallel::{map_blocks_mut, map_chunk_pairs};
use crate::simd::{self, Arithmetic, Four, Kernel};

/// Rows of a block of a pass.
pub(super) const BLOCK: usize = 2048;

/// Rows that are done at once: the sum of one is a chain, each term waits for the one
/// before.
const ROWS: usize = 4;

/// So many rows before it is needed a row is asked for, if they fit into [`AHEAD_BYTES`].
const AHEAD: usize = 64;

/// A small part of the second-level cache.
const AHEAD_BYTES: usize = 1 << 16;

/// Columns from which on it pays to know which rows need not be looked at, and to ask for
/// rows ahead. With less the runs are looked at together, see [`joint`](super::joint).
const WIDE: usize = 32;

/// One row in so many must be in doubt for the others to be looked at too: that is what it
/// costs to leave the order of the memory.
const SPARSE: usize = 2;

/// A run on its way, row-major.
pub(super) struct Start {
    /// The centres so far, at least one.
    pub(super) centers: Vec<f64>,
    /// One of these is the next.
    pub(super) candidates: Vec<f64>,
}

impl Start {
    /// The last centre so far.
    fn newest(&self, n_columns: usize) -> &[f64] {
        &self.centers[self.centers.len() - n_columns..]
    }
}

/// For each of some runs the squared distance of each row to the nearest centre but for the
/// newest one, which is counted in by the next trial only, on its way, and which centre that
/// is. Those of a block of rows stand together, run by run.
#[derive(Default)]
pub(super) struct Closest {
    n_runs: usize,
    distances: Vec<f64>,
    /// None with less than [`WIDE`] columns.
    owners: Vec<u32>,
}

impl Closest {
    /// How many runs find room in as much memory as the rows need, from one to five.
    pub(super) fn runs_beside<T>(n_columns: usize) -> usize {
        let owner = if n_columns < WIDE { 0 } else { size_of::<u32>() };
        let runs = n_columns * size_of::<T>() / (size_of::<f64>() + owner);
        runs.clamp(1, 5.min(MOST_RUNS))
    }

    /// Forgets all centres. Keeps its memory: fresh pages cost more than a pass.
    pub(super) fn restart(&mut self, n_rows: usize, n_columns: usize, n_runs: usize) {
        self.n_runs = n_runs;
        let len = n_rows * n_runs;
        if self.distances.len() == len {
            map_blocks_mut(&mut self.distances, BLOCK, |_, block| {
                block.fill(f64::INFINITY);
            });
        } else {
            self.distances = vec![f64::INFINITY; len];
        }
        if n_columns < WIDE {
            self.owners.clear();
        } else if self.owners.len() == len {
            map_blocks_mut(&mut self.owners, BLOCK, |_, block| block.fill(0));
        } else {
            self.owners = vec![0; len];
        }
    }

    pub(super) fn distance(&self, run: usize, row: usize) -> f64 {
        let start = row / BLOCK * BLOCK;
        let n_rows = self.distances.len() / self.n_runs;
        let len = BLOCK.min(n_rows - start);
        self.distances[start * self.n_runs + run * len + (row - start)]
    }

    /// Counts in the last centre of each run. Gives for each block of rows and each run the
    /// potential, `Σ w · D²`, and after it those that each of its candidates would leave.
    pub(super) fn lower<T: Storage>(
        &mut self,
        rows: Rows<'_, T>,
        starts: &[Start],
    ) -> Vec<Vec<Vec<f64>>> {
        if rows.n_columns() < WIDE {
            self.lower_jointly(rows, starts)
        } else {
            self.lower_each(rows, starts)
        }
    }

    fn lower_jointly<T: Storage>(
        &mut self,
        rows: Rows<'_, T>,
        starts: &[Start],
    ) -> Vec<Vec<Vec<f64>>> {
        let p = rows.n_columns();
        let n_runs = self.n_runs;
        let joint = |starts: &[Start]| {
            let newest: Vec<_> = starts.iter().map(|start| start.newest(p)).collect();
            let candidates: Vec<_> =
                starts.iter().map(|start| &start.candidates[..]).collect();
            Joint::new(&newest, &candidates, p)
        };
        let points: Vec<Joint> = starts.chunks(MOST_RUNS).map(joint).collect();
        map_blocks_mut(&mut self.distances, BLOCK * n_runs, |at, closest| {
            let start = at / n_runs;
            let some = closest.len() / n_runs * MOST_RUNS;
            let trials = closest.chunks_mut(some).zip(&points);
            let trials = trials.map(|(closest, points)| {
                simd::run(JointTrial { rows, points, start, closest })
            });
            trials.flatten().collect()
        })
    }

    fn lower_each<T: Storage>(
        &mut self,
        rows: Rows<'_, T>,
        starts: &[Start],
    ) -> Vec<Vec<Vec<f64>>> {
        let p = rows.n_columns();
        let n_runs = self.n_runs;
        let points: Vec<Points> =
            starts.iter().map(|start| Points::new(start, p)).collect();
        map_chunk_pairs(
            (&mut self.distances, BLOCK * n_runs),
            (&mut self.owners, BLOCK * n_runs),
            |block, closest, owners| {
                let start = block * BLOCK;
                let len = closest.len() / n_runs;
                let runs = closest.chunks_mut(len).zip(owners.chunks_mut(len));
                let trials = runs.zip(&points).map(|((closest, owners), points)| {
                    simd::run(Trial { rows, points, start, closest, owners })
                });
                trials.collect()
            },
        )
    }
}

/// What the rows are compared with in a trial.
struct Points {
    /// The newest centre, and candidates after it.
    lanes: Lanes,
    /// For each centre before it, see [`safe`].
    safe: Vec<f64>,
    newest: u32,
}

impl Points {
    fn new(start: &Start, p: usize) -> Points {
        let newest = start.centers.len() - p;
        let points = [&start.centers[newest..], &start.candidates].concat();
        // Before there is another one the newest stands for it: nothing is safe.
        let others = start.centers[..newest.max(p)].chunks_exact(p);
        let safe = others.map(|center| safe(center, &points)).collect();
        Points { lanes: Lanes::new(&points, p), safe, newest: (newest / p) as u32 }
    }
}

/// A row up to this squared distance from a centre is not nearer to any of some row-major
/// points: each of them is at least twice as far from the centre, so that the triangle
/// inequality decides (Elkan 2003, lemma 1). Rounding is allowed for.
fn safe(center: &[f64], points: &[f64]) -> f64 {
    let distances = points.chunks_exact(center.len()).map(|point| squared(center, point));
    let least = distances.fold(f64::INFINITY, f64::min);
    let rounding = 16.0 * (center.len() as f64 + 4.0) * f64::EPSILON;
    // Squares below have not all of their digits.
    if least < 1e-280 {
        return 0.0;
    }
    0.25 * least * (1.0 - rounding).max(0.0)
}

/// One block of the rows.
struct Trial<'a, 'r, T> {
    rows: Rows<'r, T>,
    points: &'a Points,
    start: usize,
    closest: &'a mut [f64],
    owners: &'a mut [u32],
}

impl<T: Storage> Kernel for Trial<'_, '_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn run<A: Arithmetic>(mut self) -> Vec<f64> {
        let mut potentials = vec![[0.0; LANES]; self.points.lanes.n_groups()];
        let mut list = [0; BLOCK];
        let doubtful = self.doubtful(&mut list);
        match doubtful {
            Some((n_listed, kept)) => {
                potentials.fill([kept; LANES]);
                for at in (0..n_listed).step_by(ROWS) {
                    let four =
                        FourRows::listed(self.rows, self.start, &list[..n_listed], at);
                    self.look::<A>(&four, &mut potentials);
                }
            }
            None => {
                for at in (0..self.closest.len()).step_by(ROWS) {
                    let end = self.closest.len();
                    let four = FourRows::next(self.rows, self.start, at, end);
                    self.look::<A>(&four, &mut potentials);
                }
            }
        }
        let mut potentials = potentials.into_flattened();
        potentials.truncate(self.points.lanes.n_clusters());
        potentials
    }
}

impl<T: Storage> Trial<'_, '_, T> {
    /// Lists the rows that may be nearer to a point. Gives how many there are, and the
    /// potential of the others; nothing where it is better to look at all.
    #[inline(always)]
    fn doubtful(&self, list: &mut [u32; BLOCK]) -> Option<(usize, f64)> {
        let safe = &self.points.safe;
        let (mut n_listed, mut kept) = (0, 0.0);
        for (i, (&distance, &owner)) in self.closest.iter().zip(&*self.owners).enumerate()
        {
            let is_safe = distance <= safe[owner as usize];
            list[n_listed] = i as u32;
            n_listed += usize::from(!is_safe);
            kept +=
                if is_safe { self.rows.weight(self.start + i) * distance } else { 0.0 };
        }
        (n_listed * SPARSE <= self.closest.len()).then_some((n_listed, kept))
    }

    /// Lowers the distances of some rows, and adds what they leave.
    #[inline(always)]
    fn look<A: Arithmetic>(
        &mut self,
        four: &FourRows<'_, T>,
        potentials: &mut [[f64; LANES]],
    ) {
        let mut least = [0.0; ROWS];
        for (least, &place) in least.iter_mut().zip(&four.places) {
            *least = self.closest[place];
        }
        let n_groups = potentials.len();
        for g in (0..n_groups - n_groups % 2).step_by(2) {
            let distances = self.points.lanes.groups_of::<A, T, 2, ROWS>(g, &four.rows);
            self.leave::<A>(four, &mut least, g, &distances, potentials);
        }
        if n_groups % 2 == 1 {
            let g = n_groups - 1;
            let distances = self.points.lanes.groups_of::<A, T, 1, ROWS>(g, &four.rows);
            self.leave::<A>(four, &mut least, g, &distances, potentials);
        }
    }

    /// Given the distances to the points of some groups. The newest centre stands in the
    /// first group.
    #[inline(always)]
    fn leave<A: Arithmetic>(
        &mut self,
        four: &FourRows<'_, T>,
        least: &mut [f64; ROWS],
        first: usize,
        distances: &[[A::Four; ROWS]],
        potentials: &mut [[f64; LANES]],
    ) {
        if first == 0 {
            for r in 0..ROWS {
                let distance = distances[0][r].first();
                let owner = &mut self.owners[four.places[r]];
                *owner = if distance < least[r] { self.points.newest } else { *owner };
                least[r] = if distance < least[r] { distance } else { least[r] };
                self.closest[four.places[r]] = least[r];
            }
        }
        for (distances, potentials) in distances.iter().zip(&mut potentials[first..]) {
            let mut left = A::Four::load(potentials);
            for r in 0..ROWS {
                let least = distances[r].min(A::Four::splat(least[r]));
                left = A::Four::splat(four.weights[r]).mul(least).add(left);
            }
            left.store(potentials);
        }
    }
}

/// How many rows before it is needed a row is asked for.
#[inline(always)]
fn ahead<T: Storage>(rows: Rows<'_, T>) -> usize {
    AHEAD.min(AHEAD_BYTES / (rows.n_columns() * size_of::<T>()))
}

/// Some rows of a block.
struct FourRows<'r, T> {
    places: [usize; ROWS],
    rows: [&'r [T]; ROWS],
    weights: [f64; ROWS],
}

impl<'r, T: Storage> FourRows<'r, T> {
    /// Of a block that starts at row `start`, from position `at` of a list of its rows on.
    /// Where rows are missing at the end, the one at `at` stands again, without weight.
    #[inline(always)]
    fn listed(rows: Rows<'r, T>, start: usize, list: &[u32], at: usize) -> Self {
        let ahead = at + ahead(rows);
        if let Some(next) = list.get(ahead..ahead + ROWS) {
            for &next in next {
                simd::prefetch_far(rows.row(start + next as usize));
            }
        }
        let first = list[at] as usize;
        let mut four = FourRows {
            places: [first; ROWS],
            rows: [rows.row(start + first); ROWS],
            weights: [0.0; ROWS],
        };
        for r in 0..ROWS.min(list.len() - at) {
            let place = list[at + r] as usize;
            four.places[r] = place;
            four.rows[r] = rows.row(start + place);
            four.weights[r] = rows.weight(start + place);
        }
        four
    }

    /// Of a block that starts at row `start`, from place `at` up to `end`.
    #[inline(always)]
    fn next(rows: Rows<'r, T>, start: usize, at: usize, end: usize) -> Self {
        let ahead = start + at + ahead(rows);
        if ahead + ROWS <= rows.len() {
            simd::prefetch_far(rows.slice(ahead..ahead + ROWS));
        }
        let mut four = FourRows {
            places: [at; ROWS],
            rows: [rows.row(start + at); ROWS],
            weights: [0.0; ROWS],
        };
        for r in 0..ROWS.min(end - at) {
            four.places[r] = at + r;
            four.rows[r] = rows.row(start + at + r);
            four.weights[r] = rows.weight(start + at + r);
        }
        four
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The squared distances and potentials by the definition, after each of some centres.
    fn check(data: &[f64], d: usize, weights: Option<&[f64]>, centers: &[usize]) {
        let n = data.len() / d;
        let rows = Rows::new(data, (n, d), weights).unwrap();
        let mut closest = Closest::default();
        for start in 0..2 {
            closest.restart(n, d, 1);
            let mut plain = vec![f64::INFINITY; n];
            for step in 0..centers.len() {
                let chosen: Vec<f64> =
                    centers[..=step].iter().flat_map(|&i| rows.row(i)).copied().collect();
                let others: Vec<f64> = (0..(step + start) % 9)
                    .flat_map(|c| rows.row((c + 1) * 97 % n))
                    .copied()
                    .collect();
                let newest = rows.row(centers[step]);
                let n_lanes = 1 + others.len() / d;
                let start = Start { centers: chosen, candidates: others };
                let found = closest.lower(rows, std::slice::from_ref(&start));
                let others = start.candidates;
                for (i, plain) in plain.iter_mut().enumerate() {
                    *plain = plain.min(squared(rows.row(i), newest));
                    assert_eq!(closest.distance(0, i), *plain, "row {i}, step {step}");
                }
                for lane in 0..n_lanes {
                    let left = |i: usize| match lane {
                        0 => plain[i],
                        _ => plain[i]
                            .min(squared(rows.row(i), &others[(lane - 1) * d..][..d])),
                    };
                    let sum: f64 = (0..n).map(|i| rows.weight(i) * left(i)).sum();
                    let total: f64 = found.iter().map(|sums| sums[0][lane]).sum();
                    assert!((total - sum).abs() <= 1e-11 * sum, "{total} is not {sum}");
                }
                assert!(found.iter().all(|sums| sums[0].len() == n_lanes));
            }
        }
    }

    #[test]
    fn a_trial_leaves_what_the_definition_says() {
        for (n, d, spread) in
            [(1, 1, 0.1), (7, 3, 0.1), (4103, 5, 1.0), (4103, WIDE, 0.1)]
        {
            let mut random = Random::new(4, d as u64);
            let data: Vec<f64> = (0..n * d)
                .map(|i| (i / d % 10) as f64 + spread * (random.unit() - 0.5))
                .collect();
            let weights: Vec<f64> = (0..n).map(|i| (i % 4) as f64 + 0.5).collect();
            let centers: Vec<usize> = (0..12).map(|c| c * 31 % n).collect();
            check(&data, d, None, &centers);
            check(&data, d, Some(&weights), &centers);
        }
    }

    /// Most rows are near a centre, some at half its distance from a candidate, or hardly
    /// less or more than that.
    #[test]
    fn a_row_in_the_middle_is_not_passed_over() {
        let d = WIDE;
        let mut data = Vec::new();
        for i in 0..BLOCK + 5 {
            let place = match (i % 97, i % 5) {
                (0, _) if i > 0 => 1.0,
                (_, 1) => 0.5 + ((i % 41) as f64 - 20.0) * 1e-16,
                (_, 2) => 0.5 + ((i % 41) as f64 - 20.0) * 1e-3,
                _ => (i % 7) as f64 * 1e-3,
            };
            data.extend((0..d).map(|j| place * (j as f64 / 3.0 + 0.1)));
        }
        check(&data, d, None, &[0, 97, 194, 11]);
    }

    /// Squares so small that 1.5 times as far counts as nothing, and twice that as 2 units:
    /// a row is at a candidate, and yet its centre seems half as far as the candidate is.
    #[test]
    fn rows_are_looked_at_where_squares_have_not_all_digits() {
        let mut data = vec![0.0; 500 * WIDE];
        for (i, row) in data.chunks_exact_mut(WIDE).enumerate() {
            for (j, x) in row.iter_mut().enumerate() {
                *x = match (i, i % 5, j < WIDE / 4) {
                    (1, _, true) => 3.1e-162,
                    (1, _, false) => 3.0e-162,
                    (_, 2, true) => 1.6e-162,
                    (_, 2, false) => 1.5e-162,
                    _ => 0.0,
                };
            }
        }
        let rows = Rows::new(&data, (500, WIDE), None).unwrap();
        let mut closest = Closest::default();
        closest.restart(500, WIDE, 1);
        let start = |n: usize| {
            [Start { centers: rows.slice(0..n).to_vec(), candidates: Vec::new() }]
        };
        closest.lower(rows, &start(1));
        assert!(closest.distance(0, 7) > 0.0);
        closest.lower(rows, &start(2));
        assert_eq!(closest.distance(0, 7), 0.0);
    }
}
