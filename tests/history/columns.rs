//! Columns of transactions are what rows are, one after the other.

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::{Ledger, LedgerOptions, Occasion, RefundPolicy, Summary};

use crate::{Sale, day, options, sales};

fn columns(sales: &[Sale]) -> (Vec<u32>, Vec<i32>, Vec<i64>) {
    let customers = sales.iter().map(|sale| sale.customer.into()).collect();
    let amounts = sales.iter().map(|sale| sale.amount).collect();
    (customers, sales.iter().map(|sale| sale.day).collect(), amounts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn columns_are_rows(
        options in options(), before in sales(), sales in sales(), as_of in 26..37_i32,
    ) {
        prop_assume!(options != options.clone().occasion(Occasion::Orders));
        let mut by_row = Ledger::new(options.clone()).unwrap();
        let mut by_column = by_row.clone();
        for sale in before.iter().chain(&sales) {
            by_row.add(u64::from(sale.customer), day(sale.day), sale.amount).unwrap();
        }
        for sales in [&before, &sales] {
            let (customers, days, amounts) = columns(sales);
            by_column.add_columns(&customers, &days, &amounts).unwrap();
        }
        prop_assert_eq!(by_row.len(), by_column.len());
        prop_assert_eq!(by_row.kept_rows(), by_column.kept_rows());
        let as_of = day(as_of);
        prop_assert_eq!(by_row.summary(as_of).unwrap(), by_column.summary(as_of).unwrap());
    }
}

/// Rows of more than one chunk; from some on, customers or amounts do not all fit 32 bits.
fn many(
    n: usize,
    [large_customers, large_amounts]: [usize; 2],
) -> (Vec<u64>, Vec<i32>, Vec<i64>) {
    let noise = |i: usize| {
        let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x ^ x >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 20
    };
    let large = |i: usize, from: usize| i >= from && noise(i) % 7 == 0;
    let customer = |i| {
        if large(i, large_customers) { noise(i) % 9 + (1 << 40) } else { noise(i) % 5000 }
    };
    let amount = |i| {
        if large(i, large_amounts) { 1 << 33 } else { noise(i + 5) as i64 % 900 - 100 }
    };
    let days = (0..n).map(|i| 18_000 + (noise(i + 9) % 700) as i32).collect();
    ((0..n).map(customer).collect(), days, (0..n).map(amount).collect())
}

#[test]
fn many_rows_are_rows_whatever_their_size() {
    let end = Date::from_days(18_600).unwrap();
    const NONE: usize = usize::MAX;
    for large in [[NONE, NONE], [100_000, NONE], [NONE, 100_000], [0, 0]] {
        let (customers, days, amounts) = many(200_000, large);
        let new = || Ledger::new(LedgerOptions::new()).unwrap();
        let add_rows = |ledger: &mut Ledger, rows: std::ops::Range<usize>| {
            for i in rows {
                let day = Date::from_days(days[i]).unwrap();
                ledger.add(customers[i], day, amounts[i]).unwrap();
            }
        };
        let add_columns = |ledger: &mut Ledger, rows: std::ops::Range<usize>| {
            let (customers, days) = (&customers[rows.clone()], &days[rows.clone()]);
            ledger.add_columns(customers, days, &amounts[rows]).unwrap();
        };
        let mut by_row = new();
        add_rows(&mut by_row, 0..200_000);
        let expected = by_row.summary(end).unwrap();
        let mut by_column = new();
        add_columns(&mut by_column, 0..200_000);
        let mut mixed = new();
        add_rows(&mut mixed, 0..10);
        add_columns(&mut mixed, 10..90_000);
        add_rows(&mut mixed, 90_000..90_100);
        add_columns(&mut mixed, 90_100..90_200);
        let mut part = new();
        add_columns(&mut part, 90_200..200_000);
        mixed.merge(part).unwrap();
        for ledger in [by_column, mixed] {
            assert_eq!(ledger.kept_rows(), 200_000);
            assert_eq!(ledger.summary(end).unwrap(), expected);
            let split = Date::from_days(18_300).unwrap();
            assert_eq!(
                ledger.holdout(split, end).unwrap().report(),
                by_row.holdout(split, end).unwrap().report()
            );
        }
    }
}

#[test]
fn the_summary_does_not_depend_on_the_threads() {
    let (customers, days, amounts) = many(150_000, [usize::MAX, 70_000]);
    let run = |threads: usize| -> Summary {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut ledger = Ledger::new(LedgerOptions::new()).unwrap();
            ledger.add_columns(&customers, &days, &amounts).unwrap();
            ledger.summary(Date::from_days(18_600).unwrap()).unwrap()
        })
    };
    let one = run(1);
    assert!(one.len() > 4000);
    for threads in [2, 7] {
        assert_eq!(run(threads), one);
    }
}

#[test]
fn columns_that_are_refused_change_nothing() {
    let reject = LedgerOptions::new().refunds(RefundPolicy::Reject);
    let mut ledger = Ledger::new(reject).unwrap();
    ledger.add_columns(&[3_u32], &[5], &[100]).unwrap();
    let n = 70_000;
    let (customers, days, amounts) = (vec![1_u64; n], vec![9; n], vec![5_i64; n]);
    let with = |mut days: Vec<i32>, day: i32| {
        days[69_999] = day;
        days
    };
    let far = with(days.clone(), i32::MAX);
    let error = ledger.add_columns(&customers, &far, &amounts).unwrap_err();
    assert!(error.to_string().contains("in row 69999"), "{error}");
    let mut refund = amounts.clone();
    refund[66_000] = -5;
    let error = ledger.add_columns(&customers, &days, &refund).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`-5` is not an amount of 0 or more: refunds are rejected in row 66000"
    );
    let error = ledger.add_columns(&customers, &days[1..], &amounts).unwrap_err();
    assert!(error.to_string().contains("slice of days"), "{error}");
    let error = ledger.add_columns(&customers, &days, &amounts[1..]).unwrap_err();
    assert!(error.to_string().contains("slice of amounts"), "{error}");
    let mut nan = vec![1.0; n];
    nan[68_000] = f64::NAN;
    let error = ledger.add_columns_major(&customers, &days, &nan).unwrap_err();
    assert!(error.to_string().contains("in row 68000"), "{error}");
    let summary = ledger.summary(day(20)).unwrap();
    assert_eq!((summary.len(), ledger.len(), ledger.kept_rows()), (1, 1, 1));

    ledger.add_columns_major(&[1_u16, 3], &[6, 7], &[0.125, 2.0]).unwrap();
    let summary = ledger.summary(day(20)).unwrap();
    let money = |id: u64| summary.find(id).unwrap().monetary_minor();
    assert_eq!((money(1), money(3)), (12, 300));
    assert_eq!(summary.report().rows, 3);

    let none: [u64; 0] = [];
    let mut texts = Ledger::new(LedgerOptions::new()).unwrap();
    texts.add_columns(&none, &[], &[]).unwrap(); // still of no kind
    texts.add("ann", day(0), 5).unwrap();
    let error = texts.add_columns(&[4_u64], &[0], &[5]).unwrap_err();
    assert_eq!(error.to_string(), "`4` is not a text, like the ids before it");
    assert_eq!((texts.len(), texts.kept_rows()), (1, 1));

    let orders = LedgerOptions::new().occasion(Occasion::Orders);
    let mut orders = Ledger::new(orders).unwrap();
    let error = orders.add_columns(&[4_u64], &[0], &[5]).unwrap_err();
    assert!(error.to_string().contains("an order id"), "{error}");
    assert!(orders.is_empty());
}
