//! Choosing the number of segments: tables of criteria, and the gap statistic.

use std::cell::RefCell;

use segmenta::metrics::*;
use segmenta::ndarray::{Array2, ArrayView2, array};
use segmenta::{ErrorKind, Result};

use super::*;

fn two_clouds() -> Array2<f64> {
    array![[0.0], [1.0], [2.0], [3.0], [100.0], [101.0], [102.0], [103.0]]
}

fn in_order(k: usize) -> Result<Vec<usize>> {
    Ok((0..8).map(|row| row * k / 8).collect())
}

#[test]
fn a_choice_shows_all_criteria_and_keeps_the_undefined() {
    let x = two_clouds();
    let table = choose_n_clusters(x.view(), [4, 1, 2, 8], &Criterion::INTERNAL, in_order)
        .unwrap();
    assert_eq!(table.rows().len(), 4);
    for criterion in Criterion::INTERNAL {
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
fn a_reference_chooses_the_number_that_agrees_best() {
    let x = two_clouds();
    let reference = ["a", "a", "b", "b", "c", "c", "d", "d"];
    let all = [&Criterion::INTERNAL[..], &Criterion::AGREEMENT[..]].concat();
    let table =
        choose_n_clusters_against(x.view(), &reference, [1, 2, 4, 8], &all, in_order)
            .unwrap();
    for criterion in Criterion::AGREEMENT {
        assert_eq!(table.best(criterion), Some(4), "{criterion}");
        assert_eq!(table.score(4, criterion), Some(&Score::Value(1.0)));
    }
    assert_eq!(table.best(Criterion::Silhouette), Some(2));
    let labels = in_order(2).unwrap();
    let average = AverageMethod::Arithmetic;
    let expected = [
        adjusted_rand_score(&reference, &labels).unwrap(),
        adjusted_mutual_info_score(&reference, &labels, average).unwrap(),
        normalized_mutual_info_score(&reference, &labels, average).unwrap(),
        v_measure_score(&reference, &labels).unwrap(),
        fowlkes_mallows_score(&reference, &labels).unwrap(),
    ];
    for (criterion, expected) in Criterion::AGREEMENT.into_iter().zip(expected) {
        assert_eq!(table.score(2, criterion), Some(&Score::Value(expected)));
        assert!(expected < 1.0);
    }

    let alone = choose_n_clusters(x.view(), [2], &[Criterion::VMeasure], in_order);
    let error = alone.unwrap_err();
    assert!(error.is_parameter());
    assert!(error.to_string().contains("V-measure"), "{error}");
    let short = choose_n_clusters_against(x.view(), &reference[1..], [2], &all, in_order);
    assert!(matches!(short.unwrap_err().kind(), ErrorKind::Length { .. }));
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
