//! The ring of days against all transactions.

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::ActivityRing;

use super::day;

type Row = (i32, i64);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let near = (-20..20_i32, -3..9_i64);
    let far = (prop_oneof![Just(400), Just(-400), -60..60_i32], -3..9_i64);
    prop::collection::vec(prop_oneof![9 => near, 1 => far], 0..40)
}

fn ring(len: u32, rows: &[Row]) -> ActivityRing {
    let mut ring = ActivityRing::new(len).unwrap();
    for &(at, amount) in rows {
        let newest = ring.newest().map_or(i32::MIN, |day| day.days_since_epoch());
        let held = ring.record(day(at), amount).unwrap();
        assert_eq!(held, i64::from(at) > i64::from(newest) - i64::from(len));
    }
    ring
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ring_tells_what_a_scan_tells(
        rows in rows(),
        len in 1..30_u32,
        window in 0..35_u32,
        half_life in 1..20_u32,
        as_of in -50..50_i32,
    ) {
        let ring = ring(len, &rows);
        let Some(newest) = rows.iter().map(|row| row.0).max() else {
            prop_assert!(ring.is_empty());
            prop_assert_eq!(ring.purchases(window, day(as_of)), Some(0));
            prop_assert_eq!(ring.decayed_purchases(half_life, day(as_of)).unwrap(), 0.0);
            return Ok(());
        };
        prop_assert_eq!(ring.newest(), Some(day(newest)));
        let oldest = newest - len as i32 + 1;
        let too_late = rows.iter().filter(|row| row.0 < oldest).count() as u64;
        prop_assert_eq!(ring.too_late(), too_late);
        let from = as_of - window as i32 + 1;
        let within: Vec<&Row> = rows.iter().filter(|r| r.0 >= from && r.0 <= as_of).collect();
        let bought = within.iter().filter(|row| row.1 >= 0);
        let mut days: Vec<i32> = bought.clone().map(|row| row.0).collect();
        days.sort_unstable();
        days.dedup();
        let known = from >= oldest || too_late == 0 || window == 0;
        let expected = known.then_some(bought.count() as u64);
        prop_assert_eq!(ring.purchases(window, day(as_of)), expected);
        let money = within.iter().map(|row| i128::from(row.1)).sum();
        prop_assert_eq!(ring.money_minor(window, day(as_of)), known.then_some(money));
        let active = known.then_some(days.len() as u32);
        prop_assert_eq!(ring.active_days(window, day(as_of)), active);
        let (mut purchases, mut money) = (0.0, 0.0);
        for (at, amount) in rows.iter().filter(|r| r.0 >= oldest && r.0 <= as_of) {
            let weight = 0.5_f64.powf(f64::from(as_of - at) / f64::from(half_life));
            purchases += if *amount >= 0 { weight } else { 0.0 };
            money += weight * *amount as f64;
        }
        let found = ring.decayed_purchases(half_life, day(as_of)).unwrap();
        prop_assert!((found - purchases).abs() < 1e-12, "{} {}", found, purchases);
        let found = ring.decayed_money_minor(half_life, day(as_of)).unwrap();
        prop_assert!((found - money).abs() < 1e-11, "{} {}", found, money);
    }

    #[test]
    fn parts_in_any_order_merge_into_the_whole(
        rows in rows(), len in 1..30_u32, cut in 0..40_usize, turn in 0..40_usize,
    ) {
        let whole = ring(len, &rows);
        let mut other = rows.clone();
        if !other.is_empty() {
            let n = other.len();
            other.rotate_left(turn % n);
            other.reverse();
        }
        prop_assert_eq!(&ring(len, &other), &whole);
        let (a, b) = other.split_at(cut.min(other.len()));
        for (a, b) in [(a, b), (b, a)] {
            let mut merged = ring(len, a);
            merged.merge(&ring(len, b)).unwrap();
            prop_assert_eq!(&merged, &whole);
        }
        let json = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(serde_json::from_str::<ActivityRing>(&json).unwrap(), whole);
    }
}

#[test]
fn hostile_rings_are_refused() {
    for days in [0, 36_526, u32::MAX] {
        assert!(ActivityRing::new(days).unwrap_err().is_parameter());
    }
    let mut ring = ActivityRing::new(3).unwrap();
    let error = ring.merge(&ActivityRing::new(4).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `days of the other ring` must be 3, but is 4"
    );
    ring.record(Date::MIN, i64::MAX).unwrap();
    let before = ring.clone();
    let error = ring.record(Date::MIN, 1).unwrap_err().to_string();
    assert!(error.contains(&format!("the activity on {}", Date::MIN)), "{error}");
    assert!(ring.merge(&before).is_err());
    assert_eq!(ring, before);
    assert_eq!(ring.money_minor(u32::MAX, Date::MAX), Some(i64::MAX.into()));
    ring.record(Date::MAX, 5).unwrap();
    assert_eq!((ring.too_late(), ring.purchases(3, Date::MAX)), (1, Some(1)));
    assert_eq!(ring.purchases(4, Date::MAX), None);
    assert_eq!(ring.purchases(1, Date::MIN), None);
    assert!(ring.decayed_purchases(0, Date::MAX).unwrap_err().is_parameter());
    assert_eq!(ring.decayed_money_minor(1, Date::MIN).unwrap(), 0.0);
    assert_eq!(ring.decayed_money_minor(u32::MAX, Date::MAX).unwrap(), 5.0);

    let day = r#"{"purchases":0,"refunds":0,"money":0}"#;
    let full = r#"{"purchases":1,"refunds":0,"money":7}"#;
    let none = r#"{"purchases":0,"refunds":0,"money":7}"#;
    for (newest, days, late, fits) in [
        ("null", day.to_owned(), 0, true),
        ("\"1970-01-01\"", format!("{full},{day}"), 3, true),
        ("\"1970-01-01\"", format!("{day},{full}"), 3, false),
        ("\"1970-01-01\"", format!("{full},{none}"), 3, false),
        ("null", full.to_owned(), 0, false),
        ("null", day.to_owned(), 1, false),
        ("null", String::new(), 0, false),
    ] {
        let json = format!(r#"{{"newest":{newest},"days":[{days}],"too_late":{late}}}"#);
        let ring = serde_json::from_str::<ActivityRing>(&json);
        assert_eq!(ring.is_ok(), fits, "{json}: {ring:?}");
    }
}

/// The errors of a merge name the day that is full.
#[test]
fn a_full_day_is_named() {
    let mut a = ActivityRing::new(7).unwrap();
    let mut b = a.clone();
    a.record(day(10), i64::MAX).unwrap();
    a.record(day(12), 1).unwrap();
    b.record(day(10), 1).unwrap();
    b.record(day(13), 1).unwrap();
    for (mut a, b) in [(a.clone(), &b), (b.clone(), &a)] {
        let error = a.merge(b).unwrap_err().to_string();
        assert!(error.contains("the activity on 1970-01-11"), "{error}");
    }
}
