//! Hierarchical clustering.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail")]
#![allow(clippy::disallowed_methods, reason = "tests on real data read files")]

mod linkage;
mod model;
mod threads;
mod tree;

use ndarray::Array2;
use proptest::prelude::*;
use segmenta::cluster::hierarchical::Linkage;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// The same groups, whatever their numbers.
fn same_partition(a: &[usize], b: &[usize]) -> bool {
    let pairs = |i: usize| (0..i).map(move |j| (i, j));
    a.len() == b.len()
        && (0..a.len()).flat_map(pairs).all(|(i, j)| (a[i] == a[j]) == (b[i] == b[j]))
}

/// Rows without ties, for all practical purposes.
fn rows(n: std::ops::Range<usize>) -> impl Strategy<Value = Array2<f64>> {
    (n, 1..4_usize).prop_flat_map(|(n, p)| {
        prop::collection::vec(-10.0..10.0_f64, n * p)
            .prop_map(move |x| Array2::from_shape_vec((n, p), x).unwrap())
    })
}

/// Rows on a small grid: many ties and duplicates.
fn tied_rows() -> impl Strategy<Value = Array2<f64>> {
    (1..16_usize, 1..3_usize).prop_flat_map(|(n, p)| {
        prop::collection::vec(0..4_i32, n * p).prop_map(move |x| {
            Array2::from_shape_vec((n, p), x.into_iter().map(f64::from).collect())
                .unwrap()
        })
    })
}

fn any_linkage() -> impl Strategy<Value = Linkage> {
    prop::sample::select(Linkage::ALL.to_vec())
}
