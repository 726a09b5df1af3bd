//! Peers in Rust: linfa and kodama.

use kodama::Method;
use linfa::DatasetBase;
use linfa::prelude::{Fit, Predict};
use linfa_clustering::{KMeans, KMeansInit};
use segmenta::ndarray::{Array2, ArrayView2};

use crate::Result;

/// linfa's own kind of matrix.
pub type LinfaMatrix = ndarray::Array2<f64>;

/// A copy as linfa takes it.
pub fn linfa_matrix(x: &Array2<f64>) -> Result<LinfaMatrix> {
    Ok(LinfaMatrix::from_shape_vec(x.dim(), x.iter().copied().collect())?)
}

/// `max_iter` iterations from given centres. linfa stops earlier where the centres stand
/// still, for it takes no tolerance of 0.
pub fn linfa_kmeans(
    x: &LinfaMatrix,
    init: &LinfaMatrix,
    max_iter: usize,
) -> Result<LinfaMatrix> {
    let data = DatasetBase::from(x.view());
    let model = KMeans::params(init.nrows())
        .n_runs(1)
        .max_n_iterations(max_iter as u64)
        .tolerance(f64::MIN_POSITIVE)
        .init_method(KMeansInit::Precomputed(init.clone()))
        .fit(&data)?;
    Ok(model.centroids().clone())
}

/// Labels and inertia of the rows for linfa's centres.
pub fn linfa_labels(x: &LinfaMatrix, centers: &LinfaMatrix) -> Result<(Vec<i32>, f64)> {
    let model = KMeans::params(centers.nrows())
        .n_runs(1)
        .max_n_iterations(1)
        .init_method(KMeansInit::Precomputed(centers.clone()))
        .fit(&DatasetBase::from(centers.view()))?;
    let labels = model.predict(x);
    let squares = x.rows().into_iter().zip(&labels).map(|(row, &label)| {
        let differences = row.iter().zip(centers.row(label)).map(|(a, b)| a - b);
        differences.map(|d| d * d).sum::<f64>()
    });
    Ok((labels.iter().map(|&label| label as i32).collect(), squares.sum()))
}

/// Heights of kodama's dendrogram; it takes distances, which are computed here.
pub fn kodama_heights(x: ArrayView2<'_, f64>, method: Method) -> Vec<f64> {
    let n = x.nrows();
    let mut distances = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    let rows: Vec<&[f64]> =
        x.rows().into_iter().filter_map(|row| row.to_slice()).collect();
    for (i, a) in rows.iter().enumerate() {
        distances.extend(rows[i + 1..].iter().map(|b| {
            let squares = a.iter().zip(*b).map(|(a, b)| (a - b) * (a - b));
            squares.sum::<f64>().sqrt()
        }));
    }
    let tree = kodama::linkage(&mut distances, n, method);
    tree.steps().iter().map(|step| step.dissimilarity).collect()
}
