//! An order of the rows in which neighbours in space are neighbours in memory: that of the
//! leaves of a k-d tree (Bentley 1975).

use super::candidates::{BOX, Boxes, Centers, Find, Found};
use super::rows::{Rows, Storage};
use super::scan::Scorer;
use super::tiles::{Frame, LANES};
use crate::parallel::{join, map_blocks, map_blocks_mut};
use crate::simd;

/// So few rows stay as they are.
const FEW: usize = 1 << 14;

/// Rows of a cell: their numbers fit into a cache, and few boxes belong to two of them.
const CELL: usize = 1024;

/// Rows by which the cells are laid out: some in each of them.
const SAMPLE: usize = 1 << 14;
const SAMPLED: usize = 16;

/// Rows whose cells are found by one task.
const BLOCK: usize = 1 << 14;

/// Rows that are asked for before they are needed.
const AHEAD: usize = 16;

/// Cells in which it is tried out what an order would bring.
const TRIED: usize = 8;

/// What is to be done with the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) n_clusters: usize,
    /// Passes over the rows.
    pub(super) n_passes: f64,
}

impl Plan {
    /// Whether an order takes less time than it saves, if so large a share of the centres is
    /// compared with the rows of a box.
    ///
    /// In nanoseconds for a row, on two cores of a Zen 4: to bring rows into order takes
    /// `40 + 8 d`; a pass `k (0.028 + 0.011 d)`, and over boxes 0.5 and somewhat more than the
    /// share of it.
    fn pays(&self, d: usize, share: f64) -> bool {
        let d = d as f64;
        let pass = self.n_clusters as f64 * (0.028 + 0.011 * d);
        self.n_passes * (pass * (1.0 - 1.3 * share) - 0.5) > 40.0 + 8.0 * d
    }
}

/// The rows in spatial order. `None` where that would not pay for this plan: it is tried out
/// in a few places.
pub(super) fn place<T: Storage>(
    rows: Rows<'_, T>,
    frame: &Frame,
    plan: Option<Plan>,
) -> Option<Vec<u32>> {
    let d = rows.n_columns();
    if plan.is_some_and(|plan| rows.len() < FEW || !plan.pays(d, 0.0)) {
        return None;
    }
    let cells = Cells::new(rows);
    let (mut order, starts) = cells.sort(rows);
    let mut slices = Vec::with_capacity(starts.len());
    let mut rest = &mut order[..];
    for (cell, &start) in starts.iter().enumerate() {
        let end = starts.get(cell + 1).copied().unwrap_or(rows.len());
        let (slice, after) = rest.split_at_mut(end - start);
        slices.push((start, slice));
        rest = after;
    }
    let n_tried = plan.map_or(0, |_| TRIED.min(slices.len()));
    let step = slices.len() / n_tried.max(1);
    // The cells that are tried out come first.
    for at in 0..n_tried {
        slices.swap(at, at * step);
    }
    let sort = |slices: &mut [(usize, &mut [u32])]| {
        map_blocks_mut(slices, 1, |_, slices| {
            for (start, slice) in slices {
                sort_cell(rows, frame, *start, slice);
            }
        });
    };
    sort(&mut slices[..n_tried]);
    if let Some(plan) = plan {
        let tried: Vec<&[u32]> =
            slices[..n_tried].iter().map(|(_, slice)| &**slice).collect();
        if !plan.pays(d, share(rows, frame, plan.n_clusters, &tried)) {
            return None;
        }
    }
    sort(&mut slices[n_tried..]);
    Some(order)
}

/// What share of as many centres, rows for want of better ones, is compared with the rows of
/// a box of these cells.
fn share<T: Storage>(
    rows: Rows<'_, T>,
    frame: &Frame,
    n_clusters: usize,
    cells: &[&[u32]],
) -> f64 {
    let (n, d) = (rows.len(), rows.n_columns());
    let places = (0..n_clusters).map(|c| c * (n / n_clusters));
    let centers: Vec<f64> = places.flat_map(|i| rows.row(i)).map(|&x| x.into()).collect();
    let centers = Centers::new(&centers, frame, &Scorer::new(&centers, frame));
    let shares = map_blocks(cells.len(), 1, |cells_of| {
        let (mut share, mut weight) = (0.0, 0.0);
        let mut found = Found::default();
        let mut tiles = vec![[0.0; LANES]; d * BOX / LANES];
        for rows_of in cells[cells_of].iter().flat_map(|cell| cell.chunks(BOX)) {
            for (at, &i) in rows_of.iter().enumerate() {
                let tile = &mut tiles[at / LANES * d..][..d];
                frame.fill_lane(rows.row(i as usize), at % LANES, tile);
            }
            let boxes = &Boxes::one(&tiles, rows_of.len(), d);
            simd::run_wide(Find { centers: &centers, boxes, found: &mut found });
            share += (found.places.len() * rows_of.len()) as f64;
            weight += (rows_of.len() * n_clusters) as f64;
        }
        (share, weight)
    });
    let (share, weight) =
        shares.into_iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    share / weight
}

/// A complete tree of cuts, whose leaves have about as many rows each.
struct Cells<T> {
    depth: u32,
    /// The column that a node is cut in, and where: what is not below goes right. The
    /// children of node `i` are `2 i` and `2 i + 1`; the first one is node 1.
    columns: Vec<u32>,
    cuts: Vec<T>,
}

impl<T: Storage> Cells<T> {
    fn new(rows: Rows<'_, T>) -> Cells<T> {
        let step = rows.len().div_ceil(SAMPLE).max(1);
        let mut sample: Vec<u32> = (0..rows.len() as u32).step_by(step).collect();
        let n_cells = (rows.len() / CELL).min(sample.len() / SAMPLED).max(1);
        let depth = n_cells.ilog2();
        let zero = rows.row(0)[0];
        let mut cells =
            Cells { depth, columns: vec![0; 1 << depth], cuts: vec![zero; 1 << depth] };
        for (node, column, cut) in cuts(rows, depth, 1, &mut sample) {
            cells.columns[node] = column;
            cells.cuts[node] = cut;
        }
        cells
    }

    fn cell(&self, row: &[T]) -> u16 {
        let mut node = 1;
        for _ in 0..self.depth {
            let x: f64 = row[self.columns[node] as usize].into();
            node = 2 * node + usize::from(x >= self.cuts[node].into());
        }
        (node - (1 << self.depth)) as u16
    }

    /// The rows, cell by cell, and where each cell starts.
    fn sort(&self, rows: Rows<'_, T>) -> (Vec<u32>, Vec<usize>) {
        let blocks = map_blocks(rows.len(), BLOCK, |block| {
            block.map(|i| self.cell(rows.row(i))).collect::<Vec<u16>>()
        });
        let mut counts = vec![0; 1 << self.depth];
        blocks.iter().flatten().for_each(|&cell| counts[usize::from(cell)] += 1);
        let mut next = 0;
        let starts: Vec<usize> = counts
            .iter()
            .map(|count| {
                next += count;
                next - count
            })
            .collect();
        let mut places = starts.clone();
        let mut order = vec![0; rows.len()];
        for (i, &cell) in blocks.iter().flatten().enumerate() {
            let place = &mut places[usize::from(cell)];
            order[*place] = i as u32;
            *place += 1;
        }
        (order, starts)
    }
}

/// The cuts of a node and of all below it.
fn cuts<T: Storage>(
    rows: Rows<'_, T>,
    depth: u32,
    node: usize,
    sample: &mut [u32],
) -> Vec<(usize, u32, T)> {
    if node >> depth > 0 || sample.is_empty() {
        return Vec::new();
    }
    let d = rows.n_columns();
    let value = |i: u32, j: usize| -> f64 { rows.row(i as usize)[j].into() };
    let (mut low, mut high) = (vec![f64::INFINITY; d], vec![f64::NEG_INFINITY; d]);
    for &i in &*sample {
        for j in 0..d {
            let x = value(i, j);
            low[j] = if x < low[j] { x } else { low[j] };
            high[j] = if x > high[j] { x } else { high[j] };
        }
    }
    let width = |j: usize| high[j] - low[j];
    let widest = (0..d).fold(0, |a, b| if width(b) > width(a) { b } else { a });
    let order =
        |a: &u32, b: &u32| value(*a, widest).total_cmp(&value(*b, widest)).then(a.cmp(b));
    let middle = sample.len() / 2;
    let cut = *sample.select_nth_unstable_by(middle, order).1;
    // Both sides get rows if there are two values: where the middle one is the least, what is
    // larger goes right.
    let is_least = value(cut, widest) <= low[widest];
    let larger = |&&i: &&u32| value(i, widest) > low[widest];
    let cut =
        match is_least.then(|| sample.iter().filter(larger).min_by(|a, b| order(a, b))) {
            Some(next) => next.copied().unwrap_or(cut),
            None => cut,
        };
    let from = value(cut, widest);
    let mut at = 0;
    for i in 0..sample.len() {
        if value(sample[i], widest) < from {
            sample.swap(at, i);
            at += 1;
        }
    }
    let (left, right) = sample.split_at_mut(at);
    let (mut all, mut rest) = join(
        || cuts(rows, depth, 2 * node, left),
        || cuts(rows, depth, 2 * node + 1, right),
    );
    all.append(&mut rest);
    all.push((node, widest as u32, rows.row(cut as usize)[widest]));
    all
}

/// Brings the rows of a cell, which starts at this place of the order, into theirs.
fn sort_cell<T: Storage>(
    rows: Rows<'_, T>,
    frame: &Frame,
    start: usize,
    order: &mut [u32],
) {
    let d = rows.n_columns();
    let mut numbers = Vec::with_capacity(order.len() * d);
    for (at, &i) in order.iter().enumerate() {
        if let Some(&soon) = order.get(at + AHEAD) {
            simd::prefetch(rows.row(soon as usize));
        }
        let row = rows.row(i as usize).iter().enumerate();
        numbers.extend(row.map(|(j, &x)| frame.place(j, x.into()) as f32));
    }
    let mut keys: Vec<u64> = (0..order.len() as u64).collect();
    Cell { numbers: &numbers, d, low: vec![0.0; d], high: vec![0.0; d] }
        .sort(start, &mut keys);
    let sorted: Vec<u32> = keys.iter().map(|&key| order[key as u32 as usize]).collect();
    order.copy_from_slice(&sorted);
}

struct Cell<'a> {
    /// Row-major.
    numbers: &'a [f32],
    d: usize,
    low: Vec<f32>,
    high: Vec<f32>,
}

impl Cell<'_> {
    /// Sorts rows, the low halves of keys, that begin at a place of the order. They are
    /// divided where boxes begin, so that a box is a leaf.
    fn sort(&mut self, start: usize, keys: &mut [u64]) {
        let Some(middle) = middle(start, keys.len()) else { return };
        let d = self.d;
        self.low.fill(f32::INFINITY);
        self.high.fill(f32::NEG_INFINITY);
        for &key in &*keys {
            let row = &self.numbers[key as u32 as usize * d..][..d];
            for (&x, (low, high)) in
                row.iter().zip(self.low.iter_mut().zip(&mut self.high))
            {
                *low = if x < *low { x } else { *low };
                *high = if x > *high { x } else { *high };
            }
        }
        let width = |j: usize| self.high[j] - self.low[j];
        let widest = (0..d).fold(0, |a, b| if width(b) > width(a) { b } else { a });
        if width(widest) > 0.0 {
            for key in &mut *keys {
                let row = *key as u32;
                let x = self.numbers[row as usize * d + widest];
                *key = u64::from(ascending(x)) << 32 | u64::from(row);
            }
            keys.select_nth_unstable(middle);
        }
        let (left, right) = keys.split_at_mut(middle);
        self.sort(start, left);
        self.sort(start + middle, right);
    }
}

/// Bits in the order of the numbers.
fn ascending(x: f32) -> u32 {
    let bits = x.to_bits();
    bits ^ (((bits as i32 >> 31) as u32) | 1 << 31)
}

/// How many of `len` rows from this place on are left of the place between two boxes that
/// divides them: the one that the highest power of two divides. `None` where there is none.
fn middle(start: usize, len: usize) -> Option<usize> {
    let (first, end) = (start / BOX + 1, (start + len).div_ceil(BOX));
    // The places strictly inside are boxes `first` up to, not including, `end`.
    if first >= end {
        return None;
    }
    let mut step = 1_usize << (end - 1).ilog2();
    while (end - 1) / step * step < first {
        step /= 2;
    }
    Some((end - 1) / step * step * BOX - start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn rows_are_divided_between_boxes() {
        assert_eq!(middle(0, BOX), None);
        assert_eq!(middle(5, BOX - 5), None);
        assert_eq!(middle(0, BOX + 1), Some(BOX));
        assert_eq!(middle(5, BOX), Some(BOX - 5));
        assert_eq!(middle(0, 16 * BOX), Some(8 * BOX));
        assert_eq!(middle(3 * BOX - 1, 4 * BOX), Some(BOX + 1));
        for start in 0..3 * BOX {
            for len in 1..5 * BOX {
                let all = (start + 1..start + len).filter(|at| at % BOX == 0);
                let best = all.map(usize::trailing_zeros).max();
                let found = middle(start, len).map(|m| start + m);
                assert_eq!(found.map(usize::trailing_zeros), best, "{start} {len}");
                assert!(found.is_none_or(|at| start < at && at < start + len));
            }
        }
    }

    #[test]
    fn bits_are_in_the_order_of_their_numbers() {
        let numbers =
            [f32::NEG_INFINITY, -3e38, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, 2.0];
        assert!(numbers.map(ascending).is_sorted_by(|a, b| a < b));
    }

    /// The mean over boxes of the sum of their widths.
    fn widths(rows: Rows<'_, f64>, order: &[u32]) -> f64 {
        let boxes = order.chunks(BOX).map(|rows_of| {
            let width = |j: usize| {
                let values = rows_of.iter().map(|&i| rows.row(i as usize)[j]);
                values.clone().fold(f64::NEG_INFINITY, f64::max)
                    - values.fold(f64::INFINITY, f64::min)
            };
            (0..rows.n_columns()).map(width).sum::<f64>()
        });
        boxes.sum::<f64>() / order.len().div_ceil(BOX) as f64
    }

    #[test]
    fn an_order_holds_each_row_once_and_its_boxes_are_small() {
        for (n, d, levels) in [
            (1, 1, 0),
            (63, 2, 0),
            (20_000, 2, 0),
            (30_011, 3, 0),
            (20_000, 2, 5),
            (9000, 1, 1),
        ] {
            let mut random = Random::new(3, d as u64);
            let mut number = || match levels {
                0 => random.unit(),
                // Most are the least one.
                _ => (random.unit() * f64::from(levels)).powi(3).floor(),
            };
            let data: Vec<f64> = (0..n * d).map(|_| number()).collect();
            let rows = Rows::new(&data, (n, d), None).unwrap();
            let frame = Frame::new(vec![0.0; d], &vec![0.0; d], &vec![125.0; d]);
            let order = place(rows, &frame, None).unwrap();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().enumerate().all(|(i, &row)| i == row as usize));
            if n >= 20_000 {
                let plain: Vec<u32> = (0..n as u32).collect();
                let (found, before) = (widths(rows, &order), widths(rows, &plain));
                assert!(found < 0.3 * before, "{found} {before}");
            }
        }
    }

    #[test]
    fn rows_are_left_alone_where_boxes_spare_nothing() {
        let mut random = Random::new(6, 0);
        let (n, d) = (20_000, 24);
        let data: Vec<f64> = (0..n * d).map(|_| random.unit()).collect();
        let frame = |d: usize| Frame::new(vec![0.5; d], &vec![0.0; d], &vec![1.0; d]);
        let rows = Rows::new(&data, (n, d), None).unwrap();
        let plan = Some(Plan { n_clusters: 200, n_passes: 200.0 });
        assert_eq!(place(rows, &frame(d), plan), None);
        let rows = Rows::new(&data, (n * d / 2, 2), None).unwrap();
        assert!(place(rows, &frame(2), plan).is_some());
        let plan = Some(Plan { n_clusters: 200, n_passes: 1.0 });
        assert_eq!(place(rows, &frame(2), plan), None);
    }
}
