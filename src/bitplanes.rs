//! How many rows pairs of bit planes have in common.
//!
//! A plane has a bit for each row, the lowest first; words that are lacking at its end are
//! zeros. Tiles of planes meet in blocks of rows that stay in the second-level cache, so
//! that a plane is read from memory once for each tile that it meets, and not once for each
//! plane.

use crate::parallel::map_blocks;
use crate::simd::{self, Arithmetic, Kernel};

/// Planes of a tile.
const TILE: usize = 32;

/// Words of a block: 2 KiB of each plane, 128 KiB of two tiles.
const WORDS: usize = 256;

/// Words of a task, so that few planes of many rows keep several threads busy.
const STRETCH: usize = 16 * WORDS;

/// Tasks at a time, at least.
const TASKS: usize = 64;

/// What all pairs of some planes have in common, and each with itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairCounts {
    n: usize,
    /// Of each plane with itself and those after it.
    counts: Vec<u64>,
}

impl PairCounts {
    pub(crate) fn new(planes: &[&[u64]]) -> PairCounts {
        let n = planes.len();
        let mut pairs = PairCounts { n, counts: vec![0; n * (n + 1) / 2] };
        let tiles: Vec<&[&[u64]]> = planes.chunks(TILE).collect();
        let meetings: Vec<(usize, usize)> = (0..tiles.len())
            .flat_map(|a| (a..tiles.len()).map(move |b| (a, b)))
            .collect();
        meet(&tiles, &tiles, &meetings, true, |(a, b), count| {
            if a <= b {
                let at = pairs.at(a, b);
                pairs.counts[at] += count;
            }
        });
        pairs
    }

    /// Where a pair stands whose first is not after its second.
    fn at(&self, a: usize, b: usize) -> usize {
        a * (2 * self.n + 1 - a) / 2 + b - a
    }

    /// How many rows two planes have in common.
    pub(crate) fn get(&self, a: usize, b: usize) -> u64 {
        self.counts[self.at(a.min(b), a.max(b))]
    }
}

/// How many rows each of some planes has in common with each of others, row by row.
pub(crate) fn cross_counts(left: &[&[u64]], right: &[&[u64]]) -> Vec<u64> {
    let mut counts = vec![0; left.len() * right.len()];
    let [tiles_a, tiles_b] =
        [left, right].map(|planes| planes.chunks(TILE).collect::<Vec<_>>());
    let meetings: Vec<(usize, usize)> = (0..tiles_a.len())
        .flat_map(|a| (0..tiles_b.len()).map(move |b| (a, b)))
        .collect();
    meet(&tiles_a, &tiles_b, &meetings, false, |(a, b), count| {
        counts[a * right.len() + b] += count;
    });
    counts
}

/// Tells the counts of the pairs of tiles that meet, stretch by stretch of the rows.
fn meet(
    left: &[&[&[u64]]],
    right: &[&[&[u64]]],
    meetings: &[(usize, usize)],
    is_triangle: bool,
    mut tell: impl FnMut((usize, usize), u64),
) {
    let n_words = |tiles: &[&[&[u64]]]| {
        tiles.iter().flat_map(|tile| tile.iter()).map(|p| p.len()).max().unwrap_or(0)
    };
    // Beyond the shorter side there is nothing in common.
    let n_words = n_words(left).min(n_words(right));
    let n_stretches = n_words.div_ceil(STRETCH);
    // As many stretches at a time as keep threads busy, so that no more counts wait to be
    // added up.
    let at_a_time = TASKS.div_ceil(meetings.len().max(1));
    for first in (0..n_stretches).step_by(at_a_time) {
        let stretches = first..(first + at_a_time).min(n_stretches);
        let n_tasks = stretches.len() * meetings.len();
        let all = map_blocks(n_tasks, 1, |task| {
            let (a, b) = meetings[task.start % meetings.len()];
            let start = (stretches.start + task.start / meetings.len()) * STRETCH;
            let mut counts = vec![0; left[a].len() * right[b].len()];
            for start in (start..start + STRETCH).step_by(WORDS) {
                simd::run(Tile {
                    left: left[a],
                    right: right[b],
                    words: (start, start + WORDS),
                    is_triangle: is_triangle && a == b,
                    counts: &mut counts,
                });
            }
            counts
        });
        for (&(a, b), counts) in meetings.iter().cycle().zip(all) {
            for (i, count) in counts.into_iter().enumerate() {
                let (l, r) = (i / right[b].len(), i % right[b].len());
                tell((a * TILE + l, b * TILE + r), count);
            }
        }
    }
}

/// The words of a block, as far as there are any.
#[inline(always)]
fn clip(plane: &[u64], start: usize, end: usize) -> &[u64] {
    &plane[start.min(plane.len())..end.min(plane.len())]
}

/// Two tiles in one block of words.
struct Tile<'a> {
    left: &'a [&'a [u64]],
    right: &'a [&'a [u64]],
    words: (usize, usize),
    /// Whether both are the same, and pairs are wanted once.
    is_triangle: bool,
    counts: &'a mut [u64],
}

impl Kernel for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let (start, end) = self.words;
        for (l, left) in self.left.iter().enumerate() {
            let left = clip(left, start, end);
            let first = if self.is_triangle { l } else { 0 };
            for (r, right) in self.right.iter().enumerate().skip(first) {
                let mut n = 0;
                for (a, b) in left.iter().zip(clip(right, start, end)) {
                    n += u64::from((a & b).count_ones());
                }
                self.counts[l * self.right.len() + r] += n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Planes of different lengths, some of them empty.
    fn planes(n: usize, seed: u64) -> Vec<Vec<u64>> {
        let mut random = Random::new(seed, 0);
        let word = |random: &mut Random| {
            (0..64).fold(0, |word, _| word << 1 | u64::from(random.below(3) == 0))
        };
        (0..n)
            .map(|i| match i % 5 {
                0 => Vec::new(),
                1 => vec![u64::MAX; 9],
                _ => (0..1 + random.below(300)).map(|_| word(&mut random)).collect(),
            })
            .collect()
    }

    fn in_common(a: &[u64], b: &[u64]) -> u64 {
        let bit = |plane: &[u64], row: usize| {
            plane.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
        };
        (0..a.len() * 64).filter(|&row| bit(a, row) && bit(b, row)).count() as u64
    }

    #[test]
    fn pairs_are_counted_as_bit_by_bit() {
        for (n, m) in [(0, 0), (1, 0), (1, 1), (7, 40), (70, 33)] {
            let (left, right) = (planes(n, 1), planes(m, 2));
            let a: Vec<&[u64]> = left.iter().map(Vec::as_slice).collect();
            let b: Vec<&[u64]> = right.iter().map(Vec::as_slice).collect();
            let pairs = PairCounts::new(&a);
            let cross = cross_counts(&a, &b);
            assert_eq!(cross.len(), n * m);
            for i in 0..n {
                for j in 0..n {
                    assert_eq!(pairs.get(i, j), in_common(a[i], a[j]), "{i} {j}");
                }
                for j in 0..m {
                    assert_eq!(cross[i * m + j], in_common(a[i], b[j]), "{i} {j}");
                }
            }
        }
    }

    #[test]
    fn long_planes_are_counted_stretch_by_stretch() {
        let n_words = STRETCH * (TASKS + 2) + 5;
        let mut plane = vec![0; n_words];
        for word in plane.iter_mut().step_by(7) {
            *word = 0b1011;
        }
        let all = vec![u64::MAX; n_words];
        let pairs = PairCounts::new(&[&plane, &all]);
        let n = 3 * n_words.div_ceil(7) as u64;
        assert_eq!([pairs.get(0, 0), pairs.get(0, 1), pairs.get(1, 0)], [n; 3]);
        assert_eq!(pairs.get(1, 1), 64 * n_words as u64);
    }
}
