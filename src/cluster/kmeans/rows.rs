//! The rows that are clustered, and what must be known of them beforehand.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::data::check_weights;
use crate::error::{Error, ErrorKind, Result};

/// Rows of a matrix with their weights: at least one row and one column, finite values,
/// finite weights that are not negative.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    data: &'a [f64],
    n_columns: usize,
    weights: Option<&'a [f64]>,
}

impl<'a> Rows<'a> {
    /// Of row-major `data` of this shape.
    pub(super) fn new(
        data: &'a [f64],
        (n_rows, n_columns): (usize, usize),
        weights: Option<&'a [f64]>,
    ) -> Result<Rows<'a>> {
        if n_columns == 0 {
            return Err(Error::parameter("x", "a matrix with columns", "one without"));
        }
        if let Some(at) = data.iter().position(|x| !x.is_finite()) {
            return Err(ErrorKind::Value {
                expected: format!("a finite number (column {})", at % n_columns).into(),
                found: data[at].to_string(),
                row: Some(at / n_columns),
            }
            .into());
        }
        if let Some(weights) = weights {
            check_weights("`sample_weight`", weights, n_rows)?;
        }
        Ok(Rows { data, n_columns, weights })
    }

    pub(super) fn len(&self) -> usize {
        self.data.len() / self.n_columns
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub(super) fn row(&self, i: usize) -> &'a [f64] {
        &self.data[i * self.n_columns..(i + 1) * self.n_columns]
    }

    pub(super) fn weight(&self, i: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[i])
    }

    fn iter(&self) -> impl Iterator<Item = &'a [f64]> {
        self.data.chunks_exact(self.n_columns)
    }

    /// How many different rows of positive weight there are, counted up to `enough`.
    pub(super) fn count_distinct(&self, enough: usize) -> usize {
        let mut seen = BTreeSet::new();
        for (i, row) in self.iter().enumerate() {
            if seen.len() == enough {
                break;
            }
            if self.weight(i) > 0.0 {
                seen.insert(Lexicographic(row));
            }
        }
        seen.len()
    }

    /// Checks that no sum over these rows and `centers` can overflow: neither of weighted
    /// values nor of weighted squared distances.
    pub(super) fn check_range(&self, centers: &[f64]) -> Result<()> {
        let p = self.n_columns;
        let mut low = self.row(0).to_vec();
        let mut high = low.clone();
        for row in self.iter().chain(centers.chunks_exact(p)) {
            for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(row) {
                *low = low.min(x);
                *high = high.max(x);
            }
        }
        let weight: f64 = (0..self.len()).map(|i| self.weight(i)).sum();
        let times = weight.max(self.len() as f64);
        let reach = low.iter().chain(&high).fold(0.0_f64, |reach, x| reach.max(x.abs()));
        let span: f64 = low.iter().zip(&high).map(|(l, h)| (h - l) * (h - l)).sum();
        if (reach * times).is_finite() && (span * times).is_finite() {
            return Ok(());
        }
        Err(Error::undefined(
            "the sum of squared distances",
            "values or weights are so large that it exceeds the largest number",
        ))
    }

    /// Mean over the columns of their variances (divisor n), without regard to weights.
    pub(super) fn mean_variance(&self) -> f64 {
        let n = self.len() as f64;
        let mut means = vec![0.0; self.n_columns];
        for row in self.iter() {
            means.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
        }
        means.iter_mut().for_each(|mean| *mean /= n);
        let mut sum = 0.0;
        for row in self.iter() {
            sum += crate::distance::squared_euclidean(row, &means);
        }
        sum / n / self.n_columns as f64
    }
}

/// Finite rows in the order of their first difference; −0 equals 0.
#[derive(Clone, Copy, Debug)]
struct Lexicographic<'a>(&'a [f64]);

impl Ord for Lexicographic<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Lexicographic<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Lexicographic<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Lexicographic<'_> {}
