//! Hierarchical clustering.
