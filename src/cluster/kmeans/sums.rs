//! Sums of the rows of each cluster that are exact, so that neither their order nor what
//! was added and taken away before leaves a trace.
//!
//! A number becomes two integers, `high · 2^(e − h) + low · 2^(e − h − l)`, where 2^e
//! exceeds all numbers of its column; integers add up exactly in any order. For a million
//! rows that keeps 85 binary digits below 2^e, 32 more than an `f64` has; digits beyond are
//! rounded away from each number once, the same way each time.

use super::rows::{Rows, Storage};
use super::tiles::exponent;
use crate::exact::power_of_two;
use crate::simd::{self, Arithmetic, Kernel};

/// Adding it to a number below 2⁵¹ leaves the nearest integer in the low bits of the sum.
const MAGIC: f64 = 1.5 * (1_u64 << 52) as f64;

/// How the numbers of each column become integers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// `2^(h − e)` for each column, 0 up to whole parts, and for the weights after them.
    to_high: Vec<[f64; WIDE]>,
    /// The value of one unit of the low integer of each column.
    unit: Vec<f64>,
    /// The same of the weights; `None` when all are 1.
    weight_unit: Option<f64>,
    /// `l`.
    low_bits: i32,
}

impl Scale {
    /// For `n_rows` rows whose weighted values reach up to `reach` in each column, and
    /// whose weights up to `heaviest`, where they are not all 1.
    pub(super) fn new(n_rows: usize, reach: &[f64], heaviest: Option<f64>) -> Scale {
        // n integers of h + 1 binary digits must fit into 62.
        let count_bits = (n_rows as u64 + 1).next_power_of_two().trailing_zeros() as i32;
        let high_bits = (61 - count_bits).min(50);
        let low_bits = (62 - count_bits).min(51);
        // Smaller numbers are rounded to nothing, which `is_exact` then tells.
        let exponent = |x: f64| (exponent(x) + 1).max(-900);
        let to_high = |x: f64| power_of_two(high_bits - exponent(x));
        let unit = |x: f64| power_of_two(exponent(x) - high_bits - low_bits);
        let mut scales: Vec<[f64; WIDE]> = reach
            .chunks(WIDE)
            .map(|reach| {
                std::array::from_fn(|j| reach.get(j).map_or(0.0, |&x| to_high(x)))
            })
            .collect();
        scales.push([heaviest.map_or(1.0, to_high); WIDE]);
        Scale {
            to_high: scales,
            unit: reach.iter().map(|&x| unit(x)).collect(),
            weight_unit: heaviest.map(unit),
            low_bits,
        }
    }

    /// True when no number of column `j` is rounded, if the smallest one but 0 is `least`.
    pub(super) fn is_exact(&self, j: usize, least: f64) -> bool {
        least >= self.unit[j] * EXACT
    }

    /// The same of the weights.
    pub(super) fn has_exact_weights(&self, lightest: f64) -> bool {
        self.weight_unit.is_none_or(|unit| lightest >= unit * EXACT)
    }

    /// True when rows have weights.
    pub(super) fn is_weighted(&self) -> bool {
        self.weight_unit.is_some()
    }
}

/// In units, beyond which all digits of an `f64` are whole.
const EXACT: f64 = (1_u64 << 53) as f64;

/// A row is rounded by up to half a unit; means are to keep as many binary digits.
const ROUGH_BITS: u32 = 50;

/// Columns that are done at once.
const WIDE: usize = 4;

/// The high integers of some columns, and the low ones: a cache line.
type Part = [[i64; WIDE]; 2];

/// Weighted sums of the rows of each cluster.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    /// For each cluster the parts of its columns, and one with its weight. To each integer
    /// the bits of [`MAGIC`] were added once for each row.
    parts: Vec<Part>,
    /// Rows of each cluster, and of positive weight.
    n_rows: Vec<i64>,
    counts: Vec<i64>,
    n_columns: usize,
}

impl Sums {
    pub(super) fn new(n_clusters: usize, n_columns: usize) -> Sums {
        Sums {
            parts: vec![[[0; WIDE]; 2]; n_clusters * n_parts(n_columns)],
            n_rows: vec![0; n_clusters],
            counts: vec![0; n_clusters],
            n_columns,
        }
    }

    pub(super) fn merge(mut self, other: &Sums) -> Sums {
        let (to, from) = (self.parts.as_flattened_mut(), other.parts.as_flattened());
        for (to, from) in to.iter_mut().zip(from) {
            add(to, from);
        }
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

    /// The two integers of column `j` of a cluster as one; those of its weight follow the
    /// columns.
    fn total(&self, scale: &Scale, cluster: usize, j: usize) -> i128 {
        let part = &self.parts[cluster * n_parts(self.n_columns) + j / WIDE];
        let bias = (MAGIC.to_bits() as i64).wrapping_mul(self.n_rows[cluster]);
        let [high, low] = [part[0][j % WIDE], part[1][j % WIDE]]
            .map(|sum| i128::from(sum.wrapping_sub(bias)));
        (high << scale.low_bits) + low
    }

    /// For each cluster the two integers of each column, and of the weight where there are
    /// weights, without what depends on how they are kept: the shape for saving.
    pub(super) fn integers(&self, weighted: bool) -> Vec<Vec<[i64; 2]>> {
        let n_parts = n_parts(self.n_columns);
        let of = |c: usize| {
            let bias = (MAGIC.to_bits() as i64).wrapping_mul(self.n_rows[c]);
            let parts = &self.parts[c * n_parts..][..n_parts];
            let pair = |j: usize| parts[j / WIDE].map(|p| p[j % WIDE].wrapping_sub(bias));
            let weight = weighted.then_some((n_parts - 1) * WIDE);
            (0..self.n_columns).chain(weight).map(pair).collect()
        };
        (0..self.n_clusters()).map(of).collect()
    }

    /// Rows of each cluster, and of positive weight.
    pub(super) fn n_rows(&self) -> [&[i64]; 2] {
        [&self.n_rows, &self.counts]
    }

    /// What [`integers`](Sums::integers) and [`n_rows`](Sums::n_rows) gave. `None` when
    /// the lengths do not fit.
    pub(super) fn from_integers(
        n_columns: usize,
        integers: &[Vec<[i64; 2]>],
        [n_rows, counts]: [&[i64]; 2],
        weighted: bool,
    ) -> Option<Sums> {
        let lengths = [n_rows.len(), counts.len()];
        let wide = |pairs: &Vec<_>| pairs.len() == n_columns + usize::from(weighted);
        if lengths != [integers.len(); 2] || !integers.iter().all(wide) {
            return None;
        }
        let mut sums = Sums::new(integers.len(), n_columns);
        sums.n_rows.copy_from_slice(n_rows);
        sums.counts.copy_from_slice(counts);
        let n_parts = n_parts(n_columns);
        let clusters = sums.parts.chunks_exact_mut(n_parts).zip(integers).zip(n_rows);
        for ((parts, pairs), &n_rows) in clusters {
            let bias = (MAGIC.to_bits() as i64).wrapping_mul(n_rows);
            // Rows leave the bias also in the places that no column needs.
            let used = n_parts - usize::from(!weighted);
            parts[..used].fill([[bias; WIDE]; 2]);
            let places = (0..n_columns).chain(weighted.then_some((n_parts - 1) * WIDE));
            for (j, pair) in places.zip(pairs) {
                for (part, integer) in parts[j / WIDE].iter_mut().zip(pair) {
                    part[j % WIDE] = integer.wrapping_add(bias);
                }
            }
        }
        Some(sums)
    }

    /// The weight of a cluster's rows.
    pub(super) fn weight(&self, scale: &Scale, cluster: usize) -> f64 {
        let Some(unit) = scale.weight_unit else {
            return self.n_rows[cluster] as f64;
        };
        let j = (n_parts(self.n_columns) - 1) * WIDE;
        self.total(scale, cluster, j) as f64 * unit
    }

    /// True when so little is left of a cluster's weight, or of its sum in column `j`, that
    /// what was rounded away from its rows may show in the mean. Then it is to be asked
    /// whether something was: see [`Scale::is_exact`].
    pub(super) fn is_rough(
        &self,
        scale: &Scale,
        cluster: usize,
        j: Option<usize>,
    ) -> bool {
        let least = i128::from(self.n_rows[cluster]) << ROUGH_BITS;
        let weight = (n_parts(self.n_columns) - 1) * WIDE;
        self.total(scale, cluster, j.unwrap_or(weight)).abs() < least
    }

    /// The mean of a cluster that has rows. Without weights it is the exact mean, rounded
    /// once or twice, if it is not rough.
    pub(super) fn mean(&self, scale: &Scale, cluster: usize, out: &mut [f64]) {
        let weight = self.weight(scale, cluster);
        for (j, mean) in out.iter_mut().enumerate() {
            let total = self.total(scale, cluster, j);
            *mean = if scale.weight_unit.is_none() {
                let spare = total.unsigned_abs().leading_zeros().saturating_sub(1);
                let quotient = (total << spare) / i128::from(self.n_rows[cluster]);
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

/// Parts of a cluster: of its columns, and of its weight.
fn n_parts(n_columns: usize) -> usize {
    n_columns.div_ceil(WIDE) + 1
}

struct Apply<'a, 'r, T> {
    sums: &'a mut Sums,
    rows: Rows<'r, T>,
    scale: &'a Scale,
    moves: &'a [Move],
}

impl<T: Storage> Kernel for Apply<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Apply { sums, rows, scale, moves } = self;
        let n_parts = n_parts(sums.n_columns);
        let shift = (1_u64 << scale.low_bits) as f64;
        let weighted = scale.weight_unit.is_some();
        for &Move { row, from, to } in moves {
            let weight = rows.weight(row as usize);
            for p in 0..n_parts - 1 {
                let mut x = rows.four(row as usize, p * WIDE);
                if weighted {
                    // What is no number of the row's could overflow.
                    for (lane, x) in x.iter_mut().enumerate() {
                        let own = p * WIDE + lane < sums.n_columns;
                        *x = if own { *x * weight } else { 0.0 };
                    }
                }
                let part = split(x, &scale.to_high[p], shift);
                shift_part(&mut sums.parts, from, to, p, n_parts, &part);
            }
            if weighted {
                let p = n_parts - 1;
                let part = split([weight, 0.0, 0.0, 0.0], &scale.to_high[p], shift);
                shift_part(&mut sums.parts, from, to, p, n_parts, &part);
            }
            let counts = i64::from(weight > 0.0);
            if from != NOWHERE {
                sums.n_rows[from as usize] -= 1;
                sums.counts[from as usize] -= counts;
            }
            if to != NOWHERE {
                sums.n_rows[to as usize] += 1;
                sums.counts[to as usize] += counts;
            }
        }
    }
}

/// Takes part `p` of a row from one cluster to another.
#[inline(always)]
fn shift_part(
    parts: &mut [Part],
    from: u32,
    to: u32,
    p: usize,
    n_parts: usize,
    part: &Part,
) {
    if from != NOWHERE {
        let place = &mut parts[from as usize * n_parts + p];
        subtract(&mut place[0], &part[0]);
        subtract(&mut place[1], &part[1]);
    }
    if to != NOWHERE {
        let place = &mut parts[to as usize * n_parts + p];
        add(&mut place[0], &part[0]);
        add(&mut place[1], &part[1]);
    }
}

#[inline(always)]
fn add(to: &mut [i64; WIDE], from: &[i64; WIDE]) {
    for lane in 0..WIDE {
        to[lane] = to[lane].wrapping_add(from[lane]);
    }
}

#[inline(always)]
fn subtract(to: &mut [i64; WIDE], from: &[i64; WIDE]) {
    for lane in 0..WIDE {
        to[lane] = to[lane].wrapping_sub(from[lane]);
    }
}

/// The bits of [`MAGIC`] plus the high, and plus the low integers of some numbers.
#[inline(always)]
fn split(x: [f64; WIDE], to_high: &[f64; WIDE], shift: f64) -> Part {
    let mut part = [[0; WIDE]; 2];
    for lane in 0..WIDE {
        let scaled = x[lane] * to_high[lane];
        let high = scaled + MAGIC;
        let low = (scaled - (high - MAGIC)) * shift + MAGIC;
        part[0][lane] = high.to_bits() as i64;
        part[1][lane] = low.to_bits() as i64;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn scale_of(data: &[f64], n_rows: usize) -> Scale {
        let reach = data.iter().fold(0.0_f64, |reach, x| reach.max(x.abs()));
        Scale::new(n_rows, &[reach], None)
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
            sums.mean(&scale, c, &mut mean);
            assert!((mean[0] - plain).abs() <= 1e-13 * plain.abs() + 1e-7, "{mean:?}");
            assert_eq!(sums.weight(&scale, c), 333.0);
        }
    }

    /// A vector takes in what follows a row in memory, which its weight may make infinite.
    #[test]
    fn the_rows_after_a_row_leave_no_trace() {
        let data = [1.0, 1e300, -1e300, 2.0, 1e250, 3.0];
        let weights = [1e100, 1e-250, 1e-260, 1e90, 1e-200, 1e100];
        let scale = Scale::new(6, &[3e100], Some(1e100));
        let (mut together, mut alone) = (Sums::new(1, 1), Sums::new(1, 1));
        let rows = Rows::new(&data, (6, 1), Some(&weights)).unwrap();
        for i in 0..6 {
            together.apply(rows, &scale, &[Move { row: i as u32, from: NOWHERE, to: 0 }]);
            let one = Rows::new(&data[i..=i], (1, 1), Some(&weights[i..=i])).unwrap();
            alone.apply(one, &scale, &[Move { row: 0, from: NOWHERE, to: 0 }]);
        }
        assert_eq!(together, alone);
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
                sums.mean(&scale, 0, &mut mean);
                assert_eq!(mean, [x], "{n} times");
            }
        }
    }

    #[test]
    fn means_are_as_exact_as_their_numbers() {
        for (offset, n) in [(0.0, 999), (1e7, 999), (1e7, 3000), (-1e12, 100_000)] {
            let mut random = Random::new(8, 0);
            let data: Vec<f64> = (0..n).map(|_| offset + random.unit()).collect();
            let rows = Rows::new(&data, (n, 1), None).unwrap();
            let scale = scale_of(&data, n);
            let mut sums = Sums::new(1, 1);
            let moves: Vec<Move> =
                (0..n as u32).map(|row| Move { row, from: NOWHERE, to: 0 }).collect();
            sums.apply(rows, &scale, &moves);
            let mut mean = [f64::NAN];
            sums.mean(&scale, 0, &mut mean);
            // In units of 2⁻⁵⁵ these are whole numbers.
            let whole = |x: f64| (x * 2_f64.powi(55)) as i128;
            let exact: i128 = data.iter().map(|&x| whole(x)).sum();
            let exact = exact as f64 / n as f64 / 2_f64.powi(55);
            assert!((mean[0] - exact).abs() <= 2e-16 * exact.abs(), "{mean:?} {exact}");
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
        sums.mean(&scale, 1, &mut mean);
        assert!((mean[0] - 2e-12).abs() < 1e-24, "{mean:?}");
        sums.mean(&scale, 0, &mut mean);
        assert_eq!(mean, [0.0]);
    }
}
