//! One iteration of Lloyd's algorithm on rows that come in parts.

use std::cmp::Ordering;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::super::bounds::Bounds;
use super::super::label::{Labels, Pass};
use super::super::means::means;
use super::super::prepared::{Order, Prepared};
use super::super::rows::{Overview, Rows, squared};
use super::super::sums::{Move, Scale, Sums};
use super::moments::{Extent, Moments};
use super::{check_columns, check_version};
use crate::data::array::row_major;
use crate::distance::squared_euclidean;
use crate::error::{Error, Result};
use crate::exact::ExactSum;
use crate::parallel::gather_blocks;

/// Rows of a block of a pass.
const BLOCK: usize = 1024;

/// Of so many rows sums still keep 43 binary digits (123 less two for each doubling).
const MOST_ROWS: u64 = 1 << 40;

/// One iteration of Lloyd's algorithm (1982) on rows that come in parts: each row belongs
/// to the nearest of the given centres, of several to the first; the mean of its rows is a
/// centre's next place.
///
/// Sums are of integers, whose unit follows from the ranges in the
/// [`Moments`] of all rows, and the cost is summed without rounding. So steps of parts
/// [`merge`](KMeansStep::merge) into the step of the whole, to the bit, in any order and
/// split. For a million rows they keep 83 binary digits below the largest number of a
/// column, for a thousand million 63. Iterated from centres that are rows, the centres are those of
/// [`KMeans::fit_matrix`](super::super::KMeans::fit_matrix) on all rows with the same
/// initial centres and `tol(0.0)`, unless a centre without rows could go to several rows
/// at the same distance: there the first row gets it, here the row whose numbers are
/// smallest.
///
/// ```
/// use segmenta::cluster::kmeans::{KMeansStep, Moments};
/// use segmenta::ndarray::array;
///
/// let parts = [array![[1.0], [12.0]], array![[2.0], [10.0]]];
/// let mut moments = Moments::new(1)?;
/// for part in &parts {
///     moments.add(part.view(), None)?;
/// }
/// let mut centers = array![[1.0], [2.0]];
/// let last = loop {
///     let mut step = KMeansStep::new(&moments, centers.view())?;
///     for part in &parts {
///         let mut theirs = KMeansStep::new(&moments, centers.view())?; // on its machine
///         theirs.add(part.view(), None)?;
///         step.merge(&theirs)?;
///     }
///     let result = step.finish()?;
///     if result.shift == 0.0 {
///         break result;
///     }
///     centers = result.centers;
/// };
/// assert_eq!(last.centers, array![[1.5], [11.0]]);
/// assert_eq!(last.inertia, 2.5);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "StepRepr", try_from = "StepRepr")]
pub struct KMeansStep {
    extent: Extent,
    /// Row-major.
    centers: Vec<f64>,
    /// Follows from the extent and the centres.
    scale: Scale,
    sums: Sums,
    n_rows: u64,
    cost: ExactSum,
    farthest: Farthest,
}

/// What a [`KMeansStep`] of all rows comes to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepResult {
    /// The next centres, shape `(n_clusters, n_columns)`.
    pub centers: Array2<f64>,
    /// `Σ ‖c′ − c‖²` over the centres: how far they moved.
    pub shift: f64,
    /// `Σ w ‖x − c‖²` over all rows, with the centres as they were, rounded once.
    pub inertia: f64,
    /// The weight of the rows of each centre as it was.
    pub weights: Vec<f64>,
    /// How many centres had no rows, and were moved to the farthest ones.
    pub n_relocated: usize,
}

impl KMeansStep {
    /// For all rows of these moments, and centres of shape `(n_clusters, n_columns)`.
    ///
    /// # Errors
    /// When the numbers of columns differ; there is no centre; a centre is not finite, or
    /// so far away that squared distances overflow; or the moments are of no rows, or of
    /// more than 2⁴⁰.
    pub fn new(moments: &Moments, centers: ArrayView2<'_, f64>) -> Result<KMeansStep> {
        let d = moments.n_columns();
        if centers.ncols() != d {
            let what = "the second axis of the centers";
            return Err(Error::length(what, d, centers.ncols()));
        }
        if moments.n_rows() == 0 {
            return Err(Error::undefined("a step of k-means", "there are no rows"));
        }
        let centers = row_major(&centers).into_owned();
        KMeansStep::empty(moments.extent().clone(), centers)
    }

    /// A step of no rows yet.
    fn empty(extent: Extent, centers: Vec<f64>) -> Result<KMeansStep> {
        let d = extent.low.len();
        let n_clusters = centers.len() / d;
        if n_clusters == 0 || u32::try_from(n_clusters).is_err() {
            let expected = "at least 1 row and at most 2^32 - 1 rows";
            return Err(Error::parameter("centers", expected, n_clusters));
        }
        if let Some(x) = centers.iter().find(|x| !x.is_finite()) {
            return Err(Error::parameter("centers", "finite", x));
        }
        if extent.n_rows > MOST_ROWS {
            let expected = format!("at most {MOST_ROWS}");
            return Err(Error::parameter("number of rows", expected, extent.n_rows));
        }
        let mut all = Overview::empty(d);
        all.extend_ranges(&extent.low);
        all.extend_ranges(&extent.high);
        all.extend_ranges(&centers);
        all.weight = extent.n_rows as f64 * extent.heaviest.max(1.0);
        all.heaviest = extent.heaviest;
        all.check_range()?;
        let heaviest = (!extent.is_unweighted()).then_some(extent.heaviest);
        let n_rows = usize::try_from(extent.n_rows).map_err(Error::other)?;
        let scale = Scale::new(n_rows, &all.weighted_reach(), heaviest);
        Ok(KMeansStep {
            sums: Sums::new(n_clusters, d),
            farthest: Farthest::new(n_clusters),
            extent,
            centers,
            scale,
            n_rows: 0,
            cost: ExactSum::new(),
        })
    }

    fn n_columns(&self) -> usize {
        self.extent.low.len()
    }

    /// Adds the rows of a part, shape `(n_rows, n_columns)`, with a weight for each row or
    /// without. Gives for each row the position of its nearest centre. A part may have no
    /// rows.
    ///
    /// # Errors
    /// When the number of columns differs; an element is NaN or infinite; weights are
    /// negative, not finite or of another number than the rows; or there are more rows,
    /// wider ranges or larger weights than in the moments. Nothing is added then.
    pub fn add(
        &mut self,
        x: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<Vec<u32>> {
        check_columns(self.n_columns(), x.ncols())?;
        let data = row_major(&x);
        let rows = Rows::new(&data, x.dim(), weights)?;
        if rows.len() == 0 {
            return Ok(Vec::new());
        }
        let n_rows = self.n_rows.saturating_add(rows.len() as u64);
        if n_rows > self.extent.n_rows {
            return Err(self.other_rows(n_rows));
        }
        let (mut data, overview) = Prepared::new(rows, &self.centers, Order::Given)?;
        self.check_inside(&overview, rows.is_unweighted())?;
        data.scale = self.scale.clone();
        let d = self.n_columns();
        let n_clusters = self.centers.len() / d;
        let mut labels = Labels::new(rows.len());
        let bounds = Bounds::new(n_clusters, &data.tiles, false);
        let changes =
            Pass::new(&data, &self.centers, &bounds, false).relabel(&mut labels);
        let labels = labels.labels;
        let centers = &self.centers;
        let (cost, farthest) = gather_blocks(
            rows.len(),
            BLOCK,
            || (ExactSum::new(), Farthest::new(n_clusters)),
            |(cost, farthest), block| {
                for i in block {
                    let label = labels[i];
                    let center = &centers[label as usize * d..][..d];
                    let (distance, weight) =
                        (squared(rows.row(i), center), rows.weight(i));
                    cost.add(weight * distance);
                    if weight > 0.0 {
                        farthest.offer(distance, rows.row(i), weight, label);
                    }
                }
            },
            |mut a, b| {
                a.0.merge(&b.0);
                a.1.merge(&b.1);
                a
            },
        );
        self.sums =
            std::mem::replace(&mut self.sums, Sums::new(0, d)).merge(&changes.sums);
        self.cost.merge(&cost);
        self.farthest.merge(&farthest);
        self.n_rows = n_rows;
        Ok(labels)
    }

    /// Checks that sums of these rows have room.
    fn check_inside(&self, part: &Overview, unweighted: bool) -> Result<()> {
        let mut all = Overview::empty(self.n_columns());
        all.extend_ranges(&self.extent.low);
        all.extend_ranges(&self.extent.high);
        all.extend_ranges(&self.centers);
        let low = all.low.iter().zip(&part.low).position(|(all, part)| part < all);
        let high = all.high.iter().zip(&part.high).position(|(all, part)| part > all);
        if let Some(j) = low.or(high) {
            let expected =
                format!("in column {j} from {} to {}", all.low[j], all.high[j]);
            let found = format!("from {} to {}", part.low[j], part.high[j]);
            return Err(Error::parameter("range of the part", expected, found));
        }
        let extent = &self.extent;
        if part.heaviest > extent.heaviest || (extent.is_unweighted() && !unweighted) {
            let expected = format!("from {} to {}", extent.lightest, extent.heaviest);
            let found = format!("up to {}", part.heaviest);
            return Err(Error::parameter("weights of the part", expected, found));
        }
        Ok(())
    }

    /// Adds the rows of another step: the result is the step of all of their rows.
    ///
    /// # Errors
    /// When the moments or the centres differ, or there are more rows than in the moments.
    /// This step is then unchanged.
    pub fn merge(&mut self, other: &KMeansStep) -> Result<()> {
        if self.extent != other.extent {
            let expected = format!("{:?}", self.extent);
            let found = format!("{:?}", other.extent);
            return Err(Error::parameter("moments of the other step", expected, found));
        }
        if self.centers != other.centers {
            let expected = format!("{:?}", self.centers);
            let found = format!("{:?}", other.centers);
            return Err(Error::parameter("centers of the other step", expected, found));
        }
        let n_rows = self.n_rows.saturating_add(other.n_rows);
        if n_rows > self.extent.n_rows {
            return Err(self.other_rows(n_rows));
        }
        let d = self.n_columns();
        self.sums = std::mem::replace(&mut self.sums, Sums::new(0, d)).merge(&other.sums);
        self.cost.merge(&other.cost);
        self.farthest.merge(&other.farthest);
        self.n_rows = n_rows;
        Ok(())
    }

    /// The number of rows so far.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// The next centres. A centre without rows goes to the row that is farthest from its
    /// own centre, a second one to the next such row.
    ///
    /// Sums keep about 85 binary digits below the largest number of a column in a million
    /// rows, and below the largest weight. A cluster whose numbers, or weights, are all
    /// more than about 10¹⁰ times smaller has a mean of fewer digits than an `f64`; a fit,
    /// which has all rows at hand, adds such clusters up once more.
    ///
    /// # Errors
    /// When rows of the moments are missing, none has a positive weight, or the inertia
    /// is too large for a number.
    pub fn finish(&self) -> Result<StepResult> {
        if self.n_rows != self.extent.n_rows {
            return Err(self.other_rows(self.n_rows));
        }
        let d = self.n_columns();
        let n_clusters = self.centers.len() / d;
        let empty: Vec<u32> = (0..n_clusters as u32)
            .filter(|&c| self.sums.count(c as usize) == 0)
            .collect();
        if empty.len() == n_clusters {
            let reason = "there are no rows of positive weight";
            return Err(Error::undefined("the next centres", reason));
        }
        let far = self.farthest.first(empty.len());
        let points: Vec<f64> = far.iter().flat_map(|far| far.row.clone()).collect();
        let weights: Vec<f64> = far.iter().map(|far| far.weight).collect();
        let moves: Vec<Move> = (0..)
            .zip(&far)
            .zip(&empty)
            .map(|((row, far), &to)| Move { row, from: far.label, to })
            .collect();
        let mut sums = self.sums.clone();
        let rows = Rows::new(&points, (far.len(), d), Some(&weights))?;
        sums.apply(rows, &self.scale, &moves);
        let centers = means(&self.scale, &sums, d);
        let shift = squared_euclidean(&centers, &self.centers);
        let inertia = self.cost.value();
        if !inertia.is_finite() || !centers.iter().all(|x| x.is_finite()) {
            let reason = "values or weights are so large that sums exceed all numbers, \
                          or so far apart that the small ones leave nothing";
            return Err(Error::undefined("the next centres or the inertia", reason));
        }
        Ok(StepResult {
            centers: Array2::from_shape_vec((n_clusters, d), centers)
                .map_err(Error::other)?,
            shift,
            inertia,
            weights: (0..n_clusters).map(|c| self.sums.weight(&self.scale, c)).collect(),
            n_relocated: moves.len(),
        })
    }

    fn other_rows(&self, found: u64) -> Error {
        let what = "the list of rows of the step";
        Error::length(what, self.extent.n_rows as usize, found as usize)
    }
}

/// A row far from its centre.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Far {
    distance: f64,
    row: Vec<f64>,
    weight: f64,
    label: u32,
}

impl Far {
    /// The farthest first. Rows that tie in all of this are the same.
    fn order(&self, other: &Far) -> Ordering {
        let numbers = self.row.iter().zip(&other.row);
        let by_row = numbers.map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne());
        let by_distance = other.distance.total_cmp(&self.distance);
        by_distance
            .then(by_row.unwrap_or(Ordering::Equal))
            .then(self.weight.total_cmp(&other.weight))
    }
}

/// The farthest rows, as many as there are clusters.
#[derive(Clone, Debug)]
struct Farthest {
    wanted: usize,
    /// At most twice as many as are wanted, in any order.
    rows: Vec<Far>,
    /// Nearer rows are not wanted any more.
    threshold: f64,
}

impl Farthest {
    fn new(wanted: usize) -> Farthest {
        Farthest { wanted, rows: Vec::new(), threshold: f64::from_bits(1) }
    }

    #[inline(always)]
    fn offer(&mut self, distance: f64, row: &[f64], weight: f64, label: u32) {
        if distance >= self.threshold {
            let row = row.iter().map(|x| x + 0.0).collect();
            self.push(Far { distance, row, weight, label });
        }
    }

    #[cold]
    fn push(&mut self, far: Far) {
        self.rows.push(far);
        if self.rows.len() >= 2 * self.wanted.max(1) {
            self.rows.select_nth_unstable_by(self.wanted - 1, Far::order);
            self.rows.truncate(self.wanted);
            self.threshold = self.rows[self.wanted - 1].distance;
        }
    }

    fn merge(&mut self, other: &Farthest) {
        for far in &other.rows {
            if far.distance >= self.threshold {
                self.push(far.clone());
            }
        }
    }

    /// The farthest in order.
    fn first(&self, n: usize) -> Vec<Far> {
        let mut rows = self.rows.clone();
        rows.sort_by(Far::order);
        rows.truncate(n.min(self.wanted));
        rows
    }
}

impl PartialEq for Farthest {
    fn eq(&self, other: &Farthest) -> bool {
        let (mine, theirs) = (self.first(self.wanted), other.first(other.wanted));
        let equal = |(a, b): (&Far, &Far)| a.order(b).is_eq() && a.label == b.label;
        mine.len() == theirs.len() && mine.iter().zip(&theirs).all(equal)
    }
}

/// The shape of a saved [`KMeansStep`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepRepr {
    version: u32,
    extent: Extent,
    centers: Vec<Vec<f64>>,
    /// For each cluster the high and the low integer of each column and of the weight.
    sums: Vec<Vec<[i64; 2]>>,
    /// Rows of each cluster, and those of positive weight.
    sizes: Vec<i64>,
    counts: Vec<i64>,
    cost: ExactSum,
    farthest: Vec<Far>,
}

impl From<KMeansStep> for StepRepr {
    fn from(step: KMeansStep) -> StepRepr {
        let [sizes, counts] = step.sums.n_rows().map(<[i64]>::to_vec);
        let d = step.n_columns();
        StepRepr {
            version: super::VERSION,
            centers: step.centers.chunks_exact(d).map(<[f64]>::to_vec).collect(),
            sums: step.sums.integers(!step.extent.is_unweighted()),
            sizes,
            counts,
            farthest: step.farthest.first(step.farthest.wanted),
            extent: step.extent,
            cost: step.cost,
        }
    }
}

impl TryFrom<StepRepr> for KMeansStep {
    type Error = Error;

    fn try_from(repr: StepRepr) -> Result<KMeansStep> {
        const KIND: &str = "segmenta.kmeans.step";
        let corrupt = |reason: &str| Error::corrupt(KIND, reason);
        check_version(KIND, repr.version)?;
        let d = repr.extent.low.len();
        if d == 0 || repr.extent.n_rows == 0 {
            return Err(corrupt("there are no rows or no columns"));
        }
        repr.extent.check(d).map_err(corrupt)?;
        if repr.centers.iter().any(|center| center.len() != d) {
            return Err(corrupt("the centers and the columns differ in number"));
        }
        let n_clusters = repr.centers.len();
        let mut step = KMeansStep::empty(repr.extent, repr.centers.concat())
            .map_err(|e| corrupt(&e.to_string()))?;
        let sizes = repr.sizes.iter().zip(&repr.counts);
        if sizes.clone().any(|(size, count)| !(0..=*size).contains(count)) {
            return Err(corrupt("the numbers of rows contradict each other"));
        }
        let n_rows: i128 = repr.sizes.iter().map(|&size| i128::from(size)).sum();
        if n_rows > i128::from(step.extent.n_rows) {
            return Err(corrupt("there are more rows than in the moments"));
        }
        step.n_rows = n_rows as u64;
        let sums = &repr.sums;
        let weighted = !step.extent.is_unweighted();
        step.sums = Sums::from_integers(d, sums, [&repr.sizes, &repr.counts], weighted)
            .filter(|sums| sums.n_clusters() == n_clusters)
            .ok_or_else(|| corrupt("the sums and the centers differ in number"))?;
        step.cost = repr.cost;
        for far in repr.farthest {
            let numbers = far.row.iter().chain([&far.distance, &far.weight]);
            let known = (far.label as usize) < n_clusters && far.row.len() == d;
            if !known || !numbers.into_iter().all(|x| x.is_finite()) || far.weight < 0.0 {
                return Err(corrupt("a far row is none"));
            }
            step.farthest.push(far);
        }
        Ok(step)
    }
}
