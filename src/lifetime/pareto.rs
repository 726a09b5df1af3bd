//! The Pareto process: some leave at any time, each at a rate of her own.

use super::integrate::{over_log_time, panels};
use super::rates::Rates;
use super::special::one_minus_exp_over;

/// Rates `λ` of purchases are gamma distributed with shape `r` and rate `alpha`; rates `μ`
/// of leaving with shape `s` and rate `beta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pareto {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) s: f64,
    pub(super) beta: f64,
}

impl Pareto {
    /// `rβ/(α(s−1)) · (1 − (β/(β+t))^(s−1))` (Schmittlein, Morrison & Colombo 1987), which has
    /// a limit at `s = 1`.
    pub(super) fn expected(&self, t: f64) -> f64 {
        let Pareto { r, alpha, s, beta } = *self;
        r / alpha * beta * one_minus_exp_over(s - 1.0, (t / beta).ln_1p())
    }

    pub(super) fn alive_after(&self, t: f64) -> f64 {
        (-self.s * (t / self.beta).ln_1p()).exp()
    }

    /// `r/α ∫ e^(−δt) (1 + t/β)^(−s) dt`, which is Tricomi's `U(s, s, δβ)` but for a factor
    /// (Fader, Hardie & Lee 2005b).
    pub(super) fn discounted(&self, delta: f64) -> f64 {
        let Pareto { r, alpha, s, beta } = *self;
        let alive = |t: f64| (-s * (t / beta).ln_1p()).exp();
        r / alpha * over_log_time(beta, delta, s, alive)
    }

    /// `n` purchases and still there, or `n` purchases up to the time of leaving.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        let Pareto { r, alpha, s, beta } = *self;
        let rates = Rates { r, alpha };
        let mut sum = rates.probability_of(n, t) * self.alive_after(t);
        if t == 0.0 {
            return sum;
        }
        let scale = alpha.min(beta);
        let end = (t / scale).ln_1p();
        let fine = 1.4_f64.max((r + s) / 8.0).max(n.sqrt());
        let n_panels = (end * fine).ceil().clamp(1.0, 4000.0) as usize;
        panels(0.0, end, n_panels, |v, weight| {
            let left_at = scale * v.exp_m1();
            let leaving = s / (beta + left_at) * self.alive_after(left_at);
            sum +=
                weight * (scale + left_at) * leaving * rates.probability_of(n, left_at);
        });
        sum
    }
}
