//! Functions of the gamma family, as differences that do not cancel.

use statrs::function::gamma::ln_gamma as statrs_ln_gamma;

/// `ln Γ(z)` for `z > 0`.
pub(super) fn ln_gamma(z: f64) -> f64 {
    statrs_ln_gamma(z)
}

/// From here on the terms of Stirling's series are exact to the last bits.
const LARGE: f64 = 16.0;

/// So many factors are multiplied one by one.
const FEW: f64 = 24.0;

/// `ln (z)_n` of the rising factorial `(z)_n = z (z + 1) … (z + n − 1)`, with its first and
/// second derivative by `z`; `n` is a whole number, `z` positive.
///
/// It is `ln Γ(z + n) − ln Γ(z)`, whose two terms cancel where `z` is large.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LnRising {
    pub(super) value: f64,
    pub(super) first: f64,
    pub(super) second: f64,
}

impl LnRising {
    pub(super) fn new(z: f64, n: f64) -> LnRising {
        let mut sum = LnRising::default();
        let mut done = 0.0;
        while done < n && (n <= FEW || z + done < LARGE) {
            sum.push(z + done);
            done += 1.0;
        }
        if done < n {
            let (from, to) = (Stirling::new(z + done), Stirling::new(z + n));
            let rest = n - done;
            let z = z + done;
            sum.value += rest * (z + rest).ln() + (z - 0.5) * (rest / z).ln_1p() - rest
                + (to.rest - from.rest);
            sum.first += (rest / z).ln_1p() + (to.digamma - from.digamma);
            sum.second += (to.trigamma - from.trigamma) - rest / (z * (z + rest));
        }
        sum
    }

    fn push(&mut self, factor: f64) {
        let inverse = 1.0 / factor;
        self.value += factor.ln();
        self.first += inverse;
        self.second -= inverse * inverse;
    }
}

/// `ln (z)_n` for one `n` after the other, each with the bits of [`LnRising::new`].
#[derive(Clone, Copy, Debug)]
pub(super) struct RisingFactorials {
    z: f64,
    done: f64,
    sum: LnRising,
}

impl RisingFactorials {
    pub(super) fn new(z: f64) -> RisingFactorials {
        RisingFactorials { z, done: 0.0, sum: LnRising::default() }
    }

    /// Where `n` grows from call to call, only what is new of the product is computed.
    pub(super) fn at(&mut self, n: f64) -> LnRising {
        if n > FEW || n < self.done {
            return LnRising::new(self.z, n);
        }
        while self.done < n {
            self.sum.push(self.z + self.done);
            self.done += 1.0;
        }
        self.sum
    }
}

/// Stirling's series at a large argument (Abramowitz & Stegun 1964, 6.1.40, 6.3.18, 6.4.12).
struct Stirling {
    /// `ln Γ(z) − (z − ½) ln z + z − ½ ln 2π`.
    rest: f64,
    /// `ψ(z) − ln z`.
    digamma: f64,
    /// `ψ′(z) − 1/z`.
    trigamma: f64,
}

impl Stirling {
    fn new(z: f64) -> Stirling {
        let y = 1.0 / z;
        let y2 = y * y;
        let rest = y
            * (1.0 / 12.0
                - y2 * (1.0 / 360.0
                    - y2 * (1.0 / 1260.0
                        - y2 * (1.0 / 1680.0
                            - y2 * (1.0 / 1188.0 - y2 * 691.0 / 360_360.0)))));
        let digamma = -0.5 * y
            - y2 * (1.0 / 12.0
                - y2 * (1.0 / 120.0
                    - y2 * (1.0 / 252.0
                        - y2 * (1.0 / 240.0
                            - y2 * (1.0 / 132.0 - y2 * 691.0 / 32_760.0)))));
        let trigamma = y2
            * (0.5
                + y * (1.0 / 6.0
                    - y2 * (1.0 / 30.0
                        - y2 * (1.0 / 42.0
                            - y2 * (1.0 / 30.0
                                - y2 * (5.0 / 66.0 - y2 * 691.0 / 2730.0))))));
        Stirling { rest, digamma, trigamma }
    }
}

/// The first and second derivative of `ln Γ` at `z > 0`.
pub(super) fn digamma_trigamma(z: f64) -> (f64, f64) {
    let mut below = LnRising::default();
    let mut at = z;
    while at < LARGE {
        below.push(at);
        at += 1.0;
    }
    let high = Stirling::new(at);
    (at.ln() + high.digamma - below.first, 1.0 / at + high.trigamma - below.second)
}

/// `ln(1 + eᵘ)`, for any `u`.
pub(super) fn ln_1p_exp(u: f64) -> f64 {
    u.max(0.0) + (-u.abs()).exp().ln_1p()
}

/// `1 / (1 + e⁻ᵘ)`, for any `u`.
pub(super) fn logistic(u: f64) -> f64 {
    if u >= 0.0 {
        1.0 / (1.0 + (-u).exp())
    } else {
        let e = u.exp();
        e / (1.0 + e)
    }
}

/// `(1 − e^(−s y)) / s`, which is `y` at `s = 0`.
pub(super) fn one_minus_exp_over(s: f64, y: f64) -> f64 {
    if s == 0.0 { y } else { -(-s * y).exp_m1() / s }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ln Γ(z + n) − ln Γ(z)` by its definition.
    fn slow(z: f64, n: u32) -> (f64, f64, f64) {
        (0..n).fold((0.0, 0.0, 0.0), |(v, d, t), i| {
            let y = z + f64::from(i);
            (v + y.ln(), d + 1.0 / y, t - 1.0 / (y * y))
        })
    }

    #[test]
    fn rising_factorials_are_their_products() {
        for z in [1e-9, 1e-3, 0.243, 1.0, 7.5, 15.9, 16.0, 400.0, 1e7] {
            for n in [0, 1, 2, 23, 24, 25, 26, 100, 3000] {
                let fast = LnRising::new(z, f64::from(n));
                let (value, first, second) = slow(z, n);
                let close = |a: f64, b: f64| (a - b).abs() <= 2e-13 * b.abs().max(1e-300);
                assert!(
                    (fast.value - value).abs() <= 1e-13 * (value.abs() + f64::from(n)),
                    "{z} {n}: {} {value}",
                    fast.value
                );
                assert!(close(fast.first, first), "{z} {n}: {} {first}", fast.first);
                assert!(close(fast.second, second), "{z} {n}: {} {second}", fast.second);
            }
        }
    }

    /// Values of mpmath 1.3 with 40 digits.
    #[test]
    fn digamma_and_trigamma_are_known() {
        for (z, digamma, trigamma) in [
            (1e-3, -1_000.575_571_931_810_3, 1_000_001.642_533_195_9),
            (0.5, -1.963_510_026_021_423_5, 4.934_802_200_544_679),
            (1.0, -0.577_215_664_901_532_9, 1.644_934_066_848_226_4),
            (6.25, 1.750_453_526_883_736, 0.173_479_233_158_932_17),
            (100.0, 4.600_161_852_738_087, 0.010_050_166_663_333_571),
        ] {
            let (d, t) = digamma_trigamma(z);
            assert!((d - digamma).abs() <= 1e-13 * f64::abs(digamma), "{z}: {d}");
            assert!((t - trigamma).abs() <= 1e-13 * f64::abs(trigamma), "{z}: {t}");
        }
    }
}
