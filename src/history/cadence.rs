//! How regularly a customer buys.

use super::daily::Daily;
use crate::quantile::quantile;

/// The gaps between the days on which a customer bought.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cadence {
    /// In days, ascending; each is 1 or more.
    gaps: Vec<(f64, f64)>,
    /// From the first day to the last: the sum of the gaps.
    pub(super) span: u64,
    /// From the last day to that of the features.
    pub(super) since: u64,
}

impl Cadence {
    /// `None` for a customer who bought nothing.
    pub(super) fn of(days: &[Daily], as_of: i32) -> Option<Cadence> {
        let bought: Vec<i32> =
            days.iter().filter(|day| day.bought).map(|day| day.day).collect();
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

    pub(super) fn len(&self) -> u64 {
        self.gaps.len() as u64
    }

    pub(super) fn mean(&self) -> Option<f64> {
        (self.len() > 0).then(|| self.span as f64 / self.len() as f64)
    }

    pub(super) fn quantile(&self, p: f64) -> Option<f64> {
        quantile(&self.gaps, p)
    }

    /// The standard deviation of the gaps, with n − 1 in its denominator, by their mean.
    pub(super) fn variation(&self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.len() > 1)?;
        let squares: f64 = self.gaps.iter().map(|(gap, _)| (gap - mean).powi(2)).sum();
        Some((squares / (self.len() - 1) as f64).sqrt() / mean)
    }

    pub(super) fn overdue(&self) -> Option<f64> {
        Some(self.since as f64 / self.quantile(0.5)?)
    }

    /// With the customer's mean gap drawn towards that of all, as if she had one gap more,
    /// of that length.
    pub(super) fn shrunken_overdue(&self, mean_of_all: f64) -> f64 {
        let expected = (self.span as f64 + mean_of_all) / (self.len() + 1) as f64;
        self.since as f64 / expected
    }
}
