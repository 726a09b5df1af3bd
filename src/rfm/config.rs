//! The configuration of an RFM segmentation.

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::map::SegmentMap;
use super::quantile::{TiePolicy, check_policy};
use crate::error::{Error, ErrorKind, Result};
use crate::score::Direction;

/// An axis of RFM.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Time since the last purchase.
    Recency,
    /// Number of purchases.
    Frequency,
    /// Money spent.
    Monetary,
}

impl Axis {
    pub(super) const ALL: [Axis; 3] = [Axis::Recency, Axis::Frequency, Axis::Monetary];

    /// The axis's name: `recency`, `frequency`, `monetary`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Axis::Recency => "recency",
            Axis::Frequency => "frequency",
            Axis::Monetary => "monetary",
        }
    }

    const fn ties_parameter(self) -> &'static str {
        match self {
            Axis::Recency => "recency ties",
            Axis::Frequency => "frequency ties",
            Axis::Monetary => "monetary ties",
        }
    }
}

/// Scores customers on recency, frequency and monetary, and names the cells (Hughes 1994,
/// *Strategic Database Marketing*).
///
/// It implements [`Fit`](crate::Fit); [`score_table`](Rfm::score_table) gives the scores
/// without names. Segments come in the order of the map, not by size: the names have an
/// order of their own. All columns are needed for all customers.
///
/// Scores go by the customers of the table, so that refitting moves the cut points: a
/// fitted [`RfmModel`](super::RfmModel), or [`TiePolicy::CutPoints`], keeps scores
/// comparable over time. With a policy that
/// [splits ties](TiePolicy::splits_ties) the model cannot give the rows it was fitted to
/// their own scores again, and says so in its capabilities.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::rfm::{Rfm, SegmentMap, TiePolicy};
/// use segmenta::score::RfmScore;
///
/// let schema = Schema::new([FeatureSpec::number("days"), FeatureSpec::number("orders")])?;
/// let table = Table::builder(&schema, 5)
///     .numbers("days", &[300.0, 5.0, 40.0, 90.0, 12.0][..])
///     .numbers("orders", &[1.0, 9.0, 1.0, 2.0, 4.0][..])
///     .build()?;
/// let rfm = Rfm::rf().recency("days").frequency("orders").ties(TiePolicy::MidRank);
/// let scores = rfm.score_table(&table)?;
/// assert_eq!(scores.scores()[0], RfmScore::rf(1, 2));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rfm {
    columns: Vec<Column>,
    map: SegmentMap,
    nested: bool,
}

/// One axis: where its values are, and how they are scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) feature: String,
    pub(super) n_tiles: u32,
    pub(super) ties: TiePolicy,
    pub(super) direction: Direction,
}

impl Default for Rfm {
    fn default() -> Rfm {
        Rfm::new()
    }
}

impl Rfm {
    /// Quintiles of `recency` (lower is better), `frequency` and `monetary`, ties sharing
    /// a score, with the names of [`SegmentMap::eleven_segments`].
    #[must_use]
    pub fn new() -> Rfm {
        let column = |axis: Axis| Column {
            feature: axis.name().to_owned(),
            n_tiles: 5,
            ties: TiePolicy::SameScore,
            direction: match axis {
                Axis::Recency => Direction::LowerIsBetter,
                Axis::Frequency | Axis::Monetary => Direction::HigherIsBetter,
            },
        };
        Rfm {
            columns: Axis::ALL.map(column).into(),
            map: SegmentMap::eleven_segments(),
            nested: false,
        }
    }

    /// The same without the monetary axis, with the names of [`SegmentMap::rf_grid`].
    #[must_use]
    pub fn rf() -> Rfm {
        Rfm { map: SegmentMap::rf_grid(), ..Rfm::new().without_monetary() }
    }

    fn change(mut self, axis: Axis, change: impl FnOnce(&mut Column)) -> Rfm {
        if let Some(column) = self.columns.get_mut(axis as usize) {
            change(column);
        }
        self
    }

    /// The feature that holds the recency: by default days since the last purchase.
    #[must_use]
    pub fn recency(self, feature: impl Into<String>) -> Rfm {
        self.change(Axis::Recency, |c| c.feature = feature.into())
    }

    /// The feature that holds the frequency.
    #[must_use]
    pub fn frequency(self, feature: impl Into<String>) -> Rfm {
        self.change(Axis::Frequency, |c| c.feature = feature.into())
    }

    /// The feature that holds the money. It changes nothing without a monetary axis.
    #[must_use]
    pub fn monetary(self, feature: impl Into<String>) -> Rfm {
        self.change(Axis::Monetary, |c| c.feature = feature.into())
    }

    /// Leaves the monetary axis out; the map must then be one of recency and frequency.
    #[must_use]
    pub fn without_monetary(mut self) -> Rfm {
        self.columns.truncate(2);
        self
    }

    /// Which recency is good: the lower one, unless it is stated as, say, a day's number.
    #[must_use]
    pub fn recency_direction(self, direction: Direction) -> Rfm {
        self.change(Axis::Recency, |c| c.direction = direction)
    }

    /// How many scores every axis has; the map must fit.
    #[must_use]
    pub fn n_tiles(mut self, n_tiles: u32) -> Rfm {
        self.columns.iter_mut().for_each(|c| c.n_tiles = n_tiles);
        self
    }

    /// How many scores one axis has; the map must fit. It changes nothing for an axis
    /// that was left out.
    #[must_use]
    pub fn axis_n_tiles(self, axis: Axis, n_tiles: u32) -> Rfm {
        self.change(axis, |c| c.n_tiles = n_tiles)
    }

    /// How values become scores on every axis.
    #[must_use]
    pub fn ties(mut self, policy: TiePolicy) -> Rfm {
        self.columns.iter_mut().for_each(|c| c.ties = policy.clone());
        self
    }

    /// How values become scores on one axis. It changes nothing for an axis that was left
    /// out.
    #[must_use]
    pub fn axis_ties(self, axis: Axis, policy: TiePolicy) -> Rfm {
        self.change(axis, |c| c.ties = policy)
    }

    /// Scores frequency among the customers of one recency score, and monetary among those
    /// of one recency and frequency score, instead of among all.
    ///
    /// Cells are then nearly equal in size, but a frequency of 4 means different things
    /// in different rows of the grid. A cell of scores that nobody has takes the cut points
    /// of all customers.
    #[must_use]
    pub fn nested(mut self, nested: bool) -> Rfm {
        self.nested = nested;
        self
    }

    /// The names of the cells.
    #[must_use]
    pub fn segments(mut self, map: SegmentMap) -> Rfm {
        self.map = map;
        self
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn map(&self) -> &SegmentMap {
        &self.map
    }

    pub(super) fn is_nested(&self) -> bool {
        self.nested
    }

    /// The checks that scoring needs.
    pub(super) fn validate_axes(&self) -> Result<()> {
        if !(2..=3).contains(&self.columns.len()) {
            return Err(Error::parameter("columns", "2 or 3", self.columns.len()));
        }
        for (at, (column, axis)) in self.columns.iter().zip(Axis::ALL).enumerate() {
            check_policy(axis.ties_parameter(), &column.ties, column.n_tiles)?;
            if self.columns[..at].iter().any(|other| other.feature == column.feature) {
                let name = column.feature.clone();
                return Err(ErrorKind::DuplicateName { what: "feature", name }.into());
            }
        }
        if self.nested {
            // Cut points are kept for every cell.
            let tiles = |axis: usize| self.columns.get(axis).map(|c| c.n_tiles);
            let [r, f] = [tiles(0), tiles(1)].map(|n| n.unwrap_or(1));
            Grid::new(r, f, tiles(2)).check()?;
        }
        Ok(())
    }

    /// The checks that naming needs on top.
    pub(super) fn validate_all(&self) -> Result<()> {
        self.validate_axes()?;
        let scores: Vec<u32> = self.columns.iter().map(|c| c.n_tiles).collect();
        check_grid(self.map.grid(), &scores)
    }
}

/// Checks that a map is made for these numbers of scores.
pub(super) fn check_grid(grid: Grid, scores: &[u32]) -> Result<()> {
    if grid.axes().eq(scores.iter().copied()) {
        return Ok(());
    }
    let show = |scores: &mut dyn Iterator<Item = u32>| {
        scores.map(|n| n.to_string()).collect::<Vec<_>>().join(" x ")
    };
    Err(Error::parameter(
        "segments",
        format!("a map of {} scores", show(&mut scores.iter().copied())),
        format!("one of {}", show(&mut grid.axes())),
    ))
}
