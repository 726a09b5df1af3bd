//! The cells of scores, and blocks of them.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::config::Axis;
use crate::error::{Error, Result};
use crate::score::RfmScore;

/// More cells are refused, for every one of them is looked at.
const MOST_CELLS: u64 = 1_000_000;

/// How many scores each axis has.
///
/// ```
/// use segmenta::rfm::Grid;
///
/// assert_eq!(Grid::rfm(5).n_cells(), 125);
/// assert_eq!(Grid::rf(5).n_cells(), 25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub(super) r: u32,
    pub(super) f: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) m: Option<u32>,
}

impl Grid {
    /// `n` scores on each of the three axes.
    #[must_use]
    pub const fn rfm(n: u32) -> Grid {
        Grid { r: n, f: n, m: Some(n) }
    }

    /// `n` scores on recency and on frequency, and no monetary axis.
    #[must_use]
    pub const fn rf(n: u32) -> Grid {
        Grid { r: n, f: n, m: None }
    }

    /// Any numbers of scores; `None` where there is no monetary axis.
    #[must_use]
    pub const fn new(r: u32, f: u32, m: Option<u32>) -> Grid {
        Grid { r, f, m }
    }

    /// Scores of each axis.
    pub fn axes(&self) -> impl Iterator<Item = u32> + use<> {
        [Some(self.r), Some(self.f), self.m].into_iter().flatten()
    }

    /// How many cells there are.
    #[must_use]
    pub fn n_cells(&self) -> u64 {
        self.axes().fold(1, |cells, n| u64::from(n).saturating_mul(cells))
    }

    /// Position of a cell; `None` when the scores are not of this grid.
    #[must_use]
    pub fn position(&self, score: &RfmScore) -> Option<usize> {
        if score.m.is_some() != self.m.is_some() {
            return None;
        }
        self.axes().zip(score.axes()).try_fold(0_usize, |cell, (n, score)| {
            let step = score.checked_sub(1).filter(|&step| step < n)? as usize;
            cell.checked_mul(n as usize)?.checked_add(step)
        })
    }

    /// The cell at a position.
    #[must_use]
    pub fn cell(&self, position: usize) -> Option<RfmScore> {
        if position as u64 >= self.n_cells() {
            return None;
        }
        let split = |rest: usize, n: u32| (rest / n as usize, (rest % n as usize) as u32);
        let (rest, m) = match self.m {
            Some(n) => {
                let (rest, m) = split(position, n);
                (rest, Some(m + 1))
            }
            None => (position, None),
        };
        let (rest, f) = split(rest, self.f);
        Some(RfmScore { r: rest as u32 + 1, f: f + 1, m })
    }

    /// All cells, in the order of their positions.
    pub fn cells(&self) -> impl Iterator<Item = RfmScore> + '_ {
        (0..self.n_cells() as usize).filter_map(|position| self.cell(position))
    }

    /// How many steps there are from a cell to the next better one on one axis: what the
    /// [`setbacks`](super::MapAudit::setbacks_on) of a map are out of. 0 for an axis that
    /// is not there.
    #[must_use]
    pub fn n_steps(&self, axis: Axis) -> u64 {
        match self.axes().nth(axis as usize) {
            Some(n @ 1..) => self.n_cells() / u64::from(n) * u64::from(n - 1),
            _ => 0,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        for n in self.axes() {
            super::quantile::check_n_tiles("scores of an axis", n.into())?;
        }
        if self.n_cells() > MOST_CELLS {
            let expected = format!("at most {MOST_CELLS}");
            return Err(Error::parameter("cells of the grid", expected, self.n_cells()));
        }
        Ok(())
    }

    /// The cell that a code of digits names, on a grid of up to 9 scores an axis.
    pub(super) fn decode(&self, code: u32) -> Option<RfmScore> {
        let score = match (self.m, code) {
            (Some(_), 100..=999) => RfmScore::new(code / 100, code / 10 % 10, code % 10),
            (None, 10..=99) => RfmScore::rf(code / 10, code % 10),
            _ => return None,
        };
        self.position(&score).map(|_| score)
    }
}

/// A block of cells: a range of scores for each axis. An axis without a range matches
/// every score.
///
/// ```
/// use segmenta::rfm::{CellRange, Grid, SegmentMap};
///
/// // Recency against the mean of frequency and monetary, 3 and more.
/// let map = SegmentMap::builder(Grid::rfm(5))
///     .range("Good", CellRange::all().r(3..=5).fm_sum(6..=10))
///     .otherwise("Other");
/// assert_eq!(map.audit().cells_of("Good"), Some(45));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRange {
    pub(super) r: Option<RangeInclusive<u32>>,
    pub(super) f: Option<RangeInclusive<u32>>,
    pub(super) m: Option<RangeInclusive<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fm_sum: Option<RangeInclusive<u32>>,
}

impl CellRange {
    /// All cells.
    #[must_use]
    pub fn all() -> CellRange {
        CellRange::default()
    }

    /// Narrows recency.
    #[must_use]
    pub fn r(mut self, scores: RangeInclusive<u32>) -> CellRange {
        self.r = Some(scores);
        self
    }

    /// Narrows frequency.
    #[must_use]
    pub fn f(mut self, scores: RangeInclusive<u32>) -> CellRange {
        self.f = Some(scores);
        self
    }

    /// Narrows monetary.
    #[must_use]
    pub fn m(mut self, scores: RangeInclusive<u32>) -> CellRange {
        self.m = Some(scores);
        self
    }

    /// Narrows the sum of frequency and monetary, which is twice their mean: some maps set
    /// recency against that mean.
    #[must_use]
    pub fn fm_sum(mut self, sums: RangeInclusive<u32>) -> CellRange {
        self.fm_sum = Some(sums);
        self
    }

    pub(super) fn contains(&self, cell: &RfmScore) -> bool {
        let holds = |range: &Option<RangeInclusive<u32>>, score: Option<u32>| {
            match (range, score) {
                (Some(range), Some(score)) => range.contains(&score),
                // A range of an axis that the grid does not have is found by `check`.
                _ => true,
            }
        };
        holds(&self.r, Some(cell.r))
            && holds(&self.f, Some(cell.f))
            && holds(&self.m, cell.m)
            && holds(&self.fm_sum, cell.m.map(|m| cell.f + m))
    }
}

/// The cell's code, or its scores where they have no code.
pub(super) fn show(cell: &RfmScore) -> String {
    match cell.code() {
        Some(code) => code.to_string(),
        None => cell.axes().map(|score| score.to_string()).collect::<Vec<_>>().join("-"),
    }
}
