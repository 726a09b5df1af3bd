//! k-means: what is wanted, and the fit of a matrix.

use std::collections::VecDeque;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::init::{Init, first_centers};
use super::label::Labels;
use super::lloyd::{Limits, Run, lloyd};
use super::place::Plan;
use super::prepared::{Order, Prepared};
use super::rows::{Rows, Storage};
use super::trial::Closest;
use crate::data::array::row_major;
use crate::encode::Encoder;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::for_each_block;
use crate::random::Random;
use crate::segmenter::{Note, Observer, Progress, report_progress};

/// Inertias that differ by less than this fraction count as the same optimum.
const SAME_OPTIMUM: f64 = 1e-6;

/// k-means clustering: `n_clusters` centres that make the inertia, `Σ wᵢ · ‖xᵢ − c(i)‖²`,
/// small, by Lloyd's algorithm (Lloyd 1982) from several starts.
///
/// [`Fit::fit`](crate::Fit::fit) encodes the features of a table and gives a
/// [`KMeansModel`](super::KMeansModel); [`fit_matrix`](KMeans::fit_matrix) takes numbers
/// as they are.
///
/// ```
/// use segmenta::cluster::kmeans::KMeans;
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::{Fit, Segmenter};
///
/// let schema = Schema::new([FeatureSpec::number("orders"), FeatureSpec::number("spend")])?;
/// let table = Table::builder(&schema, 5)
///     .numbers("orders", vec![1.0, 2.0, 1.0, 12.0, 14.0])
///     .numbers("spend", vec![20.0, 35.0, 25.0, 400.0, 380.0])
///     .build()?;
/// let fitted = KMeans::new(2).seed(7).fit(&table)?;
/// assert!(fitted.report().converged);
/// let sizes: Vec<_> = fitted.model().segments().iter().map(|s| s.size).collect();
/// assert_eq!(sizes, [Some(3), Some(2)]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    pub(super) n_clusters: usize,
    #[serde(default = "default_n_init")]
    pub(super) n_init: usize,
    #[serde(default = "default_max_iter")]
    pub(super) max_iter: usize,
    #[serde(default = "default_tol")]
    pub(super) tol: f64,
    #[serde(default)]
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) init: Init,
    #[serde(default)]
    pub(super) algorithm: Algorithm,
    #[serde(default)]
    pub(super) encoder: Encoder,
}

/// How the nearest centres are found in each iteration. All give the same labels, centres
/// and inertia, to the bit.
///
/// ```
/// use segmenta::cluster::kmeans::{Algorithm, KMeans};
/// use segmenta::ndarray::Array2;
///
/// let x = Array2::from_shape_fn((2000, 2), |(i, j)| ((i * [7, 31][j]) % 97) as f64);
/// let fit = |algorithm| {
///     KMeans::new(20).n_init(1).algorithm(algorithm).fit_matrix(x.view(), None, &mut ())
/// };
/// assert_eq!(fit(Algorithm::Filter)?, fit(Algorithm::Lloyd)?);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// [`Filter`](Algorithm::Filter) where that pays for 16,384 rows or more: an estimate
    /// from measurements weighs what an order takes against what 25 iterations of each run
    /// save (fewer if `max_iter` is less), after some thousands of rows were tried. So it is
    /// chosen for three columns and 100 clusters, or 20 and ten runs, and hardly ever for more
    /// than ten columns that differ. Else [`Hamerly`](Algorithm::Hamerly) where clusters times
    /// columns are 512 or more: with 16 columns and 10 clusters to ask whether a row may be
    /// passed over costs as much as it saves. Else [`Lloyd`](Algorithm::Lloyd).
    #[default]
    Auto,
    /// Every row is compared with every centre (Lloyd 1982), in single precision with a
    /// proven error, and once more in double precision where that leaves a doubt.
    Lloyd,
    /// As `Lloyd`, and once few rows change their label, rows are passed over for which the
    /// triangle inequality proves that they cannot (Hamerly 2010). It pays when a run takes
    /// many iterations.
    Hamerly,
    /// As `Lloyd`, with the rows in spatial order: in boxes of 1,024, and in these of 64. A
    /// box is compared with the centres first, and its rows only with those that can be the
    /// nearest one of any place in the box: the filter of Kanungo et al. (2002), on two levels
    /// of a k-d tree. Where boxes spare less than half of the comparisons, a run goes on
    /// without: as `Lloyd`, or under `Auto` as that would. The order takes four bytes a row, the
    /// boxes half a byte and an eighth for each column. It pays where there are many clusters
    /// and few columns, or few in which the rows really differ.
    Filter,
}

impl Algorithm {
    fn order(self, n_rows: usize, plan: Plan) -> Order {
        match self {
            Algorithm::Filter if n_rows > 0 => Order::Spatial,
            Algorithm::Auto => Order::IfWorth(plan),
            _ => Order::Given,
        }
    }

    fn keeps_bounds(self, n_clusters: usize, n_columns: usize) -> bool {
        match self {
            Algorithm::Auto => n_clusters * n_columns >= 512,
            Algorithm::Lloyd | Algorithm::Filter => false,
            Algorithm::Hamerly => true,
        }
    }
}

fn default_n_init() -> usize {
    10
}

fn default_max_iter() -> usize {
    300
}

fn default_tol() -> f64 {
    1e-4
}

/// Centres and labels of a matrix.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KMeansResult {
    /// The centres, shape `(n_clusters, n_columns)`, in the order in which they started.
    pub centers: Array2<f64>,
    /// For each row the position of its nearest centre; of several the lowest.
    pub labels: Vec<usize>,
    /// Sum of the weighted squared distances of the rows to their centres.
    pub inertia: f64,
    /// Iterations of the best run.
    pub n_iter: usize,
    /// False when the iterations of the best run ran out.
    pub converged: bool,
    /// `restart-agreement`, `empty-cluster-relocated`, `empty-cluster`, `max-iter`.
    pub notes: Vec<Note>,
}

impl KMeans {
    /// `n_clusters` clusters; 10 starts by k-means++, at most 300 iterations each,
    /// tolerance 1e-4, seed 0, standard scaling.
    #[must_use]
    pub fn new(n_clusters: usize) -> KMeans {
        KMeans {
            n_clusters,
            n_init: default_n_init(),
            max_iter: default_max_iter(),
            tol: default_tol(),
            seed: 0,
            init: Init::default(),
            algorithm: Algorithm::default(),
            encoder: Encoder::default(),
        }
    }

    /// How many times to start; the run of the least inertia counts, of several the
    /// first.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> KMeans {
        self.n_init = n_init;
        self
    }

    /// Iterations of a run, at most.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> KMeans {
        self.max_iter = max_iter;
        self
    }

    /// A run has converged when the centres' summed squared shift is at most `tol` times
    /// the mean of the columns' variances (unweighted, divisor n), or when no label
    /// changes. 0 waits for the labels, or for the centres to stand still.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> KMeans {
        self.tol = tol;
        self
    }

    /// Seed of the starts. Start `i` depends on the seed and on `i` only.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> KMeans {
        self.seed = seed;
        self
    }

    /// Where the first centres come from.
    #[must_use]
    pub fn init(mut self, init: Init) -> KMeans {
        self.init = init;
        self
    }

    /// How the labels are found. It changes the time, never the result.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> KMeans {
        self.algorithm = algorithm;
        self
    }

    /// How the features of a table become columns. Not used by
    /// [`fit_matrix`](KMeans::fit_matrix).
    #[must_use]
    pub fn encoder(mut self, encoder: Encoder) -> KMeans {
        self.encoder = encoder;
        self
    }

    fn n_runs(&self) -> usize {
        if matches!(self.init, Init::Centers(_)) { 1 } else { self.n_init }
    }

    /// The seed, where it has a say.
    pub(super) fn used_seed(&self) -> Option<u64> {
        (!matches!(self.init, Init::Centers(_))).then_some(self.seed)
    }

    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("n_clusters", self.n_clusters),
            ("n_init", self.n_init),
            ("max_iter", self.max_iter),
        ];
        if let Some((name, found)) = counts.into_iter().find(|&(_, n)| n == 0) {
            return Err(Error::parameter(name, "at least 1", found));
        }
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return Err(Error::parameter("tol", "finite and not negative", self.tol));
        }
        if let Init::Centers(centers) = &self.init {
            if centers.nrows() != self.n_clusters {
                let what = "the first axis of the initial centers";
                return Err(Error::length(what, self.n_clusters, centers.nrows()));
            }
            if let Some(x) = centers.iter().find(|x| !x.is_finite()) {
                return Err(Error::parameter("initial centers", "finite", x));
            }
        }
        self.encoder.validate()
    }

    /// Clusters the rows of a matrix, shape `(n_rows, n_columns)`, with a weight for each
    /// row or without. Nothing is scaled.
    ///
    /// With given initial centres the labels, the centres and the number of iterations
    /// are those of scikit-learn's `KMeans(algorithm="lloyd")`. A centre that is left
    /// without rows moves to the row farthest from its own centre. Two things differ:
    /// a row of weight 0 never attracts such a centre, and labels that did not change
    /// while a centre was moved do not end the run.
    ///
    /// ```
    /// use segmenta::cluster::kmeans::{Init, KMeans};
    /// use segmenta::ndarray::array;
    ///
    /// let x = array![[1.0], [2.0], [10.0], [12.0]];
    /// let kmeans = KMeans::new(2).init(Init::Centers(array![[1.0], [2.0]]));
    /// let result = kmeans.fit_matrix(x.view(), None, &mut ())?;
    /// assert_eq!(result.labels, [0, 0, 1, 1]);
    /// assert_eq!(result.centers, array![[1.5], [11.0]]);
    /// assert_eq!(result.inertia, 2.5);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a parameter is out of range; an element is NaN or infinite, or so large that
    /// squares overflow; weights are negative, not finite or of another number than the
    /// rows; there are fewer different rows of positive weight than clusters; initial
    /// centres have another number of columns; k-means++ or k-means|| cannot tell rows
    /// apart, since their squared distances are 0 in `f64` (differences below about
    /// 10⁻¹⁶²); or the observer stops the work.
    pub fn fit_matrix(
        &self,
        x: ArrayView2<'_, f64>,
        sample_weight: Option<&[f64]>,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        self.check()?;
        let data = row_major(&x);
        self.fit_rows(Rows::new(&data, x.dim(), sample_weight)?, observer)
    }

    /// As [`fit_matrix`](KMeans::fit_matrix), for numbers that are kept in single
    /// precision, in half the memory. They are computed with as the `f64` of the same
    /// value: labels, centres and inertia are those of the matrix converted to `f64`.
    ///
    /// # Errors
    /// As [`fit_matrix`](KMeans::fit_matrix).
    pub fn fit_matrix_f32(
        &self,
        x: ArrayView2<'_, f32>,
        sample_weight: Option<&[f64]>,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        self.check()?;
        let data = row_major(&x);
        self.fit_rows(Rows::new(&data, x.dim(), sample_weight)?, observer)
    }

    /// The fit, after the parameters were checked.
    pub(super) fn fit_rows<T: Storage>(
        &self,
        rows: Rows<'_, T>,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        let (data, limits) = self.prepare(rows)?;
        self.best_run(&data, limits, observer)
    }

    pub(super) fn best_run<T: Storage>(
        &self,
        data: &Prepared<'_, T>,
        limits: Limits,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        let k = self.n_clusters;
        let n_runs = self.n_runs();
        let total = n_runs.saturating_mul(self.max_iter);
        let mut best: Option<(Run, Labels)> = None;
        let mut labels = Labels::new(data.rows.len());
        let mut closest = Closest::default();
        let mut inertias = Vec::new();
        let at_once = self.init.runs_at_once(data.rows);
        let mut starts = VecDeque::new();
        for run in 0..n_runs {
            let before = run.saturating_mul(self.max_iter);
            report_progress(observer, &Progress::new("k-means", before, total))?;
            if starts.is_empty() {
                let runs = run..n_runs.min(run.saturating_add(at_once));
                let mut randoms: Vec<Random> =
                    runs.map(|run| Random::new(self.seed, run as u64)).collect();
                let randoms = &mut randoms;
                starts.extend(first_centers(&self.init, data, k, randoms, &mut closest)?);
            }
            let Some(first) = starts.pop_front() else { break };
            let mut watch = |n_iter: usize, inertia: f64| {
                let done = before.saturating_add(n_iter);
                let progress = Progress::new("k-means", done, total).objective(inertia);
                report_progress(observer, &progress)
            };
            let run = lloyd(data, first, limits, &mut labels, &mut watch)?;
            inertias.push(run.inertia);
            if best.as_ref().is_none_or(|(best, _)| run.inertia < best.inertia) {
                let before = best.replace((run, labels));
                // The labels of the best run are kept, its memory before is used again.
                labels =
                    before.map_or_else(|| Labels::new(data.rows.len()), |(_, free)| free);
            }
        }
        let (best, Labels { labels, .. }) =
            best.ok_or_else(|| Error::parameter("n_init", "at least 1", 0))?;
        let notes = self.notes(&best, &labels, inertias);
        let Run { centers, inertia, n_iter, converged, .. } = best;
        let mut wide = vec![0; labels.len()];
        for_each_block(&mut wide, 1 << 14, |start, block| {
            let labels = &labels[start..];
            block.iter_mut().zip(labels).for_each(|(to, &label)| *to = label as usize);
            Ok::<(), Error>(())
        })?;
        let labels = wide;
        let centers = Array2::from_shape_vec((k, data.rows.n_columns()), centers)
            .map_err(Error::other)?;
        Ok(KMeansResult { centers, labels, inertia, n_iter, converged, notes })
    }

    /// What all runs share.
    pub(super) fn prepare<'a, T: Storage>(
        &self,
        rows: Rows<'a, T>,
    ) -> Result<(Prepared<'a, T>, Limits)> {
        let (k, p) = (self.n_clusters, rows.n_columns());
        let found = rows.count_distinct(k);
        if found < k {
            let what = "distinct rows".into();
            return Err(ErrorKind::TooFewRows { what, needed: k, found }.into());
        }
        let mut more = Vec::new();
        if let Init::Centers(centers) = &self.init {
            if centers.ncols() != p {
                let what = "the second axis of the initial centers";
                return Err(Error::length(what, p, centers.ncols()));
            }
            more.extend(centers);
        }
        // Few runs take more iterations, and many are near their end by then.
        let n_passes = self.n_runs() as f64 * self.max_iter.min(25) as f64;
        let order = self.algorithm.order(rows.len(), Plan { n_clusters: k, n_passes });
        let (data, overview) = Prepared::new(rows, &more, order)?;
        let limits = Limits {
            max_iter: self.max_iter,
            tolerance: self.tol * overview.mean_variance(),
            bounds: k > 1 && self.algorithm.keeps_bounds(k, p),
        };
        Ok((data, limits))
    }

    fn notes(&self, best: &Run, labels: &[u32], mut inertias: Vec<f64>) -> Vec<Note> {
        let mut notes = Vec::new();
        if inertias.len() > 1 {
            let same = |least: f64, other: f64| other <= least * (1.0 + SAME_OPTIMUM);
            let n_best = inertias.iter().filter(|&&i| same(best.inertia, i)).count();
            let n_runs = inertias.len();
            inertias.sort_by(f64::total_cmp);
            let mut n_optima = 0;
            let mut least = f64::NEG_INFINITY;
            for inertia in inertias {
                if n_optima == 0 || !same(least, inertia) {
                    n_optima += 1;
                    least = inertia;
                }
            }
            notes.push(Note::new(
                "restart-agreement",
                format!(
                    "{n_best} of {n_runs} runs reached the least inertia; \
                     the runs ended in {n_optima} different optima"
                ),
            ));
        }
        if best.n_relocated > 0 {
            let n = best.n_relocated;
            notes.push(Note::new(
                "empty-cluster-relocated",
                format!("a centre without rows was moved to a far row {n} times"),
            ));
        }
        let empty = self.n_clusters - distinct_labels(labels, self.n_clusters);
        if empty > 0 {
            notes.push(Note::new(
                "empty-cluster",
                format!("{empty} of the clusters ended without rows"),
            ));
        }
        if !best.converged {
            notes.push(Note::new(
                "max-iter",
                format!("the {} iterations ran out before convergence", self.max_iter),
            ));
        }
        notes
    }
}

fn distinct_labels(labels: &[u32], n_clusters: usize) -> usize {
    let mut seen = vec![false; n_clusters];
    labels.iter().for_each(|&label| seen[label as usize] = true);
    seen.into_iter().filter(|&seen| seen).count()
}
