//! Predictions of the beta-geometric process for many customers at once.

#![expect(clippy::needless_range_loop, reason = "one index reads many columns")]

use super::bg::{Asked, Bg};
use super::euler::{Computed, LANES, Table, series};
use super::history::PurchaseHistory;
use crate::simd::elementary::{exp, exp_m1};
use crate::simd::{Arithmetic, Kernel, run};

/// Customers that are computed together: few enough for the first-level cache.
const BLOCK: usize = 64;

/// Purchases to be expected up to `t`: the probability of being alive times what the process
/// promises, with the bits of each alone.
pub(super) fn expected_of_many(
    bg: &Bg,
    histories: &[PurchaseHistory],
    shift: f64,
    t: f64,
    to: &mut [f64],
) {
    if t == 0.0 {
        to.fill(0.0);
        return;
    }
    let numerators = numerators(bg, shift);
    run(Expected { bg, numerators: &numerators, histories, shift, t, to: &mut *to });
    for (history, to) in histories.iter().zip(to) {
        // Where the series is of no use.
        if to.is_nan() {
            *to = bg.alive(history, shift)
                * bg.after(history, shift).expected_by_quadrature(t);
        }
    }
}

fn numerators(bg: &Bg, shift: f64) -> Table {
    Table::new(&Computed { upper: bg.upper + shift, a: bg.a })
}

struct Expected<'a> {
    bg: &'a Bg,
    numerators: &'a Table,
    histories: &'a [PurchaseHistory],
    shift: f64,
    t: f64,
    to: &'a mut [f64],
}

impl Kernel for Expected<'_> {
    type Output = ();

    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Expected { bg, numerators, histories, shift, t, to } = self;
        let Bg { alpha, a, b, .. } = *bg;
        let upper = bg.upper + shift;
        let [mut x, mut last, mut age] = [[0.0; BLOCK]; 3];
        let [mut ab, mut z, mut y] = [[0.0; BLOCK]; 3];
        let [mut sum, mut sizes] = [[0.0; BLOCK]; 2];
        let [mut alive, mut power, mut less_one] = [[0.0; BLOCK]; 3];
        let mut expected = [0.0; BLOCK];
        for (histories, to) in histories.chunks(BLOCK).zip(to.chunks_mut(BLOCK)) {
            for (i, history) in histories.iter().enumerate() {
                x[i] = history.frequency;
                last[i] = history.age_at_last_purchase;
                age[i] = history.age;
            }
            // One function a loop: what a processor has in flight is then many rows of it, and
            // not the long chain of one.
            for i in 0..BLOCK {
                let asked = Asked::new(a, b + x[i] + shift, alpha + age[i], t);
                (ab[i], z[i], y[i]) = (asked.ab, asked.z, asked.y);
            }
            let n_groups = histories.len().div_ceil(LANES);
            let asked = ab.as_chunks::<LANES>().0.iter().zip(z.as_chunks::<LANES>().0);
            let found = sum.as_chunks_mut::<LANES>().0.iter_mut();
            let found = found.zip(sizes.as_chunks_mut::<LANES>().0);
            for ((ab, z), (sum, sizes)) in asked.zip(found).take(n_groups) {
                let found = series(upper, numerators, ab, z);
                *sum = found.sum;
                *sizes = found.sizes;
            }
            for i in 0..BLOCK {
                alive[i] = bg.silence(x[i], last[i], age[i]);
            }
            for i in 0..BLOCK {
                alive[i] = exp(alive[i]);
            }
            for i in 0..BLOCK {
                alive[i] = bg.alive_after_silence(x[i], shift, alive[i]);
            }
            for i in 0..BLOCK {
                let asked = Asked { ab: ab[i], z: z[i], y: y[i] };
                less_one[i] = exp_m1(asked.power(a));
                power[i] = 1.0 + less_one[i];
            }
            if a > 1.0 {
                for i in 0..BLOCK {
                    let asked = Asked { ab: ab[i], z: z[i], y: y[i] };
                    power[i] = exp(asked.power(a));
                }
            }
            for i in 0..BLOCK {
                let asked = Asked { ab: ab[i], z: z[i], y: y[i] };
                let powers = (power[i], less_one[i]);
                expected[i] = alive[i] * asked.expected(a, powers, sum[i], sizes[i]);
            }
            to.copy_from_slice(&expected[..to.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::random::Random;
    use crate::simd::baseline;

    #[test]
    fn vectors_change_no_bit() -> Result<()> {
        let mut random = Random::new(5, 0);
        let histories = (0..150).map(|i| {
            let age = 200.0 * random.unit();
            let last = if i % 3 == 0 { 0.0 } else { age * random.unit() };
            PurchaseHistory::new(if i % 3 == 0 { 0 } else { 1 + i % 40 }, last, age)
        });
        let histories = histories.collect::<Result<Vec<_>>>()?;
        for (r, alpha, a, b) in
            [(0.243, 4.4, 0.793, 2.426), (30.0, 0.1, 2.0, 0.4), (0.05, 90.0, 1.0, 1e-3)]
        {
            let bg = Bg::new(r, alpha, a, b);
            for shift in [0.0, 1.0] {
                for t in [0.01, 39.0, 1e4] {
                    let mut all = vec![0.0; histories.len()];
                    expected_of_many(&bg, &histories, shift, t, &mut all);
                    let mut plain = vec![0.0; histories.len()];
                    let (histories, to) = (&histories[..], &mut plain[..]);
                    let numerators = &numerators(&bg, shift);
                    let bg = &bg;
                    baseline(Expected { bg, numerators, histories, shift, t, to });
                    for (i, history) in histories.iter().enumerate() {
                        let alone = bg.alive(history, shift)
                            * bg.after(history, shift).expected(t);
                        assert_eq!(all[i].to_bits(), alone.to_bits(), "{i}");
                        assert!(
                            plain[i].is_nan() || plain[i].to_bits() == alone.to_bits()
                        );
                    }
                }
            }
        }
        Ok(())
    }
}
