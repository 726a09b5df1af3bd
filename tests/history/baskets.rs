//! Products, channels and categories against scans of each customer's lines.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{
    BasketLedger, Baskets, LedgerOptions, Line, Occasion, RefundPolicy,
};

use super::{Sale, day, is_kept, is_near, ledger, number, options, sales};

type Names = [Option<String>; 3];

fn lines() -> impl Strategy<Value = Vec<(Sale, Names)>> {
    let name = || prop::option::of(prop::sample::select(vec!["a", "b", "c", ""]));
    let names = [name(), name(), name()];
    let names = names.prop_map(|names| names.map(|name| name.map(String::from)));
    (sales(), prop::collection::vec(names, 60))
        .prop_map(|(sales, names)| sales.into_iter().zip(names).collect())
}

fn collect(options: &LedgerOptions, lines: &[(Sale, Names)]) -> BasketLedger {
    let mut ledger = BasketLedger::new(options.clone()).unwrap();
    enter(&mut ledger, lines, false);
    ledger
}

fn enter(ledger: &mut BasketLedger, lines: &[(Sale, Names)], retracts: bool) {
    for (sale, [product, channel, category]) in lines {
        let (customer, order) =
            (format!("c{}", sale.customer), format!("o{}", sale.order));
        let mut line = Line::new(&customer, day(sale.day), sale.amount).order(&order);
        if let Some(product) = product {
            line = line.product(product);
        }
        if let Some(channel) = channel {
            line = line.channel(channel);
        }
        if let Some(category) = category {
            line = line.category(category);
        }
        if retracts { ledger.retract(line).unwrap() } else { ledger.add(line).unwrap() }
    }
}

/// Of one customer's lines that are kept and no refunds.
fn expected(lines: &[&(Sale, Names)]) -> BTreeMap<&'static str, f64> {
    let different = |kind: usize| {
        let names: BTreeSet<&str> =
            lines.iter().filter_map(|(_, names)| names[kind].as_deref()).collect();
        if names.is_empty() { f64::NAN } else { names.len() as f64 }
    };
    let money = |category: Option<&str>| -> f64 {
        let of = lines.iter().filter(|(_, names)| match category {
            Some(category) => names[2].as_deref() == Some(category),
            None => names[2].is_some(),
        });
        of.map(|(sale, _)| sale.amount as f64).sum()
    };
    let shares = ["", "a", "b", "c"].map(|category| money(Some(category)) / money(None));
    let entropy: f64 =
        shares.iter().map(|&p| if p == 0.0 { 0.0 } else { -p * p.ln() }).sum();
    BTreeMap::from([
        ("products", different(0)),
        ("channels", different(1)),
        ("categories", different(2)),
        ("top_category_share", shares.iter().fold(f64::NAN, |a, &b| a.max(b))),
        ("category_entropy", entropy),
        ("share_b", shares[2]),
        ("share_", shares[0]),
        ("share_never", if money(None) > 0.0 { 0.0 } else { f64::NAN }),
    ])
}

fn choice() -> Baskets {
    Baskets::new().mix(["b", "", "never"])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn baskets_are_those_of_plain_scans(
        options in options(), lines in lines(), as_of in 26..37_i32, cut in 0..60_usize,
    ) {
        let whole = collect(&options, &lines);
        let table = whole.baskets(day(as_of), &choice()).unwrap();
        prop_assert_eq!(table.schema(), &choice().schema(&options).unwrap());
        let sales: Vec<Sale> = lines.iter().map(|(sale, _)| sale.clone()).collect();
        let summary = ledger(&options, &sales, true).summary(day(as_of)).unwrap();
        prop_assert_eq!(&whole.ledger().summary(day(as_of)).unwrap(), &summary);
        prop_assert_eq!(table.len(), summary.len());
        for (row, customer) in summary.iter().enumerate() {
            prop_assert_eq!(table.ids().get(row), customer.id());
            let mine: Vec<&(Sale, Names)> = lines
                .iter()
                .filter(|(s, _)| format!("c{}", s.customer) == customer.id().to_string())
                .filter(|(s, _)| s.day <= as_of && s.amount >= 0)
                .filter(|(s, _)| is_kept(&options, s.amount))
                .collect();
            let mut features = expected(&mine);
            let n = customer.frequency() as f64;
            features.insert("lines_per_purchase", mine.len() as f64 / n);
            features.insert("money_per_purchase", customer.mean_spend().unwrap());
            prop_assert_eq!(features.len(), table.schema().len());
            for (name, expected) in features {
                let found = number(&table, row, name);
                prop_assert!(is_near(found, expected), "{} {} {}", name, found, expected);
            }
        }

        // Parts, the last ones first, to the last bit.
        let (a, b) = lines.split_at(cut.min(lines.len()));
        let mut parts = collect(&options, b);
        parts.merge(collect(&options, a)).unwrap();
        let other = parts.baskets(day(as_of), &choice()).unwrap();
        for row in 0..table.len() {
            for feature in table.schema().features() {
                let name = feature.name();
                let bits = |table| number(table, row, name).to_bits();
                prop_assert_eq!(bits(&other), bits(&table), "{}", name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_that_are_taken_back_were_never_there(
        options in options(), lines in lines(), gone in lines(), cut in 0..60_usize,
    ) {
        let plain = collect(&options, &lines);
        let mut whole = collect(&options, &gone);
        enter(&mut whole, &lines, false);
        enter(&mut whole, &gone, true);
        // What takes lines back may come in a part without them, and before them.
        let (a, b) = gone.split_at(cut.min(gone.len()));
        let mut parts = BasketLedger::new(options.clone()).unwrap();
        enter(&mut parts, a, true);
        let mut other = collect(&options, &lines);
        enter(&mut other, b, true);
        parts.merge(other).unwrap();
        parts.merge(collect(&options, &gone)).unwrap();
        let expected = plain.baskets(day(31), &choice()).unwrap();
        for ledger in [whole, parts] {
            let found = ledger.baskets(day(31), &choice()).unwrap();
            prop_assert_eq!(found.len(), expected.len());
            for row in 0..found.len() {
                prop_assert_eq!(found.ids().get(row), expected.ids().get(row));
                for feature in expected.schema().features() {
                    let bits = |table| number(table, row, feature.name()).to_bits();
                    prop_assert_eq!(bits(&found), bits(&expected), "{}", feature.name());
                }
            }
        }
    }
}

#[test]
fn a_line_is_taken_back_with_its_names() {
    let mut lines = BasketLedger::new(LedgerOptions::new()).unwrap();
    let tea = Line::new("ann", day(1), 5).category("tea");
    lines.add(tea).unwrap();
    lines.add(Line::new("ann", day(2), 7)).unwrap();
    lines.retract(Line::new("ann", day(1), 5).category("cups")).unwrap();
    assert_eq!(lines.ledger().summary(day(9)).unwrap().len(), 1);
    let error = lines.baskets(day(9), &Baskets::new()).unwrap_err().to_string();
    assert!(error.contains("one more of customer `ann` on 1970-01-02"), "{error}");
}

#[test]
fn a_refused_line_changes_nothing_and_names_stay_with_their_lines() {
    let options =
        LedgerOptions::new().occasion(Occasion::Orders).refunds(RefundPolicy::Reject);
    let mut lines = BasketLedger::new(options.clone()).unwrap();
    let line = Line::new("ann", day(1), 5).category("tea");
    assert!(lines.add(line).unwrap_err().to_string().contains("an order id"));
    let refund = Line::new("ann", day(1), -5).category("cups").order(1);
    assert!(lines.add(refund).is_err());
    lines.add(Line::new("ann", day(1), 5).category("pots").order(1)).unwrap();
    assert!(lines.add(Line::new(7, day(1), 5).category("cups").order(1)).is_err());
    lines.add(Line::new("ann", day(2), 15).category("tea").order(1)).unwrap();

    let other = BasketLedger::new(options.currency("EUR")).unwrap();
    assert!(lines.merge(other).unwrap_err().is_parameter());
    let table =
        lines.baskets(day(9), &Baskets::new().mix(["pots", "tea", "cups"])).unwrap();
    let shares = ["share_pots", "share_tea", "share_cups"];
    assert_eq!(shares.map(|name| number(&table, 0, name)), [0.25, 0.75, 0.0]);
    assert_eq!(number(&table, 0, "categories"), 2.0);
}

/// Dropped lines have no names that others could get.
#[test]
fn dropped_lines_take_their_names_along() {
    let options = LedgerOptions::new().refunds(RefundPolicy::Drop);
    let mut lines = BasketLedger::new(options).unwrap();
    lines.add(Line::new("ann", day(1), -5).category("cups")).unwrap();
    lines.add(Line::new("ann", day(1), 5).category("tea")).unwrap();
    let table = lines.baskets(day(9), &Baskets::new().mix(["tea", "cups"])).unwrap();
    assert_eq!(number(&table, 0, "share_tea"), 1.0);
    assert_eq!(number(&table, 0, "category_entropy").to_bits(), 0.0_f64.to_bits());
}

#[test]
fn odd_mixes_are_refused_and_extremes_have_shares() {
    let mut lines = BasketLedger::new(LedgerOptions::new()).unwrap();
    assert!(lines.baskets(day(0), &Baskets::new().mix(["a", "a"])).is_err());
    assert!(lines.baskets(day(0), &Baskets::new()).unwrap().is_empty());
    for (at, category) in [(0, "a"), (1, "b")] {
        lines.add(Line::new(1, day(at), i64::MAX).category(category)).unwrap();
    }
    // The money of all is more than a summary holds.
    assert!(lines.baskets(Date::MAX, &Baskets::new()).is_err());
    lines.add(Line::new(1, day(1), i64::MIN)).unwrap();
    let table = lines.baskets(Date::MAX, &Baskets::new()).unwrap();
    assert_eq!(number(&table, 0, "top_category_share"), 0.5);
    assert!(is_near(number(&table, 0, "category_entropy"), 2_f64.ln()));
    let json = serde_json::to_string(&choice()).unwrap();
    assert_eq!(serde_json::from_str::<Baskets>(&json).unwrap(), choice());
}
