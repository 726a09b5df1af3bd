//! Sums of the rows of each cluster that are exact, so that neither their order nor what
//! was added and taken away before leaves a trace.
//!
//! A number becomes two integers, `high · 2^(e − h) + low · 2^(e − h − l)`, where 2^e
//! exceeds all numbers of its column; integers add up exactly in any order. For a million
//! rows that keeps 85 binary digits below 2^e, 32 more than an `f64` has; digits beyond are
//! rounded away from each number once, the same way each time.

use super::rows::{Rows, Storage};
use super::tiles::{exponent, power_of_two};
use crate::simd::{self, Arithmetic, Kernel};

/// Adding it to a number below 2⁵¹ leaves the nearest integer in the low bits of the sum.
const MAGIC: f64 = 1.5 * (1_u64 << 52) as f64;

/// How the numbers of each column become integers.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// `2^(h − e)` for each column, and for the weights after them.
    to_high: Vec<f64>,
    /// The value of one unit of the low integer.
    unit: Vec<f64>,
    /// `l`.
    low_bits: i32,
}

impl Scale {
    /// For `n_rows` rows whose weighted values reach up to `reach` in each column, and
    /// whose weights up to `heaviest`.
    pub(super) fn new(n_rows: usize, mut reach: Vec<f64>, heaviest: f64) -> Scale {
        // n integers of h + 1 binary digits must fit into 62.
        let count_bits = (n_rows as u64 + 1).next_power_of_two().trailing_zeros() as i32;
        let high_bits = (61 - count_bits).min(50);
        let low_bits = (62 - count_bits).min(51);
        let n_columns = reach.len();
        reach.push(heaviest);
        reach.resize(width(n_columns), 1.0);
        // Below 2^−900 squares vanish anyway.
        let exponents = reach.iter().map(|&x| (exponent(x) + 1).max(-900));
        let to_high = exponents.clone().map(|e| power_of_two(high_bits - e)).collect();
        let unit = exponents.map(|e| power_of_two(e - high_bits - low_bits)).collect();
        Scale { to_high, unit, low_bits }
    }
}

/// Weighted sums of the rows of each cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    /// For each cluster its columns, its weight and some zeros: the high integers plus, for each row
    /// that was added, the bits of [`MAGIC`].
    high: Vec<i64>,
    low: Vec<i64>,
    /// Rows of each cluster, and of positive weight.
    n_rows: Vec<i64>,
    counts: Vec<i64>,
    n_columns: usize,
    /// Numbers of a cluster.
    width: usize,
}

/// The columns and the weight, in whole vectors.
fn width(n_columns: usize) -> usize {
    (n_columns + 1).next_multiple_of(4)
}

impl Sums {
    pub(super) fn new(n_clusters: usize, n_columns: usize) -> Sums {
        Sums {
            high: vec![0; n_clusters * width(n_columns)],
            low: vec![0; n_clusters * width(n_columns)],
            n_rows: vec![0; n_clusters],
            counts: vec![0; n_clusters],
            n_columns,
            width: width(n_columns),
        }
    }

    pub(super) fn merge(mut self, other: &Sums) -> Sums {
        add(&mut self.high, &other.high);
        add(&mut self.low, &other.low);
        for c in 0..self.counts.len() {
            self.n_rows[c] += other.n_rows[c];
            self.counts[c] += other.counts[c];
        }
        self
    }

    /// Moves rows from one cluster to another.
    pub(super) fn apply<T: Storage>(
        &mut self,
        rows: Rows<'_, T>,
        scale: &Scale,
        moves: &[Move],
    ) {
        simd::run(Apply { sums: self, rows, scale, moves });
    }

    /// Rows of positive weight of a cluster.
    pub(super) fn count(&self, cluster: usize) -> i64 {
        self.counts[cluster]
    }

    pub(super) fn n_clusters(&self) -> usize {
        self.counts.len()
    }

    /// The two integers of column `j` of a cluster as one.
    fn total(&self, scale: &Scale, cluster: usize, j: usize) -> i128 {
        let at = cluster * self.width + j;
        let bias = (MAGIC.to_bits() as i64).wrapping_mul(self.n_rows[cluster]);
        let high = i128::from(self.high[at].wrapping_sub(bias));
        let low = i128::from(self.low[at].wrapping_sub(bias));
        (high << scale.low_bits) + low
    }

    /// The weight of a cluster's rows.
    pub(super) fn weight(&self, scale: &Scale, cluster: usize) -> f64 {
        let j = self.n_columns;
        self.total(scale, cluster, j) as f64 * scale.unit[j]
    }

    /// The mean of a cluster that has rows. Without weights it is the exact mean, rounded
    /// once or twice.
    pub(super) fn mean(
        &self,
        scale: &Scale,
        unweighted: bool,
        cluster: usize,
        out: &mut [f64],
    ) {
        let weight = self.weight(scale, cluster);
        for (j, mean) in out.iter_mut().enumerate() {
            let total = self.total(scale, cluster, j);
            *mean = if unweighted {
                let spare = total.unsigned_abs().leading_zeros().saturating_sub(1);
                let quotient = (total << spare) / i128::from(self.counts[cluster]);
                quotient as f64 * power_of_two(-(spare as i32)) * scale.unit[j]
            } else {
                total as f64 * scale.unit[j] / weight
            };
        }
    }
}

/// A row changes its cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) row: u32,
    /// [`NOWHERE`] before the first iteration.
    pub(super) from: u32,
    pub(super) to: u32,
}

/// No cluster.
pub(super) const NOWHERE: u32 = u32::MAX;

struct Apply<'a, 'r, T> {
    sums: &'a mut Sums,
    rows: Rows<'r, T>,
    scale: &'a Scale,
    moves: &'a [Move],
}

/// Rows of a list that are asked for before they are needed.
const AHEAD: usize = 8;

impl<T: Storage> Kernel for Apply<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Apply { sums, rows, scale, moves } = self;
        let width = sums.width;
        let shift = (1_u64 << scale.low_bits) as f64;
        // The row, its weight, and zeros up to whole vectors.
        let mut row_of = vec![0.0; width];
        let mut high = vec![0; width];
        let mut low = vec![0; width];
        for (at, &Move { row, from, to }) in moves.iter().enumerate() {
            if let Some(next) = moves.get(at + AHEAD) {
                simd::prefetch(rows.row(next.row as usize));
            }
            let (x, weight) = (rows.row(row as usize), rows.weight(row as usize));
            if rows.is_unweighted() {
                row_of.iter_mut().zip(x).for_each(|(place, &x)| *place = x.into());
            } else {
                let weighted = x.iter().map(|&x| x.into() * weight);
                row_of.iter_mut().zip(weighted).for_each(|(place, x)| *place = x);
            }
            row_of[x.len()] = weight;
            let numbers = row_of.as_chunks::<4>().0.iter();
            let scales = scale.to_high.as_chunks::<4>().0;
            let parts = high.as_chunks_mut::<4>().0.iter_mut();
            let parts = parts.zip(low.as_chunks_mut::<4>().0);
            for ((x, to_high), (high, low)) in numbers.zip(scales).zip(parts) {
                for lane in 0..4 {
                    (high[lane], low[lane]) = split(x[lane], to_high[lane], shift);
                }
            }
            if from != NOWHERE {
                let c = from as usize;
                let places = c * width..(c + 1) * width;
                subtract(&mut sums.high[places.clone()], &high);
                subtract(&mut sums.low[places], &low);
                sums.n_rows[c] -= 1;
                sums.counts[c] -= i64::from(weight > 0.0);
            }
            if to != NOWHERE {
                let c = to as usize;
                let places = c * width..(c + 1) * width;
                add(&mut sums.high[places.clone()], &high);
                add(&mut sums.low[places], &low);
                sums.n_rows[c] += 1;
                sums.counts[c] += i64::from(weight > 0.0);
            }
        }
    }
}

#[inline(always)]
fn add(to: &mut [i64], from: &[i64]) {
    for (to, from) in to.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
        for lane in 0..4 {
            to[lane] = to[lane].wrapping_add(from[lane]);
        }
    }
}

#[inline(always)]
fn subtract(to: &mut [i64], from: &[i64]) {
    for (to, from) in to.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
        for lane in 0..4 {
            to[lane] = to[lane].wrapping_sub(from[lane]);
        }
    }
}

/// The bits of [`MAGIC`] plus the high, and plus the low integer of a number.
#[inline(always)]
fn split(x: f64, to_high: f64, shift: f64) -> (i64, i64) {
    let scaled = x * to_high;
    let high = scaled + MAGIC;
    let low = (scaled - (high - MAGIC)) * shift + MAGIC;
    (high.to_bits() as i64, low.to_bits() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn scale_of(data: &[f64], n_rows: usize) -> Scale {
        let reach = data.iter().fold(0.0_f64, |reach, x| reach.max(x.abs()));
        Scale::new(n_rows, vec![reach], 1.0)
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_no_trace() {
        let mut random = Random::new(3, 0);
        let data: Vec<f64> =
            (0..999).map(|i| (random.unit() - 0.5) * 10_f64.powi(i % 9)).collect();
        let rows = Rows::new(&data, (999, 1), None).unwrap();
        let scale = scale_of(&data, 999);
        let go = |row, from, to| Move { row, from, to };
        let mut sums = Sums::new(3, 1);
        for row in 0..999 {
            sums.apply(rows, &scale, &[go(row, NOWHERE, row % 3)]);
        }
        let before = sums.clone();
        for row in (0..999).rev() {
            sums.apply(rows, &scale, &[go(row, row % 3, (row + 1) % 3)]);
        }
        for row in 0..999 {
            sums.apply(rows, &scale, &[go(row, (row + 1) % 3, row % 3)]);
        }
        assert_eq!(sums, before);
        for c in 0..3 {
            let plain: f64 = data[c..].iter().step_by(3).sum::<f64>() / 333.0;
            let mut mean = [0.0];
            sums.mean(&scale, true, c, &mut mean);
            assert!((mean[0] - plain).abs() <= 1e-13 * plain.abs() + 1e-7, "{mean:?}");
            let mut divided = [0.0];
            sums.mean(&scale, false, c, &mut divided);
            assert!((mean[0] - divided[0]).abs() <= 1e-15 * plain.abs());
            assert_eq!(sums.weight(&scale, c), 333.0);
        }
    }

    #[test]
    fn means_of_equal_numbers_are_that_number() {
        for x in [0.1, -0.1, 1e150, -3e-150, 1e-250, 7e15, 0.0, 1.0 / 3.0] {
            for n in [1_usize, 3, 7, 1000, 4097] {
                let data = vec![x; n];
                let rows = Rows::new(&data, (n, 1), None).unwrap();
                let scale = scale_of(&data, n);
                let mut sums = Sums::new(1, 1);
                let moves: Vec<Move> =
                    (0..n as u32).map(|row| Move { row, from: NOWHERE, to: 0 }).collect();
                sums.apply(rows, &scale, &moves);
                let mut mean = [f64::NAN];
                sums.mean(&scale, true, 0, &mut mean);
                assert_eq!(mean, [x], "{n} times");
            }
        }
    }

    #[test]
    fn small_numbers_beside_large_ones_keep_their_digits() {
        let data = [1e6, 1e-12, 3e-12, -1e6];
        let rows = Rows::new(&data, (4, 1), None).unwrap();
        let scale = scale_of(&data, 4);
        let mut sums = Sums::new(2, 1);
        for (row, to) in [(0, 0), (1, 1), (2, 1), (3, 0)] {
            sums.apply(rows, &scale, &[Move { row, from: NOWHERE, to }]);
        }
        let mut mean = [0.0];
        sums.mean(&scale, true, 1, &mut mean);
        assert!((mean[0] - 2e-12).abs() < 1e-24, "{mean:?}");
        sums.mean(&scale, true, 0, &mut mean);
        assert_eq!(mean, [0.0]);
    }
}
