//! Hierarchical clustering: a tree of merges, cut into segments.
//!
//! [`Hierarchical`] fits a table and gives a [`HierarchicalModel`], which assigns and
//! explains like any segmenter. [`linkage`](linkage()) works on a matrix and gives the whole
//! [`Dendrogram`]; [`linkage_from_distances`] takes distances of any origin. [`Linkage`]
//! lists the seven ways to compare clusters, with their formulas.
//!
//! | linkage | algorithm | memory |
//! |---|---|---|
//! | single | minimum spanning tree | the rows |
//! | ward, beyond 2048 rows | chain of nearest neighbours on centroids | the rows |
//! | complete, average, weighted, ward | chain of nearest neighbours | all pairs |
//! | centroid, median | nearest neighbours in a heap | all pairs |
//!
//! Rows beyond what a linkage can take become [micro-clusters](micro) first.
//!
//! All take time in proportion to the square of the number of rows, centroid and median
//! linkage in usual cases. Memory is counted before it is taken, and refused beyond a
//! limit.

mod agglomerate;
mod chain;
mod condensed;
mod config;
mod cut;
mod dendrogram;
mod generic;
mod heap;
mod kd_tree;
mod learn;
mod linkage;
pub mod micro;
mod model;
mod reference;
mod saved;
mod spanning;
mod step;

pub use self::agglomerate::{
    DEFAULT_MEMORY_LIMIT, condensed_distances, linkage, linkage_from_distances,
    linkage_with,
};
pub use self::config::{AssignRule, Cut, Hierarchical};
pub use self::dendrogram::{Dendrogram, Merge};
pub use self::linkage::Linkage;
pub use self::model::HierarchicalModel;
pub use self::saved::HierarchicalRepr;
