//! In how many days customers come, of those in which they could.

use serde::{Deserialize, Serialize};

use super::active::WINDOWS;
use crate::data::Date;
use crate::error::{Error, Result};
use crate::monitor::activity::{Activity, gather_customers};

const DAYS: usize = WINDOWS[2] as usize;
const WEEK: usize = WINDOWS[1] as usize;

/// How sticky a base is on a day, made by [`stickiness`].
///
/// All ratios follow from counts, so that figures of different customers
/// [`merge`](Stickiness::merge) exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Stickiness {
    as_of: Date,
    active_days: Vec<u64>,
    weekly_active_days: Vec<u64>,
}

/// What is read of saved figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    as_of: Date,
    active_days: Vec<u64>,
    weekly_active_days: Vec<u64>,
}

impl TryFrom<Saved> for Stickiness {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Stickiness> {
        let Saved { as_of, active_days, weekly_active_days } = saved;
        let total =
            |counts: &[u64]| counts.iter().try_fold(0_u64, |a, &b| a.checked_add(b));
        let holds = active_days.len() == DAYS + 1
            && weekly_active_days.len() == WEEK + 1
            && total(&active_days).is_some()
            && total(&active_days) == total(&weekly_active_days)
            && weekly_active_days[0] >= active_days[0];
        if !holds {
            return Err(Error::corrupt("stickiness", "its counts do not fit together"));
        }
        Ok(Stickiness { as_of, active_days, weekly_active_days })
    }
}

impl Stickiness {
    /// The last day of the windows.
    #[must_use]
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// L28: how many customers were active on 0, 1, …, 28 of the 28 days that end with
    /// [`as_of`](Stickiness::as_of). Those with 0 were active before.
    #[must_use]
    pub fn active_days(&self) -> &[u64] {
        &self.active_days
    }

    /// L7: the same for 0 to 7 of the last 7 days.
    #[must_use]
    pub fn weekly_active_days(&self) -> &[u64] {
        &self.weekly_active_days
    }

    /// All customers who were active up to the day.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.active_days.iter().sum()
    }

    /// Customers who were active in the 28 days (MAU).
    #[must_use]
    pub fn monthly(&self) -> u64 {
        self.customers() - self.active_days[0]
    }

    /// Customers who were active in the last 7 days (WAU).
    #[must_use]
    pub fn weekly(&self) -> u64 {
        self.customers() - self.weekly_active_days[0]
    }

    /// Stickiness: the mean DAU of the 28 days / MAU, 0 to 1. It is the mean of L28 / 28
    /// among the active. `None` without anybody in 28 days.
    #[must_use]
    pub fn dau_over_mau(&self) -> Option<f64> {
        ratio(&self.active_days, self.monthly())
    }

    /// The mean DAU of the last 7 days / WAU, 0 to 1. `None` without anybody in 7 days.
    #[must_use]
    pub fn dau_over_wau(&self) -> Option<f64> {
        ratio(&self.weekly_active_days, self.weekly())
    }

    /// Adds the figures of other customers on the same day.
    ///
    /// # Errors
    /// When the days differ, or there would be 2⁶⁴ customers or more; then nothing changes.
    pub fn merge(&mut self, other: &Stickiness) -> Result<()> {
        if self.as_of != other.as_of {
            let (expected, found) = (self.as_of.to_string(), other.as_of);
            return Err(Error::parameter(
                "`as_of` of the other figures",
                expected,
                found,
            ));
        }
        if self.customers().checked_add(other.customers()).is_none() {
            return Err(Error::parameter("customers", "below 2^64 in all", "more"));
        }
        let days = self.active_days.iter_mut().zip(&other.active_days);
        let weekly = self.weekly_active_days.iter_mut().zip(&other.weekly_active_days);
        for (count, more) in days.chain(weekly) {
            *count += more;
        }
        Ok(())
    }
}

/// Days of activity of a customer who was active at all, by the days of the window.
fn ratio(by_days: &[u64], active: u64) -> Option<f64> {
    let days = by_days.iter().zip(0_u128..).map(|(&n, days)| u128::from(n) * days);
    let all = u128::from(active) * (by_days.len() as u128 - 1);
    (active > 0).then(|| days.sum::<u128>() as f64 / all as f64)
}

/// How often customers were active in the 28 days that end with `as_of`.
///
/// A row is a customer and a day (counted from 1970-01-01) with activity, in any order; rows
/// after `as_of` are left out. Customers are all who were ever active, so pass their past,
/// too, if those who stayed away are to count.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::monitor::stickiness;
///
/// // One customer comes every other day, one came once, one is long gone.
/// let mut customers = vec![1_u64; 14];
/// let mut days: Vec<i32> = (0..14).map(|i| 102 + 2 * i).collect();
/// customers.extend([2, 3]);
/// days.extend([120, 7]);
/// let sticky = stickiness(&customers, &days, Date::from_days(128)?)?;
///
/// assert_eq!((sticky.customers(), sticky.monthly(), sticky.weekly()), (3, 2, 1));
/// assert_eq!((sticky.active_days()[14], sticky.active_days()[0]), (1, 1));
/// assert_eq!(sticky.dau_over_mau(), Some(15.0 / 56.0));
/// # Ok::<(), segmenta::Error>(())
/// ```
///
/// # Errors
/// When the slices differ in length, or a day lies outside the calendar (the error names the
/// row).
pub fn stickiness<K: Copy + Into<u64>>(
    customers: &[K],
    days: &[i32],
    as_of: Date,
) -> Result<Stickiness> {
    let Activity { mut rows, .. } = Activity::read(customers, days, as_of)?;
    rows.dedup();
    let last = as_of.days_since_epoch();
    let (active_days, weekly_active_days) = gather_customers(
        &rows,
        |row| row.customer,
        || (vec![0; DAYS + 1], vec![0; WEEK + 1]),
        |(days, weekly), rows| {
            let within = |n: usize| {
                // Days ascend and differ.
                rows.len() - rows.partition_point(|row| row.day <= last - n as i32)
            };
            days[within(DAYS)] += 1;
            weekly[within(WEEK)] += 1;
        },
        |mut a, b| {
            let days = a.0.iter_mut().zip(&b.0);
            for (count, more) in days.chain(a.1.iter_mut().zip(&b.1)) {
                *count += more;
            }
            a
        },
    );
    Ok(Stickiness { as_of, active_days, weekly_active_days })
}
