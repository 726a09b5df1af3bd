//! Distances between rows of a matrix, added up in the order of the columns.

/// Sum of squared differences. Rows have the same length.
#[inline]
pub(crate) fn squared_euclidean(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}
