//! How regularly a customer buys.

use std::fmt;

use super::daily::Daily;
use crate::data::Date;
use crate::error::{Error, Result};
use crate::quantile::quantile;

/// The gaps between the days on which one customer bought, and how long she has been silent
/// since: whether that is long *for her*.
///
/// A silence of a month is nothing in somebody who buys once a quarter and a lot in somebody
/// who comes every week. Her own gaps tell: "longer than 90 % of her gaps". With few gaps they
/// tell little: of n gaps a share is a step of 1/n, and a 90 % gap lies between the two
/// longest as long as there are at most ten. The features of [`Behaviour`](super::Behaviour)
/// are the same figures of all customers.
///
/// ```
/// use segmenta::data::Date;
/// use segmenta::history::Cadence;
///
/// let day = |text: &str| text.parse::<Date>();
/// let bought = [day("2024-01-01")?, day("2024-01-11")?, day("2024-01-13")?, day("2024-02-12")?];
/// let cadence = Cadence::of_days(&bought, day("2024-03-01")?)?;
/// assert_eq!(cadence.gaps().collect::<Vec<_>>(), [2, 10, 30]);
/// assert_eq!(cadence.median_gap(), Some(10.0));
/// assert_eq!(cadence.percentile_gap(90.0)?, Some(26.0));
/// assert_eq!(cadence.gaps_exceeded(), Some(2.0 / 3.0));
/// assert_eq!(
///     cadence.to_string(),
///     "18 days since the last purchase, longer than 67 % of the 3 own gaps: \
///      their median is 10 days, their 90 % gap 26",
/// );
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cadence {
    /// In days, ascending; each is 1 or more. All weigh 1.
    gaps: Vec<(f64, f64)>,
    /// From the first day to the last: the sum of the gaps.
    pub(super) span: u64,
    /// From the last day to that of the features.
    since: u64,
}

impl Cadence {
    /// The gaps between these days, which come in any order, as of the end of a day. Days that
    /// come more than once count once, and those after the last one are left out, as
    /// [`Ledger::summary`](super::Ledger::summary) leaves them out.
    ///
    /// # Errors
    /// Undefined when nothing was bought up to the day.
    pub fn of_days(days: &[Date], as_of: Date) -> Result<Cadence> {
        let days = days.iter().filter(|day| **day <= as_of);
        let mut bought: Vec<i32> = days.map(|day| day.days_since_epoch()).collect();
        bought.sort_unstable();
        bought.dedup();
        Cadence::of_bought(&bought, as_of.days_since_epoch()).ok_or_else(|| {
            Error::undefined("the cadence", format!("nothing was bought up to {as_of}"))
        })
    }

    /// `None` for a customer who bought nothing.
    pub(super) fn of(days: &[Daily], as_of: i32) -> Option<Cadence> {
        let bought: Vec<i32> =
            days.iter().filter(|day| day.bought).map(|day| day.day).collect();
        Cadence::of_bought(&bought, as_of)
    }

    /// Of different days in their order.
    fn of_bought(bought: &[i32], as_of: i32) -> Option<Cadence> {
        let (first, last) = (*bought.first()?, *bought.last()?);
        let gap = |pair: &[i32]| (f64::from(pair[1]) - f64::from(pair[0]), 1.0);
        let mut gaps: Vec<(f64, f64)> = bought.windows(2).map(gap).collect();
        gaps.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Cadence {
            gaps,
            span: last.abs_diff(first).into(),
            since: as_of.abs_diff(last).into(),
        })
    }

    /// The gaps in days, shortest first.
    pub fn gaps(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        // Whole numbers of days, which fit.
        self.gaps.iter().map(|(gap, _)| *gap as u64)
    }

    /// Days since the last purchase.
    #[must_use]
    pub fn since_last_purchase(&self) -> u64 {
        self.since
    }

    pub(super) fn len(&self) -> u64 {
        self.gaps.len() as u64
    }

    /// The mean of the gaps in days; `None` where there is none.
    #[must_use]
    pub fn mean_gap(&self) -> Option<f64> {
        (self.len() > 0).then(|| self.span as f64 / self.len() as f64)
    }

    /// The median of the gaps in days; `None` where there is none.
    #[must_use]
    pub fn median_gap(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The percentile of the gaps in days, of which so many percent are up to that long;
    /// `None` where there is none.
    ///
    /// Definition 7 of Hyndman & Fan (1996), which is numpy's `percentile` and R's `quantile`:
    /// linear between the two of the n ascending gaps beside place `(n − 1) · percent / 100`,
    /// counted from 0.
    ///
    /// # Errors
    /// When the percentage is not from 0 to 100.
    pub fn percentile_gap(&self, percent: f64) -> Result<Option<f64>> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(Error::parameter("percent", "from 0 to 100", percent));
        }
        Ok(self.quantile(percent / 100.0))
    }

    pub(super) fn quantile(&self, p: f64) -> Option<f64> {
        quantile(&self.gaps, p)
    }

    /// The share of the gaps that are shorter than the days since the last purchase, 0 to 1;
    /// `None` where there is no gap. Those of equal length are not exceeded.
    #[must_use]
    pub fn gaps_exceeded(&self) -> Option<f64> {
        let since = self.since as f64;
        let shorter = self.gaps.partition_point(|(gap, _)| *gap < since);
        (!self.gaps.is_empty()).then(|| shorter as f64 / self.gaps.len() as f64)
    }

    /// The standard deviation of the gaps, with n − 1 in its denominator, by their mean;
    /// `None` of fewer than two. Near 0 a customer buys like clockwork, near 1 at random.
    #[must_use]
    pub fn variation(&self) -> Option<f64> {
        let mean = self.mean_gap().filter(|_| self.len() > 1)?;
        let squares: f64 = self.gaps.iter().map(|(gap, _)| (gap - mean).powi(2)).sum();
        Some((squares / (self.len() - 1) as f64).sqrt() / mean)
    }

    /// Days since the last purchase by the median gap; `None` where there is no gap.
    #[must_use]
    pub fn overdue(&self) -> Option<f64> {
        Some(self.since as f64 / self.median_gap()?)
    }

    /// With the customer's mean gap drawn towards that of all, as if she had one gap more,
    /// of that length.
    pub(super) fn shrunken_overdue(&self, mean_of_all: f64) -> f64 {
        let expected = (self.span as f64 + mean_of_all) / (self.len() + 1) as f64;
        self.since as f64 / expected
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = if self.since == 1 { "day" } else { "days" };
        write!(f, "{} {days} since the last purchase, ", self.since)?;
        let gaps = (self.gaps_exceeded(), self.median_gap(), self.quantile(0.9));
        let (Some(exceeded), Some(median), Some(longest)) = gaps else {
            return write!(f, "the only one");
        };
        write!(
            f,
            "longer than {:.0} % of the {} own gaps: their median is {} days, their 90 % gap {}",
            100.0 * exceeded,
            self.len(),
            round(median),
            round(longest),
        )
    }
}

/// To a tenth of a day.
fn round(days: f64) -> f64 {
    (days * 10.0).round() / 10.0
}
