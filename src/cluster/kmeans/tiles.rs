//! The rows once more, in single precision, laid out for a scan.

use super::rows::{Overview, Rows, Storage, squared};
use crate::parallel::map_chunk_pairs;
use crate::simd::{self, Arithmetic, Eight, Kernel};

/// Rows of one tile: a column's values of all of them stand side by side.
pub(super) const LANES: usize = 16;

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
    /// The origin once for each row of a tile.
    origins: Vec<f64>,
}

impl Frame {
    /// A frame in which no column of numbers between `low` and `high` exceeds 1.
    pub(super) fn new(origin: Vec<f64>, low: &[f64], high: &[f64]) -> Frame {
        let sides = low.iter().zip(high).zip(&origin);
        let reach = sides.fold(0.0_f64, |reach, ((low, high), zero)| {
            reach.max((low - zero).abs()).max((high - zero).abs())
        });
        let unit = match exponent(reach) {
            -1023 => 1.0,
            e => power_of_two(-(e + 1).clamp(-1000, 1000)),
        };
        let origins = origin.repeat(LANES);
        Frame { origin, unit, origins }
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
    pub(super) fn fill<A: Arithmetic, T: Storage>(
        &self,
        rows: &[T],
        tile: &mut [[f32; LANES]],
        placed: &mut Placed,
    ) {
        if rows.len() == self.origins.len() {
            let numbers = placed.0.iter_mut().zip(rows).zip(&self.origins);
            for ((to, &x), zero) in numbers {
                *to = ((x.into() - zero) * self.unit) as f32;
            }
            placed.write::<A>(tile);
            return;
        }
        for (lane, row) in rows.chunks_exact(self.origin.len()).enumerate() {
            self.fill_lane(row, lane, tile);
        }
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

/// The rows of a tile, row by row, and some numbers more than are read.
#[derive(Debug)]
pub(super) struct Placed(Vec<f32>);

impl Placed {
    pub(super) fn new(n_columns: usize) -> Placed {
        Placed(vec![0.0; n_columns * LANES + 8])
    }

    /// Writes the rows into a tile, eight columns of eight rows at a time.
    #[inline(always)]
    fn write<A: Arithmetic>(&self, tile: &mut [[f32; LANES]]) {
        let d = tile.len();
        for (part, columns) in tile.chunks_mut(8).enumerate() {
            for half in 0..LANES / 8 {
                let mut rows = [A::Eight::splat(0.0); 8];
                for (i, row) in rows.iter_mut().enumerate() {
                    let at = (half * 8 + i) * d + part * 8;
                    if let Some(eight) = self.0[at..].first_chunk::<8>() {
                        *row = A::Eight::load(eight);
                    }
                }
                let across = A::Eight::transpose(rows);
                for (column, lanes) in columns.iter_mut().zip(across) {
                    lanes.store(&mut column.as_chunks_mut::<8>().0[half]);
                }
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
    /// Also gives what there is to know of the rows: all in one pass over them.
    pub(super) fn new<T: Storage>(
        rows: Rows<'_, T>,
        frame: Frame,
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
                simd::run(Prepare { rows, first, frame, columns, squares })
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

    /// The columns of tiles `first` to `end`.
    pub(super) fn columns(&self, first: usize, end: usize) -> &[[f32; LANES]] {
        let d = self.n_columns();
        &self.data[first * d..end * d]
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
    first: usize,
    frame: &'a Frame,
    columns: &'a mut [[f32; LANES]],
    squares: &'a mut [[f32; LANES]],
}

impl<T: Storage> Kernel for Prepare<'_, '_, T> {
    type Output = (Overview, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (Overview, f64) {
        let Prepare { rows, first, frame, columns, squares } = self;
        let d = rows.n_columns();
        let end = (first + squares.len() * LANES).min(rows.len());
        let overview = Overview::new(rows, first..end);
        let mut placed = Placed::new(d);
        let mut spread = 0.0;
        let tiles = columns.chunks_exact_mut(d).zip(squares);
        for (t, (tile, squares)) in tiles.enumerate() {
            let start = first + t * LANES;
            let lanes = start..(start + LANES).min(end);
            frame.fill::<A, T>(rows.slice(lanes.clone()), tile, &mut placed);
            *squares = squared_norms(tile);
            if !rows.is_unweighted() {
                for i in lanes {
                    spread += rows.weight(i) * squared(rows.row(i), &frame.origin);
                }
            }
        }
        (overview, spread)
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

/// Upper bound of the norms of a tile's rows.
#[inline(always)]
pub(super) fn largest_norm(squares: &[f32; LANES]) -> f32 {
    let largest = squares.iter().copied().fold(0.0, |a, b| if b > a { b } else { a });
    largest.sqrt() * (1.0 + 4.0 * f32::EPSILON) + f32::MIN_POSITIVE
}
