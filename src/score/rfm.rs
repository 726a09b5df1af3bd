//! The scores of one customer on the axes of RFM.

use serde::{Deserialize, Serialize};

/// Scores from 1 (worst) up on recency, frequency and, unless the grid has two axes only,
/// monetary (Hughes 1994, *Strategic Database Marketing*).
///
/// ```
/// use segmenta::score::RfmScore;
///
/// let score = RfmScore::new(5, 4, 3);
/// assert_eq!(score.code(), Some(543));
/// assert_eq!(score.sum(), 12);
/// assert_eq!(score.weighted([3.0, 2.0, 1.0]), 26.0);
/// assert_eq!(score.fm_mean(), Some(3.5));
/// assert_eq!(score.cell(5), Some(117)); // of 0 to 124
/// assert_eq!(RfmScore::rf(5, 4).code(), Some(54));
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct RfmScore {
    /// Recency: the highest score is the most recent.
    pub r: u32,
    /// Frequency.
    pub f: u32,
    /// Monetary; absent on an R x F grid.
    pub m: Option<u32>,
}

impl RfmScore {
    /// Scores on three axes.
    #[must_use]
    pub const fn new(r: u32, f: u32, m: u32) -> RfmScore {
        RfmScore { r, f, m: Some(m) }
    }

    /// Scores on two axes.
    #[must_use]
    pub const fn rf(r: u32, f: u32) -> RfmScore {
        RfmScore { r, f, m: None }
    }

    /// The scores as decimal digits, 555 or, on two axes, 55. `None` when a score is not
    /// 1 to 9 and has no digit of its own.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.axes().try_fold(0, |code, score| {
            (1..=9).contains(&score).then_some(10 * code + score)
        })
    }

    /// The sum of the scores.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.axes().map(u64::from).sum()
    }

    /// The mean of frequency and monetary, in steps of one half, which some systems set
    /// against recency (Putler, Shopify); `None` on two axes.
    #[must_use]
    pub fn fm_mean(&self) -> Option<f64> {
        self.m.map(|m| (f64::from(self.f) + f64::from(m)) / 2.0)
    }

    /// `wr * r + wf * f + wm * m`; on two axes `wm` is not read. Recency three times and
    /// frequency twice as heavy as money is a common choice (Miglautsch 2000, "Thoughts on
    /// RFM Scoring", Journal of Database Marketing 8(1)).
    #[must_use]
    pub fn weighted(&self, weights: [f64; 3]) -> f64 {
        self.axes().zip(weights).map(|(score, weight)| weight * f64::from(score)).sum()
    }

    /// Position of the cell among the `n^3` cells (or `n^2`) of a grid with `n` scores on
    /// each axis: `((r - 1) n + (f - 1)) n + (m - 1)`, from 0. `None` when a score is not
    /// 1 to `n`.
    #[must_use]
    pub fn cell(&self, n: u32) -> Option<usize> {
        self.axes().try_fold(0_usize, |cell, score| {
            let step = score.checked_sub(1).filter(|&step| step < n)? as usize;
            cell.checked_mul(n as usize)?.checked_add(step)
        })
    }

    /// The scores in the order recency, frequency, monetary.
    pub fn axes(&self) -> impl Iterator<Item = u32> + use<> {
        [Some(self.r), Some(self.f), self.m].into_iter().flatten()
    }
}
