//! What must be known of all rows before they are sampled, or their sums are shared out.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::super::rows::Rows;
use super::{check_columns, check_version};
use crate::data::array::row_major;
use crate::error::{Error, Result};
use crate::exact::{ExactSum, product};
use crate::parallel::gather_blocks;
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block of a pass.
const BLOCK: usize = 2048;

/// Values and weights stay below, so that no square or product overflows.
const LARGEST: f64 = 1e150;

/// The moments of rows that come in parts: how many there are, their weight `W`, and for
/// each column its range, mean `μ = Σ w x / W` and variance `Σ w (x − μ)² / W`.
///
/// It is the first scan of a [`Coreset`](super::Coreset) and of exact
/// [`KMeansStep`](super::KMeansStep)s. States of parts [`merge`](Moments::merge) into the
/// state of the whole: `Σ w`, `Σ w x` and `Σ w x²` are added up without rounding, so that
/// any order and any split of the rows, and any number of threads, gives the same bits.
/// A state takes about 1.1 kB for each column, and saves to much less.
///
/// ```
/// use segmenta::cluster::kmeans::Moments;
/// use segmenta::ndarray::{array, Array2};
///
/// let mut here = Moments::new(2)?;
/// here.add(array![[1.0, 0.1], [3.0, 0.2]].view(), None)?;
/// let mut there = Moments::new(2)?;
/// there.add(array![[8.0, 0.3]].view(), Some(&[2.0]))?;
/// here.merge(&there)?;
/// assert_eq!((here.n_rows(), here.weight()), (3, 4.0));
/// assert_eq!(here.mean()?[0], 5.0);
/// assert_eq!(here.variances()?[0], 9.5);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "MomentsRepr", try_from = "MomentsRepr")]
pub struct Moments {
    extent: Extent,
    totals: Totals,
}

/// Exact sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Totals {
    weight: ExactSum,
    /// `Σ w x` and `Σ w x²` of each column.
    columns: Vec<[ExactSum; 2]>,
}

impl Totals {
    fn new(n_columns: usize) -> Totals {
        let zero = [ExactSum::new(), ExactSum::new()];
        Totals { weight: ExactSum::new(), columns: vec![zero; n_columns] }
    }

    fn merge(&mut self, other: &Totals) {
        self.weight.merge(&other.weight);
        for (to, from) in self.columns.iter_mut().zip(&other.columns) {
            to.iter_mut().zip(from).for_each(|(to, from)| to.merge(from));
        }
    }
}

/// How many rows there are, and how far they reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extent {
    pub(super) n_rows: u64,
    /// Empty without rows; −0 counts as 0.
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
    /// The least and the largest weight; 1 without rows.
    pub(super) lightest: f64,
    pub(super) heaviest: f64,
}

impl Extent {
    fn empty() -> Extent {
        let (low, high) = (Vec::new(), Vec::new());
        Extent { n_rows: 0, low, high, lightest: 1.0, heaviest: 1.0 }
    }

    /// True when each row counts once.
    pub(super) fn is_unweighted(&self) -> bool {
        self.lightest == 1.0 && self.heaviest == 1.0
    }

    fn merge(&mut self, other: &Extent) {
        if self.n_rows == 0 {
            *self = other.clone();
            return;
        }
        if other.n_rows == 0 {
            return;
        }
        self.n_rows = self.n_rows.saturating_add(other.n_rows);
        for (low, &x) in self.low.iter_mut().zip(&other.low) {
            *low = low.min(x);
        }
        for (high, &x) in self.high.iter_mut().zip(&other.high) {
            *high = high.max(x);
        }
        self.lightest = self.lightest.min(other.lightest);
        self.heaviest = self.heaviest.max(other.heaviest);
    }

    /// Of some rows.
    #[inline(always)]
    fn of(rows: Rows<'_>, block: std::ops::Range<usize>) -> Extent {
        let d = rows.n_columns();
        let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
        for row in rows.slice(block.clone()).chunks_exact(d) {
            for (&x, (low, high)) in row.iter().zip(low.iter_mut().zip(&mut high)) {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
        low.iter_mut().chain(&mut high).for_each(|x| *x += 0.0);
        let n_rows = block.len() as u64;
        let (lightest, heaviest) = block
            .map(|i| rows.weight(i) + 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(a, b), w| (a.min(w), b.max(w)));
        Extent { n_rows, low, high, lightest, heaviest }
    }

    /// Checks what was read of a saved state.
    pub(super) fn check(&self, n_columns: usize) -> Result<(), &'static str> {
        let n = if self.n_rows == 0 { 0 } else { n_columns };
        if self.low.len() != n || self.high.len() != n {
            return Err("the ranges and the columns differ in number");
        }
        let inside = |x: &f64| x.abs() <= LARGEST;
        if !self.low.iter().chain(&self.high).all(inside)
            || self.low.iter().zip(&self.high).any(|(low, high)| low > high)
        {
            return Err("a range is none");
        }
        let weights = 0.0 <= self.lightest
            && self.lightest <= self.heaviest
            && self.heaviest <= LARGEST;
        if weights { Ok(()) } else { Err("the range of the weights is none") }
    }

    /// Checks that no product of these numbers overflows.
    fn check_range(&self) -> Result<()> {
        let sides = self.low.iter().chain(&self.high);
        let reach = sides.fold(0.0_f64, |reach, x| reach.max(x.abs()));
        let product = reach * reach * self.heaviest;
        if reach <= LARGEST && self.heaviest <= LARGEST && product <= LARGEST * LARGEST {
            return Ok(());
        }
        Err(Error::undefined(
            "the sum of squares",
            "values or weights are so large that it exceeds the largest number",
        ))
    }
}

impl Moments {
    /// Of no rows yet.
    ///
    /// # Errors
    /// When `n_columns` is 0.
    pub fn new(n_columns: usize) -> Result<Moments> {
        if n_columns == 0 {
            return Err(Error::parameter("n_columns", "at least 1", 0));
        }
        Ok(Moments { extent: Extent::empty(), totals: Totals::new(n_columns) })
    }

    /// Adds the rows of a part, shape `(n_rows, n_columns)`, with a weight for each row or
    /// without. A part may have no rows.
    ///
    /// # Errors
    /// When the number of columns differs; an element is NaN or infinite, or values or
    /// weights exceed 10¹⁵⁰; weights are negative, not finite or of another number than
    /// the rows. Nothing is added then.
    pub fn add(&mut self, x: ArrayView2<'_, f64>, weights: Option<&[f64]>) -> Result<()> {
        check_columns(self.n_columns(), x.ncols())?;
        let data = row_major(&x);
        let rows = Rows::new(&data, x.dim(), weights)?;
        rows.check_finite()?;
        let extent = gather_blocks(
            rows.len(),
            BLOCK,
            Extent::empty,
            |extent, block| extent.merge(&Extent::of(rows, block)),
            |mut a, b| {
                a.merge(&b);
                a
            },
        );
        extent.check_range()?;
        self.extent.merge(&extent);
        let part = gather_blocks(
            rows.len(),
            BLOCK,
            || Totals::new(x.ncols()),
            |totals, block| simd::run(AddUp { rows, block, totals }),
            |mut a, b| {
                a.merge(&b);
                a
            },
        );
        self.totals.merge(&part);
        Ok(())
    }

    /// Adds the rows of another state: the result is the state of all rows.
    ///
    /// # Errors
    /// When the numbers of columns differ. This state is then unchanged.
    pub fn merge(&mut self, other: &Moments) -> Result<()> {
        check_columns(self.n_columns(), other.n_columns())?;
        self.extent.merge(&other.extent);
        self.totals.merge(&other.totals);
        Ok(())
    }

    /// The number of columns.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.totals.columns.len()
    }

    /// The number of rows, whatever their weight.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.extent.n_rows
    }

    /// The weight of all rows, rounded once.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.totals.weight.value()
    }

    pub(super) fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The weighted mean of each column.
    ///
    /// # Errors
    /// When there are no rows of positive weight, or a sum is too large.
    pub fn mean(&self) -> Result<Vec<f64>> {
        Ok(self.spreads()?.into_iter().map(|(mean, _)| mean).collect())
    }

    /// The weighted variance of each column, `Σ w (x − μ)² / W`. It is exact to nearly 53
    /// binary digits also far from the origin. `KMeans::tol` is a fraction of the mean of
    /// these, where there are no weights.
    ///
    /// # Errors
    /// As [`mean`](Moments::mean).
    pub fn variances(&self) -> Result<Vec<f64>> {
        let weight = self.weight();
        Ok(self.spreads()?.into_iter().map(|(_, spread)| spread / weight).collect())
    }

    /// For each column its mean and `Σ w (x − μ)² = Σ w x² − (Σ w x)² / W`, in twice the
    /// precision of a number, since the two terms may be nearly equal.
    pub(super) fn spreads(&self) -> Result<Vec<(f64, f64)>> {
        let too_large = || {
            let reason = "values or weights are so large that sums exceed all numbers";
            Error::undefined("the mean of the rows", reason)
        };
        let weight = self.totals.weight.double().ok_or_else(too_large)?;
        if weight.0 <= 0.0 {
            let reason = "there are no rows of positive weight";
            return Err(Error::undefined("the mean of the rows", reason));
        }
        let ranges = self.extent.low.iter().zip(&self.extent.high);
        let spread = |([sum, square], (low, high)): (&[ExactSum; 2], (&f64, &f64))| {
            let (sum, square) = (sum.double()?, square.double()?);
            if low == high {
                return Some((*low, 0.0));
            }
            let mean = sum.0 / weight.0;
            let (p, e) = product(mean, weight.0);
            let rest = (sum.0 - p - e + (sum.1 - mean * weight.1)) / weight.0;
            let (p, e) = product(sum.0, mean);
            let spread = (square.0 - p) + (square.1 - e - sum.0 * rest - sum.1 * mean);
            spread.is_finite().then_some((mean.clamp(*low, *high), spread.max(0.0)))
        };
        let spreads: Option<Vec<_>> =
            self.totals.columns.iter().zip(ranges).map(spread).collect();
        spreads.ok_or_else(too_large)
    }
}

/// Adds some rows to the sums.
struct AddUp<'a, 'r> {
    rows: Rows<'r>,
    block: std::ops::Range<usize>,
    totals: &'a mut Totals,
}

impl Kernel for AddUp<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let AddUp { rows, block, totals: Totals { weight, columns } } = self;
        if rows.is_unweighted() {
            weight.add(block.len() as f64);
            for row in rows.slice(block).chunks_exact(rows.n_columns()) {
                for (&x, [sum, square]) in row.iter().zip(columns.iter_mut()) {
                    let (xx, rest) = product(x, x);
                    sum.add(x);
                    square.add(xx);
                    square.add(rest);
                }
            }
            return;
        }
        for i in block {
            let w = rows.weight(i);
            weight.add(w);
            for (&x, [sum, square]) in rows.row(i).iter().zip(columns.iter_mut()) {
                let (wx, wx_rest) = product(w, x);
                let (wxx, wxx_rest) = product(wx, x);
                sum.add(wx);
                sum.add(wx_rest);
                square.add(wxx);
                square.add(wxx_rest + wx_rest * x);
            }
        }
    }
}

/// The shape of saved [`Moments`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MomentsRepr {
    version: u32,
    extent: Extent,
    totals: Totals,
}

impl From<Moments> for MomentsRepr {
    fn from(moments: Moments) -> MomentsRepr {
        let Moments { extent, totals } = moments;
        MomentsRepr { version: super::VERSION, extent, totals }
    }
}

impl TryFrom<MomentsRepr> for Moments {
    type Error = Error;

    fn try_from(repr: MomentsRepr) -> Result<Moments> {
        const KIND: &str = "segmenta.kmeans.moments";
        check_version(KIND, repr.version)?;
        let MomentsRepr { extent, totals, .. } = repr;
        let n_columns = totals.columns.len();
        if n_columns == 0 {
            return Err(Error::corrupt(KIND, "there are no columns"));
        }
        extent.check(n_columns).map_err(|e| Error::corrupt(KIND, e))?;
        if extent.n_rows == 0 && totals != Totals::new(n_columns) {
            return Err(Error::corrupt(KIND, "there are sums of no rows"));
        }
        Ok(Moments { extent, totals })
    }
}
