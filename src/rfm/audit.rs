//! What can be wrong with a segment map, listed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::Axis;
use super::grid::show;
use crate::score::RfmScore;

/// What a map, or the definition of one, says about every cell.
///
/// `Display` prints it, a line for each finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MapAudit {
    /// How many cells the grid has.
    pub n_cells: usize,
    /// How many cells each segment has, in the order of the segments.
    pub sizes: Vec<(String, usize)>,
    /// Cells that no segment claims.
    pub gaps: Vec<RfmScore>,
    /// Cells that several segments claim.
    pub overlaps: Vec<Overlap>,
    /// Segments without a cell of their own when the first claim wins.
    pub unreachable: Vec<String>,
    /// Steps to a better score on one axis that lead to a segment further down the list.
    /// Where segments are listed best first this says that the customer's name gets worse
    /// as she gets better; some such steps are meant (from `At Risk` to `Cannot Lose
    /// Them`).
    pub setbacks: Vec<Step>,
}

/// A cell that several segments claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overlap {
    /// The cell.
    pub cell: RfmScore,
    /// The names that claim it, first claim first.
    pub segments: Vec<String>,
}

/// One step from a cell to the next better one on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The cell before.
    pub from: RfmScore,
    /// The cell after.
    pub to: RfmScore,
}

impl MapAudit {
    pub(super) fn sized(n_cells: usize, sizes: Vec<(String, usize)>) -> MapAudit {
        let unreachable =
            sizes.iter().filter(|(_, n)| *n == 0).map(|(name, _)| name.clone()).collect();
        MapAudit {
            n_cells,
            sizes,
            gaps: Vec::new(),
            overlaps: Vec::new(),
            unreachable,
            setbacks: Vec::new(),
        }
    }

    pub(super) fn push_overlap(&mut self, cell: RfmScore, segments: Vec<String>) {
        self.overlaps.push(Overlap { cell, segments });
    }

    /// True when every cell has exactly one segment and every segment a cell.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.gaps.is_empty() && self.overlaps.is_empty() && self.unreachable.is_empty()
    }

    /// How many of the [`setbacks`](MapAudit::setbacks) are steps on this axis, out of
    /// [`Grid::n_steps`](super::Grid::n_steps).
    #[must_use]
    pub fn setbacks_on(&self, axis: Axis) -> usize {
        let score = |cell: &RfmScore| cell.axes().nth(axis as usize);
        self.setbacks.iter().filter(|step| score(&step.from) < score(&step.to)).count()
    }

    /// How many cells a segment has.
    #[must_use]
    pub fn cells_of(&self, name: &str) -> Option<usize> {
        self.sizes.iter().find(|(known, _)| known == name).map(|&(_, n)| n)
    }
}

impl fmt::Display for MapAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cells: {} without a segment, {} with several; {} segments without a cell",
            self.n_cells,
            self.gaps.len(),
            self.overlaps.len(),
            self.unreachable.len(),
        )?;
        for (name, n) in &self.sizes {
            writeln!(f, "  {name}: {n}")?;
        }
        for cell in &self.gaps {
            writeln!(f, "  gap: {}", show(cell))?;
        }
        for overlap in &self.overlaps {
            let names = overlap.segments.join(", ");
            writeln!(f, "  overlap: {} is {names}", show(&overlap.cell))?;
        }
        for step in &self.setbacks {
            writeln!(f, "  setback: {} to {}", show(&step.from), show(&step.to))?;
        }
        Ok(())
    }
}
