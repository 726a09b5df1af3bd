//! Statistics of shares against statsmodels, SciPy, their formulas and what they promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::inference::{
    Correction, EmptyCells, Interval, Proportion, SegmentTrial, Shift, UpliftOptions,
    UpliftTable, Verdict, benjamini_hochberg, benjamini_yekutieli, bonferroni,
    chi_squared_test, holm, minimum_detectable_effect, newcombe_interval,
    population_stability_index, two_proportion_test, uplift_by_segment, wilson_interval,
};
use serde_json::{Value, json};

fn golden(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("golden/inference.json")).unwrap();
    all[name].clone()
}

fn of(successes: u64, n: u64) -> Proportion {
    Proportion::new(successes, n).unwrap()
}

fn counts(row: &Value, successes: &str, n: &str) -> Proportion {
    of(row[successes].as_u64().unwrap(), row[n].as_u64().unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Equal to 12 digits, or to 12 decimals near 0.
#[track_caller]
fn close(found: f64, expected: &Value) {
    near(found, expected.as_f64().unwrap(), 1e-12);
}

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    let scale = expected.abs().max(1e-4);
    assert!((found - expected).abs() <= tolerance * scale, "{found} is not {expected}");
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

fn proportion() -> impl Strategy<Value = Proportion> {
    (1..400_u64).prop_flat_map(|n| (0..=n).prop_map(move |k| of(k, n)))
}

// ---- intervals

#[test]
fn wilson_intervals_are_those_of_statsmodels() {
    for row in golden("wilson").as_array().unwrap() {
        let interval = wilson_interval(&counts(row, "k", "n"), 0.95).unwrap();
        close(interval.lower, &row["lo95"]);
        close(interval.upper, &row["hi95"]);
    }
}

#[test]
fn newcombe_intervals_are_those_of_statsmodels() {
    for row in golden("newcombe_diff").as_array().unwrap() {
        let (a, b) = (counts(row, "k1", "n1"), counts(row, "k2", "n2"));
        let interval = newcombe_interval(&a, &b, 0.95).unwrap();
        close(interval.lower, &row["lo95"]);
        close(interval.upper, &row["hi95"]);
    }
}

#[test]
fn quantiles_reach_far_into_the_tails() {
    // Normal quantiles of (1 + confidence) / 2: of 0 of n, n upper / (1 - upper) is z².
    for (confidence, z) in [
        (0.5, 0.674_489_750_196_081_7),
        (0.9, 1.644_853_626_951_472_7),
        (0.99, 2.575_829_303_548_900_4),
        (0.999_9, 3.890_591_886_413_12),
    ] {
        let upper = wilson_interval(&of(0, 1000), confidence).unwrap().upper;
        near((1000.0 * upper / (1.0 - upper)).sqrt(), z, 1e-11);
    }
}

#[test]
fn intervals_of_extreme_counts_stay_exact() {
    let most = u64::MAX;
    for confidence in [1e-300, 0.5, 0.95, 1.0 - f64::EPSILON] {
        for n in [1, 2, 1_000_000_007, most] {
            let none = wilson_interval(&of(0, n), confidence).unwrap();
            let all = wilson_interval(&of(n, n), confidence).unwrap();
            assert_eq!((none.lower, all.upper), (0.0, 1.0));
            assert!(none.upper <= 1.0 && all.lower >= 0.0);
            assert!(none.contains(0.0) && all.contains(1.0));
            let difference = newcombe_interval(&of(n, n), &of(0, n), confidence).unwrap();
            assert!(difference.contains(1.0) && difference.upper <= 1.0);
        }
    }
    // One of very many: the lower bound keeps its digits: n times it tends to 1 + z²/2 - z √(1 + z²/4).
    let one = wilson_interval(&of(1, most), 0.95).unwrap();
    let z2: f64 = 1.959_963_984_540_054_f64.powi(2);
    let limit = 1.0 + z2 / 2.0 - (z2 + z2 * z2 / 4.0).sqrt();
    near(one.lower * most as f64, limit, 1e-12);
    // The product of the bounds is k² / (n (n + z²)), and is not a difference of large
    // numbers; z² follows from the bound of 0 of 1.
    let confidence = 1.0 - f64::EPSILON;
    let none = wilson_interval(&of(0, 1), confidence).unwrap().upper;
    let z2 = none / (1.0 - none);
    let one = wilson_interval(&of(1, 1000), confidence).unwrap();
    near(one.lower, 1e-3 / (1000.0 + z2) / one.upper, 1e-14);
}

#[test]
fn intervals_need_somebody_and_a_confidence() {
    for confidence in [0.0, 1.0, -0.5, 95.0, f64::NAN, f64::INFINITY] {
        let one = wilson_interval(&of(1, 2), confidence).unwrap_err();
        let two = newcombe_interval(&of(1, 2), &of(1, 2), confidence).unwrap_err();
        assert!(one.is_parameter() && two.is_parameter(), "{confidence}");
        assert!(one.to_string().contains("`confidence` must be between 0 and 1"));
    }
    let error = wilson_interval(&of(0, 0), 0.95).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the interval of a share is undefined: there is nobody in the group"
    );
    assert!(newcombe_interval(&of(0, 0), &of(1, 2), 0.95).unwrap_err().is_data());
    assert!(newcombe_interval(&of(1, 2), &of(0, 0), 0.95).unwrap_err().is_data());
}

proptest! {
    #![proptest_config(config())]

    /// Wilson's bounds are where the test of a share is at its level: (p − x)² = z² x (1 − x) / n.
    #[test]
    fn wilson_bounds_solve_their_equation(a in proportion(), confidence in 0.01..0.999_f64) {
        let interval = wilson_interval(&a, confidence).unwrap();
        let (p, n) = (a.share().unwrap(), a.n() as f64);
        let none = wilson_interval(&of(0, 1), confidence).unwrap().upper;
        let z2 = none / (1.0 - none);
        for x in [interval.lower, interval.upper] {
            let off = (p - x) * (p - x) - z2 * x * (1.0 - x) / n;
            prop_assert!(off.abs() < 1e-12, "{:?} {}: {}", a, x, off);
        }
        prop_assert!(interval.contains(p));
        prop_assert!(0.0 <= interval.lower && interval.upper <= 1.0);
    }

    /// Successes and failures are named by people: the interval is the mirrored one.
    #[test]
    fn intervals_do_not_mind_what_is_called_a_success(a in proportion(), b in proportion()) {
        let turned = |p: &Proportion| of(p.failures(), p.n());
        let one = wilson_interval(&a, 0.9).unwrap();
        let other = wilson_interval(&turned(&a), 0.9).unwrap();
        prop_assert!((one.lower - (1.0 - other.upper)).abs() < 1e-14);
        let one = newcombe_interval(&a, &b, 0.9).unwrap();
        let other = newcombe_interval(&turned(&b), &turned(&a), 0.9).unwrap();
        prop_assert!((one.lower - other.lower).abs() < 1e-14);
        prop_assert!((one.upper - other.upper).abs() < 1e-14);
        let swapped = newcombe_interval(&b, &a, 0.9).unwrap();
        prop_assert_eq!((one.lower, one.upper), (-swapped.upper, -swapped.lower));
        prop_assert!(one.contains(a.share().unwrap() - b.share().unwrap()));
        prop_assert!(-1.0 <= one.lower && one.upper <= 1.0);
    }

    #[test]
    fn more_confidence_is_a_wider_interval(a in proportion(), b in proportion()) {
        let confidences = [0.2, 0.5, 0.9, 0.95, 0.999];
        let inside = |i: &[Interval]| {
            i.windows(2).all(|i| i[1].lower <= i[0].lower && i[0].upper <= i[1].upper)
        };
        let of_share = confidences.map(|c| wilson_interval(&a, c).unwrap());
        let of_difference = confidences.map(|c| newcombe_interval(&a, &b, c).unwrap());
        prop_assert!(inside(&of_share) && inside(&of_difference));
    }
}

#[test]
fn proportions_check_themselves() {
    let saved = serde_json::to_value(of(3, 5)).unwrap();
    assert_eq!(saved, json!({"successes": 3, "n": 5}));
    assert_eq!(serde_json::from_value::<Proportion>(saved).unwrap(), of(3, 5));
    assert!(serde_json::from_str::<Proportion>(r#"{"successes":6,"n":5}"#).is_err());
    assert!(serde_json::from_str::<Proportion>(r#"{"successes":-1,"n":5}"#).is_err());
    let mut full = of(1, u64::MAX);
    assert!(full.merge(&of(1, 1)).unwrap_err().is_parameter());
    assert_eq!(full, of(1, u64::MAX));
    full.merge(&of(0, 0)).unwrap();
    assert_eq!((full.successes(), full.failures()), (1, u64::MAX - 1));
    let mut parts = of(1, 4);
    parts.merge(&of(2, 3)).unwrap();
    assert_eq!(parts, of(3, 7));
}

// ---- tests

#[test]
fn two_shares_are_tested_as_by_statsmodels() {
    for row in golden("two_proportion_z").as_array().unwrap() {
        let (a, b) = (counts(row, "k1", "n1"), counts(row, "k2", "n2"));
        let test = two_proportion_test(&a, &b).unwrap();
        close(test.z, &row["z"]);
        close(test.p_value, &row["p"]);
        assert_eq!(test.difference, a.share().unwrap() - b.share().unwrap());
    }
    // 3 of 10 and 1 of 50: 4/60 of 10.
    let few = two_proportion_test(&of(3, 10), &of(1, 50)).unwrap();
    near(few.least_expected, 10.0 * 4.0 / 60.0, 1e-15);
}

#[test]
fn counts_are_tested_as_by_scipy() {
    let row = golden("chi2_contingency");
    let table: Vec<Vec<u64>> = serde_json::from_value(row["table"].clone()).unwrap();
    let test = chi_squared_test(&table).unwrap();
    close(test.statistic, &row["chi2"]);
    close(test.p_value, &row["p"]);
    close(test.df, &row["dof"]);
    // 370 of 3000 bought: 1000/3000 of them.
    near(test.least_expected, 370.0 / 3.0, 1e-15);
    near(test.effect_size, (test.statistic / 3000.0).sqrt(), 1e-15);
    assert_eq!(test.small_expected, 0.0);
}

#[test]
fn empty_rows_and_columns_have_no_part() {
    let plain = chi_squared_test(&[[12, 5], [3, 9]]).unwrap();
    let padded =
        chi_squared_test(&[[0, 0, 0, 0], [12, 0, 5, 0], [0, 0, 0, 0], [3, 0, 9, 0]])
            .unwrap();
    assert_eq!(plain, padded);
    assert_eq!(plain.df, 1.0);
}

#[test]
fn small_expected_counts_are_told() {
    // 12 of 14 expected counts are large; one is 0.75.
    let below_one = chi_squared_test(&[[1, 5], [9, 65]]).unwrap();
    near(below_one.least_expected, 6.0 * 10.0 / 80.0, 1e-15);
    // Below 1 is rough however few there are; 5 is not small.
    let one = chi_squared_test(&[[1, 20, 20, 20, 20, 20], [0, 20, 20, 20, 20, 20]]);
    assert!(one.unwrap().is_rough());
    let five = chi_squared_test(&[[5, 20], [5, 20]]).unwrap();
    assert_eq!((five.least_expected, five.small_expected), (5.0, 0.0));
    assert_eq!(below_one.small_expected, 0.25);
    assert!(below_one.is_rough());
    // Exactly a fifth of the cells, and none below 1, is accepted.
    let some = chi_squared_test(&[[2, 20, 20, 20, 20], [2, 20, 20, 20, 20]]).unwrap();
    assert_eq!((some.least_expected, some.small_expected), (2.0, 0.2));
    assert!(!some.is_rough());
    let more = chi_squared_test(&[[2, 20, 20, 20], [2, 20, 20, 20]]).unwrap();
    assert!(more.is_rough());
}

#[test]
fn tests_without_a_question_are_undefined() {
    for (a, b) in [(of(0, 5), of(0, 9)), (of(5, 5), of(9, 9))] {
        let error = two_proportion_test(&a, &b).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{error}");
    }
    assert!(two_proportion_test(&of(0, 0), &of(1, 2)).is_err());
    assert!(two_proportion_test(&of(1, 2), &of(0, 0)).is_err());
    let nothing: [[u64; 2]; 0] = [];
    assert!(chi_squared_test(&nothing).unwrap_err().is_data());
    assert!(chi_squared_test(&[[], []] as &[[u64; 0]]).is_err());
    assert!(chi_squared_test(&[[3, 4]]).is_err());
    assert!(chi_squared_test(&[[3], [4]]).is_err());
    assert!(chi_squared_test(&[[0, 3], [0, 4]]).is_err());
    let ragged = chi_squared_test(&[vec![1, 2], vec![3, 4], vec![5]]).unwrap_err();
    assert_eq!(
        ragged.to_string(),
        "row 2 of the table of counts has length 1, but 2 is needed"
    );
}

#[test]
fn extreme_counts_give_finite_answers() {
    let most = u64::MAX;
    let alike = chi_squared_test(&[[most, most], [most, most]]).unwrap();
    assert_eq!((alike.statistic, alike.p_value, alike.effect_size), (0.0, 1.0, 0.0));
    let apart = chi_squared_test(&[[most, 0], [0, most]]).unwrap();
    assert_eq!((apart.p_value, apart.effect_size), (0.0, 1.0));
    assert!(apart.statistic.is_finite());
    // Differences that rounding makes of equal shares: no p-value of a tiny statistic fails.
    for k in 1..40 {
        let nearly = chi_squared_test(&[[k, 3 * k], [7 * k, 21 * k]]).unwrap();
        assert!(nearly.p_value > 0.999_99 && nearly.p_value <= 1.0);
    }
    let test = two_proportion_test(&of(0, most), &of(most, most)).unwrap();
    assert!(test.z.is_finite() && test.z < -1e9);
    assert_eq!(test.p_value, 0.0);
    let one = two_proportion_test(&of(1, most), &of(0, most)).unwrap();
    near(one.z, 1.0, 1e-12);
}

proptest! {
    #![proptest_config(config())]

    /// z² of two shares is χ² of their four counts.
    #[test]
    fn the_two_tests_agree(a in proportion(), b in proportion()) {
        let table = [[a.successes(), a.failures()], [b.successes(), b.failures()]];
        match (two_proportion_test(&a, &b), chi_squared_test(&table)) {
            (Ok(z), Ok(chi)) => {
                prop_assert!((z.z * z.z - chi.statistic).abs() <= 1e-11 * chi.statistic.max(1.0));
                prop_assert!((z.p_value - chi.p_value).abs() < 1e-9);
                prop_assert!((z.least_expected - chi.least_expected).abs() < 1e-11);
                prop_assert!((0.0..=1.0).contains(&z.p_value));
                prop_assert_eq!(z.z, -two_proportion_test(&b, &a).unwrap().z);
            }
            (z, chi) => prop_assert!(z.is_err() && chi.is_err()),
        }
    }

    /// X² by its other formula, n (Σ o² / (row column) − 1), and turned on its side.
    #[test]
    fn chi_squared_is_its_other_formula(
        rows in prop::collection::vec(prop::collection::vec(0..60_u64, 4), 2..6),
    ) {
        let row: Vec<u64> = rows.iter().map(|r| r.iter().sum()).collect();
        let column: Vec<u64> = (0..4).map(|j| rows.iter().map(|r| r[j]).sum()).collect();
        let n: u64 = row.iter().sum();
        let turned: Vec<Vec<u64>> =
            (0..4).map(|j| rows.iter().map(|r| r[j]).collect()).collect();
        let Ok(test) = chi_squared_test(&rows) else {
            prop_assert!(chi_squared_test(&turned).is_err());
            return Ok(());
        };
        let mut sum = 0.0;
        for (i, r) in rows.iter().enumerate() {
            for (j, &count) in r.iter().enumerate() {
                if count > 0 {
                    sum += (count * count) as f64 / (row[i] * column[j]) as f64;
                }
            }
        }
        let statistic = n as f64 * (sum - 1.0);
        prop_assert!((test.statistic - statistic).abs() < 1e-9 * (1.0 + statistic));
        let other = chi_squared_test(&turned).unwrap();
        prop_assert!((test.statistic - other.statistic).abs() < 1e-9 * (1.0 + statistic));
        prop_assert_eq!(test.df, other.df);
        prop_assert!((0.0..=1.0).contains(&test.effect_size));
    }
}

// ---- corrections

#[test]
fn corrections_are_those_of_statsmodels() {
    let row = golden("multiple_testing");
    let p = numbers(&row["p"]);
    for (name, found) in [
        ("holm", holm(&p)),
        ("bonferroni", bonferroni(&p)),
        ("bh", benjamini_hochberg(&p)),
        ("by", benjamini_yekutieli(&p)),
    ] {
        for (found, expected) in
            found.unwrap().into_iter().zip(row[name].as_array().unwrap())
        {
            close(found, expected);
        }
    }
}

type Corrections = fn(&[f64]) -> segmenta::Result<Vec<f64>>;
const CORRECTIONS: [Corrections; 4] =
    [bonferroni, holm, benjamini_hochberg, benjamini_yekutieli];

#[test]
fn p_values_that_are_none_are_errors() {
    for correct in CORRECTIONS {
        assert_eq!(correct(&[]).unwrap(), [0.0; 0]);
        assert_eq!(correct(&[0.25]).unwrap(), [0.25]);
        assert_eq!(correct(&[0.0, 1.0]).unwrap(), [0.0, 1.0]);
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let error = correct(&[0.5, bad]).unwrap_err();
            assert!(error.is_data());
            assert!(error.to_string().ends_with("in row 1"), "{error}");
        }
    }
}

/// Each correction by what it promises: the least level at which its procedure rejects a
/// test, looking at all tests for each.
fn by_definition(p: &[f64], at: usize) -> [f64; 4] {
    let m = p.len();
    let rank = |q: f64| p.iter().filter(|&&other| other <= q).count();
    let below = |q: f64| p.iter().filter(|&&other| other < q).count();
    let harmonic: f64 = (1..=m).map(|i| 1.0 / i as f64).sum();
    // Step down: all hypotheses up to this one must fall.
    let holm = p
        .iter()
        .filter(|&&q| q <= p[at])
        .map(|&q| (m - below(q)) as f64 * q)
        .fold(0.0, f64::max);
    // Step up: one from this on that falls takes this one along.
    let hochberg = p
        .iter()
        .filter(|&&q| q >= p[at])
        .map(|&q| m as f64 * q / rank(q) as f64)
        .fold(f64::INFINITY, f64::min);
    [m as f64 * p[at], holm, hochberg, harmonic * hochberg].map(|p| p.min(1.0))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn corrections_are_their_definitions(
        p in prop::collection::vec(prop_oneof![0.0..1.0_f64, Just(0.01), Just(0.0), Just(1.0)], 1..12),
    ) {
        let found = CORRECTIONS.map(|correct| correct(&p).unwrap());
        for at in 0..p.len() {
            for (found, expected) in found.iter().zip(by_definition(&p, at)) {
                prop_assert!((found[at] - expected).abs() < 1e-14, "{:?} {}", p, at);
            }
            // Holm finds what Bonferroni finds, Benjamini & Hochberg what Holm finds.
            prop_assert!(found[0][at] >= found[1][at]);
            prop_assert!(found[1][at] >= found[2][at] - 1e-15);
            prop_assert!(found[3][at] >= found[2][at]);
        }
    }

    #[test]
    fn corrections_do_not_mind_the_order(
        p in prop::collection::vec(0.0..1.0_f64, 1..12), turn in 0..12_usize,
    ) {
        let turn = turn % p.len();
        let turned: Vec<f64> = p[turn..].iter().chain(&p[..turn]).copied().collect();
        for correct in CORRECTIONS {
            let mut found = correct(&p).unwrap();
            found.rotate_left(turn);
            prop_assert_eq!(found, correct(&turned).unwrap());
        }
    }
}

// ---- stability

#[test]
fn the_stability_index_is_its_sum() {
    for row in golden("psi").as_array().unwrap() {
        let (e, a) = (numbers(&row["expected"]), numbers(&row["actual"]));
        for empty in [EmptyCells::Refuse, EmptyCells::default()] {
            let index = population_stability_index(&e, &a, empty).unwrap();
            close(index.value, &row["psi"]);
            assert!(index.replaced.is_empty());
            assert_eq!(index.terms.len(), e.len());
        }
    }
    let bands = [
        (0.5, Shift::None),
        (0.62, Shift::None),
        (0.7, Shift::Some),
        (0.8, Shift::Large),
    ];
    for (share, shift) in bands {
        let index = population_stability_index(
            &[0.5, 0.5],
            &[share, 1.0 - share],
            EmptyCells::Refuse,
        );
        assert_eq!(index.unwrap().shift(), shift, "{share}");
    }
}

#[test]
fn empty_cells_follow_the_policy() {
    let (before, after) = ([30.0, 50.0, 20.0, 0.0], [35.0, 65.0, 0.0, 0.0]);
    let refused = population_stability_index(&before, &after, EmptyCells::Refuse);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the stability index is undefined: cell 2 is empty among the actual"
    );
    let turned = population_stability_index(&after, &before, EmptyCells::Refuse);
    assert!(
        turned.unwrap_err().to_string().ends_with("cell 2 is empty among the expected")
    );

    let floored =
        population_stability_index(&before, &after, EmptyCells::Floor(1e-4)).unwrap();
    assert_eq!(floored.replaced, [2]);
    near(floored.terms[2], (1e-4 - 0.2) * (1e-4_f64 / 0.2).ln(), 1e-14);
    near(floored.terms[2], 1.52, 1e-2);
    assert_eq!(floored.terms[3], 0.0);

    let added = population_stability_index(&before, &after, EmptyCells::AddToCounts(0.5))
        .unwrap();
    assert_eq!(added.replaced, [2, 3]);
    let (e, a) = (20.5 / 102.0, 0.5 / 102.0_f64);
    near(added.terms[2], (a - e) * (a / e).ln(), 1e-14);

    // A share below the floor is raised like an empty one.
    let tiny =
        population_stability_index(&[1.0, 1e-9], &[1.0, 0.0], EmptyCells::Floor(1e-3));
    let tiny = tiny.unwrap();
    assert_eq!((tiny.replaced, tiny.terms[1]), (vec![1], 0.0));
    let both = [1.0, 1e-9];
    let both = population_stability_index(&both, &both, EmptyCells::Floor(1e-3)).unwrap();
    assert_eq!((both.replaced, both.value), (vec![1], 0.0));
}

#[test]
fn distributions_that_are_none_are_errors() {
    let refuse = EmptyCells::Refuse;
    let error = population_stability_index(&[1.0, 2.0], &[1.0], refuse).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Length { .. }));
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let error =
            population_stability_index(&[1.0, 1.0], &[1.0, bad], refuse).unwrap_err();
        assert!(error.to_string().ends_with("of the actual in row 1"), "{error}");
    }
    for empty in [EmptyCells::Refuse, EmptyCells::default(), EmptyCells::AddToCounts(1.0)]
    {
        let none = population_stability_index(&[0.0, 0.0], &[1.0, 1.0], empty);
        assert!(none.unwrap_err().to_string().contains("nobody is among the expected"));
        assert!(population_stability_index(&[], &[], empty).is_err());
    }
    for floor in [0.0, -1e-4, 0.51, f64::NAN] {
        let empty = EmptyCells::Floor(floor);
        assert!(
            population_stability_index(&[1.0; 2], &[1.0; 2], empty)
                .unwrap_err()
                .is_parameter()
        );
    }
    for add in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        let empty = EmptyCells::AddToCounts(add);
        assert!(
            population_stability_index(&[1.0; 2], &[1.0; 2], empty)
                .unwrap_err()
                .is_parameter()
        );
    }
    let huge = population_stability_index(&[f64::MAX; 2], &[1.0; 2], refuse);
    assert!(
        huge.unwrap_err().to_string().contains("`sum of the expected` must be finite")
    );
    // A share whose quotient with the other leaves the range of numbers.
    let far = population_stability_index(&[1e-310, 1.0], &[1.0, 1e-310], refuse).unwrap();
    assert!(far.value.is_finite() && far.value > 1400.0);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_stability_index_is_symmetric_and_has_no_unit(
        cells in prop::collection::vec((1..50_u32, 1..50_u32), 1..9), scale in 0.01..100.0_f64,
    ) {
        let e: Vec<f64> = cells.iter().map(|c| c.0.into()).collect();
        let a: Vec<f64> = cells.iter().map(|c| c.1.into()).collect();
        let index = population_stability_index(&e, &a, EmptyCells::Refuse).unwrap();
        let turned = population_stability_index(&a, &e, EmptyCells::Refuse).unwrap();
        prop_assert!((index.value - turned.value).abs() < 1e-12);
        prop_assert!(index.terms.iter().all(|&term| term >= 0.0));
        let scaled: Vec<f64> = a.iter().map(|x| x * scale).collect();
        let same = population_stability_index(&e, &scaled, EmptyCells::Refuse).unwrap();
        prop_assert!((index.value - same.value).abs() < 1e-12);
        let none = population_stability_index(&e, &e, EmptyCells::Refuse).unwrap();
        prop_assert_eq!(none.value, 0.0);
    }
}

// ---- effects

#[test]
fn detectable_effects_are_those_of_r() {
    // R: power.prop.test(n = 50, p1 = .50, power = .90) gives p2 = 0.8026.
    let effect = minimum_detectable_effect(0.5, 50, 50, 0.05, 0.9).unwrap().unwrap();
    assert!((effect - 0.3026).abs() < 0.000_05, "{effect}");
    // power.prop.test(p1 = .50, p2 = .75, power = .90) gives n = 76.7.
    let at = |n| minimum_detectable_effect(0.5, n, n, 0.05, 0.9).unwrap().unwrap();
    assert!(at(76) > 0.25 && at(77) < 0.25);
}

#[test]
fn detectable_effects_of_large_groups_are_the_short_formula() {
    let n = 1_000_000_000_000;
    let effect = minimum_detectable_effect(0.3, n, 2 * n, 0.05, 0.8).unwrap().unwrap();
    let z = 1.959_963_984_540_054 + 0.841_621_233_572_914_2;
    near(effect, z * (0.3 * 0.7 * 1.5 / n as f64).sqrt(), 1e-5);
}

#[test]
fn what_cannot_be_detected_is_none() {
    let effect = |p, n, m| minimum_detectable_effect(p, n, m, 0.05, 0.8).unwrap();
    assert_eq!(effect(0.5, 1, 1), None);
    assert_eq!(effect(1.0, 1_000_000, 1_000_000), None);
    assert_eq!(effect(1.0 - f64::EPSILON, 1000, 1000), None);
    assert!(effect(0.0, 100, 100).unwrap() > 0.0);
    let most = effect(0.0, u64::MAX, u64::MAX).unwrap();
    assert!(most > 0.0 && most < 1e-17, "{most}");
    for (p, n, m, alpha, power) in [
        (-0.1, 5, 5, 0.05, 0.8),
        (f64::NAN, 5, 5, 0.05, 0.8),
        (0.1, 0, 5, 0.05, 0.8),
        (0.1, 5, 0, 0.05, 0.8),
        (0.1, 5, 5, 0.0, 0.8),
        (0.1, 5, 5, 1.0, 0.8),
        (0.1, 5, 5, 0.05, 0.49),
        (0.1, 5, 5, 0.05, 1.0),
        (0.1, 5, 5, f64::NAN, f64::NAN),
    ] {
        let error = minimum_detectable_effect(p, n, m, alpha, power).unwrap_err();
        assert!(error.is_parameter(), "{error}");
    }
}

proptest! {
    #![proptest_config(config())]

    /// The effect solves its equation, and a larger one is found too.
    #[test]
    fn detectable_effects_solve_their_equation(
        p in 0.0..1.0_f64, n in 1..100_000_u64, m in 1..100_000_u64,
    ) {
        let (za, zb) = (1.959_963_984_540_054, 0.841_621_233_572_914_2);
        let lacks = |d: f64| {
            let (n, m, q) = (n as f64, m as f64, p + d);
            let r = (n * q + m * p) / (n + m);
            let null = (r * (1.0 - r) * (1.0 / n + 1.0 / m)).max(0.0).sqrt();
            let alternative = (q * (1.0 - q) / n + p * (1.0 - p) / m).max(0.0).sqrt();
            za * null + zb * alternative - d
        };
        match minimum_detectable_effect(p, n, m, 0.05, 0.8).unwrap() {
            Some(d) => {
                prop_assert!(lacks(d).abs() < 1e-9, "{}", lacks(d));
                prop_assert!(lacks(d / 2.0) > 0.0);
                prop_assert!(lacks(d + (1.0 - p - d) / 2.0) < 1e-9);
            }
            None => prop_assert!((1..=50).all(|i| lacks((1.0 - p) * f64::from(i) / 50.0) > -1e-9)),
        }
    }

    #[test]
    fn more_customers_detect_smaller_effects(
        p in 0.0..0.9_f64, n in 20..10_000_u64, m in 20..10_000_u64,
    ) {
        let effect = |n, m| {
            minimum_detectable_effect(p, n, m, 0.05, 0.8).unwrap().unwrap_or(f64::INFINITY)
        };
        prop_assert!(effect(2 * n, m) <= effect(n, m) + 1e-12);
        prop_assert!(effect(2 * n, 2 * m) <= effect(n, m));
    }
}

// ---- uplift

fn example() -> Vec<SegmentTrial> {
    let golden = golden("uplift_by_segment_example");
    ["Champions", "At Risk", "Lost"]
        .map(|name| {
            let row = &golden[name];
            let treated = counts(row, "conv_treat", "n_treat");
            SegmentTrial::new(name, treated, counts(row, "conv_ctrl", "n_ctrl"))
        })
        .into()
}

#[test]
fn uplift_is_that_of_the_reference() {
    let golden = golden("uplift_by_segment_example");
    let table = uplift_by_segment(&example(), UpliftOptions::new()).unwrap();
    for row in &table.segments {
        let expected = &golden[&row.trial.segment];
        close(row.uplift.unwrap(), &expected["uplift"]);
        close(row.interval.unwrap().lower, &expected["lo95"]);
        close(row.interval.unwrap().upper, &expected["hi95"]);
        close(row.z.unwrap(), &expected["z"]);
        close(row.p_value.unwrap(), &expected["p"]);
        close(row.p_holm.unwrap(), &expected["p_holm"]);
        close(row.p_benjamini_hochberg.unwrap(), &expected["p_bh"]);
        let (n, m) = (row.trial.treated.n(), row.trial.control.n());
        let q = row.trial.control.share().unwrap();
        let least = minimum_detectable_effect(q, n, m, 0.05 / 3.0, 0.8).unwrap();
        assert_eq!(row.minimum_detectable_effect, least);
    }
    let verdicts: Vec<Verdict> = table.segments.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [Verdict::NotShown, Verdict::Gain, Verdict::NotShown]);
    assert!(table.to_string().lines().all(|line| line.chars().count() <= 100));
    let saved = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<UpliftTable>(&saved).unwrap(), table);
}

fn verdict_of(
    treated: Proportion,
    control: Proportion,
    options: UpliftOptions,
) -> Verdict {
    let trial = SegmentTrial::new("A", treated, control);
    uplift_by_segment(&[trial], options).unwrap().segments[0].verdict
}

#[test]
fn verdicts_say_what_the_counts_say() {
    let plain = UpliftOptions::new();
    let verdict = |treated: (u64, u64), control: (u64, u64), options| {
        verdict_of(of(treated.0, treated.1), of(control.0, control.1), options)
    };
    assert_eq!(verdict((0, 0), (5, 10), plain), Verdict::TooSmall);
    assert_eq!(verdict((5, 10), (0, 0), plain), Verdict::TooSmall);
    assert_eq!(verdict((0, 0), (0, 0), plain), Verdict::TooSmall);
    // All bought, or nobody: there is nothing to test.
    assert_eq!(verdict((900, 900), (900, 900), plain), Verdict::TooSmall);
    assert_eq!(verdict((0, 900), (0, 900), plain), Verdict::TooSmall);
    // The least expected count is 4.5, and then 5.
    assert_eq!(verdict((9, 100), (0, 100), plain), Verdict::TooSmall);
    assert_eq!(verdict((10, 100), (0, 100), plain), Verdict::Gain);
    assert_eq!(verdict((0, 100), (10, 100), plain), Verdict::Loss);
    assert_eq!(verdict((50, 1000), (51, 1000), plain), Verdict::NotShown);

    // Equal shares of 5 %: what can be said depends on the size.
    let one_point = plain.relevant_effect(0.01);
    assert_eq!(verdict((5, 100), (5, 100), one_point), Verdict::Underpowered);
    assert_eq!(verdict((1500, 30_000), (1500, 30_000), one_point), Verdict::Negligible);
    // 0.8 points are detectable in 20,000 at ordinary luck; here the interval reaches on.
    let unlucky = ((560, 10_000), (500, 10_000));
    assert_eq!(verdict(unlucky.0, unlucky.1, one_point), Verdict::NotShown);
    assert_eq!(
        verdict(unlucky.0, unlucky.1, one_point.power(0.9)),
        Verdict::Underpowered
    );
    // Harm that matters is not excluded, though a gain that matters is.
    assert_eq!(verdict((450, 10_000), (500, 10_000), one_point), Verdict::NotShown);
    // A significant effect is told although it does not matter.
    assert_eq!(verdict((1640, 30_000), (1500, 30_000), one_point), Verdict::Gain);
    assert!(Verdict::Underpowered.is_too_small_to_say());
    assert!(!Verdict::NotShown.is_too_small_to_say());
}

#[test]
fn corrections_decide_together() {
    let trials: Vec<SegmentTrial> = (0..5)
        .map(|i| {
            let treated = of(if i < 2 { 139 } else { 100 }, 1000);
            SegmentTrial::new(
                format!("{i}"),
                treated,
                of(110 - 5 * u64::from(i > 3), 1000),
            )
        })
        .collect();
    let verdicts = |correction| -> Vec<Verdict> {
        // p is 0.051 by itself.
        let options = UpliftOptions::new().alpha(0.14).correction(correction);
        let table = uplift_by_segment(&trials, options).unwrap();
        table.segments.iter().map(|row| row.verdict).collect()
    };
    let holm = verdicts(Correction::Holm);
    assert!(holm.iter().all(|v| *v == Verdict::NotShown), "{holm:?}");
    let hochberg = verdicts(Correction::BenjaminiHochberg);
    assert_eq!(hochberg[..2], [Verdict::Gain, Verdict::Gain]);
    assert_eq!(hochberg[2], Verdict::NotShown);

    // A segment that cannot be tested does not make the others pay.
    let alone = uplift_by_segment(&example(), UpliftOptions::new()).unwrap();
    let mut more = example();
    more.insert(1, SegmentTrial::new("Nobody", of(0, 0), of(0, 10)));
    more.insert(3, SegmentTrial::new("Never", of(0, 70), of(0, 80)));
    let table = uplift_by_segment(&more, UpliftOptions::new()).unwrap();
    for row in &alone.segments {
        assert_eq!(table.segment(&row.trial.segment), Some(row));
    }
    let nobody = table.segment("Nobody").unwrap();
    assert_eq!((nobody.uplift, nobody.interval, nobody.z), (None, None, None));
    assert_eq!(nobody.minimum_detectable_effect, None);
    let never = table.segment("Never").unwrap();
    assert_eq!((never.uplift, never.p_holm), (Some(0.0), None));
    assert!(never.interval.is_some() && never.minimum_detectable_effect.is_some());
    assert_eq!(table.segment("Unknown"), None);
    assert!(table.to_string().contains("Nobody                       -   0.00%"));
}

#[test]
fn experiments_that_cannot_be_read_are_errors() {
    let trials = example();
    for options in [
        UpliftOptions::new().alpha(0.0),
        UpliftOptions::new().alpha(f64::NAN),
        UpliftOptions::new().power(0.3),
        UpliftOptions::new().relevant_effect(0.0),
        UpliftOptions::new().relevant_effect(1.5),
        UpliftOptions::new().relevant_effect(f64::NAN),
    ] {
        assert!(uplift_by_segment(&trials, options).unwrap_err().is_parameter());
        assert!(uplift_by_segment(&[], options).is_err());
    }
    let twice = [trials[0].clone(), trials[1].clone(), trials[0].clone()];
    let error = uplift_by_segment(&twice, UpliftOptions::new()).unwrap_err();
    assert_eq!(error.to_string(), "the segment name `Champions` is used twice");
    let none = uplift_by_segment(&[], UpliftOptions::new()).unwrap();
    assert!(none.segments.is_empty());
    // Levels at which nothing is left of alpha once it is divided.
    for alpha in [1e-17, 1e-320, f64::from_bits(1)] {
        let table =
            uplift_by_segment(&trials, UpliftOptions::new().alpha(alpha)).unwrap();
        assert!(table.segments.iter().all(|row| row.verdict == Verdict::NotShown));
        let bounds = |i: Interval| i.lower >= -1.0 && i.upper <= 1.0 && i.contains(0.0);
        assert!(table.segments.iter().all(|row| row.interval.is_some_and(bounds)));
    }
    let long = SegmentTrial::new("ß".repeat(200), of(1, 9), of(2, 9));
    let table = uplift_by_segment(&[long], UpliftOptions::new()).unwrap();
    assert!(table.to_string().lines().all(|line| line.chars().count() <= 100));
}
