//! Purchases at rates that differ between customers.

use statrs::function::beta::beta_reg;

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

    /// The probability of at least `n ≥ 1` purchases up to `t`.
    pub(super) fn at_least(&self, n: f64, t: f64) -> f64 {
        if t == 0.0 { 0.0 } else { beta_reg(n, self.r, t / (self.alpha + t)) }
    }
}
