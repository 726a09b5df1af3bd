//! Micro-clusters: cluster features, their tree, Ward's linkage of them, segments.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail")]

mod fit;
mod hostile;
mod saved;
mod tree;

use ndarray::{Array2, ArrayView2};
use segmenta::cluster::hierarchical::micro::{Absorb, CfOptions, CfTree};
use segmenta::data::{FeatureSpec, Schema, Table};
use segmenta::segmenter::SegmentIndex;

const BOTH: [Absorb; 2] = [Absorb::Radius, Absorb::VarianceIncrease];

/// Numbers in [-1, 1) that look random, of their own generator.
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// About normal, of variance 1.
fn normal(n: usize, seed: u64) -> Vec<f64> {
    noise(12 * n, seed).chunks_exact(12).map(|u| u.iter().sum::<f64>() / 2.0).collect()
}

/// `n` rows around `k` places, in an order that looks random, and their places.
fn blobs(n: usize, p: usize, k: usize, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let places = noise(k * p, seed + 1000);
    let planted: Vec<usize> = noise(n, seed + 2000)
        .into_iter()
        .map(|u| ((u + 1.0) / 2.0 * k as f64) as usize)
        .collect();
    let mut x = Array2::from_shape_vec((n, p), normal(n * p, seed)).unwrap();
    for ((i, j), x) in x.indexed_iter_mut() {
        *x += 40.0 * places[planted[i] * p + j];
    }
    (x, planted)
}

/// `n` rows of two columns, of which about `m` are distinct.
fn repeated(n: usize, m: usize, seed: u64) -> Array2<f64> {
    let base = Array2::from_shape_vec((m, 2), noise(2 * m, seed)).unwrap();
    let picked: Vec<usize> = noise(n, seed + 1)
        .into_iter()
        .map(|u| ((u + 1.0) / 2.0 * m as f64) as usize)
        .collect();
    base.select(ndarray::Axis(0), &picked)
}

fn weights(n: usize, seed: u64) -> Vec<f64> {
    noise(n, seed).into_iter().map(|u| 2.0 * u.abs() + 0.01).collect()
}

/// Weight, mean and sum of squares of rows, in two passes, all relative to the first row.
fn two_passes(x: ArrayView2<'_, f64>, w: &[f64]) -> (f64, Vec<f64>, f64) {
    let total: f64 = w.iter().sum();
    let p = x.ncols();
    let difference: Vec<f64> = (0..p)
        .map(|j| {
            (0..w.len()).map(|i| w[i] * (x[(i, j)] - x[(0, j)])).sum::<f64>() / total
        })
        .collect();
    let squares = (0..w.len())
        .map(|i| {
            let square = |j: usize| (x[(i, j)] - x[(0, j)] - difference[j]).powi(2);
            w[i] * (0..p).map(square).sum::<f64>()
        })
        .sum();
    let mean = (0..p).map(|j| x[(0, j)] + difference[j]).collect();
    (total, mean, squares)
}

fn tree(x: ArrayView2<'_, f64>, w: Option<&[f64]>, options: CfOptions) -> CfTree {
    let mut tree = CfTree::new(x.ncols(), options).unwrap();
    tree.insert_rows(x, w).unwrap();
    tree
}

fn near(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs())
}

fn schema(p: usize) -> Schema {
    Schema::new((0..p).map(|j| FeatureSpec::number(format!("x{j}")))).unwrap()
}

fn table(x: ArrayView2<'_, f64>, w: Option<Vec<f64>>) -> Table<'static> {
    let mut builder = Table::builder(&schema(x.ncols()), x.nrows());
    for (j, column) in x.columns().into_iter().enumerate() {
        builder = builder.numbers(&format!("x{j}"), column.to_vec());
    }
    if let Some(w) = w {
        builder = builder.sample_weight(w);
    }
    builder.build().unwrap()
}

fn indices(labels: &[Option<SegmentIndex>]) -> Vec<usize> {
    labels.iter().map(|label| label.unwrap().get()).collect()
}
