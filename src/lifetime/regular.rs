//! The process of regular purchases: from one to the next a customer takes as many steps as a
//! Poisson process, and after each purchase some leave.

use super::bg::beta_expectation;
use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::history::PurchaseHistory;
use super::integrate::over_log_time;
use super::rates::Rates;
use super::special::{LnRising, RisingFactorials};

/// Steps between two purchases, at most.
pub(super) const MOST_STEPS: u32 = 20;

/// Someone who is alive: since the last purchase she has taken from 0 to `k − 1` steps, nobody
/// knows how many. With `j` of them her rate is gamma distributed with `r + j` and `alpha`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Regular {
    k: u32,
    r: f64,
    alpha: f64,
    a: f64,
    b: f64,
    /// The time since the last purchase over `alpha`.
    silence: f64,
}

impl Regular {
    pub(super) fn new(k: u32, [r, alpha, a, b]: [f64; 4]) -> Regular {
        Regular { k, r, alpha, a, b, silence: 0.0 }
    }

    /// What someone does who is alive after this history.
    pub(super) fn after(&self, history: &PurchaseHistory) -> Regular {
        let PurchaseHistory { frequency: x, age, .. } = *history;
        let alpha = self.alpha + age;
        Regular {
            r: self.r + f64::from(self.k) * x,
            alpha,
            b: self.b + x + 1.0,
            silence: history.since_last_purchase() / alpha,
            ..*self
        }
    }

    /// The logarithm of how likely each number of steps is, but for what is the same of all, and
    /// of their sum.
    fn ln_steps(&self) -> ([f64; MOST_STEPS as usize], f64) {
        let mut each = [f64::NEG_INFINITY; MOST_STEPS as usize];
        let (mut ln, mut largest) = (0.0, 0.0_f64);
        for (j, to) in each.iter_mut().enumerate().take(self.k as usize) {
            *to = ln;
            largest = largest.max(ln);
            let j = j as f64;
            ln += ((self.r + j) / (j + 1.0)).ln() + self.silence.ln();
        }
        let sum: f64 = each.iter().map(|ln| (ln - largest).exp()).sum();
        (each, largest + sum.ln())
    }

    /// The probability of each number of steps.
    fn steps(&self) -> [f64; MOST_STEPS as usize] {
        let (each, all) = self.ln_steps();
        each.map(|ln| (ln - all).exp())
    }

    /// The probability of being alive after a history, and its log-likelihood.
    pub(super) fn alive_and_ln(&self, history: &PurchaseHistory) -> (f64, f64) {
        let PurchaseHistory { frequency: x, age_at_last_purchase: last, age } = *history;
        let Regular { r, alpha, a, b, .. } = *self;
        let steps = f64::from(self.k) * x;
        let alive = self.after(history).ln_steps().1;
        let left =
            (a / (b + x)).ln() + (r + steps) * ((age - last) / (alpha + last)).ln_1p();
        let either = alive.max(left) + (-(alive - left).abs()).exp().ln_1p();
        let ln = LnRising::new(r, steps).value
            - r * (age / alpha).ln_1p()
            - steps * (alpha + age).ln()
            + LnRising::new(b, x + 1.0).value
            - LnRising::new(a + b, x + 1.0).value
            + either;
        ((alive - either).exp(), ln)
    }

    /// Purchases to be expected up to `t`: `Σ_n E[(1−p)^(n−1)] P(nk − j steps up to t)`.
    pub(super) fn expected(&self, t: f64) -> f64 {
        if t == 0.0 {
            return 0.0;
        }
        let steps = self.steps();
        self.expected_by_series(&steps, t)
            .unwrap_or_else(|| self.expected_by_quadrature(&steps, t))
    }

    /// Over the number of steps up to `t`, where they are not many: all terms are positive.
    fn expected_by_series(&self, steps: &[f64], t: f64) -> Option<f64> {
        const MOST: u32 = 4096;
        let (z, rest) = (t / (self.alpha + t), self.alpha / (self.alpha + t));
        let most = f64::from(self.k) + self.r;
        if 40.0 * z > f64::from(MOST) * rest || most * z > 600.0 * rest {
            return None;
        }
        let none = (t / self.alpha).ln_1p();
        let mut expected = 0.0;
        for (j, share) in (0..self.k).zip(steps) {
            let r = self.r + f64::from(j);
            let mut p = (-r * none).exp();
            let mut to_next = self.k - j;
            // Purchases so far of those who stay, and how many of them make the next one.
            let (mut bought, mut stay, mut n) = (0.0, 1.0, 0.0);
            let (mut sum, mut enough) = (0.0, false);
            for m in 0..MOST {
                let m = f64::from(m);
                let ratio = (r + m) / (m + 1.0) * z;
                p *= ratio;
                to_next -= 1;
                if to_next == 0 {
                    to_next = self.k;
                    bought += stay;
                    stay *= (self.b + n) / (self.a + self.b + n);
                    n += 1.0;
                }
                sum += p * bought;
                // What follows is less than a geometric series, of which each is counted.
                let up = if ratio > z { 1.0 - ratio } else { rest };
                let small = up > 0.0 && p * (bought + 1.0) <= 1e-17 * up * up * sum;
                if small || p == 0.0 {
                    enough = true;
                    break;
                }
            }
            if !enough {
                return None;
            }
            expected += share * sum;
        }
        Some(expected)
    }

    fn expected_by_quadrature(&self, steps: &[f64], t: f64) -> f64 {
        let ratio = t / self.alpha;
        beta_expectation(self.a, self.b, |ln_p| {
            let roots = Roots::new(self.k, ln_p);
            let mut expected = 0.0;
            for (j, share) in (0..self.k).zip(steps) {
                let r = self.r + f64::from(j);
                expected += share * roots.expected(j, ratio, r);
            }
            expected
        })
    }

    /// The probability of being alive after `t`: nobody leaves but at a purchase.
    pub(super) fn alive_after(&self, t: f64) -> f64 {
        let (steps, ratio) = (self.steps(), t / self.alpha);
        beta_expectation(self.a, self.b, |ln_p| {
            let roots = Roots::new(self.k, ln_p);
            let mut alive = 0.0;
            for (j, share) in (0..self.k).zip(&steps) {
                let r = self.r + f64::from(j);
                alive += share * roots.alive(j, ratio, r);
            }
            alive
        })
        .clamp(0.0, 1.0)
    }

    /// The probability of `n` purchases up to `t`.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        let k = f64::from(self.k);
        let of_b = |n: f64| LnRising::new(self.b, n).value;
        let ln_all = LnRising::new(self.a + self.b, n).value;
        let stayed = (of_b(n) - ln_all).exp();
        let left =
            if n == 0.0 { 0.0 } else { (self.a.ln() + of_b(n - 1.0) - ln_all).exp() };
        let mut probability = 0.0;
        for (j, share) in (0..self.k).zip(self.steps()) {
            let j = f64::from(j);
            let rates = Rates { r: self.r + j, alpha: self.alpha };
            let (from, to) = ((n * k - j).max(0.0), (n + 1.0) * k - j);
            let mut still = 0.0;
            let mut steps = from;
            while steps < to {
                still += rates.probability_of(steps, t);
                steps += 1.0;
            }
            let gone = if n == 0.0 { 0.0 } else { left * rates.at_least(from, t) };
            probability += share * (stayed * still + gone);
        }
        probability
    }

    /// `∫₀^∞ e^(−δt) dE(t)`, by parts.
    pub(super) fn discounted(&self, delta: f64) -> f64 {
        let scale = (self.alpha / self.r.max(1.0)).min(1.0 / delta);
        over_log_time(scale, delta, 0.0, |t| delta * self.expected(t))
    }
}

/// The `k`-th roots `u` of the probability `q = 1 − p` to stay after a purchase. With them what
/// happens at each `k`-th step is a sum of what happens at all: with `m` steps, of which the
/// first `j` are taken, `q^⌊(m+j)/k⌋ = p/(kq) Σ_u u^(j+1)/(1−u) u^m`.
struct Roots {
    k: u32,
    p: f64,
    q: f64,
    /// The real root, and 1 less it.
    root: f64,
    less: f64,
}

/// With fewer staying than this, purchases are counted one by one.
const FEW_STAY: f64 = 0.01;

/// A root, from 1.
#[derive(Clone, Copy)]
struct Less {
    real: f64,
    imaginary: f64,
}

impl Roots {
    fn new(k: u32, ln_p: f64) -> Roots {
        let p = ln_p.exp();
        let q = -ln_p.exp_m1();
        let ln_q = if p < 0.5 { (-p).ln_1p() } else { q.ln() };
        let ln_root = ln_q / f64::from(k);
        Roots { k, p, q, root: ln_root.exp(), less: -ln_root.exp_m1() }
    }

    /// Purchases to be expected of those who leave with this probability, after steps at rates
    /// of this shape; `ratio` is the time over their `alpha`.
    fn expected(&self, j: u32, ratio: f64, r: f64) -> f64 {
        if self.q < FEW_STAY {
            return self.few(j, ratio, r).0;
        }
        self.sum(j, |by| by.not_yet(ratio, r))
    }

    /// The probability that such a one is alive then.
    fn alive(&self, j: u32, ratio: f64, r: f64) -> f64 {
        if self.q < FEW_STAY {
            return self.few(j, ratio, r).1;
        }
        self.sum(j, |by| by.power(ratio, r, self.p, self.k))
    }

    /// Both purchase by purchase: hardly anybody makes ten, and sums of roots would cancel.
    fn few(&self, j: u32, ratio: f64, r: f64) -> (f64, f64) {
        let z = ratio / (1.0 + ratio);
        let mut p = (-r * ratio.ln_1p()).exp();
        let (mut m, mut below, mut stay) = (0.0, 0.0, 1.0);
        let (mut expected, mut alive) = (0.0, 0.0);
        for n in 1..=9 {
            let next = f64::from(n * self.k - j);
            let mut here = 0.0;
            while m < next {
                here += p;
                p *= (r + m) / (m + 1.0) * z;
                m += 1.0;
            }
            below += here;
            let more = f64::max(1.0 - below, 0.0);
            expected += stay * more;
            alive += stay * here;
            stay *= self.q;
        }
        (expected, alive + stay * f64::max(1.0 - below, 0.0))
    }

    /// `1/(kq) Σ_u u^(j+1) f(1−u)`, of which only the real part is left.
    fn sum(&self, j: u32, f: impl Fn(Less) -> Less) -> f64 {
        let k = f64::from(self.k);
        let more = f64::from(j + 1);
        let size = self.root.powf(more) / (k * self.q);
        let mut sum = f(Less { real: self.less, imaginary: 0.0 }).real;
        for l in 1..=self.k / 2 {
            let turn = std::f64::consts::TAU * f64::from(l) / k;
            let (sin, cos) = turn.sin_cos();
            // 1 − root cos, without cancellation.
            let half = (0.5 * turn).sin();
            let less = Less {
                real: self.less + 2.0 * self.root * half * half,
                imaginary: -self.root * sin,
            };
            let value = f(less);
            let (sin, cos) = if j == 0 { (sin, cos) } else { (turn * more).sin_cos() };
            let real = cos * value.real - sin * value.imaginary;
            sum += if 2 * l == self.k { real } else { 2.0 * real };
        }
        size * sum
    }
}

impl Less {
    /// `ln |1 + ratio (1−u)|` and its angle.
    fn ln(self, ratio: f64) -> (f64, f64) {
        let (real, imaginary) = (ratio * self.real, ratio * self.imaginary);
        let size = if imaginary == 0.0 {
            real.ln_1p()
        } else if real < 1e100 {
            0.5 * (2.0 * real + (real * real + imaginary * imaginary)).ln_1p()
        } else {
            real.hypot(imaginary).ln()
        };
        (size, imaginary.atan2(1.0 + real))
    }

    fn over(self, by: Less) -> Less {
        let size = by.real * by.real + by.imaginary * by.imaginary;
        Less {
            real: (self.real * by.real + self.imaginary * by.imaginary) / size,
            imaginary: (self.imaginary * by.real - self.real * by.imaginary) / size,
        }
    }

    /// `(1 − (1 + ratio (1−u))^−r) / (1−u)`.
    fn not_yet(self, ratio: f64, r: f64) -> Less {
        if self.imaginary == 0.0 && self.real < 1e-280 {
            return Less { real: r * ratio, imaginary: 0.0 };
        }
        let (size, angle) = self.ln(ratio);
        let less_one = (-r * size).exp_m1();
        let power = 1.0 + less_one;
        // Where nothing is left of the power its angle is of no matter.
        let (half, whole) =
            if power == 0.0 { (0.0, 0.0) } else { (0.5 * r * angle, r * angle) };
        let sin = half.sin();
        let real = 2.0 * power * sin * sin - less_one;
        Less { real, imaginary: power * whole.sin() }.over(self)
    }

    /// `p (1 + ratio (1−u))^−r / (1−u)`.
    fn power(self, ratio: f64, r: f64, p: f64, k: u32) -> Less {
        let (size, angle) = self.ln(ratio);
        let power = (-r * size).exp();
        let (sin, cos) = if power == 0.0 { (0.0, 0.0) } else { (r * angle).sin_cos() };
        if self.imaginary == 0.0 {
            let share = if self.real < 1e-280 { f64::from(k) } else { p / self.real };
            return Less { real: share * power, imaginary: 0.0 };
        }
        Less { real: p * power * cos, imaginary: -p * power * sin }.over(self)
    }
}

/// The log-likelihood of histories and its derivatives by `ln r`, `ln α`, and, where customers
/// leave, `ln a`, `ln b`.
///
/// With `R = r + kx` the likelihood is (Platzer & Reutterer 2016)
/// `(r)_kx α^r (α+T)^−R · (b)_(x+1)/(a+b)_(x+1) · (Σ_(j<k) (R)_j/j! ((T−t_x)/(α+T))^j
/// + a/(b+x) ((α+T)/(α+t_x))^R)`.
pub(super) fn log_likelihood<const N: usize>(
    distinct: &Distinct,
    k: u32,
    at: &[f64],
) -> Curvature {
    let parameters: [f64; 4] =
        std::array::from_fn(|i| at.get(i).map_or(1.0, |x| x.exp()));
    let [r, _, a, b] = parameters;
    let regular = Regular::new(k, parameters);
    let sum = distinct.sum_over_runs(|runs| {
        let mut sum = Jet::<N>::ZERO;
        let mut rising = [r, b, a + b].map(RisingFactorials::new);
        for run in runs {
            let [of_r, of_b, of_ab] = &mut rising;
            let rising = [
                of_r.at(f64::from(k) * run.x),
                of_b.at(run.x + 1.0),
                of_ab.at(run.x + 1.0),
            ];
            for i in run.start..run.end {
                let ages = [run.x, distinct.last[i], distinct.age[i]];
                sum.add(distinct.weight[i], &regular.of_row(ages, &rising));
            }
        }
        sum
    });
    sum.into()
}

impl Regular {
    /// The log-likelihood of one history; `rising` are `(r)_kx`, `(b)_(x+1)` and `(a+b)_(x+1)`.
    fn of_row<const N: usize>(
        &self,
        [x, last, age]: [f64; 3],
        rising: &[LnRising; 3],
    ) -> Jet<N> {
        let Regular { r, alpha, a, b, .. } = *self;
        let [of_r, of_b, of_ab] = rising;
        let steps = f64::from(self.k) * x;
        let all = r + steps;
        let y = alpha / (alpha + age);
        let bend = y * (1.0 - y);

        let mut terms = [Jet::<N>::ZERO; MOST_STEPS as usize + 1];
        let mut n_terms = 0;
        let ln_silence = ((age - last) / (alpha + age)).ln();
        let mut of_all = LnRising::default();
        for (j, term) in (0..self.k).zip(&mut terms) {
            let j = f64::from(j);
            if j > 0.0 {
                let factor = all + (j - 1.0);
                of_all.value += (factor / j).ln() + ln_silence;
                of_all.first += 1.0 / factor;
                of_all.second -= 1.0 / (factor * factor);
            }
            if of_all.value == f64::NEG_INFINITY {
                break;
            }
            term.value = of_all.value;
            term.gradient[0] = r * of_all.first;
            term.gradient[1] = -j * y;
            term.hessian[0][0] = r * of_all.first + r * r * of_all.second;
            term.hessian[1][1] = -j * bend;
            n_terms += 1;
        }
        if N == 4 {
            let y_last = alpha / (alpha + last);
            let d = ((age - last) / (alpha + last)).ln_1p();
            let stay = b / (b + x);
            let term = &mut terms[n_terms];
            term.value = (a / (b + x)).ln() + all * d;
            term.gradient[0] = r * d;
            term.gradient[1] = all * (y - y_last);
            term.gradient[2] = 1.0;
            term.gradient[3] = -stay;
            term.hessian[0][0] = r * d;
            term.hessian[0][1] = r * (y - y_last);
            term.hessian[1][0] = r * (y - y_last);
            term.hessian[1][1] = all * (bend - y_last * (1.0 - y_last));
            term.hessian[3][3] = -stay * (1.0 - stay);
            n_terms += 1;
        }
        let mut jet = Jet::ln_sum(&terms[..n_terms]);

        let lt = (age / alpha).ln_1p();
        jet.value += of_r.value - steps * alpha.ln() - all * lt;
        jet.gradient[0] += r * of_r.first - r * lt;
        jet.gradient[1] += r - all * y;
        jet.hessian[0][0] += r * of_r.first + r * r * of_r.second - r * lt;
        jet.hessian[0][1] += r * (1.0 - y);
        jet.hessian[1][0] += r * (1.0 - y);
        jet.hessian[1][1] -= all * bend;
        if N == 4 {
            let d_b = b * (of_b.first - of_ab.first);
            jet.value += of_b.value - of_ab.value;
            jet.gradient[2] -= a * of_ab.first;
            jet.gradient[3] += d_b;
            jet.hessian[2][2] -= a * of_ab.first + a * a * of_ab.second;
            jet.hessian[2][3] -= a * b * of_ab.second;
            jet.hessian[3][2] -= a * b * of_ab.second;
            jet.hessian[3][3] += d_b + b * b * (of_b.second - of_ab.second);
        }
        jet
    }
}
