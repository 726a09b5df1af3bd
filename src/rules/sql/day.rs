//! Dates against today, and the days of instants.

use super::dialect::{Dialect, first_day, timestamp};
use super::expression::Sql;
use super::layout::TimeForm;
use super::write::Writer;
use crate::data::Date;
use crate::rules::ast::LeapDay;
use crate::rules::day::DayCheck;
use crate::rules::leaf::NumberCheck;

impl Writer<'_> {
    /// A date, by its distance from today.
    pub(super) fn day(&mut self, date: &str, is_text: bool, check: DayCheck) -> Sql {
        let Some(today) = self.today() else { return Sql::constant(false) };
        let days = match check {
            DayCheck::Anniversary(n, leap_day) => {
                return self.anniversary(date, is_text, today, n, leap_day);
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

    /// A yearly return of a date in the next days. Today is a constant, and so are the
    /// months and days that return, by the year in which they do.
    fn anniversary(
        &mut self,
        date: &str,
        is_text: bool,
        today: Date,
        n: i32,
        leap_day: LeapDay,
    ) -> Sql {
        let mut years: Vec<(i32, Vec<String>)> = Vec::new();
        for ahead in 0..n {
            let Ok(day) = Date::from_days(today.days_since_epoch() + ahead) else {
                break;
            };
            let (year, month, of_month) = day.to_ymd();
            if years.last().is_none_or(|(last, _)| *last != year) {
                years.push((year, Vec::new()));
            }
            let number = u32::from(month) * 100 + u32::from(of_month);
            let has_leap_day = Date::from_ymd(year, 2, 29).is_ok();
            let stands_for_leap_day = match leap_day {
                LeapDay::Feb28 => number == 228,
                LeapDay::Mar1 => number == 301,
                LeapDay::Skip => false,
            };
            if let Some((_, numbers)) = years.last_mut() {
                numbers.push(number.to_string());
                if stands_for_leap_day && !has_leap_day {
                    numbers.push("229".to_owned());
                }
            }
        }
        let number = self.layout.dialect.month_and_day(date, is_text);
        let mut parts = Vec::new();
        for (year, numbers) in years {
            let start = Date::from_ymd(year, 1, 1);
            let start = start.map_or(f64::MIN, |day| f64::from(day.days_since_epoch()));
            let Some(start) = self.date(start, is_text) else { continue };
            parts.push(Sql::all(vec![
                Sql::test(format!("{date} < {start}")),
                Sql::test(format!("{number} IN ({})", numbers.join(", "))),
            ]));
        }
        Sql::any(parts)
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
        match self.date_of(time) {
            Some((date, is_text)) => self.day(&date, is_text, check),
            None => Sql::constant(false),
        }
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

    /// Something that tells the local days of times apart.
    pub(super) fn day_key(&mut self, time: &str) -> Option<String> {
        let offset = self.offset()?;
        let dialect = self.layout.dialect;
        Some(match self.layout.times {
            TimeForm::Millis => dialect.day_number(time, offset),
            TimeForm::Timestamp => dialect.date_of_timestamp(time, offset),
        })
    }

    /// The local date of a time, and whether it is a text.
    fn date_of(&mut self, time: &str) -> Option<(String, bool)> {
        let key = self.day_key(time)?;
        let dialect = self.layout.dialect;
        Some(match self.layout.times {
            TimeForm::Millis => {
                (dialect.date_of_number(&key), dialect == Dialect::Sqlite)
            }
            TimeForm::Timestamp => (key, false),
        })
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
