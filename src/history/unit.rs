//! The ruler of time, apart from what counts as one purchase.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The unit in which ages and horizons are measured.
///
/// It changes the ruler only: which rows are one purchase is
/// [`Occasion`](super::Occasion)'s to say. Parameters of a purchase model that carry time
/// belong to one unit, and so do the horizons that it is asked about.
///
/// ```
/// use segmenta::history::TimeUnit;
///
/// assert_eq!(TimeUnit::Week.of_days(39.0 * 7.0), 39.0);
/// assert_eq!(TimeUnit::Year.days() / TimeUnit::Month.days(), 12.0);
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
    /// Seven days.
    #[default]
    Week,
    /// A twelfth of a year of 365.25 days: 30.4375 days.
    Month,
    /// 365.25 days.
    Year,
}

impl TimeUnit {
    /// Its length in days.
    #[must_use]
    pub const fn days(self) -> f64 {
        match self {
            TimeUnit::Day => 1.0,
            TimeUnit::Week => 7.0,
            TimeUnit::Month => 365.25 / 12.0,
            TimeUnit::Year => 365.25,
        }
    }

    /// So many days in this unit.
    #[must_use]
    pub fn of_days(self, days: f64) -> f64 {
        days / self.days()
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeUnit::Day => "day",
            TimeUnit::Week => "week",
            TimeUnit::Month => "month",
            TimeUnit::Year => "year",
        })
    }
}
