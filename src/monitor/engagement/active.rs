//! Active customers day by day: DAU, WAU, MAU.

use serde::{Deserialize, Serialize};

use crate::data::Date;
use crate::error::{Error, Result};
use crate::monitor::activity::{Active, Activity, gather_customers};

/// Days of the windows: a day, a week, four weeks, so that each weekday is in them equally
/// often.
pub(super) const WINDOWS: [i64; 3] = [1, 7, 28];

/// How many customers were active in the days that end with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ActiveDay {
    /// The last day of the windows.
    pub day: Date,
    /// Customers who were active on it (DAU).
    pub daily: u64,
    /// Customers who were active in the 7 days that end with it (WAU).
    pub weekly: u64,
    /// Customers who were active in the 28 days that end with it (MAU).
    pub monthly: u64,
}

impl ActiveDay {
    /// DAU / MAU of this day, 0 to 1; `None` without anybody in 28 days. It swings with the
    /// weekday; the mean of 28 days is [`Stickiness::dau_over_mau`](super::Stickiness).
    #[must_use]
    pub fn dau_over_mau(&self) -> Option<f64> {
        (self.monthly > 0).then(|| self.daily as f64 / self.monthly as f64)
    }

    /// DAU / WAU of this day, 0 to 1; `None` without anybody in 7 days.
    #[must_use]
    pub fn dau_over_wau(&self) -> Option<f64> {
        (self.weekly > 0).then(|| self.daily as f64 / self.weekly as f64)
    }
}

/// Active customers of each day from `from` to `until`, each counted once in each window.
///
/// A row is a customer and a day (counted from 1970-01-01) with activity, in any order. Rows
/// before `from` are needed, too: they are in the windows of its first days. Rows after
/// `until` are in none. Counts of different customers add up. Takes O(n log n), whatever the number of days.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::monitor::active_customers;
///
/// let days = active_customers(&[1_u64, 2, 1], &[10, 10, 13], Date::from_days(10)?,
///     Date::from_days(20)?)?;
/// assert_eq!((days[0].daily, days[3].daily, days[3].weekly), (2, 1, 2));
/// assert_eq!((days[7].weekly, days[10].monthly), (1, 2)); // customer 2 left the week
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the slices differ in length, a day lies outside the calendar (the error names the
/// row), or `until` lies before `from`.
pub fn active_customers<K: Copy + Into<u64>>(
    customers: &[K],
    days: &[i32],
    from: Date,
    until: Date,
) -> Result<Vec<ActiveDay>> {
    if until < from {
        return Err(Error::parameter("until", format!("{from} or later"), until));
    }
    let Activity { rows, .. } = Activity::read(customers, days, until)?;
    let first = i64::from(from.days_since_epoch());
    let n_days = from.days_until(until) as usize + 1;
    // By how much the counts change with each day.
    let deltas = gather_customers(
        &rows,
        |row| row.customer,
        || vec![[0_i64; 3]; n_days + 1],
        |deltas, rows| add(deltas, rows, first, n_days as i64),
        |mut a, b| {
            for (a, b) in a.iter_mut().flatten().zip(b.into_iter().flatten()) {
                *a += b;
            }
            a
        },
    );
    let mut counts = [0_i64; 3];
    let days = deltas[..n_days].iter().zip(from.days_since_epoch()..);
    Ok(days
        .map(|(deltas, day)| {
            for (count, delta) in counts.iter_mut().zip(deltas) {
                *count += delta;
            }
            // Never below 0: whoever leaves a window was in it.
            let [daily, weekly, monthly] = counts.map(|count| count as u64);
            ActiveDay { day: Date::of_checked(day), daily, weekly, monthly }
        })
        .collect())
}

/// Adds the days of a customer: each active day holds for as many days as the window has, or
/// until the next one, which holds from then on.
fn add(deltas: &mut [[i64; 3]], rows: &[Active], first: i64, n_days: i64) {
    for (at, row) in rows.iter().enumerate() {
        let day = i64::from(row.day) - first;
        let next = rows.get(at + 1).map_or(n_days, |next| i64::from(next.day) - first);
        for (window, length) in WINDOWS.into_iter().enumerate() {
            let start = day.max(0);
            let end = (day + length).min(next).min(n_days);
            if start < end {
                deltas[start as usize][window] += 1;
                deltas[end as usize][window] -= 1;
            }
        }
    }
}
