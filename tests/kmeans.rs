//! k-means: scikit-learn's values, a naive twin, properties, hostile input, real data.

// Helpers of tests may unwrap as tests do; clippy allows it in test functions only. The
// real data are named by the environment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

use std::ops::ControlFlow;

use proptest::prelude::*;
use segmenta::cluster::kmeans::{Init, KMeans, KMeansModel, KMeansResult};
use segmenta::data::{
    Column, Customer, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Table, Validity,
};
use segmenta::encode::{Encoder, FittedEncoder, Impute, Scaling};
use segmenta::ndarray::{Array2, ArrayView2, Axis, array};
use segmenta::segmenter::{
    Assignment, Contribution, Fitted, Persist, Progress, Reason, Registry, Relabel,
    Saved, Scratch, Segment, SegmentIndex,
};
use segmenta::{ErrorKind, Fit, FitBoxed, Segmenter, SegmenterExt};
use serde::Deserialize;

fn close(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * (1.0 + a.abs().max(b.abs()))
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    let width = rows.first().map_or(0, Vec::len);
    Array2::from_shape_vec((rows.len(), width), rows.concat()).unwrap()
}

/// Numbers that look random, in [-1, 1), of their own generator.
fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

/// `n` rows around `k` far places, in turn.
fn blobs(n: usize, p: usize, k: usize, seed: u64) -> Array2<f64> {
    let places = noise(k * p, seed + 1000);
    let mut x = Array2::from_shape_vec((n, p), noise(n * p, seed)).unwrap();
    for ((i, j), x) in x.indexed_iter_mut() {
        *x += 8.0 * places[(i % k) * p + j];
    }
    x
}

/// The first rows.
fn head(x: &Array2<f64>, n_rows: usize) -> Array2<f64> {
    x.select(Axis(0), &(0..n_rows).collect::<Vec<_>>())
}

fn from(centers: Array2<f64>) -> KMeans {
    KMeans::new(centers.nrows()).init(Init::Centers(centers))
}

fn fit(kmeans: &KMeans, x: ArrayView2<'_, f64>, w: Option<&[f64]>) -> KMeansResult {
    kmeans.fit_matrix(x, w, &mut ()).unwrap()
}

fn assert_centers_close(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, relative: f64) {
    assert_eq!(a.dim(), b.dim());
    for (a, b) in a.iter().zip(b) {
        assert!(close(*a, *b, relative), "{a} {b}");
    }
}

fn has_note(result: &KMeansResult, code: &str) -> bool {
    result.notes.iter().any(|note| note.code == code)
}

// ------------------------------------------------------------------ golden

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
        serde_json::from_str(include_str!("golden/kmeans.json")).unwrap();
    assert_eq!(golden.cases.len(), 17);
    golden.cases
}

fn number_schema(n: usize) -> Schema {
    Schema::new((0..n).map(|j| FeatureSpec::number(format!("x{j}")))).unwrap()
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

// ------------------------------------------------------------------ oracle

/// The nearest centre and the squared distance to it.
fn nearest(row: &[f64], centers: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (c, center) in centers.iter().enumerate() {
        let mut distance = 0.0;
        for j in 0..row.len() {
            distance += (row[j] - center[j]) * (row[j] - center[j]);
        }
        if distance < best.1 {
            best = (c, distance);
        }
    }
    best
}

/// Lloyd's algorithm as it is told in one sentence, until no centre moves at all. `None`
/// when a cluster loses all of its rows.
fn naive(
    x: &Array2<f64>,
    w: &[f64],
    init: &Array2<f64>,
) -> Option<(Vec<usize>, Vec<Vec<f64>>, f64)> {
    let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|r| r.to_vec()).collect();
    let mut centers: Vec<Vec<f64>> =
        init.rows().into_iter().map(|r| r.to_vec()).collect();
    loop {
        let labels: Vec<usize> = rows.iter().map(|r| nearest(r, &centers).0).collect();
        let mut moved = Vec::new();
        for c in 0..centers.len() {
            let of_c = || (0..rows.len()).filter(|&i| labels[i] == c);
            let weight: f64 = of_c().map(|i| w[i]).sum();
            if weight == 0.0 {
                return None;
            }
            let mean = |j: usize| of_c().map(|i| w[i] * rows[i][j]).sum::<f64>() / weight;
            moved.push((0..x.ncols()).map(mean).collect::<Vec<f64>>());
        }
        if moved == centers {
            let inertia =
                rows.iter().zip(w).map(|(r, w)| w * nearest(r, &centers).1).sum();
            return Some((labels, centers, inertia));
        }
        centers = moved;
    }
}

prop_compose! {
    /// Rows, positive weights, and the first centres, which are rows.
    fn problem()(n in 2_usize..60, p in 1_usize..6, k in 1_usize..10, seed in 0_u64..1 << 40)
        -> (Array2<f64>, Vec<f64>, Array2<f64>) {
        let x = blobs(n, p, 4, seed);
        let w = noise(n, seed + 7).into_iter().map(|w| w + 1.5).collect();
        let init = head(&x, k.min(n));
        (x, w, init)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_fit_is_that_of_the_naive_twin((x, w, init) in problem()) {
        for w in [w.clone(), vec![1.0; w.len()]] {
            if let Some((labels, centers, inertia)) = naive(&x, &w, &init) {
                let result = fit(&from(init.clone()).tol(0.0), x.view(), Some(&w));
                prop_assert!(result.converged);
                prop_assert_eq!(&result.labels, &labels);
                assert_centers_close(result.centers.view(), matrix(&centers).view(), 1e-12);
                prop_assert!(close(result.inertia, inertia, 1e-12));
            }
        }
    }

    #[test]
    fn absent_weights_are_ones((x, w, init) in problem()) {
        let kmeans = from(init);
        let ones = vec![1.0; w.len()];
        prop_assert_eq!(
            fit(&kmeans, x.view(), None),
            fit(&kmeans, x.view(), Some(&ones))
        );
    }

    #[test]
    fn a_translation_moves_the_centres_and_nothing_else(
        (x, w, init) in problem(), by in -1e5..1e5_f64,
    ) {
        let plain = fit(&from(init.clone()), x.view(), Some(&w));
        let moved = fit(&from(&init + by), (&x + by).view(), Some(&w));
        prop_assert_eq!(&plain.labels, &moved.labels);
        prop_assert_eq!(plain.n_iter, moved.n_iter);
        assert_centers_close((&plain.centers + by).view(), moved.centers.view(), 1e-12);
        prop_assert!(close(plain.inertia, moved.inertia, 1e-9));
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter((x, w, init) in problem()) {
        let n = x.nrows();
        let reversed: Vec<usize> = (0..n).rev().collect();
        let plain = fit(&from(init.clone()), x.view(), Some(&w));
        let backwards: Vec<f64> = reversed.iter().map(|&i| w[i]).collect();
        let turned =
            fit(&from(init), x.select(Axis(0), &reversed).view(), Some(&backwards));
        let labels: Vec<usize> = reversed.iter().map(|&i| turned.labels[i]).collect();
        prop_assert_eq!(&plain.labels, &labels);
        assert_centers_close(plain.centers.view(), turned.centers.view(), 1e-12);
        prop_assert!(close(plain.inertia, turned.inertia, 1e-12));
    }

    #[test]
    fn a_weight_counts_like_repeated_rows((x, _, init) in problem(), seed in 0_u64..99) {
        let counts: Vec<usize> =
            noise(x.nrows(), seed).iter().map(|u| (u * 2.0 + 2.0) as usize).collect();
        // The first centres must be among the rows.
        let counts: Vec<usize> = counts
            .iter()
            .enumerate()
            .map(|(i, &c)| if i < init.nrows() { c.max(1) } else { c })
            .collect();
        let repeated: Vec<usize> =
            (0..x.nrows()).flat_map(|i| std::iter::repeat_n(i, counts[i])).collect();
        let weights: Vec<f64> = counts.iter().map(|&c| c as f64).collect();
        let kmeans = from(init).tol(0.0);
        let weighted = fit(&kmeans, x.view(), Some(&weights));
        let plain = fit(&kmeans, x.select(Axis(0), &repeated).view(), None);
        assert_centers_close(weighted.centers.view(), plain.centers.view(), 1e-12);
        prop_assert!(close(weighted.inertia, plain.inertia, 1e-12));
        for (at, &i) in repeated.iter().enumerate() {
            prop_assert_eq!(plain.labels[at], weighted.labels[i]);
        }
    }

    #[test]
    fn more_runs_are_never_worse((x, w, init) in problem(), seed in 0_u64..999) {
        for init_by in [Init::KMeansPlusPlus, Init::Random] {
            let kmeans = KMeans::new(init.nrows()).init(init_by).seed(seed);
            let mut last = f64::INFINITY;
            for n_init in [1, 2, 5, 9] {
                let inertia = fit(&kmeans.clone().n_init(n_init), x.view(), Some(&w)).inertia;
                prop_assert!(inertia <= last);
                last = inertia;
            }
        }
    }

    #[test]
    fn a_model_is_canonical_and_assigns_its_rows_as_labelled(
        (x, w, init) in problem(), scaled in any::<bool>(),
    ) {
        let schema = number_schema(x.ncols());
        let table = weighted(&schema, &x, &w);
        let scaling = if scaled { Scaling::Standard } else { Scaling::None };
        let kmeans = KMeans::new(init.nrows())
            .n_init(2)
            .encoder(Encoder::new().scaling(scaling));
        let fitted = kmeans.fit(&table).unwrap();
        check_model(&fitted, &table);
    }

    /// Whole numbers have many ties: rows between two centres, equal sizes.
    #[test]
    fn ties_do_not_break_order_or_labels(
        cells in prop::collection::vec(0_u8..4, 12..60), k in 1_usize..6,
    ) {
        let n = cells.len() / 2;
        let cells = cells[..n * 2].iter().map(|&c| f64::from(c)).collect();
        let x = Array2::from_shape_vec((n, 2), cells).unwrap();
        let schema = number_schema(2);
        let table = Table::from_array(&schema, x.view()).unwrap();
        let kmeans = KMeans::new(k).n_init(3).encoder(Encoder::unscaled());
        match kmeans.fit(&table) {
            Ok(fitted) => check_model(&fitted, &table),
            Err(e) => assert!(matches!(e.kind(), ErrorKind::TooFewRows { .. }), "{e}"),
        }
    }

    #[test]
    fn explanations_add_up((x, _, init) in problem()) {
        let schema = number_schema(x.ncols());
        let table = Table::from_array(&schema, x.view()).unwrap();
        let encoder = Encoder::new().fit(&table).unwrap();
        let centers = encoder.encode_table(&Table::from_array(&schema, init.view()).unwrap());
        let centers = Array2::from_shape_vec(init.dim(), centers.unwrap()).unwrap();
        let model = KMeansModel::from_centers(encoder, centers).unwrap();
        for row in table.rows() {
            check_explanation(&model, &row);
        }
    }
}

fn weighted<'a>(schema: &Schema, x: &Array2<f64>, w: &'a [f64]) -> Table<'a> {
    let mut builder = Table::builder(schema, x.nrows()).sample_weight(w);
    for (j, column) in x.columns().into_iter().enumerate() {
        builder = builder.numbers(&format!("x{j}"), column.to_vec());
    }
    builder.build().unwrap()
}

/// Labels, order, counts and report of a fitted model fit together.
fn check_model(fitted: &Fitted<KMeansModel>, table: &Table<'_>) {
    let model = fitted.model();
    let assigned = model.assign_all(table).unwrap();
    let labels: Vec<_> = assigned.iter().map(Assignment::segment).collect();
    assert_eq!(labels, fitted.labels());

    let k = model.segments().len();
    let weight = |i: usize| table.sample_weight().map_or(1.0, |w| w[i]);
    let total: f64 = (0..table.len()).map(weight).sum();
    let mut last = (f64::INFINITY, Vec::new());
    for c in 0..k {
        let of_c: Vec<usize> = (0..table.len())
            .filter(|&i| labels[i] == Some(SegmentIndex::new(c as u32)))
            .collect();
        let share = of_c.iter().map(|&i| weight(i)).sum::<f64>() / total;
        let segment = &model.segments()[c];
        assert_eq!(segment.id.as_str(), format!("segment-{}", c + 1));
        assert_eq!(segment.size, Some(of_c.len() as u64));
        assert!((segment.share.unwrap() - share).abs() < 1e-12);
        let center = model.cluster_centers().row(c).to_vec();
        if share < last.0 {
            assert!(share <= last.0);
        } else {
            assert!(share - last.0 < 1e-12, "segments are not in order");
            assert!(last.1 <= center, "ties are not in order");
        }
        last = (share, center);
    }

    let rows = model.encoder().encode_table(table).unwrap();
    let rows = rows.chunks_exact(model.encoder().n_columns());
    let mut inertia = 0.0;
    for (i, (row, assigned)) in rows.zip(&assigned).enumerate() {
        let by_row = model.assign_row(row).unwrap();
        assert_eq!(by_row, *assigned);
        inertia += weight(i) * assigned.cost();
    }
    assert!(close(inertia, model.inertia().unwrap(), 1e-12));
    assert_eq!(fitted.report().objective, model.inertia());
    assert_eq!(fitted.report().n_rows, table.len());
}

fn check_explanation(model: &KMeansModel, customer: &dyn Customer) {
    let why = model.explain(customer).unwrap();
    let assigned = model.assign_with(customer, &mut Scratch::new()).unwrap();
    assert_eq!(why.assignment, assigned);
    let Reason::Nearest { costs } = &why.reason else { panic!("{:?}", why.reason) };
    let own = assigned.segment().unwrap().get();
    assert_eq!(costs[own], assigned.cost());
    assert!(costs.iter().all(|&c| c >= assigned.cost()));
    let sum =
        |part: fn(&Contribution) -> f64| why.contributions.iter().map(part).sum::<f64>();
    assert!(why.contributions.iter().all(|c| c.cost >= 0.0));
    assert!(close(sum(|c| c.cost), assigned.cost(), 1e-12));
    match why.runner_up {
        Some(next) => {
            let next = costs[next.get()];
            assert_eq!(next - costs[own], assigned.margin());
            assert!(
                (sum(|c| c.margin) - assigned.margin()).abs() <= 1e-9 * next.max(1.0)
            );
        }
        None => {
            assert_eq!(costs.len(), 1);
            assert_eq!(assigned.margin(), f64::INFINITY);
            assert_eq!(sum(|c| c.margin), 0.0);
        }
    }
    let affinities = {
        let mut out = vec![f64::NAN; costs.len()];
        model.affinities_with(customer, &mut Scratch::new(), &mut out).unwrap();
        out
    };
    assert!((affinities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(affinities.iter().all(|a| (0.0..=affinities[own]).contains(a)));
    // Bezdek's formula, where it can be written down.
    if assigned.cost() > 0.0 {
        for (affinity, cost) in affinities.iter().zip(costs) {
            let sum: f64 = costs.iter().map(|other| cost / other).sum();
            assert!(close(*affinity, 1.0 / sum, 1e-12));
        }
    }
}

// ---------------------------------------------------------------- examples

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
    for init in [Init::KMeansPlusPlus, Init::Random] {
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

// -------------------------------------------------------------- hostile input

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
        let by: [KMeans; 3] = [
            KMeans::new(k),
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
    for kmeans in [KMeans::new(2), KMeans::new(2).init(Init::Random)] {
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

// ------------------------------------------------------------------- observer

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

// ---------------------------------------------------------------------- model

/// Shoppers with a number, a category, a flag and an ordinal.
fn shoppers() -> Table<'static> {
    let schema = Schema::new([
        FeatureSpec::number("spend").unit("EUR"),
        FeatureSpec::category("country"),
        FeatureSpec::flag("member"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
    ])
    .unwrap();
    let n = 60;
    let u = noise(n, 4);
    let spend: Vec<f64> =
        (0..n).map(|i| [20.0, 200.0, 900.0][i % 3] + 10.0 * u[i]).collect();
    let code = |i: usize| (i % 3) as u32;
    Table::builder(&schema, n)
        .numbers("spend", spend)
        .categories(
            "country",
            (0..n).map(code).collect::<Vec<_>>(),
            vec!["AT".to_owned(), "DE".to_owned(), "CH".to_owned()],
        )
        .flags("member", (0..n).map(|i| i % 3 == 2).collect::<Vec<_>>())
        .categories(
            "tier",
            (0..n).map(code).collect::<Vec<_>>(),
            vec!["bronze".to_owned(), "silver".to_owned(), "gold".to_owned()],
        )
        .build()
        .unwrap()
}

#[test]
fn mixed_features_are_fitted_explained_and_decoded() {
    let table = shoppers();
    let fitted = KMeans::new(3).seed(1).fit(&table).unwrap();
    check_model(&fitted, &table);
    let model = fitted.model();
    assert_eq!(fitted.report().seed, Some(1));
    for row in table.rows() {
        check_explanation(model, &row);
    }
    let why = model.explain(&table.row(2)).unwrap();
    let features: Vec<&str> =
        why.contributions.iter().map(|c| c.feature.as_str()).collect();
    assert_eq!(features, ["spend", "country", "member", "tier"]);
    assert_eq!(why.contributions[1].value, OwnedValue::from("CH"));
    let typical: Vec<_> =
        why.contributions.iter().map(|c| c.typical.clone().unwrap()).collect();
    assert_eq!(
        typical[1..],
        [OwnedValue::from("CH"), OwnedValue::from(true), OwnedValue::from("gold")]
    );
    let OwnedValue::Number(spend) = typical[0] else { panic!() };
    assert!((spend - 900.0).abs() < 5.0, "{spend}");
    assert!(why.segment.is_some() && why.runner_up_name.is_some());
    assert!(why.to_string().contains("spend"));
}

#[test]
fn customers_that_cannot_be_encoded_are_refused_by_name() {
    let table = shoppers();
    let model = KMeans::new(3).fit(&table).unwrap().into_model();
    let ann = OwnedCustomer::new(table.schema(), 1)
        .set("spend", 20.0)
        .and_then(|c| c.set("country", "AT"))
        .and_then(|c| c.set("member", false))
        .and_then(|c| c.set("tier", "gold"))
        .unwrap();
    assert!(model.assign(&ann).is_ok());
    let broken = [
        ("spend", OwnedValue::Missing),
        ("spend", OwnedValue::Number(f64::NAN)),
        ("spend", OwnedValue::Number(f64::INFINITY)),
        ("spend", OwnedValue::Number(1e300)),
        ("spend", OwnedValue::Flag(true)),
        ("country", OwnedValue::from("Austria")),
        ("tier", OwnedValue::Missing),
    ];
    for (name, value) in broken {
        let customer = ann.clone().set(name, value).unwrap();
        let error = model.assign(&customer).unwrap_err();
        assert!(error.is_data() && error.to_string().contains(name), "{error}");
        assert!(model.explain(&customer).is_err());
        assert!(model.affinities(&customer).is_err());
    }
    assert!(!model.capabilities().accepts_missing);
    let mut short = [0.0; 2];
    assert!(model.affinities_with(&ann, &mut Scratch::new(), &mut short).is_err());
}

#[test]
fn imputed_values_are_accepted() {
    let schema = number_schema(1);
    let mask: Vec<bool> = vec![true, true, false, true, true];
    let numbers = vec![0.0, 1.0, f64::NAN, 10.0, 11.0];
    let table = Table::builder(&schema, 5)
        .column("x0", Column::Number(numbers.into(), Validity::Mask(mask.into())))
        .build()
        .unwrap();
    assert!(KMeans::new(2).fit(&table).is_err());
    let kmeans = KMeans::new(2).encoder(Encoder::new().impute(Impute::Median));
    let fitted = kmeans.fit(&table).unwrap();
    check_model(&fitted, &table);
    assert!(fitted.model().capabilities().accepts_missing);
    assert!(fitted.model().assign(&OwnedCustomer::new(&schema, 1)).is_ok());
}

#[test]
fn encoded_rows_are_checked() {
    let encoder = FittedEncoder::identity(&number_schema(2)).unwrap();
    let model =
        KMeansModel::from_centers(encoder, array![[0.0, 0.0], [4.0, 0.0]]).unwrap();
    let assigned = model.assign_row(&[1.0, 2.0]).unwrap();
    assert_eq!((assigned.cost(), assigned.margin()), (5.0, 8.0));
    let error = model.assign_row(&[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "the encoded row has length 1, but 2 is needed");
    for (x, found) in [
        ([1.0, f64::NAN], "feature `x1` must be a finite number, but is NaN"),
        ([f64::INFINITY, 1.0], "feature `x0` must be a finite number, but is inf"),
    ] {
        assert_eq!(model.assign_row(&x).unwrap_err().to_string(), found);
    }
    let error = model.assign_row(&[0.0, 1e200]).unwrap_err().to_string();
    assert!(error.starts_with("`1e200` is not a `x1` so near"), "{error}");
    assert!(model.assign_row(&[1e150, -1e150]).is_ok());
}

#[test]
fn memberships_at_and_between_centres() {
    let schema = number_schema(1);
    let at = |x: f64| OwnedCustomer::new(&schema, 1).set("x0", x).unwrap();
    let encoder = FittedEncoder::identity(&schema).unwrap();
    let model =
        KMeansModel::from_centers(encoder.clone(), array![[0.0], [3.0], [0.0]]).unwrap();
    assert_eq!(model.affinities(&at(0.0)).unwrap(), [0.5, 0.0, 0.5]);
    assert_eq!(model.affinities(&at(3.0)).unwrap(), [0.0, 1.0, 0.0]);
    // Squared distances 1, 4, 1: 1 / (1 + 1/4 + 1) and a quarter of it.
    let degrees = model.affinities(&at(1.0)).unwrap();
    assert!(close(degrees[0], 4.0 / 9.0, 1e-15) && close(degrees[1], 1.0 / 9.0, 1e-15));
    assert_eq!(model.assign(&at(1.0)).unwrap().segment(), Some(SegmentIndex::new(0)));
    assert_eq!(model.assign(&at(1.0)).unwrap().margin(), 0.0);
    let why = model.explain(&at(1.0)).unwrap();
    assert_eq!(why.runner_up, Some(SegmentIndex::new(2)));
    let alone = KMeansModel::from_centers(encoder, array![[1.0]]).unwrap();
    assert_eq!(alone.affinities(&at(5.0)).unwrap(), [1.0]);
    check_explanation(&alone, &at(5.0));
}

#[test]
fn models_from_centers_are_checked() {
    let encoder = || FittedEncoder::identity(&number_schema(2)).unwrap();
    let refused = |centers: Array2<f64>| {
        assert!(
            KMeansModel::from_centers(encoder(), centers).unwrap_err().is_parameter()
        );
    };
    refused(Array2::zeros((0, 2)));
    refused(array![[1.0, f64::NAN]]);
    assert!(KMeansModel::from_centers(encoder(), array![[1.0]]).is_err());
    let empty = FittedEncoder::identity(&number_schema(0)).unwrap();
    assert!(KMeansModel::from_centers(empty, Array2::zeros((2, 0))).is_err());
    let model = KMeansModel::from_centers(encoder(), array![[1.0, 2.0]]).unwrap();
    assert_eq!(model.inertia(), None);
    assert_eq!(model.cluster_centers(), array![[1.0, 2.0]]);
    assert_eq!(model.segments(), Segment::numbered(1));
}

#[test]
fn segments_can_be_renamed() {
    let mut model = KMeans::new(3).fit(&shoppers()).unwrap().into_model();
    let names = ["a", "b", "c"].map(|id| Segment::new(id, id.to_uppercase()));
    model.relabel(names.to_vec()).unwrap();
    assert_eq!(model.segments(), names);
    assert!(model.relabel(names[..2].to_vec()).is_err());
    assert!(model.relabel(vec![names[0].clone(); 3]).is_err());
    assert_eq!(model.segments(), names);
}

#[test]
fn configurations_can_be_saved() {
    let all = [
        KMeans::new(3).n_init(4).max_iter(9).tol(0.5).seed(u64::MAX),
        KMeans::new(2).init(Init::Random).encoder(Encoder::unscaled()),
        from(array![[0.1, 0.2], [1.0 / 3.0, -1.0]]),
    ];
    for kmeans in all {
        let json = serde_json::to_string(&kmeans).unwrap();
        assert_eq!(serde_json::from_str::<KMeans>(&json).unwrap(), kmeans);
    }
    let short: KMeans = serde_json::from_str(r#"{"n_clusters":5}"#).unwrap();
    assert_eq!(short, KMeans::new(5));
    for bad in [
        r#"{"n_clusters":5,"n_int":3}"#,
        r#"{"n_clusters":2,"init":{"centers":[[1.0],[1.0,2.0]]}}"#,
        "{}",
    ] {
        assert!(serde_json::from_str::<KMeans>(bad).is_err());
    }
}

#[test]
fn saved_models_come_back_to_the_bit() {
    let table = shoppers();
    let mut model = KMeans::new(3).fit(&table).unwrap().into_model();
    let mut renamed = model.segments().to_vec();
    renamed[1].name = "Regulars".into();
    model.relabel(renamed).unwrap();
    let json = model.save().unwrap().to_json().unwrap();
    let saved = Saved::from_json(&json).unwrap();
    assert_eq!((saved.kind(), saved.version()), ("segmenta.kmeans", 1));
    let loaded = KMeansModel::load(&saved).unwrap();
    assert_eq!(loaded.segments(), model.segments());
    assert_eq!(loaded.inertia(), model.inertia());
    assert_eq!(loaded.cluster_centers(), model.cluster_centers());
    assert_eq!(loaded.assign_all(&table).unwrap(), model.assign_all(&table).unwrap());
    assert_eq!(loaded.save().unwrap().digest(), saved.digest());
}

#[test]
fn hostile_models_are_refused() {
    use serde_json::json;
    let table = shoppers();
    let model = KMeans::new(3).fit(&table).unwrap().into_model();
    let registry = Registry::empty();
    let good = serde_json::to_value(model.to_repr(&registry).unwrap()).unwrap();
    let load = |document: serde_json::Value| {
        let repr = serde_json::from_value(document).map_err(|e| e.to_string())?;
        match KMeansModel::from_repr(repr, table.schema().clone(), &registry) {
            Ok(model) => Ok(model),
            Err(e) => {
                assert!(e.is_format(), "{e}");
                assert!(matches!(e.kind(), ErrorKind::Corrupt { .. }), "{e}");
                Err(e.to_string())
            }
        }
    };
    assert!(load(good.clone()).is_ok());
    let cases = [
        ("/centers", json!([])),
        ("/centers/1", json!([1.0])),
        ("/centers/1", json!([])),
        ("/centers/0/0", json!(null)),
        ("/centers/0/0", json!("x")),
        ("/centers", json!([good["centers"][0]])),
        ("/segments", json!([])),
        ("/segments/1/id", json!("segment-1")),
        ("/segments/1/id", json!("")),
        ("/segments/1/share", json!(1.5)),
        ("/segments/1/size", json!(-1)),
        ("/inertia", json!(-1.0)),
        ("/inertia", json!("much")),
        ("/encoder", json!({})),
        ("/encoder/features", json!([])),
    ];
    for (at, value) in cases {
        let mut document = good.clone();
        *document.pointer_mut(at).unwrap() = value;
        assert!(load(document).is_err(), "{at}");
    }
    let mut extra = good.clone();
    extra["more"] = json!(1);
    assert!(load(extra).is_err());
    let json = model.save().unwrap().to_json().unwrap();
    let mut envelope: serde_json::Value = serde_json::from_str(&json).unwrap();
    envelope["model"]["centers"][0][0] = json!(0.125);
    assert!(Saved::from_json(&envelope.to_string()).unwrap_err().is_format());
    assert!(Saved::from_json(&json[..json.len() / 2]).unwrap_err().is_format());
}

#[test]
fn the_boxed_twin_gives_the_same_model() {
    let table = shoppers();
    let plain = KMeans::new(3).fit(&table).unwrap();
    let boxed: Box<dyn FitBoxed> = Box::new(KMeans::new(3));
    let boxed = boxed.fit_boxed(&table, &mut ()).unwrap();
    assert_eq!(plain.labels(), boxed.labels());
    assert!(boxed.model().as_ref().is::<KMeansModel>());
    assert_eq!(
        plain.model().assign_all(&table).unwrap(),
        boxed.model().assign_all(&table).unwrap()
    );
}

#[cfg(feature = "testing")]
mod conformance {
    use super::*;

    fn numbers() -> Table<'static> {
        let x = blobs(60, 3, 4, 6);
        let mut builder = Table::builder(&number_schema(3), 60);
        for (j, column) in x.columns().into_iter().enumerate() {
            builder = builder.numbers(&format!("x{j}"), column.to_vec());
        }
        builder.build().unwrap()
    }

    fn model_of_numbers() -> KMeansModel {
        KMeans::new(4).fit(&numbers()).unwrap().into_model()
    }

    fn model_of_shoppers() -> KMeansModel {
        KMeans::new(3).fit(&shoppers()).unwrap().into_model()
    }

    fn the_shoppers() -> Vec<OwnedCustomer> {
        let table = shoppers();
        let schema = table.schema();
        let values = |i: usize| {
            schema.indices().map(|f| table.row(i).value(f).to_owned()).collect()
        };
        (0..table.len())
            .map(|i| OwnedCustomer::with_values(schema, i as u64, values(i)).unwrap())
            .collect()
    }

    segmenta::conformance!(fit_numbers, fit: KMeans::new(4), table: numbers());
    segmenta::conformance!(fit_random, fit: by_random(), table: numbers());
    segmenta::conformance!(fit_mixed, fit: KMeans::new(3), table: shoppers());
    segmenta::conformance!(of_numbers, segmenter: model_of_numbers());
    segmenta::conformance!(of_mixed, segmenter: model_of_shoppers(), cases: the_shoppers());
    segmenta::conformance!(saved_numbers, persist: model_of_numbers());
    segmenta::conformance!(
        saved_mixed, persist: model_of_shoppers(), cases: the_shoppers()
    );

    fn by_random() -> KMeans {
        KMeans::new(6).init(Init::Random).encoder(Encoder::unscaled())
    }
}

#[cfg(feature = "rayon")]
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = blobs(9000, 5, 11, 77);
    let w: Vec<f64> = noise(9000, 3).iter().map(|u| (u + 0.9).max(0.0)).collect();
    let table = weighted(&number_schema(5), &x, &w);
    let bits = |n_threads: usize| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            [Init::KMeansPlusPlus, Init::Random].map(|init| {
                let kmeans = KMeans::new(11).n_init(2).init(init);
                let result = fit(&kmeans, x.view(), Some(&w));
                let fitted = kmeans.fit(&table).unwrap();
                let numbers: Vec<u64> = result
                    .centers
                    .iter()
                    .chain([&result.inertia])
                    .chain(fitted.model().cluster_centers().iter())
                    .chain(fitted.model().inertia().as_ref())
                    .map(|x| x.to_bits())
                    .collect();
                let assigned = fitted.model().assign_all(&table).unwrap();
                (numbers, result.labels, fitted.labels().to_vec(), assigned)
            })
        })
    };
    let one = bits(1);
    assert_eq!(one, bits(2));
    assert_eq!(one, bits(7));
}

// ------------------------------------------------------------------ real data

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
