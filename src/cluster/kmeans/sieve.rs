//! A pass over rows in spatial order, in which a box of rows is compared with those centres
//! only that can be the nearest one of any of them.

use std::ops::Range;

use super::candidates::{BOX, BOXES, Boxes, Centers, Found};
use super::rows::{Rows, Storage};
use super::scan::{LISTED, Scorer, Top, top_of_list};
use super::sums::Move;
use super::tiles::{Frame, LANES, Tiles, labels_of};
use crate::simd::{self, Arithmetic, Kernel};

/// Rows of a block: a large box.
pub(super) const BLOCK: usize = BOX * BOXES;

/// So many tiles before it is needed one is asked for.
const TILES_AHEAD: usize = 2;

/// Memory for the next block.
#[derive(Debug, Default)]
pub(super) struct Work {
    large: Found,
    small: Found,
    /// The centres of the large box, and the numbers of those of a small one.
    centers: Centers,
    list: Vec<u32>,
}

/// The centres of a pass.
#[derive(Debug)]
pub(super) struct Sifted {
    centers: Centers,
    /// As [`top_of_list`] wants them.
    row_major: Vec<f32>,
}

impl Sifted {
    /// Of row-major centres.
    pub(super) fn new(centers: &[f64], frame: &Frame, scorer: &Scorer) -> Sifted {
        let centers = Centers::new(centers, frame, scorer);
        let row_major = centers.row_major();
        Sifted { centers, row_major }
    }
}

/// Finds the labels of a block of rows.
pub(super) struct Sieve<'s, 'r, T> {
    pub(super) data: Rows<'r, T>,
    /// Which row stands in a place.
    pub(super) order: &'s [u32],
    pub(super) tiles: &'s Tiles,
    /// Small and large ones.
    pub(super) boxes: &'s [Boxes; 2],
    pub(super) scorer: &'s Scorer,
    pub(super) centers: &'s Sifted,
    /// The first place of the block.
    pub(super) start: usize,
    pub(super) labels: &'s mut [u32],
    pub(super) work: &'s mut Work,
    pub(super) moves: &'s mut Vec<Move>,
    /// Places of the block whose row's nearest centre is not certain.
    pub(super) open: &'s mut Vec<u32>,
}

impl<T: Storage> Kernel for Sieve<'_, '_, T> {
    /// How many rows were compared with centres, and how many such pairs there were.
    type Output = [usize; 2];

    #[inline(always)]
    fn run<A: Arithmetic>(mut self) -> [usize; 2] {
        let Work { mut large, mut small, mut centers, mut list } =
            std::mem::take(self.work);
        let all = &self.centers.centers;
        let n_rows = self.labels.len();
        let [mut n_scanned, mut n_compared] = [0, 0];
        all.find::<A>(&self.boxes[1], self.start / BLOCK, &mut large);
        if let [place] = large.places[..] {
            self.settle::<A>(0..n_rows, all.number(place));
        } else {
            centers.pick(all, &large.places);
            for at in (0..n_rows).step_by(BOX) {
                let rows = at..(at + BOX).min(n_rows);
                centers.find::<A>(&self.boxes[0], (self.start + at) / BOX, &mut small);
                if let [place] = small.places[..] {
                    self.settle::<A>(rows, centers.number(place));
                    continue;
                }
                n_scanned += rows.len();
                n_compared += rows.len() * small.places.len();
                list.clear();
                list.extend(small.places.iter().map(|&place| centers.number(place)));
                list.resize(list.len().next_multiple_of(LISTED), all.len() as u32);
                for start in rows.clone().step_by(LANES) {
                    self.judge::<A>(&list, start..(start + LANES).min(rows.end));
                }
            }
        }
        *self.work = Work { large, small, centers, list };
        [n_scanned, n_compared]
    }
}

impl<T: Storage> Sieve<'_, '_, T> {
    /// Gives one label to all of these rows.
    #[inline(always)]
    fn settle<A: Arithmetic>(&mut self, rows: Range<usize>, to: u32) {
        for start in rows.clone().step_by(LANES) {
            let tile = start..(start + LANES).min(rows.end);
            let labels = labels_of(self.labels, tile.clone());
            let top = Top::<A>::of(to);
            let mut left = top.moved(&labels) & (u32::MAX >> (32 - tile.len()));
            while left != 0 {
                let at = start + left.trailing_zeros() as usize;
                left &= left - 1;
                self.relabel(at, to);
            }
        }
    }

    #[inline(always)]
    fn relabel(&mut self, at: usize, to: u32) {
        let row = self.order[self.start + at];
        // It is read soon, and nobody else can foresee it.
        simd::prefetch(self.data.row(row as usize));
        self.moves.push(Move { row, from: self.labels[at], to });
        self.labels[at] = to;
    }

    /// Compares a tile with listed centres.
    #[inline(always)]
    fn judge<A: Arithmetic>(&mut self, list: &[u32], rows: Range<usize>) {
        let tile = (self.start + rows.start) / LANES;
        let d = self.data.n_columns();
        let columns = self.tiles.columns_from(tile);
        if let Some(soon) = columns.get(TILES_AHEAD * d..(TILES_AHEAD + 1) * d) {
            simd::prefetch(soon);
        }
        let top = top_of_list::<A>(&columns[..d], &self.centers.row_major, list);
        let certain = top.certain(self.scorer.threshold(self.tiles.reach()[tile]));
        let labels = labels_of(self.labels, rows.clone());
        let mut left = (top.moved(&labels) | !certain) & (u32::MAX >> (32 - rows.len()));
        if left == 0 {
            return;
        }
        let index = top.index();
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            if (certain >> lane) & 1 == 0_u32 {
                self.open.push((rows.start + lane) as u32);
            } else {
                self.relabel(rows.start + lane, index[lane]);
            }
        }
    }
}
