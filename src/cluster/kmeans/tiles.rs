//! The rows once more, in single precision, laid out for a scan.

use std::ops::Range;

use super::rows::{Overview, Rows, Storage, squared};
use crate::exact::power_of_two;
use crate::parallel::map_chunk_pairs;
use crate::simd::{self, Arithmetic, Four, Kernel, Sixteen};

/// Rows of one tile: a column's values of all of them stand side by side.
pub(super) const LANES: usize = 16;

/// Columns that are turned at once.
const WIDE: usize = 4;

/// Rows in another order that are asked for before they are needed.
const AHEAD: usize = 16;

/// Tiles that one task fills.
const BLOCK: usize = 64;

/// Where the numbers of a scan have their zero, and their unit: `(x − origin) · unit`.
///
/// A common offset would cost digits, and a range of more than 10³⁸ would overflow. The
/// unit is a power of two, so that it costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    origin: Vec<f64>,
    unit: f64,
    /// `−origin · unit`, with zeros up to a whole vector.
    shifts: Vec<[f64; WIDE]>,
}

impl Frame {
    /// A frame in which no column of numbers between `low` and `high` exceeds 1, and in
    /// whose unit the origin is finite too.
    pub(super) fn new(origin: Vec<f64>, low: &[f64], high: &[f64]) -> Frame {
        let sides = low.iter().zip(high).zip(&origin);
        let reach = sides.fold(0.0_f64, |reach, ((low, high), zero)| {
            reach.max((low - zero).abs()).max((high - zero).abs())
        });
        let farthest = origin.iter().fold(0.0_f64, |far, zero| far.max(zero.abs()));
        let unit = match exponent(reach) {
            -1023 => 1.0,
            e => {
                let e = (e + 1).max(exponent(farthest) - 1000);
                power_of_two(-e.clamp(-1000, 1000))
            }
        };
        let shift = |j: usize| origin.get(j).map_or(0.0, |zero| -zero * unit);
        let shifts = (0..origin.len())
            .step_by(WIDE)
            .map(|j| std::array::from_fn(|lane| shift(j + lane)))
            .collect();
        Frame { origin, unit, shifts }
    }

    pub(super) fn unit(&self) -> f64 {
        self.unit
    }

    pub(super) fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// A number of column `j` in this frame.
    #[inline(always)]
    pub(super) fn place(&self, j: usize, x: f64) -> f64 {
        (x - self.origin[j]) * self.unit
    }

    /// Writes the first [`LANES`] of these rows, or as many as there are, into a tile. Lanes
    /// without a row are left as they are. Gives the upper bounds of the squared norms.
    #[inline(always)]
    pub(super) fn fill<A: Arithmetic, T: Storage>(
        &self,
        rows: &[T],
        tile: &mut [[f32; LANES]],
    ) -> [f32; LANES] {
        let d = tile.len();
        // A vector reads beyond the end of the last row.
        if rows.len() < (LANES - 1) * d + d.next_multiple_of(WIDE) {
            for (lane, row) in rows.chunks_exact(d).take(LANES).enumerate() {
                self.fill_lane(row, lane, tile);
            }
            return squared_norms(tile);
        }
        let (whole, rest) = tile.as_chunks_mut::<WIDE>();
        // One sum would be a chain as long as the row.
        let mut squares = [A::Sixteen::splat(0.0); WIDE];
        for (p, columns) in whole.iter_mut().enumerate() {
            keep::<A>(self.turn::<A, T>(rows, d, p), columns, &mut squares);
        }
        if !rest.is_empty() {
            keep::<A>(self.turn::<A, T>(rows, d, d / WIDE), rest, &mut squares);
        }
        let [a, b, c, e] = squares;
        let (slack, least) = (A::Sixteen::splat(slack(d)), A::Sixteen::splat(LEAST));
        let mut upper = [0.0; LANES];
        a.add(b).add(c.add(e)).mul_add(slack, least).store(&mut upper);
        upper
    }

    /// Columns from `p` times [`WIDE`] on of sixteen rows.
    #[inline(always)]
    fn turn<A: Arithmetic, T: Storage>(
        &self,
        rows: &[T],
        d: usize,
        p: usize,
    ) -> [A::Sixteen; WIDE] {
        let rows = simd::sixteen_rows(&rows[p * WIDE..], d);
        let (unit, shift) = (A::Four::splat(self.unit), A::Four::load(&self.shifts[p]));
        let mut numbers = [A::Sixteen::splat(0.0); WIDE];
        for (r, number) in numbers.iter_mut().enumerate() {
            let mut quarters = [unit; 4];
            for (q, quarter) in quarters.iter_mut().enumerate() {
                // The unit is a power of two: it rounds nothing.
                *quarter = T::load::<A>(rows[r + 4 * q]).mul_add(unit, shift);
            }
            *number = A::narrow(quarters);
        }
        A::Sixteen::transpose_quarters(numbers)
    }

    /// Writes one row into a tile.
    #[inline(always)]
    pub(super) fn fill_lane<T: Storage>(
        &self,
        row: &[T],
        lane: usize,
        tile: &mut [[f32; LANES]],
    ) {
        for ((column, &x), &zero) in tile.iter_mut().zip(row).zip(&self.origin) {
            column[lane] = ((x.into() - zero) * self.unit) as f32;
        }
    }
}

/// Writes columns of a tile, and adds up their squares.
#[inline(always)]
fn keep<A: Arithmetic>(
    across: [A::Sixteen; WIDE],
    columns: &mut [[f32; LANES]],
    squares: &mut [A::Sixteen; WIDE],
) {
    for (c, column) in columns.iter_mut().enumerate() {
        across[c].store(column);
        squares[c] = across[c].mul_add(across[c], squares[c]);
    }
}

/// The exponent `e` of a number's `m · 2^e` with `1 ≤ m < 2`; −1023 for 0.
pub(super) fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// All rows in tiles. Needs half the memory of rows of `f64`.
#[derive(Debug)]
pub(super) struct Tiles {
    frame: Frame,
    /// `n_columns` for each tile; lanes beyond the last row are 0.
    data: Vec<[f32; LANES]>,
    /// Upper bounds of the squared norms, for each tile and lane.
    squares: Vec<[f32; LANES]>,
    /// Upper bound of the norms of each tile.
    reach: Vec<f32>,
}

impl Tiles {
    /// In another order, if there is one. Also gives what there is to know of the rows: all
    /// in one pass over them.
    pub(super) fn new<T: Storage>(
        rows: Rows<'_, T>,
        frame: Frame,
        order: Option<&[u32]>,
    ) -> (Tiles, Overview, f64) {
        let (n_rows, d) = (rows.len(), rows.n_columns());
        let n_tiles = n_rows.div_ceil(LANES);
        let mut data = vec![[0.0; LANES]; n_tiles * d];
        let mut squares = vec![[0.0; LANES]; n_tiles];
        let blocks = map_chunk_pairs(
            (&mut data, BLOCK * d),
            (&mut squares, BLOCK),
            |block, columns, squares| {
                let first = block * BLOCK * LANES;
                let frame = &frame;
                simd::run_wide(Prepare { rows, order, first, frame, columns, squares })
            },
        );
        let mut overview = Overview::empty(d);
        let mut spread = 0.0;
        for block in &blocks {
            overview = overview.merge(&block.0);
            spread += block.1;
        }
        if rows.is_unweighted() {
            spread = overview.spread(&frame.origin);
        }
        let reach = squares.iter().map(largest_norm).collect();
        (Tiles { frame, data, squares, reach }, overview, spread)
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn n_columns(&self) -> usize {
        self.frame.origin.len()
    }

    /// The columns of the tiles from `first` on.
    pub(super) fn columns_from(&self, first: usize) -> &[[f32; LANES]] {
        &self.data[first * self.n_columns()..]
    }

    /// Upper bounds of the squared norms of the rows, for each tile.
    pub(super) fn squares(&self) -> &[[f32; LANES]] {
        &self.squares
    }

    /// Upper bounds of the norms of each tile's rows.
    pub(super) fn reach(&self) -> &[f32] {
        &self.reach
    }
}

/// Fills some tiles and looks at their rows on the way. Gives the overview of these rows,
/// and their weighted squared distances from the frame's origin.
struct Prepare<'a, 'r, T> {
    rows: Rows<'r, T>,
    order: Option<&'a [u32]>,
    first: usize,
    frame: &'a Frame,
    columns: &'a mut [[f32; LANES]],
    squares: &'a mut [[f32; LANES]],
}

impl<T: Storage> Kernel for Prepare<'_, '_, T> {
    type Output = (Overview, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (Overview, f64) {
        let Prepare { rows, order, first, frame, columns, squares } = self;
        let d = rows.n_columns();
        let end = (first + squares.len() * LANES).min(rows.len());
        let overview = Overview::new(rows, first..end);
        let mut spread = 0.0;
        let tiles = columns.chunks_exact_mut(d).zip(squares);
        for (t, (tile, squares)) in tiles.enumerate() {
            let start = first + t * LANES;
            let lanes = start..(start + LANES).min(end);
            *squares = match order {
                None => frame.fill::<A, T>(rows.from(start), tile),
                Some(order) => {
                    for (lane, at) in lanes.clone().enumerate() {
                        if let Some(&soon) = order.get(at + AHEAD) {
                            simd::prefetch(rows.row(soon as usize));
                        }
                        frame.fill_lane(rows.row(order[at] as usize), lane, tile);
                    }
                    squared_norms(tile)
                }
            };
            if !rows.is_unweighted() {
                for i in lanes {
                    spread += rows.weight(i) * squared(rows.row(i), &frame.origin);
                }
            }
        }
        (overview, spread)
    }
}

/// The labels of a tile's rows; 0 in lanes without a row.
#[inline(always)]
pub(super) fn labels_of(labels: &[u32], rows: Range<usize>) -> [u32; LANES] {
    match labels[rows.start..].first_chunk::<LANES>() {
        Some(present) => *present,
        None => {
            let mut lanes = [0; LANES];
            lanes[..rows.len()].copy_from_slice(&labels[rows]);
            lanes
        }
    }
}

/// Upper bounds of the squared norms of the rows of a tile, exact numbers before they
/// were rounded to single precision included.
#[inline(always)]
pub(super) fn squared_norms(tile: &[[f32; LANES]]) -> [f32; LANES] {
    let mut squares = [0.0_f32; LANES];
    for column in tile {
        for (square, x) in squares.iter_mut().zip(column) {
            *square += x * x;
        }
    }
    let slack = slack(tile.len());
    for square in &mut squares {
        *square = *square * slack + LEAST;
    }
    squares
}

/// An upper bound of a sum of `d` squares is this times their sum, and [`LEAST`]: each of
/// the terms and sums is off by a fraction of 2⁻²⁴, each number by as much.
#[inline(always)]
fn slack(d: usize) -> f32 {
    1.0 + (d as f32 + 8.0) * f32::EPSILON
}

/// What squares may lose where they are too small for all of their digits.
const LEAST: f32 = f32::MIN_POSITIVE;

/// Upper bound of the norms of a tile's rows, but for those that are not numbers: their
/// scores are none either, and so never certain.
#[inline(always)]
pub(super) fn largest_norm(squares: &[f32; LANES]) -> f32 {
    let largest = squares.iter().copied().fold(0.0, |a, b| if b > a { b } else { a });
    largest.sqrt() * (1.0 + 4.0 * f32::EPSILON) + f32::MIN_POSITIVE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// What one level makes of the first rows.
    struct Fill<'a, T>(&'a Frame, &'a [T]);

    impl<T: Storage> Kernel for Fill<'_, T> {
        type Output = (Vec<[f32; LANES]>, [f32; LANES]);

        #[inline(always)]
        fn run<A: Arithmetic>(self) -> Self::Output {
            let mut tile = vec![[0.0; LANES]; self.0.origin.len()];
            let squares = self.0.fill::<A, T>(self.1, &mut tile);
            (tile, squares)
        }
    }

    /// Each row by itself, and its squared norm.
    fn check<T: Storage>(frame: &Frame, rows: &[T], n_rows: usize) {
        let d = frame.origin.len();
        for (tile, squares) in simd::at_each_level(|| Fill(frame, rows)) {
            for lane in 0..n_rows {
                let row = &rows[lane * d..][..d];
                let placed = |j: usize| (row[j].into() - frame.origin[j]) * frame.unit;
                let square: f64 = (0..d).map(|j| placed(j) * placed(j)).sum();
                for (j, column) in tile.iter().enumerate() {
                    assert_eq!(column[lane], placed(j) as f32, "{d} columns");
                }
                let upper = f64::from(squares[lane]);
                let close = square * 1.0001 + 2.0 * f64::from(f32::MIN_POSITIVE);
                assert!(square <= upper && upper <= close, "{upper} {square}");
            }
        }
    }

    #[test]
    fn tiles_hold_the_rows_and_bound_their_norms() {
        let mut random = Random::new(4, 0);
        for d in 1..=11 {
            let numbers: Vec<f64> =
                (0..20 * d).map(|_| 7.0 + 5.0 * random.unit()).collect();
            let narrow: Vec<f32> = numbers.iter().map(|&x| x as f32).collect();
            let frame = Frame::new(vec![9.1; d], &vec![7.0; d], &vec![12.0; d]);
            // With rows behind the tile, with none, and with lanes that have none.
            for n_rows in [20, 17, 16, 15, 1] {
                check(&frame, &numbers[..n_rows * d], n_rows.min(LANES));
                check(&frame, &narrow[..n_rows * d], n_rows.min(LANES));
            }
        }
    }

    #[test]
    fn a_far_column_that_is_constant_leaves_the_others_their_digits() {
        let (low, high) = ([1e10, 0.0], [1e10, 1e-300]);
        let frame = Frame::new(vec![1e10, 0.5e-300], &low, &high);
        let rows: Vec<f64> =
            (0..20).flat_map(|i| [1e10, f64::from(i) * 5e-302]).collect();
        check(&frame, &rows, LANES);
        let (tile, _) = simd::run(Fill(&frame, &rows));
        assert!(tile.iter().flatten().all(|x| x.is_finite()));
        assert_ne!(tile[1][0], tile[1][1]);
    }
}
