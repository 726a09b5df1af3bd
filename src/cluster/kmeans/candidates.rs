//! Which centres can be the nearest one of any row of a box, and what boxes there are.
//!
//! A centre is left out where another one, `z`, is nearer to every place of the box (Kanungo,
//! Mount, Netanyahu, Piatko, Silverman & Wu 2002, §2: "filtering"). By how much the score of
//! `z` leads is linear in the place, so that it is least in a corner: with the middle `m` and
//! the half widths `h` of the box it is `s(z, m) − s(c, m) − Σ |zⱼ − cⱼ| hⱼ` (see
//! [`scan`](super::scan) for scores). All of it in single precision, and it must exceed what
//! was rounded on the way, and what squared distances in `f64` may be off.

use super::scan::{CERTAIN, Scorer, up};
use super::tiles::{Frame, LANES, Tiles};
use crate::parallel::map_blocks;
use crate::simd::{self, Arithmetic, Kernel, Sixteen};

/// Rows of a box: some tiles.
pub(super) const BOX: usize = 64;

/// Boxes that a larger one is made of.
pub(super) const BOXES: usize = 16;

/// Boxes around rows that follow each other.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    /// For each box and column. Single precision is exact here.
    middles: Vec<f32>,
    /// At least half the width, so that the rows are inside before they were rounded.
    halves: Vec<f32>,
    /// Upper bounds of the norms of the middle and of the half widths.
    norms: Vec<[f64; 2]>,
}

/// The least and the largest number of each column of some rows.
struct Ends {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Ends {
    fn new(d: usize) -> Ends {
        Ends { low: vec![f32::INFINITY; d], high: vec![f32::NEG_INFINITY; d] }
    }

    fn join(&mut self, other: &Ends) {
        for (low, other) in self.low.iter_mut().zip(&other.low) {
            *low = low.min(*other);
        }
        for (high, other) in self.high.iter_mut().zip(&other.high) {
            *high = high.max(*other);
        }
    }
}

/// Finds the ends of rows in tiles, of which the last may not be full.
struct Measure<'a> {
    tiles: &'a [[f32; LANES]],
    n_rows: usize,
    ends: &'a mut Ends,
}

impl Kernel for Measure<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Measure { tiles, n_rows, ends } = self;
        let d = ends.low.len();
        for (j, (low, high)) in ends.low.iter_mut().zip(&mut ends.high).enumerate() {
            let mut lows = [f32::INFINITY; LANES];
            let mut highs = [f32::NEG_INFINITY; LANES];
            let whole = n_rows / LANES;
            for tile in 0..whole {
                let column = &tiles[tile * d + j];
                for lane in 0..LANES {
                    let x = column[lane];
                    lows[lane] = if x < lows[lane] { x } else { lows[lane] };
                    highs[lane] = if x > highs[lane] { x } else { highs[lane] };
                }
            }
            for lane in 0..n_rows % LANES {
                let x = tiles[whole * d + j][lane];
                lows[lane] = if x < lows[lane] { x } else { lows[lane] };
                highs[lane] = if x > highs[lane] { x } else { highs[lane] };
            }
            let mut half = LANES / 2;
            while half > 0 {
                for lane in 0..half {
                    let (low, high) = (lows[lane + half], highs[lane + half]);
                    lows[lane] = if low < lows[lane] { low } else { lows[lane] };
                    highs[lane] = if high > highs[lane] { high } else { highs[lane] };
                }
                half /= 2;
            }
            (*low, *high) = (lows[0], highs[0]);
        }
    }
}

impl Boxes {
    fn push(&mut self, ends: &Ends) {
        let at = self.middles.len();
        for (&low, &high) in ends.low.iter().zip(&ends.high) {
            let middle = 0.5 * low + 0.5 * high;
            let half = (high - middle).max(middle - low);
            // A row was rounded by half of a unit in the last place, or where numbers are
            // tiny by less than the least normal one.
            let rounded = low.abs().max(high.abs()) * f32::EPSILON;
            self.middles.push(middle);
            self.halves
                .push(half * (1.0 + 2.0 * f32::EPSILON) + rounded + f32::MIN_POSITIVE);
        }
        let norm = |x: &[f32]| {
            let square: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            square.sqrt() * (1.0 + 1e-9)
        };
        self.norms.push([norm(&self.middles[at..]), norm(&self.halves[at..])]);
    }

    fn append(&mut self, mut other: Boxes) {
        self.middles.append(&mut other.middles);
        self.halves.append(&mut other.halves);
        self.norms.append(&mut other.norms);
    }

    /// The box of rows in tiles, of which the last may not be full.
    pub(super) fn one(tiles: &[[f32; LANES]], n_rows: usize, d: usize) -> Boxes {
        let mut boxes = Boxes::default();
        let mut ends = Ends::new(d);
        simd::run_wide(Measure { tiles, n_rows, ends: &mut ends });
        boxes.push(&ends);
        boxes
    }

    /// Those of [`BOX`] rows each, and those of [`BOXES`] of them.
    pub(super) fn of_tiles(tiles: &Tiles, n_rows: usize) -> [Boxes; 2] {
        let d = tiles.n_columns();
        let blocks = map_blocks(n_rows, BOX * BOXES, |block| {
            let mut boxes = [Boxes::default(), Boxes::default()];
            let (mut ends, mut all) = (Ends::new(d), Ends::new(d));
            for start in block.clone().step_by(BOX) {
                let tiles = tiles.columns_from(start / LANES);
                let n_rows = BOX.min(block.end - start);
                simd::run_wide(Measure { tiles, n_rows, ends: &mut ends });
                boxes[0].push(&ends);
                all.join(&ends);
            }
            boxes[1].push(&all);
            boxes
        });
        let mut boxes = [Boxes::default(), Boxes::default()];
        for [small, large] in blocks {
            boxes[0].append(small);
            boxes[1].append(large);
        }
        boxes
    }
}

/// Centres side by side, so that as many as there are lanes meet a box at once.
#[derive(Debug, Default)]
pub(super) struct Centers {
    n_columns: usize,
    numbers: Vec<u32>,
    /// Group by group the columns of their coordinates, then `½‖c‖²`, infinite for those
    /// that fill up the last group.
    groups: Vec<[f32; LANES]>,
    error: Error,
}

/// What errors are made of.
#[derive(Clone, Copy, Debug, Default)]
struct Error {
    /// Upper bound of the norms of the centres.
    reach: f64,
    rounding: f64,
    underflow: f64,
}

/// What was found for a box.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Places of the centres that can be nearest, in their order.
    pub(super) places: Vec<u32>,
    scores: Vec<[f32; LANES]>,
    leader: Vec<f32>,
}

impl Centers {
    /// Of row-major centres.
    pub(super) fn new(centers: &[f64], frame: &Frame, scorer: &Scorer) -> Centers {
        let d = frame.origin().len();
        let mut all = Centers {
            n_columns: d,
            numbers: (0..(centers.len() / d) as u32).collect(),
            groups: Vec::new(),
            error: Error {
                reach: scorer.reach(),
                rounding: (d as f64 + 3.0) * f64::EPSILON,
                underflow: scorer.underflow(),
            },
        };
        all.clear(all.numbers.len());
        for (c, center) in centers.chunks_exact(d).enumerate() {
            let group = &mut all.groups[c / LANES * (d + 1)..][..d + 1];
            for (j, (&x, column)) in center.iter().zip(&mut *group).enumerate() {
                column[c % LANES] = frame.place(j, x) as f32;
            }
            group[d][c % LANES] = scorer.half(c);
        }
        all
    }

    /// Room for centres that are never nearest.
    fn clear(&mut self, n: usize) {
        let d = self.n_columns;
        self.groups.clear();
        self.groups.resize(n.div_ceil(LANES) * (d + 1), [0.0; LANES]);
        for halves in self.groups.chunks_exact_mut(d + 1).map(|group| &mut group[d]) {
            *halves = [f32::INFINITY; LANES];
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of a centre.
    pub(super) fn number(&self, place: u32) -> u32 {
        self.numbers[place as usize]
    }

    /// The coordinates of a centre, and after them `½‖c‖²`.
    #[inline(always)]
    fn of(&self, place: u32) -> impl Iterator<Item = f32> {
        let (place, size) = (place as usize, self.n_columns + 1);
        let group = &self.groups[place / LANES * size..][..size];
        group.iter().map(move |column| column[place % LANES])
    }

    /// Becomes some of these centres.
    pub(super) fn pick(&mut self, from: &Centers, places: &[u32]) {
        self.n_columns = from.n_columns;
        self.error = from.error;
        self.numbers.clear();
        self.numbers.extend(places.iter().map(|&place| from.number(place)));
        self.clear(places.len());
        let size = self.n_columns + 1;
        for (c, &place) in places.iter().enumerate() {
            let group = &mut self.groups[c / LANES * size..][..size];
            for (column, x) in group.iter_mut().zip(from.of(place)) {
                column[c % LANES] = x;
            }
        }
    }

    /// For each centre its coordinates and `½‖c‖²`; after the last one the same of a centre
    /// that is never nearest.
    pub(super) fn row_major(&self) -> Vec<f32> {
        let all = (0..self.len() as u32).flat_map(|place| self.of(place));
        let never = std::iter::repeat_n(0.0, self.n_columns).chain([f32::INFINITY]);
        all.chain(never).collect()
    }

    /// The centres that can be nearest in a box.
    #[inline(always)]
    pub(super) fn find<A: Arithmetic>(
        &self,
        boxes: &Boxes,
        at: usize,
        found: &mut Found,
    ) {
        let d = self.n_columns;
        let middle = &boxes.middles[at * d..][..d];
        let halves = &boxes.halves[at * d..][..d];
        let Found { places, scores, leader } = found;
        places.clear();
        scores.clear();
        let mut best = A::Sixteen::splat(f32::NEG_INFINITY);
        let mut index = A::Sixteen::splat(f32::from_bits(0));
        for (g, group) in self.groups.chunks_exact(d + 1).enumerate() {
            let zero = A::Sixteen::splat(0.0);
            let mut score = zero.sub(A::Sixteen::load(&group[d]));
            for (&m, column) in middle.iter().zip(group) {
                score = A::Sixteen::splat(m).mul_add(A::Sixteen::load(column), score);
            }
            let number = A::Sixteen::splat(f32::from_bits(g as u32));
            index = score.select_greater(best, number, index);
            best = score.max(best);
            let mut all = [0.0; LANES];
            score.store(&mut all);
            scores.push(all);
        }
        let (mut most, mut groups) = ([0.0; LANES], [0.0; LANES]);
        best.store(&mut most);
        index.store(&mut groups);
        let mut first = 0;
        for lane in 1..LANES {
            first = if most[lane] > most[first] { lane } else { first };
        }
        let place = groups[first].to_bits() * LANES as u32 + first as u32;
        leader.clear();
        leader.extend(self.of(place).take(d));
        let lead = A::Sixteen::splat(most[first]);
        let margin = A::Sixteen::splat(self.error.margin(boxes.norms[at], d));
        let slack = A::Sixteen::splat(-(1.0 + (d as f32 + 16.0) * f32::EPSILON));
        for (g, (group, scores)) in
            self.groups.chunks_exact(d + 1).zip(scores).enumerate()
        {
            let mut spread = A::Sixteen::splat(0.0);
            for ((&z, &half), column) in leader.iter().zip(halves).zip(group) {
                let apart = A::Sixteen::load(column).sub(A::Sixteen::splat(z)).abs();
                spread = apart.mul_add(A::Sixteen::splat(half), spread);
            }
            let lead = lead.sub(A::Sixteen::load(scores));
            let beaten = spread.mul_add(slack, lead).greater(margin);
            let used = u32::MAX >> (32 - (self.len() - g * LANES).min(LANES));
            let mut left = !beaten & used;
            while left != 0 {
                places.push((g * LANES) as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }
}

impl Error {
    /// How far ahead a centre must be in a box whose middle and half widths have norms up
    /// to these.
    ///
    /// With u = 2⁻²⁴ and C, M and H the norms: a score in the middle is off by
    /// (d + 4)u (MC + C²/2) (see `ScoreError`), a difference of scores by u of it, the sum of
    /// the half widths by 2uCH for the rounded centres, and relatively by what `slack` allows
    /// for; half the difference of squares in `f64` by (d + 3) · 2⁻⁵³ of (M + H + C)².
    #[inline(always)]
    fn margin(&self, [middle, half]: [f64; 2], d: usize) -> f32 {
        let Error { reach, rounding, underflow } = *self;
        let u = f64::from(f32::EPSILON) / 2.0;
        let score =
            (d as f64 + 12.0) * (u * (middle * reach + 0.5 * reach * reach) + 1e-37);
        let all = middle + half + reach;
        let margin = 1.1
            * (2.0 * score + 4.0 * u * reach * half + rounding * all * all + underflow);
        if d <= 100_000 && margin < f64::from(CERTAIN) {
            up(margin)
        } else {
            f32::INFINITY
        }
    }
}

/// Looks for the centres that can be nearest in the first of some boxes.
pub(super) struct Find<'f> {
    pub(super) centers: &'f Centers,
    pub(super) boxes: &'f Boxes,
    pub(super) found: &'f mut Found,
}

impl Kernel for Find<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        self.centers.find::<A>(self.boxes, 0, self.found);
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest::Lanes;
    use super::*;
    use crate::random::Random;

    /// What each level finds for the box of these rows, at most [`BOX`].
    fn found(centers: &[f64], frame: &Frame, rows: &[f64]) -> Vec<Vec<u32>> {
        let d = frame.origin().len();
        let n_rows = rows.len() / d;
        let mut tiles = vec![[0.0; LANES]; BOX / LANES * d];
        for (at, row) in rows.chunks_exact(d).enumerate() {
            frame.fill_lane(row, at % LANES, &mut tiles[at / LANES * d..][..d]);
        }
        let boxes = Boxes::one(&tiles, n_rows, d);
        let scorer = Scorer::new(centers, frame);
        let all = Centers::new(centers, frame, &scorer);
        let find = |level: usize| {
            let (mut found, mut again) = (Found::default(), Found::default());
            let boxes = &boxes;
            let run = |centers: &Centers, found: &mut Found| {
                let find = Find { centers, boxes, found };
                match level {
                    0 => simd::baseline(find),
                    1 => simd::run(find),
                    _ => simd::run_wide(find),
                }
            };
            run(&all, &mut found);
            // Those that are left are asked again, as a small box asks those of a large one.
            let mut some = Centers::default();
            some.pick(&all, &found.places);
            run(&some, &mut again);
            let numbers = again.places.iter().map(|&place| some.number(place)).collect();
            let numbers: Vec<u32> = numbers;
            assert_eq!(found.places, numbers, "{d} columns");
            numbers
        };
        (0..3).map(find).collect()
    }

    /// Counts the centres that are left. The nearest one of each row is among them.
    fn check(centers: &[f64], frame: &Frame, rows: &[f64]) -> usize {
        let d = frame.origin().len();
        let lanes = Lanes::new(centers, d);
        let mut most = 0;
        for left in found(centers, frame, rows) {
            for row in rows.chunks_exact(d) {
                let nearest = lanes.nearest(row).index as u32;
                assert!(left.contains(&nearest), "{nearest} of {left:?}, {row:?}");
            }
            assert!(left.is_sorted());
            most = most.max(left.len());
        }
        most
    }

    #[test]
    fn the_nearest_centres_of_a_box_are_found_and_few_others() {
        let mut random = Random::new(11, 0);
        for (d, k, offset, scale) in [
            (1, 40, 0.0, 1.0),
            (3, 100, 50.0, 1.0),
            (8, 33, -1e6, 1e3),
            (2, 16, 0.0, 1e-150),
            (2, 17, 0.0, 1e90),
        ] {
            let mut number = || offset + scale * (random.unit() - 0.5);
            let centers: Vec<f64> = (0..k * d).map(|_| number()).collect();
            let ends = [offset - scale, offset + scale];
            let frame = Frame::new(vec![offset; d], &vec![ends[0]; d], &vec![ends[1]; d]);
            let mut n_left = 0;
            for round in 0..200 {
                let width = [0.0, 1e-6, 0.03, 0.3, 2.0][round % 5];
                let middle: Vec<f64> = (0..d).map(|_| number()).collect();
                let n_rows = 1 + round % BOX;
                let rows: Vec<f64> = (0..n_rows)
                    .flat_map(|_| &middle)
                    .map(|m| m + width * (number() - offset))
                    .collect();
                n_left += check(&centers, &frame, &rows);
            }
            assert!(n_left < 200 * k / 2, "{n_left} of {} centres", 200 * k);
        }
    }

    /// Rows so near to the border between two centres that single precision mistakes one for
    /// the other, also far out on it, and where double precision does.
    #[test]
    fn centres_that_single_precision_mistakes_are_not_left_out() {
        let mut random = Random::new(12, 0);
        let (mut n_two, mut n_rounds) = (0, 0);
        for (d, k, offset) in [(1, 2, 0.0), (3, 5, 9.0), (16, 20, -1e3), (40, 7, 0.5)] {
            let mut number = || offset + random.unit() - 0.5;
            let centers: Vec<f64> = (0..k * d).map(|_| number()).collect();
            let frame = Frame::new(
                vec![offset + 0.01; d],
                &vec![offset - 1.0; d],
                &vec![offset + 1.0; d],
            );
            for round in 0..600 {
                let far = [0.0, 0.0, 300.0, 1e12][round % 4];
                let largest = [-3, -3, -3, 10][round % 4];
                let (a, b) = (random.below(k) * d, random.below(k) * d);
                if a == b {
                    continue;
                }
                let between: Vec<f64> =
                    (0..d).map(|j| centers[b + j] - centers[a + j]).collect();
                let length: f64 = between.iter().map(|x| x * x).sum();
                let out: Vec<f64> = (0..d).map(|_| far * (random.unit() - 0.5)).collect();
                let along: f64 = between.iter().zip(&out).map(|(x, y)| x * y).sum();
                let size = 10_f64.powi(largest - random.below(9) as i32);
                let place = 0.5 + size * (random.unit() - 0.5) - along / length;
                let row: Vec<f64> = (0..d)
                    .map(|j| centers[a + j] + out[j] + place * between[j])
                    .collect();
                let rows = row.repeat(1 + round % 3);
                n_two += usize::from(check(&centers, &frame, &rows) > 1);
                n_rounds += 1;
            }
        }
        assert!(n_two > n_rounds / 10 && n_two < n_rounds, "{n_two} of {n_rounds}");
    }

    #[test]
    fn nothing_is_left_out_where_scores_overflow() {
        let centers = [2.2e19, 1.2e19, 0.0, -1.4e19];
        let frame = Frame::new(vec![0.0; 2], &[-0.5; 2], &[0.5; 2]);
        assert_eq!(check(&centers, &frame, &[-0.6e19, 1.5e19]), 2);
    }
}
