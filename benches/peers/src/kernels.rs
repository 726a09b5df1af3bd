//! The calls of segmenta, one function each: what the worker and the growth tables run.

use segmenta::Result;
use segmenta::cluster::hierarchical::{Dendrogram, Linkage, linkage_with};
use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel, KMeansResult};
use segmenta::data::{FeatureSpec, Schema};
use segmenta::encode::FittedEncoder;
use segmenta::metrics;
use segmenta::ndarray::{Array2, ArrayView2};
use segmenta::segmenter::SegmentIndex;

/// The number that data given as `f32` is kept as, and clustered as.
pub type Narrow = f32;

/// Its name in the results.
pub const NARROW: &str = "f32";

/// `max_iter` iterations from given centres, or fewer where no label changes any more.
pub fn kmeans(
    x: ArrayView2<'_, f64>,
    init: &Array2<f64>,
    max_iter: usize,
) -> Result<KMeansResult> {
    KMeans::new(init.nrows())
        .init(Init::Centers(init.clone()))
        .tol(0.0)
        .max_iter(max_iter)
        .fit_matrix(x, None, &mut ())
}

/// The same on [`Narrow`] numbers.
pub fn kmeans_narrow(
    x: ArrayView2<'_, Narrow>,
    init: &Array2<f64>,
    max_iter: usize,
) -> Result<KMeansResult> {
    KMeans::new(init.nrows())
        .init(Init::Centers(init.clone()))
        .tol(0.0)
        .max_iter(max_iter)
        .fit_matrix_f32(x, None, &mut ())
}

/// Starts by k-means++, the default tolerance and number of iterations.
pub fn kmeans_default(
    x: ArrayView2<'_, f64>,
    k: usize,
    n_init: usize,
    seed: u64,
) -> Result<KMeansResult> {
    KMeans::new(k).n_init(n_init).seed(seed).fit_matrix(x, None, &mut ())
}

/// A model of given centres.
pub fn kmeans_model(centers: Array2<f64>) -> Result<KMeansModel> {
    let columns = (0..centers.ncols()).map(|j| FeatureSpec::number(format!("x{j}")));
    let encoder = FittedEncoder::identity(&Schema::new(columns)?)?;
    KMeansModel::from_centers(encoder, centers)
}

/// The segment of each row.
pub fn assign(model: &KMeansModel, x: ArrayView2<'_, f64>) -> Result<Vec<SegmentIndex>> {
    model.assign_matrix(x)
}

/// Distances included; as much memory as it takes.
pub fn linkage(x: ArrayView2<'_, f64>, linkage: Linkage) -> Result<Dendrogram> {
    linkage_with(x, linkage, None, u64::MAX, &mut ())
}

/// Over all pairs of rows.
pub fn silhouette(x: ArrayView2<'_, f64>, labels: &[i32]) -> Result<f64> {
    metrics::silhouette_score(x, labels)
}

/// To the centroids only.
pub fn simplified_silhouette(x: ArrayView2<'_, f64>, labels: &[i32]) -> Result<f64> {
    metrics::simplified_silhouette(x, labels)
}
