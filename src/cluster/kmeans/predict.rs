//! The nearest centres of many encoded rows.

use std::borrow::Cow;

use ndarray::ArrayView2;

use super::model::KMeansModel;
use super::nearest::Lanes;
use super::scan::Scorer;
use super::tiles::{Frame, LANES};
use crate::data::array::row_major;
use crate::error::{Error, Result};
use crate::parallel::for_each_block;
use crate::segmenter::SegmentIndex;
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block.
const BLOCK: usize = 1024;

/// How many bytes before they are needed rows are asked for, so that reading goes on while
/// others are scanned.
const AHEAD: usize = 6 << 10;

/// Beyond, squared distances in `f64` could overflow, which is to be noticed.
const REACH: f64 = 1e100;

/// Centres laid out for the batch: `None` where they are so far apart that only the exact
/// way will do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch(Option<(Frame, Scorer)>);

impl Batch {
    /// Of row-major centres.
    pub(super) fn new(centers: &[f64], n_columns: usize) -> Batch {
        let mut low = vec![f64::INFINITY; n_columns];
        let mut high = vec![f64::NEG_INFINITY; n_columns];
        for center in centers.chunks_exact(n_columns) {
            for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(center) {
                *low = low.min(x);
                *high = high.max(x);
            }
        }
        if low.iter().chain(&high).any(|x| x.abs() > REACH) {
            return Batch(None);
        }
        let middle = low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high));
        let frame = Frame::new(middle.collect(), &low, &high);
        let scorer = Scorer::new(centers, &frame);
        Batch(Some((frame, scorer)))
    }
}

impl KMeansModel {
    /// The segments of many encoded rows, shape `(n_rows, encoder().n_columns())`: for
    /// each that of [`assign_row`](KMeansModel::assign_row), without its cost and margin,
    /// but several times as fast.
    ///
    /// ```
    /// use segmenta::cluster::kmeans::KMeansModel;
    /// use segmenta::data::{FeatureSpec, Schema};
    /// use segmenta::encode::FittedEncoder;
    /// use segmenta::ndarray::array;
    ///
    /// let schema = Schema::new(["orders", "spend"].map(FeatureSpec::number))?;
    /// let encoder = FittedEncoder::identity(&schema)?;
    /// let model = KMeansModel::from_centers(encoder, array![[1.0, 20.0], [9.0, 80.0]])?;
    ///
    /// let x = array![[2.0, 20.0], [8.0, 90.0], [1.0, 30.0]];
    /// let segments = model.assign_matrix(x.view())?;
    /// assert_eq!(segments.iter().map(|s| s.get()).collect::<Vec<_>>(), [0, 1, 0]);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is another number of columns; when a number is NaN or infinite, or so
    /// far away that a squared distance overflows. The error names the first such row.
    pub fn assign_matrix(&self, x: ArrayView2<'_, f64>) -> Result<Vec<SegmentIndex>> {
        let mut out = vec![SegmentIndex::new(0); x.nrows()];
        self.assign_matrix_into(x, &mut out)?;
        Ok(out)
    }

    /// As [`assign_matrix`](KMeansModel::assign_matrix), into memory of the caller's.
    ///
    /// # Errors
    /// As there, and when `out` has another length than `x` has rows. `out` may then have
    /// been written in part.
    pub fn assign_matrix_into(
        &self,
        x: ArrayView2<'_, f64>,
        out: &mut [SegmentIndex],
    ) -> Result<()> {
        let data = self.numbers(&x)?;
        if out.len() != x.nrows() {
            return Err(Error::length("`out`", x.nrows(), out.len()));
        }
        for_each_block(out, BLOCK, |start, out| {
            match self.assign_block(&data, start, out) {
                Some(row) => Err(self.bad_row(&data, row)),
                None => Ok(()),
            }
        })
    }

    /// The numbers of encoded rows, one row after another.
    fn numbers<'m>(&self, x: &'m ArrayView2<'_, f64>) -> Result<Cow<'m, [f64]>> {
        let d = self.encoder().n_columns();
        if x.ncols() != d {
            return Err(Error::length("the second axis", d, x.ncols()));
        }
        Ok(row_major(x))
    }

    /// Assigns the rows from `start` on. Gives the first that has no finite distances.
    fn assign_block(
        &self,
        data: &[f64],
        start: usize,
        out: &mut [SegmentIndex],
    ) -> Option<usize> {
        let (batch, lanes) = self.layouts();
        let rows = &data[start * lanes.n_columns()..];
        let mut open = Vec::new();
        match &batch.0 {
            Some((frame, scorer)) => {
                let open = &mut open;
                simd::run_wide(Assign { frame, scorer, rows, out, open });
            }
            None => open.extend(0..out.len() as u32),
        }
        let bad = simd::run(Exactly { lanes, rows, open: &open, out })?;
        Some(start + bad)
    }

    fn bad_row(&self, data: &[f64], row: usize) -> Error {
        let d = self.encoder().n_columns();
        self.not_finite(&data[row * d..][..d]).at_row(row)
    }
}

/// Assigns the rows that are certain, and lists the others.
struct Assign<'a> {
    frame: &'a Frame,
    scorer: &'a Scorer,
    /// Those to assign, and what follows them in memory.
    rows: &'a [f64],
    out: &'a mut [SegmentIndex],
    open: &'a mut Vec<u32>,
}

impl Kernel for Assign<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Assign { frame, scorer, rows, out, open } = self;
        let d = frame.origin().len();
        let mut tile = vec![[0.0; LANES]; d];
        let ahead = (AHEAD / (LANES * d * size_of::<f64>())).max(1);
        for (t, out) in out.chunks_mut(LANES).enumerate() {
            let next = (t + ahead) * LANES * d;
            let later = rows.get(next..next + LANES * d).unwrap_or(&[]);
            let squares = frame.fill::<A, f64>(&rows[t * LANES * d..], &mut tile);
            let top = scorer.top::<A, f64>(&tile, later);
            let certain = top.certain_by_norms(scorer, &squares);
            let mut segments = [SegmentIndex::new(0); LANES];
            for (segment, index) in segments.iter_mut().zip(top.index()) {
                *segment = SegmentIndex::new(index);
            }
            match out.first_chunk_mut::<LANES>() {
                Some(out) => *out = segments,
                None => out.copy_from_slice(&segments[..out.len()]),
            }
            let mut left = !certain & (u32::MAX >> (32 - out.len()));
            while left != 0 {
                open.push(t as u32 * LANES as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
    }
}

/// Assigns the listed rows by their distances. Gives the first whose distances are not all
/// finite.
struct Exactly<'a> {
    lanes: &'a Lanes,
    rows: &'a [f64],
    open: &'a [u32],
    out: &'a mut [SegmentIndex],
}

impl Kernel for Exactly<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Option<usize> {
        let Exactly { lanes, rows, open, out } = self;
        let d = lanes.n_columns();
        for &row in open {
            let row = row as usize;
            let nearest = lanes.nearest(&rows[row * d..][..d]);
            if !nearest.total.is_finite() {
                return Some(row);
            }
            out[row] = SegmentIndex::new(nearest.index as u32);
        }
        None
    }
}
