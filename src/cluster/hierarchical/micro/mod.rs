//! Micro-clusters: hierarchical segments of more rows than a linkage can take.
//!
//! A [`CfTree`] reads rows once and keeps a bounded number of micro-clusters, each as a
//! [`ClusterFeature`]: weight, mean, and sum of squared deviations. Trees of parts merge,
//! and a tree can be saved and continued. Ward's linkage of the [`MicroClusters`] is exact
//! but for what is inside them. [`Betula`] puts it together: it fits a table and gives a
//! [`HierarchicalModel`](super::HierarchicalModel).
//!
//! Time is proportional to the number of rows; memory to the number of micro-clusters, and
//! to the labels where rows are labelled.

mod clusters;
mod config;
mod feature;
mod learn;
mod node;
mod options;
mod saved;
mod tree;

pub use self::clusters::MicroClusters;
pub use self::config::Betula;
pub use self::feature::ClusterFeature;
pub use self::options::{Absorb, CfOptions};
pub use self::tree::CfTree;
