//! A tree of cluster features: rows in, micro-clusters out.

use ndarray::ArrayView2;

use super::clusters::MicroClusters;
use super::feature::ClusterFeature;
use super::node::{Entry, Nodes};
use super::options::CfOptions;
use crate::data::array::row_major;
use crate::error::{Error, ErrorKind, Result};

/// Summarises rows in one pass as micro-clusters, of which there are at most
/// [`max_leaves`](CfOptions::max_leaves) whatever the number of rows: the tree of BIRCH
/// (Zhang, Ramakrishnan & Livny 1996) on the [`ClusterFeature`]s of BETULA (Lang & Schubert
/// 2020).
///
/// A row goes from the root to the child whose mean is nearest in Euclidean distance (their
/// distance D0; of equally near ones to the first), level by level, down to a
/// micro-cluster. It is absorbed there if the [criterion](super::Absorb) stays within the
/// threshold. Otherwise it is a micro-cluster of its own beside it. A full node is split:
/// its two farthest entries each draw the entries nearer to them.
///
/// When there are too many micro-clusters, those of equal rows are joined, if the threshold
/// is 0. If they are still more than three quarters of `max_leaves`, the threshold becomes the lower quartile over them of
/// the least criterion of a merge inside a leaf (its square 1.2 times the old one, if that
/// is more), and they are put into a new tree; again until they are not.
///
/// The same rows in the same order give the same tree, to the bit. Another order, or other
/// parts in a [`merge`](CfTree::merge), give another one, about as good. But while the
/// threshold is 0, the micro-clusters are the distinct rows in any order; and it stays 0
/// when these are no more than three quarters of `max_leaves`.
///
/// It takes some 24 bytes and 8 more a column for each of the places of its nodes, of which
/// usually about half are taken; and, while it is built anew, the same again.
///
/// A tree is plain data to serde: saved, loaded and continued, it gives the same bits as
/// one that was not interrupted. What is loaded is checked.
///
/// ```
/// use segmenta::cluster::hierarchical::micro::{CfOptions, CfTree};
/// use segmenta::ndarray::array;
///
/// let options = CfOptions::new().threshold(1.0);
/// let mut monday = CfTree::new(1, options)?;
/// monday.insert_rows(array![[0.0], [1.0], [40.0]].view(), None)?;
/// let mut tuesday = CfTree::new(1, options)?;
/// tuesday.insert(&[41.0], 3.0)?;
/// monday.merge(&tuesday)?;
///
/// assert_eq!((monday.n_leaves(), monday.weight()), (2, 6.0));
/// let micro = monday.micro_clusters();
/// assert_eq!(micro.means(), array![[0.5], [40.75]]);
/// assert_eq!(micro.weights(), [2.0, 4.0]);
/// assert_eq!(micro.deviations(), [0.5, 0.75]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CfTree {
    pub(super) options: CfOptions,
    pub(super) squared_threshold: f64,
    pub(super) nodes: Nodes,
    /// The weight of all rows.
    pub(super) weight: f64,
    pub(super) ranges: Ranges,
}

/// The least and the largest number of each column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranges {
    pub(super) low: Vec<f64>,
    pub(super) high: Vec<f64>,
}

impl Ranges {
    pub(super) fn new(p: usize) -> Ranges {
        Ranges { low: vec![f64::INFINITY; p], high: vec![f64::NEG_INFINITY; p] }
    }

    fn hold(&self, row: &[f64]) -> bool {
        let bounds = self.low.iter().zip(&self.high);
        row.iter().zip(bounds).all(|(x, (low, high))| low <= x && x <= high)
    }

    /// As it is of a mean, which may be beyond by rounding.
    pub(super) fn nearly_hold(&self, mean: &[f64]) -> bool {
        let bounds = self.low.iter().zip(&self.high);
        mean.iter().zip(bounds).all(|(x, (low, high))| {
            let slack = 1e-6 * (high - low) + 1e-9 * low.abs().max(high.abs());
            low - slack <= *x && *x <= high + slack
        })
    }

    fn extend(&mut self, row: &[f64]) {
        for (x, (low, high)) in row.iter().zip(self.low.iter_mut().zip(&mut self.high)) {
            (*low, *high) = (low.min(*x), high.max(*x));
        }
    }

    fn join(&mut self, other: &Ranges) {
        if other.low.iter().zip(&other.high).all(|(low, high)| low <= high) {
            self.extend(&other.low);
            self.extend(&other.high);
        }
    }

    /// Whether every sum of squares stays finite in a tree of this weight, and in Ward's
    /// linkage of it.
    pub(super) fn check(
        &self,
        weight: f64,
        name: &dyn Fn(usize) -> String,
    ) -> Result<()> {
        let square = weight * weight;
        if !square.is_finite() {
            let expected = "small enough that its square is finite";
            return Err(Error::parameter("sum of weights", expected, weight));
        }
        let range = |j: usize| (self.high[j] - self.low[j]).max(0.0);
        let columns = 0..self.low.len();
        let diameter: f64 = columns.clone().map(|j| range(j) * range(j)).sum();
        if (diameter * square * 8.0).is_finite() {
            return Ok(());
        }
        let widest = columns.fold(0, |a, b| if range(b) > range(a) { b } else { a });
        Err(Error::parameter(
            format!("range of {}", name(widest)),
            "small enough for sums of weighted squared distances",
            range(widest),
        ))
    }
}

pub(super) fn column_number(j: usize) -> String {
    format!("column {j}")
}

impl CfTree {
    /// A tree without rows.
    ///
    /// # Errors
    /// When there is no column, or an option is out of its range.
    pub fn new(n_columns: usize, options: CfOptions) -> Result<CfTree> {
        options.check()?;
        if n_columns == 0 {
            return Err(Error::parameter("columns", "at least 1", 0));
        }
        let threshold = options.first_threshold();
        Ok(CfTree {
            options,
            squared_threshold: threshold * threshold,
            nodes: Nodes::new(n_columns, &options),
            weight: 0.0,
            ranges: Ranges::new(n_columns),
        })
    }

    /// Adds one row of a weight. A weight of 0 changes nothing.
    ///
    /// # Errors
    /// When the row has another length than [`n_columns`](CfTree::n_columns); when a number
    /// is NaN or infinite, or so far from the others that sums of squared distances
    /// overflow; when the weight is not finite or negative. Nothing has changed then.
    pub fn insert(&mut self, row: &[f64], weight: f64) -> Result<()> {
        if row.len() != self.n_columns() {
            return Err(Error::length("the row", self.n_columns(), row.len()));
        }
        self.insert_block(row, Some(&[weight]), 0, &column_number)
    }

    /// Adds rows, shape `(n_rows, n_columns)`, in their order; all of weight 1 where no
    /// weights are given. It is the same as [`insert`](CfTree::insert) on each of them.
    ///
    /// # Errors
    /// As [`insert`](CfTree::insert), naming column and row; when there is not one weight a
    /// row. Nothing has changed then.
    pub fn insert_rows(
        &mut self,
        x: ArrayView2<'_, f64>,
        weights: Option<&[f64]>,
    ) -> Result<()> {
        let (n, p) = x.dim();
        if p != self.n_columns() {
            return Err(Error::length("the second axis", self.n_columns(), p));
        }
        if let Some(weights) = weights
            && weights.len() != n
        {
            return Err(Error::length("`weights`", n, weights.len()));
        }
        self.insert_block(&row_major(&x), weights, 0, &column_number)
    }

    /// Adds row-major rows, of which the first has a number that errors count from.
    pub(super) fn insert_block(
        &mut self,
        x: &[f64],
        weights: Option<&[f64]>,
        first_row: usize,
        name: &dyn Fn(usize) -> String,
    ) -> Result<()> {
        let p = self.n_columns();
        let weight_of = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let mut total = self.weight;
        let mut wider: Option<Ranges> = None;
        for (i, row) in x.chunks_exact(p).enumerate() {
            if let Some(j) = row.iter().position(|x| !x.is_finite()) {
                let (feature, row_number) = (name(j), Some(first_row + i));
                let found = row[j];
                return Err(
                    ErrorKind::NonFinite { feature, found, row: row_number }.into()
                );
            }
            let weight = weight_of(i);
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(ErrorKind::Value {
                    expected: "a weight: finite and not negative".into(),
                    found: weight.to_string(),
                    row: Some(first_row + i),
                }
                .into());
            }
            total += weight;
            if weight > 0.0 && !wider.as_ref().unwrap_or(&self.ranges).hold(row) {
                wider.get_or_insert_with(|| self.ranges.clone()).extend(row);
            }
        }
        let most = total.max(self.options.limit() as f64);
        wider.as_ref().unwrap_or(&self.ranges).check(most, name)?;
        self.weight = total;
        self.ranges = wider.unwrap_or_else(|| {
            std::mem::replace(
                &mut self.ranges,
                Ranges { low: Vec::new(), high: Vec::new() },
            )
        });
        for (i, row) in x.chunks_exact(p).enumerate() {
            let weight = weight_of(i);
            if weight > 0.0 {
                self.put(Entry { weight, mean: row, deviation: 0.0 });
            }
        }
        Ok(())
    }

    fn put(&mut self, entry: Entry<'_>) {
        self.nodes.insert(entry, &self.options, self.squared_threshold);
        if self.nodes.n_entries() > self.options.limit() {
            self.shrink();
        }
    }

    /// Adds the micro-clusters of another tree, in their order from left to right; the
    /// threshold becomes the larger of the two, the other options stay. Sums of weights and
    /// of squares are those of all rows. For data that comes in parts: the result depends
    /// on the parts and on their order.
    ///
    /// # Errors
    /// When the numbers of columns differ, or sums of squared distances would overflow.
    /// Nothing has changed then.
    pub fn merge(&mut self, other: &CfTree) -> Result<()> {
        if other.n_columns() != self.n_columns() {
            let what = "the columns of the other tree";
            return Err(Error::length(what, self.n_columns(), other.n_columns()));
        }
        let mut ranges = self.ranges.clone();
        ranges.join(&other.ranges);
        let weight = self.weight + other.weight;
        ranges.check(weight.max(self.options.limit() as f64), &column_number)?;
        self.ranges = ranges;
        self.weight = weight;
        self.squared_threshold = self.squared_threshold.max(other.squared_threshold);
        other.nodes.each(|entry| self.put(entry));
        Ok(())
    }

    /// Joins equal rows that lie apart, then raises the threshold, until a quarter of the
    /// places for micro-clusters is free.
    fn shrink(&mut self) {
        let limit = self.options.limit();
        let enough = limit - limit / 4;
        if self.squared_threshold == 0.0 {
            let micro = self.micro_clusters();
            let mut nodes = Nodes::new(self.n_columns(), &self.options);
            for at in 0..micro.len() {
                nodes.insert(micro.entry(at), &self.options, 0.0);
            }
            self.nodes = nodes;
        }
        while self.nodes.n_entries() > enough {
            self.squared_threshold = self.next_threshold();
            let mut nodes = Nodes::new(self.n_columns(), &self.options);
            self.nodes.each(|entry| {
                nodes.insert(entry, &self.options, self.squared_threshold);
            });
            self.nodes = nodes;
        }
    }

    /// More than the threshold as it is; squared.
    fn next_threshold(&self) -> f64 {
        let mut costs = self.nodes.cheapest_merges(self.options.criterion());
        let mut quartile = 0.0;
        if !costs.is_empty() {
            let at = costs.len() / 4;
            quartile = *costs.select_nth_unstable_by(at, f64::total_cmp).1;
        }
        let more = (1.2 * self.squared_threshold).max(f64::MIN_POSITIVE);
        // where no leaf has two, a small part of the rows' variance is a beginning
        let variance = self.total().map_or(0.0, |all| all.deviation() / all.weight());
        quartile.max(more).max(if costs.is_empty() { 1e-9 * variance } else { 0.0 })
    }

    /// What is kept of all rows together; `None` without rows.
    #[must_use]
    pub fn total(&self) -> Option<ClusterFeature> {
        let mut total: Option<ClusterFeature> = None;
        self.nodes.each(|entry| {
            let next = ClusterFeature::of(entry.weight, entry.mean, entry.deviation);
            match &mut total {
                // it stays finite: the ranges are checked
                Some(total) => drop(total.merge(&next)),
                None => total = Some(next),
            }
        });
        total
    }

    /// The micro-clusters, from left to right. Those of the same mean are one, at the place
    /// of the first: equal rows may have gone to different leaves.
    #[must_use]
    pub fn micro_clusters(&self) -> MicroClusters {
        let n = self.n_leaves();
        let mut micro = MicroClusters::with_capacity(n, self.n_columns());
        self.nodes.each(|entry| micro.push(entry));
        micro.join_equal()
    }

    /// How many numbers a row has.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.ranges.low.len()
    }

    /// How many micro-clusters the leaves hold, those of the same mean counted apart.
    #[must_use]
    pub fn n_leaves(&self) -> usize {
        self.nodes.n_entries()
    }

    /// The threshold as it has become, in the unit of the columns.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.squared_threshold.sqrt()
    }

    /// The sum of the weights of all rows.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// How the tree grows.
    #[must_use]
    pub fn options(&self) -> &CfOptions {
        &self.options
    }
}
