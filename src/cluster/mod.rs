//! Segments learned from data.

pub mod hierarchical;
pub mod kmeans;
