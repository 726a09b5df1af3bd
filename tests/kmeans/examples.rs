//! Fits small enough to reason about.

use segmenta::cluster::kmeans::{Init, KMeans, KMeansResult};
use segmenta::data::Table;
use segmenta::encode::Encoder;
use segmenta::ndarray::array;
use segmenta::{Fit, Segmenter};

use super::*;

#[test]
fn seeds_reproduce_and_differ() {
    let x = blobs(300, 3, 12, 5);
    let kmeans = KMeans::new(12).n_init(1).init(Init::Random);
    let results: Vec<KMeansResult> =
        (0..6).map(|seed| fit(&kmeans.clone().seed(seed), x.view(), None)).collect();
    for (seed, result) in results.iter().enumerate() {
        let again = fit(&kmeans.clone().seed(seed as u64), x.view(), None);
        assert_eq!(*result, again);
    }
    assert!(results.iter().any(|r| r.inertia != results[0].inertia));
}

#[test]
fn k_means_plus_plus_finds_far_groups_at_once() {
    for seed in 0..20 {
        let x = &blobs(240, 2, 8, 3) * &array![[1.0, 1.0]];
        let places = blobs(8, 2, 8, 3);
        let one = fit(&KMeans::new(8).n_init(1).seed(seed), x.view(), None);
        let best = fit(&from(places), x.view(), None);
        assert!(one.inertia <= best.inertia * 1.3, "{} {}", one.inertia, best.inertia);
    }
}

#[test]
fn restarts_tell_how_far_they_agree() {
    let easy = array![[0.0], [1.0], [100.0], [101.0]];
    let result = fit(&KMeans::new(2).n_init(7), easy.view(), None);
    let note = result.notes.iter().find(|n| n.code == "restart-agreement").unwrap();
    assert_eq!(
        note.message,
        "7 of 7 runs reached the least inertia; the runs ended in 1 different optima"
    );
    let hard = blobs(200, 2, 15, 9);
    let result = fit(&KMeans::new(15).n_init(8).init(Init::Random), hard.view(), None);
    let note = result.notes.iter().find(|n| n.code == "restart-agreement").unwrap();
    assert!(!note.message.contains(" in 1 different"), "{note}");
    for single in [KMeans::new(2).n_init(1), from(array![[0.0], [100.0]])] {
        assert!(!has_note(&fit(&single, easy.view(), None), "restart-agreement"));
    }
}

#[test]
fn a_row_of_weight_0_attracts_no_centre() {
    // The farthest row does not count, so the centre without rows goes to the next one.
    let x = array![[0.0], [1.0], [2.0], [9.0], [50.0]];
    let w = [1.0, 1.0, 1.0, 1.0, 0.0];
    let kmeans = from(array![[1.0], [1e4]]);
    let result = fit(&kmeans, x.view(), Some(&w));
    assert_eq!(result.centers, array![[1.0], [9.0]]);
    assert_eq!(result.labels, [0, 0, 0, 1, 1]);
    assert_eq!(result.inertia, 2.0);
    let without = fit(&kmeans, head(&x, 4).view(), None);
    assert_eq!(without.centers, result.centers);
    for init in [Init::KMeansPlusPlus, Init::KMeansParallel, Init::Random] {
        for seed in 0..10 {
            let kmeans = KMeans::new(4).init(init.clone()).n_init(1).seed(seed);
            let result = fit(&kmeans, x.view(), Some(&w));
            let mut centers = result.centers.into_raw_vec_and_offset().0;
            centers.sort_by(f64::total_cmp);
            assert_eq!(centers, [0.0, 1.0, 2.0, 9.0]);
        }
    }
}

#[test]
fn several_centres_without_rows_take_the_farthest_rows_in_turn() {
    let x = array![[0.0], [1.0], [2.0], [30.0], [70.0]];
    let kmeans = from(array![[-1e6], [1.0], [1e6]]).max_iter(1).tol(0.0);
    let result = fit(&kmeans, x.view(), None);
    assert_eq!(result.centers, array![[70.0], [1.0], [30.0]]);
    assert_eq!(result.labels, [1, 1, 1, 2, 0]);
    assert!(!result.converged);
}

#[test]
fn labels_that_stay_while_a_centre_moves_do_not_end_the_run() {
    // The third centre moves to the first row, but the first centre comes there too and
    // keeps the rows; so it moves once more.
    let x = array![[10.0], [10.0], [100.0], [103.0]];
    let result = fit(&from(array![[0.0], [101.0], [1e6]]), x.view(), None);
    assert_eq!(result.centers, array![[10.0], [103.0], [100.0]]);
    assert_eq!(result.labels, [0, 0, 2, 1]);
    assert_eq!((result.n_iter, result.inertia), (3, 0.0));
}

#[test]
fn a_centre_that_gives_its_only_row_away_is_not_lost() {
    let x = array![[10.0], [100.0], [103.0]];
    // Until it is given a row in turn, it waits at the heaviest centre.
    let once = from(array![[0.0], [101.0], [1e6]]).max_iter(1);
    let centers = fit(&once, x.view(), None).centers;
    assert_eq!(centers, array![[101.5], [101.5], [10.0]]);
    for w in [[1.0, 1.0, 1.0], [0.1, 0.7, 0.3]] {
        let result = fit(&from(array![[0.0], [101.0], [1e6]]), x.view(), Some(&w));
        let mut labels = result.labels.clone();
        labels.sort_unstable();
        assert_eq!(labels, [0, 1, 2]);
        assert!(result.inertia < 1e-20 && result.converged);
    }
}

#[test]
fn rows_between_two_segments_follow_the_canonical_order() {
    // The rows at 5 are as near to 0 as to 10. They begin in the cluster at 0, then belong
    // to the larger one at 10, and the cluster at 0 falls behind the one at 100.
    let x = array![
        [-4.0],
        [-3.0],
        [-3.0],
        [5.0],
        [5.0],
        [9.0],
        [9.0],
        [10.0],
        [10.0],
        [11.0],
        [11.0],
        [99.0],
        [99.0],
        [101.0],
        [101.0]
    ];
    let schema = number_schema(1);
    let table = Table::from_array(&schema, x.view()).unwrap();
    let kmeans = from(array![[0.0], [100.0], [10.0]]).encoder(Encoder::unscaled());
    let fitted = kmeans.fit(&table).unwrap();
    let sizes: Vec<_> = fitted.model().segments().iter().map(|s| s.size).collect();
    assert_eq!(sizes, [8, 4, 3].map(Some));
    assert_eq!(fitted.model().cluster_centers(), array![[10.0], [100.0], [0.0]]);
    check_model(&fitted, &table);
}

#[test]
fn k_means_plus_plus_weighs_what_a_candidate_leaves() {
    // The heavy first row is a centre. The others are drawn alike, for w · D² is 100 for
    // both; of the two, the second row leaves 81, the third 100 (without weights: 1).
    let x = array![[0.0], [1.0], [10.0]];
    let w = [1e6, 100.0, 1.0];
    let kmeans = KMeans::new(2).n_init(1);
    let second = (0..200)
        .filter(|&seed| {
            let labels = fit(&kmeans.clone().seed(seed), x.view(), Some(&w)).labels;
            labels[1] == labels[2]
        })
        .count();
    // 150 expected; four standard deviations are 25.
    assert!((125..=175).contains(&second), "{second}");
}

#[test]
fn every_row_can_be_its_own_cluster() {
    let x = blobs(30, 2, 3, 1);
    let result = fit(&KMeans::new(30), x.view(), None);
    assert_eq!(result.inertia, 0.0);
    let mut labels = result.labels;
    labels.sort_unstable();
    assert_eq!(labels, (0..30).collect::<Vec<_>>());
}

#[test]
fn one_row_is_one_cluster() {
    let result = fit(&KMeans::new(1), array![[3.0, 4.0]].view(), None);
    assert_eq!((result.inertia, result.centers), (0.0, array![[3.0, 4.0]]));
}

#[test]
fn views_of_any_layout_give_the_same() {
    let x = blobs(50, 3, 4, 2);
    let turned = x.t().as_standard_layout().to_owned();
    let plain = fit(&KMeans::new(4), x.view(), None);
    assert_eq!(plain, fit(&KMeans::new(4), turned.t(), None));
}

#[test]
fn sums_keep_their_digits_far_from_the_origin() {
    let x = blobs(5000, 4, 3, 8);
    let init = head(&x, 3);
    let plain = fit(&from(init.clone()), x.view(), None);
    let far = fit(&from(&init + 1e5), (&x + 1e5).view(), None);
    assert_eq!(plain.labels, far.labels);
    assert!((plain.inertia / far.inertia - 1.0).abs() < 1e-9);
    assert_centers_close((&plain.centers + 1e5).view(), far.centers.view(), 1e-14);
}
