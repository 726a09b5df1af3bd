//! First and last purchase, how many, how much money.

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{Basis, Customer, CustomerId, Date};
use segmenta::history::{
    Ledger, LedgerOptions, LedgerReport, Occasion, RefundPolicy, Summary, ZeroValue,
};

use super::{Sale, day, is_kept, ledger, occasion_of, options, sales};

/// What one customer should come to: the first and the last day, that on which the last purchase
/// began, purchases, money.
type Account = (i32, i32, i32, u64, i64);

fn oracle(options: &LedgerOptions, sales: &[Sale], as_of: i32) -> BTreeMap<u8, Account> {
    let mut accounts = BTreeMap::new();
    for customer in 0..=u8::MAX {
        let kept = |(_, s): &(usize, &Sale)| {
            s.customer == customer && s.day <= as_of && is_kept(options, s.amount)
        };
        let mine: Vec<(usize, &Sale)> = sales.iter().enumerate().filter(kept).collect();
        let bought: Vec<&(usize, &Sale)> =
            mine.iter().filter(|(_, s)| s.amount >= 0).collect();
        let mut occasions: BTreeMap<(i64, i64), i32> = BTreeMap::new();
        for (at, s) in &bought {
            let began = occasions.entry(occasion_of(options, s, *at)).or_insert(s.day);
            *began = s.day.min(*began);
        }
        let (Some(first), Some(last)) = (
            bought.iter().map(|(_, s)| s.day).min(),
            bought.iter().map(|(_, s)| s.day).max(),
        ) else {
            continue;
        };
        let money = mine.iter().map(|(_, s)| s.amount).sum();
        let began = occasions.values().copied().max().unwrap_or(first);
        accounts.insert(customer, (first, last, began, occasions.len() as u64, money));
    }
    accounts
}

fn accounts(summary: &Summary) -> Vec<(String, Account)> {
    let account = |c: segmenta::history::CustomerSummary<'_>| {
        let (first, last) = (c.first().days_since_epoch(), c.last().days_since_epoch());
        let began = first + c.age_at_last_purchase();
        assert_eq!(
            c.days_since_last_purchase(),
            summary.as_of().days_since_epoch() - last
        );
        assert_eq!(c.age(), summary.as_of().days_since_epoch() - first);
        assert_eq!(c.repeat_frequency() + 1, c.frequency());
        (c.id().to_string(), (first, last, began, c.frequency(), c.monetary_minor()))
    };
    summary.iter().map(account).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_summary_is_the_obvious_account(
        options in options(), sales in sales(), as_of in 26..37_i32, texts: bool,
    ) {
        let summary = ledger(&options, &sales, texts).summary(day(as_of)).unwrap();
        let prefix = if texts { "c" } else { "" };
        let expected: Vec<(String, Account)> = oracle(&options, &sales, as_of)
            .into_iter()
            .map(|(customer, account)| (format!("{prefix}{customer}"), account))
            .collect();
        prop_assert_eq!(accounts(&summary), expected);
    }

    #[test]
    fn parts_merge_into_the_whole(
        options in options(),
        sales in sales(),
        order in prop::collection::vec(any::<u32>(), 60),
        cuts in prop::collection::vec(0..60_usize, 0..4),
        texts: bool,
    ) {
        let whole = ledger(&options, &sales, texts).summary(day(32)).unwrap();
        let mut keyed: Vec<(u32, Sale)> = order.into_iter().zip(sales).collect();
        keyed.sort_by_key(|&(key, _)| key);
        let sales: Vec<Sale> = keyed.into_iter().map(|(_, sale)| sale).collect();
        let mut bounds: Vec<usize> = cuts.into_iter().map(|c| c.min(sales.len())).collect();
        bounds.extend([0, sales.len()]);
        bounds.sort_unstable();
        let mut merged = Ledger::new(options.clone()).unwrap();
        for pair in bounds.windows(2).rev() {
            merged.merge(ledger(&options, &sales[pair[0]..pair[1]], texts)).unwrap();
        }
        prop_assert_eq!(merged.len(), sales.len() as u64);
        prop_assert_eq!(merged.summary(day(32)).unwrap(), whole);
    }
}

#[test]
fn everything_left_out_is_counted() {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    ledger.add(1, day(0), 10).unwrap();
    ledger.add(1, day(0), 10).unwrap(); // equal to the one before
    ledger.add(1, day(9), 10).unwrap(); // after the day
    ledger.add(2, day(1), -5).unwrap(); // only a refund
    ledger.add(3, day(1), 0).unwrap();
    ledger.add(3, day(2), -7).unwrap(); // below zero
    assert_eq!(ledger.kept_rows(), 6);
    let summary = ledger.summary(day(3)).unwrap();
    let report = summary.report();
    assert_eq!((report.rows, report.refunds, report.zero_rows), (6, 2, 1));
    assert_eq!((report.refunds_dropped, report.zero_rows_dropped), (0, 0));
    assert_eq!((report.rows_after_as_of, report.duplicate_rows), (1, Some(1)));
    assert_eq!((report.customers_without_purchase, report.customers_below_zero), (1, 1));
    let ids: Vec<CustomerId<'_>> = summary.iter().map(|c| c.id()).collect();
    assert_eq!(ids, [CustomerId::Number(1), CustomerId::Number(3)]);
    assert_eq!(summary.find(3).unwrap().monetary_minor(), -7);
    assert!(summary.find(2).is_none() && summary.find("3").is_none());

    let options =
        LedgerOptions::new().refunds(RefundPolicy::Drop).zero_value(ZeroValue::Drop);
    let mut ledger = Ledger::new(options).unwrap();
    ledger.add("a", day(0), 0).unwrap();
    ledger.add("a", day(0), -1).unwrap();
    assert_eq!((ledger.len(), ledger.kept_rows()), (2, 0));
    let summary = ledger.summary(day(3)).unwrap();
    assert!(summary.is_empty());
    assert_eq!(
        (summary.report().refunds_dropped, summary.report().zero_rows_dropped),
        (1, 1)
    );
}

#[test]
fn a_rejected_transaction_changes_nothing() {
    let options =
        LedgerOptions::new().refunds(RefundPolicy::Reject).occasion(Occasion::Orders);
    let mut ledger = Ledger::new(options).unwrap();
    ledger.add_order("ann", day(0), 5, 1).unwrap();
    let refund = ledger.add_order("ann", day(0), -5, 2).unwrap_err();
    assert_eq!(
        refund.to_string(),
        "`-5` is not an amount of 0 or more: refunds are rejected in row 1"
    );
    let without = ledger.add("ann", day(0), 5).unwrap_err();
    assert!(without.to_string().contains("an order id"), "{without}");
    let number = ledger.add_order(7, day(0), 5, 2).unwrap_err();
    assert_eq!(number.to_string(), "`7` is not a text, like the ids before it in row 1");
    let order = ledger.add_order("ann", day(0), 5, "two").unwrap_err();
    assert_eq!(
        order.to_string(),
        "`two` is not a number, like the ids before it in row 1"
    );
    let summary = ledger.summary(day(0)).unwrap();
    assert_eq!(accounts(&summary), [("ann".to_owned(), (0, 0, 0, 1, 5))]);
    assert_eq!(summary.report().rows, 1);
}

#[test]
fn ledgers_that_differ_do_not_merge() {
    let new = |options: LedgerOptions| Ledger::new(options).unwrap();
    let mut ledger = new(LedgerOptions::new());
    ledger.add(1, day(0), 5).unwrap();
    let other = new(LedgerOptions::new().currency("EUR"));
    assert!(ledger.merge(other).unwrap_err().is_parameter());
    let mut texts = new(LedgerOptions::new());
    texts.add("1", day(0), 5).unwrap();
    let error = ledger.merge(texts).unwrap_err();
    assert_eq!(error.to_string(), "`a text` is not a number, like the ids before it");
    ledger.merge(new(LedgerOptions::new())).unwrap();
    assert_eq!(ledger.len(), 1);
    let error = Ledger::new(LedgerOptions::new().minor_digits(10)).unwrap_err();
    assert_eq!(error.to_string(), "parameter `minor_digits` must be 0 to 9, but is 10");
}

#[test]
fn money_beyond_64_bits_is_an_error_and_sums_within_are_exact() {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    ledger.add(7, day(0), i64::MAX).unwrap();
    ledger.add(7, day(0), i64::MAX).unwrap();
    let error = ledger.summary(day(0)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undefined { .. }));
    assert!(error.to_string().contains("customer `7`"), "{error}");
    ledger.add(7, day(0), i64::MIN).unwrap();
    let summary = ledger.summary(day(1)).unwrap();
    assert_eq!(summary.find(7).unwrap().monetary_minor(), i64::MAX - 1);
}

#[test]
fn ids_come_in_their_own_order() {
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for id in ["b", "a10", "a9", "", "é", "Z"] {
        ledger.add(id, day(0), 1).unwrap();
    }
    let summary = ledger.summary(day(0)).unwrap();
    let ids: Vec<String> = summary.iter().map(|c| c.id().to_string()).collect();
    assert_eq!(ids, ["", "Z", "a10", "a9", "b", "é"]);
    let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
    for id in [10_u64, 9, u64::MAX, 0] {
        ledger.add(id, day(0), 1).unwrap();
    }
    let summary = ledger.summary(day(0)).unwrap();
    let ids: Vec<CustomerId<'_>> = summary.iter().map(|c| c.id()).collect();
    assert_eq!(ids, [0, 9, 10, u64::MAX].map(CustomerId::Number));
}

#[test]
fn the_table_has_units_and_ids() {
    let options = LedgerOptions::new().minor_digits(3).currency("KWD");
    let mut ledger = Ledger::new(options.clone()).unwrap();
    ledger.add("ann", day(0), 1_500).unwrap();
    ledger.add("bob", day(3), 250).unwrap();
    let table = ledger.summary(day(10)).unwrap().table().unwrap();
    assert_eq!(table.schema(), &options.schema().unwrap());
    let [recency, frequency, monetary] = table.schema().features() else { panic!() };
    assert_eq!(
        (recency.get_unit(), recency.get_basis()),
        (Some("days"), Some(Basis::Behavioural))
    );
    assert_eq!(frequency.get_unit(), Some("purchases"));
    assert_eq!(
        (monetary.get_unit(), monetary.get_basis()),
        (Some("KWD"), Some(Basis::Value))
    );
    let ann = table.row(0);
    assert_eq!(ann.id(), CustomerId::Text("ann"));
    let values: Vec<String> =
        table.schema().indices().map(|i| ann.value(i).to_string()).collect();
    assert_eq!(values, ["10", "1", "1.5"]);
}

#[test]
fn an_empty_ledger_has_an_empty_summary() {
    let ledger = Ledger::new(LedgerOptions::new()).unwrap();
    let summary = ledger.summary(Date::MAX).unwrap();
    assert!(summary.is_empty() && summary.get(0).is_none());
    let mut nothing = LedgerReport::default();
    nothing.duplicate_rows = Some(0);
    assert_eq!(*summary.report(), nothing);
    assert!(summary.table().unwrap().is_empty());
    assert!(Ledger::new(LedgerOptions::new()).unwrap().summary(Date::MIN).is_ok());
}
