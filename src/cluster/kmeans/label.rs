//! The labels of all rows: the pass that each iteration makes.

use std::borrow::Cow;
use std::ops::Range;

use super::bounds::Bounds;
use super::nearest::Lanes;
use super::prepared::Prepared;
use super::rows::Storage;
use super::scan::{Scorer, Top};
use super::sieve::{self, Sieve, Sifted};
use super::sums::{Move, NOWHERE, Sums};
use super::tiles::{LANES, labels_of, largest_norm, squared_norms};
use crate::parallel::gather_chunks;
use crate::simd::{self, Arithmetic, Kernel, Sixteen};

/// Rows of a block of a pass.
const BLOCK: usize = sieve::BLOCK;

/// Up to this share of a block's rows are packed, if they alone need a look.
const FEW: f64 = 0.2;

/// The label of the row in each place, and its key (see [`Bounds`]).
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) labels: Vec<u32>,
    keys: Vec<f32>,
    /// Whether nothing was written yet.
    fresh: bool,
}

impl Labels {
    /// No labels yet.
    pub(super) fn new(n: usize) -> Labels {
        Labels { labels: vec![0; n], keys: vec![0.0; n], fresh: true }
    }

    /// Forgets the labels. Keeps their memory: fresh pages cost more than a pass.
    pub(super) fn restart(&mut self) {
        self.fresh = true;
    }

    /// Those of places become those of rows.
    pub(super) fn sort_by_row<T: Storage>(&mut self, data: &Prepared<'_, T>) {
        if let Cow::Owned(labels) = data.by_row(&self.labels) {
            self.labels = labels;
        }
    }
}

/// One pass over the rows, which gives them the labels of these centres.
pub(super) struct Pass<'p, 'a, T> {
    data: &'p Prepared<'a, T>,
    scorer: Scorer,
    /// Where boxes of rows are to be compared with these first.
    sieve: Option<Sifted>,
    lanes: Lanes,
    bounds: &'p Bounds,
    n_clusters: usize,
}

/// What a pass has changed.
pub(super) struct Changes {
    /// What is to be added to the sums of the clusters.
    pub(super) sums: Sums,
    /// Rows with a new label.
    pub(super) n_moved: usize,
    /// Rows that were looked at.
    pub(super) n_scanned: usize,
    /// Pairs of rows and centres of a pass with a sieve.
    pub(super) n_compared: usize,
}

/// What a part of a pass has gathered, and memory for its next block.
struct Gathered {
    sums: Sums,
    n_moved: usize,
    n_scanned: usize,
    n_compared: usize,
    work: Work,
}

#[derive(Default)]
struct Work {
    /// One for each tile.
    thresholds: Vec<f32>,
    packed: Packed,
    /// Rows of the block that are looked at, where not all are.
    picked: Vec<u32>,
    moves: Vec<Move>,
    /// Places of the block whose row's nearest centre is not certain, and these rows.
    open: Vec<u32>,
    open_rows: Vec<u32>,
    nearest: Vec<u32>,
    sieve: sieve::Work,
}

/// Picked rows, as tiles.
#[derive(Default)]
struct Packed {
    columns: Vec<[f32; LANES]>,
    squares: Vec<[f32; LANES]>,
    reach: Vec<f32>,
}

/// How many tiles before it is needed one is asked for, so that reading goes on while
/// others are scanned.
const TILES_AHEAD: usize = 2;

/// Rows of a list that are asked for before they are needed.
const AHEAD: usize = 8;

/// Packs rows of the block from place `start` on.
struct Pack<'a, 'r, T> {
    data: &'a Prepared<'r, T>,
    start: usize,
    picked: &'a [u32],
    packed: &'a mut Packed,
}

impl<T: Storage> Kernel for Pack<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Pack { data, start, picked, packed } = self;
        let d = data.rows.n_columns();
        let n_tiles = picked.len().div_ceil(LANES);
        let Packed { columns, squares, reach } = packed;
        columns.resize(n_tiles * d, [0.0; LANES]);
        squares.clear();
        reach.clear();
        let row = |at: usize| data.rows.row(data.row_in(start + picked[at] as usize));
        for (t, tile) in columns.chunks_exact_mut(d).enumerate() {
            for at in t * LANES..((t + 1) * LANES).min(picked.len()) {
                if at + AHEAD < picked.len() {
                    simd::prefetch(row(at + AHEAD));
                }
                data.tiles.frame().fill_lane(row(at), at % LANES, tile);
            }
            squares.push(squared_norms(tile));
            reach.push(largest_norm(&squares[t]));
        }
    }
}

impl<'p, 'a, T: Storage> Pass<'p, 'a, T> {
    /// With or without a sieve, which rows in spatial order only can have.
    pub(super) fn new(
        data: &'p Prepared<'a, T>,
        centers: &[f64],
        bounds: &'p Bounds,
        sieve: bool,
    ) -> Pass<'p, 'a, T> {
        let d = data.rows.n_columns();
        let frame = data.tiles.frame();
        let scorer = Scorer::new(centers, frame);
        let sieve = sieve && data.placed.is_some();
        Pass {
            data,
            sieve: sieve.then(|| Sifted::new(centers, frame, &scorer)),
            scorer,
            lanes: Lanes::new(centers, d),
            bounds,
            n_clusters: centers.len() / d,
        }
    }

    /// Renews the labels.
    pub(super) fn relabel(&self, labels: &mut Labels) -> Changes {
        let new = || Gathered {
            sums: Sums::new(self.n_clusters, self.data.rows.n_columns()),
            n_moved: 0,
            n_scanned: 0,
            n_compared: 0,
            work: Work::default(),
        };
        let fresh = std::mem::take(&mut labels.fresh);
        let gathered = gather_chunks(
            (&mut labels.labels, &mut labels.keys),
            BLOCK,
            new,
            |gathered, start, labels, keys| {
                if fresh {
                    labels.fill(NOWHERE);
                }
                self.block(gathered, start, labels, keys);
            },
            |mut a, b| {
                a.sums = a.sums.merge(&b.sums);
                a.n_moved += b.n_moved;
                a.n_scanned += b.n_scanned;
                a.n_compared += b.n_compared;
                a
            },
        );
        Changes {
            sums: gathered.sums,
            n_moved: gathered.n_moved,
            n_scanned: gathered.n_scanned,
            n_compared: gathered.n_compared,
        }
    }

    fn block(
        &self,
        gathered: &mut Gathered,
        start: usize,
        labels: &mut [u32],
        keys: &mut [f32],
    ) {
        let work = &mut gathered.work;
        work.moves.clear();
        work.open.clear();
        match (&self.sieve, &self.data.placed) {
            (Some(centers), Some(placed)) => {
                let [n_scanned, n_compared] = simd::run_wide(Sieve {
                    data: self.data.rows,
                    order: &placed.order,
                    tiles: &self.data.tiles,
                    boxes: &placed.boxes,
                    scorer: &self.scorer,
                    centers,
                    start,
                    labels: &mut *labels,
                    work: &mut work.sieve,
                    moves: &mut work.moves,
                    open: &mut work.open,
                });
                gathered.n_scanned += n_scanned;
                gathered.n_compared += n_compared;
            }
            _ => gathered.n_scanned += self.scan(work, start, labels, keys),
        }
        if !work.open.is_empty() {
            let row_in = |&at: &u32| self.data.row_in(start + at as usize) as u32;
            work.open_rows.clear();
            work.open_rows.extend(work.open.iter().map(row_in));
            self.lanes.nearest_of(self.data.rows, &work.open_rows, &mut work.nearest);
            let open = work.open.iter().zip(&work.open_rows);
            for ((&at, &row), &to) in open.zip(&work.nearest) {
                let label = &mut labels[at as usize];
                if *label != to {
                    work.moves.push(Move { row, from: *label, to });
                    *label = to;
                }
            }
        }
        gathered.n_moved += work.moves.len();
        gathered.sums.apply(self.data.rows, &self.data.scale, &work.moves);
    }

    /// Compares rows of a block with all centres. Gives how many.
    fn scan(
        &self,
        work: &mut Work,
        start: usize,
        labels: &mut [u32],
        keys: &mut [f32],
    ) -> usize {
        let all = !self.bounds.read || {
            self.bounds.pick(labels, keys, &mut work.picked);
            work.picked.len() as f64 > FEW * labels.len() as f64
        };
        let n_scanned = if all { labels.len() } else { work.picked.len() };
        let tiles = &self.data.tiles;
        let span = start / LANES..(start + labels.len()).div_ceil(LANES);
        let (columns, squares, reach) = if all {
            (
                tiles.columns_from(span.start),
                &tiles.squares()[span.clone()],
                &tiles.reach()[span],
            )
        } else {
            let (picked, packed) = (&work.picked[..], &mut work.packed);
            simd::run_wide(Pack { data: self.data, start, picked, packed });
            let packed = &work.packed;
            (&packed.columns[..], &packed.squares[..], &packed.reach[..])
        };
        simd::run_wide(Judge {
            data: self.data,
            scorer: &self.scorer,
            bounds: self.bounds,
            columns,
            thresholds: &mut work.thresholds,
            squares,
            reach,
            picked: (!all).then_some(&work.picked),
            start,
            labels,
            keys,
            moves: &mut work.moves,
            open: &mut work.open,
        });
        n_scanned
    }
}

/// Scans tiles, and turns what is found into labels, where it is certain, and keys.
struct Judge<'j, 'r, T> {
    data: &'j Prepared<'r, T>,
    scorer: &'j Scorer,
    bounds: &'j Bounds,
    /// Columns of these tiles, and of those after them.
    columns: &'j [[f32; LANES]],
    thresholds: &'j mut Vec<f32>,
    squares: &'j [[f32; LANES]],
    reach: &'j [f32],
    /// Which rows of the block were scanned; all if there is no list.
    picked: Option<&'j Vec<u32>>,
    /// The first row of the block.
    start: usize,
    labels: &'j mut [u32],
    keys: &'j mut [f32],
    moves: &'j mut Vec<Move>,
    open: &'j mut Vec<u32>,
}

impl<T: Storage> Kernel for Judge<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(mut self) {
        // All at once, where nothing waits for one of them.
        self.thresholds.clear();
        self.thresholds.extend(self.reach.iter().map(|&x| self.scorer.threshold(x)));
        let n_rows = self.picked.map_or(self.labels.len(), Vec::len);
        let d = self.data.rows.n_columns();
        for tile in 0..self.reach.len() {
            let soon = (tile + TILES_AHEAD) * d;
            let soon = self.columns.get(soon..soon + d).unwrap_or(&[]);
            let columns = &self.columns[tile * d..][..d];
            let top = self.scorer.top::<A, _>(columns, soon);
            let rows = tile * LANES..((tile + 1) * LANES).min(n_rows);
            let threshold = self.thresholds[tile];
            if self.bounds.write {
                self.write_keys::<A>(tile, &top, threshold, rows.clone());
            }
            let certain = top.certain(threshold);
            let labels = self.labels_of(rows.clone());
            let used = u32::MAX >> (32 - rows.len());
            let mut left = (top.moved(&labels) | !certain) & used;
            if left == 0 {
                continue;
            }
            let index = top.index();
            while left != 0 {
                let lane = left.trailing_zeros() as usize;
                left &= left - 1;
                let at = rows.start + lane;
                let row = self.picked.map_or(at, |picked| picked[at] as usize);
                let moved = self.data.row_in(self.start + row);
                // It is read soon, and nobody else can foresee it.
                simd::prefetch(self.data.rows.row(moved));
                if (certain >> lane) & 1 == 0_u32 {
                    self.open.push(row as u32);
                } else {
                    let (from, to) = (labels[lane], index[lane]);
                    self.moves.push(Move { row: moved as u32, from, to });
                    self.labels[row] = to;
                }
            }
        }
    }
}

impl<T: Storage> Judge<'_, '_, T> {
    /// The labels before; 0 in lanes without a row.
    #[inline(always)]
    fn labels_of(&self, rows: Range<usize>) -> [u32; LANES] {
        let Some(picked) = self.picked else { return labels_of(self.labels, rows) };
        let mut labels = [0; LANES];
        for (label, &row) in labels.iter_mut().zip(&picked[rows]) {
            *label = self.labels[row as usize];
        }
        labels
    }

    #[inline(always)]
    fn write_keys<A: Arithmetic>(
        &mut self,
        tile: usize,
        top: &Top<A>,
        threshold: f32,
        rows: Range<usize>,
    ) {
        let slack = A::Sixteen::splat(self.scorer.slack(self.reach[tile]));
        let (two, zero) = (A::Sixteen::splat(2.0), A::Sixteen::splat(0.0));
        let Top { best, next, .. } = *top;
        let square = A::Sixteen::load(&self.squares[tile]).add(slack);
        let lead = best.sub(next);
        let own = square.sub(two.mul(best)).max(zero).sqrt();
        let other = square.sub(two.mul(next)).max(zero).sqrt();
        // d₂ − d₁ = (d₂² − d₁²) / (d₂ + d₁)
        let gap = two.mul(lead.sub(slack)).div(own.add(other));
        let never = A::Sixteen::splat(f32::NEG_INFINITY);
        let mut gaps = [0.0; LANES];
        lead.select_greater(A::Sixteen::splat(threshold), gap, never).store(&mut gaps);
        let index = top.index();
        for (lane, at) in rows.enumerate() {
            let row = self.picked.map_or(at, |picked| picked[at] as usize);
            self.keys[row] = self.bounds.key(gaps[lane], index[lane] as usize);
        }
    }
}
