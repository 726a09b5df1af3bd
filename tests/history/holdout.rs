//! What customers did after the day up to which they are known.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{HoldoutReport, Ledger, LedgerOptions, Occasion, RefundPolicy};

use super::{Sale, day, is_kept, ledger, occasion_of, options, sales};

/// Purchases, all money, money of purchases, day of the next one.
type Account = (u64, i64, i64, Option<i32>);

fn oracle(
    options: &LedgerOptions,
    sales: &[Sale],
    ends: [i32; 2],
) -> (Vec<Account>, HoldoutReport) {
    let (mut accounts, mut report) = (Vec::new(), HoldoutReport::default());
    let kept = |sale: &&Sale| is_kept(options, sale.amount);
    report.rows_after_end =
        sales.iter().filter(kept).filter(|sale| sale.day > ends[1]).count() as u64;
    for customer in 0..=u8::MAX {
        let mine: Vec<(usize, &Sale)> = sales
            .iter()
            .enumerate()
            .filter(|(_, sale)| sale.customer == customer && sale.day <= ends[1])
            .filter(|(_, sale)| kept(sale))
            .collect();
        // The day of the first purchase of each occasion.
        let mut opened: BTreeMap<(i64, i64), i32> = BTreeMap::new();
        for &(at, sale) in mine.iter().filter(|(_, sale)| sale.amount >= 0) {
            let opening =
                opened.entry(occasion_of(options, sale, at)).or_insert(sale.day);
            *opening = sale.day.min(*opening);
        }
        let late: BTreeMap<_, _> =
            opened.iter().filter(|&(_, &opening)| opening > ends[0]).collect();
        if late.len() < opened.len() {
            let money =
                mine.iter().filter(|(_, s)| s.day > ends[0]).map(|(_, s)| s.amount);
            let spend = mine
                .iter()
                .filter(|(at, sale)| late.contains_key(&occasion_of(options, sale, *at)))
                .map(|(_, sale)| sale.amount);
            let next = late.values().map(|&&opening| opening).min();
            accounts.push((late.len() as u64, money.sum(), spend.sum(), next));
        } else if late.is_empty() {
            report.customers_without_purchase += u64::from(!mine.is_empty());
        } else {
            report.new_customers += 1;
            report.new_customer_purchases += late.len() as u64;
        }
    }
    (accounts, report)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_holdout_is_the_obvious_account(
        options in options(),
        sales in sales(),
        ends in [26..36_i32, 1..8_i32],
        texts: bool,
    ) {
        let ends = [ends[0], ends[0] + ends[1]];
        let ledger = ledger(&options, &sales, texts);
        let holdout = ledger.holdout(day(ends[0]), day(ends[1])).unwrap();
        let (accounts, report) = oracle(&options, &sales, ends);
        prop_assert_eq!(holdout.report(), &report);
        prop_assert_eq!(holdout.days(), ends[1] - ends[0]);
        let found: Vec<Account> = holdout
            .iter()
            .map(|c| {
                let next = c.next_purchase().map(|day| day.days_since_epoch());
                (c.purchases(), c.money_minor(), c.purchases_minor(), next)
            })
            .collect();
        prop_assert_eq!(found, accounts);

        // The customers are those of the calibration, and both periods come to the whole.
        let before = ledger.summary(day(ends[0])).unwrap();
        prop_assert_eq!(holdout.calibration(), &before);
        let whole = ledger.summary(day(ends[1])).unwrap();
        prop_assert_eq!(
            whole.len() as u64, holdout.len() as u64 + holdout.report().new_customers
        );
        for (customer, before) in holdout.iter().zip(before.iter()) {
            prop_assert_eq!(customer.calibration(), before);
            prop_assert_eq!(customer.id(), before.id());
            let whole = whole.find(customer.id()).unwrap();
            prop_assert_eq!(before.frequency() + customer.purchases(), whole.frequency());
            prop_assert_eq!(
                before.monetary_minor() + customer.money_minor(), whole.monetary_minor()
            );
            let mean = customer.purchases_minor() as f64 / (customer.purchases() as f64 * 100.0);
            let expected = (customer.purchases() > 0).then_some(mean);
            prop_assert_eq!(customer.mean_spend(), expected);
        }
    }
}

#[test]
fn an_occasion_that_began_before_the_end_is_no_new_one() {
    // Monday to Sunday are 1970-01-26 (day 25) to 1970-02-01 (day 31).
    let cases = [
        (Occasion::Weeks, 31, 1, None),
        (Occasion::Weeks, 32, 2, Some(32)),
        (Occasion::Months, 30, 1, None),
        (Occasion::Months, 31, 2, Some(31)),
        (Occasion::Days, 28, 2, Some(28)),
        (Occasion::Rows, 28, 2, Some(28)),
    ];
    for (occasion, second, frequency, next) in cases {
        let mut ledger = Ledger::new(LedgerOptions::new().occasion(occasion)).unwrap();
        ledger.add("ann", day(27), 5_00).unwrap();
        ledger.add("ann", day(second), 3_00).unwrap();
        let holdout = ledger.holdout(day(27), day(40)).unwrap();
        let ann = holdout.get(0).unwrap();
        assert_eq!(ann.purchases() + 1, frequency, "{occasion:?} {second}");
        assert_eq!((ann.next_purchase(), ann.money_minor()), (next.map(day), 3_00));
        assert_eq!(ann.mean_spend(), next.map(|_| 3.0));
    }
}

#[test]
fn odd_ends_and_hostile_sums_are_told() {
    let mut ledger =
        Ledger::new(LedgerOptions::new().refunds(RefundPolicy::Net)).unwrap();
    let empty = ledger.holdout(Date::MIN, Date::MAX).unwrap();
    assert!(empty.is_empty() && empty.get(0).is_none() && empty.days() > 0);
    for end in [day(5), day(4)] {
        let error = ledger.holdout(day(5), end).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "parameter `observation_end` must be after 1970-01-06, the end of the \
                 calibration, but is {end}"
            )
        );
    }
    ledger.add(7, day(0), 1).unwrap();
    for at in [1, 2] {
        ledger.add(7, day(at), i64::MAX).unwrap();
    }
    assert_eq!(
        ledger.holdout(day(0), day(1)).unwrap().get(0).unwrap().money_minor(),
        i64::MAX
    );
    let error = ledger.holdout(day(0), day(2)).unwrap_err();
    assert!(error.to_string().contains("the money in the hold-out of customer `7`"));
    // All days together fit, those of the purchases do not.
    ledger.add(7, day(3), i64::MIN).unwrap();
    let error = ledger.holdout(day(0), day(3)).unwrap_err();
    assert!(error.to_string().contains("the money of the purchases in the hold-out"));
}
