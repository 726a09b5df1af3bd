//! Habits, as rules of several windows.

use super::ast::Rule;
use super::event::Window;
use super::field::EventSelection;
use crate::data::Span;

/// Habits are rules like others, made of counts in windows that follow one another, and can
/// as well be written as such. They state their windows; one that was stated before does not
/// count.
impl EventSelection {
    /// At least `n` in each of the last `periods` stretches of this length: who comes every
    /// week, or buys in every month. For no periods it is a list without rules, which cannot be
    /// compiled.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::events;
    ///
    /// let weekly = events("visit").in_each_of(3, Span::days(7), 1);
    /// assert_eq!(
    ///     weekly.to_string(),
    ///     "events(visit).count in last 7d >= 1 \
    ///      and events(visit).count from 14d to 7d ago >= 1 \
    ///      and events(visit).count from 21d to 14d ago >= 1",
    /// );
    /// ```
    #[must_use]
    pub fn in_each_of(self, periods: u16, length: Span, n: u32) -> Rule {
        let window = |i: u32| match i {
            0 => Window::Last(length),
            _ => Window::Ago { from: times(length, i + 1), to: times(length, i) },
        };
        let counts =
            (0..periods.into()).map(|i| self.clone().within(window(i)).count().ge(n));
        Rule::all(counts)
    }

    /// Some in a stretch of the length `active`, and none in the stretch of the length
    /// `silent` that follows it, up to now: who has stopped.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::events;
    ///
    /// let lapsed = events("order").stopped(Span::days(180), Span::days(90));
    /// assert_eq!(
    ///     lapsed.to_string(),
    ///     "events(order).count from 270d to 90d ago >= 1 \
    ///      and events(order).count in last 90d = 0",
    /// );
    /// ```
    #[must_use]
    pub fn stopped(self, active: Span, silent: Span) -> Rule {
        let window = Window::Ago { from: plus(active, silent), to: silent };
        self.clone().within(window).count().ge(1) & self.last(silent).count().eq(0)
    }

    /// Some in a stretch of the length `active`, none in the stretch of the length `silent`
    /// after it, and some again in that of the length `recent` up to now: who has come back.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::events;
    ///
    /// let back = events("order").resumed(Span::days(365), Span::days(90), Span::days(7));
    /// assert_eq!(
    ///     back.to_string(),
    ///     "events(order).count from 462d to 97d ago >= 1 \
    ///      and events(order).count from 97d to 7d ago = 0 \
    ///      and events(order).count in last 7d >= 1",
    /// );
    /// ```
    #[must_use]
    pub fn resumed(self, active: Span, silent: Span, recent: Span) -> Rule {
        let since = plus(silent, recent);
        let before = Window::Ago { from: plus(active, since), to: since };
        let between = Window::Ago { from: since, to: recent };
        self.clone().within(before).count().ge(1)
            & self.clone().within(between).count().eq(0)
            & self.last(recent).count().ge(1)
    }
}

fn plus(a: Span, b: Span) -> Span {
    Span::from_millis(a.as_millis().saturating_add(b.as_millis()))
}

fn times(span: Span, n: u32) -> Span {
    Span::from_millis(span.as_millis().saturating_mul(n.into()))
}
