//! Purchases in slices against an obvious account, in parts, in any order, on any number
//! of threads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use segmenta::ErrorKind;
use segmenta::data::{CustomerId, Date};
use segmenta::history::{
    Ledger, LedgerOptions, LedgerReport, Occasion, PurchaseTotals, RefundPolicy, Summary,
    ZeroValue,
};

fn day(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

fn by_row() -> LedgerOptions {
    LedgerOptions::new().occasion(Occasion::Rows)
}

fn options() -> impl Strategy<Value = LedgerOptions> {
    let refunds = prop_oneof![Just(RefundPolicy::Net), Just(RefundPolicy::Drop)];
    let zero = prop_oneof![Just(ZeroValue::Keep), Just(ZeroValue::Drop)];
    (refunds, zero).prop_map(|(refunds, zero)| by_row().refunds(refunds).zero_value(zero))
}

type Row = (u64, i32, i64);

fn add(totals: &mut PurchaseTotals, rows: &[Row]) {
    let customers: Vec<u64> = rows.iter().map(|row| row.0).collect();
    let days: Vec<i32> = rows.iter().map(|row| row.1).collect();
    let amounts: Vec<i64> = rows.iter().map(|row| row.2).collect();
    totals.add(&customers, &days, &amounts).unwrap();
}

fn totals(options: &LedgerOptions, rows: &[Row]) -> PurchaseTotals {
    let mut totals = PurchaseTotals::new(options.clone()).unwrap();
    add(&mut totals, rows);
    totals
}

fn ledger(options: &LedgerOptions, rows: &[Row]) -> Ledger {
    let mut ledger = Ledger::new(options.clone()).unwrap();
    for &(customer, days, amount) in rows {
        ledger.add(customer, day(days), amount).unwrap();
    }
    ledger
}

/// First, last, purchases, money.
type Account = (i32, i32, u64, i64);

fn accounts(summary: &Summary) -> Vec<(u64, Account)> {
    let account = |c: segmenta::history::CustomerSummary<'_>| {
        let CustomerId::Number(id) = c.id() else { panic!() };
        let (first, last) = (c.first().days_since_epoch(), c.last().days_since_epoch());
        (id, (first, last, c.frequency(), c.monetary_minor()))
    };
    summary.iter().map(account).collect()
}

fn oracle(options: &LedgerOptions, rows: &[Row]) -> Vec<(u64, Account)> {
    let json = serde_json::to_value(options).unwrap();
    let (net, keep) = (json["refunds"] == "net", json["zero_value"] == "keep");
    let mut by_customer: BTreeMap<u64, Account> = BTreeMap::new();
    for &(customer, day, amount) in rows {
        if (amount < 0 && !net) || (amount == 0 && !keep) {
            continue;
        }
        let account = by_customer.entry(customer).or_insert((i32::MAX, i32::MIN, 0, 0));
        account.3 += amount;
        if amount >= 0 {
            account.0 = account.0.min(day);
            account.1 = account.1.max(day);
            account.2 += 1;
        }
    }
    by_customer.into_iter().filter(|(_, account)| account.2 > 0).collect()
}

/// The report of a ledger, but for what is not known without rows.
fn report(summary: &Summary) -> LedgerReport {
    let mut report = summary.report().clone();
    report.duplicate_rows = None;
    report
}

fn id() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..9_u64,
        2 => 1_000_000..1_000_040_u64,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let narrow = (0..30_u64, 0..9_i32, -3..4_i64);
    let dense = prop::collection::vec(narrow, 0..80);
    let wide_day = prop_oneof![
        -9..9_i32,
        Just(Date::MIN.days_since_epoch()),
        Just(Date::MAX.days_since_epoch())
    ];
    let amount = prop_oneof![-3..4_i64, -(1 << 50)..1_i64 << 50, Just(1_i64 << 56)];
    let sparse = prop::collection::vec((id(), wide_day, amount), 0..80);
    prop_oneof![dense, sparse]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_summary_is_the_obvious_account_and_the_ledgers(
        options in options(), rows in rows(),
    ) {
        let summary = totals(&options, &rows).summary(Date::MAX).unwrap();
        prop_assert_eq!(accounts(&summary), oracle(&options, &rows));
        let other = ledger(&options, &rows).summary(Date::MAX).unwrap();
        prop_assert_eq!(accounts(&summary), accounts(&other));
        prop_assert_eq!(summary.report(), &report(&other));
    }

    #[test]
    fn parts_in_any_order_merge_into_the_whole(
        options in options(),
        rows in rows(),
        order in prop::collection::vec(any::<u32>(), 80),
        cuts in prop::collection::vec((0..80_usize, any::<bool>()), 0..6),
    ) {
        let whole = totals(&options, &rows);
        let mut keyed: Vec<(u32, Row)> = order.into_iter().zip(rows).collect();
        keyed.sort_by_key(|&(key, _)| key);
        let rows: Vec<Row> = keyed.into_iter().map(|(_, row)| row).collect();
        let mut cuts: Vec<(usize, bool)> =
            cuts.into_iter().map(|(cut, merges)| (cut.min(rows.len()), merges)).collect();
        cuts.extend([(0, true), (rows.len(), false)]);
        cuts.sort_unstable();
        let mut parts = PurchaseTotals::new(options.clone()).unwrap();
        for pair in cuts.windows(2) {
            let part = &rows[pair[0].0..pair[1].0];
            if pair[0].1 {
                parts.merge(totals(&options, part)).unwrap();
            } else {
                add(&mut parts, part);
            }
        }
        prop_assert_eq!(parts.len(), whole.len());
        prop_assert_eq!(parts.last_day(), whole.last_day());
        let (parts, whole) = (parts.into_summary(Date::MAX), whole.summary(Date::MAX));
        prop_assert_eq!(parts.unwrap(), whole.unwrap());
    }

    /// Amounts with as many decimals as minor digits are what they say.
    #[test]
    fn major_units_are_rounded_to_minor_ones(
        digits in 0..5_u32, minor in prop::collection::vec(-2e9..2e9_f64, 1..40),
    ) {
        let options = by_row().minor_digits(digits);
        let minor: Vec<i64> = minor.iter().map(|x| *x as i64).collect();
        let per_major = 10_i64.pow(digits) as f64;
        let major: Vec<f64> = minor.iter().map(|&m| m as f64 / per_major).collect();
        let rows: Vec<Row> = minor.iter().map(|&m| (m as u64 % 7, 3, m)).collect();
        let customers: Vec<u32> = rows.iter().map(|row| row.0 as u32).collect();
        let mut found = PurchaseTotals::new(options.clone()).unwrap();
        found.add_major(&customers, &vec![3; rows.len()], &major).unwrap();
        let expected = totals(&options, &rows).into_summary(day(3)).unwrap();
        prop_assert_eq!(found.into_summary(day(3)).unwrap(), expected);
    }
}

/// Many blocks, of every kind: dense and scattered ids, small and large amounts.
fn large(kind: usize) -> Vec<Row> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_041);
        state >> 33
    };
    let row = |_| {
        let (a, b, c) = (next(), next(), next());
        let customer = match kind {
            0 => 500 + a % 20_000,
            1 => (a % 5_000).wrapping_mul(0x9E37_79B9_7F4A_7C15),
            2 => [a % 3_000, 1 << 60, u64::MAX][(b % 50 / 24) as usize],
            // One customer has half of the rows.
            3 => {
                if b % 2 == 0 {
                    77
                } else {
                    a % 100_000
                }
            }
            // Spreading leaves these in one place after the other.
            _ => (a % 2_000).wrapping_mul(0xF1DE_83E1_9937_733D),
        };
        let wide = b % 1000 == 0 && kind != 3;
        let amount = if wide { (c as i64) << 12 } else { c as i64 % 9_000 - 100 };
        (customer, (b % 700) as i32 - 300, amount)
    };
    (0..150_000).map(row).collect()
}

#[test]
fn many_rows_come_to_the_same_on_any_number_of_threads() {
    for kind in 0..5 {
        let rows = large(kind);
        let options = by_row();
        let expected = oracle(&options, &rows);
        for n_threads in [1, 2, 7] {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let (whole, parts) = pool.install(|| {
                let mut parts = PurchaseTotals::new(options.clone()).unwrap();
                rows.chunks(40_001).rev().for_each(|rows| add(&mut parts, rows));
                (totals(&options, &rows), parts)
            });
            let whole = whole.into_summary(day(400)).unwrap();
            assert_eq!(accounts(&whole), expected, "{kind}");
            assert_eq!(parts.into_summary(day(400)).unwrap(), whole, "{kind}");
        }
        let other = ledger(&options, &rows).summary(day(400)).unwrap();
        assert_eq!(accounts(&other), expected);
    }
}

#[test]
fn hostile_slices_are_errors_that_change_nothing() {
    let mut totals = PurchaseTotals::new(by_row().refunds(RefundPolicy::Reject)).unwrap();
    totals.add(&[5_u64, u64::MAX, 0], &[1, 2, 3], &[100, 7, i64::MAX - 107]).unwrap();
    let before = totals.summary(day(3)).unwrap();
    assert_eq!(before.len(), 3);

    let lengths = totals.add(&[1_u64], &[1, 2], &[1]).unwrap_err();
    assert_eq!(lengths.to_string(), "the slice of days has length 2, but 1 is needed");
    let lengths = totals.add(&[1_u64, 2], &[1, 2], &[1]).unwrap_err();
    assert_eq!(lengths.to_string(), "the slice of amounts has length 1, but 2 is needed");
    for bad in [i32::MIN, i32::MAX, Date::MAX.days_since_epoch() + 1] {
        let error = totals.add(&[1_u64, 2], &[1, bad], &[1, 1]).unwrap_err();
        let expected = format!("`day {bad}` is not a date of the calendar in row 1");
        assert_eq!(error.to_string(), expected);
    }
    // The first bad row of many blocks.
    let n = 200_000;
    let (ids, mut days) = (vec![9_u64; n], vec![0; n]);
    let mut amounts = vec![1_i64; n];
    (amounts[150_000], amounts[199_999]) = (-5, -6);
    let error = totals.add(&ids, &days, &amounts).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`-5` is not an amount of 0 or more: refunds are rejected in row 150000"
    );
    days[70_000] = i32::MAX;
    let error = totals.add(&ids, &days, &amounts).unwrap_err();
    assert!(error.to_string().ends_with("in row 70000"), "{error}");
    // No sum may leave 64 bits, whichever customers it is of.
    let error = totals.add(&[1_u64], &[1], &[1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undefined { .. }), "{error}");
    let mut other = PurchaseTotals::new(by_row().refunds(RefundPolicy::Reject)).unwrap();
    other.add(&[1_u64], &[1], &[1]).unwrap();
    assert!(totals.merge(other).is_err());

    for (bad, words) in [
        (f64::NAN, "must be a finite number, but is NaN in row 2"),
        (f64::INFINITY, "but is inf in row 2"),
        (f64::NEG_INFINITY, "but is -inf in row 2"),
        (1e300, "is not an amount of at most 2^51 minor units in row 2"),
        (-3e13, "is not an amount of at most 2^51 minor units in row 2"),
    ] {
        let error = totals.add_major(&[1_u64; 3], &[1; 3], &[0.0, 0.0, bad]).unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
    }
    assert_eq!(totals.len(), 3);
    assert_eq!(totals.summary(day(3)).unwrap(), before);
}

#[test]
fn sums_that_only_pass_64_bits_on_the_way_are_refused_too() {
    let mut totals = PurchaseTotals::new(by_row()).unwrap();
    let add = |totals: &mut PurchaseTotals, amount| totals.add(&[1_u64], &[0], &[amount]);
    assert!(add(&mut totals, i64::MIN).is_err());
    add(&mut totals, i64::MIN + 1).unwrap();
    assert!(add(&mut totals, 1).is_err());
    // Dropped refunds are not added up.
    let options = by_row().refunds(RefundPolicy::Drop);
    let mut totals = PurchaseTotals::new(options).unwrap();
    totals.add(&[1_u64, 1, 1], &[0; 3], &[i64::MIN, i64::MIN, i64::MAX]).unwrap();
    let summary = totals.into_summary(day(0)).unwrap();
    assert_eq!(summary.get(0).unwrap().monetary_minor(), i64::MAX);
    assert_eq!((summary.report().refunds, summary.report().refunds_dropped), (2, 2));
}

#[test]
fn customers_with_refunds_only_wait_for_a_purchase() {
    let mut totals = PurchaseTotals::new(by_row()).unwrap();
    totals.add(&[4_u64, 4, 9], &[5, 6, 7], &[-1, -2, -3]).unwrap();
    let summary = totals.summary(day(7)).unwrap();
    assert!(summary.is_empty());
    assert_eq!(summary.report().customers_without_purchase, 2);
    assert!(!summary.knows_spend());
    assert!(summary.into_table().unwrap().is_empty());
    totals.add(&[9_u64], &[3], &[1]).unwrap();
    let summary = totals.summary(day(7)).unwrap();
    assert_eq!(accounts(&summary), [(9, (3, 3, 1, -2))]);
    let report = summary.report();
    assert_eq!((report.customers_without_purchase, report.customers_below_zero), (1, 1));
}

#[test]
fn what_needs_rows_is_refused() {
    for occasion in [Occasion::Days, Occasion::Orders] {
        let error =
            PurchaseTotals::new(LedgerOptions::new().occasion(occasion)).unwrap_err();
        assert!(error.is_parameter(), "{error}");
    }
    assert!(PurchaseTotals::new(by_row().minor_digits(10)).is_err());
    let mut totals = PurchaseTotals::new(by_row()).unwrap();
    assert!(totals.is_empty() && totals.last_day().is_none());
    assert!(totals.summary(Date::MIN).unwrap().is_empty());
    totals.add::<u64>(&[], &[], &[]).unwrap();
    assert!(totals.is_empty());
    totals.add(&[1_u64, 1], &[10, 12], &[5, -5]).unwrap();
    let error = totals.summary(day(11)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `as_of` must be 1970-01-13 or later, the day of the last transaction, \
         but is 1970-01-12"
    );
    assert!(totals.summary(day(12)).is_ok());
    let other = PurchaseTotals::new(by_row().currency("EUR")).unwrap();
    assert!(totals.merge(other).unwrap_err().is_parameter());
}

#[test]
fn the_table_is_that_of_the_ledger() {
    let rows = large(0);
    let options = by_row().currency("EUR");
    let table = totals(&options, &rows).into_summary(day(400)).unwrap();
    let (moved, table) = (table.clone().into_table().unwrap(), table.table().unwrap());
    let other = ledger(&options, &rows).summary(day(400)).unwrap().table().unwrap();
    assert_eq!((table.len(), table.schema()), (other.len(), other.schema()));
    for row in 0..table.len() {
        assert_eq!(table.ids().get(row), other.ids().get(row));
        assert_eq!(moved.ids().get(row), other.ids().get(row));
        for feature in table.schema().indices() {
            let expected = other.row(row).value(feature);
            assert_eq!(table.row(row).value(feature), expected);
            assert_eq!(moved.row(row).value(feature), expected);
        }
    }
}
