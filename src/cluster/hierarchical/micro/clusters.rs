//! Micro-clusters, and Ward's linkage of them.

use std::cmp::Ordering;

use ndarray::{ArrayView2, Axis};

use super::super::agglomerate::linkage_with;
use super::super::dendrogram::Dendrogram;
use super::super::linkage::Linkage;
use super::node::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::segmenter::Observer;

/// What a [`CfTree`](super::CfTree) keeps of its rows: for each micro-cluster its weight,
/// its mean, and its sum of weighted squared deviations.
///
/// ```
/// use segmenta::cluster::hierarchical::DEFAULT_MEMORY_LIMIT;
/// use segmenta::cluster::hierarchical::micro::{CfOptions, CfTree};
/// use segmenta::ndarray::array;
///
/// let mut tree = CfTree::new(1, CfOptions::new().threshold(1.0))?;
/// tree.insert_rows(array![[0.0], [1.0], [10.0], [11.0], [40.0]].view(), None)?;
/// let micro = tree.micro_clusters();
/// assert_eq!((micro.len(), micro.deviation()), (3, 1.0));
/// let dendrogram = micro.linkage(DEFAULT_MEMORY_LIMIT, &mut ())?;
/// assert_eq!(dendrogram.cut_number(2)?, [0, 0, 1]);
///
/// // half the squares of the heights and what is inside add up to the sum of squares
/// let above: f64 = dendrogram.heights().iter().map(|h| h * h / 2.0).sum();
/// let all = tree.total().map_or(0.0, |total| total.deviation());
/// assert!((above + micro.deviation() - all).abs() < 1e-9);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MicroClusters {
    n_columns: usize,
    weights: Vec<f64>,
    /// Row-major.
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl MicroClusters {
    pub(super) fn with_capacity(n: usize, n_columns: usize) -> MicroClusters {
        MicroClusters {
            n_columns,
            weights: Vec::with_capacity(n),
            means: Vec::with_capacity(n * n_columns),
            deviations: Vec::with_capacity(n),
        }
    }

    pub(super) fn push(&mut self, entry: Entry<'_>) {
        self.weights.push(entry.weight);
        self.means.extend(entry.mean);
        self.deviations.push(entry.deviation);
    }

    pub(super) fn entry(&self, at: usize) -> Entry<'_> {
        let (weight, deviation) = (self.weights[at], self.deviations[at]);
        Entry { weight, mean: self.mean(at), deviation }
    }

    /// Joins those of the same mean at the place of the first: nothing is lost by it.
    pub(super) fn join_equal(self) -> MicroClusters {
        let compare = |a: usize, b: usize| {
            let pairs = self.mean(a).iter().zip(self.mean(b));
            // −0 is 0
            let differs = pairs.map(|(x, y)| (x + 0.0).total_cmp(&(y + 0.0)));
            differs.fold(Ordering::Equal, Ordering::then)
        };
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| compare(a, b).then(a.cmp(&b)));
        let mut first_of: Vec<usize> = (0..self.len()).collect();
        for pair in order.windows(2) {
            if compare(pair[0], pair[1]).is_eq() {
                first_of[pair[1]] = first_of[pair[0]];
            }
        }
        let mut joined = MicroClusters::with_capacity(self.len(), self.n_columns);
        let mut place = vec![0; self.len()];
        for (at, &first) in first_of.iter().enumerate() {
            if first == at {
                place[at] = joined.len();
                joined.push(self.entry(at));
            } else {
                joined.weights[place[first]] += self.weights[at];
                joined.deviations[place[first]] += self.deviations[at];
            }
        }
        joined
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Their means, shape `(len, n_columns)`.
    #[must_use]
    pub fn means(&self) -> ArrayView2<'_, f64> {
        let all = ndarray::ArrayView1::from(&self.means[..]);
        // a list of whole rows always has this shape
        all.into_shape_with_order((self.len(), self.n_columns))
            .unwrap_or_else(|_| ArrayView2::from(&[[]]).split_at(Axis(0), 0).0)
    }

    /// The weights of their rows, above 0.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// For each the sum of the weighted squared distances of its rows to its mean.
    #[must_use]
    pub fn deviations(&self) -> &[f64] {
        &self.deviations
    }

    /// The sum of squares inside all micro-clusters: what a dendrogram of them cannot tell.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.deviations.iter().sum()
    }

    pub(super) fn mean(&self, at: usize) -> &[f64] {
        &self.means[at * self.n_columns..][..self.n_columns]
    }

    /// Ward's [`linkage`](super::super::linkage()) of the means, weighted: exactly the
    /// merges above height 0 that Ward's linkage of all rows would make, if each row lay at
    /// the mean of its micro-cluster.
    ///
    /// A height is `√(2 w₁ w₂ / (w₁ + w₂)) ‖μ₁ − μ₂‖`. The merges inside the micro-clusters
    /// are missing at the bottom, and with them the sum of squares
    /// [`deviation`](MicroClusters::deviation). Half the squared heights of all merges, and
    /// it, add up to the sum of squares of all rows. The leaves are the micro-clusters, in
    /// their order; sizes count micro-clusters, not rows.
    ///
    /// # Errors
    /// As [`linkage_with`](super::super::linkage_with); when there are no micro-clusters.
    pub fn linkage(
        &self,
        memory_limit: u64,
        observer: &mut dyn Observer,
    ) -> Result<Dendrogram> {
        if self.is_empty() {
            let what = "micro-clusters".into();
            return Err(ErrorKind::TooFewRows { what, needed: 1, found: 0 }.into());
        }
        let shape = (self.len(), self.n_columns);
        let x = ArrayView2::from_shape(shape, &self.means).map_err(Error::other)?;
        linkage_with(x, Linkage::Ward, Some(&self.weights), memory_limit, observer)
    }
}
