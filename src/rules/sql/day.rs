//! Dates against today, and the days of instants.

use std::ops::Range;

use super::dialect::{Dialect, first_day, timestamp};
use super::expression::Sql;
use super::layout::TimeForm;
use super::write::Writer;
use crate::data::{DAY, Date, Timestamp};
use crate::rules::ast::LeapDay;
use crate::rules::day::DayCheck;
use crate::rules::leaf::NumberCheck;

impl Writer<'_> {
    /// A date, by its distance from today.
    pub(super) fn day(&mut self, date: &str, is_text: bool, check: DayCheck) -> Sql {
        let Some(today) = self.today() else { return Sql::constant(false) };
        let days = match check {
            DayCheck::Anniversary(n, leap_day) => {
                let number = self.layout.dialect.month_and_day(date, is_text);
                let parts = returns(today, n, leap_day).into_iter();
                let parts = parts.filter_map(|Return { year, numbers }| {
                    let start = self.date(first_of(year), is_text)?;
                    let before = Sql::test(format!("{date} < {start}"));
                    Some(Sql::all(vec![before, among(&number, &numbers)]))
                });
                return Sql::any(parts.collect());
            }
            check => check.range(today),
        };
        let Some(NumberCheck::Range(from, to)) = days else {
            return Sql::constant(false);
        };
        // No dates lie beyond.
        let to = to.min(f64::from(Date::MAX.days_since_epoch()));
        let from = from.max(first_day() as f64);
        if from > to {
            return Sql::where_there(date, false);
        }
        let ends = (self.date(from, is_text), self.date(to, is_text));
        match ends {
            (Some(from), Some(to)) => {
                Sql::test(format!("{date} BETWEEN {from} AND {to}"))
            }
            _ => Sql::constant(false),
        }
    }

    /// An instant whose day is one of these: since days follow one another, it lies between
    /// the starts of two days, which the zone tells beforehand.
    pub(super) fn instant(&mut self, time: &str, days: &NumberCheck) -> Sql {
        match days {
            NumberCheck::Range(from, to) => self.between_days(time, *from, *to),
            NumberCheck::In(list) => {
                Sql::any(list.iter().map(|&x| self.between_days(time, x, x)).collect())
            }
        }
    }

    fn between_days(&mut self, time: &str, from: f64, to: f64) -> Sql {
        let Some(bound) = self.bound else { return Sql::constant(false) };
        let zone = bound.moment.get_zone();
        let [least, greatest] =
            [Date::MIN, Date::MAX].map(|end| f64::from(end.days_since_epoch()));
        let (from, to) = (from.ceil(), to.floor());
        // No days lie beyond the calendar.
        if from > to || from > greatest || to < least {
            return Sql::where_there(time, false);
        }
        let start = |days: f64| {
            Date::from_days(days as i32).ok().map(|day| zone.start_of(day).as_millis())
        };
        let mut parts = Vec::new();
        if from > least {
            let Some(from) = start(from).and_then(|at| self.time(at)) else {
                return Sql::constant(false);
            };
            parts.push(Sql::test(format!("{time} >= {from}")));
        }
        if to < greatest {
            let Some(to) = start(to + 1.0).and_then(|at| self.time(at)) else {
                return Sql::constant(false);
            };
            parts.push(Sql::test(format!("{time} < {to}")));
        }
        if parts.is_empty() { Sql::where_there(time, true) } else { Sql::all(parts) }
    }

    /// The day of an instant, by its distance from today.
    pub(super) fn day_of_instant(&mut self, time: &str, check: DayCheck) -> Sql {
        let Some(today) = self.today() else { return Sql::constant(false) };
        if let Some(days) = check.range(today) {
            return self.instant(time, &days);
        }
        let DayCheck::Anniversary(n, leap_day) = check else {
            return Sql::constant(false);
        };
        let Some(number) = self.month_and_day(time) else { return Sql::constant(false) };
        let least = f64::from(Date::MIN.days_since_epoch());
        let parts = returns(today, n, leap_day).into_iter();
        let parts = parts.map(|Return { year, numbers }| {
            // Told by the instant: its date may be one that engines cannot write.
            let before = self.between_days(time, least, first_of(year) - 1.0);
            Sql::all(vec![before, among(&number, &numbers)])
        });
        Sql::any(parts.collect())
    }

    /// An instant as a constant.
    pub(super) fn time(&mut self, millis: i64) -> Option<String> {
        let text = match self.layout.times {
            TimeForm::Millis => Some(millis.to_string()),
            TimeForm::Timestamp => timestamp(millis),
        };
        if text.is_none() {
            let message = "the instant cannot be written as a timestamp";
            let found = format!("{millis} ms after 1970");
            self.faults.add("sql-time", message, "years from 0001 to 9999", found);
        }
        text
    }

    /// Something that tells the local days of times in a window apart.
    pub(super) fn day_key(&mut self, time: &str, window: &Range<i64>) -> Option<String> {
        let offset = self.offset()?;
        let time = self.in_calendar(time, window)?;
        let dialect = self.layout.dialect;
        Some(match self.layout.times {
            TimeForm::Millis => dialect.day_number(&time, offset),
            TimeForm::Timestamp => dialect.date_of_timestamp(&time, offset),
        })
    }

    /// Times in a window, those whose local days lie beyond the calendar moved to its first
    /// or last day, as the crate does.
    fn in_calendar(&mut self, time: &str, window: &Range<i64>) -> Option<String> {
        let zone = self.bound?.moment.get_zone();
        let [first, last] =
            [Date::MIN, Date::MAX].map(|day| zone.start_of(day).as_millis());
        let mut time = time.to_owned();
        let events = Timestamp::MIN.as_millis()..Timestamp::MAX.as_millis() + 1;
        // No timestamp says an instant that early.
        let are_early = self.layout.times == TimeForm::Millis;
        if are_early && window.start.max(events.start) < first {
            time = format!("CASE WHEN {time} < {first} THEN {first} ELSE {time} END");
        }
        if window.end.min(events.end) > last + DAY {
            let last = self.time(last)?;
            time = format!("CASE WHEN {time} > {last} THEN {last} ELSE {time} END");
        }
        Some(time)
    }

    /// Month and day of the local date of a time, as a number such as 229. It is of no use
    /// after the calendar's last day, which has no return.
    fn month_and_day(&mut self, time: &str) -> Option<String> {
        let key = self.day_key(time, &(i64::MIN..i64::MIN))?;
        let dialect = self.layout.dialect;
        let (date, is_text) = match self.layout.times {
            TimeForm::Millis => {
                (dialect.like_date_of_number(&key), dialect == Dialect::Sqlite)
            }
            TimeForm::Timestamp => (key, false),
        };
        Some(dialect.month_and_day(&date, is_text))
    }

    fn offset(&mut self) -> Option<i64> {
        let zone = self.bound?.moment.get_zone();
        let offset = zone.fixed_offset();
        if offset.is_none() {
            let message = "the local days of events cannot be computed in SQL";
            let expected = "a zone with a fixed distance from UTC";
            self.faults.add("sql-zone", message, expected, "another zone");
        }
        offset
    }
}

/// The months and days that return in a year.
struct Return {
    year: i32,
    /// Each a number such as 229.
    numbers: Vec<u32>,
}

/// What returns in the next `n` days. Today is a constant, and so are the months and days, by
/// the year in which they return.
fn returns(today: Date, n: i32, leap_day: LeapDay) -> Vec<Return> {
    let mut returns: Vec<Return> = Vec::new();
    for ahead in 0..n {
        let Ok(day) = Date::from_days(today.days_since_epoch() + ahead) else { break };
        let (year, month, of_month) = day.to_ymd();
        if returns.last().is_none_or(|last| last.year != year) {
            returns.push(Return { year, numbers: Vec::new() });
        }
        let number = u32::from(month) * 100 + u32::from(of_month);
        let has_leap_day = Date::from_ymd(year, 2, 29).is_ok();
        let stands_for_leap_day = match leap_day {
            LeapDay::Feb28 => number == 228,
            LeapDay::Mar1 => number == 301,
            LeapDay::Skip => false,
        };
        if let Some(Return { numbers, .. }) = returns.last_mut() {
            numbers.push(number);
            if stands_for_leap_day && !has_leap_day {
                numbers.push(229);
            }
        }
    }
    returns
}

/// The first day of a year of the calendar.
fn first_of(year: i32) -> f64 {
    let day = Date::from_ymd(year, 1, 1);
    day.map_or(f64::MIN, |day| f64::from(day.days_since_epoch()))
}

fn among(number: &str, numbers: &[u32]) -> Sql {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    Sql::test(format!("{number} IN ({})", numbers.join(", ")))
}
