//! The rows once more, in single precision, laid out for a scan.

use std::convert::Infallible;

use super::rows::{Rows, Storage};
use crate::parallel::for_each_block;

/// Rows of one tile: a column's values of all of them stand side by side.
pub(super) const LANES: usize = 16;

/// Tiles that one task fills.
const BLOCK: usize = 128;

/// Where the numbers of a scan have their zero, and their unit: `(x − origin) · unit`.
///
/// A common offset would cost digits, and a range of more than 10³⁸ would overflow. The
/// unit is a power of two, so that it costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    origin: Vec<f64>,
    unit: f64,
}

impl Frame {
    /// A frame in which no column of numbers between `low` and `high` exceeds 1.
    pub(super) fn new(origin: Vec<f64>, low: &[f64], high: &[f64]) -> Frame {
        let sides = low.iter().zip(high).zip(&origin);
        let reach = sides.fold(0.0_f64, |reach, ((low, high), zero)| {
            reach.max((low - zero).abs()).max((high - zero).abs())
        });
        Frame { origin, unit: power_of_two(-(exponent(reach) + 1).clamp(-1000, 1000)) }
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

    /// Writes up to [`LANES`] rows into a tile. Lanes without a row are left as they are.
    #[inline(always)]
    pub(super) fn fill<T: Storage>(&self, rows: &[T], tile: &mut [[f32; LANES]]) {
        let d = self.origin.len();
        for (lane, row) in rows.chunks_exact(d).enumerate() {
            for ((column, &x), &zero) in tile.iter_mut().zip(row).zip(&self.origin) {
                column[lane] = ((x.into() - zero) * self.unit) as f32;
            }
        }
    }
}

/// The exponent `e` of a number's `m · 2^e` with `1 ≤ m < 2`; −1023 for 0.
pub(super) fn exponent(x: f64) -> i32 {
    (x.to_bits() >> 52 & 0x7ff) as i32 - 1023
}

/// Two to a power between −1022 and 1023.
pub(super) fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
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
    pub(super) fn new<T: Storage>(rows: Rows<'_, T>, frame: Frame) -> Tiles {
        let (n_rows, d) = (rows.len(), rows.n_columns());
        let n_tiles = n_rows.div_ceil(LANES);
        let mut data = vec![[0.0; LANES]; n_tiles * d];
        let Ok(()) = for_each_block(&mut data, BLOCK * d, |start, block| {
            for (t, tile) in block.chunks_exact_mut(d).enumerate() {
                let first = (start / d + t) * LANES;
                let end = (first + LANES).min(n_rows);
                frame.fill(rows.slice(first..end), tile);
            }
            Ok::<(), Infallible>(())
        });
        let mut squares = vec![[0.0; LANES]; n_tiles];
        let Ok(()) = for_each_block(&mut squares, BLOCK, |start, block| {
            for (t, squares) in block.iter_mut().enumerate() {
                *squares = squared_norms(&data[(start + t) * d..][..d]);
            }
            Ok::<(), Infallible>(())
        });
        let up = |squares: &[f32; LANES]| {
            let largest = squares.iter().copied().fold(0.0, f32::max);
            largest.sqrt() * (1.0 + 4.0 * f32::EPSILON) + f32::MIN_POSITIVE
        };
        let reach = squares.iter().map(up).collect();
        Tiles { frame, data, squares, reach }
    }

    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(super) fn n_columns(&self) -> usize {
        self.frame.origin.len()
    }

    /// The columns of tiles `first` to `end`.
    pub(super) fn columns(&self, first: usize, end: usize) -> &[[f32; LANES]] {
        let d = self.n_columns();
        &self.data[first * d..end * d]
    }

    /// The tile and the lane of a row.
    #[inline(always)]
    pub(super) fn find(&self, row: usize) -> (usize, usize) {
        (row / LANES, row % LANES)
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
    // Each of the d terms and sums is off by a fraction of 2⁻²⁴, each x by as much.
    let slack = 1.0 + (tile.len() as f32 + 8.0) * f32::EPSILON;
    squares.map(|square| square * slack + f32::MIN_POSITIVE)
}
