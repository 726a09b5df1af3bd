//! Results against scikit-learn's.

use segmenta::cluster::kmeans::KMeansModel;
use segmenta::encode::FittedEncoder;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<Vec<f64>>,
    init: Vec<Vec<f64>>,
    tol: f64,
    max_iter: usize,
    sample_weight: Option<Vec<f64>>,
    labels: Vec<usize>,
    cluster_centers: Vec<Vec<f64>>,
    inertia: f64,
    n_iter: usize,
    predict: Option<Predict>,
}

#[derive(Deserialize)]
struct Predict {
    x: Vec<Vec<f64>>,
    labels: Vec<usize>,
}

fn golden() -> Vec<Case> {
    let golden: Golden =
        serde_json::from_str(include_str!("../golden/kmeans.json")).unwrap();
    assert_eq!(golden.cases.len(), 17);
    golden.cases
}

#[test]
fn results_are_those_of_scikit_learn() {
    let mut relocated = 0;
    for case in golden() {
        let x = matrix(&case.x);
        let kmeans = from(matrix(&case.init)).tol(case.tol).max_iter(case.max_iter);
        let result = fit(&kmeans, x.view(), case.sample_weight.as_deref());
        assert_eq!(result.labels, case.labels, "{}", case.name);
        assert_eq!(result.n_iter, case.n_iter, "{}", case.name);
        let centers = matrix(&case.cluster_centers);
        assert_centers_close(result.centers.view(), centers.view(), 1e-9);
        assert!(close(result.inertia, case.inertia, 1e-9), "{}", case.name);
        let ran_out = case.name == "overlap_max_iter_3";
        assert_eq!(result.converged, !ran_out, "{}", case.name);
        assert_eq!(has_note(&result, "max-iter"), ran_out);
        let moved = has_note(&result, "empty-cluster-relocated");
        assert_eq!(moved, case.name.contains("relocated"), "{}", case.name);
        relocated += usize::from(moved);
        if let Some(predict) = case.predict {
            let encoder = FittedEncoder::identity(&number_schema(x.ncols())).unwrap();
            let model = KMeansModel::from_centers(encoder, result.centers).unwrap();
            for (row, label) in predict.x.iter().zip(predict.labels) {
                let assigned = model.assign_row(row).unwrap();
                assert_eq!(assigned.segment().unwrap().get(), label);
            }
        }
    }
    assert_eq!(relocated, 3);
}
