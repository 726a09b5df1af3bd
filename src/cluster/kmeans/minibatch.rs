//! k-means by small batches of rows.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::config::{KMeans, KMeansResult};
use super::fit::fitted;
use super::init::{Init, first_centers};
use super::model::KMeansModel;
use super::nearest::Lanes;
use super::prepared::{Order, Prepared};
use super::rows::{Rows, Storage};
use super::trial::Closest;
use crate::data::Table;
use crate::data::array::row_major;
use crate::distance::squared_euclidean;
use crate::encode::Encoder;
use crate::error::{Error, ErrorKind, Result};
use crate::parallel::map_blocks;
use crate::random::{Draws, Random};
use crate::segmenter::{Fit, Fitted, Note, Observer, Progress, report_progress};

/// Streams of random numbers: batches, rows for first centres, validation, reassignment.
const BATCHES: u64 = 1 << 32;
const FIRST: u64 = 2 << 32;
const VALIDATION: u64 = 3 << 32;
const REASSIGNED: u64 = 4 << 32;

/// Mini-batch k-means (Sculley 2010), as scikit-learn's `MiniBatchKMeans` does it: each
/// step draws some rows at random and moves each centre towards those nearest to it,
/// `c ← c + (w / v) (x − c)`, where `v` is the weight that the centre has met so far, this
/// row's included.
///
/// It is approximate: the inertia is usually a little above that of
/// [`KMeans`]. The result depends on the order of the rows, and parts
/// cannot be merged; for rows in parts there is [`Coreset`](super::Coreset). Batches
/// depend on the seed and the number of the step only, so that any number of threads gives
/// the same bits. In the end all rows are labelled exactly.
///
/// A centre that has met less than [`reassignment_ratio`] of the largest such weight goes
/// to a random row of the batch now and then. A fit stops when the inertia of the batches,
/// smoothed with a weight of `2 b / (n + 1)` for the newest of `b` rows, has not improved
/// for [`max_no_improvement`] steps, when the centres nearly stay ([`tol`]), or after
/// [`max_iter`] times as many rows as there are.
///
/// [`reassignment_ratio`]: MiniBatchKMeans::reassignment_ratio
/// [`max_no_improvement`]: MiniBatchKMeans::max_no_improvement
/// [`tol`]: MiniBatchKMeans::tol
/// [`max_iter`]: MiniBatchKMeans::max_iter
///
/// ```
/// use segmenta::cluster::kmeans::MiniBatchKMeans;
/// use segmenta::ndarray::Array2;
///
/// let x = Array2::from_shape_fn((5000, 2), |(i, j)| {
///     (i % 2 * 50) as f64 + ((i * 7 + j) % 11) as f64
/// });
/// let result = MiniBatchKMeans::new(2).batch_size(100).fit_matrix(x.view(), None, &mut ())?;
/// assert!(result.labels.iter().enumerate().all(|(i, l)| *l == result.labels[i % 2]));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default = "MiniBatchKMeans::defaults")]
pub struct MiniBatchKMeans {
    n_clusters: usize,
    batch_size: usize,
    max_iter: usize,
    tol: f64,
    max_no_improvement: Option<usize>,
    reassignment_ratio: f64,
    n_init: usize,
    seed: u64,
    init: Init,
    encoder: Encoder,
}

impl MiniBatchKMeans {
    /// `n_clusters` clusters; batches of 1024 rows, at most 100 times all rows, tolerance
    /// 0, 10 steps without improvement, a reassignment ratio of 0.01, one start by
    /// k-means++, seed 0, standard scaling: as in scikit-learn.
    #[must_use]
    pub fn new(n_clusters: usize) -> MiniBatchKMeans {
        MiniBatchKMeans {
            n_clusters,
            batch_size: 1024,
            max_iter: 100,
            tol: 0.0,
            max_no_improvement: Some(10),
            reassignment_ratio: 0.01,
            n_init: 1,
            seed: 0,
            init: Init::default(),
            encoder: Encoder::default(),
        }
    }

    fn defaults() -> MiniBatchKMeans {
        MiniBatchKMeans::new(8)
    }

    /// Rows of a batch.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> MiniBatchKMeans {
        self.batch_size = batch_size;
        self
    }

    /// How many times as many rows as there are may be drawn.
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> MiniBatchKMeans {
        self.max_iter = max_iter;
        self
    }

    /// A fit has converged when a step's summed squared shift of the centres is at most
    /// `tol` times the mean of the columns' variances. 0 takes no notice of it.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> MiniBatchKMeans {
        self.tol = tol;
        self
    }

    /// A fit has converged after so many steps in which the smoothed inertia did not
    /// improve. `None` takes no notice of it.
    #[must_use]
    pub fn max_no_improvement(mut self, steps: Option<usize>) -> MiniBatchKMeans {
        self.max_no_improvement = steps;
        self
    }

    /// Centres whose weight so far is below this fraction of the largest are moved to rows
    /// of the batch, from 0 (none) to 1.
    #[must_use]
    pub fn reassignment_ratio(mut self, ratio: f64) -> MiniBatchKMeans {
        self.reassignment_ratio = ratio;
        self
    }

    /// How many first centres to try, each from a sample of three batches, or three times
    /// as many rows as clusters if that is more; those that suit another sample best are
    /// taken.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> MiniBatchKMeans {
        self.n_init = n_init;
        self
    }

    /// Seed of starts, batches and reassignments.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> MiniBatchKMeans {
        self.seed = seed;
        self
    }

    /// Where the first centres come from.
    #[must_use]
    pub fn init(mut self, init: Init) -> MiniBatchKMeans {
        self.init = init;
        self
    }

    /// How the features of a table become columns.
    #[must_use]
    pub fn encoder(mut self, encoder: Encoder) -> MiniBatchKMeans {
        self.encoder = encoder;
        self
    }

    fn check(&self) -> Result<()> {
        if self.batch_size == 0 {
            return Err(Error::parameter("batch_size", "at least 1", 0));
        }
        if self.max_no_improvement == Some(0) {
            return Err(Error::parameter("max_no_improvement", "at least 1", 0));
        }
        if !(0.0..=1.0).contains(&self.reassignment_ratio) {
            let found = self.reassignment_ratio;
            return Err(Error::parameter("reassignment_ratio", "from 0 to 1", found));
        }
        self.kmeans().check()
    }

    /// What is the same in [`KMeans`].
    fn kmeans(&self) -> KMeans {
        KMeans::new(self.n_clusters)
            .n_init(self.n_init)
            .max_iter(self.max_iter)
            .tol(self.tol)
            .seed(self.seed)
            .init(self.init.clone())
            .encoder(self.encoder.clone())
    }

    /// Clusters the rows of a matrix, shape `(n_rows, n_columns)`, with a weight for each
    /// row or without. Nothing is scaled. `n_iter` counts steps.
    ///
    /// # Errors
    /// As [`KMeans::fit_matrix`], and when a parameter of this type is out of range.
    pub fn fit_matrix(
        &self,
        x: ArrayView2<'_, f64>,
        sample_weight: Option<&[f64]>,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        self.check()?;
        let data = row_major(&x);
        let rows = Rows::new(&data, x.dim(), sample_weight)?;
        let (data, limits) = self.kmeans().prepare(rows)?;
        self.run(&data, limits.tolerance, observer)
    }

    /// The object that learns from one batch after another.
    ///
    /// # Errors
    /// When a parameter is out of range.
    pub fn incremental(&self) -> Result<MiniBatchState> {
        self.check()?;
        Ok(MiniBatchState {
            config: self.clone(),
            n_columns: 0,
            centers: Vec::new(),
            weights: Vec::new(),
            n_steps: 0,
            since_reassigned: 0,
        })
    }

    fn run<T: Storage>(
        &self,
        data: &Prepared<'_, T>,
        tolerance: f64,
        observer: &mut dyn Observer,
    ) -> Result<KMeansResult> {
        let (n, k) = (data.rows.len(), self.n_clusters);
        let mut state = self.incremental()?;
        state.start(self.first(data)?, data.rows.n_columns());
        let total = (self.max_iter.saturating_mul(n) / self.batch_size).max(1);
        let share = (2.0 * self.batch_size as f64 / (n as f64 + 1.0)).min(1.0);
        let (mut smooth, mut least) = (None::<f64>, f64::INFINITY);
        let (mut idle, mut converged) = (0, false);
        while state.n_steps < total as u64 && !converged {
            let batch = Batch::draw(
                data.rows,
                self.seed,
                BATCHES + state.n_steps,
                self.batch_size,
            );
            let before = state.centers.clone();
            let inertia = state.step(&batch) / self.batch_size as f64;
            let done = state.n_steps as usize;
            let progress = Progress::new("mini-batch k-means", done, total);
            report_progress(observer, &progress.objective(inertia * n as f64))?;
            if done == 1 {
                // The first batch is nearer to the first centres than others are.
                continue;
            }
            let mean =
                smooth.map_or(inertia, |s: f64| s * (1.0 - share) + inertia * share);
            smooth = Some(mean);
            let shift = squared_euclidean(&state.centers, &before);
            idle = if mean < least { 0 } else { idle + 1 };
            least = least.min(mean);
            converged = (self.tol > 0.0 && shift <= tolerance)
                || self.max_no_improvement.is_some_and(|most| idle >= most);
        }
        let labels = data.labels(&state.centers);
        let inertia = data.inertia(&state.centers, &labels);
        let mut notes = Vec::new();
        let mut seen = vec![false; k];
        labels.iter().for_each(|&label| seen[label as usize] = true);
        let empty = seen.iter().filter(|seen| !**seen).count();
        if empty > 0 {
            let text = format!("{empty} of the clusters ended without rows");
            notes.push(Note::new("empty-cluster", text));
        }
        if !converged {
            let text = format!("the {total} steps ran out before convergence");
            notes.push(Note::new("max-iter", text));
        }
        Ok(KMeansResult {
            centers: state.centers()?,
            labels: labels.into_iter().map(|label| label as usize).collect(),
            inertia,
            n_iter: state.n_steps as usize,
            converged,
            notes,
        })
    }

    /// The first centres: the best of several, by the inertia of some other rows.
    fn first<T: Storage>(&self, data: &Prepared<'_, T>) -> Result<Vec<f64>> {
        if let Init::Centers(centers) = &self.init {
            return Ok(centers.iter().copied().collect());
        }
        let rows = data.rows;
        let size = self.batch_size.max(self.n_clusters).saturating_mul(3).min(rows.len());
        let others = Batch::draw(rows, self.seed, VALIDATION, size);
        let mut best: Option<(f64, Vec<f64>)> = None;
        let mut closest = Closest::default();
        for run in 0..self.n_init as u64 {
            let sample = Batch::draw(rows, self.seed, FIRST + run, size);
            let sample = sample.rows()?;
            let random = &mut [Random::new(self.seed, run)];
            let k = self.n_clusters;
            // Where the sample has too few different rows, all rows are asked.
            let centers = if sample.count_distinct(k) == k {
                let (sample, _) = Prepared::new(sample, &[], Order::Given)?;
                first_centers(&self.init, &sample, k, random, &mut closest)?.concat()
            } else {
                first_centers(&self.init, data, k, random, &mut closest)?.concat()
            };
            if self.n_init == 1 {
                return Ok(centers);
            }
            let inertia = others.label(&centers).1;
            if best.as_ref().is_none_or(|best| inertia < best.0) {
                best = Some((inertia, centers));
            }
        }
        let best = best.ok_or_else(|| Error::parameter("n_init", "at least 1", 0))?;
        Ok(best.1)
    }
}

/// Each step is the one of a fit; see [`MiniBatchKMeans`]. Segments are in canonical order
/// as those of [`KMeans`].
impl Fit for MiniBatchKMeans {
    type Model = KMeansModel;

    fn validate(&self) -> Result<()> {
        self.check()
    }

    fn fit_with(
        &self,
        table: &Table<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<KMeansModel>> {
        self.check()?;
        let encoder = self.encoder.fit(table)?;
        let data = encoder.encode_table(table)?;
        let shape = (table.len(), encoder.n_columns());
        let rows = Rows::new(&data, shape, table.sample_weight())?;
        let (data, limits) = self.kmeans().prepare(rows)?;
        let result = self.run(&data, limits.tolerance, observer)?;
        fitted(encoder, &data, result, Some(self.seed))
    }
}

/// Mini-batch k-means of batches that the caller brings, one after another. What it has
/// learned depends on their order.
///
/// ```
/// use segmenta::cluster::kmeans::MiniBatchKMeans;
/// use segmenta::ndarray::array;
///
/// let mut state = MiniBatchKMeans::new(2).incremental()?;
/// state.partial_fit(array![[0.0], [1.0], [9.0]].view(), None)?;
/// state.partial_fit(array![[10.0], [0.5]].view(), None)?;
/// let mut centers = state.centers()?.into_raw_vec_and_offset().0;
/// centers.sort_by(f64::total_cmp);
/// assert_eq!(centers, [0.5, 9.5]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MiniBatchState {
    config: MiniBatchKMeans,
    n_columns: usize,
    /// Row-major; empty before the first batch.
    centers: Vec<f64>,
    /// What each centre has met.
    weights: Vec<f64>,
    n_steps: u64,
    since_reassigned: usize,
}

impl MiniBatchState {
    /// Learns from a batch, shape `(n_rows, n_columns)`, with a weight for each row or
    /// without. The first batch also gives the first centres.
    ///
    /// # Errors
    /// When there are no rows; the first batch has fewer different rows of positive weight
    /// than there are clusters; the number of columns differs from that of the first
    /// batch or of given initial centres; an element is NaN or infinite, or so large that
    /// squares overflow; or weights are negative, not finite or of another number than the
    /// rows. The state is then unchanged.
    pub fn partial_fit(
        &mut self,
        x: ArrayView2<'_, f64>,
        sample_weight: Option<&[f64]>,
    ) -> Result<()> {
        let data = row_major(&x);
        let rows = Rows::new(&data, x.dim(), sample_weight)?;
        if rows.len() == 0 {
            let what = "rows of a batch".into();
            return Err(ErrorKind::TooFewRows { what, needed: 1, found: 0 }.into());
        }
        if self.centers.is_empty() {
            let first = match &self.config.init {
                Init::Centers(centers) => {
                    if centers.ncols() != x.ncols() {
                        return Err(columns_differ(centers.ncols(), x.ncols()));
                    }
                    let first: Vec<f64> = centers.iter().copied().collect();
                    Prepared::new(rows, &first, Order::Given)?;
                    first
                }
                init => {
                    let (prepared, _) = self.config.kmeans().prepare(rows)?;
                    let random = &mut [Random::new(self.config.seed, 0)];
                    let k = self.config.n_clusters;
                    let mut closest = Closest::default();
                    first_centers(init, &prepared, k, random, &mut closest)?.concat()
                }
            };
            self.start(first, x.ncols());
        } else if x.ncols() != self.n_columns {
            return Err(columns_differ(self.n_columns, x.ncols()));
        } else {
            Prepared::new(rows, &self.centers, Order::Given)?;
        }
        let weights = (0..rows.len()).map(|i| rows.weight(i)).collect();
        let n_columns = self.n_columns;
        self.step(&Batch { points: data.into_owned(), weights, n_columns });
        Ok(())
    }

    /// The centres, shape `(n_clusters, n_columns)`.
    ///
    /// # Errors
    /// Before the first batch.
    pub fn centers(&self) -> Result<Array2<f64>> {
        if self.centers.is_empty() {
            return Err(Error::undefined("the centers", "there was no batch yet"));
        }
        let shape = (self.config.n_clusters, self.n_columns);
        Array2::from_shape_vec(shape, self.centers.clone()).map_err(Error::other)
    }

    /// The weight of the rows that each centre has met.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The number of batches so far.
    #[must_use]
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    fn start(&mut self, centers: Vec<f64>, n_columns: usize) {
        self.n_columns = n_columns;
        self.weights = vec![0.0; centers.len() / n_columns];
        self.centers = centers;
    }

    /// Moves the centres. Gives the inertia of the batch before that.
    fn step(&mut self, batch: &Batch) -> f64 {
        let (labels, inertia) = batch.label(&self.centers);
        self.since_reassigned += batch.weights.len();
        let due = self.weights.contains(&0.0)
            || self.since_reassigned >= 10 * self.config.n_clusters;
        let d = self.n_columns;
        for ((x, &w), &label) in
            batch.points.chunks_exact(d).zip(&batch.weights).zip(&labels)
        {
            let weight = &mut self.weights[label as usize];
            *weight += w;
            if w > 0.0 {
                let rate = w / *weight;
                let center = &mut self.centers[label as usize * d..][..d];
                center.iter_mut().zip(x).for_each(|(c, x)| *c += rate * (x - *c));
            }
        }
        if due {
            self.since_reassigned = 0;
            self.reassign(batch);
        }
        self.n_steps += 1;
        inertia
    }

    /// Moves centres that have met too little to rows of the batch.
    fn reassign(&mut self, batch: &Batch) {
        let most = self.weights.iter().fold(0.0_f64, |most, &w| most.max(w));
        let limit = self.config.reassignment_ratio * most;
        let mut starved: Vec<usize> =
            (0..self.weights.len()).filter(|&c| self.weights[c] < limit).collect();
        let mut rows: Vec<usize> =
            (0..batch.weights.len()).filter(|&i| batch.weights[i] > 0.0).collect();
        starved.sort_by(|&a, &b| self.weights[a].total_cmp(&self.weights[b]));
        starved.truncate(rows.len() / 2);
        if starved.is_empty() {
            return;
        }
        let draws = Draws::new(self.config.seed, REASSIGNED + self.n_steps);
        rows.sort_by_key(|&i| (draws.bits(i as u64), i));
        let kept = (0..self.weights.len()).filter(|c| !starved.contains(c));
        let least = kept.map(|c| self.weights[c]).fold(most, f64::min);
        let d = self.n_columns;
        for (&c, &row) in starved.iter().zip(&rows) {
            self.centers[c * d..][..d].copy_from_slice(&batch.points[row * d..][..d]);
            self.weights[c] = least;
        }
    }
}

fn columns_differ(expected: usize, found: usize) -> Error {
    Error::length("the second axis of the batch", expected, found)
}

/// Some rows, with their weights.
struct Batch {
    points: Vec<f64>,
    weights: Vec<f64>,
    n_columns: usize,
}

/// Products of a task, so that small batches stay on one thread.
const WORK: usize = 1 << 20;

impl Batch {
    /// Rows that are drawn evenly, with replacement.
    fn draw<T: Storage>(rows: Rows<'_, T>, seed: u64, stream: u64, size: usize) -> Batch {
        let draws = Draws::new(seed, stream);
        let n_columns = rows.n_columns();
        let (mut points, mut weights) =
            (Vec::with_capacity(size * n_columns), Vec::with_capacity(size));
        for item in 0..size as u64 {
            let row = draws.below(item, rows.len());
            points.extend(rows.row(row).iter().map(|&x| -> f64 { x.into() }));
            weights.push(rows.weight(row));
        }
        Batch { points, weights, n_columns }
    }

    fn rows(&self) -> Result<Rows<'_>> {
        let shape = (self.weights.len(), self.n_columns);
        Rows::new(&self.points, shape, Some(&self.weights))
    }

    /// The nearest centre of each row, and the inertia.
    fn label(&self, centers: &[f64]) -> (Vec<u32>, f64) {
        let lanes = Lanes::new(centers, self.n_columns);
        let block = (WORK / centers.len()).max(1);
        let found = map_blocks(self.weights.len(), block, |rows| {
            rows.map(|i| {
                let x = &self.points[i * self.n_columns..][..self.n_columns];
                let nearest = lanes.nearest(x);
                (nearest.index as u32, self.weights[i] * nearest.cost)
            })
            .collect::<Vec<_>>()
        });
        let found = found.into_iter().flatten();
        let mut labels = Vec::with_capacity(self.weights.len());
        let inertia = found.fold(0.0, |sum, (label, cost)| {
            labels.push(label);
            sum + cost
        });
        (labels, inertia)
    }
}
