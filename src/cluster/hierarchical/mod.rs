//! Hierarchical clustering: a tree of merges, cut into segments.
//!
//! [`Hierarchical`] fits a table and gives a [`HierarchicalModel`], which assigns and
//! explains like any segmenter. [`linkage`](linkage()) works on a matrix and gives the whole
//! [`Dendrogram`]; [`linkage_from_distances`] takes distances of any origin. [`Linkage`]
//! lists the seven ways to compare clusters, with their formulas.
//!
//! | linkage | algorithm | memory |
//! |---|---|---|
//! | single, up to 12 columns | spanning tree, by rounds in nested boxes | the rows |
//! | single | spanning tree, grown from one row | the rows |
//! | ward of rows, beyond 2048 | rounds of reciprocal neighbours among centroids | the rows |
//! | complete, average, weighted, ward | chain of nearest neighbours | all pairs |
//! | the same, beyond 2048 rows | rounds of reciprocal nearest neighbours | all pairs, at most |
//! | centroid, median | nearest neighbours in a heap | all pairs |
//!
//! In few columns, or where rows are in groups, single and Ward's linkage take time little
//! more than in proportion to the rows: a tree of boxes rules most of them out. In many
//! columns without groups nothing can be ruled out, and they take time in proportion to
//! the square of the rows, as the others do, centroid and median linkage in usual cases.
//! Memory is counted before it is taken, and refused beyond a limit.
//!
//! Rows beyond what a linkage can take become [micro-clusters](micro) first.

mod agglomerate;
mod boruvka;
mod boxes;
mod chain;
mod condensed;
mod config;
mod cut;
mod dendrogram;
mod distinct;
mod estimate;
mod generic;
mod heap;
mod kd_tree;
mod learn;
mod linkage;
pub mod micro;
mod model;
mod nearest;
#[cfg(test)]
mod oracle;
mod packed;
mod prim;
mod reference;
mod rounds;
mod saved;
mod spanning;
mod step;
mod ward;

pub use self::agglomerate::{
    DEFAULT_MEMORY_LIMIT, condensed_distances, linkage, linkage_from_distances,
    linkage_with,
};
pub use self::config::{AssignRule, Cut, Hierarchical};
pub use self::dendrogram::{Dendrogram, Merge};
pub use self::linkage::Linkage;
pub use self::model::HierarchicalModel;
pub use self::saved::HierarchicalRepr;
