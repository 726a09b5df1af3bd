//! Numbers and weights that are many orders of magnitude apart, or near the least ones.

use segmenta::Fit;
use segmenta::cluster::kmeans::{
    Algorithm, Init, KMeans, KMeansModel, KMeansResult, KMeansStep, Moments,
};
use segmenta::data::{FeatureSpec, Schema, Table};
use segmenta::encode::{Encoder, FittedEncoder};
use segmenta::ndarray::{Array2, ArrayView2, array};

fn fit(x: ArrayView2<'_, f64>, weights: &[f64], centers: Array2<f64>) -> KMeansResult {
    let n_clusters = centers.nrows();
    let all = [Algorithm::Lloyd, Algorithm::Hamerly, Algorithm::Filter];
    let fits = all.map(|algorithm| {
        let fit = KMeans::new(n_clusters).init(Init::Centers(centers.clone()));
        fit.algorithm(algorithm).tol(0.0).fit_matrix(x, Some(weights), &mut ()).unwrap()
    });
    for other in &fits[1..] {
        assert_eq!(fits[0].labels, other.labels);
        assert_eq!(fits[0].centers, other.centers);
    }
    let [fit, ..] = fits;
    fit
}

#[test]
fn a_light_row_keeps_its_place() {
    let x = array![[0.0], [1.0], [10.0], [12.0]];
    for light in [1e-5, 1e-15, 1e-20, 1e-26, 1e-30, 1e-100, 1e-250, 1e-300] {
        let weights = [1.0, 1.0, light, 3.0 * light];
        let found = fit(x.view(), &weights, array![[0.0], [1.0], [10.0]]);
        let apart = (found.centers[[2, 0]] - 11.5).abs();
        assert!(apart < 1e-14, "{light}: {:?}", found.centers);
        assert_eq!(found.labels, [0, 1, 2, 2]);
        assert!(found.converged);
    }
    // Nothing of this row is left in any sum.
    let x = array![[0.0], [1.0], [10.0]];
    let found = fit(x.view(), &[1e-100, 1.0, 1.0], x.clone());
    assert_eq!(found.centers, x);
    let found = fit(
        array![[0.0], [100.3], [101.1]].view(),
        &[1e25, 1.0, 1.0],
        array![[0.0], [100.0]],
    );
    assert!((found.centers[[1, 0]] - 100.7).abs() < 1e-13, "{:?}", found.centers);
}

#[test]
fn the_unit_of_the_weights_does_not_matter() {
    let x = array![[0.0], [1.0], [10.0], [11.0]];
    for unit in [1e-310, 1e-303, 1e-300, 1e-200, 1.0, 1e200, 1e300] {
        let found = fit(x.view(), &[unit; 4], array![[0.0], [10.0]]);
        // A product of weight and number is rounded.
        let apart =
            (found.centers[[0, 0]] - 0.5).abs().max((found.centers[[1, 0]] - 10.5).abs());
        assert!(apart < 1e-14, "{unit}: {:?}", found.centers);
        let small = x.mapv(|x| x * 1e-100);
        let found = fit(small.view(), &[unit; 4], array![[0.0], [1e-99]]);
        let apart = (found.centers[[1, 0]] - 10.5e-100).abs();
        assert!(apart < 1e-113, "{unit}: {:?}", found.centers);
    }
}

#[test]
fn a_far_row_leaves_the_others_their_centres() {
    let far = [1e10, 1e18, 1e24, 1e33, 1e60, 1e100, 1e150];
    for far in far {
        let x = array![[1.25, 0.0], [1.25, 1e-9], [10.5, 0.0], [10.5, 0.0], [far, 0.0]];
        let first = array![[1.25, 0.0], [10.5, 0.0], [far, 0.0]];
        let found = fit(x.view(), &[1.0; 5], first.clone());
        assert_eq!(
            found.centers,
            array![[1.25, 5e-10], [10.5, 0.0], [far, 0.0]],
            "{far}"
        );
        let many = Array2::from_shape_fn((9_000, 2), |(i, j)| match (i, j) {
            (8_999, 0) => far,
            (_, 0) => (i % 2) as f64 * 10.0 + 0.123,
            _ => 0.0,
        });
        let found = fit(many.view(), &vec![1.0; 9_000], first);
        assert!((found.centers[[0, 0]] - 0.123).abs() < 1e-15, "{:?}", found.centers);
        assert!((found.centers[[1, 0]] - 10.123).abs() < 1e-13, "{:?}", found.centers);
    }
}

/// A centre without rows is given one while the sums are of no use.
#[test]
fn an_empty_cluster_gets_a_row_though_others_are_light() {
    let x = array![[0.0], [1.0], [10.0]];
    let found = fit(x.view(), &[1.0, 1.0, 1e-100], array![[0.4], [500.0], [600.0]]);
    let mut centers: Vec<f64> = found.centers.iter().copied().collect();
    centers.sort_by(f64::total_cmp);
    assert_eq!(centers, [0.0, 1.0, 10.0]);
    for seed in 0..10 {
        for init in [Init::Random, Init::KMeansPlusPlus, Init::KMeansParallel] {
            let fit = KMeans::new(3).init(init).seed(seed);
            let found =
                fit.fit_matrix(x.view(), Some(&[1.0, 1.0, 1e-100]), &mut ()).unwrap();
            let mut centers: Vec<f64> = found.centers.iter().copied().collect();
            centers.sort_by(f64::total_cmp);
            assert_eq!(centers, [0.0, 1.0, 10.0]);
        }
    }
}

#[test]
fn a_table_with_light_rows_is_fitted() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let table = Table::builder(&schema, 4)
        .numbers("x", vec![0.0, 1.0, 10.0, 12.0])
        .sample_weight(vec![1.0, 1.0, 1e-40, 3e-40])
        .build()
        .unwrap();
    let init = Init::Centers(array![[0.0], [1.0], [11.0]]);
    let encoder = Encoder::unscaled();
    let fitted = KMeans::new(3).init(init).encoder(encoder).fit(&table).unwrap();
    let mut centers: Vec<f64> =
        fitted.model().cluster_centers().iter().copied().collect();
    centers.sort_by(f64::total_cmp);
    assert_eq!(centers, [0.0, 1.0, 11.5]);
}

/// A step has no rows to add up once more.
#[test]
fn a_step_says_that_light_rows_leave_nothing() {
    let x = array![[0.0], [1.0], [10.0]];
    let weights = [1.0, 1.0, 1e-100];
    let mut moments = Moments::new(1).unwrap();
    moments.add(x.view(), Some(&weights)).unwrap();
    let mut step = KMeansStep::new(&moments, array![[0.0], [10.0]].view()).unwrap();
    step.add(x.view(), Some(&weights)).unwrap();
    let error = step.finish().unwrap_err().to_string();
    assert!(error.contains("so far apart"), "{error}");
}

/// Squared distances are 0 or have few digits: they define the labels all the same.
#[test]
fn labels_are_those_of_squares_that_vanish() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    for unit in [1e-300, 1e-162, 1e-160, 1e-155, 1e-150, 1.0] {
        let number = |i: usize| (i * 7919 % 1009) as f64 / 100.0 * unit;
        let centers = Array2::from_shape_fn((7, 1), |(c, _)| number(c * 31 + 5));
        let x = Array2::from_shape_fn((300, 1), |(i, _)| number(i));
        let encoder = FittedEncoder::identity(&schema).unwrap();
        let model = KMeansModel::from_centers(encoder, centers.clone()).unwrap();
        let plain: Vec<usize> = x
            .iter()
            .map(|x| {
                let cost = |c: usize| (x - centers[[c, 0]]) * (x - centers[[c, 0]]);
                (1..7).fold(0, |a, b| if cost(b) < cost(a) { b } else { a })
            })
            .collect();
        let batch: Vec<usize> =
            model.assign_matrix(x.view()).unwrap().iter().map(|s| s.get()).collect();
        assert_eq!(batch, plain, "{unit}");
        let found = fit(x.view(), &[1.0; 300], centers.clone());
        let last: Vec<usize> = x
            .iter()
            .map(|x| {
                let apart = |c: usize| x - found.centers[[c, 0]];
                let cost = |c: usize| apart(c) * apart(c);
                (1..7).fold(0, |a, b| if cost(b) < cost(a) { b } else { a })
            })
            .collect();
        assert_eq!(found.labels, last, "{unit}");
    }
}
