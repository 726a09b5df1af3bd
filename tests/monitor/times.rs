//! Days from the first purchase to a later one.

use proptest::prelude::*;
use segmenta::data::Date;
use segmenta::history::Occasion;
use segmenta::monitor::times_to_nth_purchase;

use super::cases;

fn date(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

#[test]
fn by_hand() {
    let customers = [5_u64, 5, 5, 9, 5, 9, 1];
    let days = [30, 10, 10, 70, 31, 99, 60];
    let times = |n, occasion| {
        times_to_nth_purchase(&customers, &days, n, occasion, date(80)).unwrap()
    };
    let second = times(2, Occasion::Days);
    assert_eq!(second.customers, [1, 5, 9]);
    assert_eq!(second.durations, [20.0, 20.0, 10.0]);
    assert_eq!(second.observed, [false, true, false]);
    assert_eq!(second.rows_after, 1);
    let rows = times(2, Occasion::Rows);
    assert_eq!((rows.durations[1], rows.observed[1]), (0.0, true));
    let third = times(3, Occasion::Days);
    assert_eq!((third.durations[1], third.observed[1]), (21.0, true));
    let fourth = times(4, Occasion::Days);
    assert_eq!((fourth.durations[1], fourth.observed[1]), (70.0, false));
    // Whoever first bought on the last day was watched for no time at all.
    let late =
        times_to_nth_purchase(&[1_u32], &[80], 2, Occasion::Days, date(80)).unwrap();
    assert_eq!((late.durations[0], late.observed[0]), (0.0, false));
    assert_eq!(second.survival().unwrap().events(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of = |n, occasion, days: &[i32]| {
        times_to_nth_purchase(&[1_u64, 2], days, n, occasion, date(80))
            .unwrap_err()
            .to_string()
    };
    for n in [0, 1] {
        assert!(of(n, Occasion::Days, &[1, 2]).contains("`n` must be at least 2"));
    }
    assert!(of(2, Occasion::Orders, &[1, 2]).contains("occasion"));
    assert!(of(2, Occasion::Days, &[1]).contains("`days` has length 1"));
    assert!(of(2, Occasion::Days, &[1, i32::MIN]).contains("row 1"));
    let none =
        times_to_nth_purchase::<u64>(&[], &[], 2, Occasion::Days, date(80)).unwrap();
    assert!(none.customers.is_empty());
    assert!(none.survival().is_err());
    let huge =
        times_to_nth_purchase(&[1_u64], &[1], usize::MAX, Occasion::Days, date(80));
    assert_eq!(huge.unwrap().observed, [false]);
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn times_are_those_of_the_definitions(
        rows in prop::collection::vec((0..5_u64, 0..60_i32), 0..40), n in 2..5_usize, by_day: bool,
    ) {
        let (customers, days): (Vec<u64>, Vec<i32>) = rows.iter().copied().unzip();
        let occasion = if by_day { Occasion::Days } else { Occasion::Rows };
        let times = times_to_nth_purchase(&customers, &days, n, occasion, date(50)).unwrap();
        let mut at = 0;
        for customer in 0..5 {
            let of = |&&(c, day): &&(u64, i32)| c == customer && day <= 50;
            let mut days: Vec<i32> = rows.iter().filter(of).map(|row| row.1).collect();
            days.sort_unstable();
            if by_day {
                days.dedup();
            }
            let Some(first) = days.first() else { continue };
            let end = days.get(n - 1).copied().unwrap_or(50);
            prop_assert_eq!(times.customers[at], customer);
            prop_assert_eq!(times.durations[at], f64::from(end - first));
            prop_assert_eq!(times.observed[at], days.len() >= n);
            at += 1;
        }
        prop_assert_eq!(times.customers.len(), at);
        let after = rows.iter().filter(|row| row.1 > 50).count();
        prop_assert_eq!(times.rows_after, after as u64);
    }
}
