//! Is this a good segmentation?
//!
//! Two segmentations of the same customers are compared by [`adjusted_rand_score`],
//! [`adjusted_mutual_info_score`] and their kin, all of which are methods of a
//! [`ContingencyTable`], whose counts can be gathered in parts and merged. One
//! segmentation is held against the customers' features by [`silhouette_score`],
//! [`davies_bouldin_score`] and the other internal scores; for very many rows
//! [`sampled_silhouette_score`] estimates the silhouette and tells its error. [`choose_n_clusters`] puts the
//! internal scores of several numbers of segments side by side,
//! [`choose_n_clusters_against`] also their agreement with a known segmentation, and
//! [`gap_statistic`] is the one that can also say: a single one.
//!
//! Labels are slices of anything that has an order: `Option<SegmentIndex>` as
//! [`Fitted::labels`](crate::segmenter::Fitted::labels) gives them, integers in any
//! range, strings. Only which rows share a label counts. `None` is a label like any
//! other: leave those rows out before, if customers without a segment should not count.
//!
//! A score that has no value for an input is an error of kind
//! [`Undefined`](crate::error::ErrorKind::Undefined), never a made-up number. Identical
//! partitions agree perfectly by definition: every index of agreement is 1 for them.
//!
//! ```
//! use segmenta::metrics::{adjusted_rand_score, silhouette_score};
//! use segmenta::ndarray::array;
//!
//! let x = array![[1.0, 1.0], [1.0, 2.0], [8.0, 8.0], [9.0, 8.0]];
//! let fitted = [0, 0, 1, 1];
//! assert!(silhouette_score(x.view(), &fitted)? > 0.8);
//! assert_eq!(adjusted_rand_score(&["b", "b", "a", "a"], &fitted)?, 1.0);
//! # Ok::<(), segmenta::Error>(())
//! ```

mod choose;
mod contingency;
mod dispersion;
mod dunn;
mod gap;
mod information;
mod labels;
mod pair_counting;
mod panels;
mod points;
mod silhouette;
mod sums;

pub use self::choose::{
    ChoiceColumn, ChoiceRow, ChoiceTable, Criterion, Score, choose_n_clusters,
    choose_n_clusters_against,
};
pub use self::contingency::ContingencyTable;
pub use self::dispersion::{calinski_harabasz_score, davies_bouldin_score, inertia};
pub use self::dunn::dunn_index;
pub use self::gap::{GapRow, GapTable, gap_statistic};
pub use self::information::{
    AverageMethod, VMeasure, adjusted_mutual_info_score,
    homogeneity_completeness_v_measure, mutual_info_score, normalized_mutual_info_score,
    v_measure_score, variation_of_information,
};
pub use self::pair_counting::{
    PairCounts, adjusted_rand_score, fowlkes_mallows_score, pair_jaccard_score,
    rand_score,
};
pub use self::silhouette::{
    SampledSilhouette, sampled_silhouette_score, silhouette_samples,
    silhouette_samples_from_distances, silhouette_score, simplified_silhouette,
};
