//! Habits, as rules of several windows.

use super::ast::Rule;
use super::event::{CalendarUnit, Window};
use super::field::EventSelection;
use super::sequence::{sequence, step};
use crate::data::Span;

/// A stretch of time of which several follow one another, the latest first.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{CalendarUnit, Period};
///
/// let texts = |period: Period, n| -> Vec<String> {
///     period.windows(n).map(|window| window.to_string()).collect()
/// };
/// assert_eq!(texts(Span::days(7).into(), 2), [" in last 7d", " from 14d to 7d ago"]);
/// assert_eq!(
///     texts(CalendarUnit::Month.into(), 2),
///     [" in last 1 whole month", " from 2 to 1 whole months ago"],
/// );
/// assert_eq!(
///     texts(Period::ToNow(CalendarUnit::Month), 1),
///     [" in this month", " in last 1 whole month"],
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Period {
    /// Of a fixed length; the latest ends now.
    Fixed(Span),
    /// A whole unit of the calendar; the latest is the one before the present one.
    Whole(CalendarUnit),
    /// As [`Whole`](Period::Whole), and what has passed of the present unit besides.
    ToNow(CalendarUnit),
}

impl From<Span> for Period {
    fn from(length: Span) -> Period {
        Period::Fixed(length)
    }
}

impl From<CalendarUnit> for Period {
    fn from(unit: CalendarUnit) -> Period {
        Period::Whole(unit)
    }
}

impl Period {
    /// The last `n` of them, the latest first; with [`ToNow`](Period::ToNow) the present
    /// unit is one more.
    pub fn windows(self, n: u16) -> impl Iterator<Item = Window> {
        let this = match self {
            Period::ToNow(unit) => Some(this(unit)),
            Period::Fixed(_) | Period::Whole(_) => None,
        };
        this.into_iter().chain((0..u32::from(n)).map(move |i| self.ago(i)))
    }

    fn ago(self, i: u32) -> Window {
        match self {
            Period::Fixed(length) if i == 0 => Window::Last(length),
            Period::Fixed(length) => {
                Window::Ago { from: times(length, i + 1), to: times(length, i) }
            }
            Period::Whole(unit) | Period::ToNow(unit) if i == 0 => {
                Window::Calendar { n: 1, unit, include_current: false }
            }
            Period::Whole(unit) | Period::ToNow(unit) => {
                Window::CalendarAgo { from: i + 1, to: i, unit }
            }
        }
    }
}

fn this(unit: CalendarUnit) -> Window {
    Window::Calendar { n: 0, unit, include_current: true }
}

/// Habits are rules like others, made of counts in windows that follow one another, and can
/// as well be written as such; [`RuleText`](super::RuleText) has short forms of them. But for
/// [`without_gap`](EventSelection::without_gap) they state their windows: one that was stated
/// before does not count.
impl EventSelection {
    /// At least `n` in each of the last `periods` periods, a streak: who comes every week, or
    /// buys in every month. For no periods it is a list without rules, which cannot be compiled.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::{CalendarUnit, Rule, events};
    ///
    /// let weekly = events("visit").in_each_of(3, Span::days(7), 1);
    /// assert_eq!(
    ///     weekly.to_string(),
    ///     "events(visit).count in last 7d >= 1 \
    ///      and events(visit).count from 14d to 7d ago >= 1 \
    ///      and events(visit).count from 21d to 14d ago >= 1",
    /// );
    /// assert_eq!(weekly, "events(visit) in each of last 3 periods of 7d".parse::<Rule>()?);
    ///
    /// let monthly = events("order").in_each_of(2, CalendarUnit::Month, 5);
    /// assert_eq!(
    ///     monthly.to_string(),
    ///     "events(order).count in last 1 whole month >= 5 \
    ///      and events(order).count from 2 to 1 whole months ago >= 5",
    /// );
    /// let text = "events(order).count in each of last 2 whole months >= 5";
    /// assert_eq!(monthly, text.parse::<Rule>()?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn in_each_of(self, periods: u16, length: impl Into<Period>, n: u32) -> Rule {
        Rule::all(self.counts(periods, length.into(), n))
    }

    /// At least `n` in each of some of the last `periods` periods, `least` or more: who comes
    /// in most weeks.
    ///
    /// ```
    /// use segmenta::rules::{CalendarUnit, Rule, events};
    ///
    /// let regular = events("visit").in_some_of(2, 3, CalendarUnit::Week, 1);
    /// assert_eq!(
    ///     regular.to_string(),
    ///     "at least 2 of (events(visit).count in last 1 whole week >= 1, \
    ///      events(visit).count from 2 to 1 whole weeks ago >= 1, \
    ///      events(visit).count from 3 to 2 whole weeks ago >= 1)",
    /// );
    /// let text = "events(visit) in at least 2 of last 3 whole weeks";
    /// assert_eq!(regular, text.parse::<Rule>()?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn in_some_of(
        self,
        least: usize,
        periods: u16,
        length: impl Into<Period>,
        n: u32,
    ) -> Rule {
        Rule::at_least(least, self.counts(periods, length.into(), n))
    }

    fn counts(self, periods: u16, length: Period, n: u32) -> impl Iterator<Item = Rule> {
        length
            .windows(periods)
            .map(move |window| self.clone().within(window).count().ge(n))
    }

    /// Some in a stretch of the length `active`, and none in the stretch of the length
    /// `silent` that follows it, up to now: who has stopped.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::{Rule, events};
    ///
    /// let lapsed = events("order").stopped(Span::days(180), Span::days(90));
    /// assert_eq!(
    ///     lapsed.to_string(),
    ///     "events(order).count from 270d to 90d ago >= 1 \
    ///      and events(order).count in last 90d = 0",
    /// );
    /// assert_eq!(lapsed, "events(order) stopped after 180d for 90d".parse::<Rule>()?);
    /// # Ok::<(), segmenta::Error>(())
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
    /// use segmenta::rules::{Rule, events};
    ///
    /// let back = events("order").resumed(Span::days(365), Span::days(90), Span::days(7));
    /// assert_eq!(
    ///     back.to_string(),
    ///     "events(order).count from 462d to 97d ago >= 1 \
    ///      and events(order).count from 97d to 7d ago = 0 \
    ///      and events(order).count in last 7d >= 1",
    /// );
    /// let text = "events(order) resumed after 365d silent for 90d in last 7d";
    /// assert_eq!(back, text.parse::<Rule>()?);
    /// # Ok::<(), segmenta::Error>(())
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

    /// Some in the window, and from the first of them up to the window's end never a longer
    /// time without one than `most`: whose longest gap is no longer than that. One who came
    /// once is within it until that time has passed.
    ///
    /// ```
    /// use segmenta::data::Span;
    /// use segmenta::rules::{Rule, events};
    ///
    /// let steady = events("visit").last(Span::days(365)).without_gap(Span::days(30));
    /// assert_eq!(
    ///     steady.to_string(),
    ///     "events(visit).count in last 365d >= 1 \
    ///      and not (sequence(visit then not visit within 30d) in last 365d)",
    /// );
    /// let text = "events(visit) in last 365d without gap over 30d";
    /// assert_eq!(steady, text.parse::<Rule>()?);
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn without_gap(self, most: Span) -> Rule {
        let some = self.clone().count().ge(1);
        let (name, filter, window) = self.into_parts();
        let mut one = step(name);
        one.filter = filter;
        let next = one.clone().within(most);
        some & !sequence(one).then_not(next).in_window(window).rule()
    }
}

fn plus(a: Span, b: Span) -> Span {
    Span::from_millis(a.as_millis().saturating_add(b.as_millis()))
}

fn times(span: Span, n: u32) -> Span {
    Span::from_millis(span.as_millis().saturating_mul(n.into()))
}
