//! Conditions on what a customer did, as plain data.

use serde::{Deserialize, Serialize};

use super::ast::{Rule, Test};
use crate::data::Span;

/// A test of an aggregate over the events of one stream: how many orders in the last 90
/// days, how much was spent this year, when the last visit was.
///
/// ```
/// use segmenta::data::Span;
/// use segmenta::rules::{Rule, Window, events};
///
/// let json = r#"{"event": {
///     "name": "order", "agg": "count", "window": {"last": "90d"}, "is": {"eq": 0}
/// }}"#;
/// let rule: Rule = serde_json::from_str(json)?;
/// assert_eq!(rule, events("order").last(Span::days(90)).count().eq(0));
/// assert_eq!(rule.to_string(), "events(order).count in last 90d = 0");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// The aggregate is that of the events in the [`Window`] for which the filter is True.
/// Over no events, `count`, `sum`, `distinct` and `active_days` are 0, and the others are
/// missing, as is told by Kleene's logic in [`Rule`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventTest {
    /// The stream's name.
    pub name: String,
    /// Which events count: a rule of `all`, `any`, `at_least`, `not` and tests of the
    /// stream's properties. Absent for all.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Box<Rule>>,
    /// What is made of the events.
    pub agg: Aggregate,
    /// When they happened; absent for ever.
    #[serde(default, skip_serializing_if = "Window::is_ever")]
    pub window: Window,
    /// What the aggregate must satisfy.
    pub is: Test,
    /// The answer for a missing aggregate; absent for Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_missing: Option<bool>,
}

/// What is made of the events of a window; a name is that of a property.
///
/// | aggregate | of properties | gives | over no events |
/// |---|---|---|---|
/// | `count` | | number | 0 |
/// | `sum` | number | number | 0 |
/// | `average` | number | number | missing |
/// | `min` `max` | number, date | the same | missing |
/// | `distinct` | all but tags | number | 0 |
/// | `first` `last` | all but tags | the same | missing |
/// | `first_day` `last_day` | | date | missing |
/// | `active_days` | | number | 0 |
///
/// Events whose property is missing are left out of all but `count`, the days, and
/// `first` and `last`, which are missing where it is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aggregate {
    /// How many events.
    Count,
    /// The sum of a property: the exact sum of its numbers, rounded once, so that it
    /// depends on no order. Beyond the largest `f64` it is that.
    Sum(String),
    /// The sum, divided by how many events have the property; also a sum that is cut off at
    /// the largest `f64`.
    Average(String),
    /// The least value of a property.
    Min(String),
    /// The greatest value of a property.
    Max(String),
    /// How many different values a property has.
    Distinct(String),
    /// A property of the first event. Of events at one instant, the one that the host
    /// gives first.
    First(String),
    /// A property of the last event.
    Last(String),
    /// The day of the first event, in the zone of the host.
    FirstDay,
    /// The day of the last event, in the zone of the host.
    LastDay,
    /// How many different days have an event, in the zone of the host.
    ActiveDays,
}

impl Aggregate {
    /// The property that is aggregated.
    #[must_use]
    pub fn property(&self) -> Option<&str> {
        match self {
            Aggregate::Sum(p)
            | Aggregate::Average(p)
            | Aggregate::Min(p)
            | Aggregate::Max(p)
            | Aggregate::Distinct(p)
            | Aggregate::First(p)
            | Aggregate::Last(p) => Some(p),
            Aggregate::Count
            | Aggregate::FirstDay
            | Aggregate::LastDay
            | Aggregate::ActiveDays => None,
        }
    }

    /// The key that names the aggregate in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Aggregate::Count => "count",
            Aggregate::Sum(_) => "sum",
            Aggregate::Average(_) => "average",
            Aggregate::Min(_) => "min",
            Aggregate::Max(_) => "max",
            Aggregate::Distinct(_) => "distinct",
            Aggregate::First(_) => "first",
            Aggregate::Last(_) => "last",
            Aggregate::FirstDay => "first_day",
            Aggregate::LastDay => "last_day",
            Aggregate::ActiveDays => "active_days",
        }
    }

    /// Whether the aggregate of no events is missing.
    #[must_use]
    pub fn may_be_missing(&self) -> bool {
        !matches!(
            self,
            Aggregate::Count
                | Aggregate::Sum(_)
                | Aggregate::Distinct(_)
                | Aggregate::ActiveDays
        )
    }
}

/// Which stretch of time counts. The start belongs to it, the end does not, and nothing
/// that lies at `now` or after it ever does: an event counts from the next millisecond on.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Window {
    /// All time before `now`.
    #[default]
    Ever,
    /// The stretch of a fixed length that ends `now`: with `30d`, 30 times 24 hours.
    Last(Span),
    /// Between two ages: from `now` less `from` to `now` less `to`.
    Ago {
        /// The greater age.
        from: Span,
        /// The lesser age.
        to: Span,
    },
    /// Whole units of the calendar before the present one, in the zone of the host.
    Calendar {
        /// How many units before the present one.
        n: u32,
        /// Which units.
        unit: CalendarUnit,
        /// Whether what has passed of the present unit counts, too.
        #[serde(default)]
        include_current: bool,
    },
    /// Between the starts of two units of the calendar, in the zone of the host: with `from`
    /// 3, `to` 2 and months, the whole of the month three months ago.
    CalendarAgo {
        /// How many units before the present one the first one is.
        from: u32,
        /// How many units before the present one the first one after the window is.
        to: u32,
        /// Which units.
        unit: CalendarUnit,
    },
    /// From one instant to another. A date as `2024-05-31` is the start of that day in
    /// the zone of the host; others are as [`Timestamp`](crate::data::Timestamp) reads
    /// them.
    Between {
        /// The start.
        from: String,
        /// The end.
        to: String,
    },
}

impl Window {
    pub(super) fn is_ever(&self) -> bool {
        *self == Window::Ever
    }
}

/// A unit of the calendar.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum CalendarUnit {
    /// From midnight to midnight.
    Day,
    /// Seven days, from the day on which the host's weeks begin.
    Week,
    /// A month.
    Month,
    /// Three months: from January, April, July or October on.
    Quarter,
    /// A year.
    Year,
}

impl CalendarUnit {
    pub(super) const ALL: [CalendarUnit; 5] = [
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ];

    /// How long it is at least.
    pub(super) fn least_millis(self) -> u64 {
        let days = match self {
            CalendarUnit::Day => 1,
            CalendarUnit::Week => 7,
            CalendarUnit::Month => 28,
            CalendarUnit::Quarter => 90,
            CalendarUnit::Year => 365,
        };
        Span::days(days).as_millis()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            CalendarUnit::Day => "day",
            CalendarUnit::Week => "week",
            CalendarUnit::Month => "month",
            CalendarUnit::Quarter => "quarter",
            CalendarUnit::Year => "year",
        }
    }
}
