//! What a customer did lately: in windows that end with a day, and with weights that fade.

use super::daily::Daily;

/// Purchases, money in minor units and days with purchases in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Window {
    pub(super) purchases: u64,
    pub(super) money: i128,
    pub(super) active_days: u64,
}

/// The last `len` days up to `as_of`, which is one of them: ages from 0 up to `len`, and
/// not `len` itself.
pub(super) fn window(days: &[Daily], as_of: i32, len: u32) -> Window {
    let age = |day: &Daily| i64::from(as_of) - i64::from(day.day);
    let from = days.partition_point(|day| age(day) >= len.into());
    days[from..].iter().fold(Window::default(), |sum, day| Window {
        purchases: sum.purchases + day.purchases,
        money: sum.money + day.money,
        active_days: sum.active_days + u64::from(day.bought),
    })
}

/// Purchases and money in minor units, each weighted with `2^(−age / half_life)`. Days are
/// added up from the first to the last, whatever the order of their rows.
pub(super) fn decayed(days: &[Daily], as_of: i32, half_life: u32) -> (f64, f64) {
    days.iter().fold((0.0, 0.0), |(purchases, money), day| {
        let age = f64::from(as_of) - f64::from(day.day);
        let weight = (-age / f64::from(half_life)).exp2();
        (purchases + weight * day.purchases as f64, money + weight * day.money as f64)
    })
}
