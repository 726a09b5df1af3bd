//! Windows, checked and bound to an instant.

use std::ops::Range;

use super::event::{CalendarUnit, Window};
use crate::data::{DAY, Date, Moment, Span, Timestamp, Weekday, Zone};

/// A window that was checked: its texts were read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bounds {
    Ever,
    /// From `now` less the first to `now` less the second.
    Ago(Span, Span),
    Calendar(u32, CalendarUnit, bool),
    Between(End, End),
}

/// An end of a window that does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Day(Date),
    Instant(Timestamp),
}

impl End {
    pub(super) fn read(text: &str) -> Option<End> {
        let instant = || text.parse().map(End::Instant);
        text.parse().map(End::Day).or_else(|_| instant()).ok()
    }

    /// Whether the first cannot lie before the second, in any zone.
    pub(super) fn is_never_before(self, other: End) -> bool {
        match (self, other) {
            (End::Day(a), End::Day(b)) => a >= b,
            (End::Instant(a), End::Instant(b)) => a >= b,
            (a, b) => a.millis(&Zone::utc()) >= b.millis(&Zone::utc()) + DAY,
        }
    }

    fn millis(self, zone: &Zone) -> i64 {
        match self {
            End::Day(day) => zone.start_of(day).as_millis(),
            End::Instant(at) => at.as_millis(),
        }
    }
}

/// What rules that depend on time need to know to be asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) moment: Moment,
    /// For each window, in milliseconds; empty windows are empty ranges.
    pub(super) windows: Box<[Range<i64>]>,
}

impl Bound {
    pub(super) fn new(windows: &[Bounds], moment: Moment) -> Bound {
        let windows = windows.iter().map(|window| window.range(&moment)).collect();
        Bound { moment, windows }
    }
}

impl Bounds {
    /// The window of this kind, `None` where a text cannot be read.
    pub(super) fn read(window: &Window) -> Option<Bounds> {
        Some(match window {
            Window::Ever => Bounds::Ever,
            Window::Last(span) => Bounds::Ago(*span, Span::from_millis(0)),
            Window::Ago { from, to } => Bounds::Ago(*from, *to),
            Window::Calendar { n, unit, include_current } => {
                Bounds::Calendar(*n, *unit, *include_current)
            }
            Window::Between { from, to } => {
                Bounds::Between(End::read(from)?, End::read(to)?)
            }
        })
    }

    /// From its start up to its end, which never lies after `now`.
    pub(super) fn range(&self, moment: &Moment) -> Range<i64> {
        let now = moment.now().as_millis();
        let ago = |span: &Span| now.saturating_sub_unsigned(span.as_millis());
        let (from, to) = match self {
            Bounds::Ever => (i64::MIN, now),
            Bounds::Ago(from, to) => (ago(from), ago(to)),
            Bounds::Calendar(n, unit, include_current) => {
                let zone = moment.get_zone();
                let start = |n| {
                    let day =
                        unit_start(moment.today(), *unit, n, moment.get_week_start());
                    zone.start_of(day).as_millis()
                };
                (start(*n), if *include_current { now } else { start(0) })
            }
            Bounds::Between(from, to) => {
                (from.millis(moment.get_zone()), to.millis(moment.get_zone()))
            }
        };
        let to = to.min(now);
        from.min(to)..to
    }
}

/// The first day of the unit `back` units before that of `today`; the first day of the
/// calendar where that lies before it.
fn unit_start(today: Date, unit: CalendarUnit, back: u32, week_start: Weekday) -> Date {
    let back = i64::from(back);
    let day = |days: i64| {
        let first = i64::from(Date::MIN.days_since_epoch());
        Date::of_checked(days.max(first) as i32)
    };
    let month = |year: i32, month: i64| {
        let months = i64::from(year) * 12 + month;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
        let year = i32::try_from(year).unwrap_or(i32::MIN);
        Date::from_ymd(year, month as u8 + 1, 1).unwrap_or(Date::MIN)
    };
    let (year, month_of_year, _) = today.to_ymd();
    let month_of_year = i64::from(month_of_year) - 1;
    let days = i64::from(today.days_since_epoch());
    match unit {
        CalendarUnit::Day => day(days - back),
        CalendarUnit::Week => {
            let since = (Weekday::of(today) as i64 - week_start as i64).rem_euclid(7);
            day(days - since - 7 * back)
        }
        CalendarUnit::Month => month(year, month_of_year - back),
        CalendarUnit::Quarter => {
            month(year, month_of_year - month_of_year % 3 - 3 * back)
        }
        CalendarUnit::Year => month(year, -12 * back),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(window: &Window, now: &str) -> [String; 2] {
        let moment = Moment::new(now.parse().unwrap())
            .zone(Zone::fixed(60).unwrap())
            .week_start(Weekday::Sunday);
        let range = Bounds::read(window).unwrap().range(&moment);
        [range.start, range.end].map(|ms| Timestamp::from_millis(ms).to_string())
    }

    fn calendar(n: u32, unit: CalendarUnit, include_current: bool) -> Window {
        Window::Calendar { n, unit, include_current }
    }

    #[test]
    fn windows_are_stretches_before_now() {
        // A Friday, half past midnight in the host's zone.
        let now = "2024-05-30T23:30:00Z";
        let cases = [
            (Window::Last(Span::days(30)), "2024-04-30T23:30:00Z", now),
            (
                Window::Ago { from: Span::days(2), to: Span::hours(1) },
                "2024-05-28T23:30:00Z",
                "2024-05-30T22:30:00Z",
            ),
            (
                calendar(1, CalendarUnit::Day, false),
                "2024-05-29T23:00:00Z",
                "2024-05-30T23:00:00Z",
            ),
            (calendar(0, CalendarUnit::Day, true), "2024-05-30T23:00:00Z", now),
            (calendar(0, CalendarUnit::Week, true), "2024-05-25T23:00:00Z", now),
            (
                calendar(2, CalendarUnit::Week, false),
                "2024-05-11T23:00:00Z",
                "2024-05-25T23:00:00Z",
            ),
            (
                calendar(5, CalendarUnit::Month, false),
                "2023-11-30T23:00:00Z",
                "2024-04-30T23:00:00Z",
            ),
            (
                calendar(1, CalendarUnit::Quarter, false),
                "2023-12-31T23:00:00Z",
                "2024-03-31T23:00:00Z",
            ),
            (calendar(1, CalendarUnit::Year, true), "2022-12-31T23:00:00Z", now),
            (
                Window::Between {
                    from: "2024-05-01".into(),
                    to: "2024-05-10T00:00Z".into(),
                },
                "2024-04-30T23:00:00Z",
                "2024-05-10T00:00:00Z",
            ),
            // What lies ahead does not count.
            (
                Window::Between { from: "2024-05-01".into(), to: "2025-01-01".into() },
                "2024-04-30T23:00:00Z",
                now,
            ),
            (
                Window::Between { from: "2025-01-01".into(), to: "2026-01-01".into() },
                now,
                now,
            ),
        ];
        for (window, from, to) in cases {
            assert_eq!(range(&window, now), [from, to], "{window:?}");
        }
    }

    #[test]
    fn windows_end_where_the_calendar_does() {
        let window = calendar(u32::MAX, CalendarUnit::Year, false);
        let hour = 3_600_000;
        let first = Timestamp::from_millis(Timestamp::MIN.as_millis() - hour);
        assert_eq!(range(&window, "2024-05-31T00:00:00Z")[0], first.to_string());
        let far = Window::Last(Span::from_millis(u64::MAX));
        let moment = Moment::new(Timestamp::MIN);
        assert_eq!(Bounds::read(&far).unwrap().range(&moment).start, i64::MIN);
    }
}
