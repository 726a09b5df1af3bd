//! Tests of a date by its distance from today.

use super::ast::LeapDay;
use super::leaf::NumberCheck;
use crate::data::{Date, Moment};

/// A date, and how many days from today on it may be, today included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayCheck {
    /// In the last days.
    Last(i32),
    /// In the next days.
    Next(i32),
    /// An anniversary of it in the next days.
    Anniversary(i32, LeapDay),
}

/// The day so many days later; the end of the calendar where that lies before it.
fn later(day: Date, days: i32) -> Date {
    let ends = [Date::MIN, Date::MAX].map(Date::days_since_epoch);
    let days = day.days_since_epoch().saturating_add(days);
    Date::of_checked(days.clamp(ends[0], ends[1]))
}

/// The anniversary of a day in a later year, if that year has one.
fn anniversary(of: Date, year: i32, leap_day: LeapDay) -> Option<Date> {
    let (first, month, day) = of.to_ymd();
    if year <= first {
        return None;
    }
    let exact = Date::from_ymd(year, month, day).ok();
    exact.or_else(|| match leap_day {
        LeapDay::Feb28 => Date::from_ymd(year, 2, 28).ok(),
        LeapDay::Mar1 => Date::from_ymd(year, 3, 1).ok(),
        LeapDay::Skip => None,
    })
}

impl DayCheck {
    pub(super) fn accepts(self, date: Date, today: Date) -> bool {
        match self {
            DayCheck::Last(n) => (0..n).contains(&date.days_until(today)),
            DayCheck::Next(n) => (0..n).contains(&today.days_until(date)),
            DayCheck::Anniversary(n, leap_day) => {
                let (year, ..) = today.to_ymd();
                [year, year + 1].into_iter().any(|year| {
                    anniversary(date, year, leap_day)
                        .is_some_and(|day| (0..n).contains(&today.days_until(day)))
                })
            }
        }
    }

    /// The days since the epoch that are accepted, where that is one range.
    pub(super) fn range(self, today: Date) -> Option<NumberCheck> {
        let today = today.days_since_epoch();
        let range = |from: i32, to: i32| Some(NumberCheck::Range(from.into(), to.into()));
        match self {
            DayCheck::Last(n) => range(today - n + 1, today),
            DayCheck::Next(n) => range(today, today + n - 1),
            DayCheck::Anniversary(..) => None,
        }
    }

    /// The next instant at which the answer for a date may change.
    pub(super) fn next_change(self, date: Date, moment: &Moment) -> Option<i64> {
        let now = moment.now().as_millis();
        let start = |day: Date| moment.get_zone().start_of(day).as_millis();
        // From the first day on, and up to the second.
        let ends = |from: Date, to: Date| [start(from), start(to)];
        let mut instants = Vec::new();
        match self {
            DayCheck::Last(n) => instants.extend(ends(date, later(date, n))),
            DayCheck::Next(n) => {
                instants.extend(ends(later(date, 1 - n), later(date, 1)));
            }
            DayCheck::Anniversary(n, leap_day) => {
                // From this year on, or from the first anniversary of a day ahead. Leap
                // years are at most eight years apart.
                let [(year, ..), (first, ..)] = [moment.today(), date].map(Date::to_ymd);
                let year = year.max(first + 1) - 1;
                for year in year..=year + 10 {
                    if let Some(day) = anniversary(date, year, leap_day) {
                        instants.extend(ends(later(day, 1 - n), later(day, 1)));
                    }
                }
            }
        }
        instants.into_iter().filter(|&at| at > now).min()
    }
}
