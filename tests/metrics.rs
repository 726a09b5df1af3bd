//! Scores of segmentations against golden values, slow oracles and their own laws.

use std::cell::RefCell;

use proptest::prelude::*;
use segmenta::metrics::*;
use segmenta::ndarray::{Array2, ArrayView2, Axis, Slice, array};
use segmenta::segmenter::SegmentIndex;
use segmenta::{Error, ErrorKind, Result};
use serde_json::Value as Json;

const AVERAGES: [(&str, AverageMethod); 4] = [
    ("min", AverageMethod::Min),
    ("geometric", AverageMethod::Geometric),
    ("arithmetic", AverageMethod::Arithmetic),
    ("max", AverageMethod::Max),
];

fn golden() -> Json {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn integers(json: &Json) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(json: &Json) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = json.as_array().unwrap().iter().map(numbers).collect();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64) {
    let scale = expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= 1e-10 * scale,
        "{name}: {found} is not {expected}"
    );
}

#[track_caller]
fn undefined<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{error:?}");
    assert!(error.is_data());
}

fn agreement_matches(case: &Json) {
    let name = case["name"].as_str().unwrap();
    let (u, v) = (integers(&case["labels"]), integers(&case["labels2"]));
    let expected = |key: &str| case[key].as_f64().unwrap();
    let check = |key: &str, found: Result<f64>| {
        close(&format!("{name}, {key}"), found.unwrap(), expected(key));
    };
    check("rand_score", rand_score(&u, &v));
    check("adjusted_rand_score", adjusted_rand_score(&u, &v));
    check("mutual_info_score", mutual_info_score(&u, &v));
    check("variation_of_information", variation_of_information(&u, &v));
    check("v_measure", v_measure_score(&u, &v));
    let measure = homogeneity_completeness_v_measure(&u, &v).unwrap();
    check("homogeneity", Ok(measure.homogeneity));
    check("completeness", Ok(measure.completeness));
    check("v_measure", Ok(measure.v_measure));
    let table = ContingencyTable::from_labels(&u, &v).unwrap();
    check("expected_mutual_info", table.expected_mutual_info());

    // Where the golden value is another convention: two partitions that are both of
    // single rows are identical, so 1; and with the min of the entropies, "singletons_vs_two"
    // is a quotient of two rounding errors.
    let renamed = ["all_singletons_both", "one_row"].contains(&name);
    let fowlkes = if renamed { 1.0 } else { expected("fowlkes_mallows_score") };
    close(name, fowlkes_mallows_score(&u, &v).unwrap(), fowlkes);
    for (average, method) in AVERAGES {
        let key = format!("{name}, {average}");
        let normalized = normalized_mutual_info_score(&u, &v, method).unwrap();
        let golden = case["normalized_mutual_info_score"][average].as_f64().unwrap();
        close(&key, normalized, golden);
        let adjusted = adjusted_mutual_info_score(&u, &v, method).unwrap();
        let golden = case["adjusted_mutual_info_score"][average].as_f64().unwrap();
        let rounding = name == "singletons_vs_two" && average == "min";
        close(&key, adjusted, if rounding { 0.0 } else { golden });
    }
}

#[test]
fn agreement_is_golden() {
    let golden = golden();
    let cases = golden["cases"].as_array().unwrap();
    let edge = golden["edge"].as_array().unwrap();
    assert_eq!((cases.len(), edge.len()), (20, 10));
    cases.iter().chain(edge).for_each(agreement_matches);
}

#[test]
fn internal_scores_are_golden() {
    for case in golden()["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (x, labels) = (matrix(&case["x"]), integers(&case["labels"]));
        let x = x.view();
        let check = |key: &str, found: Result<f64>| {
            let expected = case[key].as_f64().unwrap();
            close(&format!("{name}, {key}"), found.unwrap(), expected);
        };
        check("silhouette_score", silhouette_score(x, &labels));
        check("davies_bouldin_score", davies_bouldin_score(x, &labels));
        check("simplified_silhouette", simplified_silhouette(x, &labels));
        let samples = silhouette_samples(x, &labels).unwrap();
        let expected = numbers(&case["silhouette_samples"]);
        assert_eq!(samples.len(), expected.len());
        for (row, (&found, &expected)) in samples.iter().zip(&expected).enumerate() {
            close(&format!("{name}, row {row}"), found, expected);
        }
        let condensed = condensed(x);
        let samples = silhouette_samples_from_distances(&condensed, &labels).unwrap();
        for (row, (&found, &expected)) in samples.iter().zip(&expected).enumerate() {
            close(&format!("{name}, row {row} from distances"), found, expected);
        }
        if case["dunn"].is_null() {
            // Each group is one repeated point: W = 0 and no diameter.
            assert_eq!(name, "duplicate_clusters");
            undefined(dunn_index(x, &labels));
            undefined(calinski_harabasz_score(x, &labels));
            assert_eq!(davies_bouldin_score(x, &labels).unwrap(), 0.0);
        } else {
            check("dunn", dunn_index(x, &labels));
            check("calinski_harabasz_score", calinski_harabasz_score(x, &labels));
        }
    }
}

/// Fisher's iris, species against k-means of 3: only the table is needed. Expected values
/// of scikit-learn 1.9.1 and (variation of information) of R's mclustcomp.
#[test]
fn iris_has_its_known_agreement() {
    let table = ContingencyTable::from_cells([
        ("setosa", 1, 50),
        ("versicolor", 0, 48),
        ("versicolor", 2, 2),
        ("virginica", 0, 14),
        ("virginica", 2, 36),
    ])
    .unwrap();
    close("ARI", table.adjusted_rand_score().unwrap(), 0.7302382722834697);
    close("RI", table.rand_score().unwrap(), 0.8797315436241611);
    let ami = |method| table.adjusted_mutual_info_score(method).unwrap();
    close("AMI", ami(AverageMethod::Arithmetic), 0.7551191675800484);
    close("AMI, max", ami(AverageMethod::Max), 0.7483723933229484);
    let measure = table.homogeneity_completeness_v_measure().unwrap();
    assert!((measure.homogeneity - 0.7514854022).abs() < 1e-9);
    assert!((measure.completeness - 0.7649861514).abs() < 1e-9);
    assert!((measure.v_measure - 0.7581756800).abs() < 1e-9);
    assert!((table.fowlkes_mallows_score().unwrap() - 0.8208080729).abs() < 1e-9);
    assert!((table.variation_of_information().unwrap() - 0.526653679).abs() < 1e-9);
}

/// Expected values by the exact hypergeometric sum in 60 decimal digits (Python's
/// `decimal`, `math.comb`).
#[test]
fn adjusted_mutual_information_keeps_its_digits_for_many_rows() {
    let table = |cells: &[[u64; 3]]| {
        let cells = cells.iter().enumerate().flat_map(|(a, row)| {
            row.iter().enumerate().map(move |(b, &count)| (a, b, count))
        });
        ContingencyTable::from_cells(cells).unwrap()
    };
    let near = table(&[[12_000, 3_000, 500], [2_500, 9_000, 4_100], [40, 60, 8_000]]);
    let expected = near.expected_mutual_info().unwrap();
    assert!((expected / 5.102_428_969_694_320e-5 - 1.0).abs() < 1e-10, "{expected}");
    let score = near.adjusted_mutual_info_score(AverageMethod::Arithmetic).unwrap();
    assert!((score - 0.416_941_502_440_515_1).abs() < 1e-13, "{score}");
    // Next to independent: less information than expected, and the sign is kept.
    let far = table(&[[10_010, 20_000, 9_990], [5_000, 9_980, 5_020]]);
    let expected = far.expected_mutual_info().unwrap();
    assert!((expected / 1.666_739_557_725_531_9e-5 - 1.0).abs() < 1e-10, "{expected}");
    let score = far.adjusted_mutual_info_score(AverageMethod::Arithmetic).unwrap();
    assert!((score + 1.875_842_473_539_740_9e-5).abs() < 1e-13, "{score}");
}

#[test]
fn identical_partitions_have_every_index_1() {
    let partitions: [(&[u8], &[i32]); 4] = [
        (&[1], &[-5]),
        (&[3, 3, 3], &[0, 0, 0]),
        (&[0, 1, 2, 3], &[9, -1, 4, 2]),
        (&[0, 0, 1, 1, 7], &[4, 4, 3, 3, 0]),
    ];
    for (u, v) in partitions {
        assert_eq!(rand_score(u, v).unwrap(), 1.0);
        assert_eq!(adjusted_rand_score(u, v).unwrap(), 1.0);
        assert_eq!(fowlkes_mallows_score(u, v).unwrap(), 1.0);
        assert_eq!(pair_jaccard_score(u, v).unwrap(), 1.0);
        assert_eq!(v_measure_score(u, v).unwrap(), 1.0);
        assert_eq!(variation_of_information(u, v).unwrap(), 0.0);
        for (_, method) in AVERAGES {
            assert_eq!(adjusted_mutual_info_score(u, v, method).unwrap(), 1.0);
            assert_eq!(normalized_mutual_info_score(u, v, method).unwrap(), 1.0);
        }
    }
}

#[test]
fn no_labels_and_unequal_lengths_are_errors() {
    let (none, one): ([u8; 0], [u8; 1]) = ([], [0]);
    let average = AverageMethod::default();
    undefined(rand_score(&none, &none));
    undefined(adjusted_rand_score(&none, &none));
    undefined(fowlkes_mallows_score(&none, &none));
    undefined(pair_jaccard_score(&none, &none));
    undefined(mutual_info_score(&none, &none));
    undefined(adjusted_mutual_info_score(&none, &none, average));
    undefined(normalized_mutual_info_score(&none, &none, average));
    undefined(v_measure_score(&none, &none));
    undefined(variation_of_information(&none, &none));
    undefined(ContingencyTable::<u8>::default().expected_mutual_info());
    let error = adjusted_rand_score(&one, &none).unwrap_err();
    assert_eq!(error.to_string(), "the second labeling has length 0, but 1 is needed");
    let x = Array2::zeros((0, 2));
    undefined(silhouette_score(x.view(), &none));
    undefined(simplified_silhouette(x.view(), &none));
    undefined(calinski_harabasz_score(x.view(), &none));
    undefined(davies_bouldin_score(x.view(), &none));
    undefined(dunn_index(x.view(), &none));
    undefined(inertia(x.view(), &none, None));
    undefined(inertia(x.view(), &none, Some(&[])));
    undefined(silhouette_samples_from_distances(&[], &none));
}

#[test]
fn labels_of_a_fit_are_labels() {
    let segment = |i| Some(SegmentIndex::new(i));
    let fitted = [segment(0), segment(0), None, None, segment(3)];
    let known = ["a", "a", "b", "b", "c"];
    assert_eq!(adjusted_rand_score(&known, &fitted).unwrap(), 1.0);
    let x = array![[0.0], [1.0], [10.0], [11.0], [50.0]];
    let found = silhouette_score(x.view(), &fitted).unwrap();
    assert_eq!(found, silhouette_score(x.view(), &known).unwrap());
}

#[test]
fn a_table_can_be_saved_and_a_wrong_one_cannot_be_read() {
    let table = ContingencyTable::from_labels(&["b", "a", "b"], &[2, 2, 1]).unwrap();
    let owned = ContingencyTable::from_cells(
        table.cells().map(|(a, &b, count)| (a.to_string(), b, count)),
    )
    .unwrap();
    let json = serde_json::to_string(&owned).unwrap();
    assert_eq!(json, r#"[["a",2,1],["b",1,1],["b",2,1]]"#);
    let read: ContingencyTable<String, i32> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, owned);
    assert_eq!(read.rows().map(|(_, count)| count).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read.columns().map(|(_, count)| count).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read.total(), 3);
    let huge = format!(r#"[["a",2,{0}],["b",1,{0}]]"#, u64::MAX);
    assert!(serde_json::from_str::<ContingencyTable<String, i32>>(&huge).is_err());
    // A count of 0 is no label.
    let cells = [(0, 0, 5), (1, 1, 0), (0, 0, 2)];
    let table = ContingencyTable::from_cells(cells).unwrap();
    assert_eq!((table.rows().len(), table.count(&0, &0), table.count(&1, &1)), (1, 7, 0));
}

#[test]
fn counts_beyond_four_billion_do_not_overflow() {
    let n = 1_u64 << 60;
    let small = [(0, 0, 3), (0, 1, 1), (1, 0, 1), (1, 1, 3)];
    let of = |factor: u64| {
        ContingencyTable::from_cells(small.map(|(a, b, count)| (a, b, count * factor)))
            .unwrap()
    };
    let huge = of(n);
    let counts = huge.pair_counts();
    let total = u128::from(huge.total());
    let sum = counts.together_in_both
        + counts.only_in_true
        + counts.only_in_pred
        + counts.apart_in_both;
    assert_eq!(sum, total * (total - 1) / 2);
    // In the limit of many rows: agreement 20/32 of the pairs, 16/32 by chance.
    close("RI", huge.rand_score().unwrap(), 0.625);
    close("ARI", huge.adjusted_rand_score().unwrap(), 0.25);
    // The exact and the rounded formula meet.
    let (below, above) = (of(1 << 29), of((1 << 29) + 1));
    assert_eq!(below.total(), 1 << 32);
    let (below, above) = (below.adjusted_rand_score(), above.adjusted_rand_score());
    assert!((below.unwrap() - above.unwrap()).abs() < 1e-9);
}

// ---------------------------------------------------------------- slow oracles

fn distance(x: ArrayView2<'_, f64>, i: usize, j: usize) -> f64 {
    let square: f64 = x.row(i).iter().zip(x.row(j)).map(|(a, b)| (a - b).powi(2)).sum();
    square.sqrt()
}

fn condensed(x: ArrayView2<'_, f64>) -> Vec<f64> {
    let n = x.nrows();
    (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| distance(x, i, j))
        .collect()
}

fn distinct(labels: &[u8]) -> Vec<u8> {
    let mut groups = labels.to_vec();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn members(labels: &[u8], group: u8) -> Vec<usize> {
    (0..labels.len()).filter(|&i| labels[i] == group).collect()
}

fn slow_silhouettes(x: ArrayView2<'_, f64>, labels: &[u8]) -> Vec<f64> {
    let mean_to = |i: usize, group: u8| {
        let others: Vec<usize> =
            members(labels, group).into_iter().filter(|&j| j != i).collect();
        others.iter().map(|&j| distance(x, i, j)).sum::<f64>() / others.len() as f64
    };
    (0..labels.len())
        .map(|i| {
            if members(labels, labels[i]).len() == 1 {
                return 0.0;
            }
            let a = mean_to(i, labels[i]);
            let others = distinct(labels).into_iter().filter(|&g| g != labels[i]);
            let b = others.map(|g| mean_to(i, g)).fold(f64::INFINITY, f64::min);
            if a == 0.0 && b == 0.0 { 0.0 } else { (b - a) / a.max(b) }
        })
        .collect()
}

fn centroid(x: ArrayView2<'_, f64>, rows: &[usize]) -> Vec<f64> {
    x.select(Axis(0), rows).mean_axis(Axis(0)).unwrap().to_vec()
}

fn norm(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

struct Slow {
    inertia: f64,
    calinski_harabasz: f64,
    davies_bouldin: f64,
    dunn: f64,
    simplified: f64,
}

fn slow(x: ArrayView2<'_, f64>, labels: &[u8]) -> Slow {
    let (n, groups) = (x.nrows(), distinct(labels));
    let k = groups.len();
    let rows: Vec<Vec<usize>> = groups.iter().map(|&g| members(labels, g)).collect();
    let centres: Vec<Vec<f64>> = rows.iter().map(|rows| centroid(x, rows)).collect();
    let whole = centroid(x, &(0..n).collect::<Vec<_>>());
    let to = |i: usize, c: usize| norm(&x.row(i).to_vec(), &centres[c]);
    let own = |i: usize| groups.iter().position(|&g| g == labels[i]).unwrap();
    let inertia: f64 = (0..n).map(|i| to(i, own(i)).powi(2)).sum();
    let between: f64 =
        (0..k).map(|c| rows[c].len() as f64 * norm(&centres[c], &whole).powi(2)).sum();
    let spread: Vec<f64> = (0..k)
        .map(|c| rows[c].iter().map(|&i| to(i, c)).sum::<f64>() / rows[c].len() as f64)
        .collect();
    let worst = |a: usize| {
        (0..k)
            .filter(|&b| b != a)
            .map(|b| (spread[a] + spread[b]) / norm(&centres[a], &centres[b]))
            .fold(0.0, f64::max)
    };
    let pairs = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let nearest = pairs().filter(|&(i, j)| labels[i] != labels[j]);
    let widest = pairs().filter(|&(i, j)| labels[i] == labels[j]);
    let simplified = (0..n).map(|i| {
        let a = to(i, own(i));
        let b =
            (0..k).filter(|&c| c != own(i)).map(|c| to(i, c)).fold(f64::MAX, f64::min);
        if a.max(b) == 0.0 { 0.0 } else { (b - a) / a.max(b) }
    });
    Slow {
        inertia,
        calinski_harabasz: (between / (k - 1) as f64) / (inertia / (n - k) as f64),
        davies_bouldin: (0..k).map(worst).sum::<f64>() / k as f64,
        dunn: nearest.map(|(i, j)| distance(x, i, j)).fold(f64::MAX, f64::min)
            / widest.map(|(i, j)| distance(x, i, j)).fold(0.0, f64::max),
        simplified: simplified.sum::<f64>() / n as f64,
    }
}

/// Points with quarters as coordinates, so that sums and shifts by them are exact, and
/// labels of which at least two differ and two are equal.
fn points(most: usize) -> impl Strategy<Value = (Array2<f64>, Vec<u8>)> {
    (4..most, 1..4_usize)
        .prop_flat_map(|(n, d)| {
            let x = prop::collection::vec(-40..40_i32, n * d);
            let labels = prop::collection::vec(0..5_u8, n);
            (x, labels, Just((n, d)))
        })
        .prop_filter_map("one group", |(x, mut labels, shape)| {
            labels[1] = labels[0];
            let x = x.into_iter().map(|x| f64::from(x) / 4.0).collect();
            let x = Array2::from_shape_vec(shape, x).unwrap();
            (distinct(&labels).len() > 1).then_some((x, labels))
        })
}

fn two_labelings(most: usize) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (1..most).prop_flat_map(|n| {
        (prop::collection::vec(0..4_u8, n), prop::collection::vec(0..4_u8, n))
    })
}

/// A score, or `None` where it is undefined; every other error fails.
fn defined(result: Result<f64>) -> Option<f64> {
    match result.map_err(Error::into_kind) {
        Ok(score) => {
            assert!(score.is_finite());
            Some(score)
        }
        Err(ErrorKind::Undefined { .. }) => None,
        Err(kind) => panic!("{kind:?}"),
    }
}

fn all_scores(x: ArrayView2<'_, f64>, labels: &[u8]) -> [Option<f64>; 5] {
    [
        defined(silhouette_score(x, labels)),
        defined(simplified_silhouette(x, labels)),
        defined(calinski_harabasz_score(x, labels)),
        defined(davies_bouldin_score(x, labels)),
        defined(dunn_index(x, labels)),
    ]
}

fn same(found: &[Option<f64>], expected: &[Option<f64>], tolerance: f64) -> bool {
    found.iter().zip(expected).all(|pair| match pair {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance * b.abs().max(1.0),
        (a, b) => a == b,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn internal_scores_equal_their_definitions((x, labels) in points(40)) {
        let (x, n) = (x.view(), labels.len());
        let samples = silhouette_samples(x, &labels).unwrap();
        let expected = slow_silhouettes(x, &labels);
        for (found, expected) in samples.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-12, "{} {}", found, expected);
        }
        let lent = silhouette_samples_from_distances(&condensed(x), &labels).unwrap();
        for (found, expected) in lent.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-12);
        }
        let mean = expected.iter().sum::<f64>() / n as f64;
        prop_assert!((silhouette_score(x, &labels).unwrap() - mean).abs() < 1e-12);

        let slow = slow(x, &labels);
        let found = inertia(x, &labels, None).unwrap();
        prop_assert!((found - slow.inertia).abs() <= 1e-10 * slow.inertia.max(1.0));
        let found = simplified_silhouette(x, &labels).unwrap();
        prop_assert!((found - slow.simplified).abs() < 1e-8);
        let expected = |score: f64, possible: bool| possible.then_some(score);
        let found = [
            defined(calinski_harabasz_score(x, &labels)),
            defined(dunn_index(x, &labels)),
        ];
        let scattered = slow.inertia > 1e-9;
        let expected =
            [expected(slow.calinski_harabasz, scattered), expected(slow.dunn, scattered)];
        prop_assert!(same(&found, &expected, 1e-9), "{found:?} {expected:?}");
        match defined(davies_bouldin_score(x, &labels)) {
            None => prop_assert!(slow.davies_bouldin.is_nan() || slow.davies_bouldin > 1e12),
            Some(found) => {
                let relative = (found - slow.davies_bouldin) / found.max(1.0);
                prop_assert!(relative.abs() < 1e-9);
            }
        }
    }

    #[test]
    fn internal_scores_have_their_bounds((x, labels) in points(40)) {
        let [silhouette, simplified, ratio, bouldin, dunn] = all_scores(x.view(), &labels);
        for score in [silhouette, simplified] {
            prop_assert!((-1.0..=1.0).contains(&score.unwrap()));
        }
        for score in [ratio, bouldin, dunn].into_iter().flatten() {
            prop_assert!(score >= 0.0);
        }
    }

    #[test]
    fn rows_may_come_in_any_order((x, labels) in points(30), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let shuffled = x.select(Axis(0), &order);
        let labels2: Vec<u8> = order.iter().map(|&i| labels[i]).collect();
        let expected = all_scores(x.view(), &labels);
        let found = all_scores(shuffled.view(), &labels2);
        prop_assert!(same(&found, &expected, 1e-9), "{found:?} {expected:?}");
    }

    #[test]
    fn names_of_labels_do_not_count((x, labels) in points(30)) {
        let renamed: Vec<String> =
            labels.iter().map(|label| format!("{}", (label * 3 + 2) % 5)).collect();
        let found = silhouette_samples(x.view(), &renamed).unwrap();
        let expected = silhouette_samples(x.view(), &labels).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).abs() < 1e-12);
        }
        prop_assert_eq!(adjusted_rand_score(&labels, &renamed).unwrap(), 1.0);
    }

    #[test]
    fn a_shift_or_a_unit_changes_nothing((x, labels) in points(30)) {
        // Quarters plus 2^30 are exact, and so are powers of two, however extreme.
        let expected = all_scores(x.view(), &labels);
        let shifted = &x + 1_073_741_824.0;
        let found = all_scores(shifted.view(), &labels);
        prop_assert!(same(&found, &expected, 1e-12), "{found:?} {expected:?}");
        for exponent in [-1000, -300, 300, 1010] {
            let scaled = &x * 2.0_f64.powi(exponent);
            let found = all_scores(scaled.view(), &labels);
            prop_assert!(same(&found, &expected, 1e-9), "2^{exponent}: {found:?}");
        }
    }

    #[test]
    fn layouts_are_equal((x, labels) in points(30)) {
        let expected = all_scores(x.view(), &labels);
        let columns = x.t().as_standard_layout().into_owned();
        prop_assert_eq!(all_scores(columns.t(), &labels), expected);
        // Every second row, without the first column, of an array with holes.
        let mut wide = Array2::from_elem((x.nrows() * 2, x.ncols() + 1), f64::NAN);
        let (rows, columns) = (Slice::new(0, None, 2), Slice::from(1..));
        let mut part = wide.slice_axis_mut(Axis(0), rows);
        part.slice_axis_mut(Axis(1), columns).assign(&x);
        let part = wide.slice_axis(Axis(0), rows);
        prop_assert_eq!(all_scores(part.slice_axis(Axis(1), columns), &labels), expected);
    }

    #[test]
    fn weights_are_repeated_rows(
        (x, labels) in points(20),
        weights in prop::collection::vec(0..4_u8, 20),
    ) {
        let weights = &weights[..labels.len()];
        let repeated: Vec<usize> = (0..labels.len())
            .flat_map(|i| std::iter::repeat_n(i, usize::from(weights[i])))
            .collect();
        let doubles: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        let found = inertia(x.view(), &labels, Some(&doubles)).unwrap();
        if repeated.is_empty() {
            prop_assert_eq!(found, 0.0);
        } else {
            let labels: Vec<u8> = repeated.iter().map(|&i| labels[i]).collect();
            let expected = inertia(x.select(Axis(0), &repeated).view(), &labels, None);
            let expected = expected.unwrap();
            prop_assert!((found - expected).abs() <= 1e-10 * expected.max(1.0));
        }
    }

    #[test]
    fn pairs_are_counted((u, v) in two_labelings(40)) {
        let n = u.len();
        let (mut tp, mut fneg, mut fp, mut tn) = (0_u128, 0, 0, 0);
        for i in 0..n {
            for j in 0..i {
                match (u[i] == u[j], v[i] == v[j]) {
                    (true, true) => tp += 1,
                    (true, false) => fneg += 1,
                    (false, true) => fp += 1,
                    (false, false) => tn += 1,
                }
            }
        }
        let counts = ContingencyTable::from_labels(&u, &v).unwrap().pair_counts();
        let found = [
            counts.together_in_both,
            counts.only_in_true,
            counts.only_in_pred,
            counts.apart_in_both,
        ];
        prop_assert_eq!(found, [tp, fneg, fp, tn]);
        if fneg + fp > 0 {
            let [tp, fneg, fp, tn] = [tp, fneg, fp, tn].map(|count| count as f64);
            let all = tp + fneg + fp + tn;
            let expected = (tp + fneg) * (tp + fp) / all;
            let most = (tp + fneg + tp + fp) / 2.0;
            let ari = (tp - expected) / (most - expected);
            prop_assert!((adjusted_rand_score(&u, &v).unwrap() - ari).abs() < 1e-12);
            prop_assert!((rand_score(&u, &v).unwrap() - (tp + tn) / all).abs() < 1e-15);
            let jaccard = tp / (tp + fneg + fp);
            prop_assert!((pair_jaccard_score(&u, &v).unwrap() - jaccard).abs() < 1e-15);
            let fowlkes = if tp == 0.0 { 0.0 } else { tp / ((tp + fp) * (tp + fneg)).sqrt() };
            prop_assert!((fowlkes_mallows_score(&u, &v).unwrap() - fowlkes).abs() < 1e-14);
        }
    }

    #[test]
    fn information_equals_its_definition((u, v) in two_labelings(40)) {
        let n = u.len() as f64;
        let share = |belongs: &dyn Fn(usize) -> bool| {
            (0..u.len()).filter(|&i| belongs(i)).count() as f64 / n
        };
        let entropy = |labels: &[u8]| -> f64 {
            let shares = distinct(labels).into_iter().map(|g| share(&|i| labels[i] == g));
            shares.map(|p| -p * p.ln()).sum()
        };
        let mut information = 0.0;
        for a in distinct(&u) {
            for b in distinct(&v) {
                let both = share(&|i| u[i] == a && v[i] == b);
                let (p, q) = (share(&|i| u[i] == a), share(&|i| v[i] == b));
                information += if both > 0.0 { both * (both / (p * q)).ln() } else { 0.0 };
            }
        }
        let (h_u, h_v) = (entropy(&u), entropy(&v));
        let table = ContingencyTable::from_labels(&u, &v).unwrap();
        prop_assert!((table.mutual_info_score().unwrap() - information).abs() < 1e-13);
        prop_assert!((table.entropy_true() - h_u).abs() < 1e-13);
        prop_assert!((table.entropy_pred() - h_v).abs() < 1e-13);
        let distance = table.variation_of_information().unwrap();
        prop_assert!((distance - (h_u + h_v - 2.0 * information)).abs() < 1e-13);
        let measure = table.homogeneity_completeness_v_measure().unwrap();
        let nmi = table.normalized_mutual_info_score(AverageMethod::Arithmetic).unwrap();
        prop_assert!((measure.v_measure - nmi).abs() < 1e-12);
        for score in [measure.homogeneity, measure.completeness, nmi] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&score));
        }
    }

    #[test]
    fn indices_are_symmetric_and_bounded((u, v) in two_labelings(40)) {
        let swapped = |score: fn(&[u8], &[u8]) -> Result<f64>| {
            (score(&u, &v).unwrap(), score(&v, &u).unwrap())
        };
        let scores: [fn(&[u8], &[u8]) -> Result<f64>; 8] = [
            rand_score,
            adjusted_rand_score,
            fowlkes_mallows_score,
            pair_jaccard_score,
            mutual_info_score,
            v_measure_score,
            variation_of_information,
            |u, v| adjusted_mutual_info_score(u, v, AverageMethod::Arithmetic),
        ];
        for (at, score) in scores.into_iter().enumerate() {
            let (found, back) = swapped(score);
            prop_assert!((found - back).abs() < 1e-12, "score {at}: {found} {back}");
            let bound = if at == 4 || at == 6 { (u.len() as f64).ln() } else { 1.0 };
            prop_assert!(found >= -1.0 && found <= bound + 1e-12, "score {at}: {found}");
        }
        let (there, back) = (
            homogeneity_completeness_v_measure(&u, &v).unwrap(),
            homogeneity_completeness_v_measure(&v, &u).unwrap(),
        );
        prop_assert!((there.homogeneity - back.completeness).abs() < 1e-12);
    }

    #[test]
    fn variation_of_information_is_a_distance(
        labels in (1..30_usize).prop_flat_map(|n| {
            prop::array::uniform3(prop::collection::vec(0..4_u8, n))
        }),
    ) {
        let [u, v, w] = &labels;
        let distance = |a: &[u8], b: &[u8]| variation_of_information(a, b).unwrap();
        prop_assert!(distance(u, w) <= distance(u, v) + distance(v, w) + 1e-12);
        prop_assert!(distance(u, v) >= 0.0);
        let identical = ContingencyTable::from_labels(u, v).unwrap().is_identical();
        prop_assert_eq!(distance(u, v) == 0.0, identical);
    }

    #[test]
    fn tables_of_parts_merge_to_the_whole((u, v) in two_labelings(40), cut in 0..40_usize) {
        let cut = cut.min(u.len());
        let whole = ContingencyTable::from_labels(&u, &v).unwrap();
        let mut merged = ContingencyTable::default();
        merged.merge(&ContingencyTable::from_labels(&u[cut..], &v[cut..]).unwrap()).unwrap();
        merged.merge(&ContingencyTable::from_labels(&u[..cut], &v[..cut]).unwrap()).unwrap();
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(
            merged.adjusted_mutual_info_score(AverageMethod::Max).unwrap().to_bits(),
            adjusted_mutual_info_score(&u, &v, AverageMethod::Max).unwrap().to_bits()
        );
    }

    /// The mean over all reshufflings, for so few rows that all can be made.
    #[test]
    fn chance_is_the_mean_over_all_permutations((u, v) in two_labelings(7)) {
        let (mut sum_mi, mut sum_pairs, mut count) = (0.0, 0.0, 0.0);
        let mut shuffled = v.clone();
        permutations(&mut shuffled, 0, &mut |v| {
            sum_mi += mutual_info_score(&u, v).unwrap();
            let table = ContingencyTable::from_labels(&u, v).unwrap();
            sum_pairs += table.pair_counts().together_in_both as f64;
            count += 1.0;
        });
        let table = ContingencyTable::from_labels(&u, &v).unwrap();
        let expected = table.expected_mutual_info().unwrap();
        prop_assert!((expected - sum_mi / count).abs() < 1e-12);
        if !table.is_identical() {
            let pairs = table.pair_counts();
            let (tp, chance) = (pairs.together_in_both as f64, sum_pairs / count);
            let most = tp + (pairs.only_in_true + pairs.only_in_pred) as f64 / 2.0;
            let ari = (tp - chance) / (most - chance);
            prop_assert!((table.adjusted_rand_score().unwrap() - ari).abs() < 1e-12);
        }
    }
}

fn permutations(items: &mut Vec<u8>, from: usize, visit: &mut dyn FnMut(&[u8])) {
    if from == items.len() {
        return visit(items);
    }
    for i in from..items.len() {
        items.swap(from, i);
        permutations(items, from + 1, visit);
        items.swap(from, i);
    }
}

// ---------------------------------------------------------------- hostile input

#[test]
fn numbers_that_are_none_are_named() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = array![[0.0, 1.0], [1.0, 2.0], [3.0, bad], [2.0, 2.0]];
        let labels = [0, 0, 1, 1];
        let errors = [
            silhouette_score(x.view(), &labels).unwrap_err(),
            simplified_silhouette(x.view(), &labels).unwrap_err(),
            calinski_harabasz_score(x.view(), &labels).unwrap_err(),
            davies_bouldin_score(x.view(), &labels).unwrap_err(),
            dunn_index(x.view(), &labels).unwrap_err(),
            inertia(x.view(), &labels, None).unwrap_err(),
        ];
        for error in errors {
            let message = error.to_string();
            assert!(message.contains("`column 1`") && message.ends_with("in row 2"));
        }
    }
    let wrong = silhouette_samples_from_distances(&[1.0, -1.0, 2.0], &[0, 0, 1]);
    let message = wrong.unwrap_err().to_string();
    assert!(message.contains("rows 0 and 2"), "{message}");
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(silhouette_samples_from_distances(&[1.0, bad, 2.0], &[0, 0, 1]).is_err());
    }
    let length = silhouette_samples_from_distances(&[1.0, 2.0], &[0, 0, 1]).unwrap_err();
    assert!(matches!(length.kind(), ErrorKind::Length { expected: 3, found: 2, .. }));
    let x = array![[0.0], [1.0]];
    let length = dunn_index(x.view(), &[0]).unwrap_err();
    assert!(matches!(length.kind(), ErrorKind::Length { expected: 2, found: 1, .. }));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let error = inertia(x.view(), &[0, 0], Some(&[1.0, bad])).unwrap_err();
        assert!(error.to_string().starts_with("parameter `weight of row 1`"));
    }
    assert!(inertia(x.view(), &[0, 0], Some(&[1.0])).is_err());
}

#[test]
fn one_group_and_groups_of_one_row_have_no_separation() {
    let x = array![[0.0], [1.0], [5.0]];
    for labels in [[0, 0, 0], [0, 1, 2]] {
        undefined(silhouette_samples(x.view(), &labels));
        undefined(silhouette_score(x.view(), &labels));
        undefined(simplified_silhouette(x.view(), &labels));
        undefined(calinski_harabasz_score(x.view(), &labels));
        undefined(davies_bouldin_score(x.view(), &labels));
        undefined(dunn_index(x.view(), &labels));
        undefined(silhouette_samples_from_distances(&[1.0, 5.0, 4.0], &labels));
    }
    assert_eq!(inertia(x.view(), &[0, 0, 0], None).unwrap(), 14.0);
    assert_eq!(inertia(x.view(), &[0, 1, 2], None).unwrap(), 0.0);
}

#[test]
fn equal_rows_have_no_separation_either() {
    let x = Array2::from_elem((6, 2), 0.1);
    let labels = [0, 0, 0, 1, 1, 1];
    assert_eq!(silhouette_samples(x.view(), &labels).unwrap(), [0.0; 6]);
    assert_eq!(simplified_silhouette(x.view(), &labels).unwrap(), 0.0);
    undefined(calinski_harabasz_score(x.view(), &labels));
    undefined(davies_bouldin_score(x.view(), &labels));
    undefined(dunn_index(x.view(), &labels));
    let no_features = Array2::zeros((4, 0));
    let labels = [0, 0, 1, 1];
    assert_eq!(silhouette_score(no_features.view(), &labels).unwrap(), 0.0);
    undefined(dunn_index(no_features.view(), &labels));
}

#[test]
fn coincident_centroids_are_not_the_best_possible() {
    // Mean 0.2 on both sides, up to rounding.
    let x = array![[0.1], [0.3], [0.0], [0.4], [0.2], [0.2]];
    undefined(davies_bouldin_score(x.view(), &[0, 0, 1, 1, 1, 0]));
    undefined(davies_bouldin_score((&x + 1e6).view(), &[0, 0, 1, 1, 1, 0]));
}

#[test]
fn huge_and_tiny_numbers_do_not_overflow_or_vanish() {
    let x = array![[-1.7e308], [-1.6e308], [1.6e308], [1.7e308]];
    let tiny = array![[-1.7e-310], [-1.6e-310], [1.6e-310], [1.7e-310]];
    let plain = array![[-1.7], [-1.6], [1.6], [1.7]];
    let labels = [0, 0, 1, 1];
    let expected = all_scores(plain.view(), &labels);
    assert!(expected.iter().all(Option::is_some));
    assert!(same(&all_scores(x.view(), &labels), &expected, 1e-9));
    assert!(same(&all_scores(tiny.view(), &labels), &expected, 1e-9));
    undefined(inertia(x.view(), &labels, None));
    let heavy = inertia(plain.view(), &labels, Some(&[1e308; 4])).unwrap();
    close("heavy inertia", heavy / 1e306, 1.0);
    undefined(inertia((&plain * 100.0).view(), &labels, Some(&[1e308; 4])));
    let moderate = array![[-1e150], [1e150]];
    close("inertia", inertia(moderate.view(), &[0, 0], None).unwrap() / 2e300, 1.0);
    // A constant of 1e300 hides nothing beside it.
    let beside = array![[1e300, 0.0], [1e300, 1.0], [1e300, 10.0], [1e300, 11.0]];
    let alone = array![[0.0], [1.0], [10.0], [11.0]];
    let expected = all_scores(alone.view(), &labels);
    assert_eq!(all_scores(beside.view(), &labels), expected);
    let far = [1.0e308, 1.5e308, 1.7e308, 1.2e308, 1.3e308, 1.0e308];
    let near = far.map(|distance| distance / 1e308);
    let found = silhouette_samples_from_distances(&far, &labels).unwrap();
    let expected = silhouette_samples_from_distances(&near, &labels).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-12);
    }
}

// ---------------------------------------------------------------- choosing

fn two_clouds() -> Array2<f64> {
    array![[0.0], [1.0], [2.0], [3.0], [100.0], [101.0], [102.0], [103.0]]
}

fn in_order(k: usize) -> Result<Vec<usize>> {
    Ok((0..8).map(|row| row * k / 8).collect())
}

#[test]
fn a_choice_shows_all_criteria_and_keeps_the_undefined() {
    let x = two_clouds();
    let table =
        choose_n_clusters(x.view(), [4, 1, 2, 8], &Criterion::ALL, in_order).unwrap();
    assert_eq!(table.rows().len(), 4);
    for criterion in Criterion::ALL {
        let expected = (criterion != Criterion::Inertia).then_some(2);
        if criterion == Criterion::CalinskiHarabasz {
            // Four pairs of neighbours have less variance within than two clouds.
            assert!(table.best(criterion).is_some());
        } else {
            assert_eq!(table.best(criterion), expected, "{criterion}");
        }
        for k in [1, 8] {
            let score = table.score(k, criterion).unwrap();
            if criterion != Criterion::Inertia {
                assert_eq!(score.value(), None);
                assert!(!score.reason().unwrap().is_empty());
            }
        }
    }
    let labels = in_order(2).unwrap();
    let row = &table.rows()[2];
    assert_eq!((row.n_clusters, row.n_found, row.smallest), (2, 2, 4));
    let expected = [
        inertia(x.view(), &labels, None).unwrap(),
        silhouette_score(x.view(), &labels).unwrap(),
        simplified_silhouette(x.view(), &labels).unwrap(),
        calinski_harabasz_score(x.view(), &labels).unwrap(),
        davies_bouldin_score(x.view(), &labels).unwrap(),
        dunn_index(x.view(), &labels).unwrap(),
    ];
    let found: Vec<f64> = row.scores.iter().map(|score| score.value().unwrap()).collect();
    assert_eq!(found, expected);

    let text = table.to_string();
    assert!(text.contains("simplified silhouette") && text.contains("undefined"));
    assert!(text.contains("silhouette of 1: all rows have the same label"), "{text}");
    assert!(text.lines().nth(3).unwrap().contains('*'), "{text}");
    let headings = text.lines().next().unwrap().len();
    assert!(text.lines().take(5).all(|line| line.len() == headings), "{text}");
    let json = serde_json::to_value(&table).unwrap();
    assert_eq!(json["columns"][1]["criterion"], "silhouette");
    assert_eq!(json["columns"][1]["best"], 2);
    assert_eq!(json["rows"][0]["n_clusters"], 4);
    assert!(json["rows"][1]["scores"][1]["undefined"].is_string());
    assert!(json["rows"][2]["scores"][1]["value"].is_f64());
}

#[test]
fn ties_go_to_the_smallest_number() {
    let x = two_clouds();
    let table =
        choose_n_clusters(x.view(), [5, 3, 4], &[Criterion::Dunn], |_| in_order(2));
    let table = table.unwrap();
    assert_eq!(table.best(Criterion::Dunn), Some(3));
    assert!(table.rows().iter().all(|row| row.n_found == 2));
    let table = choose_n_clusters(x.view(), [1], &[Criterion::Dunn], in_order).unwrap();
    assert_eq!(table.best(Criterion::Dunn), None);
}

#[test]
fn a_choice_refuses_what_it_cannot_use() {
    let x = two_clouds();
    let choose = |ks: &[usize], criteria: &[Criterion]| {
        choose_n_clusters(x.view(), ks.iter().copied(), criteria, in_order)
    };
    let dunn = [Criterion::Dunn];
    assert!(choose(&[], &dunn).unwrap_err().is_parameter());
    assert!(choose(&[2, 0], &dunn).unwrap_err().is_parameter());
    assert!(choose(&[2, 3, 2], &dunn).unwrap_err().is_parameter());
    assert!(choose(&[2], &[]).unwrap_err().is_parameter());
    assert!(choose(&[2], &[Criterion::Dunn; 2]).unwrap_err().is_parameter());
    let failing = choose_n_clusters(x.view(), [2], &dunn, |_| -> Result<Vec<u8>> {
        Err(ErrorKind::Cancelled.into())
    });
    assert!(failing.unwrap_err().is_cancelled());
    let short = choose_n_clusters(x.view(), [2], &dunn, |_| Ok(vec![0, 1]));
    assert!(matches!(short.unwrap_err().kind(), ErrorKind::Length { .. }));
    let mut hole = x.clone();
    hole[(3, 0)] = f64::NAN;
    assert!(choose_n_clusters(hole.view(), [2], &dunn, in_order).is_err());
}

/// Splits one feature into `k` groups at its widest gaps.
fn widest_gaps(data: ArrayView2<'_, f64>, k: usize) -> Result<Vec<usize>> {
    let values = data.column(0);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut cuts: Vec<usize> = (1..order.len()).collect();
    cuts.sort_by(|&a, &b| {
        let gap = |at: usize| values[order[at]] - values[order[at - 1]];
        gap(b).total_cmp(&gap(a))
    });
    cuts.truncate(k - 1);
    let mut labels = vec![0; order.len()];
    for (position, &row) in order.iter().enumerate() {
        labels[row] = cuts.iter().filter(|&&cut| cut <= position).count();
    }
    Ok(labels)
}

#[test]
fn the_gap_finds_clouds_and_their_absence() {
    let clouds = Array2::from_shape_fn((60, 1), |(i, _)| {
        (i % 3) as f64 * 50.0 + (i / 3) as f64 / 20.0
    });
    let gaps = gap_statistic(clouds.view(), 5, 20, 1, widest_gaps).unwrap();
    assert_eq!(gaps.best(), Some(3));
    assert_eq!(gaps.rows().len(), 5);
    let even = Array2::from_shape_fn((60, 1), |(i, _)| i as f64);
    let gaps = gap_statistic(even.view(), 4, 20, 1, widest_gaps).unwrap();
    assert_eq!(gaps.best(), Some(1));
    let again = gap_statistic(even.view(), 4, 20, 1, widest_gaps).unwrap();
    assert_eq!(again, gaps);
    assert_ne!(gap_statistic(even.view(), 4, 20, 2, widest_gaps).unwrap(), gaps);
}

/// The references are seen by the fit: check their box, and recompute the gap from them.
#[test]
fn the_gap_equals_its_definition() {
    let x = array![[0.0, 5.0], [1.0, 5.0], [7.0, 5.0], [8.0, 5.0], [9.0, 5.0]];
    let seen: RefCell<Vec<(usize, Array2<f64>)>> = RefCell::default();
    let gaps = gap_statistic(x.view(), 2, 3, 5, |data, k| {
        seen.borrow_mut().push((k, data.to_owned()));
        widest_gaps(data, k)
    })
    .unwrap();
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 8);
    assert!(seen[2..].iter().all(|(_, data)| {
        data.column(0).iter().all(|v| (0.0..9.0).contains(v))
            && data.column(1).iter().all(|&v| v == 5.0)
    }));
    let log_within = |data: &Array2<f64>, k: usize| {
        inertia(data.view(), &widest_gaps(data.view(), k).unwrap(), None).unwrap().ln()
    };
    for row in gaps.rows() {
        let k = row.n_clusters;
        let drawn: Vec<f64> = seen[2..]
            .iter()
            .filter(|(of, _)| *of == k)
            .map(|(_, data)| log_within(data, k))
            .collect();
        assert_eq!(drawn.len(), 3);
        let mean = drawn.iter().sum::<f64>() / 3.0;
        let variance = drawn.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / 3.0;
        close("gap", row.gap.value().unwrap(), mean - log_within(&x, k));
        close("s", row.standard_error, (variance * (1.0 + 1.0 / 3.0)).sqrt());
    }
}

#[test]
fn a_gap_without_spread_is_undefined() {
    let x = array![[0.0], [0.0], [1.0], [1.0]];
    let gaps = gap_statistic(x.view(), 2, 5, 0, widest_gaps).unwrap();
    assert!(gaps.rows()[0].gap.value().is_some());
    assert_eq!(gaps.rows()[1].gap.reason(), Some("no group has any spread"));
    assert_eq!(gaps.best(), None);
    assert!(gap_statistic(x.view(), 0, 5, 0, widest_gaps).unwrap_err().is_parameter());
    assert!(gap_statistic(x.view(), 2, 0, 0, widest_gaps).unwrap_err().is_parameter());
    let none = Array2::zeros((0, 1));
    undefined(gap_statistic(none.view(), 1, 1, 0, widest_gaps));
}

// ---------------------------------------------------------------- threads

#[cfg(feature = "rayon")]
#[test]
fn bits_do_not_depend_on_the_threads() {
    // More rows than one block of any kernel, with digits that do not add up exactly.
    let x = Array2::from_shape_fn((2_500, 3), |(i, j)| {
        ((i * 7 + j * 13) as f64).sin() * 10.0 + (i % 4) as f64
    });
    let labels: Vec<u8> = (0..2_500).map(|i| (i % 4) as u8).collect();
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut scores: Vec<u64> = silhouette_samples(x.view(), &labels)
                .unwrap()
                .into_iter()
                .map(f64::to_bits)
                .collect();
            scores.push(inertia(x.view(), &labels, None).unwrap().to_bits());
            scores.extend(
                all_scores(x.view(), &labels).map(|score| score.unwrap().to_bits()),
            );
            scores
        })
    };
    let one = bits(1);
    assert_eq!(bits(2), one);
    assert_eq!(bits(7), one);
}
