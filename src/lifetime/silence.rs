//! The ways in which a customer of the Pareto process can have been silent.

#![expect(clippy::needless_range_loop, reason = "one index reads many columns")]

use super::curvature::{Curvature, Jet};
use super::distinct::Distinct;
use super::integrate::{N_NODES, ORDINATES, WEIGHTS};
use super::pareto::Pareto;
use super::rows::{LANES, total};
use super::special::LnRising;
use crate::parallel::map_blocks;
use crate::simd::elementary::{exp, exp_m1, ln, ln_1p};
use crate::simd::{Arithmetic, Kernel, run};

/// What is `e^` of minus this less likely no longer matters.
const NOTHING: f64 = 45.0;

/// A customer silent for `span` since `last`: she left at some `τ`, or not yet. Relative to
/// `(α+t_x)^−(r+x) (β+t_x)^−s` the likelihood of having left at `τ` is `s e^(−g(τ)) / (β+τ)`,
/// and that of being alive `e^(−g(T))`, with
/// `g(τ) = (r+x) ln((α+τ)/(α+t_x)) + s ln((β+τ)/(β+t_x))`.
///
/// All terms are positive, and smooth in `v = ln((m+τ)/(m+t_x))` with the smaller `m` of
/// `α` and `β`: no point where the function is not analytic lies within `π` of the real axis.
#[derive(Clone, Copy)]
struct Silence {
    pareto: Pareto,
    k: f64,
    last: f64,
    span: f64,
    /// The smaller of `α` and `β`, plus `t_x`, and the larger.
    base: f64,
    other: f64,
}

/// Where the quadrature ends, and in how many panels.
#[derive(Clone, Copy)]
struct Reach {
    half: f64,
    n_panels: usize,
}

impl Silence {
    #[inline(always)]
    fn new(pareto: Pareto, x: f64, last: f64, age: f64) -> Silence {
        let Pareto { r, alpha, beta, .. } = pareto;
        let (less, more) = if alpha <= beta { (alpha, beta) } else { (beta, alpha) };
        Silence {
            pareto,
            k: r + x,
            last,
            span: age - last,
            base: less + last,
            other: more + last,
        }
    }

    /// The logarithms in `g` so much later than `last`: `v` of the smaller of `α` and `β`, and
    /// of the larger.
    #[inline(always)]
    fn logarithms(&self, later: f64) -> (f64, f64) {
        (ln_1p(later / self.base), ln_1p(later / self.other))
    }

    /// `p` of `α` and `q` of `β`.
    #[inline(always)]
    fn p_and_q(&self, v: f64, other: f64) -> (f64, f64) {
        if self.pareto.alpha <= self.pareto.beta { (v, other) } else { (other, v) }
    }

    #[inline(always)]
    fn g(&self, v: f64, other: f64) -> f64 {
        let (p, q) = self.p_and_q(v, other);
        self.k * p + self.pareto.s * q
    }

    #[inline(always)]
    fn reach(&self) -> Reach {
        // By how much less likely than at v = 0 it is to have left within a step of v: what is
        // summed is e^(−fall) but for a factor.
        let fall = |v: f64, other: f64| {
            let (_, q) = self.p_and_q(v, other);
            self.g(v, other) + q - v
        };
        let fall_at = |v: f64| fall(v, ln_1p(self.base * exp_m1(v) / self.other));
        let (mut end, other) = self.logarithms(self.span);
        let mut deepest = fall(end, other);
        if deepest > NOTHING {
            // It is convex in v: where the chord from 0 meets, it is at most that much.
            let share = NOTHING / deepest;
            let (mut low, mut high) = (end * if share < 1.0 { share } else { 1.0 }, end);
            for _ in 0..40 {
                if high - low <= 0.05 * low {
                    break;
                }
                // They may differ by powers of ten.
                let middle = (low * high).sqrt();
                if fall_at(middle) > NOTHING { high = middle } else { low = middle }
            }
            end = high;
            deepest = fall_at(end);
        }
        let n_panels = (end / 2.0).max(deepest / 10.0).ceil().clamp(1.0, 200.0);
        Reach { half: 0.5 * end / n_panels, n_panels: n_panels as usize }
    }
}

/// Ways of having left, with their likelihoods times the weights of the quadrature.
struct Ways {
    v: [f64; N_NODES],
    other: [f64; N_NODES],
    tau: [f64; N_NODES],
    /// `1 / (β+τ)`.
    per_beta: [f64; N_NODES],
    likelihood: [f64; N_NODES],
}

impl Ways {
    const NONE: Ways = Ways {
        v: [0.0; N_NODES],
        other: [0.0; N_NODES],
        tau: [0.0; N_NODES],
        per_beta: [0.0; N_NODES],
        likelihood: [0.0; N_NODES],
    };

    /// Those of one panel.
    #[inline(always)]
    fn compute(&mut self, silence: &Silence, reach: Reach, panel: usize) {
        let middle = reach.half * (2 * panel + 1) as f64;
        let per_other = 1.0 / silence.other;
        for i in 0..N_NODES {
            self.v[i] = middle + reach.half * ORDINATES[i];
            self.likelihood[i] = silence.base * exp_m1(self.v[i]);
        }
        for i in 0..N_NODES {
            let later = self.likelihood[i];
            self.other[i] = ln_1p(later * per_other);
            self.tau[i] = silence.last + later;
            self.per_beta[i] = 1.0 / (silence.pareto.beta + self.tau[i]);
        }
        for i in 0..N_NODES {
            let density = silence.pareto.s * self.per_beta[i];
            let step = WEIGHTS[i] * reach.half * (silence.base + self.likelihood[i]);
            let g = silence.g(self.v[i], self.other[i]);
            self.likelihood[i] = density * step * exp(-g);
        }
    }
}

/// The probability of being alive, and the log-likelihood.
pub(super) fn alive_and_ln(pareto: &Pareto, x: f64, last: f64, age: f64) -> (f64, f64) {
    let Pareto { r, alpha, s, beta } = *pareto;
    let (alive, left) = run(Alone(Silence::new(*pareto, x, last, age)));
    let seen = LnRising::new(r, x).value
        - r * (last / alpha).ln_1p()
        - x * (alpha + last).ln()
        - s * (last / beta).ln_1p();
    (alive / (alive + left), seen + (alive + left).ln())
}

/// The likelihoods of being alive and of having left, of one customer.
struct Alone(Silence);

impl Kernel for Alone {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> (f64, f64) {
        let silence = self.0;
        let (v, other) = silence.logarithms(silence.span);
        let alive = exp(-silence.g(v, other));
        if silence.span == 0.0 {
            return (alive, 0.0);
        }
        let reach = silence.reach();
        let mut ways = Ways::NONE;
        let mut left = [0.0; LANES];
        for panel in 0..reach.n_panels {
            ways.compute(&silence, reach, panel);
            for likelihood in ways.likelihood.as_chunks::<LANES>().0 {
                for lane in 0..LANES {
                    left[lane] += likelihood[lane];
                }
            }
        }
        (alive, total(&left))
    }
}

/// The weighted log-likelihoods of customers with the same number of repeat purchases, and
/// their derivatives by `ln r`, `ln α`, `ln s`, `ln β`.
fn of_rows(
    pareto: Pareto,
    x: f64,
    (last, age): (&[f64], &[f64]),
    weight: &[f64],
) -> Jet<4> {
    run(Rows { pareto, x, of_r: LnRising::new(pareto.r, x), last, age, weight })
}

struct Rows<'a> {
    pareto: Pareto,
    x: f64,
    of_r: LnRising,
    last: &'a [f64],
    age: &'a [f64],
    weight: &'a [f64],
}

impl Kernel for Rows<'_> {
    type Output = Jet<4>;

    #[inline(always)]
    fn run<A: Arithmetic>(self) -> Jet<4> {
        let mut sum = Jet::ZERO;
        let rows = self.last.iter().zip(self.age).zip(self.weight);
        for ((&last, &age), &weight) in rows {
            let silence = Silence::new(self.pareto, self.x, last, age);
            let row = of_row(&silence, self.x, &self.of_r);
            sum.value += weight * row.value;
            for i in 0..4 {
                sum.gradient[i] += weight * row.gradient[i];
                for j in i..4 {
                    sum.hessian[i][j] += weight * row.hessian[i][j];
                }
            }
        }
        sum
    }
}

/// Sums over the ways of having been silent of likelihoods, times the derivatives of their
/// logarithms: `p` and `dy` stand for those by `ln r` and `ln α`, but for factors of the row.
#[derive(Default)]
struct Sums {
    total: f64,
    first: [f64; 4],
    outer: [[f64; 4]; 4],
    dw: f64,
    y_bend: f64,
    w_bend: f64,
}

#[inline(always)]
fn sum_up(silence: &Silence, y_last: f64, w_last: f64) -> Sums {
    let Pareto { alpha, s, beta, .. } = silence.pareto;
    let mut lanes = [[0.0; LANES]; 18];
    let mut ways = Ways::NONE;
    let mut columns = [[0.0; N_NODES]; 7];
    let reach = silence.reach();
    for panel in 0..reach.n_panels {
        ways.compute(silence, reach, panel);
        let [p, dy, d_s, d_beta, dw, y_bend, w_bend] = &mut columns;
        for i in 0..N_NODES {
            let y = alpha / (alpha + ways.tau[i]);
            let w = beta * ways.per_beta[i];
            let (this_p, q) = silence.p_and_q(ways.v[i], ways.other[i]);
            let this_dw = w_last - w;
            p[i] = this_p;
            dy[i] = y_last - y;
            d_s[i] = 1.0 - s * q;
            d_beta[i] = s * this_dw - w;
            dw[i] = this_dw;
            y_bend[i] = y * (1.0 - y);
            w_bend[i] = w * (1.0 - w);
        }
        for from in [0, LANES] {
            for lane in 0..LANES {
                let i = from + lane;
                let likelihood = ways.likelihood[i];
                let by = [
                    likelihood * p[i],
                    likelihood * dy[i],
                    likelihood * d_s[i],
                    likelihood * d_beta[i],
                ];
                lanes[0][lane] += likelihood;
                lanes[1][lane] += by[0];
                lanes[2][lane] += by[1];
                lanes[3][lane] += by[2];
                lanes[4][lane] += by[3];
                lanes[5][lane] += by[0] * p[i];
                lanes[6][lane] += by[0] * dy[i];
                lanes[7][lane] += by[0] * d_s[i];
                lanes[8][lane] += by[0] * d_beta[i];
                lanes[9][lane] += by[1] * dy[i];
                lanes[10][lane] += by[1] * d_s[i];
                lanes[11][lane] += by[1] * d_beta[i];
                lanes[12][lane] += by[2] * d_s[i];
                lanes[13][lane] += by[2] * d_beta[i];
                lanes[14][lane] += by[3] * d_beta[i];
                lanes[15][lane] += likelihood * dw[i];
                lanes[16][lane] += likelihood * y_bend[i];
                lanes[17][lane] += likelihood * w_bend[i];
            }
        }
    }
    let mut sums = [0.0; 18];
    for (to, lanes) in sums.iter_mut().zip(&lanes) {
        *to = total(lanes);
    }
    let mut outer = [[0.0; 4]; 4];
    let mut at = 5;
    for i in 0..4 {
        for j in i..4 {
            outer[i][j] = sums[at];
            at += 1;
        }
    }
    Sums {
        total: sums[0],
        first: [sums[1], sums[2], sums[3], sums[4]],
        outer,
        dw: sums[15],
        y_bend: sums[16],
        w_bend: sums[17],
    }
}

/// The log-likelihood of a history and its derivatives, the lower half of the Hessian empty.
#[inline(always)]
fn of_row(silence: &Silence, x: f64, of_r: &LnRising) -> Jet<4> {
    let Pareto { r, alpha, s, beta } = silence.pareto;
    let (k, last) = (silence.k, silence.last);
    let (y_last, w_last) = (alpha / (alpha + last), beta / (beta + last));
    let (y_bend, w_bend) = (y_last * (1.0 - y_last), w_last * (1.0 - w_last));
    let left = if silence.span == 0.0 {
        Sums::default()
    } else {
        sum_up(silence, y_last, w_last)
    };

    // Not yet left.
    let (v, other) = silence.logarithms(silence.span);
    let alive = exp(-silence.g(v, other));
    let (p, q) = silence.p_and_q(v, other);
    let tau = last + silence.span;
    let (y, w) = (alpha / (alpha + tau), beta / (beta + tau));
    let (dy, dw) = (y_last - y, w_last - w);

    let total = left.total + alive;
    let factors = [-r, k, 1.0, 1.0];
    let of_alive = [p, dy, -s * q, s * dw];
    let mut mean = [0.0; 4];
    let mut bends = [[0.0; 4]; 4];
    for i in 0..4 {
        mean[i] = factors[i] * (left.first[i] + alive * of_alive[i]) / total;
        for j in i..4 {
            let outer = left.outer[i][j] + alive * (of_alive[i] * of_alive[j]);
            bends[i][j] = factors[i] * factors[j] * outer / total;
        }
    }
    // The curvatures of the ways' own logarithms.
    bends[0][0] += mean[0];
    bends[0][1] += r * (left.first[1] + alive * dy) / total;
    bends[1][1] += k * (y_bend - (left.y_bend + alive * (y * (1.0 - y))) / total);
    bends[2][2] += (left.first[2] - left.total - alive * (s * q)) / total;
    bends[2][3] += s * (left.dw + alive * dw) / total;
    bends[3][3] +=
        s * w_bend - ((s + 1.0) * left.w_bend + alive * (s * (w * (1.0 - w)))) / total;

    let (ln_a, ln_b) = (ln_1p(last / alpha), ln_1p(last / beta));
    let value = of_r.value - r * ln_a - x * ln(alpha + last) - s * ln_b + ln(total);
    let seen = [r * (of_r.first - ln_a), r - k * y_last, -s * ln_b, s * (1.0 - w_last)];
    bends[0][0] += seen[0] + r * r * of_r.second;
    bends[0][1] += r * (1.0 - y_last);
    bends[1][1] += -k * y_bend;
    bends[2][2] += seen[2];
    bends[2][3] += seen[3];
    bends[3][3] += -s * w_bend;
    let mut jet = Jet { value, ..Jet::ZERO };
    for i in 0..4 {
        jet.gradient[i] = seen[i] + mean[i];
        for j in i..4 {
            jet.hessian[i][j] = bends[i][j] - mean[i] * mean[j];
        }
    }
    jet
}

/// The log-likelihood of histories and its derivatives by `ln r`, `ln α`, `ln s`, `ln β`.
pub(super) fn log_likelihood(distinct: &Distinct, at: &[f64]) -> Curvature {
    let pareto =
        Pareto { r: at[0].exp(), alpha: at[1].exp(), s: at[2].exp(), beta: at[3].exp() };
    let parts = map_blocks(distinct.len(), 256, |rows| {
        let mut sum = Jet::ZERO;
        let first = distinct.runs.partition_point(|run| run.end <= rows.start);
        for run in &distinct.runs[first..] {
            let both = run.start.max(rows.start)..run.end.min(rows.end);
            if both.is_empty() {
                break;
            }
            let times = (&distinct.last[both.clone()], &distinct.age[both.clone()]);
            let part = of_rows(pareto, run.x, times, &distinct.weight[both]);
            sum.add(1.0, &part.mirror());
        }
        sum
    });
    let mut sum = Jet::ZERO;
    parts.iter().for_each(|part| sum.add(1.0, part));
    sum.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::baseline;

    #[test]
    fn vectors_change_no_bit() {
        for (alpha, beta) in [(10.6, 11.7), (11.7, 10.6), (1e-3, 400.0), (1e6, 2.0)] {
            let pareto = Pareto { r: 0.55, alpha, s: 0.61, beta };
            for (x, last, age) in
                [(0.0, 0.0, 38.9), (3.0, 20.0, 38.9), (90.0, 2.0, 500.0), (1.0, 7.0, 7.0)]
            {
                let silence = Silence::new(pareto, x, last, age);
                let (alive, left) = run(Alone(silence));
                assert_eq!((alive, left), baseline(Alone(silence)));
                let (lasts, ages, weights) = ([last; 3], [age; 3], [1.0, 0.5, 2.0]);
                let of_r = LnRising::new(pareto.r, x);
                let rows =
                    Rows { pareto, x, of_r, last: &lasts, age: &ages, weight: &weights };
                let slow = baseline(rows);
                let fast = of_rows(pareto, x, (&lasts, &ages), &weights);
                assert_eq!(format!("{slow:?}"), format!("{fast:?}"));
                // The log-likelihood is that of both ways to have been silent.
                let value = of_row(&silence, x, &of_r).value;
                let seen = of_r.value
                    - pareto.r * (last / alpha).ln_1p()
                    - x * (alpha + last).ln()
                    - pareto.s * (last / beta).ln_1p();
                let expected = seen + (alive + left).ln();
                assert!((value - expected).abs() <= 1e-13 * expected.abs());
                assert!((fast.value - 3.5 * value).abs() <= 1e-13 * fast.value.abs());
            }
        }
    }
}
