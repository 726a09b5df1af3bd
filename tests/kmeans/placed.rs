//! Rows in spatial order, where it is the crate that chooses it, and boxes whose rows are
//! hardly nearer to one centre than to another.

use segmenta::cluster::kmeans::Algorithm;
use segmenta::ndarray::array;

use super::*;

/// Rows on a sheet in six columns, so many that an order is made for them.
fn sheet(n: usize) -> Array2<f64> {
    let u = noise(2 * n, 8);
    Array2::from_shape_fn((n, 6), |(i, j)| {
        let (s, t) = (u[2 * i], u[2 * i + 1]);
        s * (j as f64 - 2.5) + t * (1.0 + j as f64 * j as f64 / 9.0)
    })
}

/// What a fit gives by the plain algorithm is what the one that is chosen gives, and the
/// filter.
fn same(kmeans: &KMeans, x: &Array2<f64>, w: Option<&[f64]>) -> KMeansResult {
    let plain = fit(&kmeans.clone().algorithm(Algorithm::Lloyd), x.view(), w);
    for algorithm in [Algorithm::Auto, Algorithm::Filter] {
        let found = fit(&kmeans.clone().algorithm(algorithm), x.view(), w);
        assert!(found == plain, "{algorithm:?}");
    }
    plain
}

#[test]
fn an_order_that_the_crate_chooses_changes_nothing() {
    let n = 17_003;
    let x = sheet(n);
    let k = 96;
    let rows: Vec<usize> = (0..k).map(|c| c * (n / k)).collect();
    let kmeans = from(x.select(Axis(0), &rows)).tol(0.0).max_iter(25);
    same(&kmeans, &x, None);
    // Weights so far apart that sums are made anew, row by row.
    let w: Vec<f64> = (0..n).map(|i| if i % 50 == 7 { 1e-30 } else { 1.0 }).collect();
    same(&kmeans.max_iter(20), &x, Some(&w));
}

/// Centres so far from the rows that a box is compared with all of them: then the sieve is
/// given up, and rows in spatial order are passed over by their gaps.
#[test]
fn rows_in_order_are_passed_over_too() {
    let n = 17_003;
    let x = sheet(n);
    let k = 96;
    let u = noise(k * 6, 5);
    // All but a few stay without rows, and are relocated.
    let far = Array2::from_shape_fn((k, 6), |(c, j)| {
        let size = if c < 8 { 3.0 } else { 40.0 };
        size * u[6 * c + j]
    });
    let found = same(&from(far).tol(0.0).max_iter(25), &x, None);
    assert!(has_note(&found, "empty-cluster-relocated"));
    let close = Array2::from_shape_fn((k, 6), |(c, j)| 1e-9 * u[6 * c + j]);
    same(&from(close).tol(0.0).max_iter(25), &x, None);
}

/// All rows of a box are at one place, two centres at distances from it that differ by a
/// few units of single precision: a score alone mistakes them, and a box must not decide.
#[test]
fn a_box_does_not_choose_what_single_precision_cannot_tell() {
    for d in [1_usize, 2, 3, 8, 30] {
        let u = noise(400 * (3 * d + 4), d as u64 + 60);
        let mut u = u.into_iter();
        let mut next = || u.next().unwrap();
        for _ in 0..400 {
            let place: Vec<f64> = (0..d).map(|_| 0.02 * next()).collect();
            let mut center = || -> Vec<f64> {
                let out: Vec<f64> = (0..d).map(|_| next()).collect();
                let length = out.iter().map(|x| x * x).sum::<f64>().sqrt();
                let apart = 1.0 + 1e-7 * next();
                place.iter().zip(out).map(|(p, x)| p + x / length * apart).collect()
            };
            let init = matrix(&[center(), center()]);
            let x = Array2::from_shape_fn((128, d), |(i, j)| {
                if i < 64 { place[j] } else { -place[j] }
            });
            same(&from(init).tol(0.0).max_iter(1), &x, None);
        }
    }
}

/// Rows so far away that distances in `f64` to two centres are the same: the first one counts,
/// though the second is nearer, and single precision knows it.
#[test]
fn a_box_does_not_choose_what_double_precision_cannot_tell() {
    // No far row is among those by which the origin is chosen.
    let x = Array2::from_shape_fn((9000, 1), |(i, _)| {
        if i % 3 == 1 && i < 600 { 1e14 } else { (i % 100) as f64 / 50.0 }
    });
    let found = same(&from(array![[0.5], [0.501]]).tol(0.0).max_iter(1), &x, None);
    assert_eq!(found.labels[1], 0);
}
