//! What a customer who is alive does from now on.

use super::bg::{self, Bg};
use super::integrate::over_log_time;
use super::pareto::Pareto;
use super::special::{LnRising, ln_gamma};
use statrs::function::beta::beta_reg;

/// Purchases from now on of someone who is alive, as a mixture over what is not known of
/// her. In each model what was seen moves the parameters of this mixture and nothing else
/// (conjugacy), so that a prediction is the probability of being alive times what a process
/// promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Process {
    /// Poisson purchases, a gamma mixture of rates; nobody leaves.
    Nbd(Nbd),
    /// The same, and after each purchase some leave.
    Bg(Bg),
    /// The same, and some leave at any time.
    Pareto(Pareto),
}

impl Process {
    /// Purchases to be expected up to a time ahead.
    pub(super) fn expected(&self, t: f64) -> f64 {
        match self {
            Process::Nbd(nbd) => nbd.r * (t / nbd.alpha),
            Process::Bg(bg) => bg.expected(t),
            Process::Pareto(pareto) => pareto.expected(t),
        }
    }

    /// The probability of being alive after a time.
    pub(super) fn alive_after(&self, t: f64) -> f64 {
        match self {
            Process::Nbd(_) => 1.0,
            Process::Bg(bg) => bg.alive_after(t),
            Process::Pareto(pareto) => pareto.alive_after(t),
        }
    }

    /// The probability of `n` purchases up to a time ahead.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        let p = match self {
            Process::Nbd(nbd) => nbd.probability_of(n, t),
            Process::Bg(bg) => bg.probability_of(n, t),
            Process::Pareto(pareto) => pareto.probability_of(n, t),
        };
        p.clamp(0.0, 1.0)
    }

    /// `∫₀^∞ e^(−δt) dE(t)`, purchases to be expected, each discounted continuously.
    pub(super) fn discounted(&self, delta: f64) -> f64 {
        match self {
            Process::Nbd(nbd) => nbd.r / nbd.alpha / delta,
            Process::Pareto(pareto) => pareto.discounted(delta),
            // By parts: δ ∫ e^(−δt) E(t) dt.
            Process::Bg(bg) => {
                let scale = bg.alpha.min(1.0 / delta);
                over_log_time(scale, delta, 0.0, |t| delta * bg.expected(t))
            }
        }
    }
}

/// Rates that are gamma distributed with shape `r` and rate `alpha` (Ehrenberg 1959).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nbd {
    pub(super) r: f64,
    pub(super) alpha: f64,
}

impl Nbd {
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

impl Bg {
    fn nbd(&self) -> Nbd {
        Nbd { r: self.r, alpha: self.alpha }
    }

    /// Fader, Hardie & Lee (2005), equation 8.
    fn probability_of(&self, n: f64, t: f64) -> f64 {
        let stayed = (LnRising::new(self.b, n).value
            - LnRising::new(self.a + self.b, n).value)
            .exp();
        let still = stayed * self.nbd().probability_of(n, t);
        if n == 0.0 {
            return still;
        }
        // Left after the n-th purchase.
        let left = (self.a.ln() + LnRising::new(self.b, n - 1.0).value
            - LnRising::new(self.a + self.b, n).value)
            .exp();
        still + left * self.nbd().at_least(n, t)
    }

    /// `E[(α/(α+pt))^r]` over the beta distribution of `p`: purchases thin out at the rate
    /// `λp`.
    fn alive_after(&self, t: f64) -> f64 {
        let ratio = t / self.alpha;
        bg::beta_expectation(self.a, self.b, |ln_p| {
            (-self.r * (ln_p.exp() * ratio).ln_1p()).exp()
        })
        .clamp(0.0, 1.0)
    }
}
