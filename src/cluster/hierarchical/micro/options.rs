//! The parameters of a tree of cluster features.

use serde::{Deserialize, Serialize};

use super::feature::increase;
use crate::error::{Error, Result};

/// What is compared with the threshold `T` before two clusters become one. With the
/// symbols of [`ClusterFeature`](super::ClusterFeature), and
/// `Δ = (w₁ w₂ / w) ‖μ₁ − μ₂‖²`:
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Absorb {
    /// The radius of the result: `√((S₁ + S₂ + Δ) / w) ≤ T`, the criterion of BIRCH (Zhang,
    /// Ramakrishnan & Livny 1996, §4). Micro-clusters are of one size in space; a row far
    /// from others is one of its own.
    Radius,
    /// The growth of the sum of squares: `√Δ ≤ T`, their distance D4. It is the height of
    /// Ward's linkage but for the factor √2: clusters may merge that Ward would merge
    /// below `√2 T`. Light clusters merge sooner than heavy ones, and less of the sum of
    /// squares is lost inside as many micro-clusters.
    #[default]
    VarianceIncrease,
}

impl Absorb {
    /// The criterion, squared.
    #[inline(always)]
    pub(super) fn cost(self, a: (f64, f64), b: (f64, f64), square: f64) -> f64 {
        let ((weight_a, deviation_a), (weight_b, deviation_b)) = (a, b);
        let increase = increase(weight_a, weight_b, square);
        match self {
            Absorb::Radius => {
                (deviation_a + deviation_b + increase) / (weight_a + weight_b)
            }
            Absorb::VarianceIncrease => increase,
        }
    }
}

/// How a [`CfTree`](super::CfTree) grows.
///
/// ```
/// use segmenta::cluster::hierarchical::micro::{CfOptions, CfTree};
///
/// let options = CfOptions::new().threshold(0.1).max_leaves(1000);
/// let tree = CfTree::new(3, options)?;
/// assert_eq!((tree.n_columns(), tree.threshold()), (3, 0.1));
/// assert!(CfTree::new(3, CfOptions::new().branching(1)).is_err());
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CfOptions {
    threshold: f64,
    branching: usize,
    leaf_capacity: usize,
    max_leaves: usize,
    absorb: Absorb,
}

impl Default for CfOptions {
    fn default() -> CfOptions {
        CfOptions {
            threshold: 0.0,
            branching: 32,
            leaf_capacity: 32,
            max_leaves: 4096,
            absorb: Absorb::VarianceIncrease,
        }
    }
}

impl CfOptions {
    /// Threshold 0, at most 32 entries a node, at most 4096 micro-clusters, and
    /// [`Absorb::VarianceIncrease`].
    #[must_use]
    pub fn new() -> CfOptions {
        CfOptions::default()
    }

    /// The threshold to begin with; 0 unless told otherwise, which joins equal rows only.
    /// It grows as the number of micro-clusters requires.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> CfOptions {
        self.threshold = threshold;
        self
    }

    /// The largest number of children of a node above the leaves, 2 to 256; 32 unless
    /// told otherwise.
    #[must_use]
    pub fn branching(mut self, branching: usize) -> CfOptions {
        self.branching = branching;
        self
    }

    /// The largest number of micro-clusters of a node without children, 2 to 256; 32
    /// unless told otherwise.
    #[must_use]
    pub fn leaf_capacity(mut self, capacity: usize) -> CfOptions {
        self.leaf_capacity = capacity;
        self
    }

    /// The largest number of micro-clusters, at least 2; 4096 unless told otherwise.
    /// Beyond, the threshold grows and the tree is built anew from its micro-clusters.
    #[must_use]
    pub fn max_leaves(mut self, number: usize) -> CfOptions {
        self.max_leaves = number;
        self
    }

    /// When two clusters become one.
    #[must_use]
    pub fn absorb(mut self, absorb: Absorb) -> CfOptions {
        self.absorb = absorb;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(self.threshold.is_finite() && self.threshold >= 0.0) {
            let expected = "finite and not negative";
            return Err(Error::parameter("threshold", expected, self.threshold));
        }
        for (name, found) in
            [("branching", self.branching), ("leaf_capacity", self.leaf_capacity)]
        {
            if !(2..=256).contains(&found) {
                return Err(Error::parameter(name, "between 2 and 256", found));
            }
        }
        if self.max_leaves < 2 || u32::try_from(self.max_leaves).is_err() {
            let expected = "between 2 and 2^32 - 1";
            return Err(Error::parameter("max_leaves", expected, self.max_leaves));
        }
        Ok(())
    }

    pub(super) fn first_threshold(&self) -> f64 {
        self.threshold
    }

    pub(super) fn branches(&self) -> usize {
        self.branching
    }

    pub(super) fn leaves(&self) -> usize {
        self.leaf_capacity
    }

    pub(super) fn limit(&self) -> usize {
        self.max_leaves
    }

    pub(super) fn criterion(&self) -> Absorb {
        self.absorb
    }
}
