//! From a dendrogram to clusters.

use super::dendrogram::{Dendrogram, Merge};
use crate::error::{Error, ErrorKind, Result};

/// Clusters are numbered from 0, in the order of their first rows.
impl Dendrogram {
    /// The cluster of each row when the last `k − 1` merges are undone: exactly `k`
    /// clusters, also where heights tie or, for centroid and median linkage, decrease.
    ///
    /// # Errors
    /// When `k` is not between 1 and the number of rows.
    pub fn cut_number(&self, k: usize) -> Result<Vec<usize>> {
        if k == 0 || k > self.n_leaves() {
            let expected = format!("between 1 and {}", self.n_leaves());
            return Err(Error::parameter("n_clusters", expected, k));
        }
        let kept = self.n_leaves() - k;
        Ok(self.labels(|at| at < kept))
    }

    /// The cluster of each row when merges above `height` are undone: rows of one cluster
    /// are joined at or below it. Where heights decrease, a cluster is kept when none of
    /// the merges inside it is above; this is `criterion="distance"` of SciPy's
    /// `fcluster`.
    ///
    /// # Errors
    /// When the height is NaN.
    pub fn cut_height(&self, height: f64) -> Result<Vec<usize>> {
        if height.is_nan() {
            return Err(Error::parameter("height", "a number", height));
        }
        let kept = self.kept_below(height);
        Ok(self.labels(|at| kept[at]))
    }

    /// The clusters that exist across the widest range of heights: as
    /// [`cut_number`](Dendrogram::cut_number) with the number that
    /// [`largest_gap`](Dendrogram::largest_gap) gives.
    ///
    /// # Errors
    /// As [`largest_gap`](Dendrogram::largest_gap).
    pub fn cut_largest_gap(&self) -> Result<Vec<usize>> {
        self.cut_number(self.largest_gap()?)
    }

    /// The number of clusters that exists across the widest range of heights: that between
    /// the two successive merges whose heights differ most. At least 2, and less than the
    /// number of rows; of equal gaps the one with fewer clusters.
    ///
    /// It is a rule of thumb. It always finds groups, also where there are none, and
    /// never finds one group only.
    ///
    /// # Errors
    /// When there are fewer than three rows, or no merge is higher than the one before.
    pub fn largest_gap(&self) -> Result<usize> {
        if self.n_leaves() < 3 {
            let (what, found) = ("rows".into(), self.n_leaves());
            return Err(ErrorKind::TooFewRows { what, needed: 3, found }.into());
        }
        let (mut best, mut widest) = (None, 0.0);
        for (at, pair) in self.merges().windows(2).enumerate() {
            let gap = pair[1].height - pair[0].height;
            if gap > 0.0 && gap >= widest {
                (best, widest) = (Some(self.n_leaves() - at - 1), gap);
            }
        }
        best.ok_or_else(|| {
            Error::undefined("the largest gap", "no merge is higher than the one before")
        })
    }

    /// For each merge, whether it and all merges inside are at or below a height.
    fn kept_below(&self, height: f64) -> Vec<bool> {
        let n = self.n_leaves();
        let mut kept: Vec<bool> = Vec::with_capacity(self.merges().len());
        for merge in self.merges() {
            let holds = |child: usize| child.checked_sub(n).is_none_or(|at| kept[at]);
            kept.push(merge.height <= height && holds(merge.left) && holds(merge.right));
        }
        kept
    }

    /// The clusters that remain when only some merges are made. A merge is made only if
    /// those inside it are.
    fn labels(&self, made: impl Fn(usize) -> bool) -> Vec<usize> {
        let n = self.n_leaves();
        let mut top: Vec<usize> = (0..n + self.merges().len()).collect();
        for (at, merge) in self.merges().iter().enumerate().rev() {
            if made(at) {
                top[merge.left] = top[n + at];
                top[merge.right] = top[n + at];
            }
        }
        let mut number = vec![None; top.len()];
        let mut next = 0;
        top[..n]
            .iter()
            .map(|&cluster| {
                *number[cluster].get_or_insert_with(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect()
    }

    /// The tree above a cut, whose leaves are the clusters `0..k` of `labels`, and for each
    /// of these the height at which its rows are joined (0 for a single row).
    pub(super) fn above(&self, labels: &[usize], k: usize) -> (Dendrogram, Vec<f64>) {
        let mut cluster: Vec<usize> = labels.to_vec();
        let mut heights = vec![0.0; k];
        let mut sizes = vec![1; k];
        let mut merges: Vec<Merge> = Vec::with_capacity(k.saturating_sub(1));
        for merge in self.merges() {
            let (a, b) = (cluster[merge.left], cluster[merge.right]);
            if a == b {
                heights[a] = merge.height;
                cluster.push(a);
            } else {
                let size = sizes[a] + sizes[b];
                let (left, right) = (a.min(b), a.max(b));
                cluster.push(k + merges.len());
                sizes.push(size);
                merges.push(Merge { left, right, height: merge.height, size });
            }
        }
        (Dendrogram::of_checked(k, merges), heights)
    }
}
