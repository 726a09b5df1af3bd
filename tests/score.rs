//! Ranks against SciPy, composites against their definition.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{Column, FeatureSpec, OwnedCustomer, Schema, Table, Validity};
use segmenta::score::{
    Composite, CompositeModel, Direction, RankKind, RfmScore, Scaling, percentile_rank,
    percentile_ranks, z_score,
};
use serde_json::Value;

fn cases() -> Vec<Value> {
    let golden: Value =
        serde_json::from_str(include_str!("golden/quantile.json")).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= 1e-12 * (1.0 + y.abs()), "{what}: {x} is not {y}");
    }
}

const KINDS: [(RankKind, &str); 4] = [
    (RankKind::Rank, "rank"),
    (RankKind::Weak, "weak"),
    (RankKind::Strict, "strict"),
    (RankKind::Mean, "mean"),
];

#[test]
fn percentile_ranks_are_those_of_scipy() {
    for case in cases() {
        let x = numbers(&case["x"]);
        for (kind, name) in KINDS {
            let expected = numbers(&case["percentileofscore"][name]);
            close(&percentile_ranks(&x, kind).unwrap(), &expected, name);
            for (&score, &expected) in x.iter().zip(&expected) {
                close(&[percentile_rank(&x, score, kind).unwrap()], &[expected], name);
            }
        }
    }
    // SciPy's percentileofscore([1, 2, 3, 4], 2.5): no equal value.
    for (kind, _) in KINDS {
        assert_eq!(percentile_rank(&[1.0, 2.0, 3.0, 4.0], 2.5, kind).unwrap(), 50.0);
    }
}

#[test]
fn z_scores_are_those_of_scipy() {
    for case in cases() {
        let x = numbers(&case["x"]);
        if case["name"] == "constant_6" {
            let error = z_score(&x).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the z-score is undefined: all values are equal"
            );
            continue;
        }
        let z = z_score(&x).unwrap();
        close(&z, &numbers(&case["zscore"]), "z");
        // The unit of the values does not matter, however large or small it is.
        for factor in [2_f64.powi(1000), 2_f64.powi(-1000)] {
            let scaled: Vec<f64> = x.iter().map(|v| v * factor).collect();
            close(&z_score(&scaled).unwrap(), &z, "scaled");
        }
    }
}

#[test]
fn values_that_cannot_be_ranked_are_errors() {
    let kind = RankKind::Rank;
    assert!(matches!(
        z_score(&[]).unwrap_err().kind(),
        ErrorKind::TooFewRows { needed: 1, .. }
    ));
    assert!(percentile_ranks(&[], kind).is_err());
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(percentile_rank(&[1.0], bad, kind).is_err());
        let error = percentile_ranks(&[1.0, bad], kind).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NonFinite { row: Some(1), .. }));
        assert!(z_score(&[1.0, bad]).is_err());
    }
    assert!(z_score(&[3.0]).is_err());
    let far = z_score(&[-1.7e308, 1.7e308]).unwrap();
    assert_eq!(far, [-1.0, 1.0]);
}

#[test]
fn codes_cells_and_sums() {
    assert_eq!(RfmScore::new(5, 5, 5).code(), Some(555));
    assert_eq!(RfmScore::new(9, 1, 9).code(), Some(919));
    assert_eq!(RfmScore::new(10, 1, 1).code(), None);
    assert_eq!(RfmScore::new(1, 0, 1).code(), None);
    let mut cells = Vec::new();
    for r in 1..=4 {
        for f in 1..=4 {
            cells.extend((1..=4).map(|m| RfmScore::new(r, f, m).cell(4).unwrap()));
        }
    }
    assert_eq!(cells, (0..64).collect::<Vec<_>>());
    assert_eq!(RfmScore::new(5, 1, 1).cell(4), None);
    assert_eq!(RfmScore::new(1, 0, 1).cell(4), None);
    assert_eq!(RfmScore::rf(4, 4).cell(4), Some(15));
    assert_eq!(RfmScore::rf(2, 3).sum(), 5);
    assert_eq!(RfmScore::rf(2, 3).weighted([3.0, 2.0, 1.0]), 12.0);
    let json = serde_json::to_string(&RfmScore::new(1, 2, 3)).unwrap();
    assert_eq!(serde_json::from_str::<RfmScore>(&json).unwrap(), RfmScore::new(1, 2, 3));
}

fn schema() -> Schema {
    Schema::new([FeatureSpec::number("a"), FeatureSpec::number("b")]).unwrap()
}

fn table<'t>(a: &'t [f64], b: &'t [f64]) -> Table<'t> {
    Table::builder(&schema(), a.len()).numbers("a", a).numbers("b", b).build().unwrap()
}

fn composite(scaling: Scaling) -> Composite {
    Composite::new()
        .term("b", 1.0, Direction::LowerIsBetter)
        .term("a", 3.0, Direction::HigherIsBetter)
        .scaling(scaling)
}

/// The scaled values of a column by their definitions.
fn oracle(scaling: Scaling, x: &[f64], direction: Direction) -> Vec<f64> {
    let n = x.len() as f64;
    let higher: Vec<f64> = match scaling {
        Scaling::MinMax => {
            let min = x.iter().copied().fold(f64::INFINITY, f64::min);
            let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            x.iter().map(|v| (v - min) / (max - min)).collect()
        }
        Scaling::Percentile => percentile_ranks(x, RankKind::Mean)
            .unwrap()
            .into_iter()
            .map(|percent| percent / 100.0)
            .collect(),
        _ => {
            let mean = x.iter().sum::<f64>() / n;
            let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            x.iter().map(|v| (v - mean) / var.sqrt()).collect()
        }
    };
    match (direction, scaling) {
        (Direction::HigherIsBetter, _) => higher,
        (_, Scaling::ZScore) => higher.iter().map(|v| -v).collect(),
        _ => higher.iter().map(|v| 1.0 - v).collect(),
    }
}

const SCALINGS: [Scaling; 3] = [Scaling::ZScore, Scaling::MinMax, Scaling::Percentile];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_composite_is_its_definition(
        rows in prop::collection::vec((-50..50_i32, -5..5_i32), 3..40),
        which in 0..3_usize,
    ) {
        let a: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 4.0).collect();
        let b: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
        prop_assume!(a.iter().any(|x| *x != a[0]) && b.iter().any(|x| *x != b[0]));
        let scaling = SCALINGS[which];
        let table = table(&a, &b);
        let model = composite(scaling).fit(&table).unwrap();
        let better_a = oracle(scaling, &a, Direction::HigherIsBetter);
        let better_b = oracle(scaling, &b, Direction::LowerIsBetter);
        let expected: Vec<f64> =
            better_a.iter().zip(&better_b).map(|(a, b)| (3.0 * a + b) / 4.0).collect();
        let scores = model.score_table(&table).unwrap();
        close(&scores, &expected, "composite");
        for (row, &score) in scores.iter().enumerate() {
            prop_assert_eq!(model.score_row(&[b[row], a[row]]).unwrap(), score);
            let one = OwnedCustomer::new(model.schema(), 1)
                .set("a", a[row]).unwrap().set("b", b[row]).unwrap();
            prop_assert_eq!(model.score(&one).unwrap(), score);
            let parts = model.contributions(&one).unwrap();
            prop_assert_eq!(parts.iter().map(|p| p.contribution).sum::<f64>(), score);
        }
        let json = serde_json::to_string(&model).unwrap();
        prop_assert_eq!(serde_json::from_str::<CompositeModel>(&json).unwrap(), model);
    }

    #[test]
    fn weights_are_duplicated_rows(
        rows in prop::collection::vec((-9..9_i32, -9..9_i32, 0..4_u32), 3..20),
        which in 0..3_usize,
    ) {
        let column = |read: fn(&(i32, i32, u32)) -> f64| rows.iter().map(read).collect::<Vec<_>>();
        let (a, b) = (column(|r| r.0.into()), column(|r| r.1.into()));
        let weights = column(|r| r.2.into());
        let copies: Vec<usize> = rows
            .iter()
            .enumerate()
            .flat_map(|(row, r)| std::iter::repeat_n(row, r.2 as usize))
            .collect();
        let weighted = Table::builder(&schema(), a.len())
            .numbers("a", &a)
            .numbers("b", &b)
            .sample_weight(&weights[..])
            .build()
            .unwrap();
        let plain = table(&a, &b);
        let copied = plain.select_rows(&copies).unwrap();
        let composite = composite(SCALINGS[which]);
        match (composite.fit(&weighted), composite.fit(&copied)) {
            (Ok(one), Ok(other)) => close(
                &one.score_table(&plain).unwrap(),
                &other.score_table(&plain).unwrap(),
                "weights",
            ),
            (one, other) => prop_assert!(one.is_err() && other.is_err()),
        }
    }
}

#[test]
fn a_new_customer_is_scored_by_the_kept_scales() {
    let (a, b) = ([0.0, 10.0, 10.0, 20.0], [1.0, 2.0, 3.0, 4.0]);
    let model = |scaling| {
        Composite::new()
            .term("a", 2.0, Direction::HigherIsBetter)
            .scaling(scaling)
            .fit(&table(&a, &b))
            .unwrap()
    };
    let min_max = model(Scaling::MinMax);
    assert_eq!(min_max.score_row(&[30.0]).unwrap(), 1.5);
    let percentile = model(Scaling::Percentile);
    for (x, share) in [(-1.0, 0.0), (0.0, 0.125), (5.0, 0.25), (10.0, 0.5), (99.0, 1.0)] {
        assert_eq!(percentile.score_row(&[x]).unwrap(), share, "{x}");
    }
    assert!(min_max.score_row(&[1.0, 2.0]).is_err());
    let error = min_max.score_row(&[f64::NAN]).unwrap_err();
    assert_eq!(error.to_string(), "feature `a` must be a finite number, but is NaN");
}

#[test]
fn composites_that_cannot_be_fitted_are_errors() {
    let (a, b) = ([1.0, 2.0], [5.0, 5.0]);
    let table = table(&a, &b);
    let error = composite(Scaling::ZScore).fit(&table).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the scale of `b` is undefined: no two rows differ in it"
    );
    let term =
        |name: &str, weight| Composite::new().term(name, weight, Direction::default());
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(term("a", weight).fit(&table).unwrap_err().is_parameter(), "{weight}");
    }
    assert!(Composite::new().fit(&table).is_err());
    assert!(term("a", 1.0).term("a", 1.0, Direction::default()).validate().is_err());
    assert!(term("aa", 1.0).fit(&table).unwrap_err().is_schema());

    let missing = Table::builder(&schema(), 2)
        .numbers("a", &a[..])
        .column(
            "b",
            Column::Number(b[..].into(), Validity::Mask(vec![true, false].into())),
        )
        .build()
        .unwrap();
    let error = composite(Scaling::ZScore).fit(&missing).unwrap_err();
    assert_eq!(error.to_string(), "feature `b` is missing in row 1");
    let flags = Schema::new([FeatureSpec::flag("a")]).unwrap();
    let flags = Table::builder(&flags, 1).flags("a", vec![true]).build().unwrap();
    let error = term("a", 1.0).fit(&flags).unwrap_err();
    assert_eq!(error.to_string(), "feature `a` expects number, but got flag");
}

#[test]
fn an_altered_composite_is_refused() {
    let (a, b) = ([1.0, 2.0, 4.0], [5.0, 6.0, 8.0]);
    for scaling in SCALINGS {
        let model = composite(scaling).fit(&table(&a, &b)).unwrap();
        let good = serde_json::to_value(&model).unwrap();
        let break_with = |change: fn(&mut Value)| {
            let mut broken = good.clone();
            change(&mut broken);
            serde_json::from_value::<CompositeModel>(broken)
        };
        assert!(break_with(|_| {}).is_ok());
        assert!(break_with(|m| m["terms"][0]["weight"] = (-1.0).into()).is_err());
        assert!(break_with(|m| m["terms"][0]["feature"] = "c".into()).is_err());
        assert!(break_with(|m| m["scales"] = serde_json::json!([])).is_err());
        assert!(break_with(|m| m["extra"] = 1.into()).is_err());
        assert!(
            break_with(|m| match &mut m["scales"][0] {
                Value::Object(scale) => {
                    for (_, body) in scale.iter_mut() {
                        for (key, value) in [("sd", 0.0), ("max", -9.0)] {
                            if body.get(key).is_some() {
                                body[key] = value.into();
                            }
                        }
                        if body.get("values").is_some() {
                            body["values"][0] = 1e9.into();
                        }
                    }
                }
                _ => panic!("scales are objects"),
            })
            .is_err()
        );
    }
}

#[test]
fn the_least_and_the_largest_numbers_give_a_finite_score_or_an_error() {
    let schema = Schema::new([FeatureSpec::number("a")]).unwrap();
    let table = |values: Vec<f64>| {
        Table::builder(&schema, values.len()).numbers("a", values).build().unwrap()
    };
    let least = f64::from_bits(1);
    let fit = |scaling, values| {
        let composite = Composite::new().term("a", 1.0, Direction::HigherIsBetter);
        composite.scaling(scaling).fit(&table(values)).unwrap()
    };
    let model = fit(Scaling::MinMax, vec![least, 0.0, 0.0]);
    assert_eq!(model.score_table(&table(vec![least, 0.0])).unwrap(), [1.0, 0.0]);
    let model = fit(Scaling::MinMax, vec![f64::MAX, f64::MIN, 0.0]);
    assert_eq!(model.score_table(&table(vec![f64::MAX, 0.0])).unwrap(), [1.0, 0.5]);
    for scaling in [Scaling::MinMax, Scaling::ZScore] {
        let model = fit(scaling, vec![1e-300, 2e-300]);
        let error = model.score_table(&table(vec![1e-300, 1e300])).unwrap_err();
        let message = error.to_string();
        assert!(message.ends_with("a `a` that stays finite when scaled in row 1"));
        assert!(model.score_row(&[1e300]).is_err());
        let far = OwnedCustomer::new(&schema, 1).set("a", 1e300).unwrap();
        assert!(model.score(&far).is_err() && model.contributions(&far).is_err());
    }
}
