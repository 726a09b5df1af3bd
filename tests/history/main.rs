//! The purchase history against obvious accounts, in parts and in any order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod baskets;
mod behaviour;
mod cadence;
mod columns;
mod holdout;
mod real;
mod retraction;
mod ring;
mod spend;
mod summary;
mod units;

use proptest::prelude::*;
use segmenta::data::{Date, Table, Value};
use segmenta::history::{Ledger, LedgerOptions, Occasion, RefundPolicy, ZeroValue};

fn day(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

#[derive(Clone, Debug)]
struct Sale {
    customer: u8,
    day: i32,
    amount: i64,
    order: u8,
}

fn sales() -> impl Strategy<Value = Vec<Sale>> {
    // Days around the end of a week and of a month: 1970-02-01 was a Sunday.
    let sale = (0..6_u8, 27..36_i32, -3..4_i64, 0..5_u8);
    let sale = sale.prop_map(|(customer, day, amount, order)| Sale {
        customer,
        day,
        amount,
        order,
    });
    prop::collection::vec(sale, 0..60)
}

const OCCASIONS: &[Occasion] = &[
    Occasion::Days,
    Occasion::Weeks,
    Occasion::Months,
    Occasion::Orders,
    Occasion::Rows,
];

fn options() -> impl Strategy<Value = LedgerOptions> {
    let occasion = prop::sample::select(OCCASIONS);
    let refunds = prop_oneof![Just(RefundPolicy::Net), Just(RefundPolicy::Drop)];
    let zero = prop_oneof![Just(ZeroValue::Keep), Just(ZeroValue::Drop)];
    (occasion, refunds, zero).prop_map(|(occasion, refunds, zero)| {
        LedgerOptions::new().occasion(occasion).refunds(refunds).zero_value(zero)
    })
}

fn ledger(options: &LedgerOptions, sales: &[Sale], texts: bool) -> Ledger {
    let mut ledger = Ledger::new(options.clone()).unwrap();
    for sale in sales {
        let (day, amount) = (day(sale.day), sale.amount);
        if texts {
            let customer = format!("c{}", sale.customer);
            let order = format!("order {}", sale.order);
            ledger.add_order(&customer, day, amount, &order).unwrap();
        } else {
            let (customer, order) = (u64::from(sale.customer), u64::from(sale.order));
            ledger.add_order(customer, day, amount, order).unwrap();
        }
    }
    ledger
}

/// Which occasion a sale belongs to, by the plainest account; `at` is its place.
fn occasion_of(options: &LedgerOptions, sale: &Sale, at: usize) -> (i64, i64) {
    let json = serde_json::to_value(options).unwrap();
    let date = day(sale.day);
    match json["occasion"].as_str().unwrap() {
        "days" => (sale.day.into(), 0),
        // The Monday on or before the day.
        "weeks" => {
            let monday = Date::from_ymd(1970, 1, 5).unwrap();
            (i64::from(monday.days_until(date)).div_euclid(7), 0)
        }
        "months" => (date.to_ymd().0.into(), date.to_ymd().1.into()),
        "orders" => (sale.order.into(), 0),
        _ => (at as i64, 0),
    }
}

/// True when the options keep a row of this amount.
fn is_kept(options: &LedgerOptions, amount: i64) -> bool {
    let json = serde_json::to_value(options).unwrap();
    match amount {
        0 => json["zero_value"] == "keep",
        1.. => true,
        _ => json["refunds"] == "net",
    }
}

/// A feature of a row; missing is NaN.
fn number(table: &Table<'_>, row: usize, name: &str) -> f64 {
    let feature = table.schema().require(name).unwrap();
    match table.row(row).value(feature) {
        Value::Number(x) => x,
        Value::Missing => f64::NAN,
        other => panic!("{other}"),
    }
}

fn is_near(found: f64, expected: f64) -> bool {
    (found.is_nan() && expected.is_nan())
        || (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}
