//! Windows, decay and gaps against scans of each customer's sales.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use segmenta::data::{Basis, Date, Table};
use segmenta::history::{Behaviour, Ledger, LedgerOptions, Occasion};

use super::{Sale, day, is_kept, is_near, ledger, number, occasion_of, options, sales};

/// The sales that count for a customer, with their places.
fn sales_of<'s>(
    options: &LedgerOptions,
    sales: &'s [Sale],
    customer: u8,
    as_of: i32,
) -> Vec<(usize, &'s Sale)> {
    sales
        .iter()
        .enumerate()
        .filter(|(_, s)| s.customer == customer && s.day <= as_of)
        .filter(|(_, s)| is_kept(options, s.amount))
        .collect()
}

/// The first purchase day of each occasion, and the days with a purchase.
fn purchases(
    options: &LedgerOptions,
    mine: &[(usize, &Sale)],
) -> (Vec<i32>, BTreeSet<i32>) {
    let mut opened: BTreeMap<(i64, i64), i32> = BTreeMap::new();
    let mut days = BTreeSet::new();
    for &(at, sale) in mine.iter().filter(|(_, sale)| sale.amount >= 0) {
        let opening = opened.entry(occasion_of(options, sale, at)).or_insert(i32::MAX);
        *opening = sale.day.min(*opening);
        days.insert(sale.day);
    }
    (opened.into_values().collect(), days)
}

/// Definition 7 of Hyndman & Fan, of numbers in any order.
fn quantile(numbers: &[f64], p: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = p * last as f64;
    let low = position.floor() as usize;
    let high = (low + 1).min(last);
    sorted[low] + (position - low as f64) * (sorted[high] - sorted[low])
}

fn gaps(days: &BTreeSet<i32>) -> Vec<f64> {
    let days: Vec<i32> = days.iter().copied().collect();
    days.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect()
}

fn expected(
    options: &LedgerOptions,
    sales: &[Sale],
    as_of: i32,
) -> BTreeMap<u8, BTreeMap<&'static str, f64>> {
    let of = |customer: u8| {
        let mine = sales_of(options, sales, customer, as_of);
        let (opened, days) = purchases(options, &mine);
        (mine, opened, days)
    };
    let all_gaps: Vec<f64> = (0..=u8::MAX).flat_map(|c| gaps(&of(c).2)).collect();
    let mean_of_all = all_gaps.iter().sum::<f64>() / all_gaps.len() as f64;
    let mut features = BTreeMap::new();
    for customer in 0..=u8::MAX {
        let (mine, opened, days) = of(customer);
        let Some(&last) = days.last() else { continue };
        let within = |day: i32, len: i32| day > as_of - len && day <= as_of;
        let money = |len| {
            let rows = mine.iter().filter(|(_, s)| within(s.day, len));
            rows.map(|(_, s)| s.amount as f64).sum::<f64>() / 100.0
        };
        let count = |len| opened.iter().filter(|&&d| within(d, len)).count() as f64;
        let active = |len| days.iter().filter(|&&d| within(d, len)).count() as f64;
        let weight = |day: i32| 0.5_f64.powf(f64::from(as_of - day) / 3.0);
        let gaps = gaps(&days);
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let since = f64::from(as_of - last);
        let span: f64 = gaps.iter().sum();
        let row = BTreeMap::from([
            ("purchases_1d", count(1)),
            ("money_1d", money(1)),
            ("active_days_1d", active(1)),
            ("purchases_4d", count(4)),
            ("money_4d", money(4)),
            ("active_days_4d", active(4)),
            ("decayed_purchases_3d", opened.iter().map(|&d| weight(d)).sum()),
            (
                "decayed_money_3d",
                mine.iter().map(|(_, s)| weight(s.day) * s.amount as f64 / 100.0).sum(),
            ),
            ("gap_mean", mean),
            ("gap_median", quantile(&gaps, 0.5)),
            ("gap_p0", quantile(&gaps, 0.0)),
            ("gap_p90", quantile(&gaps, 0.9)),
            ("gap_p75", quantile(&gaps, 0.75)),
            ("gap_p100", quantile(&gaps, 1.0)),
            ("gaps_exceeded", gaps.iter().filter(|&&g| g < since).count() as f64 / n),
            ("gap_cv", if n >= 2.0 { variance.sqrt() / mean } else { f64::NAN }),
            ("overdue", since / quantile(&gaps, 0.5)),
            ("overdue_shrunken", since * (n + 1.0) / (span + mean_of_all)),
        ]);
        features.insert(customer, row);
    }
    features
}

fn choice() -> Behaviour {
    Behaviour::new().windows([1, 4]).half_lives([3]).gap_percentiles([90, 75, 0, 100])
}

fn bits(table: &Table<'_>) -> Vec<u64> {
    let names: Vec<&str> = table.schema().features().iter().map(|f| f.name()).collect();
    (0..table.len())
        .flat_map(|row| names.iter().map(move |name| (row, *name)))
        .map(|(row, name)| number(table, row, name).to_bits())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn features_are_those_of_plain_scans(
        options in options(), sales in sales(), as_of in 26..37_i32, texts: bool,
    ) {
        let ledger = ledger(&options, &sales, texts);
        let table = ledger.behaviour(day(as_of), &choice()).unwrap();
        prop_assert_eq!(table.schema(), &choice().schema(&options).unwrap());
        let expected = expected(&options, &sales, as_of);
        prop_assert_eq!(table.len(), expected.len());
        let summary = ledger.summary(day(as_of)).unwrap();
        for (row, (customer, features)) in expected.iter().enumerate() {
            prop_assert_eq!(table.ids().get(row), summary.get(row).unwrap().id());
            prop_assert_eq!(features.len(), table.schema().len());
            for (name, expected) in features {
                let found = number(&table, row, name);
                prop_assert!(
                    is_near(found, *expected), "{} {}: {} {}", customer, name, found, expected
                );
            }
        }
    }

    /// To the last bit.
    #[test]
    fn the_order_of_rows_and_parts_leaves_no_trace(
        options in options(), sales in sales(), turn in 0..60_usize, cut in 0..60_usize,
    ) {
        let whole = ledger(&options, &sales, true).behaviour(day(33), &choice()).unwrap();
        let mut other = sales.clone();
        if !other.is_empty() {
            let n = other.len();
            other.rotate_left(turn % n);
            other.reverse();
        }
        let (a, b) = other.split_at(cut.min(other.len()));
        let mut parts = ledger(&options, b, true);
        parts.merge(ledger(&options, a, true)).unwrap();
        let parts = parts.behaviour(day(33), &choice()).unwrap();
        prop_assert_eq!(bits(&parts), bits(&whole));
    }
}

#[test]
fn windows_are_half_open() {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for at in [100, 94, 93] {
        ledger.add("ann", day(at), 1_00).unwrap();
    }
    ledger.add("ann", day(101), 1_00).unwrap();
    let table = ledger
        .behaviour(day(100), &Behaviour::new().windows([7, 8, 10_000_000]))
        .unwrap();
    assert_eq!(number(&table, 0, "purchases_7d"), 2.0);
    assert_eq!(number(&table, 0, "purchases_8d"), 3.0);
    assert_eq!(number(&table, 0, "money_10000000d"), 3.0);
}

#[test]
fn what_is_not_defined_is_missing() {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    ledger.add("ann", day(1), 1_00).unwrap();
    let table = ledger.behaviour(day(500), &Behaviour::new()).unwrap();
    for name in [
        "gap_mean",
        "gap_median",
        "gap_p90",
        "gap_cv",
        "overdue",
        "overdue_shrunken",
        "gaps_exceeded",
    ] {
        assert!(number(&table, 0, name).is_nan(), "{name}");
    }
    // Nothing bought is known, and is 0.
    assert_eq!(number(&table, 0, "purchases_365d"), 0.0);
    ledger.add("bob", day(1), 1_00).unwrap();
    ledger.add("bob", day(11), 1_00).unwrap();
    let table = ledger.behaviour(day(21), &Behaviour::new()).unwrap();
    assert_eq!(number(&table, 0, "overdue_shrunken"), 2.0);
    assert_eq!(number(&table, 1, "overdue"), 1.0);
    assert!(number(&table, 1, "gap_cv").is_nan());
}

#[test]
fn the_schema_has_units_and_odd_choices_are_refused() {
    let options = LedgerOptions::new().currency("EUR");
    let schema = choice().cadence(false).schema(&options).unwrap();
    let found: Vec<(&str, Option<&str>)> =
        schema.features().iter().map(|f| (f.name(), f.get_unit())).collect();
    assert_eq!(
        found,
        [
            ("purchases_1d", Some("purchases")),
            ("money_1d", Some("EUR")),
            ("active_days_1d", Some("days")),
            ("purchases_4d", Some("purchases")),
            ("money_4d", Some("EUR")),
            ("active_days_4d", Some("days")),
            ("decayed_purchases_3d", Some("purchases")),
            ("decayed_money_3d", Some("EUR")),
        ]
    );
    assert_eq!(schema.features()[1].get_basis(), Some(Basis::Value));
    let ledger = Ledger::new(options).unwrap();
    for (bad, message) in [
        (choice().windows([0]), "`windows` must be 1 to 10000000 days, but is 0"),
        (
            choice().half_lives([7, 0]),
            "`half_lives` must be 1 to 10000000 days, but is 0",
        ),
        (choice().windows([u32::MAX]), "but is 4294967295"),
        (choice().windows([7, 30, 7]), "`windows` must be different from each other"),
        (choice().gap_percentiles([101]), "`gap_percentiles` must be 0 to 100 percent"),
        (choice().gap_percentiles([5, 5]), "but is 5 twice"),
    ] {
        let error = ledger.behaviour(day(0), &bad).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let json = serde_json::to_string(&choice()).unwrap();
    assert_eq!(serde_json::from_str::<Behaviour>(&json).unwrap(), choice());
    // Saved before percentiles could be chosen.
    let json = r#"{"windows":[7,30,90,365],"half_lives":[],"cadence":true}"#;
    assert_eq!(serde_json::from_str::<Behaviour>(json).unwrap(), Behaviour::new());
    let nothing = Behaviour::new().windows([]).cadence(false);
    assert!(ledger.behaviour(day(0), &nothing).unwrap().is_empty());
}

#[test]
fn extreme_days_and_amounts_have_features() {
    let options = LedgerOptions::new().occasion(Occasion::Months);
    let mut ledger = Ledger::new(options).unwrap();
    for _ in 0..3 {
        ledger.add(1, Date::MIN, i64::MAX).unwrap();
        ledger.add(1, Date::MAX, i64::MAX).unwrap();
    }
    let choice = Behaviour::new().half_lives([1, 10_000_000]);
    let table = ledger.behaviour(Date::MAX, &choice).unwrap();
    assert_eq!(number(&table, 0, "purchases_7d"), 1.0);
    assert_eq!(number(&table, 0, "money_7d"), 3.0 * i64::MAX as f64 / 100.0);
    assert_eq!(number(&table, 0, "decayed_purchases_1d"), 1.0);
    assert_eq!(number(&table, 0, "gap_median"), 7_304_483.0);
}
