//! Parameters and rows that must be refused, and an observer who stops the work.

use std::ops::ControlFlow;

use segmenta::cluster::kmeans::{Init, KMeans};
use segmenta::data::Table;
use segmenta::encode::Encoder;
use segmenta::ndarray::{Array2, ArrayView2, array};
use segmenta::segmenter::Progress;
use segmenta::{ErrorKind, Fit, FitBoxed};

use super::*;

fn refused(kmeans: &KMeans, x: ArrayView2<'_, f64>, w: Option<&[f64]>) -> String {
    let error = kmeans.fit_matrix(x, w, &mut ()).unwrap_err();
    assert!(error.is_data() || error.is_parameter());
    error.to_string()
}

#[test]
fn parameters_are_checked() {
    let x = array![[0.0], [1.0], [2.0]];
    let named = |kmeans: KMeans, name: &str| {
        let error = kmeans.validate().unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(refused(&kmeans, x.view(), None), error.to_string());
        assert!(kmeans.validate_boxed().is_err());
    };
    named(KMeans::new(0), "`n_clusters`");
    named(KMeans::new(2).n_init(0), "`n_init`");
    named(KMeans::new(2).max_iter(0), "`max_iter`");
    for tol in [-1e-9, f64::NAN, f64::INFINITY] {
        named(KMeans::new(2).tol(tol), "`tol`");
    }
    named(KMeans::new(3).init(Init::Centers(array![[0.0], [1.0]])), "initial centers");
    named(from(array![[0.0], [f64::NAN]]), "initial centers");
    named(from(array![[0.0], [f64::INFINITY]]), "initial centers");
    named(KMeans::new(2).encoder(Encoder::new().weight("x0", -1.0)), "x0");
    assert!(refused(&from(array![[0.0, 1.0]]), x.view(), None).contains("second axis"));
    assert!(KMeans::new(2).validate().is_ok());
}

#[test]
fn rows_are_checked() {
    let kmeans = KMeans::new(2);
    for (bad, name) in
        [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-f64::INFINITY, "-inf")]
    {
        let x = array![[0.0, 1.0], [2.0, 3.0], [4.0, bad]];
        assert_eq!(
            refused(&kmeans, x.view(), None),
            format!("`{name}` is not a finite number (column 1) in row 2")
        );
    }
    let x = array![[0.0], [1.0], [2.0]];
    let weights: [&[f64]; 4] = [
        &[1.0, 1.0],
        &[1.0, -1.0, 1.0],
        &[1.0, f64::NAN, 1.0],
        &[1.0, f64::INFINITY, 1.0],
    ];
    for w in weights {
        assert!(refused(&kmeans, x.view(), Some(w)).contains("weight"));
    }
    assert!(refused(&kmeans, Array2::zeros((3, 0)).view(), None).contains("columns"));
}

#[test]
fn too_few_distinct_rows_are_an_error() {
    let distinct = |x: ArrayView2<'_, f64>, w: Option<&[f64]>, k: usize| {
        let by: [KMeans; 4] = [
            KMeans::new(k),
            KMeans::new(k).init(Init::KMeansParallel),
            KMeans::new(k).init(Init::Random),
            from(Array2::from_shape_fn((k, x.ncols()), |(i, _)| i as f64)),
        ];
        let mut all = by.into_iter().map(|kmeans| {
            match kmeans.fit_matrix(x, w, &mut ()).unwrap_err().into_kind() {
                ErrorKind::TooFewRows { what, needed, found } => {
                    assert_eq!((what.as_ref(), needed), ("distinct rows", k));
                    found
                }
                other => panic!("{other}"),
            }
        });
        let found = all.next().unwrap();
        assert!(all.all(|f| f == found));
        found
    };
    assert_eq!(distinct(Array2::zeros((0, 2)).view(), None, 1), 0);
    assert_eq!(distinct(array![[1.0], [1.0], [1.0]].view(), None, 2), 1);
    assert_eq!(distinct(array![[0.0], [-0.0], [1.0]].view(), None, 3), 2);
    let x = array![[1.0], [2.0], [3.0]];
    assert_eq!(distinct(x.view(), Some(&[1.0, 0.0, 1.0]), 3), 2);
    assert_eq!(distinct(x.view(), Some(&[0.0; 3]), 1), 0);
    assert_eq!(distinct(x.view(), None, 1000), 3);
}

#[test]
fn overflow_is_an_error_and_never_infinity() {
    let huge = array![[1e300], [-1e300], [0.0]];
    let by = [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random];
    for kmeans in by.map(|init| KMeans::new(2).init(init)) {
        assert!(refused(&kmeans, huge.view(), None).contains("squared distances"));
    }
    let far = from(array![[0.0], [1e300]]);
    assert!(refused(&far, array![[0.0], [1.0]].view(), None).contains("undefined"));
    let heavy = [1e308, 1e308];
    assert!(
        refused(&KMeans::new(1), array![[0.0], [1.0]].view(), Some(&heavy))
            .contains("undefined")
    );
    // Large, but not too large.
    let large = array![[1e150], [-1e150], [0.9e150]];
    let result = fit(&KMeans::new(2), large.view(), None);
    assert!(result.inertia.is_finite() && result.labels[0] == result.labels[2]);
    // Different rows whose squared distance is 0 cannot be told apart.
    let tiny = array![[0.0], [1e-200]];
    assert!(
        refused(&KMeans::new(2), tiny.view(), None).contains("squared distances are 0")
    );
}

#[test]
fn observers_see_a_falling_inertia_and_can_stop_the_work() {
    let x = blobs(400, 3, 7, 21);
    let kmeans = KMeans::new(7).init(Init::Random).n_init(3).tol(0.0);
    let mut seen: Vec<Progress> = Vec::new();
    let mut watch = |progress: &Progress| {
        seen.push(*progress);
        ControlFlow::Continue(())
    };
    let observed = kmeans.fit_matrix(x.view(), None, &mut watch).unwrap();
    assert_eq!(observed, fit(&kmeans, x.view(), None));
    assert!(seen.len() > 6);
    assert!(seen.iter().all(|p| p.stage == "k-means" && p.total == 900));
    assert!(seen.windows(2).all(|w| w[0].done < w[1].done || w[1].objective.is_none()));
    for pair in seen.windows(2) {
        if let (Some(before), Some(after)) = (pair[0].objective, pair[1].objective) {
            assert!(after <= before * (1.0 + 1e-12));
        }
    }
    for stop_at in [0, 1, seen.len() - 1] {
        let mut calls = 0;
        let mut stop = |_: &Progress| {
            calls += 1;
            if calls > stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let error = kmeans.fit_matrix(x.view(), None, &mut stop).unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(calls, stop_at + 1);
    }
    let table = Table::from_array(&number_schema(3), x.view()).unwrap();
    let mut stop = |_: &Progress| ControlFlow::Break(());
    assert!(kmeans.fit_with(&table, &mut stop).unwrap_err().is_cancelled());
}
