//! Tiers by value and by risk: the contract, and what they say of customers.

use segmenta::data::{
    Column, FeatureSpec, OwnedCustomer, OwnedValue, Schema, Table, Validity, Value,
};
use segmenta::history::TimeUnit;
use segmenta::lifetime::{
    LifetimeTierModel, LifetimeTiers, LifetimeValue, PurchaseHistory, PurchaseModel,
    PurchaseModelKind, ShareOf,
};
use segmenta::segmenter::{Persist, Reason};
use segmenta::{Fit, Segmenter, SegmenterExt};

fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("age").unit("weeks"),
        FeatureSpec::number("repeat_purchases"),
        FeatureSpec::number("visits"),
        FeatureSpec::number("mean_repeat_spend").unit("EUR"),
        FeatureSpec::number("age_at_last_purchase").unit("weeks"),
    ])
    .unwrap()
}

/// Customers of all sorts: some bought once, some fell silent, some keep on buying.
fn table(n: usize) -> Table<'static> {
    let of = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..n).map(f).collect() };
    let x = |i: usize| [0, 1, 0, 3, 2, 8, 0, 1, 5, 15][i % 10] as f64;
    let age = |i: usize| 20.0 + (i % 31) as f64;
    let last = |i: usize| {
        if x(i) == 0.0 { 0.0 } else { age(i) * [0.2, 0.9, 0.5, 0.97][i % 4] }
    };
    let known: Vec<bool> = (0..n).map(|i| x(i) > 0.0 && i % 17 != 3).collect();
    let spend = of(&|i| if known[i] { 5.0 + (i * 37 % 90) as f64 } else { 0.0 });
    Table::builder(&schema(), n)
        .numbers("age", of(&age))
        .numbers("repeat_purchases", of(&x))
        .numbers("visits", of(&|i| i as f64))
        .column(
            "mean_repeat_spend",
            Column::Number(spend.into(), Validity::Mask(known.into())),
        )
        .numbers("age_at_last_purchase", of(&last))
        .build()
        .unwrap()
}

fn owned(value: Value<'_>) -> OwnedValue {
    match value {
        Value::Number(x) => x.into(),
        _ => OwnedValue::Missing,
    }
}

fn by_value() -> LifetimeTiers {
    let year =
        LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1).margin(0.4);
    LifetimeTiers::by_value(year).model(PurchaseModelKind::MbgNbd)
}

fn by_risk() -> LifetimeTiers {
    LifetimeTiers::by_risk(26.0).model(PurchaseModelKind::BgNbd)
}

fn value_model() -> LifetimeTierModel {
    by_value().fit(&table(200)).unwrap().into_model()
}

fn risk_model() -> LifetimeTierModel {
    by_risk().fit(&table(200)).unwrap().into_model()
}

fn seen(model: &LifetimeTierModel) -> Vec<OwnedCustomer> {
    let table = table(60);
    let names: Vec<&str> = model.schema().features().iter().map(|f| f.name()).collect();
    let at: Vec<_> = names.iter().map(|n| table.schema().require(n).unwrap()).collect();
    table
        .rows()
        .map(|row| {
            let values = at.iter().map(|&i| owned(row.value(i))).collect();
            OwnedCustomer::with_values(model.schema(), row.index() as u64, values)
                .unwrap()
        })
        .collect()
}

#[cfg(feature = "testing")]
mod contract {
    use super::*;

    segmenta::conformance!(fit_by_value, fit: by_value(), table: table(120));
    segmenta::conformance!(fit_by_risk, fit: by_risk(), table: table(120));
    segmenta::conformance!(values_assign, segmenter: value_model(), cases: seen(&value_model()));
    segmenta::conformance!(risks_assign, segmenter: risk_model(), cases: seen(&risk_model()));
    segmenta::conformance!(values_persist, persist: value_model(), cases: seen(&value_model()));
    segmenta::conformance!(risks_persist, persist: risk_model(), cases: seen(&risk_model()));
}

fn customer(model: &LifetimeTierModel, values: &[(&str, f64)]) -> OwnedCustomer {
    let mut customer = OwnedCustomer::new(model.schema(), 1);
    for (name, value) in values {
        customer = customer.set(name, *value).unwrap();
    }
    customer
}

#[test]
fn the_measure_is_what_the_models_say() {
    let model = value_model();
    let ann = customer(
        &model,
        &[
            ("repeat_purchases", 8.0),
            ("age_at_last_purchase", 30.0),
            ("age", 32.0),
            ("mean_repeat_spend", 70.0),
        ],
    );
    let history = PurchaseHistory::new(8, 30.0, 32.0).unwrap();
    let spend = segmenta::lifetime::SpendHistory::new(8, 70.0).unwrap();
    let spend = model.spend().unwrap().expected_customer_spend(&spend).unwrap();
    let year =
        LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1).margin(0.4);
    let expected =
        year.customer_lifetime_value(model.purchases(), &history, spend).unwrap();
    assert_eq!(model.measure_of(&ann).unwrap(), expected);
    let explanation = model.explain(&ann).unwrap();
    let Reason::Scores { axes } = &explanation.reason else { panic!("{explanation}") };
    assert_eq!((axes[0].value, axes[0].score, axes[0].best), (expected, 3, 3));
    assert_eq!((axes[0].from, axes[0].to), (Some(model.cut_points()[0]), None));
    assert_eq!(explanation.segment.as_deref(), Some("High"));

    let risk = risk_model();
    let silent = customer(
        &risk,
        &[("repeat_purchases", 8.0), ("age_at_last_purchase", 3.0), ("age", 40.0)],
    );
    let history = PurchaseHistory::new(8, 3.0, 40.0).unwrap();
    let none = risk.purchases().probability_of_n_purchases(&history, 0, 26.0).unwrap();
    assert_eq!(risk.measure_of(&silent).unwrap(), none);
    assert!(none > 0.99);
    assert_eq!(
        risk.segments()[risk.assign(&silent).unwrap().segment().unwrap().get()].name,
        "High"
    );
}

#[test]
fn shares_are_of_customers_or_of_the_total() {
    let table = table(400);
    let fitted = by_value().fit(&table).unwrap();
    let shares: Vec<f64> =
        fitted.model().segments().iter().map(|s| s.share.unwrap()).collect();
    assert!(
        (shares[0] - 0.2).abs() < 0.02 && (shares[1] - 0.3).abs() < 0.03,
        "{shares:?}"
    );
    let halves =
        by_value().tiers([("half", 0.5), ("rest", 0.5)]).shares_of(ShareOf::Total);
    let fitted = halves.fit(&table).unwrap();
    let model = fitted.model();
    let mut sums = [0.0; 2];
    for (row, label) in table.rows().zip(fitted.labels()) {
        let at: Vec<_> =
            model.schema().features().iter().map(|f| f.name().to_owned()).collect();
        let values =
            at.iter().map(|n| owned(row.value(table.schema().require(n).unwrap())));
        let one =
            OwnedCustomer::with_values(model.schema(), 1, values.collect()).unwrap();
        sums[label.unwrap().get()] += model.measure_of(&one).unwrap();
    }
    let share = sums[0] / (sums[0] + sums[1]);
    assert!((0.5..0.53).contains(&share), "{share}");
    assert!(model.segments()[0].share.unwrap() < 0.3);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let refused = |tiers: LifetimeTiers, what: &str| {
        let error = tiers.fit(&table(50)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    refused(by_value().tiers([("all", 1.0)]), "at least 2");
    refused(by_value().tiers([("a", 0.5), ("b", 0.6)]), "sum of the tiers' shares");
    refused(by_value().tiers([("a", 0.5), ("a", 0.5)]), "used twice");
    refused(by_value().tiers([("a", 1.5), ("b", -0.5)]), "share of tier `b`");
    refused(by_value().unit(TimeUnit::Day), "unit of feature `age_at_last_purchase`");
    refused(LifetimeTiers::by_risk(f64::NAN), "horizon");
    let mut model = value_model();
    model = model.with_cut_points(vec![100.0, 20.0]).unwrap();
    assert_eq!(model.cut_points(), [100.0, 20.0]);
    for cuts in [vec![20.0, 100.0], vec![1.0], vec![f64::NAN, 1.0], vec![]] {
        assert!(value_model().with_cut_points(cuts).is_err());
    }
    let half = customer(
        &model,
        &[("repeat_purchases", 0.5), ("age_at_last_purchase", 0.0), ("age", 9.0)],
    );
    let error = model.assign(&half).unwrap_err().to_string();
    assert!(error.contains("0.5") && error.contains("repeat_purchases"), "{error}");
}

/// Spend without a mean, or without any difference, has no value; purchases have tiers all the
/// same.
#[test]
fn spend_without_a_mean_has_no_value() {
    // `least` repeat purchases more than in the other tests.
    let of = |least: f64, spend: &dyn Fn(usize) -> f64| {
        let whole = table(200);
        let mut builder = Table::builder(&schema(), 200);
        for name in ["age", "repeat_purchases", "visits", "age_at_last_purchase"] {
            let at = whole.schema().require(name).unwrap();
            let more = if name == "repeat_purchases" { least } else { 0.0 };
            let values = whole.rows().map(|row| match row.value(at) {
                Value::Number(x) => x + more,
                _ => panic!("a number"),
            });
            builder = builder.numbers(name, values.collect::<Vec<f64>>());
        }
        let spend = (0..200).map(spend).collect::<Vec<f64>>();
        builder.numbers("mean_repeat_spend", spend).build().unwrap()
    };
    let heavy = of(0.0, &|i| 10_f64.powi((i * 7 % 13) as i32 - 4));
    let error = by_value().fit(&heavy).unwrap_err().to_string();
    assert!(error.contains("infinite") && error.contains("q = 0."), "{error}");
    // All bought again, and of each of them the mean is known: only that of a customer who
    // did not is infinite. One over an exponential deviate to the power of 1/q.
    let again = of(2.0, &|i| {
        let u = ((i * 77 % 200) as f64 + 0.5) / 200.0;
        -20.0 / (-u.powf(1.0 / 0.7)).ln_1p()
    });
    let error = by_value().fit(&again).unwrap_err().to_string();
    assert!(error.contains("infinite") && error.contains("x = 0"), "{error}");
    let few = of(0.0, &|i| f64::from(u8::from(i == 3)));
    let error = by_value().fit(&few).unwrap_err().to_string();
    assert!(error.contains("of different value"), "{error}");
    for table in [heavy, again, few] {
        LifetimeTiers::by_expected_purchases(26.0).fit(&table).unwrap();
    }
}

#[test]
fn altered_models_are_refused() {
    let model = value_model();
    let json = model.save().unwrap().to_json().unwrap();
    let whole: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (path, value) in [
        ("/model/purchases/r", serde_json::json!(-1.0)),
        ("/model/purchases/unit", serde_json::json!("day")),
        ("/model/spend/q", serde_json::json!(0.5)),
        ("/model/cut_points", serde_json::json!([1.0, 2.0])),
        ("/model/cut_points", serde_json::json!([1.0])),
        ("/model/measure/value/step", serde_json::json!(0.0)),
        ("/model/measure", serde_json::json!({"expected_purchases": {"horizon": 3.0}})),
    ] {
        let mut altered = whole.clone();
        *altered.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        let text = altered.to_string();
        // Whether the digest or the meaning tells: it is an error.
        assert!(
            segmenta::segmenter::Saved::from_json(&text)
                .and_then(|saved| LifetimeTierModel::load(&saved))
                .is_err(),
            "{path}"
        );
    }
}

/// A last bit moves nobody: cut points lie between customers.
#[test]
fn nobody_stands_on_a_cut_point() {
    for model in [value_model(), risk_model()] {
        for values in seen(&model) {
            let measure = model.measure_of(&values).unwrap();
            for cut in model.cut_points() {
                assert!((measure - cut).abs() > 1e-9 * cut.abs(), "{measure} {cut}");
            }
        }
    }
}
