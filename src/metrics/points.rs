//! A checked matrix, its groups, and their centroids.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2};

use super::labels::Encoded;
use crate::data::array::row_major;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;

/// Rows that one task sums up: fixed, so that sums do not depend on the threads.
const BLOCK: usize = 1024;

/// The rows of a matrix, finite, and of a size whose squares neither overflow nor vanish.
#[derive(Debug)]
pub(super) struct Points<'m> {
    data: Cow<'m, [f64]>,
    n_rows: usize,
    n_columns: usize,
    /// The matrix is these rows times two to this power, plus a shift of each column.
    exponent: i32,
}

impl<'m> Points<'m> {
    pub(super) fn new(x: &'m ArrayView2<'_, f64>) -> Result<Points<'m>> {
        let (n_rows, n_columns) = x.dim();
        let mut points = Points { data: row_major(x), n_rows, n_columns, exponent: 0 };
        let mut largest = 0.0_f64;
        let mut widest = 0.0_f64;
        for (j, bounds) in points.bounds().into_iter().enumerate() {
            // a number that is not finite is sought again, to be named
            let (low, high) = bounds.map_or_else(|| self::bounds(x.column(j), j), Ok)?;
            largest = largest.max(low.abs()).max(high.abs());
            widest = widest.max(0.5 * high - 0.5 * low);
        }
        let harmless = largest <= 1e100 && (widest >= 1e-100 || widest == 0.0);
        if !harmless {
            points.rescale(x, largest, widest)?;
        }
        Ok(points)
    }

    /// The least and the largest number of each column; 0 and 0 where there is none, and
    /// `None` where one is not finite.
    fn bounds(&self) -> Vec<Option<(f64, f64)>> {
        let d = self.n_columns;
        let parts = map_blocks(self.n_rows, BLOCK, |rows| {
            let first = self.row(rows.start);
            let (mut low, mut high) = (first.to_vec(), first.to_vec());
            // 0 as long as all numbers are finite
            let mut rest = vec![0.0; d];
            for row in rows {
                let bounds = low.iter_mut().zip(&mut high).zip(&mut rest);
                for (((low, high), rest), &x) in bounds.zip(self.row(row)) {
                    *low = if x < *low { x } else { *low };
                    *high = if x > *high { x } else { *high };
                    *rest += x * 0.0;
                }
            }
            (low, high, rest)
        });
        let column = |j: usize| {
            let of_parts = parts
                .iter()
                .map(|(low, high, rest)| (rest[j] == 0.0).then_some((low[j], high[j])));
            let join = |(a, b): (f64, f64), (c, d): (f64, f64)| (a.min(c), b.max(d));
            let bounds = of_parts.reduce(|x, y| Some(join(x?, y?)));
            bounds.unwrap_or(Some((0.0, 0.0)))
        };
        (0..d).map(column).collect()
    }

    /// Shifts each column to start at 0, and scales all by one power of two.
    fn rescale(
        &mut self,
        x: &ArrayView2<'_, f64>,
        largest: f64,
        widest: f64,
    ) -> Result<()> {
        // The difference of two huge numbers of opposite sign must not overflow.
        let (half, halved) = if largest > 1e300 { (0.5, 1) } else { (1.0, 0) };
        let exponent = if widest > 0.0 { widest.log2().floor() as i32 } else { 0 };
        let mut scaled = vec![0.0; self.n_rows * self.n_columns];
        for (j, column) in x.columns().into_iter().enumerate() {
            let (low, _) = bounds(column, j)?;
            for (i, value) in column.iter().enumerate() {
                let shifted = half * value - half * low;
                scaled[i * self.n_columns + j] = times_power_of_two(shifted, -exponent);
            }
        }
        self.data = Cow::Owned(scaled);
        self.exponent = exponent + halved;
        Ok(())
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.n_columns..(i + 1) * self.n_columns]
    }

    /// A sum of squares of these rows as one of the matrix.
    pub(super) fn unscale_squares(&self, squares: f64) -> f64 {
        times_power_of_two(times_power_of_two(squares, self.exponent), self.exponent)
    }
}

/// The least and the largest number of a column; 0 and 0 where there is none.
fn bounds(column: ArrayView1<'_, f64>, j: usize) -> Result<(f64, f64)> {
    let mut bounds: Option<(f64, f64)> = None;
    for (row, &value) in column.iter().enumerate() {
        if !value.is_finite() {
            let feature = format!("column {j}");
            let kind = ErrorKind::NonFinite { feature, found: value, row: Some(row) };
            return Err(kind.into());
        }
        let (low, high) = bounds.unwrap_or((value, value));
        bounds = Some((low.min(value), high.max(value)));
    }
    Ok(bounds.unwrap_or((0.0, 0.0)))
}

/// `x` times two to the power of `exponent`, which is between -2000 and 2000: exact but
/// for overflow and underflow.
fn times_power_of_two(x: f64, exponent: i32) -> f64 {
    let power = |e: i32| f64::from_bits(((1023 + e) as u64) << 52);
    let half = exponent / 2;
    x * power(half) * power(exponent - half)
}

/// Which group each row is in.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) codes: Vec<usize>,
    pub(super) sizes: Vec<usize>,
}

impl Groups {
    /// The groups of `n_rows` labels.
    pub(super) fn new<L: Ord>(labels: &[L], n_rows: usize) -> Result<Groups> {
        if labels.len() != n_rows {
            return Err(Error::length("the labels", n_rows, labels.len()));
        }
        let encoded = Encoded::new(labels);
        let mut sizes = vec![0; encoded.n_distinct()];
        for &code in &encoded.codes {
            sizes[code] += 1;
        }
        Ok(Groups { codes: encoded.codes, sizes })
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// What the scores of separation need: two groups, and one with two rows.
    pub(super) fn require_separable(&self, what: &'static str) -> Result<()> {
        let reason = match (self.codes.len(), self.len()) {
            (0, _) => "there are no rows",
            (_, 1) => "all rows have the same label",
            (n, k) if n == k => "every row has a label of its own",
            _ => return Ok(()),
        };
        Err(Error::undefined(what, reason))
    }
}

/// The weighted means of the groups.
///
/// Each is kept as one of the group's own rows plus a small offset, so that rows far from
/// the origin lose no digits.
#[derive(Debug)]
pub(super) struct Centroids {
    n_columns: usize,
    anchors: Vec<f64>,
    offsets: Vec<f64>,
}

impl Centroids {
    /// Weights are at least 0; a group of weight 0 keeps its anchor.
    pub(super) fn new(
        points: &Points<'_>,
        groups: &Groups,
        weights: Option<&[f64]>,
    ) -> Centroids {
        let (d, k) = (points.n_columns(), groups.len());
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let mut anchors = vec![0.0; k * d];
        let mut totals = vec![0.0; k];
        let mut seen = vec![false; k];
        for (i, &c) in groups.codes.iter().enumerate() {
            if !seen[c] {
                seen[c] = true;
                anchors[c * d..(c + 1) * d].copy_from_slice(points.row(i));
            }
            totals[c] += weight(i);
        }
        let mut centroids =
            Centroids { n_columns: d, anchors, offsets: vec![0.0; k * d] };
        // The second pass takes away what rounding left of the first.
        for _ in 0..2 {
            let mut sums = vec![0.0; k * d];
            for (i, &c) in groups.codes.iter().enumerate() {
                let differences = centroids.differences(c, points.row(i));
                for (sum, difference) in
                    sums[c * d..(c + 1) * d].iter_mut().zip(differences)
                {
                    *sum += weight(i) * difference;
                }
            }
            for (at, (offset, sum)) in centroids.offsets.iter_mut().zip(sums).enumerate()
            {
                let total = totals[at / d];
                if total > 0.0 {
                    *offset += sum / total;
                }
            }
        }
        centroids
    }

    fn span(&self, c: usize) -> std::ops::Range<usize> {
        c * self.n_columns..(c + 1) * self.n_columns
    }

    /// Row minus centroid.
    fn differences<'s>(
        &'s self,
        c: usize,
        row: &'s [f64],
    ) -> impl Iterator<Item = f64> + 's {
        let centroid = self.anchors[self.span(c)].iter().zip(&self.offsets[self.span(c)]);
        row.iter().zip(centroid).map(|(x, (anchor, offset))| (x - anchor) - offset)
    }

    /// Squared distance of a row from a centroid.
    pub(super) fn squared_to(&self, c: usize, row: &[f64]) -> f64 {
        self.differences(c, row).map(|difference| difference * difference).sum()
    }

    /// Centroid `a` minus centroid `b`.
    pub(super) fn between(&self, a: usize, b: usize) -> impl Iterator<Item = f64> + '_ {
        let anchors = self.anchors[self.span(a)].iter().zip(&self.anchors[self.span(b)]);
        let offsets = self.offsets[self.span(a)].iter().zip(&self.offsets[self.span(b)]);
        anchors.zip(offsets).map(|((x, y), (u, v))| (x - y) + (u - v))
    }
}

/// For each group the sum of `value` over its rows, and the sum over all.
pub(super) fn sums_by_group(
    groups: &Groups,
    value: impl Fn(usize) -> f64 + Sync,
) -> (Vec<f64>, f64) {
    let n = groups.codes.len();
    let values = map_blocks(n, BLOCK, |rows| rows.map(&value).collect::<Vec<f64>>());
    let mut sums = vec![0.0; groups.len()];
    let mut total = 0.0;
    for (values, codes) in values.iter().zip(groups.codes.chunks(BLOCK)) {
        total += values.iter().sum::<f64>();
        for (value, &c) in values.iter().zip(codes) {
            sums[c] += value;
        }
    }
    (sums, total)
}
