//! The tree of merges, its heights and its order.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::agglomerate::check_condensed;
use super::condensed::position;
use super::step::Step;
use crate::error::{Error, Result};

/// One merge of two clusters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// A leaf (below `n_leaves`), or `n_leaves + i` for the result of merge `i`.
    pub left: usize,
    /// The other cluster, numbered likewise.
    pub right: usize,
    /// The distance at which the two merge.
    pub height: f64,
    /// How many leaves the result holds.
    pub size: usize,
}

/// The tree of all merges of `n_leaves` rows: `n_leaves − 1` of them, in SciPy's
/// numbering, where merge `i` makes cluster `n_leaves + i` and the lower number stands
/// left.
///
/// For monotone linkages merges are sorted by height; for centroid and median linkage
/// they stand in the order in which they were made, and heights may decrease.
///
/// Reading one from a file checks that it is a tree.
///
/// ```
/// use segmenta::cluster::hierarchical::{Linkage, linkage};
/// use segmenta::ndarray::array;
///
/// let x = array![[0.0], [1.0], [10.0], [12.0], [30.0]];
/// let tree = linkage(x.view(), Linkage::Complete, None)?;
/// assert_eq!(tree.heights(), [1.0, 2.0, 12.0, 30.0]);
/// assert_eq!(tree.cut_number(3)?, [0, 0, 1, 1, 2]);
/// assert_eq!(tree.cut_height(15.0)?, [0, 0, 0, 0, 1]);
/// assert_eq!(tree.leaf_order(), [4, 0, 1, 2, 3]);
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Dendrogram {
    n_leaves: usize,
    merges: Vec<Merge>,
}

/// What a file says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    n_leaves: usize,
    merges: Vec<Merge>,
}

impl TryFrom<Unchecked> for Dendrogram {
    type Error = Error;

    fn try_from(read: Unchecked) -> Result<Dendrogram> {
        Dendrogram::new(read.n_leaves, read.merges)
    }
}

impl Dendrogram {
    /// A tree from its merges.
    ///
    /// # Errors
    /// When there are not `n_leaves − 1` merges; when one uses a cluster that does not
    /// exist yet or was used before, has a wrong size, or a height that is negative or
    /// not finite.
    pub fn new(n_leaves: usize, merges: Vec<Merge>) -> Result<Dendrogram> {
        if n_leaves == 0 {
            return Err(Error::parameter("n_leaves", "at least 1", 0));
        }
        if merges.len() != n_leaves - 1 {
            return Err(Error::length("the list of merges", n_leaves - 1, merges.len()));
        }
        let mut used = vec![false; n_leaves + merges.len()];
        for (i, merge) in merges.iter().enumerate() {
            let wrong = |expected: &'static str, found: String| {
                Err(Error::parameter(format!("merge {i}"), expected, found))
            };
            let mut size = 0;
            for child in [merge.left, merge.right] {
                if child >= n_leaves + i || used[child] {
                    return wrong("of two clusters not yet merged", child.to_string());
                }
                used[child] = true;
                size += child.checked_sub(n_leaves).map_or(1, |below| merges[below].size);
            }
            if merge.size != size {
                return wrong("as large as its parts together", merge.size.to_string());
            }
            if !(merge.height.is_finite() && merge.height >= 0.0) {
                return wrong("at a finite height from 0", merge.height.to_string());
            }
        }
        Ok(Dendrogram { n_leaves, merges })
    }

    /// A tree from merges that are known to be one.
    pub(super) fn of_checked(n_leaves: usize, merges: Vec<Merge>) -> Dendrogram {
        Dendrogram { n_leaves, merges }
    }

    /// Numbers the clusters of merges that name rows. Where `sort` is set, merges are
    /// put in the order of their heights first; equal heights keep their order.
    pub(super) fn from_steps(n: usize, mut steps: Vec<Step>, sort: bool) -> Dendrogram {
        if sort {
            steps.sort_by(|a, b| a.height.total_cmp(&b.height));
        }
        // a forest of slots: each points towards the newest cluster that holds it
        let mut parent: Vec<usize> = (0..2 * n).collect();
        let mut merges: Vec<Merge> = Vec::with_capacity(steps.len());
        for (i, step) in steps.into_iter().enumerate() {
            let (a, b) = (find(&mut parent, step.a), find(&mut parent, step.b));
            let size_of = |id: usize| id.checked_sub(n).map_or(1, |at| merges[at].size);
            let size = size_of(a) + size_of(b);
            parent[a] = n + i;
            parent[b] = n + i;
            let (left, right) = (a.min(b), a.max(b));
            merges.push(Merge { left, right, height: step.height, size });
        }
        Dendrogram { n_leaves: n, merges }
    }

    /// A tree from SciPy's matrix: shape `(n_leaves − 1, 4)` of left, right, height and
    /// size. A matrix of no rows is the tree of one leaf.
    ///
    /// # Errors
    /// When it is not such a matrix, or as [`Dendrogram::new`].
    pub fn from_array(z: ArrayView2<'_, f64>) -> Result<Dendrogram> {
        if z.ncols() != 4 {
            return Err(Error::length("the second axis", 4, z.ncols()));
        }
        let whole = |x: f64| {
            if x.fract() == 0.0 && (0.0..9e15).contains(&x) {
                Ok(x as usize)
            } else {
                Err(Error::parameter("clusters and sizes", "whole numbers", x))
            }
        };
        let merges = z
            .rows()
            .into_iter()
            .map(|row| {
                let (left, right) = (whole(row[0])?, whole(row[1])?);
                Ok(Merge { left, right, height: row[2], size: whole(row[3])? })
            })
            .collect::<Result<Vec<Merge>>>()?;
        Dendrogram::new(merges.len() + 1, merges)
    }

    /// SciPy's matrix: shape `(n_leaves − 1, 4)` of left, right, height and size.
    #[must_use]
    pub fn to_array(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.merges.len(), 4), |(i, j)| {
            let merge = &self.merges[i];
            match j {
                0 => merge.left as f64,
                1 => merge.right as f64,
                2 => merge.height,
                _ => merge.size as f64,
            }
        })
    }

    /// How many rows there are.
    #[must_use]
    pub fn n_leaves(&self) -> usize {
        self.n_leaves
    }

    /// The merges, the last of which holds all rows; none for a single row.
    #[must_use]
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The heights of the merges, in their order.
    #[must_use]
    pub fn heights(&self) -> Vec<f64> {
        self.merges.iter().map(|merge| merge.height).collect()
    }

    /// True when no merge is lower than the one before it.
    #[must_use]
    pub fn is_monotone(&self) -> bool {
        self.merges.windows(2).all(|pair| pair[0].height <= pair[1].height)
    }

    /// The rows from left to right, so that no lines of a drawn tree cross: SciPy's
    /// `leaves_list`.
    #[must_use]
    pub fn leaf_order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.n_leaves);
        let mut left_to_visit = vec![self.n_leaves + self.merges.len() - 1];
        while let Some(cluster) = left_to_visit.pop() {
            match cluster.checked_sub(self.n_leaves) {
                None => order.push(cluster),
                Some(at) => {
                    let merge = &self.merges[at];
                    left_to_visit.extend([merge.right, merge.left]);
                }
            }
        }
        order
    }

    /// For each pair of rows the height at which they are first in one cluster, in the
    /// order of [`condensed_distances`](super::condensed_distances). There are
    /// `n_leaves (n_leaves − 1) / 2`.
    #[must_use]
    pub fn cophenetic_distances(&self) -> Vec<f64> {
        let n = self.n_leaves;
        let order = self.leaf_order();
        let mut place = vec![0; n];
        for (at, &leaf) in order.iter().enumerate() {
            place[leaf] = at;
        }
        // each cluster is a stretch of the order; the left part of a merge comes first
        let mut first = place;
        let mut distances = vec![0.0; n * (n - 1) / 2];
        for merge in &self.merges {
            let (start, middle) = (first[merge.left], first[merge.right]);
            first.push(start);
            for &a in &order[start..middle] {
                for &b in &order[middle..start + merge.size] {
                    distances[position(n, a, b)] = merge.height;
                }
            }
        }
        distances
    }

    /// Correlation (Pearson) of the rows' distances with the heights at which they are
    /// joined (Sokal & Rohlf 1962): near 1 when the tree tells the distances well.
    ///
    /// `distances` are those of all pairs, as
    /// [`condensed_distances`](super::condensed_distances) gives them.
    ///
    /// # Errors
    /// When there are not `n_leaves (n_leaves − 1) / 2` distances, or one is NaN, infinite
    /// or negative; when all distances or all heights are equal.
    pub fn cophenetic_correlation(&self, distances: &[f64]) -> Result<f64> {
        check_condensed(distances, self.n_leaves)?;
        let undefined = |reason: &'static str| {
            Err(Error::undefined("the cophenetic correlation", reason))
        };
        let heights = self.cophenetic_distances();
        let constant = |values: &[f64]| values.windows(2).all(|w| w[0] == w[1]);
        if constant(distances) {
            return undefined("all distances are equal");
        }
        if constant(&heights) {
            return undefined("all heights are equal");
        }
        // Both are taken relative to their largest, so that no square overflows or is 0.
        let scaled = |values: &[f64]| -> Vec<f64> {
            let largest = values.iter().copied().fold(0.0, f64::max);
            values.iter().map(|x| x / largest).collect()
        };
        let (a, b) = (scaled(distances), scaled(&heights));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mean_a, mean_b) = (mean(&a), mean(&b));
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for (a, b) in a.iter().map(|a| a - mean_a).zip(b.iter().map(|b| b - mean_b)) {
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        if aa == 0.0 || bb == 0.0 {
            return undefined("distances or heights are equal but for rounding");
        }
        Ok((ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0))
    }
}

/// The newest cluster that holds a slot; paths are halved on the way.
pub(super) fn find(parent: &mut [usize], mut slot: usize) -> usize {
    while parent[slot] != slot {
        parent[slot] = parent[parent[slot]];
        slot = parent[slot];
    }
    slot
}
