//! Weeks, months, quarters and years as numbers.

use serde::{Deserialize, Serialize};

use crate::data::{Date, Weekday};

/// A stretch of the calendar by which customers are watched.
///
/// ```
/// use segmenta::data::{Date, Weekday};
/// use segmenta::monitor::Period;
///
/// let day = Date::from_ymd(2024, 5, 31)?; // a Friday
/// let of = |period: Period| period.start(period.index(day)).to_string();
/// assert_eq!(of(Period::Week { first: Weekday::Monday }), "2024-05-27");
/// assert_eq!(of(Period::Week { first: Weekday::Sunday }), "2024-05-26");
/// assert_eq!(of(Period::Quarter), "2024-04-01");
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Period {
    /// Seven days.
    Week {
        /// The weekday on which weeks begin.
        first: Weekday,
    },
    /// A month of the calendar.
    Month,
    /// January to March, and so on.
    Quarter,
    /// A year of the calendar.
    Year,
}

impl Period {
    /// The number of the period that holds a day: the next period has the next number.
    #[must_use]
    pub fn index(self, day: Date) -> i32 {
        match self {
            Period::Week { first } => {
                // The epoch is a Thursday, three days after a Monday.
                (day.days_since_epoch() + 3 - first as i32).div_euclid(7)
            }
            Period::Month => {
                let (year, month, _) = day.to_ymd();
                year * 12 + i32::from(month) - 1
            }
            Period::Quarter => {
                let (year, month, _) = day.to_ymd();
                year * 4 + (i32::from(month) - 1) / 3
            }
            Period::Year => day.to_ymd().0,
        }
    }

    /// The first day of a period; an end of the calendar where it lies beyond.
    #[must_use]
    pub fn start(self, index: i32) -> Date {
        let months = match self {
            Period::Week { first } => {
                let days = i64::from(index) * 7 - 3 + first as i64;
                let ends =
                    [Date::MIN, Date::MAX].map(|d| i64::from(d.days_since_epoch()));
                return Date::of_checked(days.clamp(ends[0], ends[1]) as i32);
            }
            Period::Month => 1,
            Period::Quarter => 3,
            Period::Year => 12,
        };
        let month = i64::from(index) * months;
        let year = month.div_euclid(12) as i32;
        let beyond = if index < 0 { Date::MIN } else { Date::MAX };
        Date::from_ymd(year, month.rem_euclid(12) as u8 + 1, 1).unwrap_or(beyond)
    }

    /// True when the last day of a period is not after `until`.
    pub(super) fn is_over(self, index: i32, until: Date) -> bool {
        // After the last day of the calendar there is no next one.
        until.checked_add_days(1).is_none_or(|next| self.index(next) > index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Period; 6] = [
        Period::Week { first: Weekday::Monday },
        Period::Week { first: Weekday::Thursday },
        Period::Week { first: Weekday::Sunday },
        Period::Month,
        Period::Quarter,
        Period::Year,
    ];

    #[test]
    fn periods_hold_their_days_and_follow_one_another() {
        for period in ALL {
            assert_eq!(period.start(period.index(Date::MIN)), Date::MIN);
            for days in (-900_000..900_000).step_by(1_499).chain(-800..800) {
                let day = Date::from_days(days).unwrap();
                let at = period.index(day);
                assert!(period.start(at) <= day && day < period.start(at + 1));
                assert_eq!(period.index(period.start(at)), at);
                if let Period::Week { first } = period {
                    assert_eq!(Weekday::of(period.start(at)), first);
                }
                let last = period.start(at + 1).checked_add_days(-1).unwrap();
                assert!(period.is_over(at, last) && period.is_over(at - 1, last));
                assert_eq!(period.is_over(at, day), day == last);
            }
            let end = period.index(Date::MAX);
            assert!(period.is_over(end, Date::MAX));
            let eve = Date::MAX.checked_add_days(-1).unwrap();
            assert!(!period.is_over(end, eve));
            assert_eq!(period.start(end + 1), Date::MAX);
            assert_eq!(period.start(i32::MAX), Date::MAX);
            assert_eq!(period.start(i32::MIN), Date::MIN);
        }
    }
}
