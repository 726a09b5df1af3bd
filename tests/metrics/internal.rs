//! Internal scores against golden values, slow oracles and their own laws.

use proptest::prelude::*;
use segmenta::metrics::*;
use segmenta::ndarray::{Array2, ArrayView2, Axis, Slice, array};
use segmenta::{Error, ErrorKind, Result};

use super::*;

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
    let norm = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    // Quarters and their means differ by more, or not at all.
    if norm < 1e-12 { 0.0 } else { norm }
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
            .map(|b| match norm(&centres[a], &centres[b]) {
                0.0 => f64::INFINITY,
                apart => (spread[a] + spread[b]) / apart,
            })
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

/// More rows than one block of any kernel.
#[test]
fn many_rows_equal_the_definitions() {
    let n = 1_100;
    let x =
        Array2::from_shape_fn((n, 2), |(i, j)| ((i * 37 + j * 11) % 101) as f64 / 4.0);
    let labels: Vec<u8> = (0..n).map(|i| (i * i % 7) as u8).collect();
    let (x, slow) = (x.view(), slow(x.view(), &labels));
    close("inertia", inertia(x, &labels, None).unwrap(), slow.inertia);
    let score = calinski_harabasz_score(x, &labels).unwrap();
    close("Calinski-Harabasz", score, slow.calinski_harabasz);
    close(
        "Davies-Bouldin",
        davies_bouldin_score(x, &labels).unwrap(),
        slow.davies_bouldin,
    );
    close("Dunn", dunn_index(x, &labels).unwrap(), slow.dunn);
    close("simplified", simplified_silhouette(x, &labels).unwrap(), slow.simplified);
    let lent = silhouette_samples_from_distances(&condensed(x), &labels).unwrap();
    for (found, lent) in silhouette_samples(x, &labels).unwrap().iter().zip(&lent) {
        assert!((found - lent).abs() < 1e-12);
    }
}

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

#[cfg(feature = "rayon")]
#[test]
fn bits_do_not_depend_on_the_threads() {
    // More rows than one block of any kernel, with digits that do not add up exactly.
    let x = Array2::from_shape_fn((1_300, 3), |(i, j)| {
        ((i * 7 + j * 13) as f64).sin() * 10.0 + (i % 4) as f64
    });
    let labels: Vec<u8> = (0..1_300).map(|i| (i % 4) as u8).collect();
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let drawn = sampled_silhouette_score(x.view(), &labels, 200, 3).unwrap();
            let mut scores: Vec<u64> = silhouette_samples(x.view(), &labels)
                .unwrap()
                .into_iter()
                .map(f64::to_bits)
                .collect();
            scores.push(inertia(x.view(), &labels, None).unwrap().to_bits());
            scores.extend([drawn.score.to_bits(), drawn.standard_error.to_bits()]);
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

/// So many groups that the sums of all rows are not kept at once.
#[test]
fn silhouettes_of_very_many_groups_are_the_same() {
    let n = 4_200;
    let x = Array2::from_shape_fn((n, 1), |(i, _)| ((i * 37) % 1009) as f64 / 4.0);
    let labels: Vec<usize> = (0..n).map(|i| i % 4_100).collect();
    let samples = silhouette_samples(x.view(), &labels).unwrap();
    let lent = silhouette_samples_from_distances(&condensed(x.view()), &labels).unwrap();
    for (found, lent) in samples.iter().zip(&lent) {
        assert!((found - lent).abs() < 1e-12);
    }
}

#[test]
fn a_sample_estimates_the_silhouette_without_bias() {
    let n = 400;
    let x = Array2::from_shape_fn((n, 2), |(i, j)| {
        ((i * 7 + j * 13) as f64).sin() * 10.0 + (i % 3 * 9) as f64
    });
    let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
    let x = x.view();
    let samples = silhouette_samples(x, &labels).unwrap();
    let exact = silhouette_score(x, &labels).unwrap();
    let (m, draws) = (80, 600);
    let estimates: Vec<SampledSilhouette> = (0..draws)
        .map(|seed| sampled_silhouette_score(x, &labels, m, seed).unwrap())
        .collect();
    // the variance of the estimate, from all rows (Cochran 1977, theorem 2.2)
    let squares: f64 = samples.iter().map(|s| (s - exact).powi(2)).sum();
    let (size, drawn) = (n as f64, m as f64);
    let variance = squares / (size - 1.0) / drawn * (1.0 - drawn / size);
    let count = draws as f64;
    let mean = estimates.iter().map(|e| e.score).sum::<f64>() / count;
    assert!((mean - exact).abs() < 4.0 * (variance / count).sqrt());
    let spread = estimates.iter().map(|e| (e.score - exact).powi(2)).sum::<f64>() / count;
    assert!((spread / variance - 1.0).abs() < 0.25, "{spread} {variance}");
    let claimed = estimates.iter().map(|e| e.standard_error.powi(2)).sum::<f64>() / count;
    assert!((claimed / variance - 1.0).abs() < 0.05, "{claimed} {variance}");
    assert!(estimates.iter().all(|e| e.n_sampled == m));
    assert!(estimates.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(sampled_silhouette_score(x, &labels, m, 0).unwrap(), estimates[0]);
}

#[test]
fn a_sample_of_all_rows_is_exact_and_of_one_row_none() {
    let x = array![[0.0], [1.0], [10.0], [11.0], [13.0]];
    let labels = [0, 0, 1, 1, 1];
    let exact = silhouette_score(x.view(), &labels).unwrap();
    for m in [5, 6, usize::MAX] {
        let all = sampled_silhouette_score(x.view(), &labels, m, 9).unwrap();
        assert_eq!((all.score, all.standard_error, all.n_sampled), (exact, 0.0, 5));
    }
    // each sample is one of rows, and all pairs of rows are drawn
    let samples = silhouette_samples(x.view(), &labels).unwrap();
    let mut seen = Vec::new();
    for seed in 0..200 {
        let two = sampled_silhouette_score(x.view(), &labels, 2, seed).unwrap();
        let pairs = (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b)));
        let pair = pairs
            .into_iter()
            .find(|&(a, b)| (two.score - (samples[a] + samples[b]) / 2.0).abs() < 1e-12);
        seen.push(pair.unwrap());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10);
    for m in [0, 1] {
        let error = sampled_silhouette_score(x.view(), &labels, m, 9).unwrap_err();
        assert!(error.to_string().contains("n_sampled"), "{error}");
    }
    undefined(sampled_silhouette_score(x.view(), &[0; 5], 3, 1));
    assert!(sampled_silhouette_score(x.view(), &[0, 1], 3, 1).is_err());
    let bad = array![[0.0], [f64::NAN], [1.0]];
    assert!(sampled_silhouette_score(bad.view(), &[0, 0, 1], 2, 1).is_err());
}

#[test]
fn no_rows_have_no_score() {
    let none: [u8; 0] = [];
    let x = Array2::zeros((0, 2));
    undefined(silhouette_score(x.view(), &none));
    undefined(sampled_silhouette_score(x.view(), &none, 2, 0));
    undefined(simplified_silhouette(x.view(), &none));
    undefined(calinski_harabasz_score(x.view(), &none));
    undefined(davies_bouldin_score(x.view(), &none));
    undefined(dunn_index(x.view(), &none));
    undefined(inertia(x.view(), &none, None));
    undefined(inertia(x.view(), &none, Some(&[])));
    undefined(silhouette_samples_from_distances(&[], &none));
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
            None => prop_assert_eq!(slow.davies_bouldin, f64::INFINITY),
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
}
