//! Segments learned from data.

mod contributions;
pub mod hierarchical;
pub mod kmeans;
mod order;
