//! Sums over rows of one number of repeat purchases, many rows at once.

#![expect(clippy::needless_range_loop, reason = "one index reads many columns")]

use crate::simd::elementary::{exp, ln_1p};
use crate::simd::{Arithmetic, Kernel, run};

/// Rows that are computed together: few enough for the first-level cache.
const BLOCK: usize = 64;

/// Sums that grow side by side.
pub(super) const LANES: usize = 8;

/// Weighted sums over rows of `ln(1 + T/α)` and of `y = α/(α+T)`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AgeSums {
    pub(super) weight: f64,
    /// `ln(1 + T/α)`.
    pub(super) lt: f64,
    pub(super) y: f64,
    /// `y (1 − y)`.
    pub(super) y_bend: f64,
}

/// Weighted sums over rows in which a customer may have left: `d` is `ln((α+T)/(α+t_x))`, `dy`
/// and `d2y` its derivatives by `ln α`; `left` the probability of having left, `odds` the
/// logarithm of 1 plus the odds of it, `bend` the variance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftSums {
    pub(super) odds: f64,
    pub(super) left: f64,
    pub(super) left_d: f64,
    pub(super) left_dy: f64,
    pub(super) left_d2y: f64,
    pub(super) bend: f64,
    pub(super) bend_d: f64,
    pub(super) bend_dy: f64,
    pub(super) bend_dd: f64,
    pub(super) bend_ddy: f64,
    pub(super) bend_dydy: f64,
}

/// Rows without repeat purchases, or with ones after which nobody leaves.
pub(super) fn of_ages(age: &[f64], weight: &[f64], alpha: f64) -> AgeSums {
    run(Ages { age, weight, alpha })
}

/// Rows in which the logarithm of the odds of having left is `ln_odds + k d`.
pub(super) fn of_leavers(
    (last, age): (&[f64], &[f64]),
    weight: &[f64],
    alpha: f64,
    (ln_odds, k): (f64, f64),
) -> (AgeSums, LeftSums) {
    run(Leavers { last, age, weight, alpha, ln_odds, k })
}

/// Copies the rows of a block; as many follow as its last lanes lack, all 0, and so is their
/// weight. Returns how many there are then.
#[inline(always)]
fn load(to: &mut [f64; BLOCK], from: &[f64]) -> usize {
    if let Some(from) = from.first_chunk::<BLOCK>() {
        *to = *from;
        return BLOCK;
    }
    let n = from.len().next_multiple_of(LANES).min(BLOCK);
    to[..from.len()].copy_from_slice(from);
    to[from.len()..n].fill(0.0);
    n
}

/// Adds the products of two columns of a block, lane by lane.
#[inline(always)]
fn add(n: usize, sums: &mut [f64; LANES], a: &[f64; BLOCK], b: &[f64; BLOCK]) {
    for (a, b) in a[..n].as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
}

/// The sum of the lanes, in an order that is the same whatever the vectors.
#[inline(always)]
pub(super) fn total(sums: &[f64; LANES]) -> f64 {
    ((sums[0] + sums[4]) + (sums[2] + sums[6]))
        + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// The columns that follow from the ages of a block.
struct AgeColumns {
    lt: [f64; BLOCK],
    y: [f64; BLOCK],
    y_bend: [f64; BLOCK],
}

impl AgeColumns {
    const NONE: AgeColumns =
        AgeColumns { lt: [0.0; BLOCK], y: [0.0; BLOCK], y_bend: [0.0; BLOCK] };

    #[inline(always)]
    fn compute(&mut self, n: usize, age: &[f64; BLOCK], per_alpha: f64) {
        for i in 0..n {
            let ratio = age[i] * per_alpha;
            let y = 1.0 / (1.0 + ratio);
            self.lt[i] = ln_1p(ratio);
            self.y[i] = y;
            self.y_bend[i] = y * (1.0 - y);
        }
    }
}

#[derive(Default)]
struct AgeLanes {
    weight: [f64; LANES],
    lt: [f64; LANES],
    y: [f64; LANES],
    y_bend: [f64; LANES],
}

impl AgeLanes {
    #[inline(always)]
    fn add(&mut self, n: usize, weight: &[f64; BLOCK], columns: &AgeColumns) {
        for weight in weight[..n].as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                self.weight[lane] += weight[lane];
            }
        }
        add(n, &mut self.lt, weight, &columns.lt);
        add(n, &mut self.y, weight, &columns.y);
        add(n, &mut self.y_bend, weight, &columns.y_bend);
    }

    #[inline(always)]
    fn total(&self) -> AgeSums {
        AgeSums {
            weight: total(&self.weight),
            lt: total(&self.lt),
            y: total(&self.y),
            y_bend: total(&self.y_bend),
        }
    }
}

struct Ages<'a> {
    age: &'a [f64],
    weight: &'a [f64],
    alpha: f64,
}

impl Kernel for Ages<'_> {
    type Output = AgeSums;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> AgeSums {
        let per_alpha = 1.0 / self.alpha;
        let mut lanes = AgeLanes::default();
        let mut columns = AgeColumns::NONE;
        let (mut age, mut weight) = ([0.0; BLOCK], [0.0; BLOCK]);
        for (ages, weights) in self.age.chunks(BLOCK).zip(self.weight.chunks(BLOCK)) {
            let n = load(&mut age, ages);
            load(&mut weight, weights);
            columns.compute(n, &age, per_alpha);
            lanes.add(n, &weight, &columns);
        }
        lanes.total()
    }
}

struct Leavers<'a> {
    last: &'a [f64],
    age: &'a [f64],
    weight: &'a [f64],
    alpha: f64,
    ln_odds: f64,
    k: f64,
}

/// The columns that follow from how long customers have been silent.
struct LeftColumns {
    d: [f64; BLOCK],
    dy: [f64; BLOCK],
    d2y: [f64; BLOCK],
    odds: [f64; BLOCK],
    left: [f64; BLOCK],
    bend: [f64; BLOCK],
    bend_d: [f64; BLOCK],
    bend_dy: [f64; BLOCK],
}

impl LeftColumns {
    const NONE: LeftColumns = LeftColumns {
        d: [0.0; BLOCK],
        dy: [0.0; BLOCK],
        d2y: [0.0; BLOCK],
        odds: [0.0; BLOCK],
        left: [0.0; BLOCK],
        bend: [0.0; BLOCK],
        bend_d: [0.0; BLOCK],
        bend_dy: [0.0; BLOCK],
    };

    #[inline(always)]
    fn compute(
        &mut self,
        n: usize,
        (last, age): (&[f64; BLOCK], &[f64; BLOCK]),
        weight: &[f64; BLOCK],
        ages: &AgeColumns,
        per_alpha: f64,
        (ln_odds, k): (f64, f64),
    ) {
        // One function a loop: what a processor has in flight is then many rows of it, and not
        // the long chain of one.
        for i in 0..n {
            let y_last = 1.0 / (1.0 + last[i] * per_alpha);
            self.d[i] = (age[i] - last[i]) * per_alpha * y_last;
            self.dy[i] = ages.y[i] - y_last;
            self.d2y[i] = ages.y_bend[i] - y_last * (1.0 - y_last);
        }
        for i in 0..n {
            self.d[i] = ln_1p(self.d[i]);
        }
        // Of the smaller of the two odds, which cannot overflow.
        for i in 0..n {
            self.odds[i] = exp(-(ln_odds + k * self.d[i]).abs());
        }
        for i in 0..n {
            let u = ln_odds + k * self.d[i];
            let less = 1.0 / (1.0 + self.odds[i]);
            let more = self.odds[i] * less;
            let (left, stayed) = if u > 0.0 { (less, more) } else { (more, less) };
            self.left[i] = weight[i] * left;
            self.bend[i] = self.left[i] * stayed;
            self.bend_d[i] = self.bend[i] * self.d[i];
            self.bend_dy[i] = self.bend[i] * self.dy[i];
        }
        for i in 0..n {
            let u = ln_odds + k * self.d[i];
            self.odds[i] = ln_1p(self.odds[i]) + if u > 0.0 { u } else { 0.0 };
        }
    }
}

impl Kernel for Leavers<'_> {
    type Output = (AgeSums, LeftSums);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (AgeSums, LeftSums) {
        const ONES: [f64; BLOCK] = [1.0; BLOCK];
        let per_alpha = 1.0 / self.alpha;
        let mut of_age = AgeLanes::default();
        let mut sums = [[0.0; LANES]; 11];
        let (mut ages, mut lefts) = (AgeColumns::NONE, LeftColumns::NONE);
        let mut last = [0.0; BLOCK];
        let (mut age, mut weight) = ([0.0; BLOCK], [0.0; BLOCK]);
        let blocks = self.last.chunks(BLOCK).zip(self.age.chunks(BLOCK));
        for ((lasts, all_ages), weights) in blocks.zip(self.weight.chunks(BLOCK)) {
            let n = load(&mut last, lasts);
            load(&mut age, all_ages);
            load(&mut weight, weights);
            ages.compute(n, &age, per_alpha);
            of_age.add(n, &weight, &ages);
            let odds = (self.ln_odds, self.k);
            lefts.compute(n, (&last, &age), &weight, &ages, per_alpha, odds);
            let LeftColumns { d, dy, d2y, odds, left, bend, bend_d, bend_dy } = &lefts;
            let products = [
                (&weight, odds),
                (left, &ONES),
                (left, d),
                (left, dy),
                (left, d2y),
                (bend, &ONES),
                (bend_d, &ONES),
                (bend_dy, &ONES),
                (bend_d, d),
                (bend_d, dy),
                (bend_dy, dy),
            ];
            for (sums, (a, b)) in sums.iter_mut().zip(products) {
                add(n, sums, a, b);
            }
        }
        let mut totals = [0.0; 11];
        for (to, sums) in totals.iter_mut().zip(&sums) {
            *to = total(sums);
        }
        let [odds, left, left_d, left_dy, left_d2y, bend, bend_d, bend_dy, rest @ ..] =
            totals;
        let [bend_dd, bend_ddy, bend_dydy] = rest;
        let sums = LeftSums {
            odds,
            left,
            left_d,
            left_dy,
            left_d2y,
            bend,
            bend_d,
            bend_dy,
            bend_dd,
            bend_ddy,
            bend_dydy,
        };
        (of_age.total(), sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::special::{ln_1p_exp, logistic};
    use crate::random::Random;
    use crate::simd::baseline;

    #[test]
    fn blocks_are_their_rows() {
        let mut random = Random::new(3, 0);
        for n in [0, 1, 7, 64, 65, 200, 1000] {
            let age: Vec<f64> = (0..n).map(|_| 90.0 * random.unit()).collect();
            let last: Vec<f64> = age.iter().map(|age| age * random.unit()).collect();
            let weight: Vec<f64> = (0..n).map(|_| 3.0 * random.unit()).collect();
            for (alpha, ln_odds, k) in
                [(4.4, -1.0, 1.2), (1e-9, 3.0, 40.0), (1e9, -40.0, 0.3)]
            {
                let all = (&last[..], &age[..]);
                let (ages, lefts) = of_leavers(all, &weight, alpha, (ln_odds, k));
                let mut slow = [0.0; 15];
                for i in 0..n {
                    let (y, y_last) =
                        (alpha / (alpha + age[i]), alpha / (alpha + last[i]));
                    let d = ((age[i] - last[i]) / (alpha + last[i])).ln_1p();
                    let dy = y - y_last;
                    let u = ln_odds + k * d;
                    let left = logistic(u);
                    let bend = left * logistic(-u);
                    let row = [
                        1.0,
                        (age[i] / alpha).ln_1p(),
                        y,
                        y * (1.0 - y),
                        ln_1p_exp(u),
                        left,
                        left * d,
                        left * dy,
                        left * (y * (1.0 - y) - y_last * (1.0 - y_last)),
                        bend,
                        bend * d,
                        bend * dy,
                        bend * d * d,
                        bend * d * dy,
                        bend * dy * dy,
                    ];
                    for (sum, x) in slow.iter_mut().zip(row) {
                        *sum += weight[i] * x;
                    }
                }
                let found = [
                    ages.weight,
                    ages.lt,
                    ages.y,
                    ages.y_bend,
                    lefts.odds,
                    lefts.left,
                    lefts.left_d,
                    lefts.left_dy,
                    lefts.left_d2y,
                    lefts.bend,
                    lefts.bend_d,
                    lefts.bend_dy,
                    lefts.bend_dd,
                    lefts.bend_ddy,
                    lefts.bend_dydy,
                ];
                for (i, (found, slow)) in found.iter().zip(slow).enumerate() {
                    let off = (found - slow).abs();
                    assert!(off <= 1e-12 * slow.abs() + 1e-13, "{n} {i}: {found} {slow}");
                }
                let alone = of_ages(&age, &weight, alpha);
                assert_eq!(
                    [alone.weight, alone.lt, alone.y, alone.y_bend].map(f64::to_bits),
                    [found[0], found[1], found[2], found[3]].map(f64::to_bits)
                );
                // The same bits without vectors.
                let (age, last, weight) = (&age[..], &last[..], &weight[..]);
                let plain = baseline(Leavers { last, age, weight, alpha, ln_odds, k });
                assert_eq!(format!("{plain:?}"), format!("{:?}", (ages, lefts)));
            }
        }
    }
}
