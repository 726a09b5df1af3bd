//! The process of regular purchases: from one to the next a customer takes as many steps as a
//! Poisson process, and after each purchase some leave.

use super::bg::beta_expectation;
use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::history::PurchaseHistory;
use super::rates::Rates;
use super::special::{LnRising, RisingFactorials, ln_1p_exp, logistic};

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
        // The likelier of the two is the measure: still there at the age, or left at the last
        // purchase. Relative to the other one a large likelihood is a difference of larger ones.
        let (until, ln_stayed) = if left > alive {
            (last, a.ln() + LnRising::new(b, x).value)
        } else {
            (age, LnRising::new(b, x + 1.0).value + alive)
        };
        let ln = LnRising::new(r, steps).value
            - r * (until / alpha).ln_1p()
            - steps * (alpha + until).ln()
            + ln_stayed
            - LnRising::new(a + b, x + 1.0).value
            + ln_1p_exp(-(alive - left).abs());
        (logistic(alive - left), ln)
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
            let mut sum = 0.0;
            for m in 0..2 * MOST {
                let m = f64::from(m);
                p *= (r + m) / (m + 1.0) * z;
                to_next -= 1;
                if to_next == 0 {
                    to_next = self.k;
                    bought += stay;
                    stay *= (self.b + n) / (self.a + self.b + n);
                    n += 1.0;
                }
                sum += p * bought;
                // What follows is about a geometric series of at most a hundred such terms.
                if p * (bought + 1.0) <= 1e-19 * sum || p == 0.0 {
                    break;
                }
            }
            expected += share * sum;
        }
        Some(expected)
    }

    fn expected_by_quadrature(&self, steps: &[f64], t: f64) -> f64 {
        beta_expectation(self.a, self.b, |ln_p| self.ahead(steps, t, ln_p).0)
    }

    /// The probability of being alive after `t`: nobody leaves but at a purchase.
    pub(super) fn alive_after(&self, t: f64) -> f64 {
        let steps = self.steps();
        beta_expectation(self.a, self.b, |ln_p| self.ahead(&steps, t, ln_p).1)
            .clamp(0.0, 1.0)
    }

    /// Purchases up to `t` to be expected of those who leave with this probability, and how
    /// likely they are to be alive then.
    fn ahead(&self, steps: &[f64], t: f64, ln_p: f64) -> (f64, f64) {
        let ratio = t / self.alpha;
        let p = ln_p.exp();
        let q = -ln_p.exp_m1();
        if q < FEW_STAY {
            return self.few_ahead(steps, ratio, q);
        }
        let k = f64::from(self.k);
        let ln_root = if p < 0.5 { (-p).ln_1p() } else { q.ln() } / k;
        let (root, less) = (ln_root.exp(), -ln_root.exp_m1());
        let (mut expected, mut alive) = (0.0, 0.0);
        for l in 0..=self.k / 2 {
            let turn = std::f64::consts::TAU * f64::from(l) / k;
            let (sin, cos) = turn.sin_cos();
            let half = (0.5 * turn).sin();
            let u = Complex(root * cos, root * sin);
            // 1 − u, without cancellation.
            let gap = Complex(less + 2.0 * root * half * half, -u.1);
            let many = ratio * gap.1.hypot(gap.0);
            // 1/W and 1 − 1/W with W = 1 + ratio (1 − u).
            let (once, fewer) = if many < 1e100 {
                let once =
                    Complex(1.0, 0.0).over(Complex(1.0 + ratio * gap.0, ratio * gap.1));
                (once, once.times(Complex(ratio * gap.0, ratio * gap.1)))
            } else {
                (Complex(0.0, 0.0), Complex(1.0, 0.0))
            };
            let (mut power, mut rest) = power_and_rest(ratio, gap, self.r);
            let mut turned = u;
            let (mut of_expected, mut of_alive) = (Complex(0.0, 0.0), Complex(0.0, 0.0));
            for share in &steps[..self.k as usize] {
                let weight = Complex(share * turned.0, share * turned.1);
                of_expected = of_expected.plus(weight.times(rest));
                of_alive = of_alive.plus(weight.times(power));
                rest = rest.plus(power.times(fewer));
                power = power.times(once);
                turned = turned.times(u);
            }
            let times = if l == 0 || 2 * l == self.k { 1.0 } else { 2.0 };
            if l == 0 && less < 1e-280 {
                // The limits, before p loses its digits: nobody leaves.
                let rates = (0..self.k).zip(steps);
                let rate: f64 =
                    rates.map(|(j, share)| share * (self.r + f64::from(j))).sum();
                expected += rate * ratio;
                alive += k * of_alive.0;
                continue;
            }
            expected += times * of_expected.over(gap).0;
            alive += times * p * of_alive.over(gap).0;
        }
        (expected / (k * q), alive / (k * q))
    }

    /// The same purchase by purchase where hardly anybody makes ten, and sums of roots cancel.
    fn few_ahead(&self, steps: &[f64], ratio: f64, q: f64) -> (f64, f64) {
        let z = ratio / (1.0 + ratio);
        let (mut expected, mut alive) = (0.0, 0.0);
        for (j, share) in (0..self.k).zip(steps) {
            let r = self.r + f64::from(j);
            let ln_none = -r * ratio.ln_1p();
            let mut p = ln_none.exp();
            // The probability of more steps, of which there may be next to none.
            let mut more = 1.0;
            let (mut m, mut stay) = (0.0, 1.0);
            for n in 1..=60 {
                let next = f64::from(n * self.k - j);
                let mut here = 0.0;
                while m < next {
                    here += p;
                    more = if m == 0.0 { -ln_none.exp_m1() } else { more - p };
                    p *= (r + m) / (m + 1.0) * z;
                    m += 1.0;
                }
                expected += share * stay * f64::max(more, 0.0);
                alive += share * stay * here;
                if n > 8 && stay * here <= 1e-17 * alive {
                    break;
                }
                stay *= q;
            }
        }
        (expected, alive)
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

    /// `∫₀^∞ e^(−δt) dE(t)`: with `v = λ/(λ+δ)`, by which a step discounts, the next purchase is
    /// worth `v^(k−j)` and each later one of those who stay `v^k` more: `v^(k−j) / (1 − q v^k)`.
    pub(super) fn discounted(&self, delta: f64) -> f64 {
        let steps = self.steps();
        let rates = Rates { r: self.r, alpha: self.alpha }.nodes(self.k);
        // How likely each rate is after each number of steps.
        let mut mass = [0.0; MOST_STEPS as usize];
        for node in &rates {
            let mut weight = node.weight;
            for mass in &mut mass {
                *mass += weight;
                weight *= node.growth;
            }
        }
        let per_rate: Vec<[f64; 3]> = rates
            .iter()
            .map(|node| {
                let ln_step = -(delta / node.rate).ln_1p();
                let mut worth = 0.0;
                let mut weight = node.weight;
                for ((j, share), mass) in (0..self.k).zip(&steps).zip(&mass) {
                    let next = (f64::from(self.k - j) * ln_step).exp();
                    worth += share * weight / mass * next;
                    weight *= node.growth;
                }
                let ln_purchase = f64::from(self.k) * ln_step;
                [worth, ln_purchase.exp(), -ln_purchase.exp_m1()]
            })
            .filter(|[worth, ..]| *worth > 0.0)
            .collect();
        beta_expectation(self.a, self.b, |ln_p| {
            let p = ln_p.exp();
            // 1 − q v^k, without cancellation.
            per_rate.iter().map(|[worth, v, less]| worth / (less + p * v)).sum()
        })
    }
}

/// With fewer staying than this, purchases are counted one by one.
const FEW_STAY: f64 = 0.01;

/// A real and an imaginary part.
#[derive(Clone, Copy)]
struct Complex(f64, f64);

impl Complex {
    fn plus(self, by: Complex) -> Complex {
        Complex(self.0 + by.0, self.1 + by.1)
    }

    fn times(self, by: Complex) -> Complex {
        Complex(self.0 * by.0 - self.1 * by.1, self.0 * by.1 + self.1 * by.0)
    }

    /// For what is real, or of a size that can be squared.
    fn over(self, by: Complex) -> Complex {
        if by.1 == 0.0 {
            return Complex(self.0 / by.0, self.1 / by.0);
        }
        let size = by.0 * by.0 + by.1 * by.1;
        let Complex(real, imaginary) = self.times(Complex(by.0, -by.1));
        Complex(real / size, imaginary / size)
    }
}

/// `W^−r` and `1 − W^−r` with `W = 1 + ratio · gap`.
fn power_and_rest(ratio: f64, gap: Complex, r: f64) -> (Complex, Complex) {
    let Complex(real, imaginary) = Complex(ratio * gap.0, ratio * gap.1);
    let size = if imaginary == 0.0 {
        real.ln_1p()
    } else if real < 1e100 {
        0.5 * (2.0 * real + (real * real + imaginary * imaginary)).ln_1p()
    } else {
        real.hypot(imaginary).ln()
    };
    let less_one = (-r * size).exp_m1();
    let power = (-r * size).exp();
    if power == 0.0 {
        // Of nothing the angle is of no matter.
        return (Complex(0.0, 0.0), Complex(1.0, 0.0));
    }
    let angle = r * imaginary.atan2(1.0 + real);
    let (sin, cos) = angle.sin_cos();
    let half = (0.5 * angle).sin();
    (
        Complex(power * cos, -power * sin),
        Complex(2.0 * power * half * half - less_one, power * sin),
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifetime::integrate::over_log_time;

    fn processes() -> Vec<Regular> {
        let mut all = Vec::new();
        for k in [1, 2, 5, 20] {
            for r in [1e-3, 0.7, 4.9, 30.0] {
                for a in [0.01, 0.8, 5.0] {
                    for (b, silence) in [(1.2, 0.0), (9.0, 0.7)] {
                        let new = Regular::new(k, [r, 4.0, a, b]);
                        all.push(Regular { silence, ..new });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn series_and_quadrature_agree() {
        let mut both = 0;
        for regular in processes() {
            let steps = regular.steps();
            assert!((steps.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            for t in [0.5, 8.0, 90.0, 400.0] {
                let Some(sum) = regular.expected_by_series(&steps, t) else { continue };
                both += 1;
                let found = regular.expected_by_quadrature(&steps, t);
                // Roots cancel where the next purchase is far away.
                let off = (found - sum).abs();
                assert!(off < 1e-11 * sum + 1e-13, "{regular:?} {t}: {found} {sum}");
            }
        }
        assert!(both > 150, "{both}");
    }

    /// Of those who leave at the next purchase, that one is all there is.
    #[test]
    fn who_hardly_stays_buys_once_more() {
        for regular in processes() {
            let regular = Regular { a: 1e11, ..regular };
            let steps = regular.steps();
            for t in [0.5, 90.0, 1e6] {
                let mut once = 0.0;
                for (j, share) in (0..regular.k).zip(&steps) {
                    let rates =
                        Rates { r: regular.r + f64::from(j), alpha: regular.alpha };
                    once += share * rates.at_least(f64::from(regular.k - j), t);
                }
                let found = regular.expected_by_quadrature(&steps, t);
                assert!(
                    (found - once).abs() < 1e-9 * once + 1e-13,
                    "{regular:?} {t}: {found} {once}"
                );
                let gone = 1.0 - regular.alive_after(t);
                assert!(
                    (gone - once).abs() < 1e-9 * once + 1e-13,
                    "{regular:?} {t}: {gone} {once}"
                );
            }
        }
    }

    #[test]
    fn discounted_purchases_are_an_integral() {
        for regular in processes() {
            for delta in [0.003, 0.5, 20.0] {
                let found = regular.discounted(delta);
                let scale = (regular.alpha / regular.r.max(1.0)).min(1.0 / delta);
                let slow =
                    over_log_time(scale, delta, 0.0, |t| delta * regular.expected(t));
                let off = (found - slow).abs();
                assert!(off < 1e-9 * slow + 1e-13, "{regular:?} {delta}: {found} {slow}");
            }
        }
    }
}
