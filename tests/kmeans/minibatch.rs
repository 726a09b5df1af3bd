//! Mini-batch k-means.

use segmenta::cluster::kmeans::{Init, KMeans, MiniBatchKMeans};
use segmenta::ndarray::{Array2, array};
use segmenta::{ErrorKind, Fit};

use super::*;

#[test]
fn it_is_nearly_as_good_as_k_means() {
    let x = blobs(20_000, 4, 5, 3);
    for seed in 0..3 {
        let full = fit(&KMeans::new(5).n_init(3), x.view(), None);
        let batches = MiniBatchKMeans::new(5).seed(seed).n_init(3);
        let result = batches.fit_matrix(x.view(), None, &mut ()).unwrap();
        assert!(result.converged && result.n_iter > 10);
        assert!(result.inertia < 1.1 * full.inertia, "{seed}");
        let rows: Vec<Vec<f64>> =
            result.centers.rows().into_iter().map(|r| r.to_vec()).collect();
        for (i, &label) in result.labels.iter().enumerate() {
            assert_eq!(label, nearest(&x.row(i).to_vec(), &rows).0);
        }
    }
}

/// With one cluster, all rates are 1 / count: the centre is the mean of what it has met.
#[test]
fn a_centre_is_the_weighted_mean_of_what_it_has_met() {
    let x = blobs(300, 3, 2, 4);
    let w: Vec<f64> = noise(300, 5).iter().map(|u| u + 1.0).collect();
    let mut state = MiniBatchKMeans::new(1).incremental().unwrap();
    assert!(state.centers().is_err());
    for start in (0..300).step_by(60) {
        let rows: Vec<usize> = (start..start + 60).collect();
        let batch = x.select(Axis(0), &rows);
        state.partial_fit(batch.view(), Some(&w[start..start + 60])).unwrap();
    }
    let total: f64 = w.iter().sum();
    assert_eq!(state.n_steps(), 5);
    assert!(close(state.weights()[0], total, 1e-12));
    for (j, center) in state.centers().unwrap().iter().enumerate() {
        let mean = (0..300).map(|i| w[i] * x[(i, j)]).sum::<f64>() / total;
        assert!(close(*center, mean, 1e-12));
    }
}

#[test]
fn starved_centres_are_moved() {
    let x = blobs(3000, 2, 3, 6);
    let start = Init::Centers(array![[0.0, 0.0], [900.0, 900.0], [-900.0, 900.0]]);
    let batches = MiniBatchKMeans::new(3).init(start).batch_size(200);
    let moved = batches.fit_matrix(x.view(), None, &mut ()).unwrap();
    assert!(moved.centers.iter().all(|c| c.abs() < 20.0));
    let stay = batches.reassignment_ratio(0.0);
    let result = stay.fit_matrix(x.view(), None, &mut ()).unwrap();
    assert_eq!(result.centers[(1, 0)], 900.0);
    assert!(has_note(&result, "empty-cluster"));
}

#[test]
fn hostile_input_is_refused() {
    let x = array![[0.0], [1.0], [1.0]];
    let new = MiniBatchKMeans::new;
    for (bad, name) in [
        (new(0), "n_clusters"),
        (new(2).batch_size(0), "batch_size"),
        (new(2).n_init(0), "n_init"),
        (new(2).max_iter(0), "max_iter"),
        (new(2).tol(f64::NAN), "tol"),
        (new(2).max_no_improvement(Some(0)), "max_no_improvement"),
        (new(2).reassignment_ratio(1.5), "reassignment_ratio"),
    ] {
        assert!(bad.validate().unwrap_err().to_string().contains(name));
        assert!(bad.incremental().is_err());
    }
    let fit = |x: &Array2<f64>, w| new(3).fit_matrix(x.view(), w, &mut ()).unwrap_err();
    assert!(matches!(fit(&x, None).kind(), ErrorKind::TooFewRows { .. }));
    assert!(fit(&array![[f64::NAN]], None).is_data());
    assert!(fit(&x, Some(&[1.0][..])).is_data());
    let mut state = new(2).incremental().unwrap();
    assert!(state.partial_fit(array![[1.0], [1.0]].view(), None).is_err());
    state.partial_fit(x.view(), None).unwrap();
    let before = state.clone();
    for bad in [Array2::zeros((0, 1)), Array2::zeros((1, 2)), array![[f64::INFINITY]]] {
        assert!(state.partial_fit(bad.view(), None).unwrap_err().is_data());
    }
    assert!(state.partial_fit(x.view(), Some(&[1.0, -1.0, 0.0])).is_err());
    assert_eq!(state, before);
    assert!(new(2).fit_matrix(x.view(), None, &mut ()).is_ok());
}

#[test]
fn models_are_canonical_and_configurations_can_be_saved() {
    let x = blobs(500, 3, 3, 8);
    let batches = MiniBatchKMeans::new(3).seed(4).batch_size(64);
    let schema = number_schema(3);
    let table = Table::from_array(&schema, x.view()).unwrap();
    check_model(&batches.fit(&table).unwrap(), &table);
    let json = serde_json::to_string(&batches).unwrap();
    assert_eq!(serde_json::from_str::<MiniBatchKMeans>(&json).unwrap(), batches);
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_fit() {
    let x = blobs(9000, 5, 40, 3);
    let bits = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let batches = MiniBatchKMeans::new(40).batch_size(8000).n_init(2);
        pool.install(|| batches.fit_matrix(x.view(), None, &mut ()).unwrap())
    };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(7));
}
