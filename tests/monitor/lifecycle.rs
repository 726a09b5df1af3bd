//! States of customers beside a slow twin, and what their counts add up to.

use proptest::prelude::*;
use segmenta::data::{Date, Weekday};
use segmenta::monitor::LifecycleState::{
    AtRisk, Current, Dormant, New, NotYet, Resurrected,
};
use segmenta::monitor::{Lifecycle, LifecycleOptions, LifecycleState, Period, lifecycle};

use super::cases;

fn date(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

fn states(
    options: LifecycleOptions,
    active: &[i32],
    at: std::ops::Range<i32>,
) -> Vec<LifecycleState> {
    at.map(|at| options.state(active, at).unwrap()).collect()
}

#[test]
fn states_by_hand() {
    let options = LifecycleOptions::new(Period::Month);
    let found = states(options, &[2, 3, 6, 10], 0..14);
    let expected = [
        NotYet,
        NotYet,
        New,
        Current,
        AtRisk,
        AtRisk,
        Current,
        AtRisk,
        AtRisk,
        Dormant,
        Resurrected,
        AtRisk,
        AtRisk,
        Dormant,
    ];
    assert_eq!(found, expected);
    // Two quiet periods are nothing unusual, and five are the end.
    let patient = options.at_risk_after(3).dormant_after(5);
    let found = states(patient, &[1, 8], 0..10);
    let expected = [
        NotYet,
        New,
        Current,
        Current,
        AtRisk,
        AtRisk,
        Dormant,
        Dormant,
        Resurrected,
        Current,
    ];
    assert_eq!(found, expected);
    // Without a state at risk.
    let strict = options.at_risk_after(1).dormant_after(1);
    let found = states(strict, &[0, 1, 3], 0..5);
    assert_eq!(found, [New, Current, Dormant, Resurrected, Dormant]);
    let far = options.state(&[i32::MIN, i32::MAX], i32::MAX).unwrap();
    assert_eq!(far, Resurrected);
}

#[test]
fn counts_by_hand() {
    // Weeks of seven days that begin on day 4, a Monday.
    let week = Period::Week { first: Weekday::Monday };
    let options = LifecycleOptions::new(week).dormant_after(2);
    let customers = [1_u64, 1, 1, 2, 3, 3, 9];
    let days = [4, 5, 11, 12, 4, 26, 40];
    let life = lifecycle(options, &customers, &days, date(4), date(27)).unwrap();
    assert_eq!((life.customers(), life.rows_after()), (3, 1));
    let counts: Vec<[u64; 6]> = life.periods().iter().map(|p| p.counts).collect();
    let expected = [
        [1, 2, 0, 0, 0, 0], // 1 and 3 are new, 2 is to come
        [0, 1, 1, 1, 0, 0], // 2 is new, 1 comes again, 3 does not
        [0, 0, 0, 2, 1, 0], // 3 is dormant
        [0, 0, 0, 0, 2, 1], // 3 is there again
    ];
    assert_eq!(counts, expected);
    let complete: Vec<bool> = life.periods().iter().map(|p| p.complete).collect();
    assert_eq!(complete, [true, true, true, false]);
    let [second, third, fourth] = life.moves() else { panic!() };
    assert_eq!((second.entered(), second.left(), second.returned()), (1, 0, 0));
    assert_eq!((third.entered(), third.left(), third.returned()), (0, 1, 0));
    assert_eq!((fourth.entered(), fourth.left(), fourth.returned()), (0, 2, 1));
    assert_eq!(second.count(New, Current), 1);
    assert_eq!(second.share(New, AtRisk), Some(0.5));
    assert_eq!(second.share(Dormant, Dormant), None);
    assert_eq!((fourth.to, fourth.complete), (date(25), false));
    assert_eq!(life.periods()[3].count(Resurrected), 1);
    // Later, the first weeks are history: nobody is new who came before.
    let later = lifecycle(options, &customers, &days, date(18), date(27)).unwrap();
    assert_eq!(later.periods(), &life.periods()[2..]);
    assert_eq!(later.moves(), &life.moves()[2..]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let month = LifecycleOptions::new(Period::Month);
    let of = |options, days: &[i32], from, until| {
        lifecycle(options, &[1_u64, 2], days, from, until).unwrap_err().to_string()
    };
    let (from, until) = (date(0), date(100));
    assert!(of(month.at_risk_after(0), &[1, 2], from, until).contains("at_risk_after"));
    let crossed = month.at_risk_after(4).dormant_after(3);
    assert!(of(crossed, &[1, 2], from, until).contains("dormant_after"));
    assert!(crossed.state(&[1], 2).is_err());
    assert!(of(month, &[1], from, until).contains("`days` has length 1"));
    assert!(of(month, &[1, i32::MAX], from, until).contains("row 1"));
    assert!(of(month, &[1, 2], until, from).contains("`until`"));
    let week = LifecycleOptions::new(Period::Week { first: Weekday::Monday });
    assert!(of(week, &[1, 2], Date::MIN, Date::MAX).contains("at most 100000"));
    let error = month.state(&[3, 3], 5).unwrap_err().to_string();
    assert!(error.contains("3 before 3"), "{error}");
    let nobody = lifecycle::<u64>(month, &[], &[], from, until).unwrap();
    assert_eq!((nobody.customers(), nobody.periods().len()), (0, 4));
    let never = month.at_risk_after(u32::MAX).dormant_after(u32::MAX);
    let life = lifecycle(never, &[1_u64], &[1], from, until).unwrap();
    assert_eq!(life.periods()[3].count(Current), 1);
}

#[test]
fn saved_tables_are_checked() {
    let options = LifecycleOptions::new(Period::Month);
    let life =
        lifecycle(options, &[1_u64, 2, 2], &[1, 40, 99], date(0), date(140)).unwrap();
    let text = serde_json::to_string(&life).unwrap();
    assert_eq!(serde_json::from_str::<Lifecycle>(&text).unwrap(), life);
    for (from, to) in [
        (r#""customers":2"#, r#""customers":3"#),
        (r#""counts":[1,1,0,0,0,0]"#, r#""counts":[0,2,0,0,0,0]"#),
        (r#""counts":[1,1,0,0,0,0]"#, r#""counts":[18446744073709551615,3,0,0,0,0]"#),
        (r#""counts":[[0,1,0"#, r#""counts":[[1,0,0"#),
        (r#""at_risk_after":1"#, r#""at_risk_after":0"#),
        (r#""start":"1970-02-01""#, r#""start":"1970-02-02""#),
        (r#""complete":true"#, r#""complete":false"#),
        (r#""to":"1970-02-01""#, r#""to":"1970-03-01""#),
        (r#""observed_until":"1970-05-21""#, r#""observed_until":"1970-06-21""#),
    ] {
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from}");
        assert!(serde_json::from_str::<Lifecycle>(&altered).is_err(), "{from} as {to}");
    }
    let mut empty: serde_json::Value = serde_json::from_str(&text).unwrap();
    empty["periods"] = serde_json::json!([]);
    empty["moves"] = serde_json::json!([]);
    assert!(serde_json::from_value::<Lifecycle>(empty).is_err());
    let mut life = life;
    let before = life.clone();
    let other = lifecycle(options, &[1_u64], &[1], date(0), date(141)).unwrap();
    assert!(life.merge(&other).unwrap_err().is_parameter());
    assert_eq!(life, before);
}

type Rows = Vec<(u64, i32)>;

fn rows() -> impl Strategy<Value = Rows> {
    prop::collection::vec((0..6_u64, 0..200_i32), 0..50)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn counts_are_those_of_each_customer(
        rows in rows(),
        thresholds in (1..4_u32, 0..4_u32),
        ends in (0..200_i32, 0..120_i32),
        weekly: bool,
    ) {
        let period = if weekly { Period::Week { first: Weekday::Sunday } } else { Period::Month };
        let options = LifecycleOptions::new(period)
            .at_risk_after(thresholds.0)
            .dormant_after(thresholds.0 + thresholds.1);
        let (from, until) = (ends.0, ends.0 + ends.1);
        let (customers, days): (Vec<u64>, Vec<i32>) = rows.iter().copied().unzip();
        let life = lifecycle(options, &customers, &days, date(from), date(until)).unwrap();

        let [first, last] = [from, until].map(|day| period.index(date(day)));
        let mut expected = vec![[0; 6]; (last - first + 1) as usize];
        let mut moves = vec![[[0; 6]; 6]; expected.len() - 1];
        let mut n = 0;
        for customer in 0..6 {
            let seen = rows.iter().filter(|row| row.0 == customer && row.1 <= until);
            let mut active: Vec<i32> = seen.map(|row| period.index(date(row.1))).collect();
            active.sort_unstable();
            active.dedup();
            if active.is_empty() {
                continue;
            }
            n += 1;
            let states = states(options, &active, first..last + 1);
            for (counts, &state) in expected.iter_mut().zip(&states) {
                counts[state as usize] += 1;
            }
            for (counts, pair) in moves.iter_mut().zip(states.windows(2)) {
                counts[pair[0] as usize][pair[1] as usize] += 1;
            }
        }
        prop_assert_eq!(life.customers(), n);
        prop_assert_eq!(life.periods().iter().map(|p| p.counts).collect::<Vec<_>>(), expected);
        prop_assert_eq!(life.moves().iter().map(|m| m.counts).collect::<Vec<_>>(), moves);
        for (moves, pair) in life.moves().iter().zip(life.periods().windows(2)) {
            for state in LifecycleState::ALL {
                let to = |other| moves.count(state, other);
                let from = |other| moves.count(other, state);
                let row: u64 = LifecycleState::ALL.map(to).iter().sum();
                let column: u64 = LifecycleState::ALL.map(from).iter().sum();
                prop_assert_eq!(row, pair[0].count(state));
                prop_assert_eq!(column, pair[1].count(state));
            }
            // What is not dormant grows by those who come and shrinks by those who leave.
            let alive = |at: usize| n - pair[at].count(Dormant) - pair[at].count(NotYet);
            prop_assert_eq!(
                alive(1) + moves.left(),
                alive(0) + moves.entered() + moves.returned()
            );
        }
        let period_end = |at: i32| period.start(at + 1).days_since_epoch() - 1;
        for (period, at) in life.periods().iter().zip(first..) {
            let over = until >= period_end(at);
            prop_assert_eq!(period.complete, over);
            prop_assert_eq!(period.counts.iter().sum::<u64>(), n);
        }
    }

    #[test]
    fn order_and_parts_leave_no_trace(rows in rows(), turn in 0..50_usize) {
        let options = LifecycleOptions::new(Period::Month).dormant_after(2);
        let of = |rows: &[(u64, i32)]| {
            let (customers, days): (Vec<u64>, Vec<i32>) = rows.iter().copied().unzip();
            lifecycle(options, &customers, &days, date(20), date(170)).unwrap()
        };
        let whole = of(&rows);
        let mut turned = rows.clone();
        turned.rotate_left(turn.min(rows.len()));
        prop_assert_eq!(&of(&turned), &whole);
        let (one, two): (Rows, Rows) =
            rows.iter().partition(|row| row.0 % 2 == 0);
        let mut merged = of(&one);
        merged.merge(&of(&two)).unwrap();
        prop_assert_eq!(&merged, &whole);
        let text = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Lifecycle>(&text).unwrap(), &whole);
    }
}
