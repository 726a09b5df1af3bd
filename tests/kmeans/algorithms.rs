//! Each way to find the labels gives those of the plain one, on data that make it hard.

use proptest::prelude::*;
use segmenta::cluster::kmeans::{Algorithm, Init, KMeans, KMeansModel};
use segmenta::encode::FittedEncoder;
use segmenta::ndarray::{Array2, ArrayView2, array};
use segmenta::segmenter::SegmentIndex;
use segmenta::{ErrorKind, Fit};

use super::*;

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Auto, Algorithm::Lloyd, Algorithm::Hamerly, Algorithm::Filter];

/// One step of Lloyd's algorithm from the start, again and again, with the sums of each
/// cluster added up in double double: no state is kept from one step to the next.
fn plain(x: &Array2<f64>, w: &[f64], init: &Array2<f64>, n_iter: usize) -> Plain {
    let (k, p) = init.dim();
    let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|r| r.to_vec()).collect();
    let mut centers: Vec<Vec<f64>> =
        init.rows().into_iter().map(|r| r.to_vec()).collect();
    for _ in 0..n_iter {
        let labels: Vec<usize> = rows.iter().map(|r| nearest(r, &centers).0).collect();
        for (c, center) in centers.iter_mut().enumerate().take(k) {
            let of_c: Vec<usize> = (0..rows.len()).filter(|&i| labels[i] == c).collect();
            let weight = accurate(of_c.iter().map(|&i| w[i]));
            for (j, mean) in center.iter_mut().enumerate().take(p) {
                *mean = accurate(of_c.iter().map(|&i| w[i] * rows[i][j])) / weight;
            }
        }
    }
    let labels = rows.iter().map(|r| nearest(r, &centers).0).collect();
    let inertia = rows.iter().zip(w).map(|(r, w)| w * nearest(r, &centers).1).sum();
    Plain { labels, centers, inertia }
}

struct Plain {
    labels: Vec<usize>,
    centers: Vec<Vec<f64>>,
    inertia: f64,
}

/// The sum by Neumaier's (1974) compensated summation.
fn accurate(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut rest) = (0.0_f64, 0.0);
    for x in numbers {
        let next = sum + x;
        rest += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + rest
}

fn spread(init: &Array2<f64>, n_iter: usize, algorithm: Algorithm) -> KMeans {
    from(init.clone()).tol(0.0).max_iter(n_iter).algorithm(algorithm)
}

/// All algorithms agree with each other to the bit, and with the plain steps.
fn agree(x: &Array2<f64>, w: Option<&[f64]>, k: usize, n_iter: usize) {
    let n = x.nrows();
    let places: Vec<usize> = (0..k).map(|c| c * (n / k)).collect();
    let init = x.select(Axis(0), &places);
    let results = ALGORITHMS.map(|a| fit(&spread(&init, n_iter, a), x.view(), w));
    for other in &results[1..] {
        assert_eq!(&results[0], other);
    }
    let ones = vec![1.0; n];
    let plain = plain(x, w.unwrap_or(&ones), &init, results[0].n_iter);
    assert_eq!(results[0].labels, plain.labels);
    assert_centers_close(results[0].centers.view(), matrix(&plain.centers).view(), 1e-12);
    let (found, expected) = (results[0].inertia, plain.inertia);
    // Centres that still move are no means of their rows, and one place counts at once.
    assert!(close(found, expected, 1e-10), "{found} {expected}");
}

#[test]
fn many_rows_of_many_shapes() {
    let shapes =
        [(4000, 1, 2), (3000, 2, 9), (2500, 3, 8), (2000, 16, 10), (1500, 33, 21)];
    for (at, (n, p, k)) in shapes.into_iter().enumerate() {
        let seed = at as u64;
        let flat = Array2::from_shape_vec((n, p), noise(n * p, seed + 40)).unwrap();
        for x in [flat, blobs(n, p, k, seed)] {
            agree(&x, None, k, 40);
            let w: Vec<f64> = noise(n, seed + 9).iter().map(|u| u + 1.01).collect();
            agree(&x, Some(&w), k, 25);
        }
    }
}

#[test]
fn rows_that_single_precision_cannot_tell_apart() {
    // Far from the origin; on a grid full of ties; ranges of different sizes; two heaps
    // whose inner distances are below one part in 10⁸ of the range.
    let n = 3000;
    let u = noise(n * 3, 5);
    let offset = Array2::from_shape_fn((n, 3), |(i, j)| 1e7 + u[i * 3 + j]);
    let grid = Array2::from_shape_fn((n, 3), |(i, j)| (u[i * 3 + j] * 3.0).round());
    let scales =
        Array2::from_shape_fn((n, 3), |(i, j)| u[i * 3 + j] * [1.0, 1e5, 1e-5][j]);
    let heaps = Array2::from_shape_fn((n, 3), |(i, j)| {
        f64::from(u32::from(i % 2 == 0)) + 1e-9 * u[i * 3 + j]
    });
    for x in [offset, scales, heaps] {
        agree(&x, None, 7, 30);
    }
    // On a grid two centres may tie to the last bit: only the algorithms are compared.
    let init = Array2::from_shape_fn((6, 3), |(c, j)| ((c + j) % 4) as f64 - 1.5);
    let results = ALGORITHMS.map(|a| fit(&spread(&init, 30, a), grid.view(), None));
    assert!(results[1..].iter().all(|other| *other == results[0]));
}

#[test]
fn outliers_do_not_cost_the_others_their_labels() {
    for far in [1e6, 1e12, 1e40, 1e100] {
        let mut x = blobs(1200, 2, 3, 6);
        x[(7, 0)] = far;
        x[(8, 1)] = -far;
        let init = x.select(Axis(0), &[0, 1, 2, 7, 8]);
        let results = ALGORITHMS.map(|a| fit(&spread(&init, 30, a), x.view(), None));
        assert!(results[1..].iter().all(|other| *other == results[0]));
        let labels = &results[0].labels;
        assert_eq!((labels[7], labels[8]), (3, 4));
        let rows = x.rows().into_iter().map(|r| r.to_vec());
        let centers: Vec<Vec<f64>> =
            results[0].centers.rows().into_iter().map(|r| r.to_vec()).collect();
        for (row, &label) in rows.zip(labels) {
            assert_eq!(label, nearest(&row, &centers).0, "{far}");
        }
    }
}

/// Everything that a fit asks the labels for: first centres, empty clusters, the canonical
/// order of a model.
#[test]
fn all_algorithms_fit_tables_and_find_the_same_first_centres() {
    let x = blobs(2100, 2, 9, 31);
    let w: Vec<f64> = noise(2100, 32).iter().map(|u| (u + 0.8).max(0.0)).collect();
    let table = weighted(&number_schema(2), &x, &w);
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
        let fits = ALGORITHMS.map(|algorithm| {
            let kmeans = KMeans::new(9).n_init(3).init(init.clone()).algorithm(algorithm);
            let fitted = kmeans.fit(&table).unwrap();
            check_model(&fitted, &table);
            let centers = fitted.model().cluster_centers().to_owned();
            (fit(&kmeans, x.view(), Some(&w)), centers, fitted.labels().to_vec())
        });
        assert!(fits[1..].iter().all(|other| *other == fits[0]));
    }
    // The second and the third centre are left without rows, twice.
    let init = array![[0.0, 0.0], [1e3, 0.0], [1e3, 0.0], [-9.0, 4.0]];
    let results = ALGORITHMS.map(|a| fit(&spread(&init, 9, a), x.view(), Some(&w)));
    assert!(has_note(&results[0], "empty-cluster-relocated"));
    assert!(results[1..].iter().all(|other| *other == results[0]));
}

#[test]
fn all_algorithms_name_the_same_bad_number() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e200] {
        let mut x = blobs(1500, 3, 4, 5);
        x[(77, 1)] = bad;
        x[(1400, 0)] = bad;
        let init = x.select(Axis(0), &[0, 1, 2]);
        let errors = ALGORITHMS.map(|a| {
            let kmeans = spread(&init, 9, a);
            kmeans.fit_matrix(x.view(), None, &mut ()).unwrap_err().to_string()
        });
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
        assert!(bad == 1e200 || errors[0].contains("row 77"), "{}", errors[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn single_precision_is_computed_with_as_double(
        n in 8_usize..200, p in 1_usize..7, k in 1_usize..8, seed in 0_u64..1 << 40,
        weighted in any::<bool>(),
    ) {
        let narrow = blobs(n, p, 4, seed).mapv(|x| x as f32);
        let wide = narrow.mapv(f64::from);
        let w: Vec<f64> = noise(n, seed).iter().map(|u| u + 1.5).collect();
        let w = weighted.then_some(&w[..]);
        for init in [Init::KMeansPlusPlus, Init::Random] {
            let kmeans = KMeans::new(k).n_init(2).seed(seed).init(init);
            prop_assert_eq!(
                kmeans.fit_matrix_f32(narrow.view(), w, &mut ()).unwrap(),
                fit(&kmeans, wide.view(), w)
            );
        }
    }

    #[test]
    fn a_matrix_is_assigned_as_its_rows_are(
        n in 0_usize..300, p in 1_usize..20, k in 1_usize..12, seed in 0_u64..1 << 40,
        grid in any::<bool>(), blocks in 0_usize..3,
    ) {
        let n = n + blocks * 900;
        let step = |x: f64| if grid { (x / 4.0).round() } else { x };
        let x = blobs(n, p, 5, seed).mapv(step);
        let model = model(blobs(k, p, k, seed + 1).mapv(step));
        let assigned = model.assign_matrix(x.view()).unwrap();
        for (row, segment) in x.rows().into_iter().zip(assigned) {
            let one = model.assign_row(&row.to_vec()).unwrap();
            prop_assert_eq!(one.segment(), Some(segment));
        }
    }
}

fn model(centers: Array2<f64>) -> KMeansModel {
    let encoder = FittedEncoder::identity(&number_schema(centers.ncols())).unwrap();
    KMeansModel::from_centers(encoder, centers).unwrap()
}

#[test]
fn rows_of_a_matrix_are_checked_as_single_rows_are() {
    let model = model(array![[0.0, 1.0], [5.0, 6.0], [5.0, 6.5]]);
    let mut x = Array2::zeros((2500, 2));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        x[(2100, 1)] = bad;
        x[(2200, 0)] = bad;
        let error = model.assign_matrix(x.view()).unwrap_err();
        let row = model.assign_row(&[0.0, bad]).unwrap_err().at_row(2100);
        assert_eq!(error.to_string(), row.to_string());
        assert!(error.to_string().contains("x1"), "{error}");
    }
    // Far, but not too far.
    for far in [1e10, 1e39, 1e120] {
        x.fill(0.0);
        x[(2100, 1)] = far;
        let labels = model.assign_matrix(x.view()).unwrap();
        let one = model.assign_row(&[0.0, far]).unwrap().segment().unwrap();
        assert_eq!(labels[2100], one);
        assert_eq!(labels[2101], SegmentIndex::new(0));
    }
    let wide: ArrayView2<'_, f64> = ArrayView2::from_shape((1, 3), &[0.0; 3]).unwrap();
    let error = model.assign_matrix(wide).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Length { .. }), "{error}");
    let mut short = [SegmentIndex::new(0); 3];
    assert!(model.assign_matrix_into(x.view(), &mut short).is_err());
    assert!(model.assign_matrix(Array2::zeros((0, 2)).view()).unwrap().is_empty());
}

#[test]
fn centres_at_one_place_or_far_apart_are_assigned_to() {
    let one = model(array![[3.0], [3.0]]);
    assert_eq!(
        one.assign_matrix(array![[3.0], [1e30]].view()).unwrap(),
        [SegmentIndex::new(0); 2]
    );
    let far = model(array![[0.0], [1e150]]);
    let x = array![[1.0], [0.9e150]];
    let expected = [SegmentIndex::new(0), SegmentIndex::new(1)];
    assert_eq!(far.assign_matrix(x.view()).unwrap(), expected);
}
