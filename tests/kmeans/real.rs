//! The McDonald's survey.

use segmenta::cluster::kmeans::KMeans;
use segmenta::data::Table;
use segmenta::encode::Encoder;
use segmenta::ndarray::Array2;
use segmenta::{Fit, Segmenter};

use super::*;

/// McDonald's survey (Dolnicar, Grün & Leisch 2018, appendix C): eleven yes-or-no
/// answers of 1453 people.
fn mcdonalds() -> Array2<f64> {
    let folder = std::env::var("SEGMENTA_DATA").expect("SEGMENTA_DATA is not set");
    let path = format!("{folder}/mcdonalds/mcdonalds.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let cells: Vec<f64> = text
        .lines()
        .skip(1)
        .flat_map(|line| line.split(',').take(11))
        .map(|cell| f64::from(u8::from(cell == "Yes")))
        .collect();
    let x = Array2::from_shape_vec((cells.len() / 11, 11), cells).unwrap();
    assert_eq!(x.nrows(), 1453);
    x
}

/// The least sums of squares that many restarts of R 4.2.2's `kmeans` and of flexclust
/// 1.5.0 found for k = 2 … 8.
const BEST_KNOWN: [f64; 7] = [
    2145.503727,
    1818.700649,
    1602.907528,
    1434.606097,
    1325.130116,
    1245.807818,
    1170.166665,
];

/// They are reached, and from k = 4 on surpassed: this survey has thousands of optima.
/// The seeds were searched for, to spare the thousands of runs that find the same from
/// any seed; the sums are checked by the naive twin.
#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_restarts_reach_the_best_known_sums_of_squares() {
    let x = mcdonalds();
    let ones = vec![1.0; x.nrows()];
    let runs = [
        (0, 3, 2145.503727),
        (163, 10, 1818.700649),
        (5, 10, 1602.899456),
        (282, 3, 1434.601194),
        (18, 10, 1325.087573),
        (122, 10, 1241.367094),
        (90, 10, 1164.584680),
    ];
    for (k, ((seed, n_init, least), best)) in (2..).zip(runs.into_iter().zip(BEST_KNOWN))
    {
        let kmeans = KMeans::new(k).n_init(n_init).seed(seed).tol(0.0);
        let result = fit(&kmeans, x.view(), None);
        assert!((result.inertia - least).abs() < 1e-6, "k = {k}: {}", result.inertia);
        assert!(result.inertia <= best + 1e-6);
        let (labels, _, inertia) = naive(&x, &ones, &result.centers).unwrap();
        assert_eq!(labels, result.labels);
        assert!(close(inertia, least, 1e-9));
    }
}

#[test]
#[ignore = "needs SEGMENTA_DATA"]
fn real_the_best_known_segments_are_a_fixed_point() {
    let x = mcdonalds();
    // Yes-answers of the best known partition into 4, by segment (R 4.2.2, flexclust
    // 1.5.0), and the segments' sizes.
    let sizes = [580.0, 241.0, 324.0, 308.0];
    let yes = [
        [515.0, 569.0, 50.0, 461.0, 191.0, 557.0, 535.0, 566.0, 10.0, 186.0, 25.0],
        [5.0, 164.0, 20.0, 221.0, 170.0, 180.0, 16.0, 21.0, 215.0, 15.0, 176.0],
        [276.0, 311.0, 43.0, 293.0, 200.0, 278.0, 35.0, 302.0, 291.0, 66.0, 34.0],
        [7.0, 275.0, 23.0, 285.0, 204.0, 293.0, 284.0, 47.0, 4.0, 22.0, 118.0],
    ];
    let centers = Array2::from_shape_fn((4, 11), |(c, j)| yes[c][j] / sizes[c]);
    let result = fit(&from(centers.clone()), x.view(), None);
    assert_eq!(result.n_iter, 1);
    assert!(result.converged);
    assert_eq!(result.centers, centers);
    assert!((result.inertia - BEST_KNOWN[2]).abs() < 1e-5);

    let schema = number_schema(11);
    let table = Table::from_array(&schema, x.view()).unwrap();
    let kmeans = from(centers).encoder(Encoder::unscaled());
    let fitted = kmeans.fit(&table).unwrap();
    check_model(&fitted, &table);
    let sizes: Vec<_> = fitted.model().segments().iter().map(|s| s.size).collect();
    assert_eq!(sizes, [580, 324, 308, 241].map(Some));
    assert_eq!(fitted.report().seed, None);
}
