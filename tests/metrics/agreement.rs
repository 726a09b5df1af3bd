//! Agreement of two segmentations against golden values, slow oracles and its own laws.

use proptest::prelude::*;
use segmenta::Result;
use segmenta::metrics::*;
use segmenta::ndarray::array;
use segmenta::segmenter::SegmentIndex;
use serde_json::Value as Json;

use super::*;

const AVERAGES: [(&str, AverageMethod); 4] = [
    ("min", AverageMethod::Min),
    ("geometric", AverageMethod::Geometric),
    ("arithmetic", AverageMethod::Arithmetic),
    ("max", AverageMethod::Max),
];

type Index = fn(&[u8], &[u8]) -> Result<f64>;

fn two_labelings(most: usize) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (1..most).prop_flat_map(|n| {
        (prop::collection::vec(0..4_u8, n), prop::collection::vec(0..4_u8, n))
    })
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
    assert!((expected / 5.102_428_969_694_32e-5 - 1.0).abs() < 1e-10, "{expected}");
    let score = near.adjusted_mutual_info_score(AverageMethod::Arithmetic).unwrap();
    assert!((score - 0.416_941_502_440_515_1).abs() < 1e-13, "{score}");
    // Next to independent: less information than expected, and the sign is kept.
    let far = table(&[[10_010, 20_000, 9_990], [5_000, 9_980, 5_020]]);
    let expected = far.expected_mutual_info().unwrap();
    assert!((expected / 1.666_739_557_725_532e-5 - 1.0).abs() < 1e-10, "{expected}");
    let score = far.adjusted_mutual_info_score(AverageMethod::Arithmetic).unwrap();
    assert!((score + 1.875_842_473_539_741e-5).abs() < 1e-13, "{score}");
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

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
        let scores: [Index; 8] = [
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
            let (found, back) = (score(&u, &v).unwrap(), score(&v, &u).unwrap());
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
