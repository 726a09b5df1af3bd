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
    /// From the start of the unit so many units before the present one to that of the unit
    /// so many before it, or up to now.
    Calendar(u32, CalendarUnit, Option<u32>),
    Between(End, End),
}

/// An end of a window that does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Day(Date),
    Instant(Timestamp),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Day(day) => day.fmt(f),
            End::Instant(at) => at.fmt(f),
        }
    }
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
    pub(super) today: Date,
    /// For each window, in milliseconds; empty windows are empty ranges.
    windows: Box<[Range<i64>]>,
    /// Events from this instant on are not seen.
    seen: i64,
}

impl Bound {
    pub(super) fn new(windows: &[Bounds], moment: Moment) -> Bound {
        let windows = windows.iter().map(|window| window.range(&moment)).collect();
        Bound { today: moment.today(), moment, windows, seen: i64::MAX }
    }

    /// As if nothing had happened from an instant on, although time went by: windows end
    /// where they do, and hold no event that is not before it.
    pub(super) fn seeing_before(self, instant: Timestamp) -> Bound {
        Bound { seen: instant.as_millis(), ..self }
    }

    /// A window; empty where there is none at this place.
    pub(super) fn window(&self, place: u32) -> Range<i64> {
        self.windows.get(place as usize).cloned().unwrap_or(0..0)
    }

    /// The stretch of a window from which events are taken.
    pub(super) fn events(&self, place: u32) -> Range<i64> {
        let Range { start, end } = self.window(place);
        start.min(self.seen)..end.min(self.seen)
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
                Bounds::Calendar(*n, *unit, (!include_current).then_some(0))
            }
            Window::CalendarAgo { from, to, unit } => {
                Bounds::Calendar(*from, *unit, Some(*to))
            }
            Window::Between { from, to } => {
                Bounds::Between(End::read(from)?, End::read(to)?)
            }
        })
    }

    /// The first instant at which an event of this time is in the window; the end of time
    /// where it never is, the beginning where it was before all time. It does not decrease
    /// as events become later.
    pub(super) fn enters(&self, time: i64, moment: &Moment) -> i64 {
        match self {
            Bounds::Ever | Bounds::Calendar(_, _, None) => time.saturating_add(1),
            Bounds::Ago(_, to) => after(time, *to),
            Bounds::Calendar(_, unit, Some(to)) => {
                unit_after(time, *unit, i64::from(*to) + 1, moment)
            }
            Bounds::Between(from, to) => {
                let [from, to] = [from, to].map(|end| end.millis(moment.get_zone()));
                if time < from {
                    i64::MIN
                } else if time < to {
                    time.saturating_add(1)
                } else {
                    i64::MAX
                }
            }
        }
    }

    /// The first instant at which an event of this time is in the window no more; the end
    /// of time where that never comes.
    pub(super) fn leaves(&self, time: i64, moment: &Moment) -> i64 {
        match self {
            Bounds::Ever | Bounds::Between(..) => i64::MAX,
            Bounds::Ago(from, _) => after(time, *from),
            Bounds::Calendar(n, unit, _) => {
                unit_after(time, *unit, i64::from(*n) + 1, moment)
            }
        }
    }

    /// A window that does not move, whatever `now` is.
    pub(super) fn whole(&self, moment: &Moment) -> Range<i64> {
        match self {
            Bounds::Between(from, to) => {
                let [from, to] = [from, to].map(|end| end.millis(moment.get_zone()));
                from.min(to)..to
            }
            _ => i64::MIN..i64::MAX,
        }
    }

    /// From its start up to its end, which never lies after `now`.
    pub(super) fn range(&self, moment: &Moment) -> Range<i64> {
        let now = moment.now().as_millis();
        let ago = |span: &Span| now.saturating_sub_unsigned(span.as_millis());
        let (from, to) = match self {
            Bounds::Ever => (i64::MIN, now),
            Bounds::Ago(from, to) => (ago(from), ago(to)),
            Bounds::Calendar(n, unit, to) => {
                let zone = moment.get_zone();
                let start = |n: u32| {
                    let day = unit_start(
                        moment.today(),
                        *unit,
                        i64::from(n),
                        moment.get_week_start(),
                    );
                    zone.start_of(day).as_millis()
                };
                (start(*n), to.map_or(now, start))
            }
            Bounds::Between(from, to) => {
                (from.millis(moment.get_zone()), to.millis(moment.get_zone()))
            }
        };
        let to = to.min(now);
        from.min(to)..to
    }
}

/// The first instant that is more than this span after an event.
fn after(time: i64, span: Span) -> i64 {
    time.saturating_add_unsigned(span.as_millis()).saturating_add(1)
}

/// The start of the unit so many units after that of an event.
fn unit_after(time: i64, unit: CalendarUnit, ahead: i64, moment: &Moment) -> i64 {
    let zone = moment.get_zone();
    let day = zone.date_of(Timestamp::from_millis(time));
    zone.start_of(unit_start(day, unit, -ahead, moment.get_week_start())).as_millis()
}

/// The first day of the unit `back` units before that of `today`, or after it where that is
/// negative; the ends of the calendar where it lies beyond them.
fn unit_start(today: Date, unit: CalendarUnit, back: i64, week_start: Weekday) -> Date {
    let day = |days: i64| {
        let ends = [Date::MIN, Date::MAX].map(|end| i64::from(end.days_since_epoch()));
        Date::of_checked(days.clamp(ends[0], ends[1]) as i32)
    };
    let month = |year: i32, month: i64| {
        let months = i64::from(year) * 12 + month;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
        let beyond = if back > 0 { Date::MIN } else { Date::MAX };
        let first = |year| Date::from_ymd(year, month as u8 + 1, 1).ok();
        i32::try_from(year).ok().and_then(first).unwrap_or(beyond)
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
