//! The Pareto process: some leave at any time, each at a rate of her own.

use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::integrate::{over_log_time, panels};
use super::rates::Rates;
use super::special::{LnRising, logistic, one_minus_exp_over};
use crate::parallel::map_blocks;

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

/// `e^(−g)` beyond this no longer matters.
const NOTHING: f64 = 45.0;

/// The ways in which a customer can have been silent since `last`: left at some `τ`, or not
/// yet. Relative to `(α+t_x)^−(r+x) (β+t_x)^−s` the likelihood of having left at `τ` is
/// `s e^(−g(τ)) / (β+τ)`, and that of being alive `e^(−g(T))`, with
/// `g(τ) = (r+x) ln((α+τ)/(α+t_x)) + s ln((β+τ)/(β+t_x))`.
///
/// All terms are positive, and smooth in `v = ln((m+τ)/(m+t_x))` with the smaller `m` of
/// `α` and `β`: no point where the function is not analytic lies within `π` of the real axis.
struct Silence {
    k: f64,
    last: f64,
    span: f64,
    pareto: Pareto,
}

/// One way: the logarithms `p` and `q` in `g`, and the time of leaving.
#[derive(Clone, Copy)]
struct Way {
    p: f64,
    q: f64,
    tau: f64,
}

impl Silence {
    fn way(&self, later: f64) -> Way {
        let Pareto { alpha, beta, .. } = self.pareto;
        Way {
            p: (later / (alpha + self.last)).ln_1p(),
            q: (later / (beta + self.last)).ln_1p(),
            tau: self.last + later,
        }
    }

    fn g(&self, way: Way) -> f64 {
        self.k * way.p + self.pareto.s * way.q
    }

    /// Calls `at` for ways of having left, with their likelihoods times the weights of the
    /// quadrature.
    fn left(&self, mut at: impl FnMut(Way, f64)) {
        if self.span == 0.0 {
            return;
        }
        let Pareto { alpha, s, beta, .. } = self.pareto;
        // The smaller of the two, whose logarithm is v itself.
        let p_is_v = alpha <= beta;
        let base = alpha.min(beta) + self.last;
        let mut end = (self.span / base).ln_1p();
        let g_at = |v: f64| self.g(self.way(base * v.exp_m1()));
        let mut g = g_at(end);
        if g > NOTHING {
            // g is convex in v: where the chord from 0 meets, it is at most that much.
            let (mut low, mut high) = (end * (NOTHING / g).min(1.0), end);
            for _ in 0..40 {
                if high - low <= 0.05 * low {
                    break;
                }
                let middle = 0.5 * (low + high);
                if g_at(middle) > NOTHING { high = middle } else { low = middle }
            }
            end = high;
            g = g_at(end);
        }
        let n_panels = (end / 2.0).max(g / 10.0).ceil().clamp(1.0, 200.0) as usize;
        panels(0.0, end, n_panels, |v, weight| {
            let later = base * v.exp_m1();
            let tau = self.last + later;
            let way = if p_is_v {
                Way { p: v, q: (later / (beta + self.last)).ln_1p(), tau }
            } else {
                Way { p: (later / (alpha + self.last)).ln_1p(), q: v, tau }
            };
            let density = s / (beta + way.tau) * (base + later);
            at(way, weight * density * (-self.g(way)).exp());
        });
    }
}

impl Pareto {
    fn silence(&self, x: f64, last: f64, age: f64) -> Silence {
        Silence { k: self.r + x, last, span: age - last, pareto: *self }
    }

    /// The probability of being alive, and the log-likelihood.
    pub(super) fn alive_and_ln(&self, x: f64, last: f64, age: f64) -> (f64, f64) {
        let Pareto { r, alpha, s, beta } = *self;
        let silence = self.silence(x, last, age);
        let mut left = 0.0;
        silence.left(|_, likelihood| left += likelihood);
        let ln_alive = -silence.g(silence.way(silence.span));
        let alive = logistic(ln_alive - left.ln());
        let seen = LnRising::new(r, x).value
            - r * (last / alpha).ln_1p()
            - x * (alpha + last).ln()
            - s * (last / beta).ln_1p();
        (alive, seen + (ln_alive.exp() + left).ln())
    }

    /// The log-likelihood of a history and its derivatives by the parameters' logarithms.
    fn of_row(&self, of_r: &LnRising, x: f64, last: f64, age: f64) -> Jet<4> {
        let Pareto { r, alpha, s, beta } = *self;
        let k = r + x;
        let silence = self.silence(x, last, age);
        let (y_last, w_last) = (alpha / (alpha + last), beta / (beta + last));
        let (y_bend, w_bend) = (y_last * (1.0 - y_last), w_last * (1.0 - w_last));

        // Likelihoods of the ways, weighted sums of the derivatives of their logarithms.
        let mut total = 0.0;
        let mut first = [0.0; 4];
        let mut outer = [[0.0; 4]; 4];
        let mut own = [[0.0; 4]; 4];
        let mut add = |way: Way, likelihood: f64, left: f64| {
            let y = alpha / (alpha + way.tau);
            let w = beta / (beta + way.tau);
            let (dy, dw) = (y_last - y, w_last - w);
            let d = [-r * way.p, k * dy, left - s * way.q, s * dw - left * w];
            total += likelihood;
            for i in 0..4 {
                first[i] += likelihood * d[i];
                for j in i..4 {
                    outer[i][j] += likelihood * d[i] * d[j];
                }
            }
            own[0][0] -= likelihood * r * way.p;
            own[0][1] += likelihood * r * dy;
            own[1][1] += likelihood * k * (y_bend - y * (1.0 - y));
            own[2][2] -= likelihood * s * way.q;
            own[2][3] += likelihood * s * dw;
            own[3][3] += likelihood * (s * w_bend - (s + left) * w * (1.0 - w));
        };
        silence.left(|way, likelihood| add(way, likelihood, 1.0));
        let alive = silence.way(silence.span);
        add(alive, (-silence.g(alive)).exp(), 0.0);

        let (ln_a, ln_b) = ((last / alpha).ln_1p(), (last / beta).ln_1p());
        let value =
            of_r.value - r * ln_a - x * (alpha + last).ln() - s * ln_b + total.ln();
        let seen =
            [r * (of_r.first - ln_a), r - k * y_last, -s * ln_b, s * (1.0 - w_last)];
        let mut bends = [[0.0; 4]; 4];
        bends[0][0] = seen[0] + r * r * of_r.second;
        bends[0][1] = r * (1.0 - y_last);
        bends[1][1] = -k * y_bend;
        bends[2][2] = seen[2];
        bends[2][3] = seen[3];
        bends[3][3] = -s * w_bend;
        let mean = first.map(|d| d / total);
        let mut jet = Jet { value, ..Jet::ZERO };
        for i in 0..4 {
            jet.gradient[i] = seen[i] + mean[i];
            for j in i..4 {
                let bend =
                    bends[i][j] + (own[i][j] + outer[i][j]) / total - mean[i] * mean[j];
                jet.hessian[i][j] = bend;
            }
        }
        jet.mirror()
    }
}

/// The log-likelihood of histories and its derivatives by `ln r`, `ln α`, `ln s`, `ln β`.
pub(super) fn log_likelihood(distinct: &Distinct, at: &[f64]) -> Curvature {
    let pareto =
        Pareto { r: at[0].exp(), alpha: at[1].exp(), s: at[2].exp(), beta: at[3].exp() };
    let parts = map_blocks(distinct.len(), 256, |rows| {
        let mut sum = Jet::ZERO;
        // The run in which the first row is.
        let mut run = distinct.runs.partition_point(|run| run.end <= rows.start);
        let mut of_r = LnRising::new(pareto.r, distinct.runs[run].x);
        for i in rows {
            if i >= distinct.runs[run].end {
                run += 1;
                of_r = LnRising::new(pareto.r, distinct.runs[run].x);
            }
            let x = distinct.runs[run].x;
            let row = pareto.of_row(&of_r, x, distinct.last[i], distinct.age[i]);
            sum.add(distinct.weight[i], &row);
        }
        sum
    });
    let mut sum = Jet::ZERO;
    parts.iter().for_each(|part| sum.add(1.0, part));
    sum.into()
}
