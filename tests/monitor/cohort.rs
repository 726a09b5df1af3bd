//! Cohorts beside a slow twin, and what their tables promise.

use proptest::prelude::*;
use segmenta::data::{Date, Weekday};
use segmenta::history::{Occasion, RefundPolicy, ZeroValue};
use segmenta::monitor::{
    CohortOptions, CohortTable, Cohorts, CurvePoint, Period, Retention,
};

use super::{cases, close};

pub(super) type Purchase = (u64, i32, i64);

fn day(text: &str) -> i32 {
    text.parse::<Date>().unwrap().days_since_epoch()
}

fn date(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

pub(super) fn collect(options: &CohortOptions, rows: &[Purchase]) -> Cohorts {
    let customers: Vec<u64> = rows.iter().map(|r| r.0).collect();
    let days: Vec<i32> = rows.iter().map(|r| r.1).collect();
    let amounts: Vec<i64> = rows.iter().map(|r| r.2).collect();
    let mut cohorts = Cohorts::new(options.clone()).unwrap();
    cohorts.add(&customers, &days, &amounts).unwrap();
    cohorts
}

/// Three customers over four months, of which the last is not over.
fn shop() -> Vec<Purchase> {
    vec![
        (1, day("2024-01-05"), 10_00),
        (1, day("2024-02-03"), 5_00),
        (1, day("2024-02-03"), 1_00),
        (1, day("2024-03-01"), 7_00),
        (2, day("2024-01-31"), 20_00),
        (2, day("2024-03-31"), -4_00),
        (2, day("2024-04-02"), 3_00),
        (3, day("2024-03-09"), 8_00),
        (3, day("2024-04-15"), 9_00),  // after the last day
        (4, day("2024-02-01"), -1_00), // a refund and no purchase
        (3, day("2024-02-27"), -6_00), // before the first purchase
    ]
}

#[test]
fn by_hand() {
    let options =
        CohortOptions::new(Period::Month).bracket(1, 2).bracket(1, 9).bracket(0, 0);
    let cohorts = collect(&options, &shop());
    assert_eq!(cohorts.len(), 11);
    let table = cohorts.table("2024-04-10".parse().unwrap()).unwrap();
    let [january, february, march, april] = table.cohorts() else { panic!() };
    let starts: Vec<String> =
        table.cohorts().iter().map(|c| c.start().to_string()).collect();
    assert_eq!(starts, ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]);
    assert_eq!(
        table.cohorts().iter().map(|c| c.customers()).collect::<Vec<_>>(),
        [2, 0, 1, 0]
    );
    let cells: Vec<_> = january
        .cells()
        .iter()
        .map(|c| {
            (c.active, c.purchases, c.money_minor, c.active_since, c.active_throughout)
        })
        .collect();
    // Two rows on one day are one purchase; a refund is money and nothing else.
    let expected =
        [(2, 2, 30_00, 2, 2), (1, 1, 6_00, 2, 1), (1, 1, 3_00, 2, 1), (1, 1, 3_00, 1, 0)];
    assert_eq!(cells, expected);
    let complete: Vec<bool> = january.cells().iter().map(|c| c.complete).collect();
    assert_eq!(complete, [true, true, true, false]);
    assert_eq!(january.retention(Retention::Classic, 3), Some(0.5));
    assert_eq!(january.retention(Retention::Unbounded, 2), Some(1.0));
    assert_eq!(january.retention(Retention::Full, 3), Some(0.0));
    assert_eq!(january.cell(4), None);
    assert_eq!(january.retention(Retention::Classic, 4), None);
    assert_eq!(february.retention(Retention::Classic, 0), None);
    assert_eq!(march.retention(Retention::Classic, 1), Some(0.0));
    assert_eq!(april.cells().len(), 1);
    // One of two in the months 1 and 2; months 1 to 9 were not all seen; all in month 0.
    assert_eq!(january.bracket_retention(table.options(), 0), Some(0.5));
    assert_eq!(january.bracket_retention(table.options(), 1), None);
    assert_eq!(january.bracket_retention(table.options(), 2), Some(1.0));
    assert_eq!(january.bracket_retention(table.options(), 3), None);
    assert_eq!(march.bracket_retention(table.options(), 0), None);
    assert_eq!(january.cumulative_money_per_customer(3), Some(21_00.0));
    assert_eq!(january.cumulative_money_per_customer(4), None);
    let report = table.report();
    assert_eq!((report.rows, report.rows_after), (11, 1));
    assert_eq!(report.refunds_before_first_purchase, 1);
    assert_eq!(report.customers_without_purchase, 1);

    let curve = table.retention_curve(Retention::Classic, true);
    let figures: Vec<_> =
        curve.iter().map(|p| (p.since, p.cohorts, p.customers, p.retained)).collect();
    assert_eq!(figures, [(0, 2, 3, 3), (1, 2, 3, 1), (2, 1, 2, 1), (3, 1, 2, 1)]);
    close("rate", curve[1].rate, 1.0 / 3.0, 1e-15);
    close("money", curve[1].cumulative_money_per_customer, 44_00.0 / 3.0, 1e-15);
    // April is not over: its cells count nowhere.
    let curve = table.retention_curve(Retention::Classic, false);
    let figures: Vec<_> =
        curve.iter().map(|p| (p.since, p.customers, p.retained)).collect();
    assert_eq!(figures, [(0, 3, 3), (1, 2, 1), (2, 2, 1)]);
    let bracket = table.bracket_point(0, false).unwrap();
    assert_eq!((bracket.since, bracket.customers, bracket.retained), (2, 2, 1));
    assert_eq!(bracket.cumulative_money_per_customer, 39_00.0 / 2.0);
    assert_eq!(table.bracket_point(1, true), None);
    assert_eq!(table.bracket_point(7, true), None);
}

#[test]
fn options_choose_what_counts() {
    let until = "2024-04-10".parse().unwrap();
    let rows =
        [(1, 19_800, 5), (1, 19_800, 5), (1, 19_801, 0), (1, 19_801, -3), (2, 19_801, 0)];
    let options = CohortOptions::new(Period::Year);
    let first = |options: &CohortOptions| {
        let table = collect(options, &rows).table(until).unwrap();
        let cell = table.cohorts()[0].cells()[0];
        (cell.active, cell.purchases, cell.money_minor, *table.report())
    };
    let (active, purchases, money, _) = first(&options);
    assert_eq!((active, purchases, money), (2, 3, 7));
    let (_, purchases, ..) = first(&options.clone().occasion(Occasion::Rows));
    assert_eq!(purchases, 4);
    let (active, purchases, money, report) =
        first(&options.clone().zero_value(ZeroValue::Drop).refunds(RefundPolicy::Drop));
    assert_eq!((active, purchases, money), (1, 1, 10));
    assert_eq!(
        (report.zero_rows_dropped, report.refunds_dropped, report.rows),
        (2, 1, 5)
    );

    let rejecting = options.clone().refunds(RefundPolicy::Reject);
    let mut cohorts = Cohorts::new(rejecting).unwrap();
    let error = cohorts.add(&[1_u64, 1], &[1, 1], &[4, -4]).unwrap_err();
    assert!(error.to_string().ends_with("in row 1"), "{error}");
    assert!(cohorts.is_empty() && cohorts.table(until).unwrap().cohorts().is_empty());
    let orders = options.clone().occasion(Occasion::Orders).validate().unwrap_err();
    assert!(orders.to_string().contains("no order ids"), "{orders}");
    let wrong = options.clone().bracket(3, 2).validate().unwrap_err();
    assert!(wrong.to_string().contains("3 to 2"), "{wrong}");
    let many = (0..65).fold(options, |options, at| options.bracket(at, at));
    assert!(Cohorts::new(many).unwrap_err().to_string().contains("at most 64"));
}

#[test]
fn bad_rows_are_refused_and_nothing_is_added() {
    let mut cohorts = Cohorts::new(CohortOptions::new(Period::Month)).unwrap();
    let customers = [1_u64, 2];
    let refused = [
        cohorts.add(&customers, &[1], &[1, 1]).unwrap_err(),
        cohorts.add(&customers, &[1, 1], &[1]).unwrap_err(),
        cohorts.add(&customers, &[1, i32::MAX], &[1, 1]).unwrap_err(),
    ];
    let texts = refused.map(|error| error.to_string());
    assert_eq!(texts[0], "`days` has length 1, but 2 is needed");
    assert_eq!(texts[1], "`amounts_minor` has length 1, but 2 is needed");
    assert!(texts[2].ends_with("in row 1"), "{}", texts[2]);
    assert!(cohorts.is_empty());
}

#[test]
fn tables_too_large_are_refused() {
    let week = CohortOptions::new(Period::Week { first: Weekday::Monday });
    let ends = [Date::MIN, Date::MAX].map(Date::days_since_epoch);
    let cohorts = collect(&week, &[(1, ends[0], 1), (2, ends[1], 1)]);
    let error = cohorts.table(Date::MAX).unwrap_err().to_string();
    assert!(error.contains("at most 1200"), "{error}");
    assert!(cohorts.table(Date::MIN).is_ok());
    // 1,200 weeks are not too many.
    let cohorts = collect(&week, &[(1, 4, 1)]); // a Monday
    assert_eq!(cohorts.table(date(4 + 8_400 - 1)).unwrap().cohorts().len(), 1_200);
    assert!(cohorts.table(date(4 + 8_400)).is_err());
    // Money in a cell: 64 bits, whatever came in between.
    let month = CohortOptions::new(Period::Month);
    let full =
        [(1, 1, i64::MAX), (2, 2, i64::MAX), (3, 3, 0), (3, 4, i64::MIN), (2, 4, -5)];
    let table = collect(&month, &full).table(date(40)).unwrap();
    assert_eq!(table.cohorts()[0].cells()[0].money_minor, i64::MAX - 6);
    let error = collect(&month, &full[..2]).table(date(40)).unwrap_err().to_string();
    assert!(error.contains("1970-01-01") && error.contains("64 bits"), "{error}");
    // So it is when tables are merged, and then nothing changes.
    let mut one = collect(&month, &full[..1]).table(date(40)).unwrap();
    let before = one.clone();
    let error = one.merge(&collect(&month, &full[1..2]).table(date(40)).unwrap());
    assert!(error.unwrap_err().to_string().contains("64 bits"));
    assert_eq!(one, before);
}

#[test]
fn tables_that_do_not_belong_together_are_not_merged() {
    let month = CohortOptions::new(Period::Month);
    let rows = [(1, 10, 1)];
    let mut table = collect(&month, &rows).table(date(100)).unwrap();
    let later = collect(&month, &rows).table(date(101)).unwrap();
    assert!(table.merge(&later).unwrap_err().to_string().contains("observed_until"));
    let years = collect(&CohortOptions::new(Period::Year), &rows);
    assert!(table.merge(&years.table(date(100)).unwrap()).unwrap_err().is_parameter());
    let mut months = collect(&month, &rows);
    assert!(months.merge(years).unwrap_err().is_parameter());
    assert_eq!(months.len(), 1);
    // A table of nobody changes nothing but the report.
    let nobody = collect(&month, &[]).table(date(100)).unwrap();
    let before = table.clone();
    table.merge(&nobody).unwrap();
    assert_eq!(table, before);
    let mut other = nobody;
    other.merge(&table).unwrap();
    assert_eq!(other, table);
    assert!(other.retention_curve(Retention::Full, true).len() == 4);
}

#[test]
fn saved_tables_are_checked() {
    let options = CohortOptions::new(Period::Month).bracket(1, 2);
    let table = collect(&options, &shop()).table("2024-04-10".parse().unwrap()).unwrap();
    let text = serde_json::to_string(&table).unwrap();
    assert_eq!(serde_json::from_str::<CohortTable>(&text).unwrap(), table);
    for (from, to) in [
        (r#""active":2"#, r#""active":3"#),
        (r#""customers":2"#, r#""customers":1"#),
        (r#""complete":true"#, r#""complete":false"#),
        (r#""start":"2024-02-01""#, r#""start":"2024-02-02""#),
        (r#""brackets":[1]"#, r#""brackets":[3]"#),
        (r#""brackets":[1]"#, r#""brackets":[]"#),
        (r#""observed_until":"2024-04-10""#, r#""observed_until":"2024-05-10""#),
        (r#""observed_until":"2024-04-10""#, r#""observed_until":"9999-12-31""#),
        (r#""from":1,"to":2"#, r#""from":2,"to":1"#),
        (r#""active_since":2"#, r#""active_since":0"#),
        (r#""active_throughout":1"#, r#""active_throughout":2"#),
        (r#""purchases":2"#, r#""purchases":0"#),
    ] {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from}");
        assert!(serde_json::from_str::<CohortTable>(&altered).is_err(), "{from} as {to}");
    }
    let empty = collect(&options, &[]).table(date(0)).unwrap();
    let text = serde_json::to_string(&empty).unwrap();
    assert_eq!(serde_json::from_str::<CohortTable>(&text).unwrap(), empty);
}

/// One cell, asked of all rows anew.
struct Slow<'a> {
    options: &'a CohortOptions,
    rows: Vec<Purchase>,
}

impl Slow<'_> {
    fn period(&self, day: i32) -> i32 {
        self.options.period().index(date(day))
    }

    fn customers(&self) -> Vec<u64> {
        let mut customers: Vec<u64> = self.rows.iter().map(|r| r.0).collect();
        customers.sort_unstable();
        customers.dedup();
        customers
    }

    fn first_day(&self, customer: u64) -> Option<i32> {
        self.rows.iter().filter(|r| r.0 == customer && r.2 >= 0).map(|r| r.1).min()
    }

    fn is_active(&self, customer: u64, period: i32) -> bool {
        self.rows
            .iter()
            .any(|r| r.0 == customer && r.2 >= 0 && self.period(r.1) == period)
    }

    fn cohort(&self, period: i32) -> Vec<u64> {
        let of = |c: &u64| self.first_day(*c).map(|d| self.period(d)) == Some(period);
        self.customers().into_iter().filter(of).collect()
    }

    fn count(&self, cohort: &[u64], holds: impl Fn(u64) -> bool) -> u64 {
        cohort.iter().filter(|&&c| holds(c)).count() as u64
    }
}

const PERIODS: [Period; 5] = [
    Period::Week { first: Weekday::Monday },
    Period::Week { first: Weekday::Saturday },
    Period::Month,
    Period::Quarter,
    Period::Year,
];

fn rows() -> impl Strategy<Value = Vec<Purchase>> {
    prop::collection::vec((0..6_u64, 19_000..19_300_i32, -3..9_i64), 0..40)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn cells_are_those_of_the_definitions(
        rows in rows(), which in 0..PERIODS.len(), until in 19_100..19_310_i32, brackets in (0..3_u32, 0..4_u32),
    ) {
        let bracket = (brackets.0, brackets.0 + brackets.1);
        let options = CohortOptions::new(PERIODS[which]).bracket(bracket.0, bracket.1);
        let table = collect(&options, &rows).table(date(until)).unwrap();
        let seen: Vec<Purchase> = rows.iter().filter(|r| r.1 <= until).copied().collect();
        let slow = Slow { options: &options, rows: seen };
        let last = slow.period(until);
        let first = slow.customers().iter().filter_map(|&c| slow.first_day(c)).min();
        let Some(first) = first.map(|d| slow.period(d)) else {
            prop_assert!(table.cohorts().is_empty());
            return Ok(());
        };
        prop_assert_eq!(table.cohorts().len() as i32, last - first + 1);
        for (index, cohort) in (first..).zip(table.cohorts()) {
            let members = slow.cohort(index);
            prop_assert_eq!(slow.period(cohort.start().days_since_epoch()), index);
            prop_assert_eq!(cohort.customers(), members.len() as u64);
            prop_assert_eq!(cohort.cells().len() as i32, last - index + 1);
            let mut money_so_far = 0;
            for (at, cell) in (index..).zip(cohort.cells()) {
                let active = slow.count(&members, |c| slow.is_active(c, at));
                let since = slow.count(&members, |c| (at..=last).any(|p| slow.is_active(c, p)));
                let throughout =
                    slow.count(&members, |c| (index..=at).all(|p| slow.is_active(c, p)));
                prop_assert_eq!((cell.active, cell.active_since), (active, since));
                prop_assert_eq!(cell.active_throughout, throughout);
                let mut of_cell: Vec<Purchase> = slow.rows.iter().copied()
                    .filter(|r| members.contains(&r.0) && slow.period(r.1) == at)
                    .filter(|r| Some(r.1) >= slow.first_day(r.0))
                    .collect();
                let money: i64 = of_cell.iter().map(|r| r.2).sum();
                prop_assert_eq!(cell.money_minor, money);
                of_cell.retain(|r| r.2 >= 0);
                let mut days: Vec<(u64, i32)> = of_cell.iter().map(|r| (r.0, r.1)).collect();
                days.sort_unstable();
                days.dedup();
                prop_assert_eq!(cell.purchases, days.len() as u64);
                let is_over = slow.period(until + 1) > at;
                prop_assert_eq!(cell.complete, is_over);
                money_so_far += money;
                if let Some(money) = cohort.cumulative_money_per_customer((at - index) as usize) {
                    prop_assert_eq!(money, money_so_far as f64 / members.len() as f64);
                }
            }
            let within = |p: &i32| (bracket.0 as i32..=bracket.1 as i32).contains(&(p - index));
            let active = slow.count(&members, |c| {
                (index..=last).filter(within).any(|p| slow.is_active(c, p))
            });
            let expected = (index + bracket.1 as i32 <= last && !members.is_empty())
                .then(|| active as f64 / members.len() as f64);
            prop_assert_eq!(cohort.bracket_retention(&options, 0), expected);
        }
        for kind in [Retention::Classic, Retention::Unbounded, Retention::Full] {
            for partial in [false, true] {
                for point in table.retention_curve(kind, partial) {
                    prop_assert_eq!(point, slow_point(&table, kind, partial, point.since));
                }
            }
        }
    }

    #[test]
    fn order_and_parts_leave_no_trace(rows in rows(), which in 0..PERIODS.len(), cut in 0..40_usize) {
        let options = CohortOptions::new(PERIODS[which]).bracket(1, 2);
        let until = date(19_250);
        let whole = collect(&options, &rows);
        let table = whole.table(until).unwrap();
        let turned: Vec<_> = rows.iter().rev().copied().collect();
        prop_assert_eq!(&collect(&options, &turned).table(until).unwrap(), &table);
        // Parts of the rows.
        let (one, two) = rows.split_at(cut.min(rows.len()));
        let mut parts = collect(&options, one);
        parts.merge(collect(&options, two)).unwrap();
        prop_assert_eq!(&parts.table(until).unwrap(), &table);
        // Tables of parts of the customers.
        let (one, two): (Vec<Purchase>, Vec<Purchase>) = rows.iter().partition(|r| r.0 % 2 == 0);
        let mut merged = collect(&options, &one).table(until).unwrap();
        merged.merge(&collect(&options, &two).table(until).unwrap()).unwrap();
        prop_assert_eq!(&merged, &table);
        let text = serde_json::to_string(&table).unwrap();
        prop_assert_eq!(&serde_json::from_str::<CohortTable>(&text).unwrap(), &table);
    }
}

fn slow_point(
    table: &CohortTable,
    kind: Retention,
    partial: bool,
    since: usize,
) -> CurvePoint {
    let mut point = table.retention_curve(kind, partial)[0];
    point.since = since;
    let (mut kept, mut customers, mut money) = (0.0, 0, 0.0);
    point.cohorts = 0;
    for cohort in table.cohorts() {
        let shown = cohort.cell(since).is_some_and(|cell| cell.complete || partial);
        if let (true, Some(rate)) = (shown, cohort.retention(kind, since)) {
            point.cohorts += 1;
            customers += cohort.customers();
            kept += rate * cohort.customers() as f64;
            money += cohort.cumulative_money_per_customer(since).unwrap()
                * cohort.customers() as f64;
        }
    }
    point.customers = customers;
    point.retained = kept.round() as u64;
    point.rate = point.retained as f64 / customers as f64;
    point.cumulative_money_per_customer = money.round() / customers as f64;
    point
}

#[test]
fn many_rows_are_shared_out_and_give_the_same() {
    // More than a block of rows, with customers on its ends.
    let noise = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let rows: Vec<Purchase> = (0..200_000_u64)
        .map(|i| {
            (
                noise(i) % 3_000,
                19_000 + (noise(i + 7) % 700) as i32,
                noise(i) as i64 % 900,
            )
        })
        .collect();
    let options = CohortOptions::new(Period::Month);
    let until = date(19_699);
    let table = collect(&options, &rows).table(until).unwrap();
    let mut merged = collect(&options, &[]).table(until).unwrap();
    for part in 0..3 {
        let rows: Vec<_> = rows.iter().filter(|r| r.0 % 3 == part).copied().collect();
        merged.merge(&collect(&options, &rows).table(until).unwrap()).unwrap();
    }
    assert_eq!(merged, table);
    let money: i64 =
        table.cohorts().iter().flat_map(|c| c.cells()).map(|c| c.money_minor).sum();
    assert_eq!(money, rows.iter().map(|r| r.2).sum::<i64>());
    let customers: u64 = table.cohorts().iter().map(|c| c.customers()).sum();
    assert_eq!(customers, 3_000);
}
