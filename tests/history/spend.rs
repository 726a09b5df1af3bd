//! The money of the first purchase, of the others, and of refunds that belong to none.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion, RefundPolicy};

use super::{Sale, day, is_kept, ledger, occasion_of, options, sales};

/// Money of the first occasion, of the others, of refunds apart; the occasions.
type Account = (i64, i64, i64, u64);

/// Report: refunds apart, occasions of 0, occasions below 0.
fn oracle(
    options: &LedgerOptions,
    sales: &[Sale],
    as_of: i32,
) -> (BTreeMap<u8, Account>, [u64; 3]) {
    let (mut accounts, mut counts) = (BTreeMap::new(), [0; 3]);
    for customer in 0..=u8::MAX {
        let mut occasions: BTreeMap<(i64, i64), Vec<&Sale>> = BTreeMap::new();
        for (at, sale) in sales.iter().enumerate() {
            if sale.customer == customer
                && sale.day <= as_of
                && is_kept(options, sale.amount)
            {
                occasions.entry(occasion_of(options, sale, at)).or_default().push(sale);
            }
        }
        // Day, a tie's order, money.
        let mut bought: Vec<(i32, i64, i64)> = Vec::new();
        let mut apart = 0;
        for (key, rows) in occasions {
            let money: i64 = rows.iter().map(|s| s.amount).sum();
            let purchases = rows.iter().filter(|s| s.amount >= 0);
            match purchases.map(|s| s.day).min() {
                Some(day) if options_are_rows(options) => {
                    bought.push((day, money, money))
                }
                Some(day) => bought.push((day, key.0, money)),
                None => {
                    counts[0] += rows.len() as u64;
                    apart += money;
                }
            }
        }
        bought.sort_unstable();
        counts[1] += bought.iter().filter(|b| b.2 == 0).count() as u64;
        counts[2] += bought.iter().filter(|b| b.2 < 0).count() as u64;
        if let Some(&(_, _, first)) = bought.first() {
            let repeat = bought[1..].iter().map(|b| b.2).sum();
            accounts.insert(customer, (first, repeat, apart, bought.len() as u64));
        }
    }
    (accounts, counts)
}

fn options_are_rows(options: &LedgerOptions) -> bool {
    serde_json::to_value(options).unwrap()["occasion"] == "rows"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spend_is_the_obvious_account(
        options in options(), sales in sales(), as_of in 26..37_i32, texts: bool,
    ) {
        let summary = ledger(&options, &sales, texts).summary(day(as_of)).unwrap();
        let (accounts, counts) = oracle(&options, &sales, as_of);
        prop_assert!(summary.knows_spend());
        prop_assert_eq!(summary.len(), accounts.len());
        for (c, (first, repeat, apart, n)) in summary.iter().zip(accounts.into_values()) {
            prop_assert_eq!(c.first_purchase_minor(), Some(first));
            prop_assert_eq!(c.repeat_purchases_minor(), Some(repeat));
            prop_assert_eq!(c.refunds_apart_minor(), Some(apart));
            prop_assert_eq!(c.monetary_minor(), first + repeat + apart);
            let mean = (first + repeat) as f64 / (100.0 * n as f64);
            prop_assert_eq!(c.mean_spend(), Some(mean));
            let mean = repeat as f64 / (100.0 * (n - 1) as f64);
            prop_assert_eq!(c.mean_repeat_spend(), (n > 1).then_some(mean));
        }
        let report = summary.report();
        let found = [report.refunds_apart, report.zero_occasions, report.occasions_below_zero];
        prop_assert_eq!(found, counts);
    }
}

#[test]
fn the_first_of_several_orders_of_a_day_does_not_depend_on_the_order_of_rows() {
    let rows = [("o2", 5_00), ("o1", 7_00), ("o3", 9_00)];
    for turn in 0..3 {
        let options = LedgerOptions::new().occasion(Occasion::Orders);
        let mut ledger = Ledger::new(options).unwrap();
        for at in 0..3 {
            let (order, amount) = rows[(at + turn) % 3];
            ledger.add_order("ann", day(3), amount, order).unwrap();
        }
        // An earlier day wins over an earlier id.
        let summary = ledger.summary(day(9)).unwrap();
        assert_eq!(summary.get(0).unwrap().first_purchase_minor(), Some(7_00));
        ledger.add_order("ann", day(2), 1_00, "o4").unwrap();
        let summary = ledger.summary(day(9)).unwrap();
        assert_eq!(summary.get(0).unwrap().first_purchase_minor(), Some(1_00));
        assert_eq!(summary.get(0).unwrap().mean_repeat_spend(), Some(7.0));
    }
}

#[test]
fn lines_of_an_order_on_later_days_belong_to_it() {
    let options = LedgerOptions::new().occasion(Occasion::Orders).minor_digits(0);
    let mut ledger = Ledger::new(options).unwrap();
    for (day_of, amount, order) in
        [(1, 10, 1), (8, 30, 1), (9, -5, 1), (5, 100, 2), (6, -7, 3), (7, -2, 2)]
    {
        ledger.add_order(1, day(day_of), amount, order).unwrap();
    }
    let summary = ledger.summary(day(20)).unwrap();
    let customer = summary.find(1).unwrap();
    assert_eq!(customer.first_purchase_minor(), Some(35));
    assert_eq!(customer.repeat_purchases_minor(), Some(98));
    assert_eq!(customer.refunds_apart_minor(), Some(-7));
    assert_eq!(customer.monetary_minor(), 126);
    // What comes later is not known before.
    let before = ledger.summary(day(6)).unwrap();
    assert_eq!(before.find(1).unwrap().first_purchase_minor(), Some(10));
}

#[test]
fn money_of_parts_beyond_64_bits_is_an_error_that_names_it() {
    let new = || Ledger::new(LedgerOptions::new()).unwrap();
    // Each part may leave 64 bits although all together do not.
    let cases: [(&str, &[(i32, i64)]); 3] = [
        ("money of the first purchase", &[(0, i64::MAX), (0, i64::MAX), (1, i64::MIN)]),
        (
            "money of the repeat purchases",
            &[(0, 1), (1, i64::MAX), (2, i64::MAX), (3, i64::MIN)],
        ),
        (
            "money of the refunds apart",
            &[(0, i64::MAX), (1, i64::MAX), (2, i64::MIN), (3, i64::MIN)],
        ),
    ];
    for (part, rows) in cases {
        let mut ledger = new();
        for &(at, amount) in rows {
            ledger.add("ann", day(at), amount).unwrap();
        }
        let error = ledger.summary(day(9)).unwrap_err().to_string();
        assert!(error.contains(&format!("the {part} of customer `ann`")), "{error}");
        assert!(error.contains("do not fit into 64 bits"), "{error}");
    }
    let mut ledger = new();
    ledger.add("ann", day(0), i64::MAX).unwrap();
    ledger.add("ann", day(1), i64::MAX).unwrap();
    ledger.add("ann", day(2), i64::MIN).unwrap();
    let summary = ledger.summary(day(2)).unwrap();
    let ann = summary.find("ann").unwrap();
    assert_eq!(ann.refunds_apart_minor(), Some(i64::MIN));
    assert_eq!(ann.mean_spend(), Some(i64::MAX as f64 / 100.0));
}

#[test]
fn dropped_refunds_are_nowhere() {
    let options = LedgerOptions::new().refunds(RefundPolicy::Drop);
    let mut ledger = Ledger::new(options).unwrap();
    for amount in [10, -3] {
        ledger.add("ann", Date::MIN, amount).unwrap();
        ledger.add("ann", Date::MAX, amount).unwrap();
    }
    let summary = ledger.summary(Date::MAX).unwrap();
    let ann = summary.get(0).unwrap();
    assert_eq!(
        (ann.first_purchase_minor(), ann.mean_repeat_spend()),
        (Some(10), Some(0.1))
    );
    assert_eq!((ann.refunds_apart_minor(), summary.report().refunds_apart), (Some(0), 0));
}
