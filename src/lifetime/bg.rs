//! The beta-geometric process: after each purchase some leave.

use super::curvature::{Curvature, Jet};
use super::distinct::{Distinct, Run};
use super::euler::{Computed, series};
use super::history::PurchaseHistory;
use super::rates::Rates;
use super::rows::{LeftSums, of_ages, of_leavers};
use super::special::{LnRising, RisingFactorials, ln_1p_exp, logistic};
use crate::simd::elementary;

/// Rates `λ` are gamma distributed with shape `r` and rate `alpha`; the probability `p` of
/// leaving after a purchase is beta distributed with `a` and `b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bg {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) a: f64,
    pub(super) b: f64,
    /// `a + b − 1 − r`, from which what was seen takes as much as it adds.
    pub(super) upper: f64,
}

impl Bg {
    pub(super) fn new(r: f64, alpha: f64, a: f64, b: f64) -> Bg {
        Bg { r, alpha, a, b, upper: a + b - 1.0 - r }
    }

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
        let asked = Asked::new(self.a, self.b, self.alpha, t);
        let numerators = Computed { upper: self.upper, a: self.a };
        let found = series(self.upper, &numerators, &[asked.ab], &[asked.z]);
        let less_one = elementary::exp_m1(asked.power(self.a));
        let power = if self.a > 1.0 {
            elementary::exp(asked.power(self.a))
        } else {
            1.0 + less_one
        };
        let expected =
            asked.expected(self.a, (power, less_one), found.sum[0], found.sizes[0]);
        if expected.is_nan() { self.expected_by_quadrature(t) } else { expected }
    }

    pub(super) fn expected_by_quadrature(&self, t: f64) -> f64 {
        let ratio = t / self.alpha;
        beta_expectation(self.a, self.b, |ln_p| {
            let p = ln_p.exp();
            // The limit, before p loses its digits.
            if p < 1e-280 {
                return self.r * ratio;
            }
            -(-self.r * (p * ratio).ln_1p()).exp_m1() / p
        })
    }
}

/// What is asked of one customer's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// `a + b`, which is `c + 1`.
    pub(super) ab: f64,
    pub(super) z: f64,
    pub(super) y: f64,
}

impl Asked {
    #[inline(always)]
    pub(super) fn new(a: f64, b: f64, alpha: f64, t: f64) -> Asked {
        Asked { ab: a + b, z: t / (alpha + t), y: elementary::ln_1p(t / alpha) }
    }

    #[inline(always)]
    pub(super) fn power(&self, a: f64) -> f64 {
        (1.0 - a) * self.y
    }

    /// The expectation, with e to the power, that less one, and the series' answer; NaN where
    /// that is of no use.
    #[inline(always)]
    pub(super) fn expected(
        &self,
        a: f64,
        (power, less_one): (f64, f64),
        sum: f64,
        sizes: f64,
    ) -> f64 {
        let per = if a == 1.0 { self.y } else { less_one * (1.0 / (1.0 - a)) };
        let bracket = (self.ab - 1.0) * per;
        let expected = bracket - power * sum;
        let size = power * sizes;
        let size = if size > bracket.abs() { size } else { bracket.abs() };
        // False where there is no sum.
        let good = (expected > 1e-2 * size) & (expected < f64::INFINITY);
        if good { expected } else { f64::NAN }
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
        let power = a * less_p + b * less_q;
        let density = (-power).exp() * u.cosh();
        let value = if density == 0.0 { 0.0 } else { f(-ln_1p_exp(-middle - d)) };
        (density, density * value, power)
    };
    let (mut mass, mut sum, _) = term(0);
    for side in [-1, 1] {
        for i in 1..MOST {
            let (density, value, power) = term(side * i);
            mass += density;
            sum += value;
            // From here on the density only falls, and faster and faster.
            let falls = i > 8 && power > 1.0;
            if falls && density <= 1e-18 * mass && value.abs() <= 1e-18 * sum.abs() {
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
    let bg = Bg::new(r, alpha, a, b);
    let sum = distinct.sum_over_runs(|runs| {
        let mut sum = Jet::ZERO;
        let mut rising = [r, b, a + b].map(RisingFactorials::new);
        for run in runs {
            let [of_r, of_b, of_ab] = &mut rising;
            let rising =
                [of_r.at(run.x), of_b.at(run.x + shift), of_ab.at(run.x + shift)];
            sum.add(1.0, &bg.of_run(distinct, run, shift, rising));
        }
        sum
    });
    sum.into()
}

impl Bg {
    /// The logarithm of the odds of having left, but for `a/(b+j−1)`, of a customer with these
    /// repeat purchases and ages.
    #[inline(always)]
    pub(super) fn silence(&self, x: f64, last: f64, age: f64) -> f64 {
        (self.r + x) * elementary::ln_1p((age - last) / (self.alpha + last))
    }

    /// The probability of being alive with e to the silence: 1 over 1 plus the odds.
    #[inline(always)]
    pub(super) fn alive_after_silence(&self, x: f64, shift: f64, silence: f64) -> f64 {
        let j = x + shift;
        let stays = self.b + (j - 1.0);
        let alive = stays / (stays + self.a * silence);
        if j < 1.0 { 1.0 } else { alive }
    }

    /// The probability of being alive.
    pub(super) fn alive(&self, history: &PurchaseHistory, shift: f64) -> f64 {
        let PurchaseHistory { frequency: x, age_at_last_purchase: last, age } = *history;
        let silence = elementary::exp(self.silence(x, last, age));
        self.alive_after_silence(x, shift, silence)
    }

    /// The same, and the log-likelihood.
    pub(super) fn alive_and_ln(
        &self,
        history: &PurchaseHistory,
        shift: f64,
    ) -> (f64, f64) {
        let Bg { r, alpha, a, b, .. } = *self;
        let PurchaseHistory { frequency: x, age_at_last_purchase: last, age } = *history;
        let j = x + shift;
        let odds = if j < 1.0 {
            f64::NEG_INFINITY
        } else {
            (a / (b + (j - 1.0))).ln() + (r + x) * ((age - last) / (alpha + last)).ln_1p()
        };
        // The likelier of the two is the measure: still there at the age, or left at the last
        // purchase. Relative to the other one a large likelihood is a difference of larger ones.
        let (until, ln_stayed) = if odds > 0.0 {
            (last, a.ln() + LnRising::new(b, j - 1.0).value)
        } else {
            (age, LnRising::new(b, j).value)
        };
        let ln = LnRising::new(r, x).value
            - r * (until / alpha).ln_1p()
            - x * (alpha + until).ln()
            + ln_stayed
            - LnRising::new(a + b, j).value
            + ln_1p_exp(-odds.abs());
        (self.alive(history, shift), ln)
    }

    /// What someone does who is alive after this history.
    pub(super) fn after(&self, history: &PurchaseHistory, shift: f64) -> Bg {
        Bg {
            r: self.r + history.frequency,
            alpha: self.alpha + history.age,
            a: self.a,
            b: self.b + history.frequency + shift,
            upper: self.upper + shift,
        }
    }

    fn of_run(
        &self,
        distinct: &Distinct,
        run: &Run,
        shift: f64,
        [of_r, of_b, of_ab]: [LnRising; 3],
    ) -> Jet<4> {
        let Bg { r, alpha, a, b, .. } = *self;
        let (x, j) = (run.x, run.x + shift);
        let k = r + x;
        // What is the same for all rows of the run.
        let (stay, ln_odds) = if j < 1.0 {
            (0.0, f64::NEG_INFINITY)
        } else {
            (b / (b + (j - 1.0)), (a / (b + (j - 1.0))).ln())
        };

        let range = run.start..run.end;
        let (age, weight) =
            (&distinct.age[range.clone()], &distinct.weight[range.clone()]);
        let (ages, rows) = if j < 1.0 {
            (of_ages(age, weight, alpha), LeftSums::default())
        } else {
            of_leavers((&distinct.last[range], age), weight, alpha, (ln_odds, k))
        };

        let w = ages.weight;
        let value = w * (of_r.value - x * alpha.ln() + of_b.value - of_ab.value)
            - k * ages.lt
            + rows.odds;
        let d_b = b * (of_b.first - of_ab.first);
        let gradient = [
            w * r * of_r.first - r * ages.lt + r * rows.left_d,
            w * (k - x) - k * ages.y + k * rows.left_dy,
            -w * a * of_ab.first + rows.left,
            w * d_b - stay * rows.left,
        ];
        let mut hessian = [[0.0; 4]; 4];
        hessian[0][0] = w * (r * of_r.first + r * r * of_r.second) - r * ages.lt
            + r * rows.left_d
            + r * r * rows.bend_dd;
        hessian[0][1] = r * (w - ages.y) + r * rows.left_dy + r * k * rows.bend_ddy;
        hessian[0][2] = r * rows.bend_d;
        hessian[0][3] = -stay * r * rows.bend_d;
        hessian[1][1] = -k * ages.y_bend + k * rows.left_d2y + k * k * rows.bend_dydy;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_and_quadrature_agree() {
        for r in [0.05, 0.243, 3.0, 40.0] {
            for a in [0.01, 0.793, 1.0, 1.0 + 1e-9, 4.0] {
                for b in [0.1, 2.426, 30.0] {
                    for t in [0.01, 1.0, 20.0, 400.0] {
                        let bg = Bg::new(r, 4.4, a, b);
                        let slow = bg.expected_by_quadrature(t);
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
