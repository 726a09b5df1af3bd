//! Rows ordered by group, in panels whose distances are computed side by side. The
//! distances of all pairs of rows pass by a few at a time and are never all in memory.

use std::ops::Range;

use super::points::{Groups, Points};
use crate::panels::{LANES, Panels, squares};

/// Rows that one task takes: each panel is read once for all of them.
pub(super) const TASK: usize = 16;

/// All rows, ordered by group. Needs as much memory as the rows.
#[derive(Debug)]
pub(super) struct Sorted<'p, 'm> {
    points: &'p Points<'m>,
    /// The row at each position.
    pub(super) order: Vec<usize>,
    /// The group at each position, ascending.
    pub(super) codes: Vec<usize>,
    panels: Panels,
}

impl<'p, 'm> Sorted<'p, 'm> {
    pub(super) fn new(points: &'p Points<'m>, groups: &Groups) -> Sorted<'p, 'm> {
        let n = points.n_rows();
        let mut next = Vec::with_capacity(groups.len());
        let mut start = 0;
        for size in &groups.sizes {
            next.push(start);
            start += size;
        }
        let (mut order, mut codes) = (vec![0; n], vec![0; n]);
        for (row, &code) in groups.codes.iter().enumerate() {
            (order[next[code]], codes[next[code]]) = (row, code);
            next[code] += 1;
        }
        let panels =
            Panels::new(n, points.n_columns(), |position| points.row(order[position]));
        Sorted { points, order, codes, panels }
    }

    /// The row at a position.
    pub(super) fn row(&self, position: usize) -> &[f64] {
        self.points.row(self.order[position])
    }

    pub(super) fn n_columns(&self) -> usize {
        self.points.n_columns()
    }

    /// The groups of the rows of a panel, and its features. The last panel may have fewer
    /// groups than lanes; the other lanes mean nothing.
    #[inline(always)]
    pub(super) fn panel(&self, p: usize) -> (&[usize], &[[f64; LANES]]) {
        let end = self.codes.len().min((p + 1) * LANES);
        (&self.codes[p * LANES..end], self.panels.panel(p))
    }

    /// Shows `visit` the squared distances from the rows at `positions` to each panel
    /// from number `first` on: the place within `positions`, the groups of the panel's
    /// rows, and the distances, of which those beyond the groups mean nothing.
    #[inline(always)]
    pub(super) fn visit(
        &self,
        positions: Range<usize>,
        first: usize,
        mut visit: impl FnMut(usize, &[usize], &[f64; LANES]),
    ) {
        for p in first..self.codes.len().div_ceil(LANES) {
            let (codes, panel) = self.panel(p);
            for (place, position) in positions.clone().enumerate() {
                visit(place, codes, &squares(self.row(position), panel));
            }
        }
    }
}

/// The group of all rows of a full panel, if they are in the same one.
#[inline(always)]
pub(super) fn common_group(codes: &[usize]) -> Option<usize> {
    let (first, last) = (codes.first()?, codes.last()?);
    (codes.len() == LANES && first == last).then_some(*first)
}
