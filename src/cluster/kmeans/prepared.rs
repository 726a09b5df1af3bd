//! Rows, and what all runs of a fit share.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::bounds::Bounds;
use super::candidates::Boxes;
use super::label::{Labels, Pass};
use super::means::Least;
use super::place::{Plan, place};
use super::rows::{Overview, Rows, Storage, squared};
use super::sums::{Scale, Sums};
use super::tiles::{Frame, Tiles};
use crate::error::Result;
use crate::parallel::map_blocks;

/// Rows of a block of a pass.
const BLOCK: usize = 1024;

/// Rows, and what all runs of a fit share.
#[derive(Debug)]
pub(super) struct Prepared<'a, T> {
    pub(super) rows: Rows<'a, T>,
    pub(super) tiles: Tiles,
    /// Where the tiles have the rows in spatial order. What goes by tiles speaks of *places*
    /// then, and which row stands in a place is another question.
    pub(super) placed: Option<Placed>,
    pub(super) scale: Scale,
    /// `Σ w ‖x − o‖²`, where o is the origin of the tiles.
    pub(super) squares: f64,
    /// Found when they are first asked for.
    pub(super) least: OnceLock<Least>,
}

/// Rows in spatial order.
#[derive(Debug)]
pub(super) struct Placed {
    /// Which row stands in a place.
    pub(super) order: Vec<u32>,
    /// Small and large boxes around the rows in some places.
    pub(super) boxes: [Boxes; 2],
}

/// Whether rows are brought into spatial order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// They stay as they are.
    Given,
    /// They are, if it pays.
    IfWorth(Plan),
    Spatial,
}

impl<'a, T: Storage> Prepared<'a, T> {
    /// All that the runs of a fit share, and what the rows look like. `more` are rows that
    /// are not counted but may be compared with.
    ///
    /// # Errors
    /// When a number is not finite, or a sum could overflow.
    pub(super) fn new(
        rows: Rows<'a, T>,
        more: &[f64],
        order: Order,
    ) -> Result<(Prepared<'a, T>, Overview)> {
        let mut sample = rows.sample();
        sample.extend_ranges(more);
        let frame = Frame::new(sample.mean, &sample.low, &sample.high);
        let order = match order {
            Order::Given => None,
            Order::IfWorth(plan) => place(rows, &frame, Some(plan)),
            Order::Spatial => place(rows, &frame, None),
        };
        let (tiles, mut overview, squares) = Tiles::new(rows, frame, order.as_deref());
        if !overview.is_finite() {
            rows.check_finite()?;
        }
        overview.extend_ranges(more);
        overview.check_range()?;
        let heaviest = (!rows.is_unweighted()).then_some(overview.heaviest);
        let scale = Scale::new(rows.len(), &overview.weighted_reach(), heaviest);
        let placed = order.map(|order| {
            let boxes = Boxes::of_tiles(&tiles, order.len());
            Placed { order, boxes }
        });
        let least = OnceLock::new();
        Ok((Prepared { rows, tiles, placed, scale, squares, least }, overview))
    }

    /// The row in a place.
    #[inline(always)]
    pub(super) fn row_in(&self, place: usize) -> usize {
        self.placed.as_ref().map_or(place, |placed| placed.order[place] as usize)
    }

    /// What belongs to the places, row by row.
    pub(super) fn by_row<'l>(&self, of_places: &'l [u32]) -> Cow<'l, [u32]> {
        let Some(placed) = &self.placed else { return Cow::Borrowed(of_places) };
        let mut of_rows = vec![0; of_places.len()];
        for (&row, &x) in placed.order.iter().zip(of_places) {
            of_rows[row as usize] = x;
        }
        Cow::Owned(of_rows)
    }

    /// The nearest centre of each row.
    pub(super) fn labels(&self, centers: &[f64]) -> Vec<u32> {
        let mut labels = Labels::new(self.rows.len());
        let n_clusters = centers.len() / self.rows.n_columns();
        let bounds = Bounds::new(n_clusters, &self.tiles, false);
        Pass::new(self, centers, &bounds, true).relabel(&mut labels);
        labels.sort_by_row(self);
        labels.labels
    }

    pub(super) fn mean(&self, sums: &Sums, cluster: usize, out: &mut [f64]) {
        sums.mean(&self.scale, cluster, out);
    }

    /// The squared distance of each row to its centre.
    pub(super) fn costs(&self, centers: &[f64], labels: &[u32]) -> Vec<f64> {
        let d = self.rows.n_columns();
        let cost =
            |i: usize| squared(self.rows.row(i), &centers[labels[i] as usize * d..][..d]);
        let blocks = map_blocks(labels.len(), BLOCK, |block| {
            block.map(cost).collect::<Vec<f64>>()
        });
        blocks.concat()
    }

    /// Sum of the weighted squared distances, block by block.
    pub(super) fn inertia(&self, centers: &[f64], labels: &[u32]) -> f64 {
        let d = self.rows.n_columns();
        let cost = |i: usize| {
            let center = &centers[labels[i] as usize * d..][..d];
            self.rows.weight(i) * squared(self.rows.row(i), center)
        };
        let blocks =
            map_blocks(labels.len(), BLOCK, |block| block.map(cost).sum::<f64>());
        blocks.into_iter().sum()
    }
}
