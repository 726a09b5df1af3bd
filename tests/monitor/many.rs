//! More rows than one block has, so that threads share them out.

use segmenta::data::{Date, Weekday};
use segmenta::monitor::{
    ActiveDay, LifecycleOptions, Period, active_customers, lifecycle, stickiness,
};

fn date(days: i32) -> Date {
    Date::from_days(days).unwrap()
}

/// Rows of 20,000 customers; those of one part of three where it is named.
fn rows(part: Option<u64>) -> (Vec<u64>, Vec<i32>) {
    let noise = |i: u64| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let all =
        (0..180_000_u64).map(|i| (noise(noise(i)) % 20_000, (noise(i + 7) % 400) as i32));
    all.filter(|row| part.is_none_or(|part| row.0 % 3 == part)).unzip()
}

#[test]
fn parts_within_a_block_make_the_whole() {
    let (customers, days) = rows(None);
    let options =
        LifecycleOptions::new(Period::Week { first: Weekday::Monday }).dormant_after(6);
    let (from, until) = (date(100), date(399));
    let life = lifecycle(options, &customers, &days, from, until).unwrap();
    let sticky = stickiness(&customers, &days, until).unwrap();
    let active = active_customers(&customers, &days, from, until).unwrap();

    let parts = [0, 1, 2].map(|part| {
        let (customers, days) = rows(Some(part));
        assert!(customers.len() < 1 << 16);
        (
            lifecycle(options, &customers, &days, from, until).unwrap(),
            stickiness(&customers, &days, until).unwrap(),
            active_customers(&customers, &days, from, until).unwrap(),
        )
    });
    let [(mut life_of_parts, mut sticky_of_parts, mut active_of_parts), more @ ..] =
        parts;
    for (life, sticky, active) in &more {
        life_of_parts.merge(life).unwrap();
        sticky_of_parts.merge(sticky).unwrap();
        for (day, more) in active_of_parts.iter_mut().zip(active) {
            let ActiveDay { daily, weekly, monthly, .. } = *more;
            day.daily += daily;
            day.weekly += weekly;
            day.monthly += monthly;
        }
    }
    assert_eq!(life_of_parts, life);
    assert_eq!(sticky_of_parts, sticky);
    assert_eq!(active_of_parts, active);
    assert!(life.customers() > 15_000 && sticky.monthly() > 5_000);
}

#[cfg(feature = "rayon")]
#[test]
fn threads_leave_no_trace() {
    let (customers, days) = rows(None);
    let options = LifecycleOptions::new(Period::Month);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            (
                lifecycle(options, &customers, &days, date(0), date(399)).unwrap(),
                stickiness(&customers, &days, date(380)).unwrap(),
                active_customers(&customers, &days, date(20), date(390)).unwrap(),
            )
        })
    };
    let one = on(1);
    assert_eq!(on(2), one);
    assert_eq!(on(7), one);
}
