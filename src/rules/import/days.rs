//! Days in foreign definitions.

use super::reader::Reader;
use crate::data::{Date, FeatureSpec, Span, Timestamp, Zone};
use crate::rules::ast::{Literal, Rule, Test};

/// A day that a definition speaks of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Day {
    On(Date),
    /// So many days after today; before it where that is negative.
    Today(i32),
}

/// How a value is compared with a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Before,
    UpTo,
    On,
    From,
    After,
}

/// The most days a definition can be away from today.
const MOST: i32 = 1 << 21;

/// So many days; nothing beyond all that a rule can say.
pub(super) fn offset(n: f64) -> Option<i32> {
    (n.fract() == 0.0 && n.abs() <= f64::from(MOST)).then_some(n as i32)
}

impl Reader<'_> {
    /// A day that is written as a date, or as an instant at which one begins in UTC.
    pub(super) fn day(&mut self, text: &str) -> Option<Date> {
        if let Ok(date) = text.parse() {
            return Some(date);
        }
        let instant = text.parse::<Timestamp>().ok();
        let day = instant.map(|at| (at, Zone::utc().date_of(at)));
        match day
            .filter(|&(at, day)| at.is_in_calendar() && Zone::utc().start_of(day) == at)
        {
            Some((_, day)) => {
                self.note("instant-as-day", format!("read as the day {day}"));
                Some(day)
            }
            None => self.fault("not-a-day", "dates are compared by their days", |i| {
                i.expected(
                    "a date as YYYY-MM-DD, or the instant at which one begins in UTC",
                )
                .found(text.chars().take(40).collect::<String>())
            }),
        }
    }

    /// Compares a date with a day. Where it is missing, this is False.
    pub(super) fn compare_days(
        &mut self,
        spec: &FeatureSpec,
        compared: Compared,
        day: Day,
    ) -> Option<Rule> {
        let day = match day {
            Day::On(date) => {
                let date = Literal::from(date);
                let is = match compared {
                    Compared::Before => Test::Lt(date),
                    Compared::UpTo => Test::Le(date),
                    Compared::On => Test::Eq(date),
                    Compared::From => Test::Ge(date),
                    Compared::After => Test::Gt(date),
                };
                return self.test(spec, is, false);
            }
            Day::Today(day) => day,
        };
        match compared {
            Compared::From => self.since_day(spec, day),
            Compared::After => self.since_day(spec, day + 1),
            Compared::Before => self.before_day(spec, day),
            Compared::UpTo => self.before_day(spec, day + 1),
            Compared::On if day <= 0 => {
                self.but_for(spec, Test::InLast, days(1 - day), days(-day))
            }
            Compared::On => self.but_for(spec, Test::InNext, days(day + 1), days(day)),
        }
    }

    /// From a day on that is so many days after today.
    fn since_day(&mut self, spec: &FeatureSpec, day: i32) -> Option<Rule> {
        let most = self.limits().get_window().as_millis() / days(1).as_millis();
        let ahead = Span::from_millis(most.min(MOST as u64) * days(1).as_millis());
        self.note("bounded-future", format!("days more than {ahead} ahead do not count"));
        if day > 0 {
            return self.but_for(spec, Test::InNext, ahead, days(day));
        }
        let past = self.test(spec, Test::InLast(days(1 - day)), false)?;
        Some(past | self.test(spec, Test::InNext(ahead), false)?)
    }

    fn before_day(&mut self, spec: &FeatureSpec, day: i32) -> Option<Rule> {
        let set = self.test(spec, Test::Set, false)?;
        Some(set & !self.since_day(spec, day)?)
    }

    /// Within a stretch of days, but not within another that lies in it.
    fn but_for(
        &mut self,
        spec: &FeatureSpec,
        test: fn(Span) -> Test,
        within: Span,
        but: Span,
    ) -> Option<Rule> {
        let rule = self.test(spec, test(within), false)?;
        if but.as_millis() == 0 {
            return Some(rule);
        }
        Some(rule & !self.test(spec, test(but), false)?)
    }
}

fn days(n: i32) -> Span {
    Span::days(n.max(0).unsigned_abs())
}
