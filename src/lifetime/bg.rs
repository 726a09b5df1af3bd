//! The beta-geometric process: after each purchase some leave.

use super::curvature::{Curvature, Jet};
use super::distinct::{Distinct, Run};
use super::euler::{LANES, Many, Sums, series};
use super::history::PurchaseHistory;
use super::rates::Rates;
use super::special::{LnRising, ln_1p_exp, logistic};
use crate::parallel::map_blocks;
use crate::simd;

/// Rates `λ` are gamma distributed with shape `r` and rate `alpha`; the probability `p` of
/// leaving after a purchase is beta distributed with `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bg {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) a: f64,
    pub(super) b: f64,
}

impl Bg {
    /// Purchases to be expected up to `t` (Fader, Hardie & Lee 2005, equation 9).
    ///
    /// Their hypergeometric function, after Euler's transformation, is a series without
    /// poles: with `z = t/(α+t)`, `y = −ln(1−z)`, `c = a+b−1`,
    /// `E = c (1 − e^(−(a−1)y))/(a−1) − e^(−(a−1)y) Σ (c−r)_n (a)_(n−1) / ((c+1)_(n−1) n!) zⁿ`.
    /// Where that cancels or converges slowly, `E[(1 − (α/(α+pt))^r)/p]` is summed over `p`.
    pub(super) fn expected(&self, t: f64) -> f64 {
        if t == 0.0 {
            return 0.0;
        }
        let (upper, c, z) = self.asked(t);
        let found = series(&[upper], self.a, &[c], &[z]);
        self.expected_by(t, found.sum[0], found.sizes[0])
    }

    /// What the series is asked: `A`, `c` and `z`.
    fn asked(&self, t: f64) -> (f64, f64, f64) {
        let c = self.a + self.b - 1.0;
        (c - self.r, c + 1.0, t / (self.alpha + t))
    }

    /// The expectation, with the series' answer.
    fn expected_by(&self, t: f64, sum: f64, sizes: f64) -> f64 {
        let Bg { r, alpha, a, b } = *self;
        let ratio = t / alpha;
        let y = ratio.ln_1p();
        let c = a + b - 1.0;
        let grown = (-(a - 1.0) * y).exp_m1();
        let bracket = c * if a == 1.0 { y } else { -grown / (a - 1.0) };
        // 1 + grown, but where it would lose its digits.
        let factor = if grown > -0.5 { 1.0 + grown } else { (-(a - 1.0) * y).exp() };
        let expected = bracket - factor * sum;
        // False where there is no sum.
        if expected > 1e-2 * bracket.abs().max(factor * sizes) && expected.is_finite() {
            return expected;
        }
        beta_expectation(a, b, |ln_p| {
            let p = ln_p.exp();
            // The limit, before p loses its digits.
            if p < 1e-280 {
                return r * ratio;
            }
            -(-r * (p * ratio).ln_1p()).exp_m1() / p
        })
    }

    /// Purchases to be expected of many customers: the probability of being alive times what
    /// the process promises, with the bits of each alone. Eight series at once take the time
    /// of two.
    pub(super) fn expected_of_many(
        &self,
        histories: &[PurchaseHistory],
        shift: f64,
        t: f64,
        to: &mut [f64],
    ) {
        const ROWS: usize = 256;
        const GROUPS: usize = ROWS / LANES;
        if t == 0.0 {
            to.fill(0.0);
            return;
        }
        let none = Sums { sum: [0.0; LANES], sizes: [0.0; LANES] };
        let mut found = [none; GROUPS];
        // Lanes that are left over ask what ends at once.
        let mut asked = [[[0.0; LANES]; GROUPS]; 3];
        for (histories, to) in histories.chunks(ROWS).zip(to.chunks_mut(ROWS)) {
            asked[0].as_flattened_mut().fill(0.0);
            asked[1].as_flattened_mut().fill(1.0);
            asked[2].as_flattened_mut().fill(0.0);
            let [upper, c, z] = &mut asked;
            let lanes = upper
                .as_flattened_mut()
                .iter_mut()
                .zip(c.as_flattened_mut())
                .zip(z.as_flattened_mut());
            for (history, ((upper, c), z)) in histories.iter().zip(lanes) {
                (*upper, *c, *z) = self.after(history, shift).asked(t);
            }
            let n = histories.len().div_ceil(LANES);
            simd::run(Many {
                a: self.a,
                upper: &upper[..n],
                c: &c[..n],
                z: &z[..n],
                found: &mut found[..n],
            });
            for (i, (history, to)) in histories.iter().zip(to).enumerate() {
                let found = &found[i / LANES];
                let (sum, sizes) = (found.sum[i % LANES], found.sizes[i % LANES]);
                let expected = self.after(history, shift).expected_by(t, sum, sizes);
                *to = self.alive(history, shift) * expected;
            }
        }
    }
}

impl Bg {
    fn rates(&self) -> Rates {
        Rates { r: self.r, alpha: self.alpha }
    }

    /// Fader, Hardie & Lee (2005), equation 8.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        let stayed = (LnRising::new(self.b, n).value
            - LnRising::new(self.a + self.b, n).value)
            .exp();
        let still = stayed * self.rates().probability_of(n, t);
        if n == 0.0 {
            return still;
        }
        // Left after the n-th purchase.
        let left = (self.a.ln() + LnRising::new(self.b, n - 1.0).value
            - LnRising::new(self.a + self.b, n).value)
            .exp();
        still + left * self.rates().at_least(n, t)
    }

    /// `E[(α/(α+pt))^r]` over the beta distribution of `p`: purchases thin out at the rate
    /// `λp`.
    pub(super) fn alive_after(&self, t: f64) -> f64 {
        let ratio = t / self.alpha;
        beta_expectation(self.a, self.b, |ln_p| {
            (-self.r * (ln_p.exp() * ratio).ln_1p()).exp()
        })
        .clamp(0.0, 1.0)
    }
}

/// `E[f(ln p)]` over the beta distribution with `a` and `b`, for a smooth `f`.
///
/// The trapezoidal rule in `u`, where `logit p = m + κ sinh u`: the integrand dies twice
/// exponentially on both sides, whatever the parameters (Takahasi & Mori 1974). The density is
/// measured by that in the middle, whose logarithms cancel before they are rounded.
pub(super) fn beta_expectation(a: f64, b: f64, f: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 1.0 / 64.0;
    const MOST: i32 = 8000;
    // Where the density turns from growing to falling, and how quickly.
    let middle = ((a + 1.0) / (b + 1.0)).ln();
    let width = (1.0 / (a + 1.0) + 1.0 / (b + 1.0)).sqrt().min(1.0);
    let (p, q) = (logistic(middle), logistic(-middle));
    let term = |i: i32| {
        let u = STEP * f64::from(i);
        let d = width * u.sinh();
        let (less_p, less_q) = (ln_growth(q, -d), ln_growth(p, d));
        let density = (-a * less_p - b * less_q).exp() * u.cosh();
        if density == 0.0 {
            (0.0, 0.0)
        } else {
            (density, density * f(-ln_1p_exp(-middle - d)))
        }
    };
    let (mut mass, mut sum) = term(0);
    for side in [-1, 1] {
        for i in 1..MOST {
            let (density, value) = term(side * i);
            mass += density;
            sum += value;
            // Past the middle the density only falls, and faster and faster.
            if density <= 1e-18 * mass && value.abs() <= 1e-18 * sum.abs() && i > 8 {
                break;
            }
        }
    }
    sum / mass
}

/// `ln(1 + s (eᵈ − 1))` for a share `s`.
fn ln_growth(s: f64, d: f64) -> f64 {
    if d < 30.0 {
        (s * d.exp_m1()).ln_1p()
    } else {
        d + (s + (1.0 - s) * (-d).exp()).ln()
    }
}

/// The log-likelihood of histories and its derivatives by `ln r`, `ln α`, `ln a`, `ln b`.
///
/// With `j` chances to leave up to the last purchase but one (`x` of BG/NBD, where a first
/// purchase is none; `x + 1` of MBG/NBD), the likelihood is
/// `(r)_x α^r (α+T)^−(r+x) · (b)_j/(a+b)_j · (1 + e^u)` with
/// `e^u = a/(b+j−1) · ((α+T)/(α+t_x))^(r+x)`, the odds of having left.
pub(super) fn log_likelihood(distinct: &Distinct, shift: f64, at: &[f64]) -> Curvature {
    let [r, alpha, a, b] = [at[0].exp(), at[1].exp(), at[2].exp(), at[3].exp()];
    let bg = Bg { r, alpha, a, b };
    let parts = map_blocks(distinct.runs.len(), 8, |runs| {
        let mut sum = Jet::ZERO;
        for run in &distinct.runs[runs] {
            sum.add(1.0, &bg.of_run(distinct, run, shift));
        }
        sum
    });
    let mut sum = Jet::ZERO;
    parts.iter().for_each(|part| sum.add(1.0, part));
    sum.into()
}

impl Bg {
    /// The logarithm of the odds of having left.
    fn ln_odds_left(&self, history: &PurchaseHistory, shift: f64) -> f64 {
        let PurchaseHistory { frequency: x, age_at_last_purchase: last, age } = *history;
        let j = x + shift;
        if j < 1.0 {
            return f64::NEG_INFINITY;
        }
        (self.a / (self.b + j - 1.0)).ln()
            + (self.r + x) * ((age - last) / (self.alpha + last)).ln_1p()
    }

    /// The probability of being alive.
    pub(super) fn alive(&self, history: &PurchaseHistory, shift: f64) -> f64 {
        logistic(-self.ln_odds_left(history, shift))
    }

    /// The same, and the log-likelihood.
    pub(super) fn alive_and_ln(
        &self,
        history: &PurchaseHistory,
        shift: f64,
    ) -> (f64, f64) {
        let Bg { r, alpha, a, b } = *self;
        let PurchaseHistory { frequency: x, age, .. } = *history;
        let j = x + shift;
        let odds = self.ln_odds_left(history, shift);
        let ln = LnRising::new(r, x).value
            - r * (age / alpha).ln_1p()
            - x * (alpha + age).ln()
            + LnRising::new(b, j).value
            - LnRising::new(a + b, j).value
            + ln_1p_exp(odds);
        (logistic(-odds), ln)
    }

    /// What someone does who is alive after this history.
    pub(super) fn after(&self, history: &PurchaseHistory, shift: f64) -> Bg {
        Bg {
            r: self.r + history.frequency,
            alpha: self.alpha + history.age,
            a: self.a,
            b: self.b + history.frequency + shift,
        }
    }

    fn of_run(&self, distinct: &Distinct, run: &Run, shift: f64) -> Jet<4> {
        let Bg { r, alpha, a, b } = *self;
        let (x, j) = (run.x, run.x + shift);
        let k = r + x;
        // What is the same for all rows of the run.
        let (of_r, of_b, of_ab) =
            (LnRising::new(r, x), LnRising::new(b, j), LnRising::new(a + b, j));
        let stay = b / (b + j - 1.0);
        let ln_odds = (a / (b + j - 1.0)).ln();

        // Weighted sums over the rows: of ln(1 + T/α) and of y = α/(α+T), …
        let mut rows = RowSums::default();
        let range = run.start..run.end;
        let columns = distinct.last[range.clone()]
            .iter()
            .zip(&distinct.age[range.clone()])
            .zip(&distinct.weight[range]);
        for ((&last, &age), &weight) in columns {
            let y_age = alpha / (alpha + age);
            let lt = -y_age.ln();
            rows.weight += weight;
            rows.lt += weight * lt;
            rows.y += weight * y_age;
            rows.y_bend += weight * y_age * (1.0 - y_age);
            if j < 1.0 {
                continue;
            }
            let y_last = alpha / (alpha + last);
            let d = lt + y_last.ln();
            let dy = y_age - y_last;
            let d2y = y_age * (1.0 - y_age) - y_last * (1.0 - y_last);
            let u = ln_odds + k * d;
            let left = weight * logistic(u);
            let bend = left * logistic(-u);
            rows.odds += weight * ln_1p_exp(u);
            rows.left += left;
            rows.left_d += left * d;
            rows.left_dy += left * dy;
            rows.left_d2y += left * d2y;
            rows.bend += bend;
            rows.bend_d += bend * d;
            rows.bend_dy += bend * dy;
            rows.bend_dd += bend * d * d;
            rows.bend_ddy += bend * d * dy;
            rows.bend_dydy += bend * dy * dy;
        }

        let w = rows.weight;
        let value = w * (of_r.value - x * alpha.ln() + of_b.value - of_ab.value)
            - k * rows.lt
            + rows.odds;
        let d_b = b * (of_b.first - of_ab.first);
        let gradient = [
            w * r * of_r.first - r * rows.lt + r * rows.left_d,
            w * (k - x) - k * rows.y + k * rows.left_dy,
            -w * a * of_ab.first + rows.left,
            w * d_b - stay * rows.left,
        ];
        let mut hessian = [[0.0; 4]; 4];
        hessian[0][0] = w * (r * of_r.first + r * r * of_r.second) - r * rows.lt
            + r * rows.left_d
            + r * r * rows.bend_dd;
        hessian[0][1] = r * (w - rows.y) + r * rows.left_dy + r * k * rows.bend_ddy;
        hessian[0][2] = r * rows.bend_d;
        hessian[0][3] = -stay * r * rows.bend_d;
        hessian[1][1] = -k * rows.y_bend + k * rows.left_d2y + k * k * rows.bend_dydy;
        hessian[1][2] = k * rows.bend_dy;
        hessian[1][3] = -stay * k * rows.bend_dy;
        hessian[2][2] = -w * (a * of_ab.first + a * a * of_ab.second) + rows.bend;
        hessian[2][3] = -w * a * b * of_ab.second - stay * rows.bend;
        hessian[3][3] = w * (d_b + b * b * (of_b.second - of_ab.second))
            - stay * (1.0 - stay) * rows.left
            + stay * stay * rows.bend;
        Jet { value, gradient, hessian }.mirror()
    }
}

/// Weighted sums over rows; `d` is `ln((α+T)/(α+t_x))`, `dy` and `d2y` its derivatives by
/// `ln α`.
#[derive(Clone, Copy, Debug, Default)]
struct RowSums {
    weight: f64,
    lt: f64,
    y: f64,
    y_bend: f64,
    odds: f64,
    left: f64,
    left_d: f64,
    left_dy: f64,
    left_d2y: f64,
    bend: f64,
    bend_d: f64,
    bend_dy: f64,
    bend_dd: f64,
    bend_ddy: f64,
    bend_dydy: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_and_quadrature_agree() {
        for r in [0.05, 0.243, 3.0, 40.0] {
            for a in [0.01, 0.793, 1.0, 1.0 + 1e-9, 4.0] {
                for b in [0.1, 2.426, 30.0] {
                    for t in [0.01, 1.0, 20.0, 400.0] {
                        let bg = Bg { r, alpha: 4.4, a, b };
                        let ratio = t / bg.alpha;
                        let slow = beta_expectation(a, b, |ln_p: f64| {
                            let p = ln_p.exp();
                            if p < 1e-280 {
                                return r * ratio;
                            }
                            -(-r * (p * ratio).ln_1p()).exp_m1() / p
                        });
                        let fast = bg.expected(t);
                        assert!(
                            (fast / slow - 1.0).abs() < 1e-11,
                            "{bg:?} {t}: {fast} {slow}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn moments_of_the_beta_distribution_are_known() {
        for a in [1e-9, 0.003, 0.5, 2.0, 1e3, 1e7] {
            for b in [1e-6, 0.3, 1.0, 22.0, 1e5] {
                let mean = beta_expectation(a, b, f64::exp);
                assert!((mean / (a / (a + b)) - 1.0).abs() < 1e-11, "{a} {b}: {mean}");
                let square = beta_expectation(a, b, |ln_p| (2.0 * ln_p).exp());
                let expected = a * (a + 1.0) / ((a + b) * (a + b + 1.0));
                assert!((square / expected - 1.0).abs() < 1e-11, "{a} {b}: {square}");
            }
        }
    }
}
