//! The grid of recency and frequency as data for a picture.

use serde::{Deserialize, Serialize};

use super::grid::show;
use super::map::SegmentMap;
use crate::data::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::score::{RfmScore, numbers_of};
use crate::segmenter::SegmentIndex;

/// Who is where on the grid of recency and frequency, and what they spend: a heat map's
/// numbers, for any program that draws.
///
/// A customer of weight 2 counts twice in shares and means, and one of weight 0 not at all.
///
/// ```
/// use segmenta::data::{FeatureSpec, Schema, Table};
/// use segmenta::rfm::{Rfm, RfGrid, SegmentMap};
///
/// let specs = ["recency", "frequency", "spend"].map(FeatureSpec::number);
/// let table = Table::builder(&Schema::new(specs)?, 5)
///     .numbers("recency", vec![300.0, 5.0, 40.0, 90.0, 12.0])
///     .numbers("frequency", vec![1.0, 9.0, 2.0, 3.0, 4.0])
///     .numbers("spend", vec![10.0, 900.0, 40.0, 60.0, 100.0])
///     .build()?;
/// let scores = Rfm::rf().score_table(&table)?;
/// let grid = RfGrid::of(&SegmentMap::rf_grid(), scores.scores(), &table, Some("spend"))?;
/// let best = grid.cell(5, 5).expect("a cell of the grid");
/// assert_eq!((best.name(), best.n, best.mean_money), ("Champions", 1, Some(900.0)));
/// # Ok::<(), segmenta::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RfGrid {
    /// How many scores recency has.
    pub r_scores: u32,
    /// How many scores frequency has.
    pub f_scores: u32,
    /// All cells, those of nobody too: by recency, then by frequency, ascending.
    pub cells: Vec<RfCell>,
}

/// One cell of an [`RfGrid`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RfCell {
    /// Its recency score.
    pub r: u32,
    /// Its frequency score.
    pub f: u32,
    /// How many customers are in it.
    pub n: u64,
    /// Their share of all customers, 0 to 1.
    pub share: f64,
    /// The mean of their money; `None` in a cell of nobody, and where none was asked for.
    pub mean_money: Option<f64>,
    /// The segments that the map has in this cell, in the order of the map: one, or several
    /// where the monetary score decides.
    pub segments: Vec<CellSegment>,
}

/// A segment within an [`RfCell`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CellSegment {
    /// The position of the segment in the map.
    pub segment: SegmentIndex,
    /// Its name.
    pub name: String,
    /// How many of the cell's customers are in it.
    pub n: u64,
    /// How many monetary scores it has here; 1 without a monetary axis.
    pub n_scores: u32,
}

impl RfCell {
    /// The name for the picture: that of the segment with most of the cell's customers, in a
    /// cell of nobody with most monetary scores; of several the first of the map.
    #[must_use]
    pub fn name(&self) -> &str {
        let most = self.segments.iter().rev().max_by_key(|s| (s.n, s.n_scores));
        most.map_or("", |segment| &segment.name)
    }
}

impl RfGrid {
    /// Counts the customers of a table by their scores, one for each row, and takes the mean
    /// of the feature `money` where one is named.
    ///
    /// # Errors
    /// When there is not one score for each row, a score is not of the map's grid (the error
    /// names the row), the table has no such feature, it is not a number, or a value is
    /// missing. Undefined when a sum passes the range of numbers.
    pub fn of(
        map: &SegmentMap,
        scores: &[RfmScore],
        table: &Table<'_>,
        money: Option<&str>,
    ) -> Result<RfGrid> {
        if scores.len() != table.len() {
            return Err(Error::length("the list of scores", table.len(), scores.len()));
        }
        let money = match money {
            Some(name) => Some(numbers_of(table, table.schema().require(name)?)?),
            None => None,
        };
        let mut grid = RfGrid::empty(map);
        let weight = |row: usize| table.sample_weight().map_or(1.0, |w| w[row]);
        let mut weights = vec![0.0_f64; grid.cells.len()];
        let mut sums = weights.clone();
        for (row, score) in scores.iter().enumerate() {
            let (Some(at), Some(segment)) = (grid.place(score), map.segment(score))
            else {
                return Err(ErrorKind::Value {
                    expected: "a cell of the map's grid".into(),
                    found: show(score),
                    row: Some(row),
                }
                .into());
            };
            if weight(row) > 0.0 {
                let cell = &mut grid.cells[at];
                cell.n += 1;
                weights[at] += weight(row);
                sums[at] += money.as_ref().map_or(0.0, |money| weight(row) * money[row]);
                if let Ok(at) =
                    cell.segments.binary_search_by_key(&segment, |s| s.segment)
                {
                    cell.segments[at].n += 1;
                }
            }
        }
        let total: f64 = weights.iter().sum();
        if !(total.is_finite() && sums.iter().all(|sum| sum.is_finite())) {
            let reason = "sums of weights or money pass the range of numbers";
            return Err(Error::undefined("the grid of recency and frequency", reason));
        }
        for (cell, (weight, sum)) in grid.cells.iter_mut().zip(weights.iter().zip(sums)) {
            if cell.n > 0 {
                cell.share = (weight / total).min(1.0);
                cell.mean_money = money.is_some().then(|| sum / weight);
            }
        }
        Ok(grid)
    }

    /// The grid of a map with nobody in it.
    fn empty(map: &SegmentMap) -> RfGrid {
        let all = map.grid();
        let mut grid = RfGrid { r_scores: all.r, f_scores: all.f, cells: Vec::new() };
        for cell in all.cells() {
            // Cells of one recency and frequency follow each other.
            let starts = cell.m.is_none_or(|m| m == 1);
            if starts {
                grid.cells.push(RfCell {
                    r: cell.r,
                    f: cell.f,
                    n: 0,
                    share: 0.0,
                    mean_money: None,
                    segments: Vec::new(),
                });
            }
            if let (Some(last), Some(segment)) =
                (grid.cells.last_mut(), map.segment(&cell))
            {
                match last.segments.iter_mut().find(|s| s.segment == segment) {
                    Some(known) => known.n_scores += 1,
                    None => {
                        let name = map.segments()[segment.get()].name.clone();
                        last.segments.push(CellSegment {
                            segment,
                            name,
                            n: 0,
                            n_scores: 1,
                        });
                    }
                }
            }
        }
        grid.cells.iter_mut().for_each(|cell| cell.segments.sort_by_key(|s| s.segment));
        grid
    }

    /// The place of a score's cell; `None` when it is outside.
    fn place(&self, score: &RfmScore) -> Option<usize> {
        let step = |score: u32, n: u32| score.checked_sub(1).filter(|&step| step < n);
        let (r, f) = (step(score.r, self.r_scores)?, step(score.f, self.f_scores)?);
        Some(r as usize * self.f_scores as usize + f as usize)
    }

    /// A cell by its scores.
    #[must_use]
    pub fn cell(&self, r: u32, f: u32) -> Option<&RfCell> {
        self.cells.get(self.place(&RfmScore::rf(r, f))?)
    }
}
