//! What a customer who is alive does from now on.

use super::bg::Bg;
use super::integrate::over_log_time;
use super::pareto::Pareto;
use super::rates::Rates;
use super::regular::Regular;

/// Purchases from now on of someone who is alive, as a mixture over what is not known of
/// her. In each model what was seen moves the parameters of this mixture and nothing else
/// (conjugacy), so that a prediction is the probability of being alive times what a process
/// promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Process {
    /// Poisson purchases, a gamma mixture of rates; nobody leaves.
    Nbd(Rates),
    /// The same, and after each purchase some leave.
    Bg(Bg),
    /// The same, and some leave at any time.
    Pareto(Pareto),
    /// Each purchase takes as many steps of a Poisson process, and after it some leave.
    Regular(Regular),
}

impl Process {
    /// Purchases to be expected up to a time ahead.
    pub(super) fn expected(&self, t: f64) -> f64 {
        match self {
            Process::Nbd(nbd) => nbd.r * (t / nbd.alpha),
            Process::Bg(bg) => bg.expected(t),
            Process::Pareto(pareto) => pareto.expected(t),
            Process::Regular(regular) => regular.expected(t),
        }
    }

    /// The probability of being alive after a time.
    pub(super) fn alive_after(&self, t: f64) -> f64 {
        match self {
            Process::Nbd(_) => 1.0,
            Process::Bg(bg) => bg.alive_after(t),
            Process::Pareto(pareto) => pareto.alive_after(t),
            Process::Regular(regular) => regular.alive_after(t),
        }
    }

    /// The probability of `n` purchases up to a time ahead.
    pub(super) fn probability_of(&self, n: f64, t: f64) -> f64 {
        let p = match self {
            Process::Nbd(nbd) => nbd.probability_of(n, t),
            Process::Bg(bg) => bg.probability_of(n, t),
            Process::Pareto(pareto) => pareto.probability_of(n, t),
            Process::Regular(regular) => regular.probability_of(n, t),
        };
        p.clamp(0.0, 1.0)
    }

    /// `∫₀^∞ e^(−δt) dE(t)`, purchases to be expected, each discounted continuously.
    pub(super) fn discounted(&self, delta: f64) -> f64 {
        match self {
            Process::Nbd(nbd) => nbd.r / nbd.alpha / delta,
            Process::Pareto(pareto) => pareto.discounted(delta),
            Process::Regular(regular) => regular.discounted(delta),
            // By parts: δ ∫ e^(−δt) E(t) dt.
            Process::Bg(bg) => {
                // The time of a purchase, where rates hardly differ.
                let scale = (bg.alpha / bg.r.max(1.0)).min(1.0 / delta);
                over_log_time(scale, delta, 0.0, |t| delta * bg.expected(t))
            }
        }
    }
}
