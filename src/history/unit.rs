//! In what ages are measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A unit of time in which a model measures ages. It only divides days: what is one
/// purchase is told by [`Occasion`](super::Occasion), and to count by weeks is not to
/// measure in weeks.
///
/// A month is the twelfth part of a year of 365.25 days, so that all units are multiples
/// of each other.
///
/// ```
/// use segmenta::history::TimeUnit;
///
/// assert_eq!(TimeUnit::Week.of_days(21), 3.0);
/// assert_eq!(TimeUnit::Month.days() * 12.0, TimeUnit::Year.days());
/// assert_eq!(TimeUnit::Week.to_string(), "weeks");
/// ```
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeUnit {
    /// A day.
    Day,
    /// 7 days: the unit of the published purchase models (Fader, Hardie & Lee 2005).
    #[default]
    Week,
    /// 30.4375 days.
    Month,
    /// 365.25 days.
    Year,
}

impl TimeUnit {
    /// How many days it has.
    #[must_use]
    pub const fn days(self) -> f64 {
        match self {
            TimeUnit::Day => 1.0,
            TimeUnit::Week => 7.0,
            TimeUnit::Month => 30.4375,
            TimeUnit::Year => 365.25,
        }
    }

    /// So many days in this unit.
    #[must_use]
    pub fn of_days(self, days: impl Into<f64>) -> f64 {
        days.into() / self.days()
    }
}

/// The plural, as units of features are written: `days`, `weeks`, `months`, `years`.
impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TimeUnit::Day => "days",
            TimeUnit::Week => "weeks",
            TimeUnit::Month => "months",
            TimeUnit::Year => "years",
        })
    }
}
