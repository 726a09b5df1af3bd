//! The nearest and the next centre of many rows, estimated in single precision with a
//! proven error.
//!
//! With `x` and `c` taken relative to a common origin, `½‖x‖² − ½‖x − c‖² = x·c − ½‖c‖²`:
//! the *score* of a centre, largest for the nearest one. It takes one multiplication and
//! addition for each column, half as many as the squared distance, and in `f32` twice as
//! many fit into a vector.
//!
//! Where the two largest scores differ by more than the errors of both, the centre of the
//! largest is the nearest one by any account, also by that of [`Lanes`], whose rounded
//! squared distances in `f64` are what defines a label. Other rows are handed to
//! [`Lanes`]. So labels have the bits of the plain computation, at any vector level.
//!
//! [`Lanes`]: super::nearest::Lanes

use super::tiles::{Frame, LANES};
use crate::simd::{Ahead, Arithmetic, Sixteen};

/// How many centres are scored at once: with [`LANES`] rows of `f32` they fill eight or ten
/// of the 16 vector registers of AVX2, which is what keeps both multipliers busy.
const GROUPS: [usize; 2] = [4, 5];

/// The smaller of [`GROUPS`], unless the larger one leaves fewer places empty.
fn group_size(n_clusters: usize) -> usize {
    let [small, large] = GROUPS;
    let places = |size: usize| n_clusters.div_ceil(size) * size;
    if places(large) < places(small) { large } else { small }
}

/// Centres in a [`Frame`], packed for a scan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scorer {
    /// One of [`GROUPS`].
    group_size: usize,
    /// Group by group and column by column the coordinates of its centres. The last group
    /// is filled up with centres that are never nearest.
    groups: Vec<f32>,
    /// `½‖c‖²`, infinite for those.
    halves: Vec<f32>,
    /// Upper bound of the centres' norms.
    reach: f64,
    error: ScoreError,
    threshold: Threshold,
    underflow: f64,
}

impl Scorer {
    /// Of row-major centres.
    pub(super) fn new(centers: &[f64], frame: &Frame) -> Scorer {
        let d = frame.origin().len();
        let n_clusters = centers.len() / d;
        let size = group_size(n_clusters);
        let n_places = n_clusters.div_ceil(size) * size;
        let mut groups = vec![0.0; n_places * d];
        let mut halves = vec![f32::INFINITY; n_places];
        let mut largest = 0.0_f64;
        for (c, center) in centers.chunks_exact(d).enumerate() {
            let mut square = 0.0;
            for (j, &x) in center.iter().enumerate() {
                let placed = frame.place(j, x);
                square += placed * placed;
                groups[(c / size * d + j) * size + c % size] = placed as f32;
            }
            halves[c] = (0.5 * square) as f32;
            largest = largest.max(square);
        }
        let reach = largest.sqrt() * (1.0 + 1e-12);
        let error = ScoreError::new(d, reach);
        // What squares in `f64` may lose where they are too small for all of their digits.
        let underflow = (d as f64 + 3.0) * SMALLEST * frame.unit() * frame.unit();
        let threshold = Threshold::new(d, reach, &error, underflow);
        Scorer { group_size: size, groups, halves, reach, error, threshold, underflow }
    }

    /// `½‖c‖²` of a centre.
    pub(super) fn half(&self, center: usize) -> f32 {
        self.halves[center]
    }

    /// Upper bound of the norms of the centres.
    pub(super) fn reach(&self) -> f64 {
        self.reach
    }

    /// What half a difference of squared distances in `f64` may lose to underflow.
    pub(super) fn underflow(&self) -> f64 {
        self.underflow
    }

    /// How far apart the two largest scores of a row of norm up to `reach` must be for its
    /// nearest centre to be certain.
    #[inline(always)]
    pub(super) fn threshold(&self, reach: f32) -> f32 {
        let Threshold { constant, per_norm, per_square } = self.threshold;
        let threshold = constant + per_norm * reach + per_square * (reach * reach);
        if threshold < CERTAIN { threshold } else { f32::INFINITY }
    }

    /// By how much `‖x‖² − 2 · score`, computed in single precision, may fall short of the
    /// squared distance, for rows of norm up to `reach`.
    #[inline(always)]
    pub(super) fn slack(&self, reach: f32) -> f32 {
        let reach = f64::from(reach);
        let distance = (reach + self.reach) * (reach + self.reach);
        up(2.0 * self.error.at(reach) + 8.0 * f64::from(f32::EPSILON) * distance)
    }
}

/// The smallest number above 0.
pub(super) const SMALLEST: f64 = f64::from_bits(1);

/// A number of single precision that is not below this one.
#[inline(always)]
pub(super) fn up(x: f64) -> f32 {
    x as f32 * (1.0 + 2.0 * f32::EPSILON)
}

/// Beyond, nothing is certain: scores may have overflowed.
pub(super) const CERTAIN: f32 = 1e30;

/// How far apart the two largest scores of a row must be, as a function of its norm: by the
/// errors of both, and by what rounded squared distances in `f64` may be off, (d + 2) · 2⁻⁵³
/// of at most (X + C)² each.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Threshold {
    constant: f32,
    per_norm: f32,
    per_square: f32,
}

impl Threshold {
    fn new(
        n_columns: usize,
        reach: f64,
        error: &ScoreError,
        underflow: f64,
    ) -> Threshold {
        let rounding = (n_columns as f64 + 3.0) * f64::EPSILON;
        // What follows is five operations on positive numbers of single precision.
        let up = |x: f64| up(x * (1.0 + 8.0 * f64::from(f32::EPSILON)));
        Threshold {
            constant: up(2.0 * error.constant + rounding * reach * reach + underflow),
            per_norm: up(2.0 * (error.per_norm + rounding * reach)),
            per_square: up(rounding),
        }
    }

    /// For the squared norms of some rows.
    #[inline(always)]
    fn of<A: Arithmetic>(&self, squares: A::Sixteen) -> A::Sixteen {
        let Threshold { constant, per_norm, per_square } = *self;
        let flat =
            squares.mul_add(A::Sixteen::splat(per_square), A::Sixteen::splat(constant));
        squares.sqrt().mul_add(A::Sixteen::splat(per_norm), flat)
    }
}

/// By how much a score may be off, as a function of the row's norm.
///
/// With u = 2⁻²⁴, X and C the norms: rounding x, c and ½‖c‖² to single precision costs
/// 2uXC + uC²/2; d fused or d + 1 single operations on terms that sum to XC + C²/2 cost
/// (d + 2)u of it (Higham 2002, §3.1). Numbers near the least normal one cost an absolute
/// error on top. The factor covers what is of second order, up to 10⁵ columns; beyond, or
/// where scores could overflow, nothing is certain.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ScoreError {
    constant: f64,
    per_norm: f64,
}

impl ScoreError {
    fn new(n_columns: usize, reach: f64) -> ScoreError {
        let d = n_columns as f64;
        if n_columns > 100_000 {
            return ScoreError { constant: f64::INFINITY, per_norm: 0.0 };
        }
        let factor = 1.05 * (d + 4.0) * f64::from(f32::EPSILON) / 2.0;
        ScoreError {
            constant: factor * 0.5 * reach * reach + (d + 4.0) * 1e-37,
            per_norm: factor * reach,
        }
    }

    #[inline(always)]
    fn at(&self, reach: f64) -> f64 {
        let error = self.constant + self.per_norm * reach;
        if error < f64::from(CERTAIN) { error } else { f64::INFINITY }
    }
}

/// What a scan found for the rows of a tile.
pub(super) struct Top<A: Arithmetic> {
    /// The centre with the largest score: its number as the bits of an `f32`.
    index: A::Sixteen,
    /// The largest score.
    pub(super) best: A::Sixteen,
    /// The largest score of the other centres; −∞ when there is no other.
    pub(super) next: A::Sixteen,
}

impl Scorer {
    /// Scans a tile, and asks on the way for the memory of what is read later. What is found
    /// stays in registers, where the caller judges it.
    #[inline(always)]
    pub(super) fn top<A: Arithmetic, T>(
        &self,
        tile: &[[f32; LANES]],
        later: &[T],
    ) -> Top<A> {
        if self.group_size == GROUPS[0] {
            self.top_of::<A, T, { GROUPS[0] }>(tile, later)
        } else {
            self.top_of::<A, T, { GROUPS[1] }>(tile, later)
        }
    }

    #[inline(always)]
    fn top_of<A: Arithmetic, T, const SIZE: usize>(
        &self,
        tile: &[[f32; LANES]],
        later: &[T],
    ) -> Top<A> {
        let mut ahead = Ahead::new(later);
        let mut top = Top::<A>::none();
        let groups = self.groups.as_chunks::<SIZE>().0.chunks_exact(tile.len());
        let halves = self.halves.as_chunks::<SIZE>().0;
        for (g, (group, halves)) in groups.zip(halves).enumerate() {
            let mut scores = [top.best; SIZE];
            for (score, half) in scores.iter_mut().zip(halves) {
                *score = A::Sixteen::splat(-half);
            }
            if ahead.is_over() {
                for (x, centers) in tile.iter().zip(group) {
                    add_column::<A, SIZE>(x, centers, &mut scores);
                }
            } else {
                for (x, centers) in tile.iter().zip(group) {
                    ahead.step();
                    add_column::<A, SIZE>(x, centers, &mut scores);
                }
            }
            for (c, score) in scores.into_iter().enumerate() {
                top.meet(score, (g * SIZE + c) as u32);
            }
        }
        // More than there are columns of groups.
        ahead.rest();
        top
    }
}

/// What a column adds to the scores of a group.
#[inline(always)]
fn add_column<A: Arithmetic, const SIZE: usize>(
    column: &[f32; LANES],
    centers: &[f32; SIZE],
    scores: &mut [A::Sixteen; SIZE],
) {
    let x = A::Sixteen::load(column);
    for (score, &center) in scores.iter_mut().zip(centers) {
        *score = x.mul_add(A::Sixteen::splat(center), *score);
    }
}

/// How many listed centres are scored at once.
pub(super) const LISTED: usize = 4;

/// Scans a tile for the centres of a list, whose length [`LISTED`] divides: their coordinates
/// stand row by row, and `½‖c‖²` after them.
#[inline(always)]
pub(super) fn top_of_list<A: Arithmetic>(
    tile: &[[f32; LANES]],
    centers: &[f32],
    list: &[u32],
) -> Top<A> {
    let d = tile.len();
    let mut top = Top::<A>::none();
    for numbers in list.as_chunks::<LISTED>().0 {
        let mut listed = [&centers[..0]; LISTED];
        let mut scores = [top.best; LISTED];
        for ((center, score), &number) in listed.iter_mut().zip(&mut scores).zip(numbers)
        {
            *center = &centers[number as usize * (d + 1)..][..=d];
            *score = A::Sixteen::splat(-center[d]);
        }
        let [a, b, c, e] = listed;
        for (j, x) in tile.iter().enumerate() {
            let x = A::Sixteen::load(x);
            scores[0] = x.mul_add(A::Sixteen::splat(a[j]), scores[0]);
            scores[1] = x.mul_add(A::Sixteen::splat(b[j]), scores[1]);
            scores[2] = x.mul_add(A::Sixteen::splat(c[j]), scores[2]);
            scores[3] = x.mul_add(A::Sixteen::splat(e[j]), scores[3]);
        }
        for (score, &number) in scores.into_iter().zip(numbers) {
            top.meet(score, number);
        }
    }
    top
}

impl<A: Arithmetic> Top<A> {
    /// Of no centre.
    #[inline(always)]
    fn none() -> Top<A> {
        let lowest = A::Sixteen::splat(f32::NEG_INFINITY);
        // Numbers of centres as bits of `f32`, which are only moved about.
        let index = A::Sixteen::splat(f32::from_bits(0));
        Top { index, best: lowest, next: lowest }
    }

    /// Of one centre, whose scores do not matter.
    #[inline(always)]
    pub(super) fn of(number: u32) -> Top<A> {
        Top { index: A::Sixteen::splat(f32::from_bits(number)), ..Top::none() }
    }

    /// Another centre.
    #[inline(always)]
    fn meet(&mut self, score: A::Sixteen, number: u32) {
        let number = A::Sixteen::splat(f32::from_bits(number));
        let loser = score.select_greater(self.best, self.best, score);
        self.next = loser.max(self.next);
        self.index = score.select_greater(self.best, number, self.index);
        self.best = score.max(self.best);
    }

    /// The centres with the largest scores.
    #[inline(always)]
    pub(super) fn index(&self) -> [u32; LANES] {
        let mut numbers = [0.0; LANES];
        self.index.store(&mut numbers);
        let mut index = [0; LANES];
        for (to, number) in index.iter_mut().zip(numbers) {
            *to = number.to_bits();
        }
        index
    }

    /// A bit for each lane whose label is another one.
    #[inline(always)]
    pub(super) fn moved(&self, labels: &[u32; LANES]) -> u32 {
        self.index.differ(A::Sixteen::load_bits(labels))
    }

    /// A bit for each lane whose largest score is that of the nearest centre.
    #[inline(always)]
    pub(super) fn certain(&self, threshold: f32) -> u32 {
        self.best.sub(self.next).greater(A::Sixteen::splat(threshold))
    }

    /// The same, given upper bounds of the squared norms of the rows.
    #[inline(always)]
    pub(super) fn certain_by_norms(
        &self,
        scorer: &Scorer,
        squares: &[f32; LANES],
    ) -> u32 {
        let threshold = scorer.threshold.of::<A>(A::Sixteen::load(squares));
        let lead = self.best.sub(self.next);
        lead.greater(threshold) & A::Sixteen::splat(CERTAIN).greater(threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest::Lanes;
    use super::super::tiles::largest_norm;
    use super::*;
    use crate::random::Random;
    use crate::simd::{self, Kernel};

    /// What one level makes of a tile: the centres, and a bit for each certain one.
    struct Level<'a>(&'a Scorer, &'a Frame, &'a [f64]);

    impl Kernel for Level<'_> {
        type Output = ([u32; LANES], u32);

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> ([u32; LANES], u32) {
            let Level(scorer, frame, rows) = self;
            let d = frame.origin().len();
            let mut tile = vec![[0.0; LANES]; d];
            let squares = frame.fill::<A, f64>(rows, &mut tile);
            let threshold = scorer.threshold(largest_norm(&squares));
            let top = scorer.top::<A, f64>(&tile, &[]);
            let by_norms = top.certain_by_norms(scorer, &squares);
            assert_eq!(top.certain(threshold) & !by_norms, 0);
            (top.index(), by_norms)
        }
    }

    /// Counts the mistaken and the certain rows, for all levels. No row may be both.
    fn check(centers: &[f64], frame: &Frame, rows: &[f64]) -> (usize, usize) {
        let d = frame.origin().len();
        let scorer = Scorer::new(centers, frame);
        let lanes = Lanes::new(centers, d);
        let levels = simd::at_each_level(|| Level(&scorer, frame, rows));
        let (mut wrong, mut sure) = (0, 0);
        for (index, certain) in levels {
            for (lane, row) in rows.chunks_exact(d).enumerate() {
                let right = lanes.nearest(row).index as u32 == index[lane];
                let certain = (certain >> lane) & 1 == 1;
                assert!(right || !certain, "{d} columns, {row:?}");
                wrong += usize::from(!right);
                sure += usize::from(certain);
            }
        }
        (wrong, sure)
    }

    /// Rows so near to the border between two centres that single precision mistakes one
    /// for the other: in the middle between them, there beside the origin, far out on the
    /// border, and so far that double precision is mistaken too.
    #[test]
    fn a_certain_centre_is_the_nearest_and_some_estimates_are_wrong() {
        let mut random = Random::new(21, 0);
        let mut counts = [(0, 0); 4];
        for (d, k, offset) in [(1, 2, 0.0), (3, 5, 9.0), (16, 10, -1e3), (40, 7, 0.5)] {
            let mut number = || offset + random.unit() - 0.5;
            let centers: Vec<f64> = (0..k * d).map(|_| number()).collect();
            let (low, high) = (vec![offset - 1.0; d], vec![offset + 1.0; d]);
            let mut origin = vec![offset + 0.01; d];
            for round in 0..240 {
                let kind = round % 4;
                let far = [0.0, 0.0, 300.0, 1e12][kind];
                let largest = [-3, -3, -3, 10][kind];
                let (a, b) = (random.below(k) * d, random.below(k) * d);
                let between = |j: usize| centers[b + j] - centers[a + j];
                let length: f64 = (0..d).map(|j| between(j) * between(j)).sum();
                let mut rows = Vec::new();
                for _ in 0..LANES {
                    let size = 10_f64.powi(largest - random.below(8) as i32);
                    let place = 0.5 + size * (random.unit() - 0.5);
                    let out: Vec<f64> =
                        (0..d).map(|_| far * (random.unit() - 0.5)).collect();
                    let along: f64 = (0..d).map(|j| between(j) * out[j]).sum();
                    let back = if a == b { 0.0 } else { along / length };
                    for j in 0..d {
                        let side = out[j] + (place - back) * between(j);
                        rows.push(centers[a + j] + side);
                    }
                }
                if kind == 1 {
                    origin.copy_from_slice(&rows[..d]);
                }
                let frame = Frame::new(origin.clone(), &low, &high);
                let (wrong, sure) = check(&centers, &frame, &rows);
                counts[kind].0 += wrong;
                counts[kind].1 += sure;
            }
        }
        assert!(counts.iter().all(|c| c.0 > 100 && c.1 > 1000), "{counts:?}");
    }

    /// The score of the nearest centre is infinite on the way.
    #[test]
    fn nothing_is_certain_where_scores_overflow() {
        let centers = [2.2e19, 1.2e19, 0.0, -1.4e19];
        let frame = Frame::new(vec![0.0; 2], &[-0.5; 2], &[0.5; 2]);
        assert_eq!(frame.unit(), 1.0);
        let rows: Vec<f64> = (0..LANES).flat_map(|_| [-0.6e19, 1.5e19]).collect();
        let (wrong, sure) = check(&centers, &frame, &rows);
        assert_eq!((wrong, sure), (3 * LANES, 0));
    }
}
