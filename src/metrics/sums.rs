//! For rows, the sums of their distances from the rows of each group.
//!
//! Each pair of rows is met once, and its distance is added to the sums of both. Rows are
//! cut into blocks, and blocks meet in the rounds of a tournament in which each plays once
//! a round: the games of a round share no sums, and a block's sums grow in the order of
//! the rounds, whatever the number of threads.

use std::convert::Infallible;
use std::ops::Range;

use super::panels::{Sorted, common_group};
use crate::panels::{LANES, distances};
use crate::parallel::{for_each_block, map_blocks};
use crate::simd::{Arithmetic, Kernel, run};

/// Rows of a block; a multiple of [`LANES`].
const BLOCK: usize = 256;

/// Rows of one group that meet a panel together.
const TILE: usize = 64;

/// The sums of some rows by group.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Sums of each group: at least one a row.
    stride: usize,
    values: Vec<f64>,
}

impl Sums {
    fn new(k: usize, stride: usize) -> Sums {
        Sums { stride, values: vec![0.0; k * stride] }
    }

    /// Those of a row, by group.
    pub(super) fn of(&self, place: usize) -> impl Iterator<Item = f64> + Clone + '_ {
        self.values[place..].iter().step_by(self.stride).copied()
    }

    /// Those of a group.
    #[inline(always)]
    fn group(&mut self, group: usize) -> &mut [f64] {
        &mut self.values[group * self.stride..(group + 1) * self.stride]
    }
}

/// What `read` makes of the sums of each row: it is given the row's position and the sums
/// by group.
pub(super) fn map_all<T: Send>(
    sorted: &Sorted<'_, '_>,
    k: usize,
    read: impl Fn(usize, &Sums, usize) -> T + Sync,
) -> Vec<T> {
    let n = sorted.codes.len();
    let block = |b: usize| b * BLOCK..((b + 1) * BLOCK).min(n);
    let n_blocks = n.div_ceil(BLOCK);
    // each block with itself: there each row meets all
    let mut sums: Vec<Sums> = map_blocks(n, BLOCK, |rows| {
        let mut sums = Sums::new(k, BLOCK);
        run(Meet { sorted, rows: &rows, others: rows.clone(), sums: &mut sums });
        sums
    });
    for round in 0..rounds(n_blocks) {
        let mut games: Vec<Game> = pairs(n_blocks, round)
            .map(|(a, b)| {
                let sums = [std::mem::take(&mut sums[a]), std::mem::take(&mut sums[b])];
                Game { blocks: [a, b], sums }
            })
            .collect();
        let Ok(()) = for_each_block(&mut games, 1, |_, games| {
            for game in games {
                let ([a, b], [sums, other_sums]) = (game.blocks, &mut game.sums);
                let (rows, others) = (block(a), block(b));
                run(MeetBoth { sorted, rows, others, sums, other_sums });
            }
            Ok::<(), Infallible>(())
        });
        for Game { blocks: [a, b], sums: [of_a, of_b] } in games {
            (sums[a], sums[b]) = (of_a, of_b);
        }
    }
    let read = |rows: Range<usize>| {
        let sums = &sums[rows.start / BLOCK];
        let values =
            rows.clone().map(|position| read(position, sums, position - rows.start));
        values.collect::<Vec<T>>()
    };
    map_blocks(n, BLOCK, read).into_iter().flatten().collect()
}

/// As [`map_all`], for the rows at some positions only, each of which meets all rows.
/// Needs memory for the sums of [`TILE`] rows a thread.
pub(super) fn map_some<T: Send>(
    sorted: &Sorted<'_, '_>,
    k: usize,
    positions: &[usize],
    read: impl Fn(usize, &Sums, usize) -> T + Sync,
) -> Vec<T> {
    let n = sorted.codes.len();
    let blocks = map_blocks(positions.len(), TILE, |places| {
        let rows = &positions[places];
        let mut sums = Sums::new(k, TILE);
        run(Meet { sorted, rows, others: 0..n, sums: &mut sums });
        let places = rows.iter().enumerate();
        places.map(|(place, &position)| read(position, &sums, place)).collect::<Vec<T>>()
    });
    blocks.into_iter().flatten().collect()
}

/// Two blocks, and the sums of their rows.
struct Game {
    blocks: [usize; 2],
    sums: [Sums; 2],
}

/// How many rounds it takes until each has met each.
fn rounds(n: usize) -> usize {
    (n + n % 2).saturating_sub(1)
}

/// Who meets whom in a round. One place is fixed and the others rotate.
fn pairs(n: usize, round: usize) -> impl Iterator<Item = (usize, usize)> {
    let even = n + n % 2;
    let turn = even.saturating_sub(1).max(1);
    let seat = move |at: usize| if at == 0 { even - 1 } else { (round + at) % turn };
    let games = (0..even / 2).map(move |at| match at {
        0 => (seat(0), round % turn),
        _ => (seat(at), (round + turn - at) % turn),
    });
    games.map(|(a, b)| (a.min(b), a.max(b))).filter(move |&(_, b)| b < n)
}

/// Positions of rows, one after the other or not.
trait Positions {
    fn count(&self) -> usize;
    fn at(&self, place: usize) -> usize;
}

impl Positions for Range<usize> {
    #[inline(always)]
    fn count(&self) -> usize {
        self.end - self.start
    }

    #[inline(always)]
    fn at(&self, place: usize) -> usize {
        self.start + place
    }
}

impl Positions for [usize] {
    #[inline(always)]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn at(&self, place: usize) -> usize {
        self[place]
    }
}

/// Rows meet others, from the start of a panel on; their own sums grow.
struct Meet<'a, P: Positions + ?Sized> {
    sorted: &'a Sorted<'a, 'a>,
    rows: &'a P,
    others: Range<usize>,
    sums: &'a mut Sums,
}

impl<P: Positions + ?Sized> Kernel for Meet<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Meet { sorted, rows, others, sums } = self;
        for start in (0..rows.count()).step_by(TILE) {
            let places = start..rows.count().min(start + TILE);
            let mut tile = Tile::new(sorted, places, rows);
            for p in others.start / LANES..others.end.div_ceil(LANES) {
                tile.meet(p, sums);
            }
            tile.finish(sums);
        }
    }
}

/// The rows of two blocks meet; the sums of both grow.
struct MeetBoth<'a> {
    sorted: &'a Sorted<'a, 'a>,
    rows: Range<usize>,
    others: Range<usize>,
    sums: &'a mut Sums,
    other_sums: &'a mut Sums,
}

impl Kernel for MeetBoth<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let MeetBoth { sorted, rows, others, sums, other_sums } = self;
        let codes = &sorted.codes[rows.clone()];
        let mut start = 0;
        while start < codes.len() {
            // rows of one group
            let group = codes[start];
            let most = &codes[start..codes.len().min(start + TILE)];
            let end = start + most.partition_point(|&code| code == group);
            let mut tile = Tile::new(sorted, start..end, &rows);
            let theirs = other_sums.group(group);
            let panels = others.start / LANES..others.end.div_ceil(LANES);
            for (p, theirs) in panels.zip(theirs.as_chunks_mut::<LANES>().0) {
                let sum = tile.meet(p, sums);
                for lane in 0..LANES {
                    theirs[lane] += sum[lane];
                }
            }
            tile.finish(sums);
            start = end;
        }
    }
}

/// Some rows of a block, and the sums of their distances from the group at hand.
struct Tile<'a> {
    sorted: &'a Sorted<'a, 'a>,
    first: usize,
    len: usize,
    rows: Vec<f64>,
    group: Option<usize>,
    sums: [[f64; LANES]; TILE],
}

impl<'a> Tile<'a> {
    #[inline(always)]
    fn new<P: Positions + ?Sized>(
        sorted: &'a Sorted<'a, 'a>,
        places: Range<usize>,
        rows: &P,
    ) -> Tile<'a> {
        let (first, len) = (places.start, places.len());
        let rows = places.flat_map(|place| sorted.row(rows.at(place))).copied().collect();
        Tile { sorted, first, len, rows, group: None, sums: [[0.0; LANES]; TILE] }
    }

    /// Adds the distances of the rows from those of a panel to `sums`, and gives their
    /// sums over the rows of the tile.
    #[inline(always)]
    fn meet(&mut self, p: usize, sums: &mut Sums) -> [f64; LANES] {
        let (codes, panel) = self.sorted.panel(p);
        let d = self.sorted.n_columns();
        let mut total = [0.0; LANES];
        let common = common_group(codes);
        if common.is_some() {
            if self.group != common {
                self.finish(sums);
                self.group = common;
            }
            for (place, own) in self.sums[..self.len].iter_mut().enumerate() {
                let row = &self.rows[place * d..(place + 1) * d];
                let distances = distances(row, panel);
                for lane in 0..LANES {
                    own[lane] += distances[lane];
                    total[lane] += distances[lane];
                }
            }
        } else {
            for place in 0..self.len {
                let row = &self.rows[place * d..(place + 1) * d];
                let distances = distances(row, panel);
                for (&code, distance) in codes.iter().zip(distances) {
                    sums.group(code)[self.first + place] += distance;
                }
                for lane in 0..LANES {
                    total[lane] += distances[lane];
                }
            }
        }
        total
    }

    /// Moves what is left in the lanes to the sums of the group.
    #[inline(always)]
    fn finish(&mut self, sums: &mut Sums) {
        if let Some(group) = self.group.take() {
            let places = &mut sums.group(group)[self.first..self.first + self.len];
            for (sum, lanes) in places.iter_mut().zip(&mut self.sums) {
                let [s, t, u, v, w, x, y, z] = *lanes;
                *sum += ((s + t) + (u + v)) + ((w + x) + (y + z));
                *lanes = [0.0; LANES];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::metrics::points::{Groups, Points};
    use crate::random::Random;
    use crate::simd::baseline;

    #[test]
    fn in_a_tournament_each_meets_each_once() {
        for n in 0..12 {
            let mut met = Vec::new();
            for round in 0..rounds(n) {
                let games: Vec<(usize, usize)> = pairs(n, round).collect();
                let mut players: Vec<usize> =
                    games.iter().flat_map(|&(a, b)| [a, b]).collect();
                players.sort_unstable();
                assert!(players.windows(2).all(|pair| pair[0] < pair[1]));
                met.extend(games);
            }
            met.sort_unstable();
            let all: Vec<(usize, usize)> =
                (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
            assert_eq!(met, all, "{n}");
        }
    }

    fn sample(n: usize, d: usize, k: usize) -> (Array2<f64>, Vec<usize>) {
        let mut random = Random::new(5, 0);
        let x = Array2::from_shape_fn((n, d), |_| random.unit() * 20.0 - 10.0);
        (x, (0..n).map(|_| random.below(k)).collect())
    }

    #[test]
    fn sums_are_those_of_all_distances() {
        for (n, d, k) in [(1, 1, 1), (9, 2, 3), (300, 3, 2), (1100, 5, 7), (700, 2, 300)]
        {
            let (x, labels) = sample(n, d, k);
            let view = x.view();
            let points = Points::new(&view).unwrap();
            let groups = Groups::new(&labels, n).unwrap();
            let sorted = Sorted::new(&points, &groups);
            let read = |position: usize, sums: &Sums, place: usize| {
                (position, sums.of(place).collect::<Vec<f64>>())
            };
            let all = map_all(&sorted, groups.len(), read);
            let positions: Vec<usize> = (0..n).rev().collect();
            let mut some = map_some(&sorted, groups.len(), &positions, read);
            some.reverse();
            for ((at, found), (at2, again)) in all.into_iter().zip(some) {
                assert_eq!(at, at2);
                let mut expected = vec![0.0; groups.len()];
                for (other, &code) in sorted.codes.iter().enumerate() {
                    let pairs = sorted.row(at).iter().zip(sorted.row(other));
                    let square: f64 = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
                    expected[code] += square.sqrt();
                }
                for ((a, b), c) in found.iter().zip(&again).zip(&expected) {
                    assert!((a - c).abs() <= 1e-12 * c && (b - c).abs() <= 1e-12 * c);
                }
            }
        }
    }

    #[test]
    fn both_levels_give_the_same_bits() {
        let (n, k) = (500, 5);
        let (x, labels) = sample(n, 7, k);
        let view = x.view();
        let points = Points::new(&view).unwrap();
        let groups = Groups::new(&labels, n).unwrap();
        let sorted = &Sorted::new(&points, &groups);
        let bits = |level: usize| {
            let (mut a, mut b) = (Sums::new(k, BLOCK), Sums::new(k, BLOCK));
            let (rows, others) = (0..BLOCK, BLOCK..n);
            let meet = Meet { sorted, rows: &rows, others: rows.clone(), sums: &mut a };
            if level == 0 {
                baseline(meet)
            } else {
                run(meet)
            }
            let (sums, other_sums) = (&mut a, &mut b);
            let both = MeetBoth { sorted, rows, others, sums, other_sums };
            if level == 0 {
                baseline(both)
            } else {
                run(both)
            }
            let all = a.values.into_iter().chain(b.values);
            all.map(f64::to_bits).collect::<Vec<u64>>()
        };
        assert_eq!(bits(0), bits(1));
    }
}
