//! The nearest centres of many encoded rows.

use ndarray::ArrayView2;

use super::model::KMeansModel;
use super::nearest::Lanes;
use super::scan::{Found, Scan, Scorer, certain};
use super::tiles::{Frame, LANES, Placed, largest_norm, squared_norms};
use crate::data::array::row_major;
use crate::error::{Error, Result};
use crate::parallel::for_each_block;
use crate::segmenter::SegmentIndex;
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block.
const BLOCK: usize = 1024;

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
        // Zeros of a primitive type are fresh pages, which the threads then touch.
        let mut out = vec![0_u32; x.nrows()];
        self.assign_numbers(x, &mut out, |number| number)?;
        Ok(out.into_iter().map(SegmentIndex::new).collect())
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
        self.assign_numbers(x, out, SegmentIndex::new)
    }

    fn assign_numbers<N: Copy + Send>(
        &self,
        x: ArrayView2<'_, f64>,
        out: &mut [N],
        of: impl Fn(u32) -> N + Copy + Sync,
    ) -> Result<()> {
        let d = self.encoder().n_columns();
        if x.ncols() != d {
            return Err(Error::length("the second axis", d, x.ncols()));
        }
        if out.len() != x.nrows() {
            return Err(Error::length("`out`", x.nrows(), out.len()));
        }
        let data = row_major(&x);
        let (batch, lanes) = self.layouts();
        for_each_block(out, BLOCK, |start, out| {
            let rows = &data[start * d..(start + out.len()) * d];
            let mut open = Vec::new();
            match &batch.0 {
                Some((frame, scorer)) => {
                    let open = &mut open;
                    simd::run(Assign { frame, scorer, rows, out, of, open });
                }
                None => open.extend(0..out.len() as u32),
            }
            if let Some(row) = simd::run(Exactly { lanes, rows, open: &open, out, of }) {
                let e = self.not_finite(&rows[row * d..][..d]);
                return Err(e.at_row(start + row));
            }
            Ok(())
        })
    }
}

/// Assigns the rows that are certain, and lists the others.
struct Assign<'a, N, F> {
    frame: &'a Frame,
    scorer: &'a Scorer,
    rows: &'a [f64],
    out: &'a mut [N],
    of: F,
    open: &'a mut Vec<u32>,
}

impl<N: Copy, F: Fn(u32) -> N> Kernel for Assign<'_, N, F> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Assign { frame, scorer, rows, out, of, open } = self;
        let d = frame.origin().len();
        let mut tile = vec![[0.0; LANES]; d];
        let mut placed = Placed::new(d);
        let mut found = Found::default();
        found.resize(1);
        let blocks = rows.chunks(LANES * d).zip(out.chunks_mut(LANES));
        for (t, (rows, out)) in blocks.enumerate() {
            frame.fill::<A, f64>(rows, &mut tile, &mut placed);
            Scan { scorer, columns: &tile, found: &mut found }.run::<A>();
            let reach = largest_norm(&squared_norms(&tile));
            let certain =
                certain::<A>(&found.best[0], &found.next[0], scorer.threshold(reach));
            for (out, index) in out.iter_mut().zip(found.index(0)) {
                *out = of(index);
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
struct Exactly<'a, N, F> {
    lanes: &'a Lanes,
    rows: &'a [f64],
    open: &'a [u32],
    out: &'a mut [N],
    of: F,
}

impl<N: Copy, F: Fn(u32) -> N> Kernel for Exactly<'_, N, F> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Option<usize> {
        let Exactly { lanes, rows, open, out, of } = self;
        let d = lanes.n_columns();
        for &row in open {
            let row = row as usize;
            let nearest = lanes.nearest(&rows[row * d..][..d]);
            if !nearest.total.is_finite() {
                return Some(row);
            }
            out[row] = of(nearest.index as u32);
        }
        None
    }
}
