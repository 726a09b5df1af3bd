//! Encoding against scikit-learn's scalers, and what it promises.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use proptest::prelude::*;
use segmenta::data::{
    Column, Date, FeatureSpec, Numbers, OwnedCustomer, OwnedValue, Schema, Table,
    TagColumn, Validity,
};
use segmenta::encode::{Encoder, FittedEncoder, Impute, Scaling, UnknownLevel};
use segmenta::{ErrorKind, Result};
use serde_json::Value as Json;

fn matrix(json: &Json) -> Vec<Vec<f64>> {
    let rows = json.as_array().unwrap().iter();
    rows.map(|r| r.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect())
        .collect()
}

fn table_of(rows: &[Vec<f64>]) -> Table<'static> {
    let names: Vec<String> = (0..rows[0].len()).map(|j| format!("f{j}")).collect();
    let schema = Schema::new(names.iter().map(FeatureSpec::number)).unwrap();
    let mut builder = Table::builder(&schema, rows.len());
    for (j, name) in names.iter().enumerate() {
        builder = builder.numbers(name, rows.iter().map(|r| r[j]).collect::<Vec<_>>());
    }
    builder.build().unwrap()
}

fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= 1e-12 * (1.0 + e.abs()), "{what} [{i}]: {g} is not {e}");
    }
}

#[test]
fn scales_equal_those_of_scikit_learn() {
    let golden: Json =
        serde_json::from_str(include_str!("golden/preprocessing.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let rows = matrix(&case["x"]);
        let table = table_of(&rows);
        for (scaling, key) in [
            (Scaling::Standard, "standard"),
            (Scaling::MinMax, "minmax"),
            (Scaling::Robust, "robust"),
        ] {
            let encoder = Encoder::new().scaling(scaling).fit(&table).unwrap();
            let got = encoder.encode_table(&table).unwrap();
            let expected = matrix(&case[key]["out"]).concat();
            assert_close(&got, &expected, &format!("{name} {key}"));
        }
        if !case["log1p"].is_null() {
            let names = table.schema().features().iter().map(FeatureSpec::name);
            let encoder = Encoder::unscaled().log1p(names).fit(&table).unwrap();
            let got = encoder.encode_table(&table).unwrap();
            assert_close(
                &got,
                &matrix(&case["log1p"]).concat(),
                &format!("{name} log1p"),
            );
        }
    }
}

fn mixed() -> Table<'static> {
    let schema = Schema::new([
        FeatureSpec::number("spend"),
        FeatureSpec::flag("member"),
        FeatureSpec::category("country"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("joined"),
        FeatureSpec::tags("likes"),
    ])
    .unwrap();
    let valid = Validity::Mask(vec![true, true, true, false].into());
    let levels = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    Table::builder(&schema, 4)
        .column("spend", Column::Number(vec![1.0, 3.0, 8.0, 0.0].into(), valid.clone()))
        .column(
            "member",
            Column::Flag(vec![true, true, false, false].into(), valid.clone()),
        )
        .column(
            "country",
            Column::Category(
                vec![1, 0, 1, 0].into(),
                levels(&["DE", "AT"]).into(),
                valid.clone(),
            ),
        )
        .column(
            "tier",
            Column::Category(
                vec![0, 1, 1, 0].into(),
                levels(&["gold", "bronze"]).into(),
                valid.clone(),
            ),
        )
        .column("joined", Column::Date(vec![100, 200, 600, 0].into(), valid.clone()))
        .column(
            "likes",
            Column::Tags(
                TagColumn::new(
                    vec![0, 2, 3, 3, 3],
                    vec![1, 0, 1],
                    levels(&["wine", "tea"]),
                ),
                valid,
            ),
        )
        .build()
        .unwrap()
}

#[test]
fn each_kind_has_its_columns_and_its_stand_in() {
    let table = mixed();
    let error = Encoder::new().fit(&table).unwrap_err();
    assert_eq!(error.to_string(), "feature `spend` is missing in row 3");

    let fit = |impute| Encoder::unscaled().impute(impute).fit(&table).unwrap();
    let names: Vec<_> =
        fit(Impute::Mean).columns().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(
        names,
        [
            "spend",
            "member",
            "country=AT",
            "country=DE",
            "tier",
            "joined",
            "likes=tea",
            "likes=wine"
        ]
    );
    let encoded = fit(Impute::Mean).encode_table(&table).unwrap();
    assert_eq!(encoded[..8], [1.0, 1.0, 1.0, 0.0, 2.0, 100.0, 1.0, 1.0]);
    assert_eq!(encoded[8..16], [3.0, 1.0, 0.0, 1.0, 0.0, 200.0, 1.0, 0.0]);
    let third = 1.0 / 3.0;
    let (two, tier) = (2.0 * third, 2.0 * third);
    assert_close(
        &encoded[24..],
        &[4.0, two, two, third, tier, 300.0, two, third],
        "mean",
    );
    let median = fit(Impute::Median).encode_table(&table).unwrap();
    assert_eq!(median[24..], [3.0, 1.0, 1.0, 0.0, 0.0, 200.0, 1.0, 0.0]);
    let mode = fit(Impute::MostFrequent).encode_table(&table).unwrap();
    assert_eq!(mode[24..], [1.0, 1.0, 1.0, 0.0, 0.0, 100.0, 1.0, 0.0]);
}

#[test]
fn decoding_gives_back_what_was_encoded() {
    let table = mixed();
    for scaling in [Scaling::None, Scaling::Standard, Scaling::MinMax, Scaling::Robust] {
        let encoder = Encoder::new()
            .scaling(scaling)
            .impute(Impute::Median)
            .log1p(["spend"])
            .weight("spend", 0.5)
            .weight("country", 2.0)
            .fit(&table)
            .unwrap();
        let encoded = encoder.encode_table(&table).unwrap();
        for row in 0..3 {
            let line =
                &encoded[row * encoder.n_columns()..(row + 1) * encoder.n_columns()];
            for index in table.schema().indices() {
                let expected = table.row(row).value(index).to_owned();
                match (encoder.decode(index, line), expected) {
                    (OwnedValue::Number(got), OwnedValue::Number(x)) => {
                        assert!((got - x).abs() < 1e-12, "{got} {x}");
                    }
                    (OwnedValue::Tags(mut got), OwnedValue::Tags(mut tags)) => {
                        got.sort();
                        tags.sort();
                        assert_eq!(got, tags);
                    }
                    (got, expected) => assert_eq!(got, expected),
                }
            }
        }
    }
}

#[test]
fn unknown_levels_are_refused_or_ignored() {
    let schema =
        Schema::new([FeatureSpec::number("x"), FeatureSpec::category("country")])
            .unwrap();
    let table = Table::builder(&schema, 2)
        .numbers("x", vec![1.0, 2.0])
        .categories("country", vec![0, 1], &["AT", "DE"][..])
        .build()
        .unwrap();
    let case = OwnedCustomer::new(&schema, 1).set("x", 1.5).unwrap();
    let stranger = case.clone().set("country", "ATT").unwrap();
    let mut out = [9.0; 3];

    let strict = Encoder::new().fit(&table).unwrap();
    let error = strict.encode_customer(&stranger, &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "feature `country` has no level `ATT`; did you mean `AT`?"
    );
    let error = strict.encode_customer(&case, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "feature `country` is missing");

    let lenient = Encoder::new().unknown_level(UnknownLevel::Ignore).fit(&table).unwrap();
    lenient.encode_customer(&stranger, &mut out).unwrap();
    assert_eq!(out, [0.0, 0.0, 0.0]);
}

#[test]
fn an_unknown_level_of_an_order_is_as_good_as_missing() {
    let open =
        Schema::new([FeatureSpec::ordinal("tier", ["low", "mid", "high"])]).unwrap();
    let table = Table::builder(&open, 3)
        .categories("tier", vec![0, 1, 1], &["low", "high"][..])
        .build()
        .unwrap();
    let stranger = OwnedCustomer::new(&open, 1).set("tier", "platinum").unwrap();
    let encode = |impute| {
        let encoder =
            Encoder::unscaled().unknown_level(UnknownLevel::Ignore).impute(impute);
        let mut out = [9.0];
        let encoder = encoder.fit(&table).unwrap();
        encoder.encode_customer(&stranger, &mut out).map(|()| out[0])
    };
    assert_eq!(encode(Impute::MostFrequent).unwrap(), 2.0);
    let error = encode(Impute::Error).unwrap_err().to_string();
    assert_eq!(error, "feature `tier` is missing");
}

#[test]
fn what_cannot_be_encoded_is_an_error_with_a_name() {
    let x = |values: Vec<f64>| {
        table_of(&values.into_iter().map(|x| vec![x]).collect::<Vec<_>>())
    };
    let message = |result: Result<FittedEncoder>| result.unwrap_err().to_string();
    let table = x(vec![1.0, -1.0]);
    assert_eq!(
        message(Encoder::new().log1p(["f0"]).fit(&table)),
        "`-1` is not a `f0` above -1, as ln(1 + x) needs in row 1"
    );
    assert!(message(Encoder::new().fit(&x(vec![1e308, -1e308]))).contains("`f0`"));
    assert!(message(Encoder::new().features(["f9"]).fit(&table)).contains("`f9`"));
    assert!(message(Encoder::new().log1p(["f9"]).fit(&table)).contains("`f9`"));
    assert!(message(Encoder::new().weight("f9", 1.0).fit(&table)).contains("`f9`"));
    assert!(message(Encoder::new().weight("f0", 0.0).fit(&table)).contains("positive"));
    assert!(
        message(Encoder::new().features(Vec::<String>::new()).fit(&table))
            .contains("feature")
    );
    assert!(
        message(Encoder::new().fit(&x(vec![1.0]).select_rows(&[]).unwrap()))
            .contains("rows")
    );

    // Learned on a narrow range, asked far beyond it.
    let encoder = Encoder::new().fit(&x(vec![0.0, 1e-300])).unwrap();
    let far = x(vec![1e300]);
    let error = encoder.encode_table(&far).unwrap_err();
    assert!(
        error.to_string().contains("`f0`") && error.to_string().contains("row 0"),
        "{error}"
    );
    for found in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let case = OwnedCustomer::new(encoder.schema(), 1).set("f0", found).unwrap();
        let error = encoder.encode_customer(&case, &mut [0.0]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NonFinite { .. }), "{error}");
    }
    assert!(
        encoder
            .encode_customer(&OwnedCustomer::new(encoder.schema(), 1), &mut [])
            .is_err()
    );
}

#[test]
fn a_constant_column_is_centred() {
    let table = table_of(&[vec![0.1], vec![0.1], vec![0.1]]);
    for scaling in [Scaling::Standard, Scaling::MinMax, Scaling::Robust] {
        let encoder = Encoder::new().scaling(scaling).fit(&table).unwrap();
        assert_eq!(encoder.encode_table(&table).unwrap(), [0.0, 0.0, 0.0]);
    }
}

#[test]
fn tables_in_another_order_are_found_by_name() {
    let table = mixed();
    let encoder =
        Encoder::new().impute(Impute::Mean).features(["tier", "spend"]).fit(&table);
    let encoder = encoder.unwrap();
    let names: Vec<&str> =
        encoder.schema().features().iter().map(FeatureSpec::name).collect();
    assert_eq!(names, ["tier", "spend"]);
    let wide = encoder.encode_table(&table).unwrap();
    let narrow =
        Encoder::new().impute(Impute::Mean).features(["spend"]).fit(&table).unwrap();
    let spend = narrow.encode_table(&table).unwrap();
    assert_eq!(wide.iter().skip(1).step_by(2).copied().collect::<Vec<_>>(), spend);
    let other = Schema::new([FeatureSpec::flag("spend")]).unwrap();
    let other = Table::builder(&other, 1).flags("spend", vec![true]).build().unwrap();
    assert!(narrow.encode_table(&other).unwrap_err().is_schema());
}

#[test]
fn dates_are_numbers_of_days() {
    let schema = Schema::new([FeatureSpec::date("day")]).unwrap();
    let table = Table::builder(&schema, 2).dates("day", vec![0, 10]).build().unwrap();
    let encoder = Encoder::unscaled().fit(&table).unwrap();
    let index = schema.require("day").unwrap();
    assert_eq!(encoder.encode_table(&table).unwrap(), [0.0, 10.0]);
    let day = OwnedValue::Date(Date::from_ymd(1970, 1, 4).unwrap());
    assert_eq!(encoder.decode(index, &[3.2]), day);
    assert_eq!(encoder.decode(index, &[1e18]), OwnedValue::Missing);
}

#[test]
fn weights_that_are_shares_have_quartiles_too() {
    let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
    let table = Table::builder(&schema, 4)
        .numbers("x", vec![4.0, 1.0, 2.0, 3.0])
        .sample_weight(vec![0.25; 4])
        .build()
        .unwrap();
    let encoder = Encoder::new().scaling(Scaling::Robust).fit(&table).unwrap();
    // The median is 2, the quartiles are 1 and 3.
    assert_eq!(encoder.encode_table(&table).unwrap(), [1.0, -0.5, 0.0, 0.5]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_weight_is_a_number_of_rows(
        rows in prop::collection::vec((0.0..9.0_f64, 0..4_usize), 2..20),
        scaling in prop::sample::select(vec![Scaling::Standard, Scaling::MinMax, Scaling::Robust]),
    ) {
        prop_assume!(rows.iter().any(|r| r.1 > 0));
        let table = |rows: Vec<(f64, f64)>| {
            let schema = Schema::new([FeatureSpec::number("x")]).unwrap();
            Table::builder(&schema, rows.len())
                .numbers("x", Numbers::from(rows.iter().map(|r| r.0).collect::<Vec<_>>()))
                .sample_weight(rows.iter().map(|r| r.1).collect::<Vec<_>>())
                .build()
                .unwrap()
        };
        let weighted = table(rows.iter().map(|&(x, w)| (x, w as f64)).collect());
        let repeated = table(
            rows.iter().flat_map(|&(x, w)| std::iter::repeat_n((x, 1.0), w)).collect(),
        );
        let encoder = Encoder::new().scaling(scaling);
        let a = encoder.fit(&weighted).unwrap().encode_table(&weighted).unwrap();
        let b = encoder.fit(&repeated).unwrap().encode_table(&weighted).unwrap();
        for (a, b) in a.iter().zip(&b) {
            prop_assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn a_table_is_its_customers(rows in prop::collection::vec(prop::collection::vec(-1e3..1e3_f64, 3), 1..30)) {
        let table = table_of(&rows);
        let encoder = Encoder::new().fit(&table).unwrap();
        let all = encoder.encode_table(&table).unwrap();
        for (row, encoded) in table.rows().zip(all.chunks(3)) {
            let mut out = [0.0; 3];
            encoder.encode_customer(&row, &mut out).unwrap();
            prop_assert_eq!(&out[..], encoded);
        }
        let repr = serde_json::to_string(&encoder.to_repr()).unwrap();
        let repr = serde_json::from_str(&repr).unwrap();
        let loaded = FittedEncoder::from_repr(repr, table.schema().clone(), "test").unwrap();
        prop_assert_eq!(loaded, encoder);
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "asks the system how it allocates")]
fn a_category_with_a_level_for_each_row_does_not_end_the_process() {
    // Its matrix has 1.28 TB; collecting its columns would take twice as much.
    let n = 400_000_u32;
    let schema = Schema::new([FeatureSpec::category("article")]).unwrap();
    let levels: Vec<String> = (0..n).map(|i| format!("article {i:06}")).collect();
    let table = Table::builder(&schema, n as usize)
        .categories("article", (0..n).collect::<Vec<u32>>(), levels)
        .build()
        .unwrap();
    let encoder = Encoder::new().fit(&table).unwrap();
    assert_eq!(encoder.n_columns(), n as usize);
    // Other systems, and Linux when told to, hand out memory that they do not have.
    let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    if policy.is_ok_and(|policy| policy.trim() == "1") || !cfg!(target_os = "linux") {
        return;
    }
    assert_eq!(
        encoder.encode_table(&table).unwrap_err().to_string(),
        "the encoded matrix is undefined: 400000 rows of 400000 columns, 400000 of them \
         for `article`, do not fit into memory"
    );
}
