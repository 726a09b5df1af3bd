//! The distances of all pairs of rows, a few at a time, never all of them in memory.

use std::ops::Range;

use super::points::{Groups, Points};

/// Rows in one panel. Their distances from a row are computed side by side.
pub(super) const LANES: usize = 8;

/// Rows that one task takes: each panel is read once for all of them.
pub(super) const TASK: usize = 16;

/// All rows, ordered by group, in panels of [`LANES`] rows with a feature's values side
/// by side. Needs as much memory as the rows.
#[derive(Debug)]
pub(super) struct Panels<'p, 'm> {
    points: &'p Points<'m>,
    /// The row at each position.
    pub(super) order: Vec<usize>,
    /// The group at each position, ascending.
    pub(super) codes: Vec<usize>,
    panels: Vec<[f64; LANES]>,
}

impl<'p, 'm> Panels<'p, 'm> {
    pub(super) fn new(points: &'p Points<'m>, groups: &Groups) -> Panels<'p, 'm> {
        let (n, d) = (points.n_rows(), points.n_columns());
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&row| groups.codes[row]);
        let codes = order.iter().map(|&row| groups.codes[row]).collect();
        let mut panels = vec![[0.0; LANES]; n.div_ceil(LANES) * d];
        for (position, &row) in order.iter().enumerate() {
            let panel = &mut panels[position / LANES * d..][..d];
            for (lanes, &value) in panel.iter_mut().zip(points.row(row)) {
                lanes[position % LANES] = value;
            }
        }
        Panels { points, order, codes, panels }
    }

    /// Shows `visit` the squared distances from the rows at `positions` to each panel
    /// from number `first` on: the place within `positions`, the groups of the panel's
    /// rows, and the distances. The last panel may have fewer groups than distances; the
    /// rest means nothing.
    pub(super) fn visit(
        &self,
        positions: Range<usize>,
        first: usize,
        mut visit: impl FnMut(usize, &[usize], &[f64; LANES]),
    ) {
        let d = self.points.n_columns();
        for (p, codes) in self.codes.chunks(LANES).enumerate().skip(first) {
            let panel = &self.panels[p * d..(p + 1) * d];
            for (place, position) in positions.clone().enumerate() {
                let row = self.points.row(self.order[position]);
                let mut squares = [0.0; LANES];
                for (x, lanes) in row.iter().zip(panel) {
                    for (square, y) in squares.iter_mut().zip(lanes) {
                        *square += (x - y) * (x - y);
                    }
                }
                visit(place, codes, &squares);
            }
        }
    }
}

/// The group of all rows of a full panel, if they are in the same one.
pub(super) fn common_group(codes: &[usize]) -> Option<usize> {
    let (first, last) = (codes.first()?, codes.last()?);
    (codes.len() == LANES && first == last).then_some(*first)
}
