//! Active customers, stickiness and engagement beside slow twins.

use std::collections::BTreeSet;

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::monitor::{
    Engagement, EngagementOptions, Stickiness, active_customers, engagement, stickiness,
};

use super::{cases, close};

fn date(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

type Rows = Vec<(u64, i32)>;

fn columns(rows: &[(u64, i32)]) -> (Vec<u64>, Vec<i32>) {
    rows.iter().copied().unzip()
}

/// How many customers were active from one day to another.
fn active(rows: &[(u64, i32)], from: i32, until: i32) -> u64 {
    let within = rows.iter().filter(|row| (from..=until).contains(&row.1));
    within.map(|row| row.0).collect::<BTreeSet<u64>>().len() as u64
}

#[test]
fn scores_by_hand() {
    let options = EngagementOptions::new(20, 4).weights([3.0, 1.0, 1.0]);
    let customers = [1_u64, 1, 1, 1, 2, 3, 3, 4];
    let days = [100, 100, 81, 80, 80, 81, 101, 10];
    let kinds = [0, 3, 3, 1, 0, 2, 2, 1];
    let found = engagement(&options, &customers, &days, &kinds, date(100)).unwrap();
    let [one, two, three, four] = &found.customers[..] else { panic!() };
    // Day 80 is the first one before the window of 81 to 100.
    assert_eq!((one.active_days, one.kinds, one.days_since_last), (2, 2, 0));
    close("score", one.score, (3.0 * 0.1 + 0.5 + 1.0) / 5.0, 1e-15);
    assert_eq!((two.active_days, two.kinds, two.days_since_last), (0, 0, 20));
    assert_eq!((two.recency, two.score), (0.0, 0.0));
    assert_eq!((three.frequency, three.breadth, three.recency), (0.05, 0.25, 0.05));
    assert_eq!((four.days_since_last, four.score), (90, 0.0));
    assert_eq!(found.rows_after, 1);
    close("mean", found.mean_frequency, 0.15 / 4.0, 1e-15);
    close("mean", found.mean_breadth, 0.75 / 4.0, 1e-15);
    close("mean", found.mean_recency, 1.05 / 4.0, 1e-15);
    close("mean", found.mean_score, (one.score + three.score) / 4.0, 1e-15);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Engagement>(&text).unwrap(), found);
    // Whoever does everything every day.
    let all: Vec<(i32, u32)> = (1..=5).flat_map(|d| [(d, 0), (d, 1)]).collect();
    let (days, kinds): (Vec<i32>, Vec<u32>) = all.into_iter().unzip();
    let options = EngagementOptions::new(5, 2).weights([f64::MAX, 0.7, f64::MAX]);
    let most = engagement(&options, &[9_u64; 10], &days, &kinds, date(5)).unwrap();
    assert_eq!(most.customers[0].score, 1.0);
    let nobody = engagement::<u64>(&options, &[], &[], &[], date(5)).unwrap();
    assert_eq!((nobody.customers.len(), nobody.mean_score), (0, 0.0));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of = |options: EngagementOptions, days: &[i32], kinds: &[u32]| {
        engagement(&options, &[1_u64, 2], days, kinds, date(50)).unwrap_err().to_string()
    };
    let options = EngagementOptions::new(28, 3);
    assert!(of(EngagementOptions::new(0, 3), &[1, 2], &[0, 0]).contains("window_days"));
    assert!(of(EngagementOptions::new(u32::MAX, 3), &[1, 2], &[0, 0]).contains("36525"));
    assert!(of(EngagementOptions::new(28, 0), &[1, 2], &[0, 0]).contains("n_kinds"));
    for weights in
        [[0.0; 3], [1.0, -1.0, 1.0], [f64::NAN, 1.0, 1.0], [1.0, 1.0, f64::INFINITY]]
    {
        assert!(of(options.weights(weights), &[1, 2], &[0, 0]).contains("weights"));
    }
    assert!(of(options, &[1], &[0, 0]).contains("`days` has length 1"));
    assert!(of(options, &[1, 2], &[0]).contains("`kinds` has length 1"));
    assert!(of(options, &[1, i32::MAX], &[0, 0]).ends_with("in row 1"));
    assert_eq!(of(options, &[1, 2], &[0, 3]), "`3` is not a kind below 3 in row 1");
    let wrong = active_customers(&[1_u64], &[1, 2], date(1), date(2)).unwrap_err();
    assert!(wrong.to_string().contains("`days`"));
    let wrong = active_customers(&[1_u64], &[1], date(2), date(1)).unwrap_err();
    assert!(wrong.to_string().contains("`until`"));
    assert!(stickiness(&[1_u64, 1], &[1, i32::MIN], date(2)).unwrap_err().is_data());
    // The ends of the calendar.
    let ends = [Date::MIN, Date::MAX].map(Date::days_since_epoch);
    let days = active_customers(&[1_u64, 2], &ends, Date::MAX, Date::MAX).unwrap();
    assert_eq!((days.len(), days[0].daily, days[0].monthly), (1, 1, 1));
    let sticky = stickiness(&[1_u64, 2], &ends, Date::MIN).unwrap();
    assert_eq!((sticky.customers(), sticky.weekly()), (1, 1));
    let one =
        engagement(&EngagementOptions::new(1, 1), &[1_u64], &ends[..1], &[0], Date::MAX);
    assert_eq!(one.unwrap().customers[0].days_since_last, 7_304_483);
}

#[test]
fn nobody_is_no_ratio() {
    let sticky = stickiness(&[1_u64], &[10], date(38)).unwrap();
    assert_eq!((sticky.customers(), sticky.monthly()), (1, 0));
    assert_eq!((sticky.dau_over_mau(), sticky.dau_over_wau()), (None, None));
    let sticky = stickiness(&[1_u64], &[10], date(37)).unwrap();
    assert_eq!((sticky.dau_over_mau(), sticky.dau_over_wau()), (Some(1.0 / 28.0), None));
    let day = active_customers(&[1_u64], &[10], date(40), date(40)).unwrap()[0];
    assert_eq!((day.dau_over_mau(), day.dau_over_wau()), (None, None));
    let day =
        active_customers(&[1_u64, 2, 3], &[10, 12, 12], date(12), date(12)).unwrap()[0];
    close("DAU / WAU", day.dau_over_wau().unwrap(), 2.0 / 3.0, 1e-15);
    close("DAU / MAU", day.dau_over_mau().unwrap(), 2.0 / 3.0, 1e-15);
}

#[test]
fn saved_figures_are_checked() {
    let (customers, days) = columns(&[(1, 10), (1, 12), (2, 3)]);
    let mut sticky = stickiness(&customers, &days, date(12)).unwrap();
    let text = serde_json::to_string(&sticky).unwrap();
    assert_eq!(serde_json::from_str::<Stickiness>(&text).unwrap(), sticky);
    for (from, to) in [
        (r#""active_days":[0,1,"#, r#""active_days":[1,1,"#),
        (r#""active_days":[0,1,"#, r#""active_days":[0,"#),
        (r#""active_days":[0,1,"#, r#""active_days":[18446744073709551615,1,"#),
        (r#""weekly_active_days":[1,0,1"#, r#""weekly_active_days":[0,1"#),
        (r#""active_days":[0,1,1"#, r#""active_days":[2,0,0"#),
    ] {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from} {text}");
        assert!(serde_json::from_str::<Stickiness>(&altered).is_err(), "{from} as {to}");
    }
    let other = stickiness(&customers, &days, date(13)).unwrap();
    assert!(sticky.merge(&other).unwrap_err().is_parameter());
}

fn rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((0..7_u64, 0..90_i32), 0..80)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn active_customers_are_those_of_the_definitions(rows in rows(), from in 0..80_i32, n in 0..40_i32) {
        let (customers, days) = columns(&rows);
        let found = active_customers(&customers, &days, date(from), date(from + n)).unwrap();
        prop_assert_eq!(found.len() as i32, n + 1);
        for (day, at) in found.iter().zip(from..) {
            prop_assert_eq!(day.day, date(at));
            prop_assert_eq!(day.daily, active(&rows, at, at));
            prop_assert_eq!(day.weekly, active(&rows, at - 6, at));
            prop_assert_eq!(day.monthly, active(&rows, at - 27, at));
        }
    }

    #[test]
    fn stickiness_is_the_mean_of_its_days(rows in rows(), as_of in 27..95_i32) {
        let (customers, days) = columns(&rows);
        let sticky = stickiness(&customers, &days, date(as_of)).unwrap();
        prop_assert_eq!(sticky.customers(), active(&rows, 0, as_of));
        prop_assert_eq!(sticky.monthly(), active(&rows, as_of - 27, as_of));
        prop_assert_eq!(sticky.weekly(), active(&rows, as_of - 6, as_of));
        let daily = active_customers(&customers, &days, date(as_of - 27), date(as_of)).unwrap();
        let mean = daily.iter().map(|d| d.daily).sum::<u64>() as f64 / 28.0;
        if let Some(ratio) = sticky.dau_over_mau() {
            prop_assert!((ratio - mean / sticky.monthly() as f64).abs() < 1e-14);
            prop_assert!((1.0 / 28.0..=1.0).contains(&ratio));
        }
        let mean = daily[21..].iter().map(|d| d.daily).sum::<u64>() as f64 / 7.0;
        if let Some(ratio) = sticky.dau_over_wau() {
            prop_assert!((ratio - mean / sticky.weekly() as f64).abs() < 1e-14);
        }
        let mut expected = vec![0; 29];
        for customer in 0..7 {
            let of = |&&(c, day): &&(u64, i32)| c == customer && day <= as_of;
            let days: BTreeSet<i32> = rows.iter().filter(of).map(|row| row.1).collect();
            if !days.is_empty() {
                expected[days.range(as_of - 27..).count()] += 1;
            }
        }
        prop_assert_eq!(sticky.active_days(), &expected[..]);

        let (one, two): (Rows, Rows) = rows.iter().partition(|row| row.0 % 2 == 0);
        let of = |rows: &[(u64, i32)]| {
            let (customers, days) = columns(rows);
            stickiness(&customers, &days, date(as_of)).unwrap()
        };
        let mut merged = of(&one);
        merged.merge(&of(&two)).unwrap();
        prop_assert_eq!(&merged, &sticky);
        let turned: Rows = rows.iter().rev().copied().collect();
        prop_assert_eq!(&of(&turned), &sticky);
    }

    #[test]
    fn parts_of_engagement_are_shares(
        rows in rows(), kinds in prop::collection::vec(0..4_u32, 80), window in 1..40_u32,
    ) {
        let (customers, days) = columns(&rows);
        let kinds = &kinds[..rows.len()];
        let options = EngagementOptions::new(window, 4).weights([1.0, 2.0, 0.5]);
        let found = engagement(&options, &customers, &days, kinds, date(70)).unwrap();
        let mut n = 0;
        for customer in 0..7 {
            let of = rows.iter().zip(kinds).filter(|(r, _)| r.0 == customer && r.1 <= 70);
            let of: Vec<(i32, u32)> = of.map(|(r, &kind)| (r.1, kind)).collect();
            let Some(last) = of.iter().map(|r| r.0).max() else { continue };
            let engaged = found.customers[n];
            n += 1;
            let from = 70 - window as i32 + 1;
            let within: Vec<_> = of.iter().filter(|r| r.0 >= from).collect();
            let days: BTreeSet<i32> = within.iter().map(|r| r.0).collect();
            let kinds: BTreeSet<u32> = within.iter().map(|r| r.1).collect();
            prop_assert_eq!(engaged.customer, customer);
            prop_assert_eq!(engaged.active_days as usize, days.len());
            prop_assert_eq!(engaged.kinds as usize, kinds.len());
            prop_assert_eq!(engaged.days_since_last as i32, 70 - last);
            for part in [engaged.frequency, engaged.breadth, engaged.recency, engaged.score] {
                prop_assert!((0.0..=1.0).contains(&part));
            }
            let recency = 1.0 - f64::from(70 - last) / f64::from(window);
            prop_assert!((engaged.recency - recency.max(0.0)).abs() < 1e-14);
            let sum = engaged.frequency + 2.0 * engaged.breadth + 0.5 * engaged.recency;
            prop_assert!((engaged.score - sum / 3.5).abs() < 1e-14);
        }
        prop_assert_eq!(found.customers.len(), n);
    }
}
