//! Purchases at rates that differ between customers.

use super::special::{LnRising, ln_gamma};

/// Rates that are gamma distributed with shape `r` and rate `alpha` (Ehrenberg 1959).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) r: f64,
    pub(super) alpha: f64,
}

impl Rates {
    /// `(r)_n / n! · (α/(α+t))^r (t/(α+t))^n`.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        self.ln_probability_of(n, t).exp()
    }

    pub(super) fn ln_probability_of(&self, n: f64, t: f64) -> f64 {
        if t == 0.0 {
            return if n == 0.0 { 0.0 } else { f64::NEG_INFINITY };
        }
        let none = -self.r * (t / self.alpha).ln_1p();
        if n == 0.0 {
            return none;
        }
        LnRising::new(self.r, n).value - ln_gamma(n + 1.0) + none
            - n * (self.alpha / t).ln_1p()
    }

    /// The probability of at least `n ≥ 1` purchases up to `t`: the regularised incomplete beta
    /// function `I_z(n, r)` at `z = t/(α+t)`, as a multiple of the probability of exactly `n`,
    /// which is exact where `r` is large.
    pub(super) fn at_least(&self, n: f64, t: f64) -> f64 {
        let (z, rest) = (t / (self.alpha + t), self.alpha / (self.alpha + t));
        let exactly = self.probability_of(n, t);
        let p = if z * (n + self.r + 2.0) < n + 1.0 {
            exactly * continued_fraction(n, self.r, z)
        } else if self.r < 0.1 && n < 1e5 {
            // Nearly all buy nothing: what is left are differences of small probabilities.
            let none = -self.r * (t / self.alpha).ln_1p();
            let (mut rest, mut term, mut m) =
                (-none.exp_m1(), self.r * z * none.exp(), 1.0);
            while m < n {
                rest -= term;
                term *= (self.r + m) / (m + 1.0) * z;
                m += 1.0;
            }
            rest
        } else if z > 1e-3 {
            1.0 - exactly * (n / self.r) * continued_fraction(self.r, n, rest)
        } else {
            // The fraction's terms would cancel: those below `n`, from the most likely on.
            1.0 - self.probability_of(n - 1.0, t) * self.those_below(n - 1.0, z)
        };
        p.clamp(0.0, 1.0)
    }

    /// How much likelier than exactly `n` purchases are at most `n`.
    fn those_below(&self, n: f64, z: f64) -> f64 {
        let (mut sum, mut term, mut m) = (1.0, 1.0, n);
        while m > 0.0 && term > 1e-17 * sum && n - m < MOST {
            term *= m / ((self.r + (m - 1.0)) * z);
            sum += term;
            m -= 1.0;
        }
        sum
    }
}

/// A rate that stands for those around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) rate: f64,
    /// How likely it is, in proportion to the others.
    pub(super) weight: f64,
    /// How much likelier, after one purchase more.
    pub(super) growth: f64,
}

impl Rates {
    /// Rates, with weights, by which expectations of smooth functions of the logarithm of the
    /// rate are sums, also after so many purchases more.
    ///
    /// The trapezoidal rule in `u`, where `ln λ` is `κ sinh u` from the middle on: the density
    /// dies twice exponentially on both sides, whatever the shape (Takahasi & Mori 1974).
    pub(super) fn nodes(&self, purchases: u32) -> Vec<Node> {
        const STEP: f64 = 1.0 / 32.0;
        let middle = self.r + 1.0;
        let width = middle.sqrt().recip();
        let node = |i: i32| {
            let u = STEP * f64::from(i);
            let d = width * u.sinh();
            let growth = d.exp();
            // r d − (r+1) (e^d − 1), whose large parts cancel.
            let bend = if d.abs() < 1e-2 {
                d * d
                    * (0.5
                        + d * (1.0 / 6.0
                            + d * (1.0 / 24.0 + d * (1.0 / 120.0 + d / 720.0))))
            } else {
                d.exp_m1() - d
            };
            let weight = (-self.r * bend - d.exp_m1()).exp() * u.cosh();
            Node { rate: middle / self.alpha * growth, weight, growth }
        };
        let mut nodes = vec![node(0)];
        for side in [-1, 1] {
            for i in 1..4000 {
                let node = node(side * i);
                let most = node.growth.max(1.0).powf(purchases.into());
                let weight = node.weight * most;
                if weight.is_nan() || weight < 1e-20 {
                    break;
                }
                nodes.push(node);
            }
        }
        nodes
    }
}

/// Terms, at most: enough for 1e11 purchases.
const MOST: f64 = 1e6;

/// `a I_x(a, b) / (x^a (1−x)^b / B(a, b))` for `x` below the mean, by Lentz's method (Press et
/// al. 2007, §6.4).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |y: f64| if y.abs() < TINY { TINY } else { y };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    let mut m = 1.0;
    while m < MOST {
        let at = a + 2.0 * m;
        let even = m * (b - m) * x / ((at - 1.0) * at);
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / (at * (at + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        let change = d * c;
        value *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
        m += 1.0;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of mpmath 1.3 with 60 digits, at `alpha = 4.5`.
    #[test]
    #[expect(clippy::unreadable_literal, reason = "a table")]
    fn tails_are_known_whatever_the_shape() {
        for (n, r, t, p) in [
            (1.0, 0.02, 2.25, 0.008076510470497827),
            (1.0, 0.02, 135.0, 0.06637436866836728),
            (1.0, 3.0, 0.015, 0.009933701860455581),
            (1.0, 3.0, 1.455, 0.5684886296674008),
            (1.0, 150.0, 0.0291, 0.6197312816058897),
            (1.0, 150.0, 0.033, 0.6657901792366047),
            (1.0, 10000.0, 0.00027, 0.4511784856027496),
            (1.0, 10000.0, 0.0004365, 0.6208991286688008),
            (1.0, 1000000000000.0, 1.35e-11, 0.950212931631912),
            (1.0, 1e+16, 4.365e-16, 0.6209169618966012),
            (1.0, 1e+16, 1.35e-15, 0.950212931632136),
            (1.0, 1e+25, 1.35e-24, 0.950212931632136),
            (2.0, 1e-08, 2700000000.0, 1.9212438375924576e-07),
            (2.0, 0.02, 270.0, 0.06080893344320903),
            (2.0, 0.243, 0.37037037037037035, 0.0009086622224600288),
            (2.0, 3.0, 1.8, 0.32319866722199087),
            (2.0, 3.0, 2.91, 0.5121702973737409),
            (2.0, 3.0, 9.0, 0.8888888888888888),
            (2.0, 150.0, 0.0006, 0.00019863379265319436),
            (2.0, 150.0, 0.18, 0.981140141717255),
            (2.0, 10000.0, 0.000873, 0.5774849704637305),
            (2.0, 10000.0, 0.0027, 0.9826264210874222),
            (2.0, 1000000000000.0, 5.4e-12, 0.337372733793112),
            (2.0, 1e+16, 8.73e-16, 0.5775103876535533),
            (2.0, 1e+25, 9e-27, 0.00019735322710959179),
            (7.0, 1e-08, 1890000000.0, 1.740576377856206e-07),
            (7.0, 1e-08, 3055500000.0, 1.7886130103720752e-07),
            (7.0, 150.0, 0.2037, 0.5158793098674771),
            (7.0, 100000000.0, 3.465e-07, 0.6486306806649975),
            (7.0, 1000000000000.0, 3.0555e-11, 0.5185534919579564),
            (7.0, 1e+16, 3.15e-17, 1.5369798817018742e-12),
            (40.0, 0.02, 90.0, 0.0011144614287364072),
            (40.0, 0.243, 7.407407407407407, 1.8842512701193363e-10),
            (40.0, 0.243, 2222.222222222222, 0.41261784590856304),
            (40.0, 100000000.0, 5.4e-06, 1.0),
            (40.0, 1000000000000.0, 1.746e-10, 0.4448043595178662),
            (40.0, 1e+25, 1.8e-25, 1.0029830936151904e-64),
            (40.0, 1e+25, 5.4e-23, 1.0),
            (1000.0, 0.02, 2250.0, 0.0010128695811852696),
            (1000.0, 0.02, 218250.0, 0.0646409993860159),
            (1000.0, 0.243, 17962.962962962964, 0.24923385602628692),
            (1000.0, 0.243, 20370.37037037037, 0.2679471267657183),
            (1000.0, 100000000.0, 4.95e-05, 0.9989406182118606),
            (1000.0, 100000000.0, 0.000135, 1.0),
        ] {
            let found = Rates { r, alpha: 4.5 }.at_least(n, t);
            let off = f64::abs(found - p) / p;
            assert!(off < 1e-12 * (1.0 + n / 100.0), "{n} {r} {t}: {found}, not {p}");
        }
    }

    #[test]
    fn nodes_have_the_moments_of_the_rates() {
        for r in [1e-6, 0.02, 0.5, 1.0, 7.0, 4e3, 1e9] {
            let nodes = Rates { r, alpha: 3.0 }.nodes(12);
            let mass: f64 = nodes.iter().map(|node| node.weight).sum();
            let mean = |f: &dyn Fn(f64) -> f64| -> f64 {
                nodes.iter().map(|node| node.weight / mass * f(node.rate)).sum()
            };
            let close = |found: f64, expected: f64| {
                let off = (found - expected).abs() / expected;
                assert!(
                    off < 1e-12 * (1.0 + r.sqrt()),
                    "{r}: {found} {expected} {off:e}"
                );
            };
            close(mean(&|x| x), r / 3.0);
            close(mean(&|x| x * x), r * (r + 1.0) / 9.0);
            // The transform of Laplace.
            close(mean(&|x| (-x / r).exp()), (-r * (1.0 / (3.0 * r)).ln_1p()).exp());
            let grown: f64 = nodes.iter().map(|node| node.weight * node.growth).sum();
            close(grown / mass, r / (r + 1.0));
            // The mean rate after twelve purchases more.
            let after: Vec<f64> =
                nodes.iter().map(|node| node.weight * node.growth.powi(12)).collect();
            let sum: f64 = nodes.iter().zip(&after).map(|(node, w)| w * node.rate).sum();
            close(sum / after.iter().sum::<f64>(), (r + 12.0) / 3.0);
        }
    }

    #[test]
    fn tails_are_sums_and_end_anywhere() {
        for r in [1e-9, 0.05, 0.7, 30.0, 1e7] {
            for ratio in [1e-3, 0.4, 1.0, 2.5, 1e3] {
                let t = 4.5 * ratio * 20.0 / r;
                let rates = Rates { r, alpha: 4.5 };
                for n in 1..60_u32 {
                    let n = f64::from(n);
                    let [here, next] = [n, n + 1.0].map(|n| rates.at_least(n, t));
                    let exactly = rates.probability_of(n, t);
                    assert!(
                        (here - next - exactly).abs() < 1e-12,
                        "{r} {t} {n}: {here} {next} {exactly}"
                    );
                }
            }
        }
        for r in [1e-30, 1e-3, 1.0, 1e12, 1e30] {
            for alpha in [1e-30, 1.0, 1e30] {
                for n in [1.0, 2.0, 1e6, 9e15] {
                    for t in [1e-30, 1.0, 1e12] {
                        let p = Rates { r, alpha }.at_least(n, t);
                        assert!((0.0..=1.0).contains(&p), "{r} {alpha} {n} {t}: {p}");
                    }
                }
            }
        }
    }
}
